"""Matrix products that are cut into tiles or into parts for the threads."""

import numpy as np
import pytest

from minigrad.kernels import _product, _threads
from minigrad.kernels._product import dot, many_products, matrix_product, two_products

# below and above the sizes at which a product is cut; tall, wide and thin ones
SHAPES = [(3, 4, 5), (0, 3, 4), (3, 0, 4), (1, 70_000, 4), (130, 129, 131), (17, 700, 1000),
          (1000, 700, 17), (300, 200, 333), (2, 3, 5_000_000)]
BATCHES = [(3, 4, 5, 6), (5, 100, 90, 80), (11, 200, 170, 100), (1, 300, 300, 300), (2, 0, 3, 4),
           (3, 70, 20, 60)]


@pytest.fixture
def threads():
    """Restore the number of threads."""
    before = _threads.get_num_threads()
    yield _threads.set_num_threads
    _threads.set_num_threads(before)


def integers(*shape, dtype=np.float64):
    """Return small integers: every sum is exact, so results must be equal."""
    return np.random.default_rng(len(shape)).integers(-4, 5, shape).astype(dtype)


@pytest.mark.parametrize("turned", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize("shape", SHAPES)
def test_product_of_two_matrices(shape, turned):
    rows, inner, columns = shape
    a = integers(inner, rows).T if 0 in turned else integers(rows, inner)
    b = integers(columns, inner).T if 1 in turned else integers(inner, columns)
    got = matrix_product(a, b)
    np.testing.assert_array_equal(got, a @ b, strict=True)
    assert got.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_dtypes(dtype):
    a, b = integers(300, 200, dtype=dtype), integers(200, 333, dtype=dtype)
    np.testing.assert_array_equal(matrix_product(a, b), a @ b, strict=True)


@pytest.mark.parametrize("shape", BATCHES)
def test_products_of_many_matrices(shape):
    count, rows, inner, columns = shape
    a, b = integers(count, rows, inner), integers(count, columns, inner).swapaxes(1, 2)
    np.testing.assert_array_equal(many_products(a, b), a @ b, strict=True)
    np.testing.assert_array_equal(many_products(a[0], b), a[0] @ b, strict=True)
    np.testing.assert_array_equal(many_products(a, b[:1]), a @ b[:1], strict=True)


def test_bits_do_not_depend_on_the_number_of_threads(threads):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 400, 400), np.float32)
    many = rng.standard_normal((9, 200, 200), np.float32)
    threads(1)
    wants = matrix_product(a, b), many_products(many, many)
    for count in (2, 3, 5):
        threads(count)
        np.testing.assert_array_equal(matrix_product(a, b), wants[0])
        np.testing.assert_array_equal(many_products(many, many), wants[1])


@pytest.mark.parametrize("size", [3, 100, 400])
def test_shapes_that_do_not_fit(size):
    with pytest.raises(ValueError):
        matrix_product(np.ones((size, size)), np.ones((size + 1, size)))
    with pytest.raises(ValueError):
        many_products(np.ones((2, size, size)), np.ones((2, size + 1, size)))


@pytest.mark.skipif(_threads._openblas is None, reason="BLAS is not OpenBLAS")
def test_blas_takes_one_thread_in_large_products(threads, monkeypatch):
    threads(2)
    seen = []
    real = np.matmul

    def spy(*args, **kwargs):
        seen.append(_threads._openblas.get_num_threads())
        return real(*args, **kwargs)

    monkeypatch.setattr(_product.np, "matmul", spy)
    matrix_product(np.ones((300, 200)), np.ones((200, 333)))
    many_products(np.ones((11, 200, 170)), np.ones((11, 170, 100)))
    assert len(seen) > 2 and set(seen) == {1}
    assert _threads._openblas.get_num_threads() == 2


@pytest.mark.parametrize("shape", [(3, 4, 5), (300, 200, 333), (64, 700, 256), (1, 3000, 5000),
                                   (0, 3, 4), (500, 400, 400), (8, 8, 999_999)])
def test_two_products_at_once(shape, threads):
    """The gradients of a linear layer: g @ w and g^T @ x."""
    rows, inner, columns = shape
    g, w, x = integers(rows, inner), integers(inner, columns), integers(rows, columns)
    for count in (1, 2, 3):
        threads(count)
        dx, dw = two_products(g, w, g.T, x)
        np.testing.assert_array_equal(dx, g @ w, strict=True)
        np.testing.assert_array_equal(dw, g.T @ x, strict=True)


def test_bits_of_two_products_do_not_depend_on_the_number_of_threads(threads):
    rng = np.random.default_rng(0)
    g, w, x = (rng.standard_normal(s, np.float32) for s in ((200, 300), (300, 400), (200, 400)))
    found = []
    for count in (1, 2, 5):
        threads(count)
        found.append(two_products(g, w, g.T, x))
    for dx, dw in found:
        np.testing.assert_array_equal(dx, found[0][0])
        np.testing.assert_array_equal(dw, found[0][1])


def test_two_products_of_different_sizes():
    a, b = integers(300, 200), integers(200, 333)
    for c, d in ((a, b[:, :50]), (a[:5], b)):
        for y, want in zip(two_products(a, b, c, d), (a @ b, c @ d), strict=True):
            np.testing.assert_array_equal(y, want, strict=True)


@pytest.mark.parametrize("size", [0, 5, 9216, 12650, 100_000])
def test_dot_has_the_same_bits_for_any_number_of_threads(size, threads):
    rng, found = np.random.default_rng(size), []
    a, b = rng.standard_normal(size), rng.standard_normal(size)
    for count in (1, 2):
        threads(count)
        found.append(dot(a, b))
    assert found[0] == found[1] and type(found[0]) is float
    np.testing.assert_allclose(found[0], (a * b).sum(), rtol=1e-9, atol=1e-9)
