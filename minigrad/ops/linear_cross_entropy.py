"""A linear layer and its cross entropy in one, without the scores of all samples in memory."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .. import _dtype
from .._check import takes
from ..engine import op, wrap
from .cross_entropy import (
    _check_classes,
    _class_cross_entropy,
    _divisor,
    _locate,
    check_reduction,
    cross_entropy,
    where_nonzero,
)
from .linalg import linear
from .shape import reshape, squeeze, unsqueeze

ndarray = np.ndarray
NAME = "linear_cross_entropy"
POLICIES = ("auto", "accurate", "balanced", "compact")


# ---------------------------------------------------------------------------------------- options
@dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """Say in what pieces `linear_cross_entropy` works through the samples.

    Args: allow_retain_graph False: PyTorch needs True for a second backward; here backward computes
    each piece's scores again, and a second one and higher orders always work.
    batch_chunk_size None: samples in a piece; None: all, unless chunking_method says otherwise.
    chunking_method 'auto': 'aspect_ratio:n' takes the power of 2 from samples / (classes /
    in_features) upwards, divided by n, so that a piece's scores need as much memory as the input;
    'auto' is n = 2 (1 for float16), or batch_chunk_size if that is given; None: batch_chunk_size.
    acc_policy 'auto': PyTorch's trade of precision for memory; here sums are always in acc_dtype.
    acc_dtype None: dtype of scores and sums; None: the input's, float32 for float16 with 'auto'.
    ValueError: unknown values, or a batch_chunk_size that the method does not give.

    >>> import minigrad as torch
    >>> torch.nn.LinearCrossEntropyOptions(batch_chunk_size=4).batch_chunk_size
    4
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: Literal["accurate", "balanced", "compact", "auto"] = "auto"
    acc_dtype: _dtype.dtype | None = None

    def __post_init__(self) -> None:
        if self.acc_policy not in POLICIES:
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}, expected one of {POLICIES}")
        _divisor_of(self.chunking_method)
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype is not None and self.acc_dtype not in FLOATS:
            raise ValueError(f"acc_dtype must be None or one of {', '.join(map(str, FLOATS))}, got "
                             f"{self.acc_dtype!r}")


FLOATS = (_dtype.float16, _dtype.float32, _dtype.float64)


def _divisor_of(method: str | None) -> int | None:
    """Return n of 'aspect_ratio:n', None for 'auto' and None."""
    if method is None or method == "auto":
        return None
    name, _, factor = method.partition(":")
    factor = factor if ":" in method else "1"
    if name != "aspect_ratio" or not factor.isdigit() or int(factor) < 1:
        raise ValueError(f"invalid chunking_method: {method!r}, expected None, 'auto', "
                         f"'aspect_ratio' or 'aspect_ratio:2'")
    return int(factor)


