"""Softmax, its logarithm and log-sum-exp with their gradients.

The maximum is subtracted first, so that no exponential overflows. A slice of nothing but -inf
gives NaN, as 0 / 0, like PyTorch. float16 is computed in float32 and rounded once.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "softmax",
    "softmax_backward",
]


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Return exp(x) / sum(exp(x)) along `axis`."""
    wide = _wide(x)
    with np.errstate(invalid="ignore"):
        y = wide - np.maximum.reduce(wide, axis=axis, keepdims=True, initial=-np.inf)
    np.exp(y, out=y)
    y /= np.add.reduce(y, axis=axis, keepdims=True)
    return y.astype(x.dtype, copy=False)


def softmax_backward(g: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    """Return y * (g - sum(g y)), the gradient of the input of y = softmax(x)."""
    wide_g, wide_y = _wide(g), _wide(y)
    product = wide_g * wide_y
    total = np.add.reduce(product, axis=axis, keepdims=True)
    return (product - wide_y * total).astype(y.dtype, copy=False)


def log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Return x - log(sum(exp(x))) along `axis`."""
    wide = _wide(x)
    with np.errstate(invalid="ignore"):
        y = wide - np.maximum.reduce(wide, axis=axis, keepdims=True, initial=-np.inf)
    y -= np.log(np.add.reduce(np.exp(y), axis=axis, keepdims=True))
    return y.astype(x.dtype, copy=False)


def log_softmax_backward(g: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    """Return g - exp(y) sum(g), the gradient of the input of y = log_softmax(x)."""
    wide_g = _wide(g)
    dx = np.exp(_wide(y))
    dx *= np.add.reduce(wide_g, axis=axis, keepdims=True)
    np.subtract(wide_g, dx, out=dx)
    return dx.astype(y.dtype, copy=False)


def logsumexp(x: np.ndarray, axis: int | tuple[int, ...], keepdims: bool = False) -> np.ndarray:
    """Return log(sum(exp(x))) along `axis`; -inf where there is nothing to add."""
    wide = _wide(x)
    top = np.maximum.reduce(wide, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(wide.dtype)
    with np.errstate(divide="ignore"):
        total = np.log(np.add.reduce(np.exp(wide - top), axis=axis, keepdims=True)) + top
    total = total if keepdims else total.squeeze(axis)
    return total.astype(x.dtype, copy=False)
