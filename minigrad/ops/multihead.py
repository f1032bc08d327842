"""Attention with several heads: projections, masks, and scaled dot product attention per head."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .._check import tensors
from ..engine import wrap
from .attention import scaled_dot_product_attention
from .dropout import dropout
from .join import cat
from .linalg import linear, matmul
from .reduce import mean
from .shape import expand, reshape, squeeze, transpose, unsqueeze, view
from .slicing import narrow
from .softmax import softmax

NAME = "multi_head_attention_forward"


def multi_head_attention_forward(
        query: Any, key: Any, value: Any, embed_dim_to_check: int, num_heads: int,
        in_proj_weight: Any, in_proj_bias: Any, bias_k: Any, bias_v: Any, add_zero_attn: bool,
        dropout_p: float, out_proj_weight: Any, out_proj_bias: Any, training: bool = True,
        key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None,
        use_separate_proj_weight: bool = False, q_proj_weight: Any = None,
        k_proj_weight: Any = None, v_proj_weight: Any = None, static_k: Any = None,
        static_v: Any = None, average_attn_weights: bool = True, is_causal: bool = False, *,
        generator: Any = None) -> tuple[Any, Any]:
    """Return the output and the weights (or None) of `nn.MultiheadAttention`.

    Vaswani et al., Attention Is All You Need, 2017. query (L, N, E), key and value (S, N, ...);
    without N: unbatched. In the masks True means "may not attend" (the reverse of
    `scaled_dot_product_attention`), numbers are added. The weights are (N, L, S), averaged over
    the heads, or (N, heads, L, S). See the module for the rest.
    """
    _check(query, key, value, num_heads, key_padding_mask, attn_mask)
    if query.ndim == 2:
        made = {id(t): unsqueeze(t, 1) for t in (query, key, value)}  # one tensor stays one
        query, key, value = made[id(query)], made[id(key)], made[id(value)]
        key_padding_mask = None if key_padding_mask is None else unsqueeze(key_padding_mask, 0)
        y, weights = multi_head_attention_forward(
            query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k,
            bias_v, add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training,
            key_padding_mask, need_weights, attn_mask, use_separate_proj_weight, q_proj_weight,
            k_proj_weight, v_proj_weight, static_k, static_v, average_attn_weights, is_causal,
            generator=generator)
        return squeeze(y, 1), None if weights is None else squeeze(weights, 0)
    length, batch, features = query.shape
    key_padding_mask = canonical_mask(key_padding_mask, "key_padding_mask", query.dtype, attn_mask,
                                      "attn_mask")
    if is_causal and attn_mask is None:
        raise RuntimeError(f"{NAME}: Need attn_mask if specifying the is_causal hint: it tells what"
                           f" the mask is, for example Transformer.generate_square_subsequent_mask")
    causal = is_causal and key_padding_mask is None and not need_weights
    attn_mask = None if causal else canonical_mask(attn_mask, "attn_mask", query.dtype)
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    _check_sizes(query, key, value, embed_dim_to_check, num_heads, separate)
    _check_given(in_proj_weight, separate, (query, key, value), (bias_k, bias_v),
                 (static_k, static_v), (batch * num_heads, features // num_heads))
    _check_masks(query, key, num_heads, key_padding_mask, attn_mask)
    q, k, v = _projected((query, key, value), in_proj_weight, separate, in_proj_bias)
    mask = _merged(attn_mask, key_padding_mask, batch, num_heads)
    if bias_k is not None:
        k = cat([k, expand(bias_k, (1, batch, features))])
        v = cat([v, expand(bias_v, (1, batch, features))])
        mask = _one_more(mask)
    q, k, v = _by_head(q, num_heads), _by_head(k, num_heads), _by_head(v, num_heads)
    k = k if static_k is None else static_k
    v = v if static_v is None else static_v
    if add_zero_attn:
        k, v, mask = _with_zero(k), _with_zero(v), _one_more(mask)
    p = dropout_p if training else 0.0
    y, weights = _attend(q, k, v, mask, p, causal, need_weights, batch, generator)
    y = reshape(transpose(y, 0, 1), (length * batch, features))
    y = view(linear(y, out_proj_weight, out_proj_bias), (length, batch, -1))
    if not need_weights:
        return y, None
    weights = view(weights, (batch, num_heads, length, k.shape[1]))
    return y, mean(weights, 1) if average_attn_weights else weights


def _attend(q: Any, k: Any, v: Any, mask: Any, p: float, causal: bool, need_weights: bool,
            batch: int, generator: Any) -> tuple[Any, Any]:
    """Return the heads' outputs (N * heads, L, features) and their weights."""
    if not need_weights:
        by_sample = lambda t: view(t, (batch, -1, *t.shape[1:]))
        if mask is not None and mask.shape[0] > 1:
            mask = view(mask, (batch, -1, *mask.shape[1:]))
        y = scaled_dot_product_attention(by_sample(q), by_sample(k), by_sample(v), mask, p, causal,
                                         generator=generator)
        return reshape(y, tuple(q.shape[:2]) + (v.shape[-1],)), None
    scores = matmul(q * math.sqrt(1 / q.shape[-1]), transpose(k, 1, 2))
    weights = softmax(scores if mask is None else scores + mask, -1)
    if p > 0:
        weights = dropout(weights, p, generator=generator)
    return matmul(weights, v), weights


