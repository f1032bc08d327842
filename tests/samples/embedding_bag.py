"""Samples of minigrad/ops/embedding_bag.py."""

import numpy as np

from . import A, Array, I, S, numbered

NAME = "nn.functional.embedding_bag"
STARTS = Array((4,), kind="i", grad=False, make=lambda rng: np.array([0, 2, 2, 5]))

SAMPLES = numbered([
    *[S(NAME, I(3, 4, high=5), A(5, 2, distinct=True), mode=mode, covers="labelled")
      for mode in ("sum", "mean")],
    S(NAME, I(3, 4, high=5), A(5, 2, distinct=True), mode="max", torch_order=1, covers="labelled"),
    *[S(NAME, I(6, high=5), A(5, 2, distinct=True), STARTS, mode=mode, padding_idx=1,
        covers="labelled") for mode in ("sum", "mean")],
    S(NAME, I(6, high=5), A(5, 2), STARTS, mode="sum", include_last_offset=True,
      covers="labelled"),
    S(NAME, I(6, high=5), A(5, 2), STARTS, mode="sum", per_sample_weights=A(6), torch_order=1,
      covers="labelled"),
])
