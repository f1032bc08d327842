"""Samples of minigrad/ops/ctc.py, ops/linear_cross_entropy.py and ops/attention.py.

PyTorch's gradient of ctc_loss takes log_probs for normalised: it is not the derivative, so these
lines are not compared with finite differences (tests/ops/test_ctc.py does it behind log_softmax).
"""

import numpy as np

from . import A, B, C, I, N, S, numbered

CTC = "nn.functional.ctc_loss"
LCE = "nn.functional.linear_cross_entropy"
SDPA = "nn.functional.scaled_dot_product_attention"
LOGP = A(6, 3, 4, low=-3.0, high=0.0)
ROWS = C(3, 3, make=lambda rng: np.array([[1, 2, 1], [3, 3, 0], [2, 0, 0]]))
JOINED = C(6, make=lambda rng: np.array([1, 2, 1, 3, 3, 2]))
once = {"covers": "ctc_loss merge share", "smooth": False, "torch_order": 1}
MASK = B(3, 4)
pieces = {"covers": "chunked", "torch_order": 1, "named": False}
OPTIONS = "nn.LinearCrossEntropyOptions"
QKV = (A(2, 3, 4), A(2, 4, 4), A(2, 4, 3))

SAMPLES = numbered([
    S(CTC, LOGP, ROWS, (6, 5, 4), (3, 2, 1), **once),
    S(CTC, LOGP, JOINED, (6, 6, 6), (3, 2, 1), reduction="sum", **once),
    S(CTC, LOGP, ROWS, I(3, low=5, high=6), I(3, low=1, high=2), reduction="none", **once),
    S(CTC, LOGP, ROWS, (2, 5, 4), (3, 2, 0), zero_infinity=True, **once),
    S(CTC, LOGP, ROWS, (6, 0, 4), (3, 0, 1), blank=3, reduction="none", **once),
    S(CTC, A(5, 4, low=-3.0, high=0.0), C(2, make=lambda rng: np.array([1, 2])), (5,), (2,),
      **once),
    S("ctc_loss", LOGP, ROWS, (6, 5, 4), (3, 2, 1), 0, 2, **once),
    S(LCE, A(5, 3), A(4, 3), I(5, high=4), covers="linear"),
    S(LCE, A(5, 3), A(4, 2, 3), I(5, 2, high=4), linear_bias=A(4, 2), reduction="none",
      label_smoothing=0.1, covers="linear"),
    S(LCE, A(3), A(4, 3), C(4, low=0.0, high=1.0), linear_bias=A(4), covers="linear"),
    S(LCE, A(5, 3), A(4, 3), I(5, high=4), linear_bias=A(4), weight=C(4, low=0.5),
      options=N(OPTIONS, batch_chunk_size=2), **pieces),
    S(LCE, A(7, 3), A(9, 3), I(7, high=9), reduction="none", ignore_index=3, options=N(OPTIONS),
      **pieces),
    S(LCE, A(3), A(4, 3), I(high=4), linear_bias=A(4), reduction="sum",
      options=N(OPTIONS, chunking_method="aspect_ratio", allow_retain_graph=True), **pieces),
    S(SDPA, *QKV, covers="attention"),
    S(SDPA, *QKV, A(3, 4), scale=0.7, covers="attention"),
    S(SDPA, *QKV, MASK, covers="attention"),
    S(SDPA, *QKV, is_causal=True, covers="attention"),
    S(SDPA, A(2, 4, 3, 2), A(2, 2, 5, 2), A(2, 2, 5, 2), enable_gqa=True, is_causal=True,
      covers="attention", torch_order=1),
    S(SDPA, A(3, 2), A(2, 4, 2), A(2, 4, 3), B(2, 1, 4), covers="attention"),
])