def _rows(options: LinearCrossEntropyOptions, samples: int, features: int, classes: int,
          half: bool) -> int:
    """Return how many samples make a piece."""
    given, method = options.batch_chunk_size, options.chunking_method
    if method is None or (method == "auto" and given is not None):
        return max(1, samples if given is None else min(given, samples))
    factor = _divisor_of(method) or (1 if half else 2)
    share = -(-samples // max(1, -(-classes // max(features, 1))))
    size = min((1 << max(share - 1, 0).bit_length()) // factor, samples)
    if given is not None and given != size:
        raise ValueError(f"batch_chunk_size (={given}) and chunking_method ('{method}') give "
                         f"different chunk sizes ({given} vs {size}); pass only one.")
    return max(1, size)


def _sums_in(options: LinearCrossEntropyOptions, input: Any) -> Any:
    """Return the NumPy dtype of scores and sums."""
    if options.acc_dtype is None:
        half = input.dtype is _dtype.float16 and options.acc_policy == "auto"
        return np.dtype(np.float32) if half else input._data.dtype
    if options.acc_dtype is not input.dtype and not (
            input.dtype is _dtype.float16 and options.acc_dtype is _dtype.float32):
        raise RuntimeError(f"{NAME}: acc_dtype may differ from the input's dtype only as float32 "
                           f"for float16 inputs, got {options.acc_dtype} acc_dtype and "
                           f"{input.dtype} inputs")
    return options.acc_dtype.numpy


# ------------------------------------------------------------------------------------- in pieces
def _pieces(input: ndarray, weight: ndarray, bias: Any, rows: int, kind: Any) -> Any:
    """Yield the slices of samples and their scores."""
    turned = weight.T.astype(kind, copy=False)
    for start in range(0, len(input), rows):
        part = slice(start, start + rows)
        scores = input[part].astype(kind, copy=False) @ turned
        yield part, scores if bias is None else scores + bias.astype(kind, copy=False)


@op(input=None, linear_weight=None, linear_bias=None, target=None, weight=None,
    smooth="logs", aux="weights total", shown="LinearCrossEntropyBackward0",
    reference=lambda input, linear_weight, linear_bias, target, weight, ignore_index, reduction:
        _class_cross_entropy(linear(input, linear_weight, linear_bias), target, weight,
                             ignore_index, reduction, 0.0))
def _chunked(input: Any, linear_weight: Any, linear_bias: Any, target: Any, weight: Any,
             ignore_index: int, reduction: str, rows: int, kind: Any) -> Any:
    """Return the losses of one piece of samples after the other; keep log(sum(exp(scores)))."""
    shape = (len(input), len(linear_weight))
    index, weights, total = _locate(target, shape, weight, ignore_index, kind)
    logs, losses = np.empty(len(input), kind), np.empty(len(input), kind)
    for part, scores in _pieces(input, linear_weight, linear_bias, rows, kind):
        top = scores.max(1, initial=-np.inf)
        losses[part] = scores[np.arange(len(scores)), index[1][part]]
        scores -= top[:, None]
        logs[part] = np.log(np.exp(scores, out=scores).sum(1)) + top
    losses = logs - losses
    if type(weights) is ndarray:
        losses = where_nonzero(weights, losses)
    y = losses if reduction == "none" else np.add.reduce(losses, None)
    if reduction == "mean":
        y = y / total
    return np.asarray(y, input.dtype), weights, total, logs


@_chunked.fused
def _(g: Any, input: Any, linear_weight: Any, linear_bias: Any, target: Any, ignore_index: int,
      reduction: str, rows: int, kind: Any, weights: Any, total: Any, logs: Any,
      needs: Any) -> Any:
    # scores s = x W^T + b, loss_n = w_n (logs_n - s[n, t_n]), ds = g w_n (exp(s - logs) -
    # onehot(t_n)); dx = ds W, dW = ds^T x, db = sum(ds): piece by piece, the scores made again
    factor = g.astype(kind) * weights
    if reduction == "mean":
        factor = factor / _divisor(weights, total)
    factor = np.broadcast_to(factor, logs.shape).astype(kind, copy=False)
    hit = np.where(target == ignore_index, 0, target)
    dx = np.empty(input.shape, kind) if needs[0] else None
    dw = np.zeros(linear_weight.shape, kind) if needs[1] else None
    db = np.zeros(len(linear_weight), kind) if needs[2] else None
    for part, ds in _pieces(input, linear_weight, linear_bias, rows, kind):
        np.exp(np.subtract(ds, logs[part, None], out=ds), out=ds)
        ds[np.arange(len(ds)), hit[part]] -= 1
        ds *= factor[part, None]
        if dx is not None:
            dx[part] = ds @ linear_weight.astype(kind, copy=False)
        if dw is not None:
            dw += ds.T @ input[part].astype(kind, copy=False)
        if db is not None:
            db += ds.sum(0)
    return dx, dw, db, None, None


# ------------------------------------------------------------------------------------- arguments
def _check(input: Any, linear_weight: Any, linear_bias: Any) -> tuple[int, ...]:
    """Refuse shapes that do not fit; return those of the scores."""
    x, w = tuple(input.shape), tuple(linear_weight.shape)
    if len(x) not in (1, 2):
        raise RuntimeError(f"{NAME}: expected input with dimensionality 1 or 2, (in_features) or "
                           f"(N, in_features), got {len(x)}")
    if len(w) < 2:
        raise RuntimeError(f"{NAME}: expected linear_weight with dimensionality at least 2, (C, "
                           f"..., in_features), got {len(w)}")
    if x[-1] != w[-1]:
        raise RuntimeError(f"{NAME}: expected equal input and linear_weight last dimensions "
                           f"(in_features), got {x[-1]} and {w[-1]}, respectively")
    if linear_bias is not None and tuple(linear_bias.shape) != w[:-1]:
        raise RuntimeError(f"{NAME}: expected linear_bias shape {w[:-1]}, as linear_weight without "
                           f"in_features, got {tuple(linear_bias.shape)}")
    if len(w) > 2 and len(x) == 1:
        raise RuntimeError(f"{NAME}: K-dimensional loss defined by linear_weight shape {w} "
                           f"requires batched input, (N, {x[-1]}), got shape {x}")
    return (*x[:-1], *w[:-1])


@takes("input", "linear_weight", "target", "linear_bias?")
def linear_cross_entropy(input: Any, linear_weight: Any, target: Any, *, linear_bias: Any = None,
                         weight: Any = None, reduction: str = "mean",
                         ignore_index: int | None = None, label_smoothing: float = 0.0,
                         options: LinearCrossEntropyOptions | None = None) -> Any:
    """Return cross_entropy(linear(input, linear_weight, linear_bias), target).

    input (N, in_features) or (in_features); linear_weight (C, ..., in_features), target (N, ...).
    `options` makes it go through the samples in pieces: the scores (N, C) never exist as a whole.
    That needs class indices (int64), no smoothing and a 2-d weight; else it warns and works as
    without options. ignore_index: None means -100, and must be None for probabilities. For the rest
    see `cross_entropy`. RuntimeError: shapes that do not fit.

    >>> import minigrad as torch
    >>> w = torch.tensor([[2.], [0.], [0.]])
    >>> torch.nn.functional.linear_cross_entropy(torch.ones(1, 1), w, torch.tensor([0]))
    tensor(0.2395)
    """
    shape = _check(input, linear_weight, linear_bias)
    if tuple(target.shape) == shape and ignore_index is not None:
        raise RuntimeError(f"{NAME}: ignore_index cannot be specified when target contains "
                           f"probabilities (it has the scores' shape {shape}), leave it at None")
    ignored = -100 if ignore_index is None else ignore_index
    flat = linear_weight.ndim == 2
    if options is not None:
        if reduction in ("mean", "sum", "none") and label_smoothing == 0 and flat and (
                target.dtype is _dtype.int64):
            return _in_pieces(input, linear_weight, linear_bias, target, weight, ignored, reduction,
                              options)
        warnings.warn(f"{NAME}: options ignored: pieces need reduction 'mean', 'sum' or 'none', "
                      f"label_smoothing 0, target of dtype int64 and a 2-d linear_weight, got "
                      f"{reduction!r}, {label_smoothing}, {target.dtype} and "
                      f"{linear_weight.ndim}-d", stacklevel=2)
    if not flat:
        count = math.prod(linear_weight.shape[:-1])
        linear_weight = reshape(linear_weight, (count, linear_weight.shape[-1]))
        linear_bias = None if linear_bias is None else reshape(linear_bias, (count,))
    scores = reshape(linear(input, linear_weight, linear_bias), shape)
    return cross_entropy(scores, target, weight, reduction=reduction, ignore_index=ignored,
                         label_smoothing=label_smoothing)


def _in_pieces(input: Any, linear_weight: Any, linear_bias: Any, target: Any, weight: Any,
               ignored: int, reduction: str, options: LinearCrossEntropyOptions) -> Any:
    if input.ndim == 1:
        y = _in_pieces(unsqueeze(input, 0), linear_weight, linear_bias, unsqueeze(target, 0),
                       weight, ignored, reduction, options)
        return squeeze(y, 0) if reduction == "none" else y
    check_reduction(reduction)
    for name, given in (("linear_weight", linear_weight), ("linear_bias", linear_bias)):
        if given is not None and given.dtype is not input.dtype:
            raise RuntimeError(f"{NAME}: expected {name} of the input's dtype {input.dtype}, got "
                               f"{given.dtype}")
    samples, classes = len(input._data), len(linear_weight._data)
    kind = _sums_in(options, input)
    rows = _rows(options, samples, input.shape[1], classes, input.dtype is _dtype.float16)
    like = wrap(np.broadcast_to(np.zeros((), input._data.dtype), (samples, classes)), None)
    target = _check_classes(NAME, like, target, weight)
    return _chunked(input, linear_weight, linear_bias, target, weight, ignored, reduction, rows,
                    kind)
