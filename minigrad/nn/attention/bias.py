"""Causal masks for queries and keys of different lengths, which know what they are."""

from __future__ import annotations

import warnings
from enum import IntEnum, auto
from typing import Any

import numpy as np

from ..._dispatch import disabled
from ...engine import wrap
from ...ops.attention import Bias, scaled_dot_product_attention
from ...tensor import Tensor

__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """Where the diagonal of a causal mask that is not square begins.

    UPPER_LEFT: query 0 sees key 0 (what `is_causal` means). LOWER_RIGHT: the last query sees the
    last key, as when the first keys come from a cache.

    >>> from minigrad.nn.attention.bias import CausalVariant
    >>> CausalVariant.LOWER_RIGHT.name
    'LOWER_RIGHT'
    """

    UPPER_LEFT = auto()
    LOWER_RIGHT = auto()


class CausalBias(Tensor, Bias):
    """Be the bool mask (seq_len_q, seq_len_kv) that is True where a query may see a key.

    Args: variant: see CausalVariant (else AssertionError); seq_len_q, seq_len_kv. LOWER_RIGHT with
    more queries than keys warns: the first queries see nothing and give zeros.
    `scaled_dot_product_attention` takes it as attn_mask; is_causal besides is a ValueError.
    It is an ordinary bool tensor (in PyTorch its values are those of an unset float tensor).

    >>> from minigrad.nn.attention.bias import CausalBias, CausalVariant
    >>> CausalBias(CausalVariant.LOWER_RIGHT, 2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """

    variant: CausalVariant
    seq_len_q: int
    seq_len_kv: int
    __torch_function__ = disabled
    _shown_as = "tensor"

    def __new__(cls, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> Any:
        if not isinstance(variant, CausalVariant):
            raise AssertionError(f"variant must be a CausalVariant, got {type(variant).__name__}")
        offset = seq_len_kv - seq_len_q if variant == CausalVariant.LOWER_RIGHT else 0
        self = object.__new__(cls)
        self._data = np.tri(seq_len_q, seq_len_kv, offset, dtype=bool)
        self.variant, self.seq_len_q, self.seq_len_kv = variant, seq_len_q, seq_len_kv
        if offset < 0:
            warnings.warn(f"Lower right causal bias will produce rows without any key when "
                          f"seq_len_q={seq_len_q} > seq_len_kv={seq_len_kv}!", stacklevel=2)
        return self

    def attend(self, query: Tensor, key: Tensor, value: Tensor, dropout_p: float, is_causal: bool,
               scale: float | None, enable_gqa: bool, generator: Any) -> Tensor:
        """Return `scaled_dot_product_attention` with this mask."""
        if is_causal:
            raise ValueError("CausalBias should not be used with is_causal=True: it is the causal "
                             "mask already")
        mask = wrap(self._data, None)  # a plain tensor
        return scaled_dot_product_attention(query, key, value, mask, dropout_p, scale=scale,
                                            enable_gqa=enable_gqa, generator=generator)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return CausalBias, (self.variant, self.seq_len_q, self.seq_len_kv)

    def __deepcopy__(self, memo: dict[int, Any]) -> CausalBias:
        return CausalBias(self.variant, self.seq_len_q, self.seq_len_kv)


def _sizes(name: str, size: tuple[int, ...]) -> tuple[int, int]:
    if len(size) != 2:
        raise AssertionError(f"{name} only supports 2D tensors: give the number of queries and of "
                             f"keys, got {size}")
    return size


def causal_upper_left(*size: int) -> CausalBias:
    """Return the mask (L, S) in which query i sees keys 0 ... i, as with `is_causal=True`.

    >>> from minigrad.nn.attention.bias import causal_upper_left
    >>> causal_upper_left(2, 3)
    tensor([[ True, False, False],
            [ True,  True, False]])
    """
    return CausalBias(CausalVariant.UPPER_LEFT, *_sizes("causal_upper_left", size))


def causal_lower_right(*size: int) -> CausalBias:
    """Return the mask (L, S) in which query i sees keys 0 ... i + S - L: the last sees all.

    >>> from minigrad.nn.attention.bias import causal_lower_right
    >>> causal_lower_right(2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    return CausalBias(CausalVariant.LOWER_RIGHT, *_sizes("causal_lower_right", size))
