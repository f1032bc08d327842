"""Dropout: shares, scales, shared draws, identity, in-place forms, warnings, errors."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F

ALL = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
INPUT = {"dropout3d": (2, 3, 4, 4), "dropout2d": (2, 3, 4, 4)}


def sample(name):
    return torch.ones(INPUT.get(name, (2, 3, 4)))


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_share_and_scale(p):
    x = torch.ones(20000, requires_grad=True)
    y = F.dropout(x, p)
    assert y.grad_fn.name() == "MulBackward0"
    kept = (y != 0)
    assert abs(kept.float().mean().item() - (1 - p)) < 0.02
    np.testing.assert_allclose(y[kept].detach().numpy(), 1 / (1 - p), rtol=1e-6)
    (g,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(g, y.detach())


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(p):
    """Dropped elements take the values that torch 2.13 gives them."""
    x = torch.randn(40000, generator=torch.Generator().manual_seed(2))
    y = F.alpha_dropout(x, p, training=True)
    assert abs(y.mean().item()) < 0.03
    assert abs(y.std().item() - 1) < 0.03
    low = F.alpha_dropout(torch.zeros(1000), p, training=True).min().item()
    assert low == pytest.approx({0.1: -1.4577, 0.3: -1.0595, 0.5: -0.7792}[p], abs=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_identity_and_full_dropout(name):
    function = getattr(F, name)
    x = sample(name)
    assert function(x, 0.7, False) is x or torch.equal(function(x, 0.7, False), x)
    assert torch.equal(function(x, 0.0, True), x)
    assert not function(x, 1.0, True).any()
    assert function(x[:0], 0.5, True).shape == x[:0].shape


@pytest.mark.parametrize("name", ALL)
def test_same_generator_same_mask(name):
    function = getattr(F, name)
    x = torch.randn(*sample(name).shape)
    draws = [function(x, 0.5, True, generator=torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*draws)
    state = torch.get_rng_state()
    function(x, 0.5, True, generator=torch.Generator().manual_seed(5))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", ALL)
def test_inplace(name):
    function = getattr(F, name)
    x = sample(name)
    want = function(x, 0.5, True, generator=torch.Generator().manual_seed(5))
    assert function(x, 0.5, True, True, generator=torch.Generator().manual_seed(5)) is x
    assert torch.equal(x, want)
    with pytest.raises(RuntimeError, match="leaf"):
        function(sample(name).requires_grad_(), 0.5, True, True)


@pytest.mark.parametrize(("name", "shape", "channels"), [
    ("dropout1d", (8, 5, 6), 2), ("dropout1d", (40, 6), 1), ("dropout2d", (8, 5, 6, 2), 2),
    ("dropout3d", (8, 5, 2, 3, 2), 2), ("dropout3d", (40, 2, 3, 2), 1),
    ("feature_alpha_dropout", (8, 5, 6), 2)])
def test_channels_share_their_draw(name, shape, channels):
    y = getattr(F, name)(torch.ones(shape), 0.5, True).numpy()
    rows = y.reshape(*shape[:channels], -1)
    assert (rows == rows[..., :1]).all()
    assert 5 < (rows[..., 0] > 0.9).sum() < 35


def test_odd_ranks_warn_as_in_torch():
    with pytest.warns(UserWarning, match=r"\(N, C, L\)") as caught:
        y = F.dropout2d(torch.ones(8, 5, 6))
    assert caught[0].filename == __file__
    assert (y == y[:, :, :1]).all()
    for name, shape in (("dropout2d", (5, 6)), ("dropout2d", (2, 2, 2, 2, 2)),
                        ("dropout3d", (5, 6)), ("dropout3d", (2,) * 6)):
        with pytest.warns(UserWarning, match=f"{name}: got {len(shape)}-d input") as caught:
            getattr(F, name)(torch.ones(shape))
        assert caught[0].filename == __file__


def test_batched_says_how_to_read_the_input():
    y = F.dropout2d(torch.ones(40, 5, 6), batched=False)
    assert (y == y[:, :1, :1]).all()
    y = F.dropout2d(torch.ones(8, 5, 6), batched=True)
    assert (y == y[:, :, :1]).all()
    assert not (y == y[:, :1]).all()


@pytest.mark.parametrize("name", ALL)
def test_wrong_arguments(name):
    function = getattr(F, name)
    x = sample(name)
    for p in (2.0, -0.1):
        for training in (True, False):
            with pytest.raises(ValueError, match="between 0 and 1"):
                function(x, p, training)
    with pytest.raises(RuntimeError, match="nan"):
        function(x, float("nan"), True)
    with pytest.raises(RuntimeError, match="can't be cast"):
        function(x.long(), 0.5, True)
    assert function(x.long(), 1.0, True).dtype is torch.int64
    with pytest.raises(TypeError, match="generator"):
        function(x, 0.5, True, generator=3)


def test_wrong_ranks():
    for shape in ((), (3,), (2, 2, 2, 2)):
        with pytest.raises(RuntimeError, match="dropout1d: expected"):
            F.dropout1d(torch.ones(shape))
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        F.feature_alpha_dropout(torch.ones(3), training=True)
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="at least 2 dimensions"):
        F.dropout2d(torch.ones(3))


def test_half_precision():
    y = F.dropout(torch.ones(100, dtype=torch.float16))
    assert y.dtype is torch.float16
    assert set(y.tolist()) == {0.0, 2.0}
