"""Samples of minigrad/ops/arrange.py, repeat.py, convert.py and random.py."""

import numpy as np

from . import A, Array, C, D, I, S, numbered

COUNTS = Array((), make=lambda rng: np.array([2, 0, 1]), grad=False)
ZERO_ONE = Array((), make=lambda rng: np.array([0.0, 1.0, 1.0]))

SAMPLES = numbered([
    S("Tensor.repeat", A(2, 3), 2, 1),
    S("Tensor.repeat", A(3), 2, 2, 2),
    S("Tensor.repeat", A(), 3),
    S("tile", A(2, 3), (2,), covers="repeat"),
    S("repeat_interleave", A(2, 3), 2, 1, covers="row_major expand"),
    S("repeat_interleave", A(3, 2), COUNTS, 0, covers="index_select"),
    S("repeat_interleave", A(2, 3), 2, covers="row_major"),
    S("flip", A(2, 3), (0, 1)),
    S("flip", A(2, 3), (-1,)),
    S("fliplr", A(2, 3), covers="flip"),
    S("flipud", A(2, 3), covers="flip"),
    S("roll", A(2, 3), 1),
    S("roll", A(2, 3), (1, -2), (0, 1)),
    S("rot90", A(2, 3)),
    S("rot90", A(2, 3, 2), -1, (1, 2)),
    S("diagonal", A(3, 4), 1, covers="diagonal put_diagonal"),
    S("diagonal", A(2, 3, 4), -1, -2, -1, covers="diagonal put_diagonal"),
    S("diagonal", A(3, 4), 7),
    S("diag", A(3), 1, covers="diag_embed"),
    S("diag", A(3, 4), -1, covers="diagonal_copy put_diagonal"),
    S("diag_embed", A(2, 3), 1),
    S("diag_embed", A(2, 3), -1, 0, 2),
    S("diagflat", A(2, 2), covers="diag_embed"),
    S("tril", A(3, 4)),
    S("tril", A(2, 3, 3), -1),
    S("triu", A(3, 4), 1),
    S("block_diag", A(1, 2), A(3), A()),
    S("Tensor.unfold", A(2, 7), 1, 3, 2, covers="unfold fold"),
    S("Tensor.unfold", A(5, 2), 0, 2, 1, covers="unfold fold"),
    S("Tensor.as_strided", A(3, 4), (2, 3), (1, 2), 1, covers="as_strided add_strided"),
    S("meshgrid", A(2), A(3), indexing="ij", covers="expand"),
    S("meshgrid", A(2), A(3), indexing="xy", covers="expand"),
    S("cartesian_prod", A(2), A(3), covers="stack"),
    S("combinations", A(4), 2, covers="take_index"),
    S("Tensor.contiguous", A(2, 3), covers="row_major"),
    # dtypes and whole writes
    S("Tensor.to", A(2, 3), D("float32"), covers="cast", tol=1e-6, order=0),
    S("Tensor.double", A(2, 3), covers="cast"),
    S("Tensor.view", I(2, 3), D("float64"), covers="view_bits", order=0),
    S("Tensor.copy_", C(2, 3), A(3), covers="copy"),
    S("Tensor.fill_", C(2, 3), A(), covers="fill_with"),
    S("Tensor.fill_", C(2, 3), 2.5, covers="fill"),
    S("Tensor.zero_", C(2, 3), covers="zero"),
    # draws without any chance
    S("normal", A(3), 0.0, covers="normal", order=0),
    S("bernoulli", ZERO_ONE, order=0),
    S("Tensor.uniform_", C(3), 2.0, 2.0, covers="draw"),
])
