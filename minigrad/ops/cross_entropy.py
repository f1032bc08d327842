"""Classification losses: negative log-likelihood and cross entropy."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from .. import _check
from .._check import floats
from ..engine import op
from ..kernels._product import dot
from ..kernels._threads import one_blas_thread
from ..kernels.softmax import ones, row_maxima
from ..modes import state
from .choose import _where as where
from .elementwise import neg
from .index import add_index
from .reduce import sum, wide
from .shape import view
from .softmax import log_softmax

ndarray = np.ndarray
Index = tuple[ndarray, ...]
ALONE = 8192  # elements: OpenBLAS itself takes one thread only
MODERATE = 40.0  # exponentials of up to so large numbers, and their quotients, are normal numbers


def reduction_of(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """Return the reduction that PyTorch's old arguments mean, with a warning if they are given."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        warnings.warn(f"size_average and reduce args are deprecated: use reduction='{reduction}'",
                      stacklevel=3)
    check_reduction(reduction)
    return reduction


def check_reduction(reduction: str) -> None:
    """Refuse anything but 'none', 'mean' and 'sum'."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction: it is 'mean', 'sum' or "
                         f"'none'")


# ------------------------------------------------------------------------- targets by class index
def _check_classes(where: str, x: Any, target: Any, weight: Any) -> Any:
    """Refuse arguments that do not fit together; return the target as (N, ...)."""
    shape, axis = x._data.shape, min(x.ndim - 1, 1)
    if not shape:
        raise ValueError(f"{where}: Expected 1 or more dimensions, (C), (N, C) or (N, C, ...), got "
                         f"0")
    floats(where, x._data)
    found, expected = target._data.shape, shape[:axis] + shape[axis + 1:]
    if found == (1,) and not expected:
        target = view(target, ())
    elif found != expected:
        batch = min(len(found), len(expected)) > 0 and found[0] != expected[0]
        raise (ValueError if batch else RuntimeError)(
            f"{where}: Expected input batch_size and the rest but dim {axis}, the classes, to match"
            f" the target: for the input shape {shape} a target of shape {expected}, got {found}")
    if target._data.dtype not in (np.int64, np.uint8):
        raise RuntimeError(f"{where}: expected target dtype to be int64 or uint8, class indices, "
                           f"got {target.dtype}; convert with .long()")
    if weight is not None:
        _check_class_weight(where, x, weight, shape[axis])
        if weight.requires_grad and state.grad:
            raise RuntimeError(f"{where} is not differentiable with respect to the class weights; "
                               f"detach() them, or use targets of class probabilities")
    return target


def _check_class_weight(where: str, x: Any, weight: Any, classes: int) -> None:
    if weight._data.shape != (classes,):
        raise RuntimeError(f"{where}: weight should hold one number for each of {classes} "
                           f"classes, got shape {weight._data.shape}")
    if weight._data.dtype != x._data.dtype:
        raise RuntimeError(f"{where}: expected a weight of the input's dtype {x.dtype}, got "
                           f"{weight.dtype}")


def _locate(target: ndarray, shape: tuple[int, ...], weight: Any, ignore_index: int,
            dtype: Any) -> tuple[Index, Any, Any]:
    """Return the index of the targets' elements, each one's weight, and the sum of weights.

    The weights are the number 1 where all are; ignored targets have the weight 0.
    """
    axis = min(len(shape) - 1, 1)
    kept = target != ignore_index
    everything = kept.all()
    if not everything:
        target = np.where(kept, target, 0)
    classes = shape[axis]
    if target.size and (target.min() < 0 or target.max() >= classes) and kept.any():
        bad = target[kept & ((target < 0) | (target >= classes))][0]
        raise IndexError(f"Target {bad} is out of bounds: there are {classes} classes, dim {axis} "
                         f"of the input shape {shape}")
    index = [np.arange(s).reshape(-1, *(1,) * (target.ndim - 1 - i))
             for i, s in enumerate(target.shape)]
    index.insert(axis, target.astype(np.intp, copy=False))
    if weight is not None:
        weights = np.asarray(weight[target] * kept)
    elif everything:
        return tuple(index), 1, target.size
    else:
        weights = np.asarray(kept, dtype)  # of one target NumPy makes a number
    return tuple(index), weights, weights.sum(dtype=wide(weights).dtype)


def _divisor(weights: Any, total: Any) -> Any:
    """Return the total for the gradient of a mean, which is 0 where every target is ignored."""
    return total if total != 0 or np.any(weights) else 1


def _nll_name(input_shape: tuple[int, ...], reduction: str) -> str:
    if len(input_shape) in (3, 5) and reduction == "none":
        return "ViewBackward0"
    return "NllLossBackward0" if len(input_shape) <= 2 else "NllLoss2DBackward0"


@op(input=lambda g, input_shape, factors, index: add_index(g * factors, input_shape, index),
    target=None, weight=None, aux="factors index", shown=_nll_name)
def _nll_loss(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str) -> Any:
    """Return the sum of factors * input[index]: linear in the input."""
    index, weights, total = _locate(target, input.shape, weight, ignore_index, input.dtype)
    factors = np.full(target.shape, -1, wide(input).dtype) * weights
    y = where_nonzero(factors, input[index])
    if reduction != "none":
        y = np.add.reduce(y, None)
    if reduction == "mean":
        y = np.true_divide(y, total)
        factors = factors / _divisor(weights, total)
    return y.astype(input.dtype), factors.astype(input.dtype, copy=False), index


def where_nonzero(factors: ndarray, values: ndarray) -> ndarray:
    """Return factors * values, 0 where the factor is (ignored targets may meet inf)."""
    return np.where(factors == 0, factors.dtype.type(0), factors * values)


def nll_loss(input: Any, target: Any, weight: Any = None, size_average: bool | None = None,
             ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean") -> Any:
    """Return -input[n, target[n]], for log-probabilities: the negative log-likelihood.

    input (N, C, ...) or (C,), target (N, ...) of class indices; `weight` (C,) weighs the classes,
    and the mean is weighted, too. Targets equal to ignore_index count for nothing (the mean of
    none is nan). IndexError for targets outside of [0, C). For raw scores use `cross_entropy`.

    >>> import minigrad as torch
    >>> p = torch.tensor([[0.5, 0.25, 0.25]])
    >>> torch.nn.functional.nll_loss(p.log(), torch.tensor([1]))
    tensor(1.3863)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check.tensors("nll_loss", input=input, target=target)
    target = _check_classes("nll_loss", input, target, weight)
    return _nll_loss(input, target, weight, ignore_index, reduction)