def _projected(inputs: Any, packed: Any, separate: Any, bias: Any) -> list[Any]:
    """Return query, key and value after their linear layers, which may share one matrix."""
    features = inputs[0].shape[-1]
    part = lambda t, i: narrow(t, 0, i * features, features)
    if separate is None and inputs[0] is inputs[1] is inputs[2]:
        joint = linear(inputs[0], packed, bias)  # one product instead of three
        return [narrow(joint, -1, i * features, features) for i in range(3)]
    weights = separate or [part(packed, i) for i in range(3)]
    biases = [None] * 3 if bias is None else [part(bias, i) for i in range(3)]
    return [linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]


def _by_head(x: Any, heads: int) -> Any:
    """Return (S, N, E) as (N * heads, S, E / heads)."""
    length, batch, features = x.shape
    return transpose(reshape(x, (length, batch * heads, features // heads)), 0, 1)


def _with_zero(x: Any) -> Any:
    """Append a key (or value) of zeros."""
    shape = (x.shape[0], 1, x.shape[2])
    return cat([x, wrap(np.zeros(shape, x._data.dtype), None)], 1)


def _one_more(mask: Any) -> Any:
    """Let a mask allow one more key."""
    if mask is None:
        return None
    zeros = np.zeros((*mask.shape[:-1], 1), mask._data.dtype)
    return cat([mask, wrap(zeros, None)], -1)


def canonical_mask(mask: Any, name: str, dtype: Any, other: Any = None,
                   other_name: str = "") -> Any:
    """Return a mask as numbers to add: -inf where a bool mask is True, 0 elsewhere.

    Warns if the `other` mask is of another dtype; AssertionError unless it is bool or floating.
    """
    if mask is None:
        return None
    if mask._data.dtype.kind not in "bf":
        raise AssertionError(f"{NAME}: only bool and floating types of {name} are supported, got "
                             f"{mask.dtype}")
    if other is not None and mask.dtype != other.dtype:
        warnings.warn(f"Support for mismatched {name} and {other_name} is deprecated, got "
                      f"{mask.dtype} and {other.dtype}. Use same type for both instead.",
                      stacklevel=3)
    if mask._data.dtype.kind != "b":
        return mask
    return wrap(np.where(mask._data, -np.inf, 0).astype(dtype.numpy), None)


def _merged(mask: Any, padding: Any, batch: int, heads: int) -> Any:
    """Return both masks as one to add, (1 or N * heads, L or 1, S), or None."""
    if mask is not None and mask.ndim == 2:
        mask = unsqueeze(mask, 0)
    if padding is None:
        return mask
    size = padding.shape[1]
    rows = expand(view(padding, (batch, 1, 1, size)), (batch, heads, 1, size))
    rows = reshape(rows, (batch * heads, 1, size))
    return rows if mask is None else mask + rows


def _check(query: Any, key: Any, value: Any, heads: int, padding: Any, mask: Any) -> None:
    tensors(NAME, query=query, key=key, value=value)
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise AssertionError(f"{NAME}: expected query, key and value (L, N, E), 3-d, or unbatched "
                             f"(L, E), 2-d, got {query.ndim}-d, {key.ndim}-d and {value.ndim}-d")
    if padding is not None and padding.ndim != query.ndim - 1:
        raise AssertionError(f"{NAME}: expected key_padding_mask "
                             f"{'(N, S), 2-d' if query.ndim == 3 else '(S), 1-d'}, as the query is "
                             f"{query.ndim}-d, got {padding.ndim}-d")
    if mask is not None and mask.ndim not in (2, 3):
        raise AssertionError(f"{NAME}: expected attn_mask (L, S), 2-d, or (N * heads, L, S), 3-d, "
                             f"got {mask.ndim}-d")
    if query.ndim == 2 and mask is not None and mask.ndim == 3:
        expected = (heads, query.shape[0], key.shape[0])
        if tuple(mask.shape) != expected:
            raise AssertionError(f"{NAME}: Expected attn_mask shape to be {expected} for unbatched "
                                 f"input, got {tuple(mask.shape)}")


def _check_sizes(query: Any, key: Any, value: Any, features: int, heads: int,
                 separate: Any) -> None:
    if query.shape[-1] != features:
        raise AssertionError(f"{NAME}: was expecting embedding dimension of {features}, but got "
                             f"{query.shape[-1]} (query shape {tuple(query.shape)})")
    if features % heads:
        raise AssertionError(f"{NAME}: num_heads={heads} must divide embed_dim={features}")
    end = 3 if separate is None else 2
    if tuple(key.shape[:end]) != tuple(value.shape[:end]):
        raise AssertionError(f"{NAME}: key and value must have the same length and batch"
                             f"{' and features' if separate is None else ''}, got "
                             f"{tuple(key.shape)} and {tuple(value.shape)}")


def _check_masks(query: Any, key: Any, heads: int, padding: Any, mask: Any) -> None:
    (length, batch, _), size = query.shape, key.shape[0]
    if key.shape[1] != batch:
        raise RuntimeError(f"{NAME}: query, key and value must have the same batch (dim 1 of "
                           f"(L, N, E)), got {tuple(query.shape)} and {tuple(key.shape)}")
    if mask is not None and tuple(mask.shape) not in ((length, size),
                                                      (batch * heads, length, size)):
        raise RuntimeError(f"{NAME}: expected attn_mask of shape {(length, size)} or "
                           f"{(batch * heads, length, size)}, got {tuple(mask.shape)}")
    if padding is not None and tuple(padding.shape) != (batch, size):
        raise AssertionError(f"{NAME}: expected key_padding_mask of shape {(batch, size)}, got "
                             f"{tuple(padding.shape)}")


def _check_given(packed: Any, separate: Any, inputs: tuple[Any, ...], biases: tuple[Any, ...],
                 static: tuple[Any, ...], expected: tuple[int, int]) -> None:
    """Refuse parameters that are missing or do not fit, and static keys of other sizes."""
    if separate is None and packed is None:
        raise AssertionError(f"{NAME}: use_separate_proj_weight is False but in_proj_weight is "
                             f"None")
    triples = () if separate is None else zip("qkv", separate, inputs, strict=True)
    for letter, weight, x in triples:
        if weight is None:
            raise AssertionError(f"{NAME}: use_separate_proj_weight is True but "
                                 f"{letter}_proj_weight is None")
        shape = (inputs[0].shape[-1], x.shape[-1])
        if tuple(weight.shape) != shape:
            raise AssertionError(f"{NAME}: expecting {letter}_proj_weight of shape {shape} for the "
                                 f"inputs' features, got {tuple(weight.shape)}")
    if (biases[0] is None) != (biases[1] is None):
        raise AssertionError(f"{NAME}: bias_k and bias_v must be given together")
    for name, given in zip(("static_k", "static_v"), static, strict=True):
        if given is None:
            continue
        if biases[0] is not None:
            raise AssertionError(f"{NAME}: bias cannot be added to {name}")
        if (given.shape[0], given.shape[2]) != expected:
            raise AssertionError(f"{NAME}: expecting {name} of shape ({expected[0]}, S, "
                                 f"{expected[1]}), got {tuple(given.shape)}")
