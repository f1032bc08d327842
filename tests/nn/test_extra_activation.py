"""nn.extra's activations: formulas, derivatives of three orders, limits, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad.nn import extra
from minigrad.nn.extra import functional as X

from .extra_checks import CHECKS, Case


def erf(x):
    return np.vectorize(math.erf)(x)


def relu(x):
    return np.maximum(x, 0)


def silu(x):
    return x / (1 + np.exp(-x))


def gelu(x):
    return x * (1 + erf(x / math.sqrt(2))) / 2


def halves(x, axis=-1):
    return np.split(x, 2, axis)


def bisected(z, power):
    """Find tau by bisection: sum of [z - tau]_+ ^ power is 1."""
    low, high = z.max(-1, keepdims=True) - 1, z.max(-1, keepdims=True)
    for _ in range(200):
        tau = (low + high) / 2
        over = (relu(z - tau) ** power).sum(-1, keepdims=True) > 1
        low, high = np.where(over, tau, low), np.where(over, high, tau)
    return relu(z - low) ** power


def snake(x, alpha):
    return x + np.sin(alpha * x) ** 2 / alpha


CASES = [
    Case(extra.SquaredReLU, ((3, 4),), lambda x, s: relu(x) ** 2, "SquaredReLU()"),
    Case(extra.StarReLU, ((3, 4),), lambda x, s: s["scale"] * relu(x) ** 2 + s["bias"],
         "StarReLU(scale_value=0.8944, bias_value=-0.4472)"),
    Case(lambda: extra.Snake(3), ((2, 3, 4),),
         lambda x, s: snake(x, s["alpha"][:, None]), "Snake(3, alpha_logscale=False)"),
    Case(lambda: extra.Snake(1, alpha=0.1, alpha_logscale=True), ((5,),),
         lambda x, s: snake(x, np.exp(s["alpha"])), "Snake(1, alpha_logscale=True)"),
    Case(lambda: extra.Maxout(2), ((3, 6),),
         lambda x, s: np.stack([x[:, ::2], x[:, 1::2]]).max(0), "Maxout(2, dim=-1)", True),
    Case(lambda: extra.Maxout(3, dim=1), ((2, 6, 2),),
         lambda x, s: np.stack([x[:, :3].max(1), x[:, 3:].max(1)], 1), "Maxout(3, dim=1)"),
    Case(lambda: extra.Squareplus(2.0), ((3, 4),),
         lambda x, s: (x + np.sqrt(x * x + 2)) / 2, "Squareplus(b=2.0)"),
    Case(extra.Sparsemax, ((4, 5),), lambda x, s: bisected(x, 1), "Sparsemax(dim=-1)", True),
    Case(lambda: extra.Sparsemax(0), ((5, 3),), lambda x, s: bisected(x.T, 1).T,
         "Sparsemax(dim=0)"),
    Case(extra.Entmax15, ((4, 5),), lambda x, s: bisected(x / 2, 2), "Entmax15(dim=-1)", True),
    Case(lambda: extra.Entmax15(1), ((2, 5, 3),),
         lambda x, s: bisected(x.swapaxes(1, 2) / 2, 2).swapaxes(1, 2), "Entmax15(dim=1)"),
    Case(extra.ReGLU, ((3, 4),), lambda x, s: halves(x)[0] * relu(halves(x)[1]),
         "ReGLU(dim=-1)", True),
    Case(extra.GEGLU, ((3, 4),), lambda x, s: halves(x)[0] * gelu(halves(x)[1]),
         "GEGLU(dim=-1, approximate='none')", True),
    Case(lambda: extra.SwiGLU(1), ((2, 4, 3),),
         lambda x, s: halves(x, 1)[0] * silu(halves(x, 1)[1]), "SwiGLU(dim=1)"),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_layer(case, check):
    check(case)


# ---- sparsemax and entmax15
@pytest.mark.parametrize(("function", "power", "scale"), [
    (X.sparsemax, 1, 1.0), (X.entmax15, 2, 0.5)])
def test_thresholds_of_many_sizes(function, power, scale):
    draws = np.random.default_rng(0)
    for n in (1, 2, 7, 500):
        for spread in (0.0, 1e-9, 1.0, 30.0):
            x = spread * draws.normal(size=(3, n))
            p = function(torch.from_numpy(x)).numpy()
            np.testing.assert_allclose(p, bisected(scale * x, power), atol=1e-9)
            np.testing.assert_allclose(p.sum(-1), 1, atol=1e-12)


@pytest.mark.parametrize("function", [X.sparsemax, X.entmax15])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_masks_and_huge_scores(function, dtype):
    big = torch.finfo(dtype).max
    x = torch.tensor([[big, -big, 0.0], [-math.inf, 1.0, 1.0], [-math.inf, -math.inf, -big]],
                     dtype=dtype, requires_grad=True)
    p = function(x)
    want = [[1, 0, 0], [0, 0.5, 0.5], [0, 0, 1]]
    np.testing.assert_allclose(p.detach().numpy(), want, rtol=2 * torch.finfo(dtype).eps)
    (grad,) = torch.autograd.grad((p * torch.arange(3)).sum(), x, create_graph=True)
    assert torch.isfinite(grad).all()
    assert grad[1].tolist() == ([0, -0.5, 0.5] if function is X.sparsemax else
                                pytest.approx([0, -0.3536, 0.3536], abs=2e-3))
    if function is X.entmax15:  # sparsemax is linear in pieces: no second derivative
        (again,) = torch.autograd.grad(grad.square().sum(), x)
        assert torch.isfinite(again).all()
    assert torch.isnan(function(torch.full((2,), -math.inf, dtype=dtype))).all()


@pytest.mark.parametrize("function", [X.sparsemax, X.entmax15])
def test_the_jacobian_is_that_of_the_support(function):
    """diag(s) - s s^T / sum s, with s = 1 (sparsemax) or sqrt(p) (entmax15) on the support."""
    x = torch.tensor([0.9, 0.4, -2.0, 0.5, 0.1], dtype=torch.float64, requires_grad=True)
    p = function(x)
    rows = [torch.autograd.grad(v, x, retain_graph=True)[0].numpy() for v in p]
    p = p.detach().numpy()
    s = (p > 0).astype(float) if function is X.sparsemax else np.sqrt(p)
    np.testing.assert_allclose(rows, np.diag(s) - np.outer(s, s) / s.sum(), atol=1e-14)


def test_sparse_of_a_number_and_dims():
    for function in (X.sparsemax, X.entmax15):
        assert function(torch.tensor(3.0)).item() == 1
        x = torch.randn(2, 3, 4)
        assert torch.equal(function(x, 1), function(x, -2))
        with pytest.raises(IndexError, match="dim"):
            function(x, 3)
        with pytest.raises(NotImplementedError, match="floating"):
            function(torch.arange(3))


# ---- the others
def test_squareplus_keeps_its_digits():
    """The plain formula gives 0 for x = -1e9; the tail is b / (4 |x|)."""
    x = torch.tensor([-1e200, -1e9, 0.0, 1e9, 1e200], dtype=torch.float64, requires_grad=True)
    y = X.squareplus(x)
    np.testing.assert_allclose(y.detach().numpy(), [1e-200, 1e-9, 1, 1e9, 1e200], rtol=1e-12)
    (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    np.testing.assert_allclose(slope.detach().numpy(), [0, 1e-18, 0.5, 1, 1], rtol=1e-12)
    half = X.squareplus(torch.tensor([-6e4, 6e4], dtype=torch.float16))
    assert torch.isfinite(half).all()
    assert half[1] == 6e4
    b = 4 * math.log(2) ** 2  # then it meets softplus at 0
    assert X.squareplus(torch.zeros(1), b).item() == pytest.approx(math.log(2))


def test_snake_at_alpha_zero():
    """The limit is x, and the slope in alpha is x^2."""
    x = torch.tensor([2.0, -3.0], dtype=torch.float64)
    alpha = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    y = X.snake(x, alpha)
    y.sum().backward()
    assert y.tolist() == [2, -3]
    assert alpha.grad.tolist() == [4, 9]
    assert not extra.Snake(2, alpha_trainable=False).alpha.requires_grad


def test_star_relu_standardises_normal_input():
    y = extra.StarReLU()(torch.randn(400_000, generator=torch.Generator().manual_seed(0)))
    assert y.mean().item() == pytest.approx(0, abs=0.01)
    assert y.std().item() == pytest.approx(1, abs=0.01)
    fixed = extra.StarReLU(1.0, 0.0, scale_learnable=False, bias_learnable=False)
    assert not [p for p in fixed.parameters() if p.requires_grad]
    x = torch.randn(5)
    assert torch.equal(fixed(x), X.squared_relu(x))


def test_gates_are_glu_with_another_gate():
    x = torch.randn(3, 6)
    value, gate = x.chunk(2, -1)
    assert torch.equal(F.glu(x), value * gate.sigmoid())
    assert torch.equal(X.swiglu(x), value * F.silu(gate))
    assert not torch.equal(X.geglu(x), X.geglu(x, approximate="tanh"))


def test_maxout_shares_the_gradient_of_equal_values():
    x = torch.tensor([1.0, 1.0, 3.0, 0.0], requires_grad=True)
    X.maxout(x, 2).sum().backward()
    assert x.grad.tolist() == [0.5, 0.5, 1, 0]


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda: X.maxout(torch.ones(3), 2), RuntimeError, "pieces=2"),
    (lambda: extra.Maxout(0), ValueError, "pieces"),
    (lambda: X.swiglu(torch.ones(3)), RuntimeError, "must be even"),
    (lambda: X.reglu(torch.tensor(1.0)), RuntimeError, "must be even"),
    (lambda: extra.Squareplus(0.0), ValueError, "b must be positive"),
    (lambda: X.squareplus(torch.ones(2), -1.0), ValueError, "b must be positive"),
    (lambda: extra.Snake(3)(torch.ones(2, 4)), RuntimeError, "Snake: expected 3 channels"),
    (lambda: X.sparsemax([1.0]), TypeError, "must be Tensor"),
])
def test_refusals(call, error, says):
    with pytest.raises(error, match=says):
        call()
