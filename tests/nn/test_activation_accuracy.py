"""Activations from 0 to the ends of the range: right in both tails, and never worse than torch."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from tests.accuracy import DTYPES, units
from tests.accuracy.activations import FUNCTIONS, ORDERS, evaluate, points, reference

DATA = np.load(Path(__file__).parent.parent / "data" / "accuracy_activations.npz")
CALLS = [function.call for function in FUNCTIONS]

# Errors in the last place of each number, whatever its size, of the value and of derivatives:
# what is reached in float32 and float64 between the subnormal numbers and the largest ones, except
# close to where a derivative is 0 (between 0.5 and 3).
TAILS = {"F.silu(x)": (2, 4, 4), "F.mish(x)": (4, 4, 6), "F.logsigmoid(x)": (2, 2, 2),
         "F.softplus(x)": (2, 2, 2), "F.elu(x)": (2, 2, 2), "F.celu(x)": (2, 2, 2),
         "F.selu(x)": (2, 2, 2), "F.hardswish(x)": (1, 2, 1)}


def right(call: str, dtype: str, order: int) -> np.ndarray:
    """Return the recorded references at the points of a dtype: two columns."""
    place = np.searchsorted(points("float64"), points(dtype).astype(np.float64))
    return DATA[f"{call}/{order}"][place]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", CALLS)
def test_no_worse_than_torch_or_two_units(call, dtype):
    """The largest error over all points, also where slopes come from results close to 1."""
    theirs = DATA[f"{call}/{dtype}"]
    for order, found in enumerate(evaluate(call, torch, dtype)):
        assert found.dtype == dtype
        high, low = right(call, dtype, order).T
        ours, other = units(found, high, low), units(theirs[order], high, low)
        limit = other[np.isfinite(other)].max(initial=0)
        if order and ("sigmoid(x)" in call or "tanh" in call):  # 1 - y, where y is the result
            ours, limit = np.abs(found - high) / np.finfo(dtype).eps, max(limit, 4)
        worst = ours.argmax()
        assert ours[worst] <= max(2, limit), f"order {order} at {points(dtype)[worst]}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("call", TAILS)
def test_tails_keep_their_digits(call, dtype):
    """Neither 0 nor nan before the results themselves leave the range of normal numbers."""
    least = np.finfo(dtype).tiny * 1e3
    for order, found in enumerate(evaluate(call, torch, dtype)):
        high, low = right(call, dtype, order).T
        size = np.abs(points(dtype))
        normal = (np.abs(high) > least) & ((size < 0.5) | (size > 3) | (order == 0))
        assert units(found, high, low)[normal].max() <= TAILS[call][order], f"order {order}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", CALLS)
def test_everything_is_finite(call, dtype):
    """No inf * 0: at finite points values and derivatives are finite, or round to infinity."""
    for order, found in enumerate(evaluate(call, torch, dtype)):
        with np.errstate(over="ignore"):
            expected = np.isfinite(right(call, dtype, order)[:, 0].astype(dtype))
        np.testing.assert_array_equal(np.isfinite(found), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gelu_in_the_left_tail(dtype):
    """erfc, not 1 + erf: x Phi(x) is right where Phi(x) is far below the dtype's epsilon."""
    x = points(dtype)
    y, slope, _ = evaluate("F.gelu(x)", torch, dtype)
    tail = (x < -5.6) & (np.abs(right("F.gelu(x)", dtype, 0)[:, 0]) > np.finfo(dtype).tiny)
    assert tail.sum() > 8
    assert units(y, *right("F.gelu(x)", dtype, 0).T)[tail].max() <= 4
    assert units(slope, *right("F.gelu(x)", dtype, 1).T)[tail].max() <= 4


@pytest.mark.parametrize("call", CALLS)
def test_three_orders(call):
    """In float64, to 1e-9 of the derivative at ordinary points (or of 1e-4, near its zeros)."""
    at = [-6.5, -1.75, -0.75, 0.375, 1.25, 4.5]
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    y = eval(call, {"torch": torch, "F": torch.nn.functional, "x": x})
    for order in range(1, 4):
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True, materialize_grads=True)
        if not y.requires_grad:
            y = y + 0 * x
        exact = [reference(call, point, order)[0] for point in at]
        np.testing.assert_allclose(y.detach().numpy(), exact, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_third_derivatives_are_finite_far_out(dtype):
    for call in ("F.gelu(x)", "F.gelu(x, approximate='tanh')", "F.silu(x)", "F.mish(x)",
                 "F.softplus(x)", "F.logsigmoid(x)", "F.selu(x)", "torch.sigmoid(x)"):
        x = torch.from_numpy(points(dtype)).requires_grad_()
        y = eval(call, {"torch": torch, "F": torch.nn.functional, "x": x})
        for _ in range(3):
            (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        assert bool(torch.isfinite(y).all()), call


@pytest.mark.parametrize("call", CALLS)
def test_the_recorded_references(call):
    """Some of them anew; the quick ones: no power series with hundreds of terms."""
    for point in (-2.5, 0.5, 7.0):
        for order in range(ORDERS["float64"]):
            found = reference(call, point, order)
            place = np.flatnonzero(points("float64") == point)[0]
            assert found == tuple(DATA[f"{call}/{order}"][place])


def test_references_against_the_standard_library():
    """The decimal formulas themselves, at moderate points, where doubles do."""
    for x in (-3.5, -0.25, 0.0, 1.5, 6.0):
        phi = 0.5 * math.erfc(-x / math.sqrt(2))
        density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        assert reference("F.gelu(x)", x, 0)[0] == pytest.approx(x * phi, rel=1e-13)
        assert reference("F.gelu(x)", x, 1)[0] == pytest.approx(phi + x * density, rel=1e-13)
        assert reference("F.softplus(x)", x, 0)[0] == pytest.approx(math.log1p(math.exp(x)))
        assert reference("torch.tanh(x)", x, 1)[0] == pytest.approx(1 / math.cosh(x) ** 2)
        gate = 1 / (1 + math.exp(-x))
        assert reference("F.silu(x)", x, 1)[0] == pytest.approx(gate * (1 + x * (1 - gate)))
