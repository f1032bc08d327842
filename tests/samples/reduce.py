"""Samples of minigrad/ops/reduce.py, extremes.py and vector_norm.py."""

from . import A, B, C, D, I, S, numbered

GAPS = {"distinct": True}
SOME_NAN = {"make": lambda rng: [[1.0, float("nan"), 2.0], [0.5, -1.5, float("nan")]]}

SAMPLES = numbered([
    S("sum", A(2, 3)),
    S("sum", A(2, 3, 4), 1),
    S("sum", A(2, 3, 4), (0, -1), True),
    S("sum", A(2, 3), ()),
    S("sum", A()),
    S("sum", A(2, 0), 1),
    S("sum", I(2, 3), 0),
    S("sum", B(2, 3)),
    S("sum", A(2, 3), dim=-1, dtype=D("float32"), tol=1e-6, smooth=False),
    S("nansum", A(2, 3, **SOME_NAN), order=1, smooth=False),
    S("nansum", A(2, 3, **SOME_NAN), 1, True, order=1, smooth=False),
    S("nanmean", A(2, 3, **SOME_NAN), 0, order=1, smooth=False,
      covers="nansum div"),
    S("mean", A(2, 3)),
    S("mean", A(2, 3, 4), (0, 2)),
    S("mean", A(2, 3, 4), -1, True),
    S("mean", I(2, 3), dtype=D("float64")),
    *[S(name, A(2, 3, 4), *args, **options) for name in ("var", "std", "var_mean", "std_mean")
      for args, options in (((), {}), ((1,), {}), (((0, 2),), {"correction": 0}),
                            ((-1,), {"keepdim": True, "correction": 2}), ((False,), {}),
                            ((1, False, True), {}))],
    S("logsumexp", A(2, 3), 1),
    S("logsumexp", A(2, 3, 4), (0, 2), True),
    S("logsumexp", I(2, 3), 0),
    S("logsumexp", A(), 0),
    *[S(name, x, *args) for name in ("any", "all")
      for x, args in ((B(2, 3), ()), (I(2, 3, high=2), (1,)), (C(2, 3), (0, True)),
                      (B(2, 3, 2), ((0, 2),)), (B(2, 0), (1,)))],
    S("count_nonzero", I(3, 4, high=3)),
    S("count_nonzero", I(3, 4, high=3), 1),
    S("count_nonzero", I(2, 3, 4, high=3), (0, 2)),
    *[S(name, A(2, 3, **GAPS), covers=name) for name in ("max", "min")],
    *[S(name, A(2, 3, 4, **GAPS), *args, covers=f"{name}_dim") for name in ("max", "min")
      for args in ((1,), (-1, True))],
    *[S(name, A(2, 3), A(3), covers=f"{name}imum") for name in ("max", "min")],
    S("max", I(7, high=3), 0, covers="max_dim"),
    S("max", A(5, make=lambda rng: [2.0, 1.0, 2.0, 2.0, 0.0]), order=1, smooth=False),
    S("min", A(), 0, covers="min_dim"),
    *[S(name, A(2, 3, 4, **GAPS), *args) for name in ("amax", "amin")
      for args in ((), (1,), ((0, -1), True))],
    S("amax", A(5, make=lambda rng: [2.0, 1.0, 2.0, 2.0, 0.0]), 0, order=1,
      smooth=False),
    S("aminmax", A(2, 3, **GAPS)),
    S("aminmax", A(2, 3, **GAPS), dim=1, keepdim=True),
    *[S(name, x, *args) for name in ("argmax", "argmin")
      for x, args in ((C(2, 3), ()), (C(2, 3, 4), (1,)), (I(4, 5, high=3), (-1, True)))],
    *[S("norm", A(2, 3, 2, away=0.2), *args, covers="linalg_vector_norm")
      for args in ((), (1,), (2, 1), (3, (0, 2)), (1.5, -1, True), (0, 1), (0.5,), (-1.0, 0),
                   ("fro", (0, 1)))],
    S("norm", A(2, 3, low=-1.0, **GAPS), float("inf"), covers="linalg_vector_norm"),
    S("norm", A(2, 3, low=0.1, **GAPS), -float("inf"), 1, covers="linalg_vector_norm"),
])
