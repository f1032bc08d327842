"""Connectionist temporal classification: the likelihood of a labelling, over all alignments."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import engine
from ..engine import op, wrap
from ..kernels import ctc as kernel
from .choose import _where as where
from .cross_entropy import check_reduction
from .elementwise import exp
from .index import take_index
from .join import cat
from .reduce import mean, sum
from .shape import squeeze, unsqueeze

ndarray = np.ndarray
NAME = "ctc_loss"
REDUCTIONS = {0: "none", 1: "mean", 2: "sum"}


# ------------------------------------------------------------------ the definition, by other ops
@op(a=lambda g, a, whole: g * _share(a, whole), whole=lambda g, a, whole: -g * _share(a, whole))
def _share(a: Any, whole: Any) -> Any:
    """Return exp(a - whole): the part of a in a sum; 0 where the sum is of nothing."""
    return np.where(whole == -np.inf, 0, np.exp(a - whole)).astype(a.dtype)


@op(a=lambda g, a, y: g * _share(a, y), b=lambda g, b, y: g * _share(b, y),
    c=lambda g, c, y: g * _share(c, y))
def _merge(a: Any, b: Any, c: Any) -> Any:
    """Return log(exp(a) + exp(b) + exp(c))."""
    top = np.maximum(np.maximum(a, b), c)
    top = np.where(top == -np.inf, 0, top).astype(a.dtype)
    return top + np.log(np.exp(a - top) + np.exp(b - top) + np.exp(c - top))


def _reference(log_probs: Any, at: Any, zero_infinity: bool) -> Any:
    """Walk over time; a sample whose time is over keeps its row. Slow, but of every order."""
    batch, count = at.classes.shape
    emitted = take_index(log_probs, at.index(log_probs.shape[0]))
    never = wrap(np.full((batch, count + 2), -np.inf, log_probs._data.dtype), None)
    nobody, beside, first = never[:, 0], never[:, :2], np.arange(count) < 2
    row = where(wrap(first & (at.times > 0)[:, None], None), emitted[0], never[:, 2:])
    for t in range(1, log_probs.shape[0]):
        left = cat([beside, row], 1)
        over = where(wrap(at.skips, None), left[:, :-2], never[:, 2:])
        moved = emitted[t] + _merge(row, left[:, 1:-1], over)
        row = where(wrap((at.times > t)[:, None], None), moved, row)
    who, end = np.arange(batch), 2 * at.sizes
    label = take_index(row, (who, np.maximum(end - 1, 0)))
    label = where(wrap(at.sizes > 0, None), label, nobody)
    total = _merge(take_index(row, (who, end)), label, nobody)
    total = where(wrap((at.times == 0) & (at.sizes == 0), None), 0.0, total)
    dead, inside = total == -np.inf, wrap(at.inside(log_probs.shape[0]), None)
    mass = sum(where(inside, exp(log_probs), 0.0), (0, 2))
    y = mass - mass.detach() - total  # see the fused backward for the masses
    if zero_infinity:
        return where(dead, 0.0, y)
    used = where(inside & unsqueeze(dead, 1), log_probs, 0.0)
    much = exp(sum(used * 0.0, (0, 2)) + where(dead, np.inf, 0.0))  # inf, and its gradient nan
    return where(dead, much, y)


@op(log_probs=None, smooth="alpha total", reference=_reference)
def _ctc_loss(log_probs: Any, at: kernel.Places, zero_infinity: bool) -> Any:
    emitted = log_probs[at.index(len(log_probs))].astype(np.float64)
    alpha, total = kernel.forward(emitted, at)
    y = 0.0 - total
    if zero_infinity:
        y = np.where(y == np.inf, 0.0, y)
    return y.astype(log_probs.dtype), alpha, total


@_ctc_loss.fused
def _(g: Any, log_probs: Any, at: Any, zero_infinity: bool, alpha: Any, total: Any,
      needs: Any) -> Any:
    # Z = sum over alignments of exp(sum over t of log_probs[t, class at t]), loss = -log Z:
    # d loss / d log_probs[t, c] = -(share of the alignments that are at class c at time t), and
    # the alignments through place k at time t weigh exp(alpha[t, k] + beta[t, k]); see kernels/ctc.
    # PyTorch adds exp(log_probs), the gradient of sum_t (sum_c exp(log_probs) - 1), which is 0 for
    # log-probabilities: the gradient of log_softmax is thus its own projection.
    beta = kernel.backward(log_probs[at.index(len(log_probs))].astype(np.float64), at)
    shares = kernel.posteriors(alpha, beta, total, at)
    dx = np.exp(log_probs, dtype=np.float64)
    dx -= kernel.by_class(shares, at.classes, log_probs.shape[2])
    dx *= at.inside(len(dx))
    dead = (total == -np.inf)[:, None] & at.inside(len(dx))
    dx = np.where(dead, 0.0 if zero_infinity else np.nan, dx)
    return ((dx * g.astype(np.float64)[:, None]).astype(log_probs.dtype),)


# ------------------------------------------------------------------------------------- arguments
def _lengths(name: str, given: Any, batch: int, most: int | None) -> ndarray:
    """Return the lengths of inputs or targets as integers, (N,)."""
    values = given._data if isinstance(given, engine.Tensor) else np.asarray(given)
    if values.size and values.dtype.kind not in "iu":
        raise RuntimeError(f"{NAME}: {name} must be integral, got {values.dtype}")
    if values.size != batch or values.ndim > 1:
        raise RuntimeError(f"{NAME}: {name} must be of size batch_size {batch}, one per sample, "
                           f"got shape {values.shape}")
    values = values.reshape(-1).astype(np.intp)
    if (values < 0).any():
        raise RuntimeError(f"{NAME}: Expected {name} to have value at least 0, but got value "
                           f"{values.min()}")
    if most is not None and (values > most).any():
        raise RuntimeError(f"{NAME}: Expected {name} to have value at most {most}, the length of "
                           f"log_probs (dim 0), but got value {values.max()}")
    return values


def _padded(targets: ndarray, lengths: ndarray, batch: int) -> ndarray:
    """Return the targets as (N, S); concatenated ones are laid out in rows."""
    longest = int(lengths.max(initial=0))
    if targets.ndim == 1:
        if targets.size != lengths.sum():
            raise RuntimeError(f"{NAME}: Expected concatenated targets (1-d) to have size "
                               f"{lengths.sum()}, the sum of target_lengths, but got size "
                               f"{targets.size}")
        rows = np.zeros((batch, longest), targets.dtype)
        rows[np.arange(longest) < lengths[:, None]] = targets
        return rows
    if targets.ndim != 2 or targets.shape[0] != batch:
        raise RuntimeError(f"{NAME}: Expected targets of shape ({batch}, S), one row per sample, "
                           f"or concatenated (1-d), got {targets.shape}")
    if targets.shape[1] < longest:
        raise RuntimeError(f"{NAME}: Expected targets to have size at least {longest}, the largest "
                           f"target length, at dimension 1, but got size {targets.shape[1]}")
    return targets[:, :longest]


def _check(log_probs: Any, blank: int) -> None:
    if log_probs.ndim != 3:
        raise RuntimeError(f"{NAME}: Expected log_probs (T, N, C), 3-dimensional, or (T, C), for "
                           f"one sample, got {log_probs.ndim} dimensions")
    if log_probs._data.dtype.kind != "f":
        raise NotImplementedError(f"{NAME}: not implemented for {log_probs.dtype}: log_probs must "
                                  f"be floating point, the result of log_softmax")
    if not log_probs._data.size:
        raise RuntimeError(f"{NAME}: log_probs tensor must not be empty, got shape "
                           f"{tuple(log_probs.shape)}")
    if not 0 <= blank < log_probs.shape[2]:
        raise RuntimeError(f"{NAME}: blank must be in label range, 0 to {log_probs.shape[2] - 1} "
                           f"(dim 2 of log_probs), got {blank}")


def _kinds(log_probs: Any, targets: Any, lengths: tuple[Any, Any]) -> None:
    Tensor = engine.Tensor
    for name, value in (("log_probs", log_probs), ("targets", targets)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{NAME}(): argument '{name}' must be Tensor, not "
                            f"{type(value).__name__}")
    for kind in (Tensor, (tuple, list)):
        if all(isinstance(value, kind) for value in lengths):
            return
    raise TypeError(f"{NAME}(): input_lengths and target_lengths must be both tensors or both "
                    f"tuples of ints, got {type(lengths[0]).__name__} and "
                    f"{type(lengths[1]).__name__}")


def _losses(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int,
            reduction: str, zero_infinity: bool) -> Any:
    _kinds(log_probs, targets, (input_lengths, target_lengths))
    if log_probs.ndim == 2:
        y = _losses(unsqueeze(log_probs, 1), targets, input_lengths, target_lengths, blank,
                    reduction, zero_infinity)
        return squeeze(y, 0) if reduction == "none" else y
    _check(log_probs, blank)
    steps, batch, count = log_probs.shape
    sizes = _lengths("target_lengths", target_lengths, batch, None)
    times = _lengths("input_lengths", input_lengths, batch, steps)
    labels = _padded(targets._data, sizes, batch)
    at = kernel.places(labels, times, sizes, blank)
    if at.classes.min() < 0 or at.classes.max() >= count:
        bad = at.classes[(at.classes < 0) | (at.classes >= count)][0]
        raise IndexError(f"{NAME}: target {bad} is out of bounds: there are {count} classes, "
                         f"dim 2 of log_probs")
    y = _ctc_loss(log_probs, at, bool(zero_infinity))
    if reduction == "mean":
        return mean(y / wrap(np.maximum(sizes, 1).astype(y._data.dtype), None))
    return sum(y) if reduction == "sum" else y


def ctc_loss(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any,
             blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> Any:
    """Return -log of the probability that an input gives its target, over all alignments.

    Graves et al., Connectionist temporal classification, 2006. log_probs (T, N, C) from
    log_softmax, or (T, C); targets (N, S) padded or concatenated, without blanks; the lengths: both
    tensors or both tuples. A target that does not fit in its input gives inf with nan gradients;
    `zero_infinity` makes both 0. "mean" divides each loss by its target's length first. Sums run in
    float64 whatever the dtype. As in PyTorch the gradient takes log_probs for normalised: it is the
    derivative plus exp(log_probs), which log_softmax's gradient removes. IndexError: no such class.

    >>> import minigrad as torch
    >>> p = torch.tensor([[0.5, 0.5], [0.5, 0.5]])  # of the 4 paths 1-, -1 and 11 spell "1"
    >>> torch.nn.functional.ctc_loss(p.log(), torch.tensor([1]), (2,), (1,)).neg().exp()
    tensor(0.7500)
    """
    check_reduction(reduction)
    return _losses(log_probs, targets, input_lengths, target_lengths, blank, reduction,
                   zero_infinity)


def ctc_loss_by_number(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any,
                       blank: int = 0, reduction: int = 1, zero_infinity: bool = False) -> Any:
    """Return `nn.functional.ctc_loss`; the reduction is a number: 0 none, 1 mean, 2 sum.

    >>> import minigrad as torch
    >>> p = torch.full((2, 1, 2), 0.5)
    >>> torch.ctc_loss(p.log(), torch.tensor([[1]]), (2,), (1,), 0, 2).neg().exp()
    tensor(0.7500)
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"{NAME}: reduction must be 0 (none), 1 (mean) or 2 (sum), got "
                         f"{reduction!r}")
    return _losses(log_probs, targets, input_lengths, target_lengths, blank,
                   REDUCTIONS[reduction], zero_infinity)
