"""A linear layer and its cross entropy in one (part of loss.py, where PyTorch has it)."""

from __future__ import annotations

import math
from typing import Any

from ..._random import Generator
from ...ops.linear_cross_entropy import LinearCrossEntropyOptions
from ...tensor import Tensor
from .. import functional as F
from ._loss import _WeightedLoss
from .linear import Linear

__all__ = ["LinearCrossEntropyLoss", "LinearCrossEntropyOptions"]


class LinearCrossEntropyLoss(_WeightedLoss):
    """Return CrossEntropyLoss of a Linear layer that it owns: the head of a classifier.

    Args: in_features; num_classes; out_features (): further dimensions of the scores, one loss for
    each; bias False; device, dtype: see Linear; reduction, weight, label_smoothing: see
    CrossEntropyLoss; ignore_index None: -100 for class numbers; options None:
    LinearCrossEntropyOptions to work through the batch in pieces, for very many classes;
    generator: first values. RuntimeError: another weight shape, smoothing outside of [0, 1].
    Shape: (N, in_features) or (in_features), and class numbers (N, *out_features) or probabilities
    (N, num_classes, *out_features).

    >>> import minigrad as torch
    >>> head = torch.nn.LinearCrossEntropyLoss(5, 10)
    >>> head(torch.randn(3, 5), torch.tensor([1, 0, 4])).shape
    torch.Size([])
    """

    def __init__(self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (),
                 bias: bool = False, device: Any = None, dtype: Any = None,
                 reduction: str = "mean", weight: Tensor | None = None,
                 ignore_index: int | None = None, label_smoothing: float = 0.0,
                 options: LinearCrossEntropyOptions | None = None,
                 generator: Generator | None = None) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise RuntimeError(f"expected weight shape to be {(num_classes,)}, one per class, got "
                               f"{tuple(weight.shape)}")
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"expected label_smoothing to be in range [0, 1], got "
                               f"{label_smoothing}")
        super().__init__(weight, None, None, reduction)
        self.num_classes, self.out_features = num_classes, out_features
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias=bias,
                             device=device, dtype=dtype, generator=generator)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        shape = (self.num_classes, *self.out_features)
        weight, bias = self.linear.weight, self.linear.bias
        return F.linear_cross_entropy(
            input, weight.reshape(*shape, self.linear.in_features), target,
            linear_bias=None if bias is None else bias.reshape(shape), weight=self.weight,
            reduction=self.reduction, ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing, options=self.options)

    def extra_repr(self) -> str:
        shown = {"in_features": self.linear.in_features, "num_classes": self.num_classes,
                 "out_features": self.out_features, "bias": self.linear.bias is not None,
                 "reduction": self.reduction, "ignore_index": self.ignore_index,
                 "label_smoothing": self.label_smoothing, "options": self.options}
        return ", ".join(f"{name}={value}" for name, value in shown.items())
