"""Relatives of batch normalisation: their results depend on the batch or on running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine import wrap
from ...modes import no_grad
from ...ops.join import cat
from ...tensor import Tensor
from ...views import wrote
from .. import functional as F
from ..modules._make import made
from ..modules.batchnorm import _BatchNorm
from ..modules.module import Module
from ._common import ChannelNorm, check_channels, check_several

__all__ = ["BatchRenorm1d", "BatchRenorm2d", "BatchRenorm3d", "FrozenBatchNorm2d",
           "GhostBatchNorm1d", "GhostBatchNorm2d", "GhostBatchNorm3d"]


class _GhostBatchNorm(_BatchNorm):
    """Batch normalisation by parts of the batch, in any number of dimensions."""

    def __init__(self, num_features: int, virtual_batch_size: int = 128, eps: float = 1e-5,
                 momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *,
                 bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias=bias)
        if virtual_batch_size < 1:
            raise ValueError(f"{type(self).__name__}: virtual_batch_size must be at least 1, but "
                             f"got {virtual_batch_size}")
        self.virtual_batch_size = virtual_batch_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, in training each ghost batch normalised by its own statistics."""
        self._check_input_dim(input)
        parts = -(-input.shape[0] // self.virtual_batch_size)
        if not self.training or parts < 2:
            return super().forward(input)
        whole = super().forward
        return cat([whole(part) for part in input.chunk(parts)])

    def extra_repr(self) -> str:
        start, rest = super().extra_repr().split(", ", 1)
        return f"{start}, virtual_batch_size={self.virtual_batch_size}, {rest}"


class GhostBatchNorm1d(_GhostBatchNorm):
    """Normalise parts of a batch of (N, C) or (N, C, L) on their own; see GhostBatchNorm2d.

    >>> import minigrad as torch
    >>> GhostBatchNorm1d(1, 2)(torch.tensor([[0.], [2.], [10.], [30.]])).flatten().data
    tensor([-1.0000,  1.0000, -1.0000,  1.0000])
    """

    _ranks = (2, 3)


class GhostBatchNorm2d(_GhostBatchNorm):
    """Normalise parts of a batch, each by its own mean and variance.

    In training the batch is cut into equal parts of at most virtual_batch_size samples (the last
    may be smaller), each of which goes through BatchNorm in turn and moves the running statistics:
    running <- (1 - momentum) * running + momentum * part. Hoffer, Hubara & Soudry, "Train longer,
    generalize better", 2017. For large batches, which have too little noise of their own.

    Args: num_features: C; virtual_batch_size 128; then those of BatchNorm2d. Shape:
    (N, C, H, W), the same out. ValueError if a part has one value per channel.
    Relation: a batch of at most virtual_batch_size samples, and eval: BatchNorm2d.

    >>> import minigrad as torch
    >>> gbn = GhostBatchNorm2d(3, virtual_batch_size=4)
    >>> gbn(torch.randn(16, 3, 2, 2)).shape, gbn.num_batches_tracked
    (torch.Size([16, 3, 2, 2]), tensor(4))
    """

    _ranks = (4,)


class GhostBatchNorm3d(_GhostBatchNorm):
    """Normalise parts of a batch of (N, C, D, H, W) on their own; see GhostBatchNorm2d.

    >>> import minigrad as torch
    >>> GhostBatchNorm3d(2, 2)(torch.randn(4, 2, 3, 3, 3)).shape
    torch.Size([4, 2, 3, 3, 3])
    """

    _ranks = (5,)


class _BatchRenorm(ChannelNorm):
    """Batch renormalisation in any number of dimensions."""

    _ranks: tuple[int, ...] = ()
    running_mean: Tensor
    running_std: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, eps: float = 1e-3, momentum: float = 0.01,
                 affine: bool = True, device: Any = None, dtype: Any = None, *,
                 rmax: float = 3.0, dmax: float = 5.0,
                 warmup: tuple[int, int, int] = (5000, 40000, 25000)) -> None:
        super().__init__(num_features, eps, affine, device, dtype)
        if rmax < 1 or dmax < 0:
            raise ValueError(f"{type(self).__name__}: expected rmax >= 1 and dmax >= 0, got {rmax} "
                             f"and {dmax}")
        self.momentum, self.rmax, self.dmax, self.warmup = momentum, rmax, dmax, tuple(warmup)
        for name in ("running_mean", "running_std"):
            self.register_buffer(name, made(num_features, device=device, dtype=dtype).data)
        self.register_buffer("num_batches_tracked", wrap(np.zeros((), np.int64), None))
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the running standard deviation to 1, the count to 0."""
        self.running_mean.fill_(0)
        self.running_std.fill_(1)
        self.num_batches_tracked.fill_(0)

    def reset_parameters(self) -> None:
        """Set weight to 1, bias to 0, and the statistics to their start."""
        super().reset_parameters()
        self.reset_running_stats()

    def limits(self) -> tuple[float, float]:
        """Return the present bounds of r and d: see the schedule `warmup`."""
        step = int(self.num_batches_tracked.item())
        start, r_end, d_end = self.warmup
        return (1 + (self.rmax - 1) * _progress(step, start, r_end),
                self.dmax * _progress(step, start, d_end))

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input; in training, move the running statistics."""
        _BatchNorm._check_input_dim(self, input)  # type: ignore[arg-type]
        check_channels(self, input, self.num_features, 1)
        if not self.training:
            return F.batch_norm(input, self.running_mean, self.running_std.square(), self.weight,
                                self.bias, False, 0.0, 0.0)
        check_several(type(self).__name__, input, self.num_features)
        r, d = self._correction(input)
        weight = r if self.weight is None else self.weight * r
        bias = d if self.weight is None or self.bias is None else self.weight * d + self.bias
        return F.batch_norm(input, None, None, weight, bias, True, 0.0, self.eps)

    @no_grad()
    def _correction(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Return r and d, constants for backward; then move the running statistics."""
        x = input._data.astype(np.float64, copy=False)
        axes = (0, *range(2, x.ndim))
        mean, std = x.mean(axes), np.sqrt(x.var(axes) + self.eps)
        old_mean, old_std = self.running_mean._data, self.running_std._data
        rmax, dmax = self.limits()
        r = np.clip(std / old_std, 1 / rmax, rmax).astype(old_std.dtype)
        d = np.clip((mean - old_mean) / old_std, -dmax, dmax).astype(old_std.dtype)
        for running, batch in ((self.running_mean, mean), (self.running_std, std)):
            running._data[...] += self.momentum * (batch - running._data)
            wrote(running, "batch_renorm")
        self.num_batches_tracked._data[...] += 1
        wrote(self.num_batches_tracked, "batch_renorm")
        return wrap(r, None), wrap(d, None)

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, rmax={self.rmax}, dmax={self.dmax}, warmup={self.warmup}")


def _progress(step: int, start: int, end: int) -> float:
    """Return 0 before `start`, 1 after `end`, and a straight line in between."""
    return float(step >= end) if end <= start else min(max((step - start) / (end - start), 0), 1)


class BatchRenorm1d(_BatchRenorm):
    """Batch renormalisation of (N, C) or (N, C, L); see BatchRenorm2d.

    >>> import minigrad as torch
    >>> BatchRenorm1d(1, eps=1e-9)(torch.tensor([[1.], [3.]])).data
    tensor([[-1.],
            [ 1.]])
    """

    _ranks = (2, 3)


class BatchRenorm2d(_BatchRenorm):
    """BatchNorm whose results in training are corrected towards the running statistics.

    With the batch's mean m and s = sqrt(biased var + eps), running mean M and standard deviation S:
    y = ((x - m) / s * r + d) * weight + bias,
    r = clip(s / S, 1 / R, R), d = clip((m - M) / S, -D, D), constants in backward; then
    M <- M + momentum * (m - M), S <- S + momentum * (s - S). Eval: (x - M) / S * weight + bias.
    Without the clips training and eval would agree. Ioffe, "Batch renormalization", 2017. For
    small batches and batches whose samples resemble each other.

    Args: num_features: C; eps 1e-3; momentum 0.01; affine True; device; dtype; rmax 3, dmax 5: the
    final R and D; warmup (5000, 40000, 25000): R = 1 and D = 0 (BatchNorm) up to the first batch
    number, then straight lines to rmax at the second and dmax at the third. Shape:
    (N, C, H, W). ValueError for one value per channel in training.
    The gradient is that of the paper: r and d count as constants, though they depend on x, so
    finite differences agree only where both are clipped.

    >>> import minigrad as torch
    >>> bn = BatchRenorm2d(3)
    >>> bn(torch.randn(4, 3, 8, 8)).shape, bn.limits()
    (torch.Size([4, 3, 8, 8]), (1.0, 0.0))
    """

    _ranks = (4,)


class BatchRenorm3d(_BatchRenorm):
    """Batch renormalisation of (N, C, D, H, W); see BatchRenorm2d.

    >>> import minigrad as torch
    >>> BatchRenorm3d(2)(torch.randn(4, 2, 3, 3, 3)).shape
    torch.Size([4, 2, 3, 3, 3])
    """

    _ranks = (5,)


class FrozenBatchNorm2d(Module):
    """BatchNorm with fixed statistics, weight and bias: a scale and shift per channel.

    y = (x - running_mean) / sqrt(running_var + eps) * weight + bias, all four buffers. For
    fine-tuning with batches too small for statistics, as He et al., "Deep residual learning for
    image recognition", 2015, do for detection. The names are torchvision's; it loads the state_dict
    of a BatchNorm2d.

    Args: num_features: C; eps 1e-5; device; dtype. Shape: (N, C, *), the same out.

    >>> import minigrad as torch
    >>> layer = FrozenBatchNorm2d(2, eps=0.)
    >>> layer, len(list(layer.parameters())), layer(torch.ones(1, 2, 1, 1)).flatten()
    (FrozenBatchNorm2d(2, eps=0.0), 0, tensor([1., 1.]))
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        self.num_features, self.eps = num_features, eps
        for name, start in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            buffer = made(num_features, device=device, dtype=dtype).data
            self.register_buffer(name, buffer.fill_(start))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Load; the count of batches of a BatchNorm2d is not needed."""
        state_dict.pop(prefix + "num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, input: Tensor) -> Tensor:
        """Return the scaled and shifted input."""
        check_channels(self, input, self.num_features, 1)
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias,
                            False, 0.0, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"
