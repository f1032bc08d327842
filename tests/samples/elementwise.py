"""Samples of minigrad/ops/elementwise.py."""

from . import A, I, S, numbered

SAMPLES = numbered([
    S("add", A(2, 3), A(3)),
    S("add", A(2, 3), A(2, 1), alpha=2),
    S("add", A(2, 3), I(2, 3)),
    S("mul", A(2, 3), A(3)),
    S("mul", A(2, 3), 2.5),
])
