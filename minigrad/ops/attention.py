"""Scaled dot product attention: averages of values, weighted by the likeness of query and key."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import engine
from ..engine import op, wrap
from ..kernels import attention as kernel
from .choose import _where as where
from .dropout import dropout
from .linalg import matmul
from .reduce import wide
from .repeat import repeat_interleave
from .shape import transpose
from .softmax import softmax

NAME = "scaled_dot_product_attention"


def _weights(query: Any, key: Any, bias: Any, scale: float, causal: bool, dead: Any) -> Any:
    """Return softmax(query key^T scale + bias), and zeros in rows that may attend to nothing."""
    scores = matmul(query * scale, transpose(key, -2, -1))
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    if causal:
        rows, columns = scores.shape[-2:]
        seen = np.tri(rows, columns, dtype=bool)
        scores = where(wrap(seen, None), scores, -math.inf)
    if dead is None:
        return softmax(scores, -1)
    return where(dead, 0.0, softmax(where(dead, 0.0, scores), -1))


def _attention_name(query_shape: tuple[int, ...], key_shape: tuple[int, ...],
                    value_shape: tuple[int, ...]) -> str:
    if len(query_shape) == 4 and query_shape[-1] == value_shape[-1]:
        return "ScaledDotProductFlashAttentionForCpuBackward0"
    flat = len(query_shape) == len(key_shape) == len(value_shape) == 2
    return "MmBackward0" if flat else "UnsafeViewBackward0"


@op(query=None, key=None, value=None, bias=None, smooth="weights logs", aux="dead",
    reference=lambda query, key, value, bias, scale, causal, dead: matmul(
        _weights(query, key, bias, scale, causal, dead), value),
    shown=_attention_name)
def _attention(query: Any, key: Any, value: Any, bias: Any, scale: float, causal: bool) -> Any:
    y, dead, weights, logs = kernel.forward(wide(query), wide(key), wide(value), bias, scale,
                                            causal)
    return y.astype(query.dtype, copy=False), dead, weights, logs


@_attention.fused
def _(g: Any, query: Any, key: Any, value: Any, bias: Any, scale: float, causal: bool, y: Any,
      weights: Any, logs: Any, needs: Any) -> Any:
    return kernel.backward(wide(g), wide(query), wide(key), wide(value), bias, scale, causal,
                           wide(y), weights, logs, needs)


def scaled_dot_product_attention(query: Any, key: Any, value: Any, attn_mask: Any = None,
                                 dropout_p: float = 0.0, is_causal: bool = False, *,
                                 scale: float | None = None, enable_gqa: bool = False,
                                 generator: Any = None) -> Any:
    """Return softmax(query key^T * scale + mask) value.

    Vaswani et al., Attention Is All You Need, 2017. query (..., L, E), key (..., S, E), value
    (..., S, V) give (..., L, V). `attn_mask`: bool (True: may attend) or numbers to add;
    `is_causal`: query i sees keys 0 to i, besides the mask. `dropout_p` is applied whenever it is
    not 0. scale=None means 1 / sqrt(E). `enable_gqa`: key and value may have fewer heads (dim -3),
    which are repeated. Rows that may attend to nothing give zeros. RuntimeError if the arguments do
    not fit. See docs/attention.md for masks.

    >>> import minigrad as torch
    >>> x = torch.tensor([[1., 0.], [0., 1.]])
    >>> torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    if isinstance(attn_mask, Bias):
        return attn_mask.attend(query, key, value, dropout_p, is_causal, scale, enable_gqa,
                                generator)
    _check(query, key, value, attn_mask, dropout_p)
    if enable_gqa:
        key, value = _repeat_heads(query, key, value)
    bias = _bias(query, attn_mask)
    _check_batch(query, key, value, bias)
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    if dropout_p == 0:
        return _attention(query, key, value, bias, scale, bool(is_causal))
    dead = _dead(bias, is_causal, query.shape[-2], key.shape[-2])
    weights = _weights(query, key, bias, scale, is_causal, dead)
    return matmul(dropout(weights, dropout_p, True, generator=generator), value)


