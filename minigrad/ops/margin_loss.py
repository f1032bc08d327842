"""Losses with margins, of likelihoods of other distributions, and of pairs and triples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check
from ..engine import op, wrap
from .activation import logsigmoid, softplus
from .choose import _where as where
from .choose import clamp_min, minimum
from .cross_entropy import check_reduction, reduction_of
from .distance import pairwise_distance
from .elementwise import exp, log, sqrt
from .index import take_index
from .loss import reduced
from .reduce import sum
from .shape import reshape, unsqueeze

ndarray = np.ndarray


@op(input=lambda g: g, shown=lambda name: name)
def labelled(input: Any, name: str) -> Any:
    """Return a copy whose grad_fn has the name of PyTorch's single op for the whole loss."""
    return input.copy()


# ------------------------------------------------------------------------- other distributions
def poisson_nll_loss(input: Any, target: Any, log_input: bool = True, full: bool = False,
                     size_average: bool | None = None, eps: float = 1e-8,
                     reduce: bool | None = None, reduction: str = "mean") -> Any:
    """Return exp(input) - target * input: counts `target` under a Poisson rate exp(input).

    log_input=False: the input is the rate itself, input - target * log(input + eps). `full` adds
    Stirling's approximation of log(target!) for targets above 1.

    >>> import minigrad as torch
    >>> torch.nn.functional.poisson_nll_loss(torch.tensor([0.]), torch.tensor([2.]))
    tensor(1.)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check.tensors("poisson_nll_loss", input=input, target=target)
    losses = (exp(input) - target * input if log_input
              else input - target * log(input + eps))
    if full:
        stirling = target * log(target) - target + 0.5 * log(2 * math.pi * target)
        losses = losses + where(target <= 1, 0.0, stirling)
    return reduced(losses, reduction)


def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Any:
    """Return (log(var) + (input - target) ** 2 / var) / 2: targets under N(input, var).

    Nix & Weigend, Estimating the mean and variance of the target probability distribution, 1994.
    `var` has the input's shape, or lacks the last dimension or has it of size 1; below `eps` it
    counts as eps. `full` adds log(2 pi) / 2. ValueError for negative variances.

    >>> import minigrad as torch
    >>> x, t, v = torch.tensor([0.]), torch.tensor([2.]), torch.tensor([4.])
    >>> torch.nn.functional.gaussian_nll_loss(x, t, v)
    tensor(1.1931)
    """
    check_reduction(reduction)
    var = _variance(input, var)
    var = var + wrap(np.maximum(eps - var._data, 0).astype(var._data.dtype), None)
    losses = 0.5 * (log(var) + (input - target) ** 2 / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def _variance(input: Any, var: Any) -> Any:
    """Return the variances as a tensor that broadcasts to the input."""
    if isinstance(var, (int, float)):
        var = wrap(np.full(input._data.shape, var, input._data.dtype), None)
    if (var._data < 0).any():
        raise ValueError("gaussian_nll_loss: var has negative entries; variances are at least 0")
    shape, found = input._data.shape, var._data.shape
    if found == shape:
        return var
    if found == shape[:-1]:
        return unsqueeze(var, -1)
    differ = [a for a, b in zip(found, shape, strict=False) if a != b]
    if len(found) != len(shape) or differ != [1]:
        raise ValueError(f"gaussian_nll_loss: var is of incorrect size {found} for the input "
                         f"{shape}: give the same, or a last dimension of size 1")
    return var


# --------------------------------------------------------------------------------- two classes
def soft_margin_loss(input: Any, target: Any, size_average: bool | None = None,
                     reduce: bool | None = None, reduction: str = "mean") -> Any:
    """Return log(1 + exp(-target * input)) for targets of 1 and -1.

    >>> import minigrad as torch
    >>> torch.nn.functional.soft_margin_loss(torch.tensor([0., 2.]), torch.tensor([1., -1.]))
    tensor(1.4100)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check.tensors("soft_margin_loss", input=input, target=target)
    y = reduced(softplus(-target * input, 1.0, math.inf), reduction)
    return labelled(y, "SoftMarginLossBackward0")


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0,
                         size_average: bool | None = None, reduce: bool | None = None,
                         reduction: str = "mean") -> Any:
    """Return the input where the target is 1 and max(margin - input, 0) where it is -1.

    >>> import minigrad as torch
    >>> x, t = torch.tensor([0.5, 0.5]), torch.tensor([1., -1.])
    >>> torch.nn.functional.hinge_embedding_loss(x, t, margin=2.0, reduction="none")
    tensor([0.5000, 1.5000])
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check.tensors("hinge_embedding_loss", input=input, target=target)
    far = where(target != 1, clamp_min(margin - input, 0), 0.0)
    return reduced(far + where(target != -1, input, 0.0), reduction)


def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0,
                        size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Any:
    """Return max(-target * (input1 - input2) + margin, 0): input1 should be larger where target=1.

    >>> import minigrad as torch
    >>> a, b, t = torch.tensor([1.]), torch.tensor([3.]), torch.tensor([1.])
    >>> torch.nn.functional.margin_ranking_loss(a, b, t)
    tensor(2.)
    """
    _check.tensors("margin_ranking_loss", input1=input1, input2=input2, target=target)
    reduction = reduction_of(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(f"margin_ranking_loss: expected inputs and target with the same number "
                           f"of dimensions, got shapes {tuple(input1.shape)}, "
                           f"{tuple(input2.shape)} and {tuple(target.shape)}")
    return reduced(clamp_min(margin - target * (input1 - input2), 0), reduction)


def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0,
                          size_average: bool | None = None, reduce: bool | None = None,
                          reduction: str = "mean") -> Any:
    """Return 1 - cos(input1, input2) where the target is 1, max(cos - margin, 0) where it is -1.

    Inputs (N, D) with targets (N,), or (D,) with a single one.

    >>> import minigrad as torch
    >>> a, b = torch.tensor([1., 0.]), torch.tensor([1., 1.])
    >>> torch.nn.functional.cosine_embedding_loss(a, b, torch.tensor(1))
    tensor(0.2929)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check.tensors("cosine_embedding_loss", input1=input1, input2=input2, target=target)
    if target.ndim > 1 or target.ndim != input1.ndim - 1:
        raise RuntimeError(f"cosine_embedding_loss: 0D or 1D target expected, (N,) for inputs "
                           f"(N, D), got shapes {tuple(target.shape)} and {tuple(input1.shape)}")
    tiny = 1e-12
    lengths = (sum(input1 * input1, -1) + tiny) * (sum(input2 * input2, -1) + tiny)
    cosine = sum(input1 * input2, -1) / sqrt(lengths)
    near = where(target == 1, 1 - cosine, 0.0)
    return reduced(near + where(target == -1, clamp_min(cosine - margin, 0), 0.0), reduction)


