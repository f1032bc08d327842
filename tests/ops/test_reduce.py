"""Reductions: ties, empty tensors, precision, errors, named results."""

import math
import pickle

import numpy as np
import pytest

import minigrad as torch

NAN, INF = math.nan, math.inf


def gradient(function, *values):
    x = torch.tensor(list(values), requires_grad=True)
    y = function(x)
    (y if isinstance(y, torch.Tensor) else y[0]).sum().backward()
    return x.grad.tolist()


@pytest.mark.parametrize(("function", "values", "want"), [
    (torch.max, (3.0, 3.0, 1.0), [0.5, 0.5, 0.0]),
    (torch.min, (1.0, 3.0, 1.0), [0.5, 0.0, 0.5]),
    (torch.max, (NAN, 3.0, NAN), [0.5, 0.0, 0.5]),
    (lambda x: x.max(0), (3.0, 3.0, 1.0), [1.0, 0.0, 0.0]),
    (lambda x: x.amax(0), (3.0, 3.0, 1.0), [0.5, 0.5, 0.0]),
    (lambda x: x.aminmax().max, (3.0, 3.0, 1.0), [0.5, 0.5, 0.0]),
    (torch.median, (3.0, 3.0, 1.0), [0.5, 0.5, 0.0]),
    (lambda x: x.median(0), (3.0, 3.0, 1.0), [1.0, 0.0, 0.0]),
    (torch.norm, (0.0, 0.0), [0.0, 0.0]),
    (lambda x: x.norm(1), (0.0, 2.0), [0.0, 1.0]),
    (lambda x: x.norm(1.5), (0.0, 0.0), [0.0, 0.0]),
    (lambda x: x.norm(3), (0.0, 0.0), [0.0, 0.0]),
    (lambda x: x.norm(0.5), (0.0, 2.0), [0.0, 1.0]),
    (lambda x: x.norm(INF), (2.0, -2.0, 1.0), [0.5, -0.5, 0.0]),
    (torch.std, (3.0, 3.0), [0.0, 0.0]),
    (torch.prod, (0.0, 2.0, 0.0), [0.0, 0.0, 0.0]),
    (torch.prod, (0.0, 2.0, 3.0), [6.0, 0.0, 0.0]),
    (lambda x: x.cumprod(0), (0.0, 2.0, 3.0), [9.0, 0.0, 0.0]),
    (lambda x: x.logsumexp(0), (-INF, 1.0), [0.0, 1.0]),
    (torch.nansum, (NAN, 1.0), [0.0, 1.0]),
])
def test_gradients_at_ties_zeros_and_nans(function, values, want):
    assert gradient(function, *values) == pytest.approx(want, rel=1e-6)


def test_third_derivative_of_a_product_with_zeros():
    x = torch.tensor([0.0, 2.0, 0.0, 5.0], dtype=torch.float64, requires_grad=True)
    for function in (torch.prod, lambda t: t.cumprod(0)[-1], lambda t: t.prod(0, True)[0]):
        (g,) = torch.autograd.grad(function(x), x, create_graph=True)
        (h,) = torch.autograd.grad(g[0], x, create_graph=True)
        (third,) = torch.autograd.grad(h[2], x)
        assert g.tolist() == [0.0, 0.0, 0.0, 0.0]
        assert h.tolist() == [0.0, 0.0, 10.0, 0.0]
        assert third.tolist() == [0.0, 5.0, 0.0, 2.0]


# ------------------------------------------------------------------------------------------ empty
def test_reductions_of_nothing():
    x = torch.zeros(0)
    assert x.sum().item() == 0
    assert x.prod().item() == 1
    assert x.logsumexp(0).item() == -INF
    assert x.norm().item() == 0
    assert x.all().item() is True
    assert x.any().item() is False
    for y in (x.mean(), x.median(), x.nanmean()):
        assert math.isnan(y.item())
    assert torch.zeros(2, 0).sum(1).tolist() == [0.0, 0.0]
    assert torch.zeros(2, 0).max(0).values.shape == (0,)


@pytest.mark.parametrize(("function", "error"), [
    (lambda: torch.zeros(0).max(), RuntimeError),
    (lambda: torch.zeros(0).amax(), RuntimeError),
    (lambda: torch.zeros(0).argmax(), IndexError),
    (lambda: torch.zeros(0).aminmax(), RuntimeError),
    (lambda: torch.zeros(2, 0).max(1), IndexError),
    (lambda: torch.zeros(2, 0).amin(1), IndexError),
    (lambda: torch.zeros(2, 0).argmin(1), IndexError),
    (lambda: torch.zeros(2, 0).median(1), IndexError),
    (lambda: torch.zeros(0).norm(INF), RuntimeError),
    (lambda: torch.zeros(2).sum(1), IndexError),
    (lambda: torch.zeros(2).mean((0, 0)), RuntimeError),
    (lambda: torch.tensor([1]).mean(), RuntimeError),
    (lambda: torch.tensor([1]).var(), RuntimeError),
    (lambda: torch.tensor([1]).norm(), RuntimeError),
    (lambda: torch.tensor([True]).argmax(), RuntimeError),
    (lambda: torch.zeros(2).prod((0,)), TypeError),
    (lambda: torch.zeros(2).max((0,)), TypeError),
    (lambda: torch.zeros(2).var(0, unbiased=True, correction=1), TypeError),
    (lambda: torch.zeros(2).norm("other"), RuntimeError),
])
def test_errors(function, error):
    with pytest.raises(error):
        function()


