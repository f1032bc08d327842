"""Softmax over very many classes: frequent ones directly, rare ones in clusters."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..._check import listed
from ..._random import Generator
from ...ops.join import cat
from ...ops.masked import nonzero
from ...tensor import Tensor
from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """Compute log-probabilities of targets, and their mean loss, with less work for rare classes.

    Grave et al., "Efficient softmax approximation for GPUs", 2017. The head scores the classes
    below cutoffs[0] and one entry for each cluster cutoffs[i] ... cutoffs[i + 1] - 1; log p(class)
    = log p(cluster) + log p(class in cluster). Classes must be sorted by frequency, most frequent
    first: else it is correct, but slow and poor.

    Args: in_features; n_classes; cutoffs: increasing, between 1 and n_classes - 1 (ValueError);
    div_value 4: cluster i works on in_features // div_value**(i + 1) features; head_bias False;
    device, dtype, generator: see Linear.
    Shape: input (N, in_features), target (N) -> output (N), loss (); or without N.
    RuntimeError: other shapes, targets outside of [0, n_classes).

    >>> import minigrad as torch
    >>> head = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[5, 10], div_value=2.)
    >>> x, target = torch.randn(3, 8), torch.tensor([0, 7, 19])
    >>> output, loss = head(x, target)
    >>> torch.allclose(output, head.log_prob(x)[torch.arange(3), target], atol=1e-6)
    True
    """

    in_features: int
    n_classes: int
    cutoffs: list[int]
    div_value: float
    head_bias: bool
    head: Linear
    tail: ModuleList

    def __init__(self, in_features: int, n_classes: int, cutoffs: Sequence[int],
                 div_value: float = 4.0, head_bias: bool = False, device: Any = None,
                 dtype: Any = None, *, generator: Generator | None = None) -> None:
        super().__init__()
        cutoffs = listed(cutoffs, "AdaptiveLogSoftmaxWithLoss", "cutoffs", "ints")
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        ends = [0, *cutoffs, n_classes]
        if any(c != round(c) for c in cutoffs) or any(a >= b for a, b in pairwise(ends)):
            raise ValueError(f"cutoffs should be a sequence of unique, positive integers sorted in "
                             f"an increasing order, where each value is between 1 and n_classes-1 "
                             f"= {n_classes - 1}, got {cutoffs}")
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        options: dict[str, Any] = {"device": device, "dtype": dtype, "generator": generator}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            hidden = int(in_features // div_value ** (i + 1))
            self.tail.append(Sequential(Linear(in_features, hidden, bias=False, **options),
                                        Linear(hidden, high - low, bias=False, **options)))

    def reset_parameters(self) -> None:
        """Draw new values."""
        for layer in (self.head, *(part for pair in self.tail for part in pair)):
            layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """Return `output`, the targets' log-probabilities, and `loss`, the mean of -output."""
        if target_.ndim == 0 and input_.ndim == 1:
            found = self.forward(input_.unsqueeze(0), target_.unsqueeze(0))
            return _ASMoutput(found.output.squeeze(0), found.loss)
        self._check(input_, target_)
        entry, parts, rows = target_, [], []
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            inside = (target_ >= low) & (target_ < high)
            entry = entry.masked_fill(inside, self.shortlist_size + i)
            where = nonzero(inside).squeeze(1)
            if not where.numel():
                continue  # no target of this cluster: its layers have no part in the result
            logp = F.log_softmax(self.tail[i](input_.index_select(0, where)), dim=1)
            parts.append(logp.gather(1, (target_[where] - low).unsqueeze(1)).squeeze(1))
            rows.append(where)
        logp = F.log_softmax(self.head(input_), dim=1)
        output = logp.gather(1, entry.unsqueeze(1)).squeeze(1)
        if rows:
            output = output.index_add(0, cat(rows), cat(parts))
        return _ASMoutput(output, (-output).mean())

    def _check(self, input: Tensor, target: Tensor) -> None:
        if target.ndim > 1:
            raise RuntimeError(f"0D or 1D target tensor expected, multi-target not supported, got "
                               f"{target.ndim} dimensions")
        if target.ndim == 1 and input.shape[:1] != target.shape:
            raise RuntimeError(f"Input and target should have the same size in the batch dimension,"
                               f" got {tuple(input.shape)} and {tuple(target.shape)}")
        if input.ndim != target.ndim + 1:
            raise RuntimeError(f"{target.ndim}D target tensor expects {target.ndim + 1}D input "
                               f"tensors, but found inputs with size {tuple(input.shape)}")
        if target.numel() and not 0 <= target.min() <= target.max() < self.n_classes:
            raise RuntimeError(f"Target values should be in [0, {self.n_classes - 1}], but values "
                               f"in range [{target.min().item()}, {target.max().item()}] were "
                               f"found")

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities of all classes: (N, in_features) -> (N, n_classes)."""
        return self._all(input, self.head(input))

    def _all(self, input: Tensor, scores: Tensor) -> Tensor:
        head = F.log_softmax(scores, dim=1)
        short = self.shortlist_size
        parts = [head[:, :short]]
        for i, layers in enumerate(self.tail):
            parts.append(F.log_softmax(layers(input), dim=1) + head[:, short + i:short + i + 1])
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """Return the likeliest class of each sample, (N, in_features) -> (N).

        As in PyTorch, a sample whose best head entry is a class gets that class without a look at
        the clusters. So the class that `log_prob` likes best is returned: a cluster's classes have
        at most the cluster's probability.
        """
        scores = self.head(input)
        best = scores.argmax(1)
        rare = nonzero(best >= self.shortlist_size).squeeze(1)
        if not rare.numel():
            return best
        found = self._all(input.index_select(0, rare), scores.index_select(0, rare)).argmax(1)
        return best.index_copy(0, rare, found)
