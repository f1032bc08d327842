"""`Variable`: the old name of a tensor, still found in programs from before PyTorch 0.4."""

from __future__ import annotations

from typing import Any

from .. import engine

__all__ = ["Variable"]


class _VariableMeta(type):
    """Make `isinstance(t, Variable)` true for every tensor."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, engine.Tensor)


class Variable(metaclass=_VariableMeta):
    """Return a tensor that shares the memory of `data`, apart from its graph.

    >>> import minigrad as torch
    >>> torch.autograd.Variable(torch.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    """

    def __new__(cls, data: Any, requires_grad: bool = False) -> Any:
        if not isinstance(data, engine.Tensor):
            raise TypeError(f"Variable: data must be a Tensor, got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)
