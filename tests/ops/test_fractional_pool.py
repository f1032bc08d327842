"""Fractional max pooling: where windows lie, draws, errors."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad import nn


def test_windows_follow_the_random_numbers():
    """Window i begins at floor((i + u) a) - floor(u a), a = (n - k) / (m - 1); the last at the end.
    """
    u, size, out, kernel = 0.7, 10, 4, 3
    alpha = (size - kernel) / (out - 1)
    starts = [int((i + u) * alpha) - int(u * alpha) for i in range(out - 1)] + [size - kernel]
    row = np.random.default_rng(0).random(size)
    samples = torch.tensor([[[u, 0.0]]], dtype=torch.float64)  # (width, height)
    y, where = F.fractional_max_pool2d(torch.from_numpy(row[None, None, None]), (1, kernel),
                                       (1, out), return_indices=True, _random_samples=samples)
    assert y.flatten().tolist() == [row[s:s + kernel].max() for s in starts]
    assert row[where.flatten().numpy()].tolist() == y.flatten().tolist()


@pytest.mark.parametrize("n", [2, 3])
def test_draws_follow_the_generator(n):
    pool, x = getattr(F, f"fractional_max_pool{n}d"), torch.randn(2, 3, *(9, 8, 7)[:n])
    first = pool(x, 2, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, pool(x, 2, 4, generator=torch.Generator().manual_seed(1)))
    layer = getattr(nn, f"FractionalMaxPool{n}d")(2, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(layer(x), first)
    assert not torch.equal(layer(x), first)
    assert torch.equal(getattr(F, f"fractional_max_pool{n}d_with_indices")(
        x, 2, 4, generator=torch.Generator().manual_seed(1))[0], first)
    fixed = getattr(nn, f"FractionalMaxPool{n}d")(2, 4, _random_samples=torch.rand(2, 3, n))
    assert torch.equal(fixed(x), fixed(x))
    assert list(fixed.state_dict()) == ["_random_samples"]


@pytest.mark.parametrize("n", [2, 3])
def test_derivatives_and_batches(n):
    pool = getattr(F, f"fractional_max_pool{n}d")
    x = torch.randn(2, 2, *(6, 5, 6)[:n], dtype=torch.float64, requires_grad=True)
    u = torch.rand(2, 2, n, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda t: pool(t, 2, 3, _random_samples=u), (x,))
    assert torch.autograd.gradgradcheck(lambda t: pool(t, 2, 3, _random_samples=u), (x,))
    one = pool(x[0], 2, 3, _random_samples=u[:1])
    assert torch.equal(pool(x, 2, 3, _random_samples=u)[0], one)
    assert pool(x[:0], 2, 3).shape == (0, 2, *(3,) * n)


def test_nan_wins():
    x = torch.tensor([[[1.0, 5.0], [float("nan"), 2.0]]])
    y, where = F.fractional_max_pool2d(x, 2, 1, return_indices=True)
    assert y.isnan().all()
    assert where.item() == 2


X = torch.ones(2, 3, 7, 8)


@pytest.mark.parametrize(("error", "match", "act"), [
    (ValueError, "output_size or an output_ratio", lambda: F.fractional_max_pool2d(X, 2)),
    (ValueError, "output_ratio to be", lambda: F.fractional_max_pool2d(
        X, 2, output_ratio=(0.5, 0.5, 0.5))),
    (RuntimeError, "output_size must be", lambda: F.fractional_max_pool2d(X, 2, (3,))),
    (RuntimeError, "kernel_size", lambda: F.fractional_max_pool2d(X, (2, 2, 2), 3)),
    (RuntimeError, "too large", lambda: F.fractional_max_pool2d(X, 2, 7)),
    (RuntimeError, "at least", lambda: F.fractional_max_pool2d(X, 2, -1)),
    (RuntimeError, "input's dtype", lambda: F.fractional_max_pool2d(
        X, 2, 3, _random_samples=torch.rand(2, 3, 2, dtype=torch.float64))),
    (RuntimeError, "_random_samples of shape", lambda: F.fractional_max_pool2d(
        X, 2, 3, _random_samples=torch.rand(1, 3, 2))),
    (RuntimeError, "not differentiable", lambda: F.fractional_max_pool2d(
        X, 2, 3, _random_samples=torch.rand(2, 3, 2, requires_grad=True))),
    (RuntimeError, "non-zero size", lambda: F.fractional_max_pool2d(X[:, :0], 2, 3)),
    (IndexError, "expected 3D or 4D", lambda: F.fractional_max_pool2d(X[0, 0], 2, 3)),
    (NotImplementedError, "not implemented", lambda: F.fractional_max_pool2d(X.long(), 2, 3)),
    (ValueError, "requires specifying", lambda: nn.FractionalMaxPool3d(2)),
    (ValueError, "only one of", lambda: nn.FractionalMaxPool2d(2, 3, 0.5)),
    (ValueError, "between 0 and 1", lambda: nn.FractionalMaxPool2d(2, output_ratio=(0.5, 1.5))),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()