# ---------------------------------------------------------------------------------- cross entropy
def _smoothing_term(logp: Any, target: Any, weight: Any, ignore_index: int, reduction: str,
                    axis: int) -> Any:
    """Return the loss against all classes alike: the part that label smoothing mixes in."""
    weighted = logp
    if weight is not None:
        weighted = logp * view(weight, (-1, *(1,) * (logp.ndim - 1 - axis)))
    losses = where(view(target != ignore_index, _without(logp.shape, axis)),
                   -sum(weighted, axis), 0.0)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum(losses)
    _, _, total = _locate(target._data, tuple(logp.shape), getattr(weight, "_data", None),
                              ignore_index, logp._data.dtype)
    return sum(losses) / float(total)


def _without(shape: Any, axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1:])


def _class_reference(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str,
                     label_smoothing: float) -> Any:
    axis = min(input.ndim - 1, 1)
    logp = log_softmax(input, axis)
    y = _nll_loss(logp, target, weight, ignore_index, reduction)
    if label_smoothing <= 0:
        return y
    other = _smoothing_term(logp, target, weight, ignore_index, reduction, axis)
    return y * (1 - label_smoothing) + other * (label_smoothing / input.shape[axis])


def _class_name(input_shape: tuple[int, ...], reduction: str, label_smoothing: float) -> str:
    return "AddBackward0" if label_smoothing > 0 else _nll_name(input_shape, reduction)


@op(input=None, target=None, weight=None, smooth="powers sums", aux="weights total index",
    reference=_class_reference, shown=_class_name)
