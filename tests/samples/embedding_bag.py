"""Samples of minigrad/ops/embedding_bag.py and of the inner forms in minigrad/_functions_nn.py."""

import numpy as np

from . import A, Array, C, I, S, numbered

NAME = "nn.functional.embedding_bag"
STARTS = Array((4,), kind="i", grad=False, make=lambda rng: np.array([0, 2, 2, 5]))

SIGNS = Array((2,), grad=False, make=lambda rng: np.array([1.0, -1.0]))

SAMPLES = numbered([
    *[S(NAME, I(3, 4, high=5), A(5, 2, distinct=True), mode=mode, covers="labelled")
      for mode in ("sum", "mean")],
    S(NAME, I(3, 4, high=5), A(5, 2, distinct=True), mode="max", torch_order=1, covers="labelled"),
    *[S(NAME, I(6, high=5), A(5, 2, distinct=True), STARTS, mode=mode, padding_idx=1,
        covers="labelled") for mode in ("sum", "mean")],
    S(NAME, I(5, high=5), A(5, 2), STARTS, mode="sum", include_last_offset=True,
      covers="labelled"),
    S(NAME, I(6, high=5), A(5, 2), STARTS, mode="sum", per_sample_weights=A(6), torch_order=1,
      covers="labelled"),
    S(NAME, I(6, high=5), A(5, 2, distinct=True), STARTS, mode="max", padding_idx=0, torch_order=1,
      covers="labelled"),
    *[S("embedding_bag", A(5, 2, distinct=True), I(6, high=5), STARTS, False, mode, pick=0,
        torch_order=1 if mode == 2 else 2, covers="labelled") for mode in range(3)],
    S("conv_tbc", A(5, 2, 3), A(2, 3, 4), A(4), 1, covers="labelled"),
    S("max_pool1d_with_indices", A(2, 3, 6, distinct=True), 2, pick=0, covers="max_pool"),
    S("adaptive_max_pool1d", A(2, 3, 6, distinct=True), 4, pick=0, covers="maximum"),
    *[S(f"nn.functional.max_pool{n}d_with_indices", A(1, 2, *(4, 3, 4)[:n], distinct=True), 2,
        pick=0, covers="max_pool") for n in (2, 3)],
    *[S(f"nn.functional.adaptive_max_pool{n}d_with_indices", A(1, 2, *(4, 3, 4)[:n], distinct=True),
        2, pick=0, covers="maximum") for n in (2, 3)],
    S("constant_pad_nd", A(2, 3), (1, -1, 0, 2), 1.5, covers="constant_pad"),
    S("binary_cross_entropy_with_logits", A(2, 3), C(2, 3, low=0, high=1), C(3, low=0, high=1),
      covers="labelled"),
    S("cosine_embedding_loss", A(2, 3), A(2, 3), SIGNS, 0.1, 2, covers="labelled"),
    S("hinge_embedding_loss", A(2, away=0.1), SIGNS, 1.0, 0, covers="labelled"),
    S("kl_div", A(2, 3), C(2, 3, low=0.1, high=1), covers="labelled"),
    S("kl_div", A(2, 3), C(2, 3), 2, log_target=True, covers="labelled"),
    S("margin_ranking_loss", A(2), A(2), SIGNS, 0.1, covers="labelled"),
    S("poisson_nll_loss", A(2, 3), C(2, 3, low=0, high=3), True, True, 1e-8, 1, covers="labelled"),
    S("triplet_margin_loss", A(2, 3), A(2, 3), A(2, 3), 1.0, 2.0, 1e-6, True, 2,
      covers="labelled"),
])
