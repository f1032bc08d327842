"""`Parameter` and `Buffer`: the tensors that a Module registers when they are assigned to it."""

from __future__ import annotations

from typing import Any

from ..engine import wrap
from ..ops.create import empty
from ..tensor import Tensor
from ..versions import storage_of

__all__ = ["Buffer", "Parameter", "is_lazy"]


def is_lazy(param: Any) -> bool:
    """Return False: every parameter has its shape from the start."""
    if not isinstance(param, Tensor):
        raise TypeError(f"is_lazy: expected a Tensor, got {type(param).__name__}")
    return False


class Parameter(Tensor):
    """Mark a tensor as something that training changes: a Module lists it in `parameters()`.

    Args: data: the tensor whose memory the parameter shares; default an empty one.
    requires_grad: whether gradients are wanted; True needs a floating point dtype (RuntimeError).
    Copies (`copy.deepcopy`, pickle) keep the values, not the gradient.

    >>> import minigrad as torch
    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, got {type(data).__name__}; convert "
                            f"it with torch.tensor first")
        self._data = data._data
        self._storage = storage_of(data)
        if requires_grad:
            self.requires_grad_()

    def __repr__(self) -> str:  # type: ignore[override]
        return "Parameter containing:\n" + super().__repr__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            copied = wrap(self._data.copy(order="K"), None)
            memo[id(self)] = type(self)(copied, self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        kept = {key: value for key, value in vars(self).items() if not key.startswith("_")}
        return _rebuild_parameter, (type(self), wrap(self._data, None), self.requires_grad, kept)


def _rebuild_parameter(kind: type[Parameter], data: Tensor, requires_grad: bool,
                       kept: dict[str, Any]) -> Parameter:
    made = kind(data, requires_grad)
    vars(made).update(kept)
    return made


class _BufferMeta(type(Tensor)):  # type: ignore[misc]
    """Make `isinstance(t, Buffer)` true for the tensors that `Buffer(...)` returned."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


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

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        made: Any = (empty(0) if data is None else data).detach()
        if data is not None and data.requires_grad:
            made.requires_grad_()
        made._is_buffer = True
        made.persistent = persistent
        return made

