"""Memory formats of convolution weights: every layout but the standard one is refused."""

from __future__ import annotations

from typing import TypeVar

from ..._device import check_memory_format, memory_format
from ..modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]

M = TypeVar("M", bound=Module)
_Format = memory_format  # `memory_format` is a parameter name below


def convert_conv2d_weight_memory_format(module: M, memory_format: _Format) -> M:
    """Return the module: its weights are row-major, as `torch.contiguous_format` asks for.

    RuntimeError for channels_last: NumPy's products of matrices would gain nothing from it.
    """
    check_memory_format(memory_format)
    return module


def convert_conv3d_weight_memory_format(module: M, memory_format: _Format) -> M:
    """Do what `convert_conv2d_weight_memory_format` does."""
    return convert_conv2d_weight_memory_format(module, memory_format)
