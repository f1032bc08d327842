"""Norm and activation in one, found by search: EvoNorm; and a norm that mixes three others."""

from __future__ import annotations

from typing import Any

from ...ops.norm import blend
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..modules._make import made
from ..parameter import Parameter
from ._common import ChannelNorm, check_channels, check_several, per_channel, wide

__all__ = ["EvoNormB0", "EvoNormS0", "SwitchableNorm"]


class _EvoNorm(ChannelNorm):
    """Base: weight, bias, and v, which scales the input of the activation."""

    v: Parameter

    def __init__(self, num_features: int, eps: float, device: Any, dtype: Any) -> None:
        super().__init__(num_features, eps, True, device, dtype)
        self.v = made(num_features, device=device, dtype=dtype)
        init.ones_(self.v)

    def reset_parameters(self) -> None:
        """Set weight and v to 1, bias to 0."""
        super().reset_parameters()
        init.ones_(self.v)


class EvoNormB0(_EvoNorm):
    """Batch norm and activation in one: y = x / max(s, v * x + t) * weight + bias.

    s = sqrt(var + eps) of the channel in the batch (the running one in eval), t = sqrt(var + eps)
    of the channel in the sample, biased variances. Liu, Brock, Simonyan & Le, "Evolving
    normalization-activation layers", 2020. No ReLU follows. Large x become about 1 / v.

    Args: num_features: C; eps 1e-5; momentum 0.1: running <- (1 - momentum) * running + momentum *
    batch, with the unbiased variance as in BatchNorm; device; dtype. Shape: (N, C, *) with at least
    three dimensions, the same out. ValueError for other ranks, one value per channel in training.

    >>> import minigrad as torch
    >>> EvoNormB0(3)(torch.randn(4, 3, 8, 8)).shape
    torch.Size([4, 3, 8, 8])
    """

    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(num_features, eps, device, dtype)
        self.momentum = momentum
        self.register_buffer("running_var", made(num_features, device=device, dtype=dtype).data)
        self.running_var.fill_(1)

    def reset_parameters(self) -> None:
        """Set weight, v and the running variance to 1, bias to 0."""
        super().reset_parameters()
        self.running_var.fill_(1)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised and activated input; in training, move the running variance."""
        check_channels(self, input, self.num_features, 1, 3)
        x = wide(input)
        if self.training:
            check_several("EvoNormB0", input, self.num_features)
            batch = x.var((0, *range(2, x.ndim)), correction=0)  # (C,)
            count = x._data.size // self.num_features
            blend(self.running_var, batch._data * (count / (count - 1)), self.momentum)
        else:
            batch = self.running_var
        own = (x.var(tuple(range(2, x.ndim)), correction=0, keepdim=True) + self.eps).sqrt()
        low = per_channel((batch + self.eps).sqrt(), x.ndim, 1)
        y = x / low.maximum(per_channel(self.v, x.ndim, 1) * x + own)
        return self._scaled(y).to(input.dtype)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class EvoNormS0(_EvoNorm):
    """Group norm and activation in one: y = x * sigmoid(v * x) / s * weight + bias.

    s = sqrt(biased var + eps) over a group of channels of one sample. Liu, Brock, Simonyan & Le,
    "Evolving normalization-activation layers", 2020. No ReLU follows; like SiLU after GroupNorm,
    without subtracting the mean. The same in training and eval, for batches of any size.

    Args: num_features: C; groups 32, at most C (ValueError unless it divides C); eps 1e-5; device;
    dtype. Shape: (N, C, *), the same out.

    >>> import minigrad as torch
    >>> EvoNormS0(8, groups=4)(torch.randn(4, 8, 5, 5)).shape
    torch.Size([4, 8, 5, 5])
    """

    def __init__(self, num_features: int, groups: int = 32, eps: float = 1e-5, device: Any = None,
                 dtype: Any = None) -> None:
        groups = min(groups, num_features)
        if groups < 1 or num_features % groups:
            raise ValueError(f"EvoNormS0: num_features ({num_features}) must be divisible by "
                             f"groups ({groups})")
        super().__init__(num_features, eps, device, dtype)
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised and activated input."""
        check_channels(self, input, self.num_features, 1)
        x = wide(input)
        rows = x.reshape(x.shape[0], self.groups, -1)  # (N, G, C / G * space)
        std = (rows.var(2, correction=0, keepdim=True) + self.eps).sqrt()
        activated = x * (per_channel(self.v, x.ndim, 1) * x).sigmoid()
        y = (activated.reshape(rows.shape) / std).reshape(x.shape)
        return self._scaled(y).to(input.dtype)

    def extra_repr(self) -> str:
        return f"{self.num_features}, groups={self.groups}, eps={self.eps}"


