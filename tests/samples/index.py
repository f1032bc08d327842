"""Samples of minigrad/ops/index.py, scatter.py, scatter_reduce.py and masked.py."""

import numpy as np

from . import A, Array, B, C, S, numbered


def fixed(values) -> Array:
    """An index or mask with given values."""
    return Array((), make=lambda rng: np.array(values), grad=False)


ROWS = fixed([2, 0, 2])
MASK = fixed([True, False, True])
GRID = fixed([[0, 1], [2, 2]])

SAMPLES = numbered([
    S("Tensor.__getitem__", A(3, 4), ROWS, covers="take_index add_index"),
    S("Tensor.__getitem__", A(3, 4), [0, 2], covers="take_index add_index"),
    S("Tensor.__getitem__", A(3, 4), MASK, covers="take_index add_index"),
    S("Tensor.__getitem__", A(3, 4), B(3, 4), covers="take_index"),
    S("Tensor.__getitem__", A(3, 4), (slice(None), GRID), covers="take_index"),
    S("Tensor.__getitem__", A(3, 4), (ROWS, fixed([1, 1, 0])), covers="take_index"),
    S("Tensor.__getitem__", A(2, 3, 4), (0, slice(None), [1, 3]), covers="take_index"),
    S("Tensor.__getitem__", A(2, 3, 4), ([0, 1], slice(None), [1, 3]), covers="take_index"),
    S("Tensor.__getitem__", A(2, 3, 4), (None, [0, 1], Ellipsis, 1), covers="take_index"),
    S("Tensor.__getitem__", A(3, 4), True, covers="take_index"),
    S("Tensor.__getitem__", A(3, 4), fixed(1), covers="select_index"),
    S("Tensor.__getitem__", A(3, 2), fixed([[0, 1], [1, 1]]), covers="take_index"),
    S("Tensor.index_put", A(3, 4), (fixed([2, 0]),), A(2, 4), covers="set_index"),
    S("Tensor.index_put", A(3, 4), (ROWS, fixed([1, 1, 0])), A(3), True, covers="add_at"),
    S("Tensor.index_put", A(3, 4), (fixed([2]),), A(4), covers="set_index"),
    # along a dimension
    S("gather", A(3, 4), 0, GRID, covers="gather add_along"),
    S("gather", A(3, 2), 1, fixed([[0, 1, 1], [1, 0, 0]]), covers="gather add_along"),
    S("gather", A(4), -1, fixed([1, 1, 3])),
    S("scatter", A(3, 4), 0, fixed([[0, 1], [2, 0]]), A(2, 2)),
    S("scatter", A(3, 4), 1, fixed([[0, 1], [2, 0]]), 1.5),
    S("scatter_add", A(3, 4), 0, GRID, A(2, 2)),
    S("scatter_add", A(3), 0, fixed([1, 1, 1, 0]), A(4)),
    S("scatter_reduce", A(3, 2), 0, GRID, A(2, 2), "sum"),
    S("scatter_reduce", A(3, 2), 0, GRID, A(2, 2), "sum", include_self=False),
    S("scatter_reduce", A(3, 2), 0, fixed([[0, 1], [0, 2]]), A(2, 2), "mean"),
    S("scatter_reduce", A(3), 0, fixed([1, 1, 0]), A(3), "mean", include_self=False),
    S("scatter_reduce", A(3), 0, fixed([1, 1, 0]), A(3), "amax"),
    S("scatter_reduce", A(3), 0, fixed([1, 1, 0]), A(3), "amin", include_self=False),
    S("scatter_reduce", A(3), 0, fixed([1, 1, 0]), A(3), "prod", covers="finished"),
    S("scatter_reduce", A(3), 0, fixed([1, 1, 0]), A(3), "prod", include_self=False),
    S("index_select", A(3, 4), 0, ROWS, covers="index_select add_select"),
    S("index_select", A(3, 4), -1, fixed([3, 3]), covers="index_select add_select"),
    S("index_add", A(3, 4), 0, fixed([2, 0]), A(2, 4), alpha=2),
    S("index_add", A(3, 4), 1, fixed([2, 2]), A(3, 2)),
    S("index_copy", A(3, 4), 0, fixed([2, 0]), A(2, 4)),
    S("index_fill", A(3, 4), 1, fixed([2, 0]), 1.5),
    S("index_fill", A(3, 4), 1, fixed([2, 0]), A()),
    S("take", A(3, 4), GRID, covers="take untake"),
    S("Tensor.put", A(3, 4), fixed([1, 5]), A(2)),
    S("Tensor.put", A(3, 4), fixed([1, 1]), A(2), True),
    S("take_along_dim", A(3, 4), fixed([[0, 3]]), 1, covers="gather"),
    S("take_along_dim", A(3, 4), fixed([0, 7]), covers="gather"),
    # by masks
    S("masked_select", A(3, 4), B(3, 4), covers="masked_select masked_place"),
    S("masked_select", A(4), B(3, 1), covers="masked_select masked_place"),
    S("masked_scatter", A(3), MASK, A(4)),
    S("nonzero", C(2, 3), order=0),
    S("argwhere", B(2, 3), order=0),
])
