"""Samples of minigrad/ops/linalg.py."""

from . import A, S, numbered

SAMPLES = numbered([
    S("matmul", A(2, 3), A(3, 4)),
    S("matmul", A(3), A(3)),
    S("matmul", A(2, 3), A(3)),
    S("matmul", A(3), A(3, 2)),
    S("matmul", A(2, 3, 4), A(4, 2)),
    S("matmul", A(2, 3), A(2, 3, 2)),
    S("matmul", A(2, 3, 4), A(4)),
    S("matmul", A(3), A(2, 3, 2)),
    S("matmul", A(2, 3, 4), A(2, 4, 2)),
    S("matmul", A(2, 1, 3, 4), A(3, 4, 2)),
    S("mm", A(2, 3), A(3, 2)),
    S("bmm", A(2, 3, 2), A(2, 2, 3)),
    S("mv", A(2, 3), A(3)),
    S("dot", A(3), A(3)),
    S("vdot", A(3), A(3)),
    S("nn.functional.linear", A(2, 3), A(4, 3), A(4)),
    S("nn.functional.linear", A(2, 3), A(4, 3)),
    S("nn.functional.linear", A(3), A(4, 3), A(4)),
    S("nn.functional.linear", A(3), A(4, 3)),
    S("nn.functional.linear", A(2, 2, 3), A(4, 3), A(4)),
    S("nn.functional.linear", A(2, 2, 3), A(4, 3)),
    S("nn.functional.linear", A(2, 3), A(3), covers="matmul"),
])
