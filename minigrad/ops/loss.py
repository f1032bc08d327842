"""Regression losses and losses of probabilities: one number per element, then their mean or sum.

`reduction`: "mean", "sum" or "none". The old arguments size_average and reduce still work and warn.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import _check
from .._check import broadcast_error, floats, tensors
from ..engine import op
from ..kernels._product import dot
from ._operands import pair
from .activation import softplus
from .choose import clamp, clamp_min
from .cross_entropy import check_reduction, reduction_of
from .elementwise import abs, exp, log, mul, sigmoid
from .reduce import mean, sum, wide
from .shape import broadcast_tensors
from .special import log1p, xlogy

ndarray = np.ndarray


# -------------------------------------------------------------------------------------- shared
def reduced(losses: Any, reduction: str) -> Any:
    """Return the losses (tensors), their mean or their sum."""
    if reduction == "none":
        return losses
    return mean(losses) if reduction == "mean" else sum(losses)


def _total(losses: ndarray, reduction: str) -> Any:
    """Return the losses (an array), their mean or their sum."""
    if reduction == "none":
        return losses
    y = np.add.reduce(losses, None)
    return np.true_divide(y, losses.size) if reduction == "mean" else y


def _each(g: Any, shape: tuple[int, ...], reduction: str, times: float = 1) -> Any:
    """Return the gradient of one element's loss, times a factor."""
    factor = times / max(math.prod(shape), 1) if reduction == "mean" else times
    if type(g) is ndarray and not g.ndim:  # NumPy would make a scalar, with which it is slower
        return np.array(g.item() * factor, g.dtype)
    return g * factor


def _same_shape(where: str, input: Any, target: Any) -> bool:
    """Compare the shapes; refuse what is no tensor."""
    try:
        return bool(input._data.shape == target._data.shape)
    except AttributeError:
        _check.tensors(where, input=input, target=target)
        raise


def _same_size(where: str, input: Any, target: Any) -> tuple[Any, Any]:
    """Broadcast input and target, with PyTorch's warning if their shapes differ."""
    if _same_shape(where, input, target):
        return input, target
    warnings.warn(
        f"{where}: Using a target size {tuple(target.shape)} that is different to the input size "
        f"{tuple(input.shape)}. They are broadcast, which is seldom meant: make them the same "
        f"size, for example with squeeze or view_as.", stacklevel=3)
    return broadcast_tensors(input, target)


def _weighted(losses: Any, weight: Any, reduction: str, normalised: bool) -> Any:
    """Weigh the losses; a mean is divided by the sum of the weights if `normalised`."""
    if weight._data.shape != losses._data.shape:
        raise ValueError(f"Weights and input must have the same size, got {tuple(weight.shape)} "
                         f"and {tuple(losses.shape)}")
    losses = losses * weight
    if normalised and reduction == "mean":
        return sum(losses) / sum(weight)
    return reduced(losses, reduction)


# ---------------------------------------------------------------------------------- regression
@op(input=lambda g, input, target, input_shape, reduction:
        (input - target) * _each(g, input_shape, reduction, 2),
    target=lambda g, input, target, input_shape, reduction:
        (input - target) * _each(g, input_shape, reduction, -2))
def _mse_loss(input: Any, target: Any, reduction: str) -> Any:
    a, b = pair(input, target)
    if a.dtype.kind != "f":
        floats("mse_loss", a)
    d = a - b
    if reduction == "none":
        return d * d
    d = wide(d).ravel()
    y = dot(d, d)
    return np.array(y / (d.size or math.nan) if reduction == "mean" else y, a.dtype)


@_mse_loss.fused  # type: ignore[attr-defined]
def _mse_backward(g: ndarray, input: Any, target: Any, reduction: str, needs: Any) -> Any:
    """Return what the rules say, with fewer arrays; the gradients differ in the sign."""
    d = input - target
    d *= _each(g, d.shape, reduction, 2)
    return d, -d if needs[1] else None


MSE = _mse_loss.op  # type: ignore[attr-defined]


def mse_loss(input: Any, target: Any, size_average: bool | None = None,
             reduce: bool | None = None, reduction: str = "mean", weight: Any = None) -> Any:
    """Return the mean of (input - target) ** 2.

    Shapes that differ are broadcast with a warning. `weight` (of the input's size) weighs the
    elements; the mean is then divided by the sum of the weights.

    >>> import minigrad as torch
    >>> torch.nn.functional.mse_loss(torch.tensor([1., 2.]), torch.tensor([1., 4.]))
    tensor(2.)
    """
    if size_average is not None or reduce is not None or reduction != "mean":
        reduction = reduction_of(size_average, reduce, reduction)
    input, target = _same_size("mse_loss", input, target)
    if weight is not None:
        return _weighted((input - target) ** 2, weight, reduction, True)
    return MSE.run(input, target, reduction)


