"""Leave everything as it was: substituted tensors, replayed generators, restored modules.

The caller's arrays are never written to: while a check runs, the tensors of a module point to
copies. They keep their identity, so that whoever else refers to them sees the same values.
"""

from __future__ import annotations

import inspect
import random
from typing import Any

import numpy as np

from .. import engine
from .._random import Generator, default_generator
from ..engine import Leaf
from ..modes import state
from ..nn import Module

Array = np.ndarray[Any, Any]


class Held:
    """A tensor of the caller's that shows other memory for a while."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor
        self.own = {key: tensor.__dict__[key] for key in
                    ("_data", "_node", "_storage", "_grad") if key in tensor.__dict__}
        self.array: Array = tensor._data
        self.grad = tensor._node.grad if type(tensor._node) is Leaf else None

    def show(self, array: Array, wants_grad: bool) -> None:
        """Point to another array, as a fresh leaf or a constant."""
        for key in ("_node", "_storage", "_grad"):
            self.tensor.__dict__.pop(key, None)
        self.tensor._data = array
        if wants_grad:
            self.tensor._node = Leaf(self.tensor)

    def back(self) -> None:
        """Point to the caller's memory again."""
        for key in ("_data", "_node", "_storage", "_grad"):
            self.tensor.__dict__.pop(key, None)
        self.tensor.__dict__.update(self.own)
        if type(self.tensor._node) is Leaf:
            self.tensor._node.grad = self.grad


class Attributes:
    """The attributes of one module: notices what a call changed, and puts it back."""

    def __init__(self, module: Any, path: str) -> None:
        self.module, self.path = module, path
        self.values = dict(vars(module))
        self.contents = {key: _content(value) for key, value in self.values.items()}

    def changed(self) -> list[str]:
        """Return the names of attributes that are not as they were (buffers are expected to be)."""
        now = vars(self.module)
        names = [key for key in {**self.values, **now} if not key.startswith("_")]
        return [key for key in names if key not in now or key not in self.values
                or not self._same(key, now[key])]

    def _same(self, key: str, value: Any) -> bool:
        old = self.values[key]
        if isinstance(old, (engine.Tensor, Generator, np.random.Generator)):
            return value is old
        if value is not old:
            return type(value) is type(old) and isinstance(
                value, (bool, int, float, complex, str, bytes)) and value == old
        kept = self.contents[key]
        if isinstance(old, np.ndarray):
            return np.array_equal(kept, old, equal_nan=old.dtype.kind == "f")
        if isinstance(old, (list, dict, set)):
            return len(kept) == len(old) and all(
                a is b for a, b in zip(_items(kept), _items(old), strict=True))
        return True

    def back(self) -> None:
        """Put attributes and the contents of dicts, lists, sets and arrays back."""
        own = vars(self.module)
        for key in [key for key in own if key not in self.values]:
            del own[key]
        for key, old in self.values.items():
            own[key] = old
            kept = self.contents[key]
            if isinstance(old, np.ndarray):
                if old.flags.writeable and not np.array_equal(
                        kept, old, equal_nan=old.dtype.kind == "f"):
                    old[...] = kept
            elif isinstance(old, list):
                old[:] = kept
            elif isinstance(old, (dict, set)):
                old.clear()
                old.update(kept)


def _content(value: Any) -> Any:
    if isinstance(value, (np.ndarray, list, dict, set)):
        return value.copy()
    return None


def _items(value: Any) -> list[Any]:
    return [*value, *value.values()] if isinstance(value, dict) else list(value)


class World:
    """What a function may read or change besides its arguments."""

    def __init__(self, fn: Any, values: list[Any]) -> None:
        self.roots = _modules_of(fn)
        found: dict[int, tuple[str, Any]] = {}
        for prefix, root in self.roots:
            for path, module in root.named_modules(prefix=prefix):
                found.setdefault(id(module), (path, module))
        self.modules = [Attributes(module, path) for path, module in found.values()]
        self.tensors: dict[int, Held] = {}
        generators = [default_generator, *(v for v in values if isinstance(v, Generator)),
                      *(v for _, v in _variables(fn) if isinstance(v, Generator))]
        for kept in self.modules:
            own = kept.values
            for value in [*own.values(), *own.get("_parameters", {}).values(),
                          *own.get("_buffers", {}).values()]:
                if isinstance(value, engine.Tensor):
                    self.tensors.setdefault(id(value), Held(value))
                elif isinstance(value, Generator):
                    generators.append(value)
        self.generators = [(g, g.state_bytes()) for g in {id(g): g for g in generators}.values()]
        self.foreign = (random.getstate(), np.random.get_state())
        self.grad_mode, self.inference = state.grad, state.inference
        self.drew = False
        self.state_changes: dict[str, None] = {}

    @property
    def parameters(self) -> list[tuple[str, Any]]:
        """The named parameters of the module that is checked."""
        return [(name, p) for prefix, root in self.roots if prefix == ""
                for name, p in root.named_parameters()]

    def begin_call(self) -> None:
        """Start a call from the state at the beginning: random numbers and attributes."""
        for generator, position in self.generators:
            generator.set_state_bytes(position)

    def end_call(self) -> None:
        """Note what the call changed, and undo it."""
        self.drew = self.drew or any(g.state_bytes() != position for g, position in self.generators)
        for kept in self.modules:
            for key in kept.changed():
                self.state_changes[f"{kept.path}.{key}" if kept.path else key] = None
            kept.back()

    def restore(self) -> None:
        """Put everything back for good."""
        for kept in self.modules:
            kept.back()
        for held in self.tensors.values():
            held.back()
        for generator, position in self.generators:
            generator.set_state_bytes(position)
        random.setstate(self.foreign[0])
        np.random.set_state(self.foreign[1])
        state.grad, state.inference = self.grad_mode, self.inference


def _modules_of(fn: Any) -> list[tuple[str, Any]]:
    """Return the module that is checked (path ""), or those that a function refers to by name."""
    owner = fn if isinstance(fn, Module) else getattr(fn, "__self__", None)
    if isinstance(owner, Module):
        return [("", owner)]
    return [(name, value) for name, value in _variables(fn) if isinstance(value, Module)]


def _variables(fn: Any) -> list[tuple[str, Any]]:
    """Return the names that a function takes from the scopes around it, with their values."""
    try:
        scope = inspect.getclosurevars(inspect.unwrap(fn))
    except (TypeError, ValueError):
        return []
    return [*scope.nonlocals.items(), *scope.globals.items()]
