"""Samples of ops whose other lines stand on kinks: the same ops where they are smooth."""

from . import A, S, numbered

SAMPLES = numbered([
    S("nansum", A(2, 3), 1),
    S("nansum", A(4)),
    S("nanmedian", A(7, distinct=True)),
    S("nanmedian", A(3, 5, distinct=True), 1, covers="nanmedian_dim", pick=0),
    S("linalg.matrix_power", A(3, 3), 0, covers="where", named=False),
])
