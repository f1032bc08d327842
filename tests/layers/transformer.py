"""Attention and Transformer layers."""

from __future__ import annotations

from tests.samples import A, B, C

from . import M

ENCODER = "nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0"
DECODER = "nn.TransformerDecoderLayer(4, 2, 6, dropout=0.0"

LINES = [
    M(f"{ENCODER})", A(3, 2, 4), order=1),
    M(f"{ENCODER}, activation='gelu', batch_first=True, norm_first=True)", A(2, 3, 4), order=1),
    M(f"{ENCODER}, activation=nn.Tanh(), layer_norm_eps=1e-3, bias=False)", A(3, 4), order=1),
    M(f"{ENCODER}, batch_first=True)", A(2, 3, 4), A(3, 3), C(2, 3), order=1),
    M(f"{ENCODER}, norm_first=True)", A(3, 1, 4), B(3, 3), order=1, modes="train"),
    M(f"{DECODER})", A(3, 2, 4), A(5, 2, 4), order=1),
    M(f"{DECODER}, batch_first=True, norm_first=True, activation='gelu')", A(2, 3, 4), A(2, 5, 4),
      A(3, 3), A(3, 5), C(2, 3), C(2, 5), order=1),
    M(f"{DECODER}, bias=False)", A(3, 4), A(2, 4), order=1),
    M(f"nn.TransformerEncoder({ENCODER}, batch_first=True), 2, nn.LayerNorm(4))", A(1, 3, 4),
      order=1, modes="train"),
    M(f"nn.TransformerEncoder({ENCODER}), 1, enable_nested_tensor=False)", A(3, 4), A(3, 3),
      order=1, modes="train"),
    M(f"nn.TransformerDecoder({DECODER}), 2, nn.LayerNorm(4))", A(3, 1, 4), A(2, 1, 4), order=1,
      modes="train"),
    M("nn.Transformer(4, 2, 1, 1, 6, dropout=0.0, batch_first=True)", A(1, 3, 4), A(1, 2, 4),
      order=1, modes="train"),
    M("nn.Transformer(4, 2, 1, 1, 6, 0.0, 'gelu', batch_first=True)", A(2, 3, 4), A(2, 2, 4),
      C(3, 3), C(2, 2), C(2, 3), order=1, modes="train"),
    M("nn.Transformer(4, 2, 1, 1, 6, custom_encoder=nn.Identity(), custom_decoder=nn.Identity())"),
    M("nn.MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True)", A(3, 2, 4), A(5, 2, 4),
      A(5, 2, 4)),
    M("nn.MultiheadAttention(4, 2, kdim=3, vdim=5, batch_first=True)", A(2, 3, 4), A(2, 4, 3),
      A(2, 4, 5)),
    M("nn.MultiheadAttention(4, 1, bias=False)", A(3, 4), A(2, 4), A(2, 4)),
]
