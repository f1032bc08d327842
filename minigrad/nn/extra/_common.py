"""What the layers of this package share: shapes, checks, parameters per channel."""

from __future__ import annotations

from typing import Any

from ... import _check
from ..._dtype import float16, float32
from ...tensor import Tensor
from .. import init
from ..modules._make import made
from ..modules.module import Module
from ..parameter import Parameter


def wide(x: Tensor) -> Tensor:
    """Return float16 as float32, in which squares do not overflow; the others as they are."""
    return x.to(float32) if x.dtype == float16 else x


def floats(name: str, input: Any) -> None:
    """Refuse anything but a tensor of floating point numbers."""
    _check.floats(name, _check.tensor(input, name)._data)


def per_channel(value: Tensor, ndim: int, at: int) -> Tensor:
    """Return (C,) in the shape that multiplies dim `at` of a tensor of `ndim` dimensions."""
    return value.view(-1, *(1,) * (ndim - 1 - at % ndim))  # (C, 1, ...)


def check_channels(layer: Module, input: Tensor, channels: int, at: int, at_least: int = 2) -> None:
    """Refuse inputs that are not floating point, have too few dimensions or other channels."""
    name = type(layer).__name__
    floats(name, input)
    if input.ndim < at_least:
        raise ValueError(f"{name}: expected an input of at least {at_least} dimensions, got the "
                         f"shape {tuple(input.shape)}; unsqueeze(0) adds a batch")
    if input.shape[at] != channels:
        raise RuntimeError(f"{name}: expected {channels} channels in dim {at % input.ndim} of the "
                           f"input, got {input.shape[at]} (input shape {tuple(input.shape)}); make "
                           f"the layer for {input.shape[at]}, or permute the input")


def check_several(name: str, input: Tensor, channels: int) -> None:
    """Refuse a batch with one value per channel, whose variance would be 0."""
    if input._data.size == channels:
        raise ValueError(f"{name}: Expected more than 1 value per channel when training, got input "
                         f"size {list(input.shape)}: use a larger batch, or eval() mode")


def check_rank(layer: Module, input: Tensor, dims: int) -> int:
    """Return the channel dim of (N, C, *) or (C, *) with `dims` dimensions after the channels."""
    name = type(layer).__name__
    if _check.tensor(input, name).ndim not in (dims + 1, dims + 2):
        raise ValueError(f"{name}: expected {dims + 2}D (N, C, ...) or {dims + 1}D (C, ...) input, "
                         f"got {input.ndim}D of the shape {tuple(input.shape)}")
    return input.ndim - dims - 1


class ChannelNorm(Module):
    """Base of the norms with one weight and one bias per channel."""

    num_features: int
    eps: float
    affine: bool
    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, num_features: int, eps: float, affine: bool, device: Any,
                 dtype: Any) -> None:
        super().__init__()
        self.num_features, self.eps, self.affine = num_features, eps, affine
        for name in ("weight", "bias"):
            self.register_parameter(
                name, made(num_features, device=device, dtype=dtype) if affine else None)
        ChannelNorm.reset_parameters(self)

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.weight is not None and self.bias is not None:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def _scaled(self, y: Tensor, at: int = 1) -> Tensor:
        """Return y * weight + bias per channel of dim `at`."""
        if self.weight is None or self.bias is None:
            return y
        return y * per_channel(self.weight, y.ndim, at) + per_channel(self.bias, y.ndim, at)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, affine={self.affine}"