class SwitchableNorm(ChannelNorm):
    """Mix instance, layer and batch statistics in learned shares.

    y = (x - mean) / sqrt(var + eps) * weight + bias, mean = sum of w_k mean_k, var = sum of w'_k
    var_k, k = instance, layer, batch; w = softmax(mean_weight), w' = softmax(var_weight); biased
    variances. Luo, Ren & Peng, "Differentiable learning-to-normalize via switchable normalization",
    2018. In eval the batch's statistics are running averages,
    running <- (1 - momentum) * running + momentum * batch, with the biased variance.

    Args: num_features: C; eps 1e-5; momentum 0.1 (torch's meaning; the authors write 0.9 for it);
    using_bn True: False mixes instance and layer only and keeps no running statistics; device;
    dtype. Shape: (N, C, *) with at least three dimensions (ValueError), the same out.

    >>> import minigrad as torch
    >>> layer = SwitchableNorm(3)
    >>> layer(torch.randn(4, 3, 8, 8)).shape, layer.mean_weight.data
    (torch.Size([4, 3, 8, 8]), tensor([1., 1., 1.]))
    """

    mean_weight: Parameter
    var_weight: Parameter
    running_mean: Tensor | None
    running_var: Tensor | None

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1,
                 using_bn: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(num_features, eps, True, device, dtype)
        self.momentum, self.using_bn = momentum, using_bn
        self.mean_weight = made(3 if using_bn else 2, device=device, dtype=dtype)
        self.var_weight = made(3 if using_bn else 2, device=device, dtype=dtype)
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, made(num_features, device=device, dtype=dtype).data
                                 if using_bn else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weights to 1, bias to 0, equal shares, and the statistics to their start."""
        super().reset_parameters()
        init.ones_(self.mean_weight)
        init.ones_(self.var_weight)
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input; in training, move the running statistics."""
        check_channels(self, input, self.num_features, 1, 3)
        x = wide(input).flatten(2)  # (N, C, L)
        mean, var = x.mean(2, True), x.var(2, correction=0, keepdim=True)  # (N, C, 1)
        means, variances = [mean], [var]
        # the variance of a union is the mean of the variances plus the variance of the means
        for dim in (1, 0) if self.using_bn and self.training else (1,):
            means.append(mean.mean(dim, True))
            variances.append(var.mean(dim, True) + mean.var(dim, correction=0, keepdim=True))
        if self.running_mean is not None and self.running_var is not None:
            if self.training:
                blend(self.running_mean, means[2]._data.reshape(-1), self.momentum)
                blend(self.running_var, variances[2]._data.reshape(-1), self.momentum)
            else:
                means.append(per_channel(self.running_mean, 3, 1))
                variances.append(per_channel(self.running_var, 3, 1))
        centre = _mixed(means, F.softmax(self.mean_weight, 0))
        y = (x - centre) / (_mixed(variances, F.softmax(self.var_weight, 0)) + self.eps).sqrt()
        return self._scaled(y.reshape(input.shape)).to(input.dtype)

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"using_bn={self.using_bn}")


def _mixed(values: list[Tensor], shares: Tensor) -> Tensor:
    """Return the sum of values in their shares."""
    total = values[0] * shares[0]
    for k, value in enumerate(values[1:], 1):
        total = total + value * shares[k]
    return total
