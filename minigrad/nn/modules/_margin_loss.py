"""Losses with margins, and of Poisson and Gaussian targets (part of loss.py)."""

from __future__ import annotations

from collections.abc import Callable

from ...tensor import Tensor
from .. import functional as F
from ._loss import _Loss, _WeightedLoss

__all__ = ["CosineEmbeddingLoss", "GaussianNLLLoss", "HingeEmbeddingLoss", "MarginRankingLoss",
           "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "PoissonNLLLoss",
           "SoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss"]


class _MarginLoss(_Loss):
    """Base of losses with a margin and PyTorch's old switches."""

    margin: float

    def __init__(self, margin: float = 0.0, size_average: bool | None = None,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class HingeEmbeddingLoss(_MarginLoss):
    """Return x where the target is 1, max(0, margin - x) where it is -1.

    Args: margin 1; reduction: see L1Loss.

    >>> import minigrad as torch
    >>> torch.nn.HingeEmbeddingLoss()(torch.tensor([0.5, 0.5]), torch.tensor([1., -1.]))
    tensor(0.5000)
    """

    def __init__(self, margin: float = 1.0, size_average: bool | None = None,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """Return 1 - cos(x1, x2) where the target is 1, max(0, cos - margin) where it is -1.

    Args: margin 0; reduction: see L1Loss.

    >>> import minigrad as torch
    >>> x = torch.tensor([[1., 0.]])
    >>> torch.nn.CosineEmbeddingLoss()(x, x, torch.tensor([-1]))
    tensor(1.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.cosine_embedding_loss(input1, input2, target, self.margin,
                                       reduction=self.reduction)


class MarginRankingLoss(_MarginLoss):
    """Return max(0, margin - target * (x1 - x2)): target 1 wants x1 to rank higher, -1 x2.

    Args: margin 0; reduction: see L1Loss.

    >>> import minigrad as torch
    >>> torch.nn.MarginRankingLoss()(torch.ones(1), 3 * torch.ones(1), torch.ones(1))
    tensor(2.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.margin_ranking_loss(input1, input2, target, self.margin,
                                     reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """Return log(1 + exp(-target * x)) for targets 1 and -1. Args: reduction: see L1Loss.

    >>> import minigrad as torch
    >>> torch.nn.SoftMarginLoss()(torch.zeros(2), torch.tensor([1., -1.]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """Return the hinge loss of several labels per sample: sum of max(0, 1 - x[label] + x[other]).

    Args: reduction: see L1Loss. The target lists the labels of each sample, then -1.

    >>> import minigrad as torch
    >>> torch.nn.MultiLabelMarginLoss()(torch.zeros(1, 4), torch.tensor([[3, 0, -1, 1]]))
    tensor(1.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Return the mean over classes of the binary cross entropy of sigmoid(x).

    Args: weight: one per class; reduction: see L1Loss.

    >>> import minigrad as torch
    >>> torch.nn.MultiLabelSoftMarginLoss()(torch.zeros(1, 2), torch.tensor([[1., 0.]]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """Return the mean over classes of max(0, margin - x[target] + x[other])^p.

    Args: p 1 or 2 (ValueError); margin 1; weight: one per class (ValueError if not 1-D);
    reduction: see L1Loss.

    >>> import minigrad as torch
    >>> torch.nn.MultiMarginLoss()(torch.zeros(1, 4), torch.tensor([2]))
    tensor(0.7500)
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
                 size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        if p not in (1, 2):
            raise ValueError(f"only p == 1 and p == 2 supported, got p={p}")
        if not isinstance(weight, Tensor | None):
            raise TypeError(f"MultiMarginLoss: weight must be a Tensor or None, got {weight!r}")
        if weight is not None and weight.ndim != 1:
            raise ValueError(f"MultiMarginLoss: expected weight to be None or 1D tensor, got "
                             f"{weight.ndim}D instead")
        super().__init__(weight, size_average, reduce, reduction)
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight,
                                   reduction=self.reduction)


class TripletMarginLoss(_MarginLoss):
    """Return max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm.

    Args: margin 1, above 0 (ValueError); p 2; eps 1e-6; swap False: True uses
    d(positive, negative) where it is smaller; reduction: see L1Loss.

    >>> import minigrad as torch
    >>> a, n = torch.zeros(1, 2), torch.tensor([[3., 4.]])
    >>> torch.nn.TripletMarginLoss(margin=7.)(a, a, n)
    tensor(2.0000)
    """

    def __init__(self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False,
                 size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        _check_margin("TripletMarginLoss", margin)
        super().__init__(margin, size_average, reduce, reduction)
        self.p, self.eps, self.swap = p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss."""
        return F.triplet_margin_loss(anchor, positive, negative, margin=self.margin, p=self.p,
                                     eps=self.eps, swap=self.swap, reduction=self.reduction)


class TripletMarginWithDistanceLoss(_Loss):
    """Return TripletMarginLoss with a distance of one's own.

    Args: distance_function: of two tensors, default the 2-norm of their difference; margin, swap,
    reduction: see TripletMarginLoss; all by keyword.

    >>> import minigrad as torch
    >>> far = torch.nn.TripletMarginWithDistanceLoss(distance_function=torch.nn.L1Loss(), margin=4.)
    >>> far(torch.zeros(2), torch.zeros(2), torch.ones(2))
    tensor(3.)
    """

    def __init__(self, *, distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
                 margin: float = 1.0, swap: bool = False, reduction: str = "mean") -> None:
        _check_margin("TripletMarginWithDistanceLoss", margin)
        super().__init__(reduction=reduction)
        self.distance_function = distance_function or F.pairwise_distance
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss."""
        return F.triplet_margin_with_distance_loss(
            anchor, positive, negative, distance_function=self.distance_function,
            margin=self.margin, swap=self.swap, reduction=self.reduction)


def _check_margin(name: str, margin: float) -> None:
    if margin <= 0:
        raise ValueError(f"{name}: expected margin to be greater than 0, got {margin} instead")


class PoissonNLLLoss(_Loss):
    """Return exp(x) - target * x, minus the log-likelihood of counts whose rate is exp(x).

    Args: log_input True: False takes the rate itself, with eps 1e-8 inside the logarithm;
    full False: True adds Stirling's formula for log(target!); reduction: see L1Loss.

    >>> import minigrad as torch
    >>> torch.nn.PoissonNLLLoss()(torch.zeros(2), torch.tensor([1., 5.]))
    tensor(1.)
    """

    def __init__(self, log_input: bool = True, full: bool = False,
                 size_average: bool | None = None, eps: float = 1e-8, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.poisson_nll_loss(log_input, target, log_input=self.log_input, full=self.full,
                                  eps=self.eps, reduction=self.reduction)


class GaussianNLLLoss(_Loss):
    """Return (log var + (x - target)^2 / var) / 2: mean and variance are both predicted.

    Nix & Weigend 1994. Args, by keyword: full False: True adds log(2 pi) / 2; eps 1e-6: the least
    variance; reduction: see L1Loss.

    >>> import minigrad as torch
    >>> torch.nn.GaussianNLLLoss()(torch.zeros(2), torch.ones(2), torch.ones(2))
    tensor(0.5000)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """Return the loss."""
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps,
                                   reduction=self.reduction)
