"""Subclasses of Tensor: how they are made, and what they get back from functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _dispatch, _dtype, engine
from ._format import format_tensor
from .engine import wrap
from .ops import create
from .reshaping import alias
from .versions import storage_of

ndarray = np.ndarray


class Subclasses:
    """Base of Tensor: see the module's docstring."""

    _data: ndarray
    requires_grad: Any
    grad_fn: Any
    grad: Any
    is_leaf: Any
    item: Any
    _shown_as: str  # what stands before the values; without it, the class's own name
    _is_param = False

    def __new__(cls, *args: Any, device: Any = None) -> Any:
        made = object.__new__(cls)
        made._data = create.legacy(args, _dtype.get_default_dtype(), device)
        return made

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if engine.Tensor is None:  # this is Tensor itself
            return
        dispatch = getattr(cls, "__torch_dispatch__", None)
        if dispatch is not None and dispatch is not _dispatch.disabled:
            raise NotImplementedError(
                f"{cls.__name__}: __torch_dispatch__ is not supported, because there is no "
                f"dispatcher below the functions; define __torch_function__")
        if cls.__torch_function__ is not _dispatch.disabled:
            _dispatch.install()

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run `func` for arguments of this class; its tensors become instances of the class.

        Subclasses override it and call this one by `super()`. It returns NotImplemented if an
        argument is of a class that this one does not come from.
        """
        return _dispatch.default(cls, func, types, args, kwargs)

    def as_subclass(self, cls: Any) -> Any:
        """Return the same memory and history as an instance of a subclass of Tensor.

        TypeError for a class that is none.
        """
        return recast(alias(self), _checked(cls))

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        own = vars(type(self)).get("_shown_as")
        text = format_tensor(
            self._data, requires_grad=self.requires_grad,
            grad_fn_name=None if self.grad_fn is None else self.grad_fn.name().rpartition("::")[2],
            prefix=(own or type(self).__name__) + "(")
        return text if own or not self._is_param else f"Parameter({text})"

    def __format__(self, spec: str) -> str:
        if type(self) is not engine.Tensor or self._data.ndim:
            return object.__format__(self, spec)
        return format(self.item(), spec)

    # ---- copies
    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self.is_leaf:
            raise RuntimeError("Only Tensors created explicitly by the user (graph leaves) support "
                               "the deepcopy protocol: this one is the result of "
                               f"{self.grad_fn.name()}; copy x.detach(), or use clone()")
        if id(self) not in memo:
            made = memo[id(self)] = rebuild(type(self), self._data.copy(order="K"),
                                             self.requires_grad, {})
            if self.grad is not None:
                made.grad = self.grad.__deepcopy__(memo)
            made.__dict__.update(_kept(self))
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return rebuild, (type(self), self._data, self.requires_grad, _kept(self))

    # ---- made of other tensors
    @staticmethod
    def _make_subclass(cls: Any, data: Any, require_grad: bool = False) -> Any:
        """Return the memory of `data` as a leaf of a subclass."""
        made = recast(wrap(data._data, None), _checked(cls))
        made._storage = storage_of(data)
        return made.requires_grad_() if require_grad else made

    @staticmethod
    def _make_wrapper_subclass(cls: Any, size: Any, **options: Any) -> Any:
        """Raise TypeError: a tensor without memory needs `__torch_dispatch__`."""
        raise TypeError(
            f"{_checked(cls).__name__} must define __torch_dispatch__, which minigrad does not "
            f"support: keep the inner tensor in an object of your own with __torch_function__")


def _kept(tensor: Any) -> dict[str, Any]:
    """Return the attributes that a user set, and whether a subclass is a parameter."""
    return {k: v for k, v in vars(tensor).items() if k[0] != "_" or k == "_is_param"}


def rebuild(kind: type, array: Any, requires_grad: bool, kept: dict[str, Any]) -> Any:
    """Make a tensor again from what pickle or deepcopy kept."""
    made = recast(wrap(array, None), kind)
    if requires_grad:
        with _dispatch.DisableTorchFunctionSubclass():
            made.requires_grad_()
    vars(made).update(kept)
    return made


def recast(made: Any, cls: Any) -> Any:
    """Turn a tensor that nobody else holds into an instance of a subclass."""
    try:
        made.__class__ = cls
    except TypeError:  # a class with __slots__: other objects
        state = vars(made)
        made = object.__new__(cls)
        vars(made).update(state)
    return made


def _checked(cls: Any) -> Any:
    if not isinstance(cls, type):
        raise TypeError(f"cls must be a type (got {type(cls).__name__})")
    if not issubclass(cls, Subclasses):
        raise TypeError(f"Creating a Tensor subclass from a class that does not inherit from "
                        f"Tensor is not possible: got {cls!r}")
    return cls