def _class_cross_entropy(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str,
                         label_smoothing: float) -> Any:
    """Return -log softmax(input) at the targets; keep exp(input - max) and its sums."""
    axis = min(input.ndim - 1, 1)
    x = wide(input)
    powers = x - np.maximum.reduce(x, axis, keepdims=True, initial=-np.inf)
    index, weights, total = _locate(target, x.shape, weight, ignore_index, x.dtype)
    logits = powers[index]
    if label_smoothing > 0:
        spread = _spread(powers, weight, axis) * (label_smoothing / x.shape[axis])
    np.exp(powers, out=powers)
    sums = np.add.reduce(powers, axis, keepdims=True)
    logs = np.log(sums).reshape(logits.shape)
    losses = logs - logits
    if type(weights) is ndarray:
        losses = where_nonzero(weights, losses)
    if label_smoothing > 0:
        mass = x.shape[axis] if weight is None else weight.sum()
        other = logs * (mass * label_smoothing / x.shape[axis]) - spread
        losses = losses * (1 - label_smoothing) + where_nonzero(_kept(target, ignore_index, x),
                                                                 other)
    y = losses if reduction == "none" else np.add.reduce(losses, None)
    if reduction == "mean":
        y = y / total
    return np.asarray(y, input.dtype), weights, total, index, powers, sums


def _spread(powers: ndarray, weight: Any, axis: int) -> ndarray:
    """Return the sum of (weighted) scores over the classes."""
    if weight is None:
        return np.add.reduce(powers, axis)
    return np.tensordot(weight, powers, (0, axis))


def _kept(target: ndarray, ignore_index: int, x: ndarray) -> ndarray:
    return (target != ignore_index).astype(x.dtype)


@_class_cross_entropy.fused
def _(g: Any, input: Any, target: Any, weight: Any, ignore_index: int, reduction: str,
      label_smoothing: float, powers: Any, sums: Any, weights: Any, total: Any, index: Any,
      needs: Any) -> Any:
    # with p = powers / sums, loss_n = w_n (log sums - x[n, t_n]): dx = g w_n (p - onehot(t_n));
    # label smoothing mixes in sum_c w_c (log sums - x[n, c]): dx = g (sum(w) p - w_c)
    axis = min(powers.ndim - 1, 1)
    g = wide(g) / _divisor(weights, total) if reduction == "mean" else wide(g)
    hit = g * weights * (1 - label_smoothing)
    factor = hit
    if label_smoothing > 0:
        other = g * _kept(target, ignore_index, powers) * (label_smoothing / powers.shape[axis])
        mass = powers.shape[axis] if weight is None else weight.sum()
        factor = hit + other * mass
    if type(factor) is ndarray and factor.ndim:
        factor = factor.reshape(sums.shape)
    dx = powers * (factor / sums)
    if label_smoothing > 0:
        column = 1 if weight is None else weight.reshape(-1, *(1,) * (powers.ndim - 1 - axis))
        dx -= other.reshape(sums.shape) * column
    dx[index] -= hit if getattr(hit, "ndim", 0) == 0 else hit.reshape(index[axis].shape)
    return dx, None, None


# ------------------------------------------------------- the common case: rows of scores, no frills
def _are_rows(x: Any, target: Any, ignore_index: int) -> bool:
    """Tell whether these are (N, C) scores and N classes, of which all are valid and count."""
    if (type(x) is not ndarray or type(target) is not ndarray or x.ndim != 2 or target.ndim != 1
            or len(x) != len(target) or not x.size or x.dtype.kind != "f"
            or target.dtype != np.int64):
        return False
    classes = x.shape[1]
    largest = np.maximum.reduce(target.view(np.uint64))  # negative ones are huge
    return bool(largest < classes and not 0 <= ignore_index < classes)


def _rows_reference(input: Any, target: Any, reduction: str) -> Any:
    return _class_reference(input, target, None, -100, reduction, 0.0)


@lru_cache(maxsize=32)
def _starts(rows: int, classes: int) -> ndarray:
    """Return where each row of a matrix begins in memory; nothing writes to it."""
    return np.arange(0, rows * classes, classes)


def _are_moderate(x: ndarray) -> bool:
    """Tell whether no exponential, nor a quotient of two, overflows or loses digits."""
    flat = x.reshape(-1)
    return bool((x.size <= ALONE and flat.dot(flat) <= MODERATE * MODERATE)
                or (np.maximum.reduce(flat) <= MODERATE and np.minimum.reduce(flat) >= -MODERATE))


