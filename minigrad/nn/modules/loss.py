"""Losses as layers."""

from __future__ import annotations

import warnings

from ..._check import number
from ...tensor import Tensor
from .. import functional as F
from ._loss import _Loss, _WeightedLoss
from ._margin_loss import (
    CosineEmbeddingLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    MarginRankingLoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    PoissonNLLLoss,
    SoftMarginLoss,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
)
from .linear_cross_entropy import LinearCrossEntropyLoss, LinearCrossEntropyOptions

__all__ = ["BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss",
           "GaussianNLLLoss", "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss",
           "LinearCrossEntropyLoss", "LinearCrossEntropyOptions", "MSELoss", "MarginRankingLoss",
           "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss",
           "NLLLoss2d", "PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss", "TripletMarginLoss",
           "TripletMarginWithDistanceLoss"]


class L1Loss(_Loss):
    """Return the mean of |input - target|.

    Args: reduction 'mean', 'sum' or 'none'; size_average, reduce: its old names, which warn.

    >>> import minigrad as torch
    >>> torch.nn.L1Loss()(torch.tensor([1., 2.]), torch.tensor([1., 5.]))
    tensor(1.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """Return the mean of (input - target)^2. Args: see L1Loss. Shapes that differ warn.

    >>> import minigrad as torch
    >>> torch.nn.MSELoss()(torch.tensor([1., 2.]), torch.tensor([1., 4.]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Return d^2 / (2 beta) for |d| < beta, else |d| - beta / 2, d = input - target.

    Girshick, "Fast R-CNN", 2015. Args: reduction: see L1Loss; beta 1, not negative (RuntimeError).

    >>> import minigrad as torch
    >>> torch.nn.SmoothL1Loss()(torch.tensor([0.5, 3.]), torch.zeros(2))
    tensor(1.3125)
    """

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """Return d^2 / 2 for |d| < delta, else delta * (|d| - delta / 2), d = input - target.

    Huber 1964. Args: reduction: see L1Loss; delta 1, positive (RuntimeError).

    >>> import minigrad as torch
    >>> torch.nn.HuberLoss(delta=2.)(torch.tensor([1., 3.]), torch.zeros(2))
    tensor(2.2500)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        number(delta, "HuberLoss", "delta")
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class KLDivLoss(_Loss):
    """Return target * (log target - input), for log-probabilities as input.

    Args: reduction: 'batchmean' is the divergence; 'mean', the default, also divides by the number
    of classes and warns; log_target False: the target is given as log-probabilities.

    >>> import minigrad as torch
    >>> even = torch.tensor([[0.5, 0.5]])
    >>> torch.nn.KLDivLoss(reduction="batchmean")(even.log(), torch.tensor([[1., 0.]]))
    tensor(0.6931)
    """

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class NLLLoss(_WeightedLoss):
    """Return -input[target], for log-probabilities and class numbers.

    Args: weight: one per class (the mean is weighted, too); ignore_index -100: a target that does
    not count; reduction: see L1Loss. Shape: (N, C, ...) and (N, ...), or (C) and ().

    >>> import minigrad as torch
    >>> torch.nn.NLLLoss()(torch.tensor([[-1., -2.]]), torch.tensor([1]))
    tensor(2.)
    """

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None,
                 ignore_index: int = -100, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index,
                          reduction=self.reduction)


class NLLLoss2d(NLLLoss):
    """NLLLoss under an old name: deprecated, it warns (FutureWarning).

    >>> import minigrad as torch
    >>> issubclass(torch.nn.NLLLoss2d, torch.nn.NLLLoss)
    True
    """

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None,
                 ignore_index: int = -100, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        warnings.warn("`NLLLoss2d` has been deprecated. Use `NLLLoss` instead: it takes images, "
                      "too.", FutureWarning, stacklevel=2)
        super().__init__(weight, size_average, ignore_index, reduce, reduction)


class CrossEntropyLoss(_WeightedLoss):
    """Return -log softmax(input)[target]: it is LogSoftmax and NLLLoss in one.

    The input are the raw scores: a Softmax before it is a bug.
    Args: weight, ignore_index, reduction: see NLLLoss; label_smoothing 0: this share of the target
    goes to all classes alike (Szegedy et al. 2016). Shape: (N, C, ...) and class numbers (N, ...),
    or probabilities of the input's shape.

    >>> import minigrad as torch
    >>> torch.nn.CrossEntropyLoss()(torch.tensor([[10., 0., 0.]]), torch.tensor([0]))
    tensor(9.0833e-05)
    """

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None,
                 ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
                 label_smoothing: float = 0.0) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(input, target, weight=self.weight, ignore_index=self.ignore_index,
                               reduction=self.reduction, label_smoothing=self.label_smoothing)


class BCELoss(_WeightedLoss):
    """Return -(t log p + (1 - t) log(1 - p)) for probabilities p and targets t in [0, 1].

    The logarithms are cut at -100. Args: weight: factors that broadcast to the input; reduction:
    see L1Loss. For raw scores use BCEWithLogitsLoss: it does not overflow.

    >>> import minigrad as torch
    >>> torch.nn.BCELoss()(torch.tensor([0.5, 1.0]), torch.tensor([1., 0.]))
    tensor(50.3466)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Return BCELoss of sigmoid(input), computed from the raw scores without overflow.

    Args: weight: factors; reduction: see L1Loss; pos_weight: factor of the positive term, one per
    class: above 1 it raises recall. Both are buffers.

    >>> import minigrad as torch
    >>> torch.nn.BCEWithLogitsLoss()(torch.tensor([0.]), torch.tensor([1.]))
    tensor(0.6931)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None,
                 reduce: bool | None = None, reduction: str = "mean",
                 pos_weight: Tensor | None = None) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.binary_cross_entropy_with_logits(input, target, self.weight,
                                                  pos_weight=self.pos_weight,
                                                  reduction=self.reduction)


class CTCLoss(_Loss):
    """Return -log of the probability that an input sequence spells its target, over all alignments.

    At each time step an input says one label or the blank; repeated labels are said once, blanks
    are dropped. Graves et al., "Connectionist temporal classification", 2006.

    Args: blank 0: its class; reduction 'mean': of each loss by its target's length, 'sum', 'none';
    zero_infinity False: count a target that is too long for its input as 0 instead of inf (with nan
    gradients). The input is from log_softmax; the sums run in float64 for any dtype.
    Shape: log_probs (T, N, C) or (T, C); targets (N, S) or concatenated (sum of lengths); lengths
    (N), both tensors or both tuples -> (), or (N) with 'none'.
    A target of S labels with r repetitions in a row needs at least S + r time steps.

    >>> import minigrad as torch
    >>> log_probs = torch.full((2, 1, 2), 0.5).log()
    >>> torch.nn.CTCLoss()(log_probs, torch.tensor([[1]]), (2,), (1,))
    tensor(0.2877)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean",
                 zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Tensor,
                target_lengths: Tensor) -> Tensor:
        """Return the loss."""
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, self.blank,
                          self.reduction, self.zero_infinity)
