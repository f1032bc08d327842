"""Samples of minigrad/ops/compare.py."""

from . import B, C, I, S, numbered

NAN, INF = float("nan"), float("inf")


def special(rng):
    return [1.5, NAN, INF, -INF, 0.0, -0.0, -2.0]


SAMPLES = numbered([
    *[S(name, x, y) for name in ("eq", "ne", "lt", "le", "gt", "ge")
      for x, y in ((I(2, 3, high=3), I(3, high=3)), (C(2, 3), C(2, 1)), (I(4, high=3), 1),
                   (B(3), B(3)), (C(7, make=special), C(7, make=special)))],
    *[S(name, C(7, make=special)) for name in
      ("isnan", "isinf", "isposinf", "isneginf", "isfinite", "signbit")],
    *[S(name, I(3)) for name in ("isnan", "isinf", "isfinite", "signbit")],
    S("isclose", C(7, make=special), C(7, make=special)),
    S("isclose", C(7, make=special), C(7, make=special), equal_nan=True),
    S("isclose", C(3), C(2, 3), 0.5, 0.5),
    S("isclose", I(5), I(5), 0.0, 3.0),
    S("isin", I(6), I(3)),
    S("isin", I(6), I(3), invert=True),
    S("Tensor.__eq__", C(2, 3), 0.5, covers="eq"),
])
