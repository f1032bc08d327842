"""Activations of one variable at points from 0 to the ends of the range of every dtype.

The references are plain formulas in decimal arithmetic of 450 digits, where nothing overflows and
no cancellation matters; derivatives are quotients of central differences with steps of 1e-40.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import numpy as np

DIGITS = 450
CONTEXT = decimal.Context(prec=DIGITS, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[])
STEP = Decimal("1e-40")
ORDERS = {"float16": 2, "float32": 3, "float64": 3}  # value and derivatives

# Points whose negatives are taken, too; those beyond a dtype's range are left out.
SIZES = {
    "float16": [0, 2**-24, 1e-5, 2**-10, 0.0625, 0.25, 0.5, 1, 1.5, 2, 2.5, 3.5, 4, 5, 6, 7, 8, 9,
                9.5, 10, 11, 12, 14, 17.5, 19, 20, 21, 25, 30, 100, 60000],
    "float32": [1e-45, 1e-40, 1e-20, 5.5, 13, 14.5, 15.5, 16.5, 18, 22, 35, 50, 75, 86, 88.5, 89,
                95, 102, 104, 110, 1000, 1e10, 1e20, 1e30, 3e38],
    "float64": [5e-324, 1e-310, 1e-200, 26.5, 33, 36, 37.5, 38.4, 39, 41, 200, 370, 700, 706, 709.5,
                710, 720, 740, 745, 750, 760, 1500, 1e100, 1e160, 1e300, 1.7e308],
}


def points(dtype: str) -> np.ndarray:
    """Return the points for a dtype: those of the smaller dtypes as well."""
    sizes: list[float] = []
    for name, values in SIZES.items():
        sizes += np.array(values).astype(name).astype(float).tolist()
        if name == dtype:
            break
    sizes = sorted(set(sizes))
    return np.array([-v for v in reversed(sizes)] + sizes[1:], dtype)


# ---- the formulas
Formula = Callable[[Decimal, float], Decimal]


def exp(x: Decimal) -> Decimal:
    return x.exp(CONTEXT)


def sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + exp(-x))


def tanh(x: Decimal) -> Decimal:
    return 2 * sigmoid(2 * x) - 1 if x >= 0 else 1 - 2 * sigmoid(-2 * x)


def softplus(x: Decimal) -> Decimal:
    """Return log(1 + exp(x)): by its series where exp(x) is small."""
    power = exp(-abs(x))
    if power < Decimal("1e-20"):
        terms = range(1, 2 + DIGITS // max(1, -power.adjusted()))
        log = sum((-(-power) ** k / k for k in terms), Decimal(0))
    else:
        log = (1 + power).ln(CONTEXT)
    return log + max(x, Decimal(0))


def distribution(x: Decimal) -> Decimal:
    """Return the normal distribution function: 1/2 + phi(x) (x + x^3/3 + x^5/15 + ...)."""
    if x > 60 or x < -60:
        return Decimal(1) if x > 0 else 1 / Decimal(10) ** 700
    total = term = abs(x)
    k = 1
    while term > total * Decimal(10) ** -DIGITS and term:
        k += 2
        term *= x * x / k
        total += term
    right = Decimal(1) / 2 + total * exp(-x * x / 2) / (2 * PI).sqrt(CONTEXT)
    return right if x >= 0 else 1 - right


def _pi() -> Decimal:
    """Return pi by Machin's formula."""
    def arctan(inverse: int) -> Decimal:
        power = total = Decimal(1) / inverse
        k = 1
        while abs(power) > Decimal(10) ** -(DIGITS + 5):
            power /= -inverse * inverse
            k += 2
            total += power / k
        return total

    with decimal.localcontext(CONTEXT):
        return 4 * (4 * arctan(5) - arctan(239))


PI = _pi()
ALPHA, SCALE = (Decimal(v) for v in ("1.6732632423543772848170429916717",
                                     "1.0507009873554804934193349852946"))


def _tanh_gelu(x: Decimal) -> Decimal:
    return x * sigmoid(2 * (2 / PI).sqrt(CONTEXT) * (x + Decimal("0.044715") * x**3))


def _elu(scale: Any, alpha: Any, inner: Any) -> Formula:
    scale, alpha, inner = Decimal(scale), Decimal(alpha), Decimal(inner)

    def function(x: Decimal, at: float) -> Decimal:
        return scale * alpha * (exp(inner * x) - 1) if at <= 0 else scale * x

    return function


class Function(NamedTuple):
    """How it is called on either library, and its formula at x, which is in the piece of `at`."""

    call: str
    formula: Formula


def plain(formula: Callable[[Decimal], Decimal]) -> Formula:
    return lambda x, at: formula(x)


