"""Losses: reductions, ignored targets, extreme scores, warnings, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F

X = torch.tensor([[1.0, 0.0, -1.0], [0.5, 0.5, 0.5]])
T = torch.tensor([0, 2])
ELEMENTWISE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
TWO = ("cross_entropy", "nll_loss")


def test_cross_entropy_of_extreme_scores():
    x = torch.tensor([[1000.0, 0.0], [-math.inf, 0.0]], requires_grad=True)
    y = F.cross_entropy(x, torch.tensor([1, 1]), reduction="none")
    assert y.tolist() == [1000, 0]
    y.sum().backward()
    assert x.grad.tolist() == [[1, -1], [0, 0]]


@pytest.mark.parametrize("name", TWO)
def test_ignored_targets(name):
    function = getattr(F, name)
    x = X.clone().requires_grad_()
    y = function(x, torch.tensor([0, -100]))
    y.backward()
    assert y.item() == pytest.approx(function(X[:1], T[:1]).item())
    assert not x.grad[1].any()
    assert math.isnan(function(X, torch.tensor([-100, -100])).item())
    assert function(X, torch.tensor([-100, -100]), reduction="sum").item() == 0
    assert function(X, torch.tensor([1, 0]), ignore_index=1, reduction="none")[0] == 0


@pytest.mark.parametrize("name", TWO)
def test_class_target_errors(name):
    function = getattr(F, name)
    with pytest.raises(IndexError, match="Target 3 is out of bounds: there are 3 classes"):
        function(X, torch.tensor([0, 3]))
    with pytest.raises(IndexError, match="Target -1 is out of bounds"):
        function(X, torch.tensor([0, -1]))
    with pytest.raises(ValueError, match=r"a target of shape \(2,\), got \(1,\)"):
        function(X, T[:1])
    with pytest.raises(RuntimeError, match=r"got \(2, 1\)"):
        function(X, T[:, None])
    with pytest.raises(RuntimeError, match=r"got \(2, 4\)"):
        function(torch.zeros(2, 3, 5), torch.zeros(2, 4, dtype=torch.int64))
    with pytest.raises(RuntimeError, match="int64 or uint8"):
        function(X, T.int())
    with pytest.raises(RuntimeError, match="each of 3 classes"):
        function(X, T, torch.ones(4))
    with pytest.raises(RuntimeError, match="float64"):
        function(X, T, torch.ones(3, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="not differentiable with respect to"):
        function(X, T, torch.ones(3, requires_grad=True))
    with pytest.raises(ValueError, match="not a valid value for reduction"):
        function(X, T, reduction="max")
    with pytest.raises(NotImplementedError, match="int64"):
        function(X.long(), T)
    assert function(X, T.to(torch.uint8)).item() == function(X, T).item()
    assert function(X[0], T[:1]).shape == ()
    assert math.isnan(function(X[:0], T[:0]).item())


def test_probability_target_errors():
    share = torch.softmax(X, 1)
    with pytest.raises(RuntimeError, match="must be floating point"):
        F.cross_entropy(X, share.long())
    with pytest.raises(RuntimeError, match="ignore_index"):
        F.cross_entropy(X, share, ignore_index=1)
    with pytest.raises(RuntimeError, match="label_smoothing"):
        F.cross_entropy(X, T, label_smoothing=2)
    with pytest.raises(RuntimeError, match="each of 3 classes"):
        F.cross_entropy(X, share, torch.ones(2))
    with pytest.raises(ValueError, match="1 or more dimensions"):
        F.nll_loss(torch.tensor(1.0), torch.tensor(0))


@pytest.mark.parametrize("name", [*TWO, "mse_loss", "l1_loss", "smooth_l1_loss"])
def test_old_arguments_warn(name):
    target = T if name in TWO else X + 1
    function = getattr(F, name)
    for old, new in (({"size_average": False}, "sum"), ({"reduce": False}, "none"),
                     ({"size_average": True}, "mean"), ({"reduce": True}, "mean")):
        with pytest.warns(UserWarning, match=f"reduction='{new}'") as caught:
            y = function(X, target, **old)
        assert caught[0].filename == __file__
        assert torch.equal(y, function(X, target, reduction=new))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_losses(name):
    function = getattr(F, name)
    with pytest.warns(UserWarning, match=r"target size \(1, 3\).*input size \(2, 3\)") as caught:
        y = function(X, X[:1], reduction="none")
    assert caught[0].filename == __file__
    assert y.shape == (2, 3)
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="must match the size"):
        function(X, torch.zeros(4, 3))
    with pytest.raises(ValueError, match="reduction"):
        function(X, X, reduction="max")
    assert math.isnan(function(X[:0], X[:0]).item())
    assert function(X.half(), X.half()).dtype is torch.float16
    assert function(X, X.double()).dtype is torch.float64
    if name != "l1_loss":
        with pytest.raises(NotImplementedError, match="int64"):
            function(T, T)


def test_slopes_at_the_kinks_of_l1_and_huber():
    x = torch.tensor([0.0, 1.0, -1.0], requires_grad=True)
    zero = torch.zeros(3)
    for function, want in ((F.l1_loss, [0, 1, -1]), (F.huber_loss, [0, 1, -1]),
                           (F.smooth_l1_loss, [0, 1, -1])):
        (g,) = torch.autograd.grad(function(x, zero, reduction="sum"), x)
        assert g.tolist() == want


def test_loss_option_errors():
    with pytest.raises(RuntimeError, match="delta must be positive"):
        F.huber_loss(X, X, delta=0)
    with pytest.raises(RuntimeError, match="beta must not be negative"):
        F.smooth_l1_loss(X, X, beta=-1)
    with pytest.raises(ValueError, match="same size"):
        F.mse_loss(X, X, weight=X[:1])


def test_binary_cross_entropy():
    p, t = torch.tensor([0.0, 1.0, 0.5], requires_grad=True), torch.tensor([1.0, 0.0, 1.0])
    y = F.binary_cross_entropy(p, t, reduction="none")
    np.testing.assert_allclose(y.tolist(), [100, 100, math.log(2)], rtol=1e-6)
    (g,) = torch.autograd.grad(y.sum(), p)
    np.testing.assert_allclose(g.tolist(), [-1e12, 1e12, -2], rtol=1e-6)
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(p + 1, t)
    with pytest.raises(RuntimeError, match="target should be"):
        F.binary_cross_entropy(p, t + 1)
    with pytest.raises(ValueError, match="size"):
        F.binary_cross_entropy(p, t[:1])
    with pytest.raises(RuntimeError, match="Found dtype"):
        F.binary_cross_entropy(p, t.double())
    with pytest.raises(NotImplementedError, match="int64"):
        F.binary_cross_entropy(T, T)


def test_binary_cross_entropy_with_logits():
    function = F.binary_cross_entropy_with_logits
    x = torch.tensor([1000.0, -1000.0], requires_grad=True)
    y = function(x, torch.tensor([0.0, 1.0]), reduction="none")
    assert y.tolist() == [1000, 1000]
    (g,) = torch.autograd.grad(y.sum(), x)
    assert g.tolist() == [1, -1]
    with pytest.raises(ValueError, match="Target size"):
        function(X, X[:1])
    with pytest.raises(RuntimeError, match="can't be cast"):
        function(X, X.long())
    with pytest.raises(NotImplementedError, match="int64"):
        function(T, T)
    with pytest.raises(RuntimeError, match="must match the size"):
        function(X, X, pos_weight=torch.ones(5))


def test_kl_div():
    p = torch.softmax(X, 1)
    with pytest.warns(UserWarning, match="batchmean") as caught:
        mean = F.kl_div(X, p)
    assert caught[0].filename == __file__
    assert mean.item() == pytest.approx(F.kl_div(X, p, reduction="batchmean").item() / 3)
    assert F.kl_div(X, 0 * p, reduction="sum").item() == 0
    with pytest.raises(RuntimeError, match="Integral"):
        F.kl_div(X, T, reduction="sum")
    with pytest.raises(ValueError, match="reduction"):
        F.kl_div(X, p, reduction="median")


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss",
                                  "binary_cross_entropy", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_mean_of_no_losses_is_nan_and_has_empty_gradients(name, create_graph):
    x = torch.zeros(0, 3, requires_grad=True)
    y = getattr(F, name)(x, torch.zeros(0, 3))
    assert y.isnan()
    (g,) = torch.autograd.grad(y, x, create_graph=create_graph)
    assert g.shape == (0, 3)
