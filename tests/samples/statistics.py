"""Samples of minigrad/ops/statistics.py."""

from . import A, C, I, S, numbered

GAPS = {"distinct": True}
SOME_NAN = {"make": lambda rng: [[1.0, float("nan"), 2.0, 0.5], [0.5, -1.5, 3.0, 7.0]]}
LEVELS = {"make": lambda rng: [0.1, 0.5, 0.95]}

SAMPLES = numbered([
    S("mode", I(3, 7, high=3)),
    S("mode", I(5, 3, high=3), 0, True),
    S("mode", A(3, make=lambda rng: [1.0, 3.0, 1.0]), order=1, smooth=False),
    S("quantile", A(7, **GAPS), 0.3, covers="blend unblend"),
    S("quantile", A(3, 4, **GAPS), C(3, **LEVELS), 1, covers="blend unblend"),
    S("quantile", A(3, 4, 2, **GAPS), C(3, **LEVELS), 0, True, covers="blend"),
    S("quantile", A(3, 4, **GAPS), A(3, **LEVELS), 1, covers="squeezed"),
    S("quantile", A(3, 4, 2, **GAPS), 0.6, 1, True, covers="blend"),
    *[S("quantile", A(3, 4, **GAPS), 0.4, 1, interpolation=kind, covers="blend")
      for kind in ("lower", "higher", "nearest", "midpoint")],
    S("quantile", A(2, 4, **SOME_NAN), 0.4, 1, order=1, smooth=False, covers="blend"),
    S("nanquantile", A(2, 4, **SOME_NAN), C(3, **LEVELS), 1, order=1, smooth=False,
      covers="blend"),
    S("nanquantile", A(2, 4, **SOME_NAN), 0.5, order=1, smooth=False, covers="blend"),
    S("cov", A(3, 5), covers="table"),
    S("cov", A(3, 5), correction=0, covers="table"),
    S("cov", A(2, 4), fweights=I(4, low=1, high=4), covers="table"),
    S("cov", A(2, 4), aweights=C(4, low=0.5), covers="table"),
    S("corrcoef", A(3, 5), covers="clamp"),
    S("dist", A(2, 3), A(3), covers="distance"),
    S("dist", A(2, 3), A(3), 3.0, covers="distance"),
    S("trapezoid", C(2, 5), covers="sum"),
    S("trapezoid", C(2, 5), C(5), covers="sum"),
    S("trapezoid", C(5, 2), dx=0.5, dim=0, covers="sum"),
    S("cumulative_trapezoid", A(2, 5), covers="cumsum"),
    S("cumulative_trapezoid", C(4, 2), C(4), dim=0, covers="cumsum"),
    S("sgn", A(2, 3, away=0.3)),
    S("gcd", I(6), I(6)),
    S("lcm", I(6), I(6)),
])
