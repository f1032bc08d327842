"""Nested inputs: find the arrays and tensors in them, name them, and build the same with others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import engine
from ..autograd.function import Function
from ..nn import Module

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Spot:
    """One array or tensor among the inputs: its name with the path, and the caller's object."""

    name: str
    value: Any

    @property
    def array(self) -> Array:
        """The caller's memory: read it, never write it."""
        value: Array = self.value._data if isinstance(self.value, engine.Tensor) else self.value
        return value

    @property
    def floating(self) -> bool:
        """Whether it holds floating point numbers."""
        return self.array.dtype.kind == "f"


def spots_in(value: Any, name: str) -> Iterator[Spot]:
    """Yield the arrays and tensors of a nested structure in order, with their paths."""
    if isinstance(value, (engine.Tensor, np.ndarray)):
        yield Spot(name, value)
        return
    for path, inner in _children(value, name):
        yield from spots_in(inner, path)


def rebuilt(value: Any, replace: Callable[[], Any]) -> Any:
    """Return the same structure with each array or tensor replaced, in the order of `spots_in`."""
    if isinstance(value, (engine.Tensor, np.ndarray)):
        return replace()
    if isinstance(value, dict):
        made = {key: rebuilt(inner, replace) for key, inner in value.items()}
        return made if type(value) is dict else _same_class(value, made)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(rebuilt(inner, replace) for inner in value))
    if isinstance(value, (list, tuple)):
        return type(value)(rebuilt(inner, replace) for inner in value)
    return value


def _same_class(value: dict[Any, Any], made: dict[Any, Any]) -> Any:
    """Return a dict of the class that was given (OrderedDict, defaultdict)."""
    like = value.copy()
    like.update(made)
    return like


def _children(value: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{name}[{key!r}]", inner) for key, inner in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f"{name}.{key}", inner) for key, inner in zip(value._fields, value, strict=True)]
    if isinstance(value, (list, tuple)):
        return [(f"{name}[{k}]", inner) for k, inner in enumerate(value)]
    return []


def argument_names(fn: Any, count: int) -> list[str]:
    """Return the names of the first `count` parameters of a function, module or Function.apply."""
    owner = getattr(fn, "__self__", None)
    skip = 0
    if isinstance(fn, Module):
        fn = fn.forward
    elif isinstance(owner, type) and issubclass(owner, Function):
        fn = owner.forward
        skip = int(owner.setup_context is Function.setup_context)
    try:
        params = list(inspect.signature(fn).parameters.values())[skip:]
    except (TypeError, ValueError):
        params = []
    known = [p.name for p in params if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in params if p.kind is p.VAR_POSITIONAL), "input")
    return [known[k] if k < len(known) else f"{rest}[{k - len(known)}]" for k in range(count)]


def title_of(fn: Any) -> str:
    """Return what to call a function or module in a report."""
    if isinstance(fn, Module):
        return type(fn).__name__
    owner = getattr(fn, "__self__", None)
    name = getattr(fn, "__name__", None) or getattr(getattr(fn, "func", None), "__name__", None)
    if isinstance(owner, type):
        return f"{owner.__name__}.{name}"
    return str(name or type(fn).__name__)
