"""Norms and scalings that use one sample at a time: the same in training and in eval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..modules._make import made
from ..modules.module import Module
from ..modules.normalization import _shape
from ..parameter import Parameter
from . import functional as X
from ._common import ChannelNorm, check_channels, check_rank, floats, per_channel, wide

__all__ = ["GRN", "TLU", "DyT", "FilterResponseNorm", "LayerNorm1d", "LayerNorm2d", "LayerNorm3d",
           "LayerScale", "ScaleNorm", "SimpleRMSNorm"]


class _LayerNormNd(ChannelNorm):
    """Layer normalisation over the channels of each position."""

    dims = 0

    def __init__(self, num_channels: int, eps: float = 1e-6, affine: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(num_channels, eps, affine, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        at = check_rank(self, input, self.dims)
        check_channels(self, input, self.num_features, at)
        last = input.movedim(at, -1)  # (N, *, C): what LayerNorm takes
        y = F.layer_norm(last, (self.num_features,), self.weight, self.bias, self.eps)
        return y.movedim(-1, at)


class LayerNorm1d(_LayerNormNd):
    """Normalise each position of (N, C, L) or (C, L) over its channels; see LayerNorm2d.

    >>> import minigrad as torch
    >>> LayerNorm1d(2, affine=False)(torch.tensor([[[1.], [3.]]]))
    tensor([[[-1.0000],
             [ 1.0000]]])
    """

    dims = 1


class LayerNorm2d(_LayerNormNd):
    """Normalise each pixel over its channels, as the ConvNeXt and Swin nets do.

    y = (x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) var over C at one pixel.
    Liu et al., "A ConvNet for the 2020s", 2022.

    Args: num_channels: C; eps 1e-6; affine True: weight (1) and bias (0) per channel; device;
    dtype. Shape: (N, C, H, W) or (C, H, W), the same out. ValueError for other ranks, RuntimeError
    for another C.
    Relation: LayerNorm(C) on (N, H, W, C). It is *not* GroupNorm(1, C) or LayerNorm([C, H, W]),
    which average over the pixels as well.

    >>> import minigrad as torch
    >>> LayerNorm2d(2, affine=False)(torch.tensor([[[[1., 10.]], [[3., 30.]]]]))
    tensor([[[[-1.0000, -1.0000]],
    <BLANKLINE>
             [[ 1.0000,  1.0000]]]])
    """

    dims = 2


class LayerNorm3d(_LayerNormNd):
    """Normalise each voxel of (N, C, D, H, W) or (C, D, H, W) over its channels; see LayerNorm2d.

    >>> import minigrad as torch
    >>> LayerNorm3d(2)(torch.randn(1, 2, 3, 3, 3)).shape
    torch.Size([1, 2, 3, 3, 3])
    """

    dims = 3


class GRN(Module):
    """Let channels compete: x + weight * (x * n) + bias, n = g / (mean of g over channels + eps).

    g is the Euclidean norm of a sample's channel over all positions. Woo et al., "ConvNeXt V2",
    2023 (global response normalisation). weight and bias start at 0: the layer starts as the
    identity. ConvNeXt V2 puts it after the GELU of each block, instead of LayerScale.

    Args: dim: C; eps 1e-6; channels_last True: input (N, *, C), else (N, C, *); device; dtype.
    RuntimeError for another C. No mean is subtracted.

    >>> import minigrad as torch
    >>> GRN(3)(torch.ones(1, 2, 2, 3)).shape
    torch.Size([1, 2, 2, 3])
    """

    weight: Parameter
    bias: Parameter

    def __init__(self, dim: int, eps: float = 1e-6, channels_last: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        self.dim, self.eps, self.channels_last = dim, eps, channels_last
        self.weight = made(dim, device=device, dtype=dtype)
        self.bias = made(dim, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight and bias to 0."""
        init.zeros_(self.weight)
        init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with its strong channels made stronger."""
        check_channels(self, input, self.dim, -1 if self.channels_last else 1)
        return X.global_response_norm(input, self.weight, self.bias, self.eps, self.channels_last)

    def extra_repr(self) -> str:
        return f"{self.dim}, eps={self.eps}, channels_last={self.channels_last}"


class LayerScale(Module):
    """Multiply each channel by a learned number that starts near 0.

    y = gamma * x. Touvron et al., "Going deeper with image Transformers", 2021. Last in the branch
    of a residual block, which so begins as nearly the identity.

    Args: dim: C; init_values 1e-5; inplace False; channels_last True: input (*, C), else (N, C, *);
    device; dtype. RuntimeError for another C.

    >>> import minigrad as torch
    >>> LayerScale(2, 0.5)(torch.ones(2)).data
    tensor([0.5000, 0.5000])
    """

    gamma: Parameter

    def __init__(self, dim: int, init_values: float = 1e-5, inplace: bool = False,
                 channels_last: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.dim, self.init_values = dim, init_values
        self.inplace, self.channels_last = inplace, channels_last
        self.gamma = made(dim, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set gamma to init_values."""
        init.constant_(self.gamma, self.init_values)

    def forward(self, input: Tensor) -> Tensor:
        """Return the scaled input."""
        at = -1 if self.channels_last else 1
        check_channels(self, input, self.dim, at, 1 if self.channels_last else 2)
        gamma = per_channel(self.gamma, input.ndim, at)
        return input.mul_(gamma) if self.inplace else input * gamma

    def extra_repr(self) -> str:
        return (f"{self.dim}, init_values={self.init_values}, inplace={self.inplace}, "
                f"channels_last={self.channels_last}")


