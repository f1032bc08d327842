"""PowerNorm: batch normalisation for Transformers, with the paper's approximate backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.function import Function, once_differentiable
from ...engine import wrap
from ...tensor import Tensor
from ...views import wrote
from ..modules._make import made
from ._common import ChannelNorm, check_channels, wide

__all__ = ["PowerNorm"]


class _RunningPower(Function):
    """Divide by the running root mean square; backward corrects by a running average.

    The derivative through a running average would need all earlier batches. The paper (algorithm
    2) approximates it: with g the gradient of xhat = x / psi, both means over the batch,
        dx = (g - nu * xhat) / psi
        nu <- nu * (1 - (1 - alpha) * mean(xhat^2)) + (1 - alpha) * mean(g * xhat)
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, psi: Tensor, nu: Tensor, alpha: float) -> Tensor:
        """Return x / psi."""
        y = x / psi
        ctx.save_for_backward(y, psi)
        ctx.nu, ctx.alpha = nu, alpha
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Any:
        """Return the approximate gradient of x, and move nu."""
        y, psi = ctx.saved_tensors
        nu = ctx.nu
        dx = (g - nu.to(g.dtype) * y) / psi
        batch = tuple(range(g.ndim - 1))
        both = [(v * y).mean(batch)._data for v in (y, g)]
        share = 1 - ctx.alpha
        nu._data[...] = nu._data * (1 - share * both[0]) + share * both[1]
        wrote(nu, "power_norm")
        return dx, None, None, None


class PowerNorm(ChannelNorm):
    """Divide each channel by a running root mean square: BatchNorm for Transformers.

    With P = mean(x^2) of each channel over the batch and running Q, t counting batches,
    warm-up (t <= warmup_iters): y = x / sqrt(P + eps) * weight + bias, then Q <- Q + (P - Q) / t;
    after it: y = x / sqrt(Q + eps) * weight + bias, then Q <- alpha_fwd * Q + (1 - alpha_fwd) * P;
    eval: y = x / sqrt(Q + eps) * weight + bias. Shen, Yao, Gholami, Mahoney & Keutzer, "PowerNorm:
    rethinking batch normalization in Transformers", 2020.

    Backward in the warm-up is the exact derivative. After it, it is *not* the derivative but the
    paper's approximation: with xhat = x / sqrt(Q + eps) and g its gradient,
    dx = (g - nu * xhat) / sqrt(Q + eps); then, in every backward,
    nu <- nu * (1 - (1 - alpha_bkw) * mean(xhat^2)) + (1 - alpha_bkw) * mean(g * xhat).
    So gradcheck fails there, and a second derivative raises RuntimeError.

    Args: num_features: C; eps 1e-5; alpha_fwd 0.9; alpha_bkw 0.9; affine True; warmup_iters 10000;
    device; dtype. Shape: (*, C), at least two dimensions: the channels are last. RuntimeError for
    another C. The group scaling that the authors' class can put before it is not included.

    >>> import minigrad as torch
    >>> PowerNorm(1, affine=False)(torch.tensor([[1.], [7.]]))
    tensor([[0.2000],
            [1.4000]])
    """

    running_phi: Tensor
    ema_gz: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, alpha_fwd: float = 0.9,
                 alpha_bkw: float = 0.9, affine: bool = True, warmup_iters: int = 10000,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(num_features, eps, affine, device, dtype)
        self.alpha_fwd, self.alpha_bkw, self.warmup_iters = alpha_fwd, alpha_bkw, warmup_iters
        for name in ("running_phi", "ema_gz"):
            self.register_buffer(name, made(num_features, device=device, dtype=dtype).data)
        self.register_buffer("num_batches_tracked", wrap(np.zeros((), np.int64), None))
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Set the running square to 1, the running gradient and the count to 0."""
        self.running_phi.fill_(1)
        self.ema_gz.fill_(0)
        self.num_batches_tracked.fill_(0)

    def reset_parameters(self) -> None:
        """Set weight to 1, bias to 0, and the statistics to their start."""
        super().reset_parameters()
        self.reset_running_stats()

    def forward(self, input: Tensor) -> Tensor:
        """Return the scaled input; in training, move the running statistics."""
        check_channels(self, input, self.num_features, -1)
        x = wide(input)
        root = (self.running_phi + self.eps).sqrt().to(x.dtype)  # before this batch moves it
        if not self.training:
            y = x / root
        else:
            power = (x * x).mean(tuple(range(x.ndim - 1)))  # (C,)
            if self._moved(power._data) <= self.warmup_iters:
                y = x / (power + self.eps).sqrt()
            else:
                y = _RunningPower.apply(x, root, self.ema_gz, self.alpha_bkw)
        return self._scaled(y, -1).to(input.dtype)

    def _moved(self, power: np.ndarray) -> int:
        """Count a batch, move the running square, and return the count."""
        self.num_batches_tracked._data[...] += 1
        wrote(self.num_batches_tracked, "power_norm")
        count = int(self.num_batches_tracked.item())
        share = 1 / count if count <= self.warmup_iters else 1 - self.alpha_fwd
        self.running_phi._data[...] += share * (power - self.running_phi._data)
        wrote(self.running_phi, "power_norm")
        return count

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, alpha_fwd={self.alpha_fwd}, "
                f"alpha_bkw={self.alpha_bkw}, affine={self.affine}, "
                f"warmup_iters={self.warmup_iters}")
