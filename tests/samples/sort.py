"""Samples of minigrad/ops/sort.py and search.py."""

from . import A, C, I, S, numbered

GAPS = {"distinct": True}
SOME_NAN = {"make": lambda rng: [[1.0, float("nan"), 2.0, 0.5], [0.5, -1.5, 3.0, 7.0]]}
EDGES = {"make": lambda rng: [-1.5, -0.5, 0.25, 1.5]}

SAMPLES = numbered([
    S("sort", A(3, 4, **GAPS), covers="sort put_along take_along"),
    S("sort", A(3, 4, 2, **GAPS), 1, True),
    S("sort", A(2, 4, **SOME_NAN), order=1, smooth=False),
    S("sort", A(2, 4, **SOME_NAN), descending=True, order=1, smooth=False),
    S("sort", I(3, 6, high=4), dim=-1, stable=True),
    S("sort", I(3, 6, high=4), dim=0, descending=True, stable=True),
    S("sort", A(), 0),
    S("argsort", C(3, 4, **GAPS), 0, True, covers="sort"),
    S("msort", A(3, 4, **GAPS), covers="sort"),
    S("topk", A(3, 5, **GAPS), 2),
    S("topk", A(4, 3, **GAPS), 3, 0, False),
    S("topk", A(2, 200, **GAPS), 4),
    S("topk", A(200, 2, **GAPS), 4, 0, False),
    S("topk", A(2, 4, **SOME_NAN), 2, order=1, smooth=False),
    S("kthvalue", A(3, 5, **GAPS), 2),
    S("kthvalue", A(4, 3, **GAPS), 4, 0, True),
    S("median", A(3, 5, **GAPS)),
    S("median", A(3, 4, **GAPS), 1, covers="median_dim"),
    S("median", A(3, 4, **GAPS), 0, True, covers="median_dim"),
    S("median", A(2, 4, **SOME_NAN), 1, order=1, smooth=False, covers="median_dim"),
    S("median", A(2, 4, **SOME_NAN), order=1, smooth=False),
    S("median", A(4, make=lambda rng: [1.0, 2.0, 2.0, 5.0]), order=1, smooth=False),
    S("nanmedian", A(2, 4, **SOME_NAN), order=1, smooth=False),
    S("nanmedian", A(2, 4, **SOME_NAN), 1, order=1, smooth=False, covers="nanmedian_dim"),
    S("median", I(7)),
    S("unique", I(9, high=4), return_inverse=True, return_counts=True),
    S("unique", I(4, 2, high=2), dim=0, return_inverse=True, return_counts=True),
    S("unique", I(3, 3, high=3), return_inverse=True),
    S("unique_consecutive", I(12, high=3), return_inverse=True, return_counts=True),
    S("unique_consecutive", I(5, 2, high=2), dim=0, return_counts=True),
    S("searchsorted", C(4, **EDGES), C(2, 3)),
    S("searchsorted", C(4, **EDGES), C(4, **EDGES), right=True),
    S("searchsorted", C(4, **EDGES), C(4, **EDGES), side="right", out_int32=True),
    S("searchsorted", C(2, 3, make=lambda rng: [[-1.0, 0.0, 1.0], [0.0, 0.5, 2.0]]), C(2, 4)),
    S("searchsorted", C(3, make=lambda rng: [5.0, 1.0, 3.0]), C(4),
      sorter=C(3, make=lambda rng: [1, 2, 0])),
    S("searchsorted", C(4, **EDGES), 0.25),
    S("bucketize", C(2, 3), C(4, **EDGES)),
    S("bucketize", C(4, **EDGES), C(4, **EDGES), right=True, out_int32=True),
    S("bincount", I(9, high=6)),
    S("bincount", I(9, high=6), C(9), 8),
    S("histc", C(20), 5),
    S("histc", C(20), 4, -1, 1.5),
])
