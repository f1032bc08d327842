"""`Parameter` and `Buffer`: the tensors that a Module registers when they are assigned to it.

Their uninitialised forms, which lazy modules hold until the first call, know a dtype but no shape.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _dtype
from .._device import device as Device
from .._device import to_device
from .._dispatch import disabled
from ..engine import wrap
from ..ops.create import empty
from ..tensor import Tensor
from ..versions import storage_of

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


def is_lazy(param: Any) -> bool:
    """Tell whether a parameter or buffer still waits for its shape (see `LazyModuleMixin`)."""
    return isinstance(param, UninitializedTensorMixin)


class _ParameterMeta(type(Tensor)):  # type: ignore[misc]
    """Make `isinstance(t, Parameter)` true for parameters that keep a class of their own."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Parameter and isinstance(instance, Tensor) and instance._is_param)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """Mark a tensor as something that training changes: a Module lists it in `parameters()`.

    Args: data: the tensor whose memory the parameter shares; default an empty one.
    requires_grad: whether gradients are wanted; True needs a floating point dtype (RuntimeError).
    A parameter of a subclass of Tensor is an instance of that class, and of Parameter.
    Copies (`copy.deepcopy`, pickle) keep the values, not the gradient.

    >>> import minigrad as torch
    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __torch_function__ = disabled
    _shown_as = "tensor"
    _is_param = True

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, got {type(data).__name__}; convert "
                            f"it with torch.tensor first")
        if type(data).__torch_function__ not in (disabled, Tensor.__torch_function__):
            return _of_subclass(data, requires_grad)
        made = object.__new__(cls)
        made._data = data._data
        made._storage = storage_of(data)
        return made.requires_grad_() if requires_grad else made

    def __repr__(self) -> str:  # type: ignore[override]
        return "Parameter containing:\n" + super().__repr__()

    def __format__(self, spec: str) -> str:
        return super().__format__(spec) if spec else repr(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            copied = wrap(self._data.copy(order="K"), None)
            memo[id(self)] = Parameter.__new__(type(self), copied, self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _rebuild_parameter, (type(self), wrap(self._data, None), self.requires_grad,
                                    _public(self))


def _of_subclass(data: Tensor, requires_grad: bool) -> Any:
    """Return a parameter that is an instance of the class of `data`."""
    made: Any = data.detach().requires_grad_(requires_grad)
    if type(made) is not type(data):
        raise RuntimeError(f"Parameter: detach() of {type(data).__name__} returned an instance of "
                           f"{type(made).__name__}; for a parameter that keeps its class it must "
                           f"return one of the same class")
    made._is_param = True
    return made


def _public(tensor: Any) -> dict[str, Any]:
    """Return the attributes that a user set."""
    return {key: value for key, value in vars(tensor).items() if not key.startswith("_")}


def _rebuild_parameter(kind: type[Parameter], data: Tensor, requires_grad: bool,
                       kept: dict[str, Any]) -> Parameter:
    made: Any = Parameter.__new__(kind, data, requires_grad)
    vars(made).update(kept)
    return made


class _BufferMeta(type(Tensor)):  # type: ignore[misc]
    """Make `isinstance(t, Buffer)` true for the tensors that `Buffer(...)` returned."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and "persistent" in vars(instance)


class Buffer(Tensor, metaclass=_BufferMeta):
    """Return a tensor that a Module registers as a buffer when it is assigned to it.

    Args: data: the tensor whose memory the buffer shares; default an empty one.
    persistent: whether `state_dict` contains it; default True.

    >>> import minigrad as torch
    >>> m = torch.nn.Module()
    >>> m.scale = torch.nn.Buffer(torch.ones(2))
    >>> list(m.state_dict())
    ['scale']
    """

    persistent: bool
    __torch_function__ = disabled

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        made: Any = (empty(0) if data is None else data).detach()
        if data is not None and data.requires_grad:
            made.requires_grad_()
        made._is_buffer = True  # so that PyTorch knows it in a file; copies keep `persistent` only
        made.persistent = persistent
        return made


class UninitializedTensorMixin:
    """The part that a parameter and a buffer without a shape share.

    It has a dtype and says whether it wants a gradient. Everything that needs values raises
    ValueError, `shape` RuntimeError, until `materialize` is called.
    """

    cls_to_become: type[Any] = Tensor
    _kind: _dtype.dtype
    _wanted: bool
    __torch_function__ = disabled

    def __new__(cls, *args: Any, **options: Any) -> Any:
        return object.__new__(cls)

    def __init__(self, requires_grad: bool, device: Device | str | None,
                 dtype: _dtype.dtype | None) -> None:
        to_device(device)
        self._kind = _dtype.get_default_dtype() if dtype is None else _dtype.to_dtype(dtype)
        self.requires_grad_(requires_grad)

    @property
    def _data(self) -> Any:
        raise ValueError("Attempted to use an uninitialized parameter: its shape is known after "
                         "the first call of its lazy module. Call the module with a dummy batch "
                         "first, or materialize(shape)")

    @property
    def shape(self) -> Any:
        """Raise RuntimeError: the shape is not known yet."""
        raise RuntimeError("Can't access the shape of an uninitialized parameter or buffer: it is "
                           "known after the first call of its lazy module. A lazy module's "
                           "state_dict from before that call loads only into another such module")

    @property
    def dtype(self) -> _dtype.dtype:
        """The element type that the values will have."""
        return self._kind

    @property
    def data(self: Any) -> Any:
        """The parameter itself: there is no memory to share."""
        return self

    @data.setter
    def data(self, value: Any) -> None:
        self._kind = value.dtype

    @property
    def requires_grad(self) -> bool:
        """Whether the values will want a gradient."""
        return self._wanted

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    is_leaf = True

    def requires_grad_(self: Any, requires_grad: bool = True) -> Any:
        """Say whether the values will want a gradient."""
        if requires_grad and not self._kind.is_floating_point:
            raise RuntimeError("only Tensors of floating point dtype can require gradients, not "
                               f"{self._kind}")
        self._wanted = requires_grad
        return self

    def is_floating_point(self) -> bool:
        """Tell whether the values will be floats."""
        return self._kind.is_floating_point

    def is_complex(self) -> bool:
        """Return False."""
        return False

    def size(self) -> _dtype.Size:
        """Return what PyTorch does: the size of an empty tensor."""
        return _dtype.Size([0])

    def _typed(self: Any, kind: _dtype.dtype) -> Any:
        return self if kind is self._kind else type(self)(self._wanted, None, kind)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Return an uninitialised parameter or buffer of another dtype; see `Tensor.to`."""
        return self._typed(wrap(np.empty(0, self._kind.numpy), None).to(*args, **kwargs).dtype)

    def half(self) -> Any:
        """Return it with dtype float16."""
        return self._typed(_dtype.float16)

    def float(self) -> Any:
        """Return it with dtype float32."""
        return self._typed(_dtype.float32)

    def double(self) -> Any:
        """Return it with dtype float64."""
        return self._typed(_dtype.float64)

    def cpu(self: Any) -> Any:
        """Return it: everything is on the CPU."""
        return self

    def copy_(self: Any, other: Any, non_blocking: bool = False) -> Any:
        """Copy from another uninitialised one, which changes nothing; RuntimeError otherwise."""
        if not is_lazy(other):
            raise RuntimeError("copy_: an uninitialized parameter has no memory to copy into; "
                               "materialize(shape) it first")
        return self

    def register_hook(self, hook: Any) -> Any:
        """Raise ValueError: hooks need the tensor that will be there."""
        return self._data

    def share_memory_(self) -> Any:
        """Raise RuntimeError: there is no memory yet."""
        raise RuntimeError("Can't share memory on an uninitialized parameter or buffer. Call the "
                           "module with a dummy batch first")

    def materialize(self: Any, shape: int | Sequence[int], device: Device | str | None = None,
                    dtype: _dtype.dtype | None = None) -> None:
        """Become a Parameter (a tensor) of this shape, whose values are not set; same object.

        Args: shape: sizes, or one number; device: 'cpu' or None; dtype: default the own one.
        """
        to_device(device)
        kind = self._kind if dtype is None else _dtype.to_dtype(dtype)
        sizes = (shape,) if isinstance(shape, int) else tuple(operator.index(n) for n in shape)
        wanted = self._wanted
        del self._kind, self._wanted
        self.__class__ = self.cls_to_become
        self._data = np.empty(sizes, kind.numpy)
        self.requires_grad_(wanted)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            made = memo[id(self)] = type(self)(self._wanted, None, self._kind)
            vars(made).update(_public(self))
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (self._wanted, None, self._kind), _public(self)


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc, override]
    """A parameter whose shape is not known yet; `materialize(shape)` makes it a Parameter.

    Args: requires_grad: whether the values will want a gradient, default True; device: 'cpu' or
    None; dtype: of the values to come.

    >>> import minigrad as torch
    >>> p = torch.nn.UninitializedParameter()
    >>> p.materialize((2, 3))
    >>> type(p).__name__, p.shape
    ('Parameter', torch.Size([2, 3]))
    """

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Device | str | None = None,
                 dtype: _dtype.dtype | None = None) -> None:
        super().__init__(requires_grad, device, dtype)


class UninitializedBuffer(UninitializedTensorMixin, Tensor):  # type: ignore[misc, override]
    """A buffer whose shape is not known yet; `materialize(shape)` makes it a tensor.

    Args: as UninitializedParameter's, but requires_grad False by default; persistent: whether
    `state_dict` will contain it, default True.
    """

    cls_to_become = Tensor

    def __init__(self, requires_grad: bool = False, device: Device | str | None = None,
                 dtype: _dtype.dtype | None = None, persistent: bool = True) -> None:
        super().__init__(requires_grad, device, dtype)
        self.persistent = persistent