def l1_loss(input: Any, target: Any, size_average: bool | None = None,
            reduce: bool | None = None, reduction: str = "mean", weight: Any = None) -> Any:
    """Return the mean of |input - target|; its slope at 0 is 0. `weight`: see `mse_loss`.

    >>> import minigrad as torch
    >>> torch.nn.functional.l1_loss(torch.tensor([1., 2.]), torch.tensor([1., 4.]))
    tensor(1.)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    input, target = _same_size("l1_loss", input, target)
    if weight is not None:
        return _weighted(abs(input - target), weight, reduction, True)
    return reduced(abs(input - target), reduction)


def _smooth_l1_rule(g: Any, input: Any, target: Any, reduction: str, beta: float) -> Any:
    return clamp((input - target) / beta, -1.0, 1.0) * _each(g, input.shape, reduction)


@op(input=_smooth_l1_rule,
    target=lambda g, input, target, reduction, beta: -_smooth_l1_rule(
        g, input, target, reduction, beta), shown="SmoothL1LossBackward0")
def _smooth_l1_loss(input: Any, target: Any, reduction: str, beta: float) -> Any:
    a, b = pair(input, target)
    floats("smooth_l1_loss", a)
    d = np.abs(wide(a - b))
    y = np.where(d < beta, d * d * (0.5 / beta), d - 0.5 * beta)
    return np.asarray(_total(y, reduction), a.dtype)


def smooth_l1_loss(input: Any, target: Any, size_average: bool | None = None,
                   reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0) -> Any:
    """Return the mean of d ** 2 / (2 beta) where d = |input - target| < beta, else d - beta / 2.

    Girshick, Fast R-CNN, 2015: huber_loss / beta. beta=0 gives l1_loss; RuntimeError if negative.

    >>> import minigrad as torch
    >>> torch.nn.functional.smooth_l1_loss(torch.tensor([0., 3.]), torch.tensor([1., 1.]))
    tensor(1.)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    input, target = _same_size("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    if beta == 0:
        return reduced(abs(input - target), reduction)
    return _smooth_l1_loss(input, target, reduction, float(beta))


def _huber_rule(g: Any, input: Any, target: Any, reduction: str, delta: float) -> Any:
    return clamp(input - target, -delta, delta) * _each(g, input.shape, reduction)


@op(input=_huber_rule,
    target=lambda g, input, target, reduction, delta: -_huber_rule(
        g, input, target, reduction, delta))
def _huber_loss(input: Any, target: Any, reduction: str, delta: float) -> Any:
    a, b = pair(input, target)
    floats("huber_loss", a)
    d = np.abs(wide(a - b))
    y = np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta))
    return np.asarray(_total(y, reduction), a.dtype)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0,
               weight: Any = None) -> Any:
    """Return the mean of d ** 2 / 2 where d = |input - target| <= delta, else delta (d - delta/2).

    Huber, Robust Estimation of a Location Parameter, 1964. `weight` multiplies the elements' losses
    before the mean. RuntimeError unless delta > 0.

    >>> import minigrad as torch
    >>> torch.nn.functional.huber_loss(torch.tensor([0., 4.]), torch.tensor([1., 1.]), delta=2.0)
    tensor(2.2500)
    """
    check_reduction(reduction)
    input, target = _same_size("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    if weight is None:
        return _huber_loss(input, target, reduction, float(delta))
    return _weighted(_huber_loss(input, target, "none", float(delta)), weight, reduction, False)


# ------------------------------------------------------------------------------- probabilities
def _times(g: Any, weight: Any) -> Any:
    return g if weight is None else g * weight


@op(input=lambda g, input, target, weight, reduction:
        (input - target) / clamp_min((1 - input) * input, 1e-12)
        * _times(_each(g, input.shape, reduction), weight),
    target=lambda g, input, input_shape, weight, reduction:
        (clamp_min(log1p(-input), -100.0) - clamp_min(log(input), -100.0))
        * _times(_each(g, input_shape, reduction), weight), weight=None)
def _binary_cross_entropy(input: Any, target: Any, weight: Any, reduction: str) -> Any:
    x = wide(input)
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise RuntimeError("binary_cross_entropy: all elements of input should be between 0 and 1; "
                           "for raw scores use binary_cross_entropy_with_logits")
    if target.size and not (target.min() >= 0 and target.max() <= 1):
        raise RuntimeError("binary_cross_entropy: all elements of target should be between 0 and 1")
    y = (target - 1) * np.maximum(np.log1p(-x), -100) - target * np.maximum(np.log(x), -100)
    return np.asarray(_total(y if weight is None else y * weight, reduction), input.dtype)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None,
                         size_average: bool | None = None, reduce: bool | None = None,
                         reduction: str = "mean") -> Any:
    """Return the mean of -(target log(input) + (1 - target) log(1 - input)), for probabilities.

    Logarithms are cut off at -100. `weight` is broadcast to the input and multiplies the losses.
    ValueError if the sizes differ, RuntimeError if the input is outside of [0, 1]: for raw scores
    use `binary_cross_entropy_with_logits`, which is exact where sigmoid is 0 or 1.

    >>> import minigrad as torch
    >>> p, t = torch.tensor([0.5, 0.8]), torch.tensor([0., 1.])
    >>> torch.nn.functional.binary_cross_entropy(p, t, reduction="none")
    tensor([0.6931, 0.2231])
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if not _same_shape("binary_cross_entropy", input, target):
        raise ValueError(f"binary_cross_entropy: the target size {tuple(target.shape)} must be the "
                         f"same as the input size {tuple(input.shape)}")
    floats("binary_cross_entropy", input._data)
    if target._data.dtype != input._data.dtype:
        raise RuntimeError(f"binary_cross_entropy: Found dtype {target.dtype} of the target but "
                           f"expected {input.dtype} as the input; convert with .to(input.dtype)")
    return _binary_cross_entropy(input, target, weight, reduction)


def _logits_rule(g: Any, input: Any, target: Any, weight: Any, pos_weight: Any,
                 reduction: str) -> Any:
    each = _times(_each(g, input.shape, reduction), weight)
    if pos_weight is None:
        return (sigmoid(input) - target) * each
    return (1 - target - ((pos_weight - 1) * target + 1) * sigmoid(-input)) * each


def _logits_target_rule(g: Any, input: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    slope = -input if pos_weight is None else (pos_weight - 1) * softplus(-input, 1.0, 1e3) - input
    return slope * _times(_each(g, input.shape, reduction), weight)


@op(input=_logits_rule, target=_logits_target_rule, weight=None, pos_weight=None,
    explain=broadcast_error, shown="BinaryCrossEntropyWithLogitsBackward0")
def _logits_loss(input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    a, t = pair(input, target)
    x = wide(a)
    soft = np.log1p(np.exp(-np.abs(x)))
    soft += np.maximum(-x, 0)  # log(1 + exp(-x))
    if pos_weight is not None:
        soft = soft * ((pos_weight - 1) * t + 1)
    y = (1 - t) * x + soft
    return np.asarray(_total(y if weight is None else y * weight, reduction), a.dtype)


def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any = None,
                                     size_average: bool | None = None, reduce: bool | None = None,
                                     reduction: str = "mean", pos_weight: Any = None) -> Any:
    """Return `binary_cross_entropy` of sigmoid(input), exact for large scores, too.

    `weight` multiplies the losses, `pos_weight` those of positive targets, which helps where these
    are rare; both are broadcast to the input. ValueError if input and target sizes differ.

    >>> import minigrad as torch
    >>> x, t = torch.tensor([0., 1000.]), torch.tensor([1., 0.])
    >>> torch.nn.functional.binary_cross_entropy_with_logits(x, t, reduction="none")
    tensor([6.9315e-01, 1.0000e+03])
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if not _same_shape("binary_cross_entropy_with_logits", input, target):
        raise ValueError(f"binary_cross_entropy_with_logits: Target size {tuple(target.shape)} must"
                         f" be the same as input size {tuple(input.shape)}")
    floats("binary_cross_entropy_with_logits", input._data)
    if target._data.dtype.kind != "f":
        raise RuntimeError(f"binary_cross_entropy_with_logits: the target must be floating point, "
                           f"got {target.dtype}: result type can't be cast; use .float()")
    return _logits_loss(input, target, weight, pos_weight, reduction)


