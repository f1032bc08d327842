"""Samples of minigrad/ops/pool.py and adaptive_pool.py."""

from . import A, I, S, numbered

F = "nn.functional."
APART = {"distinct": True}  # no ties
SHAPES = {1: (2, 2, 7), 2: (1, 2, 5, 6), 3: (1, 2, 4, 3, 4)}
MAX = "max_pool max_spread max_gather"
AVERAGE = "avg_pool average_spread"

SAMPLES = numbered([
    *[S(f"{F}max_pool{n}d", A(*shape, **APART), 2, covers=MAX) for n, shape in SHAPES.items()],
    *[S(f"{F}max_pool{n}d", A(*shape, **APART), 3, 2, 1, 1, True, True, covers=MAX)
      for n, shape in SHAPES.items()],
    *[S(f"{F}max_pool{n}d", A(*shape[1:], **APART), 2, 1, return_indices=True, covers=MAX)
      for n, shape in SHAPES.items()],
    S(F + "max_pool1d", A(1, 1, 8, **APART), 3, 2, dilation=2, covers=MAX),
    S(F + "max_pool2d", A(1, 1, 5, 6, **APART), (3, 2), (1, 2), (1, 0), (2, 1), covers=MAX),
    S(F + "max_pool2d", I(1, 2, 4, 4, high=50), 2, covers=MAX),
    *[S(f"{F}avg_pool{n}d", A(*shape), 2, covers=AVERAGE) for n, shape in SHAPES.items()],
    *[S(f"{F}avg_pool{n}d", A(*shape), 3, 2, 1, True, covers=AVERAGE)
      for n, shape in SHAPES.items()],
    *[S(f"{F}avg_pool{n}d", A(*shape[1:]), 3, 2, 1, True, False, covers=AVERAGE)
      for n, shape in SHAPES.items()],
    S(F + "avg_pool2d", A(1, 2, 4, 4), (2, 3), (1, 2), divisor_override=5, covers=AVERAGE),
    *[S(f"{F}adaptive_avg_pool{n}d", A(*shape), 3, covers="average average_spread")
      for n, shape in SHAPES.items()],
    *[S(f"{F}adaptive_avg_pool{n}d", A(*shape[1:]), 1, covers="average average_spread")
      for n, shape in SHAPES.items()],
    S(F + "adaptive_avg_pool2d", A(1, 2, 3, 4), (None, 7), covers="average"),
    *[S(f"{F}adaptive_max_pool{n}d", A(*shape, **APART), 3, return_indices=True,
        covers="maximum spread gather") for n, shape in SHAPES.items()],
    *[S(f"{F}adaptive_max_pool{n}d", A(*shape[1:], **APART), 2, covers="maximum spread gather")
      for n, shape in SHAPES.items()],
    *[S(f"{F}lp_pool{n}d", A(*shape, low=0.2, high=2.0), 3, 2, covers=AVERAGE)
      for n, shape in SHAPES.items()],
    S(F + "lp_pool1d", A(2, 5, low=0.2, high=2.0), 1.5, 3, 1, True, covers=AVERAGE),
])