FUNCTIONS = [
    Function("torch.sigmoid(x)", plain(sigmoid)),
    Function("torch.tanh(x)", plain(tanh)),
    Function("F.gelu(x)", plain(lambda x: x * distribution(x))),
    Function("F.gelu(x, approximate='tanh')", plain(_tanh_gelu)),
    Function("F.silu(x)", plain(lambda x: x * sigmoid(x))),
    Function("F.mish(x)", plain(lambda x: x * tanh(softplus(x)))),
    Function("F.softplus(x)", lambda x, at: x if at > 20 else softplus(x)),
    Function("F.softplus(x, beta=0.5, threshold=40.)",
             lambda x, at: x if at > 80 else 2 * softplus(x / 2)),
    Function("F.logsigmoid(x)", plain(lambda x: -softplus(-x))),
    Function("F.elu(x)", _elu(1, 1, 1)),
    Function("F.elu(x, 0.3)", _elu(1, 0.3, 1)),
    Function("F.celu(x)", _elu(1, 1, 1)),
    Function("F.celu(x, 2.)", _elu(1, 2, 0.5)),
    Function("F.selu(x)", _elu(SCALE, ALPHA, 1)),
    Function("F.softsign(x)", lambda x, at: x / (1 - x if at <= 0 else 1 + x)),
    Function("F.tanhshrink(x)", plain(lambda x: x - tanh(x))),
    Function("F.hardswish(x)",  lambda x, at:
             Decimal(0) if at <= -3 else x if at >= 3 else x * (x + 3) / 6),
    Function("torch.relu(x)", lambda x, at: x if at > 0 else Decimal(0)),
    Function("F.relu6(x)", lambda x, at: x if 0 < at < 6 else Decimal(6 if at > 0 else 0)),
    Function("F.leaky_relu(x, 0.25)", lambda x, at: x if at > 0 else x / 4),
    Function("F.prelu(x, torch.tensor([0.25], dtype=x.dtype))",
             lambda x, at: x if at > 0 else x / 4),
    Function("F.rrelu(x, 0.125, 0.375)", lambda x, at: x if at > 0 else x / 4),
    Function("F.hardtanh(x, -2., 3.5)",
             lambda x, at: x if -2 < at < 3.5 else Decimal(-2 if at < 0 else 3.5)),
    Function("F.hardsigmoid(x)",
             lambda x, at: (x + 3) / 6 if -3 < at < 3 else Decimal(0 if at < 0 else 1)),
    Function("F.threshold(x, 0.5, -7.)", lambda x, at: x if at > 0.5 else Decimal(-7)),
    Function("F.hardshrink(x)", lambda x, at: x if abs(at) > 0.5 else Decimal(0)),
    Function("F.softshrink(x, 0.25)", lambda x, at:
             Decimal(0) if abs(at) <= 0.25 else x - Decimal(0.25 if at > 0 else -0.25)),
]
BY_CALL = {function.call: function for function in FUNCTIONS}


# ---- references and results
@cache
def reference(call: str, point: float, order: int) -> tuple[float, float]:
    """Return the value or a derivative at a point as the sum of two floats."""
    function = BY_CALL[call].formula
    with decimal.localcontext(CONTEXT):
        x = Decimal(point)
        if order == 0:
            y = function(x, point)
        elif order == 1:
            y = (function(x + STEP, point) - function(x - STEP, point)) / (2 * STEP)
        elif order == 3:
            y = (function(x + 2 * STEP, point) - 2 * function(x + STEP, point)
                 + 2 * function(x - STEP, point) - function(x - 2 * STEP, point)) / (2 * STEP**3)
        else:
            y = (function(x + STEP, point) - 2 * function(x, point)
                 + function(x - STEP, point)) / STEP**2
        high = float(y)
        return high, float(y - Decimal(high)) if abs(high) < np.inf else 0.0


def evaluate(call: str, torch: Any, dtype: str) -> list[np.ndarray]:
    """Return the values at `points`, then the derivatives (nan where a library has none)."""
    x = torch.from_numpy(points(dtype)).requires_grad_()
    y = eval(call, {"torch": torch, "F": torch.nn.functional, "x": x})
    found = [y.detach().numpy()]
    for order in range(1, ORDERS[dtype]):
        if not y.requires_grad:
            found.append(np.zeros(len(x), dtype))
            continue
        try:
            (y,) = torch.autograd.grad(y.sum(), x, create_graph=order < ORDERS[dtype] - 1)
        except RuntimeError as error:
            assert "is not implemented" in str(error)
            y = x.detach() * float("nan")
        found.append(y.detach().numpy())
    return found