class Bias:
    """Base of masks that know more than their values (`minigrad.nn.attention.bias`)."""

    def attend(self, query: Any, key: Any, value: Any, dropout_p: float, is_causal: bool,
               scale: float | None, enable_gqa: bool, generator: Any) -> Any:
        """Return `scaled_dot_product_attention` with this mask."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to attend")


def _dead(bias: Any, causal: bool, rows: int, columns: int) -> Any:
    """Return the rows in which every key is forbidden, or None."""
    if bias is None:
        return None
    forbidden = bias._data == -np.inf
    if causal:
        forbidden = forbidden | ~np.tri(rows, columns, dtype=bool)
    dead = np.all(forbidden, -1, keepdims=True)
    return wrap(dead, None) if dead.any() else None


def _check(query: Any, key: Any, value: Any, mask: Any, dropout_p: float) -> None:
    tensors = {"query": query, "key": key, "value": value}
    for name, given in (tensors if mask is None else tensors | {"attn_mask": mask}).items():
        if not isinstance(given, engine.Tensor):
            raise TypeError(f"{NAME}(): argument '{name}' must be Tensor, not "
                            f"{type(given).__name__}")
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(f"{NAME}: Expected query, key and value of at least 2 dimensions, "
                           f"(..., length, features), got {shapes}")
    if len({query.dtype, key.dtype, value.dtype}) > 1 or query._data.dtype.kind != "f":
        raise RuntimeError(f"{NAME}: Expected query, key and value of the same floating dtype, got"
                           f" {query.dtype}, {key.dtype} and {value.dtype}")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(f"{NAME}: Expected query and key with as many features (dim -1), and "
                           f"key and value of the same length (dim -2), got {shapes}")
    if mask is not None and mask._data.dtype not in (np.bool_, np.float32, query._data.dtype):
        raise RuntimeError(f"{NAME}: Expected attn_mask dtype to be bool, float or the query's "
                           f"{query.dtype}, got {mask.dtype}")
    if not 0 <= dropout_p <= 1:
        raise RuntimeError(f"{NAME}: dropout probability has to be between 0 and 1, but got "
                           f"{dropout_p}")


def _check_batch(query: Any, key: Any, value: Any, bias: Any) -> None:
    """Refuse leading dimensions, or a mask, that do not broadcast."""
    lead = [tuple(t.shape[:-2]) for t in (query, key, value)]
    try:
        batch = lead[0] if lead[0] == lead[1] == lead[2] else np.broadcast_shapes(*lead)
    except ValueError:
        raise RuntimeError(
            f"{NAME}: the batch and head dimensions must match or be 1, got query "
            f"{tuple(query.shape)}, key {tuple(key.shape)} and value {tuple(value.shape)}; for "
            f"fewer key than query heads say enable_gqa=True") from None
    scores = (*batch, query.shape[-2], key.shape[-2])
    try:
        fits = bias is None or np.broadcast_shapes(tuple(bias.shape), scores) == scores
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(f"{NAME}: attn_mask must broadcast to the scores {scores}, (..., L, S), "
                           f"got shape {tuple(bias.shape)}")


def _repeat_heads(query: Any, key: Any, value: Any) -> tuple[Any, Any]:
    """Repeat the heads of key and value until there are as many as the query has."""
    if min(query.ndim, key.ndim, value.ndim) < 3:
        raise IndexError(f"{NAME}: enable_gqa needs a dimension of heads, (..., heads, length, "
                         f"features), got query {tuple(query.shape)}, key {tuple(key.shape)}, "
                         f"value {tuple(value.shape)}")
    heads, of_key, of_value = query.shape[-3], key.shape[-3], value.shape[-3]
    if not of_key * of_value or heads % of_key or heads % of_value:
        raise RuntimeError(f"{NAME}: the number of heads in key and value, {of_key} and "
                           f"{of_value}, must divide the number of heads in query, {heads}")
    return (repeat_interleave(key, heads // of_key, -3),
            repeat_interleave(value, heads // of_value, -3))


def _bias(query: Any, mask: Any) -> Any:
    """Return what is added to the scores: a tensor, or None."""
    if mask is not None and mask._data.dtype.kind == "b":
        return wrap(np.where(mask._data, 0, -np.inf).astype(query._data.dtype), None)
    return mask