def _row_sums(x: ndarray) -> ndarray:
    each = ones(x.shape[1], x.dtype)
    return x.dot(each) if x.size <= ALONE else one_blas_thread(x.dot, each)


@op(input=None, target=None, smooth="powers sums", aux="places", reference=_rows_reference,
    shown="NllLossBackward0")
def _row_cross_entropy(input: Any, target: Any, reduction: str) -> Any:
    """Return the sum or mean of -log softmax(input) at the targets, one for each row.

    Only from rows that are not moderate the maximum must be subtracted.
    """
    x = np.ascontiguousarray(wide(input))
    places = target + _starts(*x.shape)
    if _are_moderate(x):
        powers = np.exp(x)
        sums = _row_sums(powers)
        losses = np.log(sums / powers.take(places))
    else:
        powers = x - row_maxima(x)[:, None]
        logits = powers.take(places)
        np.exp(powers, powers)
        sums = _row_sums(powers)
        losses = np.log(sums) - logits
    y = dot(losses, ones(len(x), x.dtype))
    return np.array(y / len(x) if reduction == "mean" else y, input.dtype), places, powers, sums


@_row_cross_entropy.fused
def _(g: Any, input: Any, target: Any, reduction: str, places: Any, powers: Any, sums: Any,
      needs: Any) -> Any:
    # with p = powers / sums, the sum's gradient is p - onehot(target) in each row
    share = g.item() / len(powers) if reduction == "mean" else g.item()
    each = np.array(share, powers.dtype)
    dx = powers * (each / sums)[:, None]
    dx.reshape(-1)[places] -= each
    return dx, None


# ----------------------------------------------------------------------- targets of probabilities
@op(input=lambda g, count: g / count, shown="DivBackward1")
def _divided(input: Any, count: int) -> Any:
    return np.divide(input, count)


def _soft_cross_entropy(x: Any, target: Any, weight: Any, reduction: str,
                        label_smoothing: float) -> Any:
    """Return -sum of target * log_softmax(x) over the classes."""
    axis = min(x.ndim - 1, 1)
    classes = x.size(axis)
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    terms = log_softmax(x, axis) * target
    if weight is not None:
        terms = terms * view(weight, (-1, *(1,) * (x.ndim - 1 - axis)))
    if reduction == "none":
        return neg(sum(terms, axis))
    total = neg(sum(terms))
    return total if reduction == "sum" else _divided(total, x._data.size / max(classes, 1))


def cross_entropy(input: Any, target: Any, weight: Any = None, size_average: bool | None = None,
                  ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Any:
    """Return -log softmax(input)[target], for raw scores: `nll_loss` of `log_softmax`.

    input (N, C, ...) or (C,), target class indices (N, ...) or probabilities of input's shape.
    `label_smoothing` mixes this share of the uniform distribution into the targets (Szegedy et al.,
    Rethinking the Inception Architecture, 2016); for the rest see `nll_loss`. Do not apply softmax
    to the input before: it is part of the loss.

    >>> import minigrad as torch
    >>> scores = torch.tensor([[2., 0., 0.]])
    >>> torch.nn.functional.cross_entropy(scores, torch.tensor([0]))
    tensor(0.2395)
    """
    if (weight is size_average is reduce is None and label_smoothing == 0
            and reduction in ("mean", "sum")
            and _are_rows(getattr(input, "_data", None), getattr(target, "_data", None),
                          ignore_index)):
        return _row_cross_entropy(input, target, reduction)
    _check.tensors("cross_entropy", input=input, target=target)
    reduction = reduction_of(size_average, reduce, reduction)
    if label_smoothing > 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if target._data.shape != input._data.shape:
        target = _check_classes("cross_entropy", input, target, weight)
        return _class_cross_entropy(input, target, weight, ignore_index, reduction,
                                    label_smoothing)
    if target._data.dtype.kind != "f":
        raise RuntimeError(f"cross_entropy: a target of the input's shape holds class probabilities"
                           f" and must be floating point, got {target.dtype}")
    if ignore_index >= 0:
        raise RuntimeError("cross_entropy: ignore_index is not supported for targets of class "
                           "probabilities; give those samples the weight 0 with reduction='none'")
    if weight is not None:
        _check_class_weight("cross_entropy", input, weight, input.shape[min(input.ndim - 1, 1)])
    return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
