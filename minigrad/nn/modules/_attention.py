"""Multi-head attention (part of activation.py, where PyTorch has it)."""

from __future__ import annotations

from typing import Any

from ..._random import Generator
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from ._make import initialise, made
from .linear import NonDynamicallyQuantizableLinear
from .module import Module

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attend to values by the likeness of queries and keys, in several heads at once.

    head_i = softmax(q_i k_i^T / sqrt(head_dim)) v_i; the heads are joined and projected.
    Vaswani et al., "Attention is all you need", 2017.

    Args: embed_dim: of queries and output; num_heads: divides embed_dim (AssertionError); dropout
    0: of the attention weights; bias True; add_bias_kv: a learned key and value more;
    add_zero_attn: a zero key and value more; kdim, vdim: of keys and values, default embed_dim;
    batch_first False; device, dtype: see Linear; generator: first values and dropout.
    Shape: (L, N, embed_dim), (S, N, kdim), (S, N, vdim) -> (L, N, embed_dim) and weights (N, L, S);
    (N, L, ...) with batch_first; without N for one sample.

    >>> import minigrad as torch
    >>> attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> y, weights = attention(*[torch.randn(3, 5, 8)] * 3)
    >>> y.shape, weights.shape
    (torch.Size([3, 5, 8]), torch.Size([3, 5, 5]))
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
                 add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
                 vdim: int | None = None, batch_first: bool = False, device: Any = None,
                 dtype: Any = None, *, generator: Generator | None = None) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(f"embed_dim and num_heads must be greater than 0, got "
                             f"embed_dim={embed_dim} and num_heads={num_heads} instead")
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim == self.vdim
        self.num_heads, self.dropout, self.batch_first = num_heads, dropout, batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(f"embed_dim ({embed_dim}) must be divisible by num_heads "
                                 f"({num_heads})")
        self._make_parameters(bias, add_bias_kv, {"device": device, "dtype": dtype})
        self.add_zero_attn, self.generator = add_zero_attn, generator
        initialise(self._reset_parameters, generator)

    def _make_parameters(self, bias: bool, add_bias_kv: bool, factory: dict[str, Any]) -> None:
        """Register the projections: one for all three inputs, or one for each."""
        size = self.embed_dim
        same = self._qkv_same_embed_dim
        for name, width in (("q", size), ("k", self.kdim), ("v", self.vdim)):
            self.register_parameter(f"{name}_proj_weight",
                                    None if same else made(size, width, **factory))
        self.register_parameter("in_proj_weight",
                                made(3 * size, size, **factory) if same else None)
        self.register_parameter("in_proj_bias", made(3 * size, **factory) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(size, size, bias=bias, **factory)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, made(1, 1, size, **factory) if add_bias_kv else None)

    def _reset_parameters(self) -> None:
        """Draw new values: Xavier's for the projections, zeros for the biases."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight,
                       self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        self.out_proj.reset_parameters()
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor,
                key_padding_mask: Tensor | None = None, need_weights: bool = True,
                attn_mask: Tensor | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
        """Return the output and the attention weights (None without `need_weights`).

        key_padding_mask (N, S) and attn_mask (L, S) or (N * num_heads, L, S): True, or minus
        infinity, where not to look; average_attn_weights: the mean over the heads.
        """
        swapped = self.batch_first and query.ndim == 3
        if swapped:
            query, key, value = (t.transpose(0, 1) for t in (query, key, value))
        y, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight,
            self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn, self.dropout,
            self.out_proj.weight, self.out_proj.bias, training=self.training,
            key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight, k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight, average_attn_weights=average_attn_weights,
            is_causal=is_causal, generator=self.generator)
        return (y.transpose(0, 1) if swapped else y), weights