class ScaleNorm(Module):
    """Scale the last dimension to a learned length: y = scale * x / max(norm of x, eps).

    Nguyen & Salazar, "Transformers without tears", 2019, who start with scale = sqrt(C).

    Args: scale: the length at first; eps 1e-5; device; dtype. Shape: (*, C).
    Relation: with scale = sqrt(C) it is RMSNorm(C) with one number for a weight.

    >>> import minigrad as torch
    >>> ScaleNorm(10.)(torch.tensor([3., 4.])).data
    tensor([6., 8.])
    """

    scale: Parameter

    def __init__(self, scale: float, eps: float = 1e-5, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        self.eps, self._start = eps, scale
        self.scale = made(device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set scale to its start."""
        init.constant_(self.scale, self._start)

    def forward(self, input: Tensor) -> Tensor:
        """Return the scaled input."""
        return X.scale_norm(input, self.scale, self.eps)

    def extra_repr(self) -> str:
        return f"{self._start}, eps={self.eps}"


class SimpleRMSNorm(Module):
    """Divide by the root mean square over the last dimensions; nothing is learned.

    y = x / sqrt(mean(x^2) + eps). Qin et al., "Scaling TransNormer to 175 billion parameters",
    2023. It is RMSNorm with elementwise_affine=False. Args: normalized_shape: the sizes of the
    last dimensions; eps 1e-6. Shape: (*, normalized_shape); RuntimeError if they differ.

    >>> import minigrad as torch
    >>> SimpleRMSNorm(2)(torch.tensor([1., 7.]))
    tensor([0.2000, 1.4000])
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-6) -> None:
        super().__init__()
        self.normalized_shape, self.eps = _shape(normalized_shape), eps

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.rms_norm(input, self.normalized_shape, None, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


class DyT(Module):
    """Squash instead of normalising: y = weight * tanh(alpha * x) + bias.

    Zhu, Chen, He, LeCun & Liu, "Transformers without normalization", 2025 (dynamic tanh). alpha is
    one learned number; weight (1 at first) and bias (0) are per element of normalized_shape. No
    mean, no variance: each element is on its own.

    Args: normalized_shape: as in LayerNorm; alpha_init_value 0.5 (less for the attention of wide
    language models); channels_last True, else the channels are dim 1 of (N, C, *) and
    normalized_shape is C; device; dtype. RuntimeError for other sizes.

    >>> import minigrad as torch
    >>> DyT(2)(torch.tensor([0., 2.])).data
    tensor([0.0000, 0.7616])
    """

    alpha: Parameter
    weight: Parameter
    bias: Parameter

    def __init__(self, normalized_shape: int | Sequence[int], alpha_init_value: float = 0.5,
                 channels_last: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.normalized_shape = shape = _shape(normalized_shape)
        self.alpha_init_value, self.channels_last = alpha_init_value, channels_last
        if not channels_last and len(shape) != 1:
            raise ValueError(f"DyT: with channels_last=False normalized_shape is the number of "
                             f"channels, but got {shape}")
        self.alpha = made(1, device=device, dtype=dtype)
        self.weight = made(*shape, device=device, dtype=dtype)
        self.bias = made(*shape, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set alpha to its start, weight to 1, bias to 0."""
        init.constant_(self.alpha, self.alpha_init_value)
        init.ones_(self.weight)
        init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return weight * tanh(alpha * input) + bias."""
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        shape = self.normalized_shape
        if not self.channels_last:
            check_channels(self, input, shape[0], 1)
            weight, bias = (per_channel(v, input.ndim, 1) for v in (weight, bias))
        floats("DyT", input)
        if self.channels_last and tuple(input.shape[-len(shape):]) != shape:
            raise RuntimeError(f"DyT: expected an input whose last dimensions are {list(shape)}, "
                               f"got the shape {tuple(input.shape)}")
        return (self.alpha * input).tanh() * weight + bias

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, alpha_init_value={self.alpha_init_value}, "
                f"channels_last={self.channels_last}")


class FilterResponseNorm(ChannelNorm):
    """Divide each channel of each sample by its root mean square over all positions.

    y = x / sqrt(mean(x^2) + eps) * weight + bias. Singh & Krishnan, "Filter response normalization
    layer", 2020. Put TLU after it instead of ReLU: no mean is subtracted, so results may lie far
    from 0.

    Args: num_features: C; eps 1e-6; learnable_eps False: add |eps_l|, learned from 1e-4 on, needed
    where channels have one or few positions (there y would be the sign of x); device; dtype.
    Shape: (N, C, *) with at least three dimensions (ValueError). RuntimeError for another C.

    >>> import minigrad as torch
    >>> FilterResponseNorm(1)(torch.tensor([[[1., 7.]]])).data
    tensor([[[0.2000, 1.4000]]])
    """

    eps_l: Parameter | None

    def __init__(self, num_features: int, eps: float = 1e-6, learnable_eps: bool = False,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(num_features, eps, True, device, dtype)
        self.learnable_eps = learnable_eps
        self.register_parameter(
            "eps_l", made(1, device=device, dtype=dtype) if learnable_eps else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1, bias to 0 and the learned part of eps to 1e-4."""
        super().reset_parameters()
        if self.eps_l is not None:
            init.constant_(self.eps_l, 1e-4)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        check_channels(self, input, self.num_features, 1, 3)
        rows = input.flatten(2)  # (N, C, L)
        if self.eps_l is None:
            y = F.rms_norm(rows, (rows.shape[2],), None, self.eps)  # one fused op
        else:
            rows = wide(rows)
            square = (rows * rows).mean(2, True)
            y = rows / (square + (self.eps_l.abs() + self.eps)).sqrt()
        return self._scaled(y.reshape(input.shape)).to(input.dtype)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, learnable_eps={self.learnable_eps}"


class TLU(Module):
    """Return max(x, tau) with a learned threshold tau per channel, 0 at first.

    Singh & Krishnan, "Filter response normalization layer", 2020 (thresholded linear unit). At the
    start it is ReLU. Args: num_features: C; device; dtype. Shape: (N, C, *).

    >>> import minigrad as torch
    >>> TLU(1)(torch.tensor([[-1.], [2.]])).data
    tensor([[0.],
            [2.]])
    """

    tau: Parameter

    def __init__(self, num_features: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_features = num_features
        self.tau = made(num_features, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set tau to 0."""
        init.zeros_(self.tau)

    def forward(self, input: Tensor) -> Tensor:
        """Return max(input, tau)."""
        check_channels(self, input, self.num_features, 1)
        return input.maximum(per_channel(self.tau, input.ndim, 1))

    def extra_repr(self) -> str:
        return f"{self.num_features}"