def test_too_few_elements_for_a_variance_warn_and_give_nan():
    with pytest.warns(UserWarning, match="degrees of freedom"):
        assert math.isnan(torch.tensor([3.0]).var().item())


# -------------------------------------------------------------------------------------- precision
def test_variance_of_nearly_equal_float32_numbers():
    x = np.float32(10000) + np.linspace(0, 1, 1001, dtype=np.float32)
    want = x.astype(np.float64).var(ddof=1)
    assert torch.from_numpy(x).var().item() == pytest.approx(want, rel=1e-5)


def test_half_precision_adds_up_in_float32():
    x = torch.ones(5000, dtype=torch.float16)
    assert x.sum().item() == 5000.0
    assert x.sum().dtype == torch.float16
    assert x.reshape(1, 5000).mul(0.1).mean(1).item() == pytest.approx(0.1, rel=1e-3)
    assert (x * 100).mean().item() == 100.0
    assert (x * 30).var().item() == 0.0
    assert x.cumsum(0)[-1].item() == 5000.0


def test_logsumexp_of_extreme_numbers():
    x = torch.tensor([[1000.0, 1000.0], [-INF, -INF], [INF, 1.0], [-1000.0, -INF]])
    assert x.logsumexp(1).tolist() == pytest.approx([1000 + math.log(2), -INF, INF, -1000.0])


# ----------------------------------------------------------------------------- names and spellings
def test_results_are_named_tuples_printed_as_in_torch():
    result = torch.tensor([1.0, 3.0]).max(0)
    values, indices = result
    assert values is result.values
    assert indices is result[1]
    assert repr(result) == "torch.return_types.max(\nvalues=tensor(3.),\nindices=tensor(1))"
    assert isinstance(result, torch.return_types.max)
    with pytest.raises(AttributeError, match="values, indices"):
        result.value  # noqa: B018
    assert torch.return_types.max((1, 2)) == (1, 2)
    assert type(pickle.loads(pickle.dumps(torch.return_types.max((1, 2))))) is type(result)


def test_numpy_spellings():
    x = torch.tensor([[1.0, 5.0], [7.0, 3.0]])
    assert x.sum(axis=0, keepdims=True).tolist() == [[8.0, 8.0]]
    assert x.max(axis=1).values.tolist() == [5.0, 7.0]
    assert x.var(axis=1, keepdims=True).shape == (2, 1)
    assert torch.cumsum(x, axis=1)[:, 1].tolist() == [6.0, 10.0]


def test_max_has_three_forms():
    x = torch.tensor([1.0, 5.0])
    assert torch.max(x).item() == 5.0
    assert torch.max(x, 0).indices.item() == 1
    assert torch.max(x, torch.tensor([3.0, 3.0])).tolist() == [3.0, 5.0]
    assert torch.max(x, other=torch.tensor([3.0])).tolist() == [3.0, 5.0]
    values, indices = torch.zeros(()), torch.zeros((), dtype=torch.int64)
    torch.max(x, 0, out=(values, indices))
    assert (values.item(), indices.item()) == (5.0, 1)


def test_reductions_of_integers_and_bools():
    x = torch.tensor([3, 1, 3], dtype=torch.uint8)
    for y in (x.sum(), x.prod(), x.cumsum(0), x.cumprod(0), (x > 1).sum()):
        assert y.dtype == torch.int64
    assert x.any().dtype == torch.uint8
    assert torch.tensor([3, 1]).any().dtype == torch.bool
    assert x.max().dtype == torch.uint8
    assert torch.tensor([1, 2]).logsumexp(0).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [None, 0, 1, 2, (1, 2), (2, 1), (0, 2), (0, 1, 2), -1])
@pytest.mark.parametrize("shape", [(1, 1, 1 << 14), (40, 30, 70), (3, 70, 1100), (200, 100, 3)])
def test_large_sums_and_means(shape, dim, dtype):
    x = torch.randn(shape, dtype=torch.float64).to(dtype)
    axes = dim if dim is None else tuple(np.atleast_1d(dim))
    for view in (x, x.transpose(1, 2), x[:, ::2]):
        exact = view.numpy().astype(np.float64)
        for keepdim in (False, True):
            for name in ("sum", "mean"):
                y = getattr(torch, name)(view, dim, keepdim)
                expected = getattr(np, name)(exact, axis=axes, keepdims=keepdim)
                assert y.dtype == dtype
                assert y.shape == expected.shape
                limit = 2e-3 if dtype == torch.float16 else 1e-5
                np.testing.assert_allclose(y.numpy(), expected, rtol=limit,
                                           atol=limit * np.sqrt(exact.size / expected.size))


def test_large_sums_of_infinity_and_nan():
    x = torch.zeros(3, 1 << 14)
    x[0, 5], x[1, 7], x[2, 3], x[2, 4] = float("inf"), float("nan"), float("inf"), -float("inf")
    np.testing.assert_array_equal(x.sum(1), [np.inf, np.nan, np.nan])
    assert torch.full((1 << 14,), 3e38).sum().item() == np.inf
    assert torch.full((1 << 14,), 3e38).mean().item() == np.inf  # as PyTorch's float32 sum
