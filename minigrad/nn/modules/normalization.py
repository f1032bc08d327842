"""Layer, group, root-mean-square and local response normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._check import takes
from ...ops.response_norm import cross_map_lrn
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from ._make import made, make_affine, reset_affine
from .module import Module

__all__ = ["CrossMapLRN2d", "GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


def _shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(normalized_shape, int):
        return (normalized_shape,)
    if not hasattr(normalized_shape, "__iter__"):
        raise TypeError(f"normalized_shape: expected an int or a sequence of ints, not "
                        f"{type(normalized_shape).__name__} {normalized_shape!r}")
    return tuple(normalized_shape)


class LayerNorm(Module):
    """Normalise each sample over its last dimensions.

    y = (x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance over the dimensions
    of normalized_shape. Ba, Kiros & Hinton, "Layer normalization", 2016.

    Args: normalized_shape: the sizes of the last dimensions (a number: the last one only); eps
    1e-5; elementwise_affine True: learn weight (1 at first) and bias (0), one value per *element*
    of normalized_shape, shared by all samples; bias True. Shape: (*, normalized_shape), the same
    out. RuntimeError if the input's last sizes differ.
    Relation: GroupNorm(1, C) averages over the same values of (N, C, H, W) as
    LayerNorm([C, H, W]), but learns C values instead of C * H * W.

    >>> import minigrad as torch
    >>> torch.nn.LayerNorm(4, elementwise_affine=False)(torch.tensor([[0., 1., 2., 3.]]))
    tensor([[-1.3416, -0.4472,  0.4472,  1.3416]])
    """

    normalized_shape: tuple[int, ...]
    eps: float
    elementwise_affine: bool
    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5,
                 elementwise_affine: bool = True, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        self.normalized_shape = shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        affine = elementwise_affine
        make_affine(self, shape, affine, affine and bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        reset_affine(self)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        own = self._parameters  # attributes take long
        if "weight" in own and "bias" in own:
            return F.layer_norm(input, self.normalized_shape, own["weight"], own["bias"], self.eps)
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}")


class GroupNorm(Module):
    """Normalise each sample over groups of its channels.

    y = (x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance over the channels
    of a group and all positions. Wu & He, "Group normalization", 2018.

    Args: num_groups: it divides num_channels (ValueError); num_channels: C; eps 1e-5; affine True:
    learn weight (1 at first) and bias (0) per *channel*; bias True. Shape: (N, C, *), the same out.
    Relation: lies between InstanceNorm (num_groups = C) and LayerNorm (num_groups = 1). Eight
    channels in two groups are 1-4 and 5-8.

    >>> import minigrad as torch
    >>> torch.nn.GroupNorm(8, 64)(torch.randn(2, 64, 4, 4)).shape
    torch.Size([2, 64, 4, 4])
    """

    num_groups: int
    num_channels: int
    eps: float
    affine: bool
    weight: Parameter | None
    bias: Parameter | None

    @takes()
    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
                 device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__()
        if num_groups == 0:
            raise ZeroDivisionError("GroupNorm: num_groups must not be 0; 1 is one group of all "
                                    "channels")
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups "
                             f"({num_groups})")
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        make_affine(self, (num_channels,), affine, affine and bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        reset_affine(self)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        own = self._parameters  # attributes take long
        if "weight" in own and "bias" in own:
            return F.group_norm(input, self.num_groups, own["weight"], own["bias"], self.eps)
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


class RMSNorm(Module):
    """Divide each sample by its root mean square over the last dimensions.

    y = x / sqrt(mean(x^2) + eps) * weight. Zhang & Sennrich, "Root mean square layer
    normalization", 2019. Unlike LayerNorm it subtracts no mean and has no bias.

    Args: normalized_shape: see LayerNorm; eps: None means the smallest step above 1 of the dtype
    that it computes in (float32's for float16 input); elementwise_affine True.

    >>> import minigrad as torch
    >>> torch.nn.RMSNorm(2, elementwise_affine=False)(torch.tensor([3., 4.]))
    tensor([0.8485, 1.1314])
    """

    normalized_shape: tuple[int, ...]
    eps: float | None
    elementwise_affine: bool
    weight: Parameter | None

    def __init__(self, normalized_shape: int | Sequence[int], eps: float | None = None,
                 elementwise_affine: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter(
            "weight", made(*self.normalized_shape, device=device, dtype=dtype)
            if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}")


class LocalResponseNorm(Module):
    """Divide each value by a power of the mean square of its neighbours in other channels.

    y = x / (k + alpha * mean of x^2 over `size` channels around it) ** beta. Krizhevsky et al.,
    "ImageNet classification with deep convolutional neural networks", 2012 (who sum instead).

    Args: size; alpha 1e-4; beta 0.75; k 1. Shape: (N, C, *) with at least three dimensions.

    >>> import minigrad as torch
    >>> torch.nn.LocalResponseNorm(2, alpha=1., beta=1.)(torch.ones(1, 3, 1))
    tensor([[[0.6667],
             [0.5000],
             [0.5000]]])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(Module):
    """Divide each pixel by a power of the squares around it in other channels: an older form.

    y = x / (k + alpha / size * (sum of x^2 over the channels c with |c - own| < (size + 1) / 2, and
    over channel 0)) ** beta. Krizhevsky et al., 2012, as in Torch 7.
    Pitfall: channel 0 counts in every channel's sum, a slip in PyTorch's code that trained nets
    depend on; LocalResponseNorm has none. PyTorch's gradient is not the derivative, ours is.

    Args: size; alpha 1e-4; beta 0.75; k 1. Shape: (N, C, H, W), the same out; ValueError for other
    ranks.

    >>> import minigrad as torch
    >>> torch.nn.CrossMapLRN2d(1, alpha=1., beta=1.)(torch.ones(1, 2, 1, 1)).flatten()
    tensor([0.5000, 0.3333])
    """

    size: int
    alpha: float
    beta: float
    k: float

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return cross_map_lrn(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
