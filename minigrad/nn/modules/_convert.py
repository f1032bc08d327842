"""Changing all tensors of a module at once: dtypes, gradients, training mode."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ... import _dtype
from ..._check import asked_format
from ..._device import device, memory_format, to_device
from ...modes import no_grad
from ...ops.fill import empty_like
from ...tensor import Tensor
from ..parameter import Parameter, is_lazy
from ._tree import Tree

M = TypeVar("M", bound="Convert")


class Convert(Tree):
    """The part of Module that changes everything inside it."""

    training: bool

    def _apply(self: M, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> M:
        """Replace the memory of every parameter, gradient and buffer by `fn` of it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for param in self._parameters.values():
                if param is not None:
                    _replace(param, fn)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def apply(self: M, fn: Callable[[Any], Any]) -> M:
        """Call `fn(module)` for every module inside, then for this one; return the module.

        >>> import minigrad.nn as nn
        >>> net = nn.Sequential(nn.Linear(2, 2)).apply(lambda m: print(type(m).__name__))
        Linear
        Sequential
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def to(self: M, *args: Any, **kwargs: Any) -> M:
        """Convert floating point parameters and buffers to a dtype, in place.

        Args: a dtype, a device ('cpu' is the only one), both, or a tensor to take the dtype from;
        `non_blocking`; `memory_format` of parameters and buffers with 4 or 5 dimensions. TypeError
        for integer dtypes.
        """
        target, asked = _target(*args, **kwargs)
        if target is None and asked is None:
            return self
        if target is not None and not target.is_floating_point:
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got desired "
                            f"dtype={target}")

        def convert(t: Tensor) -> Tensor:
            dtype = target if t.is_floating_point() else None
            if asked is None or t.dim() not in (4, 5):  # lazy parameters have no dim() yet
                return t.to(dtype=dtype)  # type: ignore[no-any-return]
            return t.to(dtype=dtype, memory_format=asked)  # type: ignore[no-any-return]

        return self._apply(convert)

    def to_empty(self: M, *, device: device | str | None, recurse: bool = True) -> M:
        """Replace all parameters and buffers by uninitialised memory of the same shapes.

        Args: device: 'cpu' or None; recurse: also in the modules inside, default True.
        """
        to_device(device)
        return self._apply(empty_like, recurse=recurse)

    def type(self: M, dst_type: _dtype.dtype | str) -> M:
        """Convert all parameters and buffers, integer ones too, to a dtype (or a tensor type's
        name, such as 'torch.DoubleTensor').
        """
        return self._apply(lambda t: t.type(dst_type))

    def float(self: M) -> M:
        """Convert floating point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self: M) -> M:
        """Convert floating point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self: M) -> M:
        """Convert floating point parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self: M) -> M:
        """Raise RuntimeError: NumPy has no bfloat16."""
        raise RuntimeError("bfloat16: NumPy has no such dtype; use half() (float16), float() or "
                           "double()")

    def cpu(self: M) -> M:
        """Return the module: everything is on the CPU."""
        return self

    def cuda(self: M, device: int | device | None = None) -> M:
        """Raise AssertionError: minigrad computes on the CPU."""
        raise _absent("cuda")

    def ipu(self: M, device: int | device | None = None) -> M:
        """Raise RuntimeError: minigrad computes on the CPU."""
        raise RuntimeError("ipu: minigrad computes on the CPU only; drop the call")

    def mtia(self: M, device: int | device | None = None) -> M:
        """Raise AssertionError: minigrad computes on the CPU."""
        raise _absent("mtia")

    def xpu(self: M, device: int | device | None = None) -> M:
        """Raise AssertionError: minigrad computes on the CPU."""
        raise _absent("xpu")

    def share_memory(self: M) -> M:
        """Raise RuntimeError: other processes cannot see a NumPy array's memory.

        Threads of this process share every tensor already, and a forked child has a copy.
        """
        raise RuntimeError("share_memory: a module's arrays cannot be moved into memory that other "
                           "processes see; use threads, which share them already, or send the "
                           "state_dict")

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Say for all parameters whether gradients are wanted; False freezes them."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or (False) fill them with zeros."""
        for param in self.parameters():
            grad = param.grad
            if grad is None:
                continue
            if set_to_none:
                param.grad = None
            else:
                if grad.grad_fn is not None:
                    param.grad = grad = grad.detach()
                grad.requires_grad_(False)
                grad.zero_()

    # ---- modes
    def train(self: M, mode: bool = True) -> M:
        """Set training mode for this module and all inside it: dropout on, batch statistics."""
        if not isinstance(mode, bool):
            raise ValueError(f"training mode is expected to be boolean, got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: M) -> M:
        """Set evaluation mode: `train(False)`. It does not switch off gradients: see `no_grad`."""
        return self.train(False)

    def evaluating(self: M) -> _Evaluating[M]:
        """Return a context manager and decorator: eval mode inside, each own mode restored after.

        >>> import minigrad.nn as nn
        >>> net = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
        >>> with net.evaluating() as model:
        ...     model[0].training
        False
        >>> net[0].training, net[1].training
        (True, False)
        """
        return _Evaluating(self)


class _Evaluating(contextlib.ContextDecorator, Generic[M]):
    """See `Convert.evaluating`."""

    def __init__(self, module: M) -> None:
        self.module = module
        self._stack: list[list[tuple[Any, bool]]] = []

    def __enter__(self) -> M:
        self._stack.append([(module, module.training) for module in self.module.modules()])
        self.module.eval()
        return self.module

    def __exit__(self, *exc: object) -> None:
        for module, training in self._stack.pop():
            module.training = training


def _replace(param: Parameter, fn: Callable[[Tensor], Tensor]) -> None:
    """Give a parameter and its gradient the memory that `fn` returns; it stays the same object."""
    grad = None if is_lazy(param) else param.grad
    param.data = fn(param)
    if grad is not None:
        grad.data = fn(grad)


def _absent(what: str) -> AssertionError:
    return AssertionError(f"Torch not compiled with {what.upper()} enabled: minigrad computes on "
                          f"the CPU only; drop {what}()")


def _target(*args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False,
            memory_format: memory_format | None = None) -> Any:
    """Return the dtype and memory format that the arguments of `to` ask for, None for no change."""
    for arg in args:
        if isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, _dtype.dtype):
            dtype = arg
        elif arg is not None and not isinstance(arg, bool):
            device = arg
    to_device(device)
    return dtype, asked_format(memory_format)
