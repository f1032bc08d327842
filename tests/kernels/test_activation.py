"""relu, elu and sigmoid kernels against formulas in float64: sizes, dtypes, strides, threads."""

import tracemalloc

import numpy as np
import pytest

from minigrad.kernels import _elementwise, _threads, activation, gates, normal, special

SIZES = (0, 1, 7, 768, 769, 5000, (1 << 17) + 3,
         pytest.param((1 << 20) + 1, marks=pytest.mark.slow))
CONSTANTS = {"elu": (1.0, 1.0, 1.0), "elu 0.7": (0.7, 1.0, 1.0), "celu": (1.3, 1.0, 1 / 1.3),
             "selu": (1.6732632423543772, 1.0507009873554805, 1.0), "alpha < 0": (-0.5, 2.0, 1.0)}


def numbers(size, dtype, seed=0):
    x = 4 * np.random.default_rng(seed).standard_normal(size)
    x[::11], x[1::13], x[2::17], x[3::19], x[4::23] = 0.0, -0.0, np.nan, np.inf, -np.inf
    x[5::29] *= 1e-30
    return x.astype(dtype)


def elu(x, alpha, scale, input_scale):
    x = x.astype(np.float64)
    below = alpha * scale * np.expm1(input_scale * np.minimum(x, 0))
    return np.where(x > 0, scale * x, below)


def elu_slope(x, alpha, scale, input_scale):
    x = x.astype(np.float64)
    below = alpha * scale * input_scale * np.exp(input_scale * np.fmin(x, 0))
    return np.where(x <= 0, below, scale)


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def close(found, expected, dtype):
    assert found.dtype == dtype
    limits = np.finfo(dtype)
    expected = expected.astype(dtype)
    np.testing.assert_allclose(found, expected, rtol=16 * limits.eps, atol=8 * limits.tiny)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = _threads.get_num_threads()
    _threads.set_num_threads(request.param)
    yield
    _threads.set_num_threads(before)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
@np.errstate(all="ignore")
def test_relu_bit_for_bit(size, dtype, threads):
    x, g = numbers(size, dtype), numbers(size, dtype, 1)
    y = activation.relu(x)
    kept = ~(x <= 0)
    np.testing.assert_array_equal(y, np.where(kept, x, dtype(0)))
    if dtype != np.float16:
        minus = (x == 0) & np.signbit(x)
        np.testing.assert_array_equal(np.signbit(y[x == x]), minus[x == x])
    assert activation.relu_backward(g, y).tobytes() == np.where(kept, g, dtype(0)).tobytes()


@pytest.mark.parametrize("size", [1 << 16, 1 << 20])
def test_relu_in_place_needs_no_memory(size):
    x = np.linspace(-1, 1, size, dtype=np.float32)
    expected = np.maximum(x, 0)
    tracemalloc.start()
    y = activation.relu(x, out=x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert y is x
    assert peak < size  # bytes
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("simd", [True, False])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
@np.errstate(all="ignore")
def test_elu(size, dtype, simd, threads, monkeypatch):
    monkeypatch.setattr(activation, "SIMD_EXPM1", simd)
    x, g = numbers(size, dtype), numbers(size, dtype, 1)
    x[np.signbit(x) & np.isnan(x)] = np.nan
    for constants in CONSTANTS.values():
        close(activation.elu(x, *constants), elu(x, *constants), dtype)
        slope = elu_slope(x, *constants)
        close(activation.elu_slope(x, *constants), slope, dtype)
        close(activation.elu_backward(g, x, *constants), g * slope, dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
@np.errstate(all="ignore")
def test_sigmoid(size, dtype, threads):
    x, g = numbers(size, dtype), numbers(size, dtype, 1)
    y = activation.sigmoid(x)
    close(y, sigmoid(x), dtype)
    wide = y.astype(np.float64)
    found, expected = activation.sigmoid_backward(g, y), g * ((1 - wide) * wide)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected.astype(dtype), rtol=8 * np.finfo(dtype).eps,
                               atol=np.finfo(dtype).tiny)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("weights", [(0.25,), (1.0, 0.5, 0.1), (0.0, -1.0, 2.0), (np.nan, 1, 1)])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (40, 3, 11, 9), (0, 3, 2), (1, 3, 1, 1)])
