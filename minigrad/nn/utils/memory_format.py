"""Memory formats of the weights of convolutions."""

from __future__ import annotations

from typing import TypeVar

from ..._check import asked_format
from ..._device import memory_format
from ...modes import no_grad
from ..modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from ..modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]

M = TypeVar("M", bound=Module)
_Format = memory_format  # `memory_format` is a parameter name below


def convert_conv2d_weight_memory_format(module: M, memory_format: _Format) -> M:
    """Lay out the weights of all Conv2d and ConvTranspose2d inside in this order, in place.

    Results are the same, and no faster: the kernels lay out what they multiply themselves.

    >>> import minigrad as torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3))
    >>> net = torch.nn.utils.convert_conv2d_weight_memory_format(net, torch.channels_last)
    >>> net[0].weight.stride()
    (18, 1, 6, 2)
    """
    return _converted(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: M, memory_format: _Format) -> M:
    """Do the same for all Conv3d and ConvTranspose3d, whose format is `torch.channels_last_3d`."""
    return _converted(module, memory_format, (Conv3d, ConvTranspose3d))


def _converted(module: M, memory_format: _Format, kinds: tuple[type, ...]) -> M:
    asked_format(memory_format)
    for layer in module.modules():
        if isinstance(layer, kinds):
            with no_grad():
                weight = layer.weight.detach().clone(memory_format=memory_format)
            layer.weight.data = weight
    return module
