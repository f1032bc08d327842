"""Samples of minigrad/ops/multihead.py."""

from . import A, B, S, numbered

NAME = "nn.functional.multi_head_attention_forward"
INPUTS = (A(3, 2, 4), A(4, 2, 4), A(4, 2, 4), 4, 2)
PROJECTIONS = (A(12, 4), A(12))
OUT = (A(4, 4), A(4))
NONE = (None, None)

SAMPLES = numbered([
    S(NAME, *INPUTS, *PROJECTIONS, *NONE, False, 0.0, *OUT, covers="linear matmul"),
    S(NAME, *INPUTS, *PROJECTIONS, A(1, 1, 4), A(1, 1, 4), True, 0.0, *OUT,
      attn_mask=A(3, 4), average_attn_weights=False, covers="linear matmul cat"),
    S(NAME, *INPUTS, *PROJECTIONS, *NONE, False, 0.0, *OUT, need_weights=False,
      attn_mask=A(4, 3, 4), covers="attention", torch_order=1),
    S(NAME, A(3, 4), A(4, 4), A(4, 4), 4, 2, *PROJECTIONS, *NONE, False, 0.0, *OUT,
      covers="linear matmul"),
    S(NAME, *INPUTS, None, A(12), *NONE, False, 0.0, *OUT, use_separate_proj_weight=True,
      q_proj_weight=A(4, 4), k_proj_weight=A(4, 4), v_proj_weight=A(4, 4), covers="linear matmul"),
    S(NAME, *INPUTS, *PROJECTIONS, A(1, 1, 4), A(1, 1, 4), False, 0.0, *OUT,
      key_padding_mask=B(2, 4), covers="linear matmul"),
])
