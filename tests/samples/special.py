"""Samples of minigrad/ops/special.py and errorfunction.py."""

from . import A, I, S, numbered

POSITIVE = {"low": 0.2, "high": 3.0}
INSIDE = {"low": -0.9, "high": 0.9}

SAMPLES = numbered([
    *[S(name, A(2, 3)) for name in
      ("exp2", "expm1", "sin", "cos", "atan", "sinh", "cosh", "tanh", "asinh", "deg2rad",
       "rad2deg")],
    *[S(name, A(2, 3, **POSITIVE)) for name in ("log2", "log10", "log1p", "rsqrt")],
    *[S(name, A(2, 3)) for name in ("erf", "erfc")],
    S("erfc", A(4, low=2.0, high=9.0), order=1),
    S("erfinv", A(2, 3, **INSIDE)),
    *[S(name, A(2, 3, **INSIDE)) for name in ("asin", "acos", "atanh", "tan")],
    *[S(name, I(3, low=1)) for name in ("exp2", "log2", "rsqrt", "sin", "acosh", "sinc", "logit")],
    S("acosh", A(3, low=1.2, high=4.0)),
    S("atan2", A(2, 3), A(3)),
    S("atan2", I(3), I(3), tol=1e-6),
    S("sinc", A(2, 3, away=0.1)),
    S("sinc", A(3, low=-0.009, high=0.009, away=0.002), torch_order=1),
    S("logit", A(2, 3, low=0.1, high=0.9)),
    S("logit", A(2, 3, low=0.1, high=0.9), 0.25),
    S("hypot", A(2, 3), A(3)),
    S("xlogy", A(2, 3), A(3, **POSITIVE)),
    S("xlogy", A(2, 3), 1.5),
    S("xlogy", 1.5, A(3, **POSITIVE)),
    S("logaddexp", A(2, 3), A(3)),
    S("logaddexp2", A(2, 3), A(2, 1)),
])
