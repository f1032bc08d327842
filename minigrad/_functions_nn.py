"""PyTorch's inner forms of neural-network functions, as its top namespace has them.

Losses take a number for their reduction: 0 none (the default, unlike in nn.functional), 1 mean, 2
sum. User code mostly means `nn.functional`'s.
"""

from __future__ import annotations

from typing import Any

from ._check import tensor
from .ops import adaptive_pool, margin_loss, pool
from .ops import loss as losses
from .ops.conv import conv1d
from .ops.loss import reduced
from .ops.margin_loss import labelled
from .ops.pad import pad as padded
from .ops.rearrange import channel_shuffle
from .ops.shape import permute

REDUCTIONS = ("none", "mean", "sum")


def _reduced(where: str, values: Any, reduction: int) -> Any:
    if isinstance(reduction, bool) or not isinstance(reduction, int):
        raise TypeError(f"{where}(): argument 'reduction' must be int, 0 (none), 1 (mean) or 2 "
                        f"(sum), not {type(reduction).__name__}; nn.functional takes the names")
    if reduction not in range(3):
        raise ValueError(f"{where}(): reduction must be 0 (none), 1 (mean) or 2 (sum), got "
                         f"{reduction}")
    return reduced(values, REDUCTIONS[reduction])


# ---------------------------------------------------------------------------------------- losses
def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any = None,
                                     pos_weight: Any = None, reduction: int = 0) -> Any:
    """Return `nn.functional.binary_cross_entropy_with_logits`; `reduction` is a number."""
    values = losses.binary_cross_entropy_with_logits(input, target, weight, reduction="none",
                                                     pos_weight=pos_weight)
    return _reduced("binary_cross_entropy_with_logits", values, reduction)


def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0,
                          reduction: int = 0) -> Any:
    """Return `nn.functional.cosine_embedding_loss`; `reduction` is a number."""
    values = margin_loss.cosine_embedding_loss(input1, input2, target, margin, reduction="none")
    return _reduced("cosine_embedding_loss", values, reduction)


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: int = 0) -> Any:
    """Return `nn.functional.hinge_embedding_loss`; `reduction` is a number."""
    values = margin_loss.hinge_embedding_loss(input, target, margin, reduction="none")
    return _reduced("hinge_embedding_loss", values, reduction)


def kl_div(input: Any, target: Any, reduction: int = 0, *, log_target: bool = False) -> Any:
    """Return `nn.functional.kl_div`; `reduction` is a number, 1 the mean over all elements.

    >>> import minigrad as torch
    >>> torch.kl_div(torch.zeros(2), torch.ones(2), reduction=2)
    tensor(0.)
    """
    values = losses.kl_div(input, target, reduction="none", log_target=log_target)
    return _reduced("kl_div", values, reduction)


def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0,
                        reduction: int = 0) -> Any:
    """Return `nn.functional.margin_ranking_loss`; `reduction` is a number."""
    values = margin_loss.margin_ranking_loss(input1, input2, target, margin, reduction="none")
    return _reduced("margin_ranking_loss", values, reduction)


def poisson_nll_loss(input: Any, target: Any, log_input: bool, full: bool, eps: float,
                     reduction: int) -> Any:
    """Return `nn.functional.poisson_nll_loss`; no defaults, and `reduction` is a number."""
    values = margin_loss.poisson_nll_loss(input, target, log_input, full, eps=eps,
                                          reduction="none")
    return _reduced("poisson_nll_loss", values, reduction)


def triplet_margin_loss(anchor: Any, positive: Any, negative: Any, margin: float = 1.0,
                        p: float = 2.0, eps: float = 1e-6, swap: bool = False,
                        reduction: int = 0) -> Any:
    """Return `nn.functional.triplet_margin_loss`; `reduction` is a number."""
    values = margin_loss.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap,
                                             reduction="none")
    return _reduced("triplet_margin_loss", values, reduction)


# --------------------------------------------------------------------------------------- pooling
def max_pool1d_with_indices(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0,
                            dilation: Any = 1, ceil_mode: bool = False) -> Any:
    """Return the maxima of `nn.functional.max_pool1d` and where they are.

    >>> import minigrad as torch
    >>> torch.max_pool1d_with_indices(torch.tensor([[1., 5., 2., 3.]]), 2)
    (tensor([[5., 3.]]), tensor([[1, 3]]))
    """
    return pool.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def adaptive_max_pool1d(input: Any, output_size: Any) -> Any:
    """Return the maxima of `nn.functional.adaptive_max_pool1d` and where they are.

    >>> import minigrad as torch
    >>> torch.adaptive_max_pool1d(torch.tensor([[1., 5., 2., 3.]]), 2)
    (tensor([[5., 3.]]), tensor([[1, 3]]))
    """
    return adaptive_pool.adaptive_max_pool1d_with_indices(input, output_size)


# --------------------------------------------------------------------- padding, layout, convolution
def constant_pad_nd(input: Any, pad: Any, value: float = 0) -> Any:
    """Return `nn.functional.pad` with constants: `pad` has two numbers per dimension, last first.

    >>> import minigrad as torch
    >>> torch.constant_pad_nd(torch.ones(2), (1, 2), 5.)
    tensor([5., 1., 1., 5., 5.])
    """
    return padded(input, pad, "constant", value)


def native_channel_shuffle(input: Any, groups: int) -> Any:
    """Return `nn.functional.channel_shuffle`: PyTorch has a second name for its CPU kernel."""
    return channel_shuffle(input, groups)


def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Any:
    """Return the convolution over time of (T, N, C) with a weight (k, C, K) and a bias (K,).

    `conv1d` in another layout, with `pad` zeros on both sides: (T + 2 pad - k + 1, N, K).
    RuntimeError for shapes that do not fit.

    >>> import minigrad as torch
    >>> torch.conv_tbc(torch.ones(3, 1, 2), torch.ones(2, 2, 1), torch.zeros(1)).flatten()
    tensor([4., 4.])
    """
    for position, (name, value) in enumerate(
            (("input", input), ("weight", weight), ("bias", bias)), start=1):
        tensor(value, "conv_tbc", name, position)
    if input.ndim != 3 or weight.ndim != 3:
        raise RuntimeError(f"conv_tbc: input must have 3 dims, (time, batch, channels), and weight "
                           f"(kernel, input channels, output channels), got {tuple(input.shape)} "
                           f"and {tuple(weight.shape)}")
    if input.shape[2] != weight.shape[1] or tuple(bias.shape) != (weight.shape[2],):
        raise RuntimeError(f"conv_tbc: input {tuple(input.shape)}, weight {tuple(weight.shape)} "
                           f"and bias {tuple(bias.shape)} do not fit: expected weight (kernel, "
                           f"{input.shape[2]}, K) and bias (K,)")
    if pad < 0:
        raise RuntimeError(f"conv_tbc: pad must not be negative, got {pad}; cut the input instead")
    y = conv1d(permute(input, (1, 2, 0)), permute(weight, (2, 1, 0)), bias, 1, pad)
    return labelled(permute(y, (2, 0, 1)), "ConvTbcBackward0")