@np.errstate(all="ignore")
def test_prelu(shape, weights, dtype):
    x, g = numbers(np.prod(shape), dtype).reshape(shape), np.ones(shape, dtype)
    g.reshape(-1)[1::7] = 3
    weight = np.array(weights, dtype)
    if len(weights) not in (1, shape[1]):
        weight = np.resize(weight, shape[1])
    column = weight.reshape(1, -1, *(1,) * (len(shape) - 2))
    y = activation.prelu(x, weight)
    np.testing.assert_array_equal(y, np.where(x > 0, x, x * column))
    slopes = numbers(np.prod(shape), dtype, 2).reshape(shape)
    np.testing.assert_array_equal(activation.prelu_backward(slopes, x, weight),
                                  np.where(x > 0, slopes, slopes * column))
    axes = tuple(i for i in range(x.ndim) if i != 1 or len(weight) == 1)
    for values in (x, np.where(np.isfinite(x), x, dtype(-0.5))):  # with and without nan
        expected = np.where(values > 0, 0, g.astype(np.float64) * values).sum(axes)
        expected = expected.reshape(weight.shape)
        found = activation.prelu_weight(g, values, weight.shape)
        assert found.shape == weight.shape
        np.testing.assert_allclose(found, expected.astype(dtype), rtol=50 * np.finfo(dtype).eps)
    values[...], g[...] = 1, np.inf
    np.testing.assert_array_equal(activation.prelu_weight(g, values, weight.shape), 0 * weight.size)


CALLS = {
    "relu": lambda x, g: (activation.relu(x), activation.relu_backward(g, activation.relu(x))),
    "elu": lambda x, g: (activation.elu(x, 1.7, 1.1, 1.0),
                         activation.elu_backward(g, x, 1.7, 1.1, 1.0)),
    "sigmoid": lambda x, g: (activation.sigmoid(x), activation.sigmoid_backward(g, x)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("shape", [(), (3, 5), (300, 1001)])
@np.errstate(all="ignore")
def test_any_strides(name, shape):
    def both(x, g):
        return CALLS[name](x, g)

    x, g = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)[:, ...]
    x, g = np.asarray(x), np.asarray(g)
    for view in (lambda a: a.T, lambda a: a[..., ::-1] if a.ndim else a,
                 lambda a: np.broadcast_to(a[..., :1], a.shape) if a.ndim else a):
        found = both(view(x), view(g))
        expected = both(view(x).copy("C"), view(g).copy("C"))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert activation.elu(x.T, 1.0, 1.0, 1.0).strides == np.exp(x.T).strides
    assert activation.sigmoid(x.T).strides == np.exp(x.T).strides


def test_the_bits_do_not_depend_on_the_number_of_threads():
    x, g = np.random.default_rng(0).standard_normal((2, (1 << 20) + 77)).astype(np.float32)
    before = _threads.get_num_threads()
    try:
        for call in CALLS.values():
            results = []
            for count in (1, 2, 3):
                _threads.set_num_threads(count)
                results.append([part.tobytes() for part in call(x, g)])
            assert results[0] == results[1] == results[2]
    finally:
        _threads.set_num_threads(before)


def test_blocks_are_as_long_as_they_say():
    seen = []
    for size in (1, _elementwise.BLOCK, _elementwise.BLOCK + 1, _elementwise.LARGE):
        x = np.ones(size, np.float32)
        y = _elementwise.in_blocks(lambda x, out: (np.copyto(out, x), seen.append(x.size)), (x,))
        assert y.sum() == size
        assert sum(seen) == size
        assert max(seen) <= 2 * _elementwise.BLOCK
        seen.clear()


@pytest.mark.parametrize("function", [
    gates.silu, gates.silu_slope, gates.mish, gates.mish_slope, gates.gelu_tanh,
    gates.gelu_tanh_slope, normal.gelu, normal.gelu_slope, special.erf, special.erfinv])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_no_elements(function, dtype):
    y = function(np.empty((0, 3), dtype))
    assert y.shape == (0, 3) and y.dtype == dtype