def kl_div(input: Any, target: Any, size_average: bool | None = None, reduce: bool | None = None,
           reduction: str = "mean", log_target: bool = False) -> Any:
    """Return target * (log(target) - input): the divergence of log-probabilities from the target.

    `log_target`: the target holds log-probabilities, too. reduction="batchmean" (divide the sum by
    the size of dim 0) is what mathematics means; "mean" divides by all elements, and warns.

    >>> import minigrad as torch
    >>> p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    >>> torch.nn.functional.kl_div(q.log(), p, reduction="batchmean")
    tensor(0.1438)
    """
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn("kl_div: reduction: 'mean' divides by the number of all elements; the "
                      "divergence is reduction='batchmean', which divides by the batch size only",
                      stacklevel=2)
    batch = reduction == "batchmean" and size_average is None and reduce is None
    reduction = reduction_of(size_average, reduce, "sum" if batch else reduction)
    tensors("kl_div", input=input, target=target)
    if input._data.dtype.kind != "f" or target._data.dtype.kind != "f":
        raise RuntimeError(f"kl_div: Integral inputs not supported: got {input.dtype} and "
                           f"{target.dtype}; convert with .float()")
    losses = (exp(target) * (target - input) if log_target
              else xlogy(target, target) - mul(target, input))
    if not batch:
        return reduced(losses, reduction)
    return sum(losses) / input.shape[0] if input.ndim else sum(losses)
