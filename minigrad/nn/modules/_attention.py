"""Multi-head attention (part of activation.py, where PyTorch has it)."""

from __future__ import annotations

from typing import Any

from ..._check import takes
from ..._random import Generator
from ...ops.multihead import canonical_mask
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

    @takes()
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
        self.add_zero_attn, self.generator = add_zero_attn, generator

        def start() -> None:  # out_proj draws when it is made
            self._make_parameters(bias, add_bias_kv, {"device": device, "dtype": dtype})
            self._reset_parameters()

        initialise(start, generator)

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
        """Draw new values: Xavier's for the inputs' projections, zeros for the biases."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight,
                       self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
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
        key_padding_mask = canonical_mask(key_padding_mask, "key_padding_mask", query.dtype,
                                          attn_mask, "attn_mask")
        attn_mask = canonical_mask(attn_mask, "attn_mask", query.dtype)
        swapped = self.batch_first and query.ndim == 3
        if swapped:  # what was one tensor stays one: self-attention takes one product for all three
            turned = {id(t): t.transpose(0, 1) for t in (query, key, value)}
            query, key, value = turned[id(query)], turned[id(key)], turned[id(value)]
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

    def merge_masks(self, attn_mask: Tensor | None, key_padding_mask: Tensor | None,
                    query: Tensor) -> tuple[Tensor | None, int | None]:
        """Return both masks (numbers to add) as one, and 1 for padding only, 2 otherwise.

        Alone, key_padding_mask (N, S) stays as it is; else the result is (N, num_heads, L, L). The
        query is (N, L, E). Without masks: (None, None).
        """
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        batch, length, _ = query.shape
        if attn_mask.ndim == 3:
            merged = attn_mask.view(batch, -1, length, length)
        else:
            merged = attn_mask.view(1, 1, length, length).expand(batch, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            rows = key_padding_mask.view(batch, 1, 1, length)
            merged = merged + rows.expand(-1, self.num_heads, -1, -1)
        return merged, 2
