"""The names of PyTorch's core that programs with `__torch_function__` use."""

from __future__ import annotations

from ._dispatch import (
    DisableTorchFunction,
    DisableTorchFunctionSubclass,
    _disabled_torch_function_impl,
)

_disabled_torch_dispatch_impl = _disabled_torch_function_impl

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass",
           "_disabled_torch_dispatch_impl", "_disabled_torch_function_impl"]
