"""The handle that registering a hook returns, under PyTorch's module name."""

from ..autograd.graph import RemovableHandle

__all__ = ["RemovableHandle"]