# ----------------------------------------------------------------------------------- triples
def triplet_margin_loss(anchor: Any, positive: Any, negative: Any, margin: float = 1.0,
                        p: float = 2, eps: float = 1e-6, swap: bool = False,
                        size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Any:
    """Return max(d(anchor, positive) - d(anchor, negative) + margin, 0) for p-norm distances.

    Balntas et al., Learning local feature descriptors with triplets, 2016. `swap`: take
    d(positive, negative) instead of d(anchor, negative) where it is smaller.

    >>> import minigrad as torch
    >>> a, p, n = torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([[0., 0.25]])
    >>> torch.nn.functional.triplet_margin_loss(a, p, n)
    tensor(0.7500)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, margin=margin, swap=swap, reduction=reduction,
        distance_function=lambda a, b: pairwise_distance(a, b, p, eps))


def triplet_margin_with_distance_loss(
        anchor: Any, positive: Any, negative: Any, *,
        distance_function: Callable[[Any, Any], Any] | None = None, margin: float = 1.0,
        swap: bool = False, reduction: str = "mean") -> Any:
    """Return `triplet_margin_loss` for any distance, pairwise_distance by default.

    >>> import minigrad as torch
    >>> a, p, n = torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([[0., 0.25]])
    >>> largest = lambda x, y: (x - y).abs().amax(-1)
    >>> torch.nn.functional.triplet_margin_with_distance_loss(a, p, n, distance_function=largest)
    tensor(0.7500)
    """
    check_reduction(reduction)
    _check.tensors("triplet_margin_loss", anchor=anchor, positive=positive, negative=negative)
    if margin <= 0:
        raise ValueError(f"triplet loss: margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(f"triplet loss: expected anchor, positive and negative with the same "
                           f"number of dimensions, got {anchor.ndim}D, {positive.ndim}D and "
                           f"{negative.ndim}D")
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(clamp_min(margin + near - far, 0), reduction)


# ------------------------------------------------------------------------------- many classes
def multi_margin_loss(input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None,
                      size_average: bool | None = None, reduce: bool | None = None,
                      reduction: str = "mean") -> Any:
    """Return the mean over the other classes of max(margin - input[target] + input[c], 0) ** p.

    input (N, C) with targets (N,) or (C,) with one; p is 1 or 2; `weight` (C,) weighs the targets'
    classes.

    >>> import minigrad as torch
    >>> torch.nn.functional.multi_margin_loss(torch.tensor([[1., 0.5, 0.]]), torch.tensor([0]))
    tensor(0.1667)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check.tensors("multi_margin_loss", input=input, target=target)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, got {p}")
    rows, index, weight = _picked("multi_margin_loss", input, target, weight)
    count, classes = rows.shape
    own = unsqueeze(take_index(rows, (np.arange(count), index)), -1)
    losses = clamp_min(margin - own + rows, 0)
    losses = losses if p == 1 else losses * losses
    if weight is not None:
        losses = losses * unsqueeze(take_index(weight, (index,)), -1)
    others = wrap(np.arange(classes) != index[:, None], None)
    losses = sum(where(others, losses, 0.0), -1) / classes
    return _over_rows(losses, target.shape, reduction, "MultiMarginLossBackward0")


def _over_rows(losses: Any, shape: Any, reduction: str, name: str) -> Any:
    """Return one loss per row in a shape, their sum, or their mean, which is 0 without rows."""
    if reduction == "none":
        return labelled(reshape(losses, shape), name)
    return labelled(reduced(losses, reduction if losses.shape[0] else "sum"), name)


def _as_rows(input: Any) -> Any:
    """Return an input (N, C) as it is, and one sample, (C,) or (), as (1, C)."""
    return input if input.ndim == 2 else reshape(input, (1, input.numel()))


def _picked(where_: str, input: Any, target: Any, weight: Any) -> tuple[Any, Any, Any]:
    """Check the arguments; return the input as rows, each row's class, and the weight or None."""
    if weight is not None and _check.tensor(weight, where_, "weight", 5).ndim != 1:
        raise ValueError(f"{where_}: weight must be one-dimensional, one number per class, got the "
                         f"shape {tuple(weight.shape)}")
    shape, index = input._data.shape, target._data
    rows = shape[0] if len(shape) == 2 else 1
    if len(shape) > 2 or index.ndim > 1 or index.size != rows or not np.all(shape[-1:]):
        raise RuntimeError(f"{where_}: expected an input (N, C) with targets (N,), or (C,) with "
                           f"one, and C > 0, got the shapes {shape} and {index.shape}")
    input = _as_rows(input)
    classes = input.shape[1]
    if index.size and not 0 <= index.min() <= index.max() < classes:
        raise RuntimeError(f"{where_}: target out of range: {index.min()} to {index.max()} for "
                           f"{classes} classes")
    if weight is not None and weight._data.shape != (classes,):
        raise RuntimeError(f"{where_}: inconsistent weight size, expected ({classes},), got "
                           f"{weight._data.shape}")
    return input, index.reshape(rows), weight


def multilabel_margin_loss(input: Any, target: Any, size_average: bool | None = None,
                           reduce: bool | None = None, reduction: str = "mean") -> Any:
    """Return the mean over pairs of max(1 - input[label] + input[other], 0).

    target has the input's shape and lists labels up to the first -1; `other` runs over all classes
    that are not among them.

    >>> import minigrad as torch
    >>> x, t = torch.tensor([1., 0.5, 0.]), torch.tensor([0, -1, -1])
    >>> torch.nn.functional.multilabel_margin_loss(x, t)
    tensor(0.1667)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check.tensors("multilabel_margin_loss", input=input, target=target)
    shape, labels = input._data.shape, target._data
    one = len(shape) < 2 and labels.ndim < 2 and labels.size == input._data.size
    if (not one and (len(shape) != 2 or labels.shape != shape)) or not np.all(shape[-1:]):
        raise RuntimeError(f"multilabel_margin_loss: inconsistent target size {labels.shape} for "
                           f"an input of size {shape}: expected the same, (N, C) or (C,), and "
                           f"C > 0")
    rows = _as_rows(input)
    count, classes = rows.shape
    labels = labels.reshape(count, classes)
    if labels.size and not -1 <= labels.min() <= labels.max() < classes:
        raise RuntimeError(f"multilabel_margin_loss: target is out of range: {labels.min()} to "
                           f"{labels.max()} for {classes} classes")
    listed = np.logical_and.accumulate(labels >= 0, -1)
    named = ((labels[..., None] == np.arange(classes)) & listed[..., None]).any(-2)
    picked = take_index(rows, (np.arange(count)[:, None], np.where(listed, labels, 0)))
    own = unsqueeze(picked, -1)  # (row, label, 1)
    pairs = wrap(listed[..., None] & ~named[..., None, :], None)
    losses = where(pairs, clamp_min(1 - own + unsqueeze(rows, -2), 0), 0.0)
    return _over_rows(sum(losses, (-2, -1)) / classes, shape[:-1], reduction,
                      "MultilabelMarginLossBackward0")


def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None,
                                size_average: bool | None = None, reduce: bool | None = None,
                                reduction: str = "mean") -> Any:
    """Return binary cross entropy of sigmoid(input), averaged over the classes (last dimension).

    >>> import minigrad as torch
    >>> x, t = torch.tensor([[0., 2.]]), torch.tensor([[1., 1.]])
    >>> torch.nn.functional.multilabel_soft_margin_loss(x, t)
    tensor(0.4100)
    """
    _check.tensors("multilabel_soft_margin_loss", input=input, target=target)
    reduction = reduction_of(size_average, reduce, reduction)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    return reduced(sum(losses, -1) / input.size(-1), reduction)
