"""Samples of minigrad/ops/arithmetic.py and bits.py."""

import numpy as np

from . import A, B, C, I, S, numbered

AWAY = {"away": 0.3}


def between(rng):
    """Return numbers that are neither near a whole number nor near a half."""
    return np.floor(rng.random((2, 3)) * 8 - 4) + 0.1 + 0.3 * rng.random((2, 3))


SAMPLES = numbered([
    S("true_divide", A(2, 3), A(3, **AWAY), covers="div"),
    S("floor_divide", C(2, 3), C(3, **AWAY)),
    S("floor_divide", I(6, low=-7), 3),
    S("Tensor.__rfloordiv__", I(6, low=1), 7, covers="floor_divide"),
    S("remainder", A(2, 3), A(3, **AWAY)),
    S("remainder", A(2, 3), 0.7),
    S("remainder", I(6, low=-7), 3),
    S("remainder", 2.5, C(4, **AWAY)),
    S("fmod", A(2, 3), A(3, **AWAY)),
    S("fmod", A(2, 3), 0.7),
    S("fmod", I(6, low=-7), 3),
    S("square", A(2, 3)),
    S("square", I(3)),
    S("reciprocal", A(2, 3, **AWAY)),
    S("reciprocal", I(3, low=1)),
    S("float_power", A(2, low=0.1), 1.5, covers="pow"),
    S("float_power", I(3, low=1), A(3), covers="pow"),
    S("positive", A(2), covers="clone"),
    *[S(name, array) for name in ("floor", "ceil", "trunc", "frac")
      for array in (A(2, 3, make=between),)],
    *[S(name, I(3, low=-4)) for name in ("floor", "ceil", "trunc")],
    S("round", A(2, 3, make=between)),
    S("round", A(2, 3, make=lambda rng: between(rng) / 10), decimals=1),
    S("round", C(3, low=-500, high=500), decimals=-2),
    S("fmax", A(2, 3), A(3)),
    S("fmin", A(2, 1), A(3)),
    S("nan_to_num", A(2, 3)),
    S("nan_to_num", A(4, make=lambda rng: [1.5, float("nan"), float("inf"), -float("inf")]), 2.0,
      3.0, -4.0, order=1, smooth=False),
    S("heaviside", C(4), C(4)),
    S("copysign", A(2, 3, **AWAY), A(3)),
    S("copysign", A(2, 3, **AWAY), -1.0),
    S("lerp", A(2, 3), A(3), 0.3),
    S("lerp", A(2, 3), A(3), 0.8),
    S("lerp", A(2, 3), A(3), A(2, 1)),
    S("addcmul", A(2, 3), A(3), A(2, 1)),
    S("addcmul", A(2, 3), A(3), A(2, 1), value=0.4),
    S("addcdiv", A(2, 3), A(3), A(2, 1, **AWAY)),
    S("addcdiv", A(2, 3), A(3), A(2, 1, **AWAY), value=-2),
    *[S(f"bitwise_{name}", x, y) for name in ("and", "or", "xor")
      for x, y in ((I(2, 3), I(3)), (B(2, 3), B(3)), (I(4), 5))],
    S("bitwise_not", I(4)),
    S("bitwise_not", B(4)),
    S("bitwise_left_shift", I(4), I(4, high=5)),
    S("bitwise_right_shift", I(4, low=-90, high=90), 2),
    *[S(f"logical_{name}", x, y) for name in ("and", "or", "xor")
      for x, y in ((I(2, 3, high=2), I(3, high=2)), (B(2, 3), C(3)))],
    S("logical_not", I(5, high=2)),
])
