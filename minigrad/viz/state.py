"""Leave everything as it was: what a drawing or summary run may change is noted and put back."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import engine
from .._random import Generator, default_generator
from ..engine import Leaf
from ..versions import InferenceStorage, storage_of

Undo = Callable[[], None]


@contextlib.contextmanager
def untouched(model: Any = None, values: Iterable[Any] = ()) -> Iterator[None]:
    """Put a model, generators and the random state back bit for bit, also after an error.

    Of the model: parameters, buffers and gradients (identity, values, version), training flags,
    what is registered (submodules, hooks), and generators that layers hold. Of `values`: the
    generators among them.
    """
    undo: list[Undo] = [_generator(default_generator)]
    undo += [_generator(v) for v in values if isinstance(v, Generator)]
    if hasattr(model, "modules"):
        undo += [step for module in model.modules() for step in _module(module)]
        undo += [_tensor(t) for t in [*model.parameters(), *model.buffers()]]
    try:
        yield
    finally:
        for step in undo:
            step()


def _generator(generator: Generator) -> Undo:
    position = generator.state_bytes()
    return lambda: generator.set_state_bytes(position)


def _module(module: Any) -> list[Undo]:
    """Note the flag, the registered things by name (not their values) and the generators."""
    own = vars(module)
    flag = own.get("training", True)
    held = {key: dict(value) for key, value in own.items()
            if key.startswith("_") and isinstance(value, dict)}

    def back() -> None:
        own["training"] = flag
        for key, content in held.items():
            kept = own[key]
            if (kept or content) and list(kept.items()) != list(content.items()):
                kept.clear()
                kept.update(content)

    return [back, *(_generator(v) for v in own.values() if isinstance(v, Generator))]


def _tensor(tensor: Any) -> Undo:
    """Note a tensor's memory and values, its version, and its gradient in the same way."""
    array, node, storage = tensor._data, tensor._node, storage_of(tensor)
    values = array.copy(order="K")
    leaf = node if type(node) is Leaf else None
    grad = leaf.grad if leaf is not None else tensor._grad
    grad_back = None if grad is None else _tensor(grad)
    frozen = isinstance(storage, InferenceStorage)
    version = None if frozen else (storage.count, storage.rebased, storage.writer, storage.where)

    def back() -> None:
        tensor._data, tensor._node, tensor._storage = array, node, storage
        if array.flags.writeable:
            array[...] = values
        if leaf is not None:
            leaf.hold(array)
            leaf.grad = grad
        else:
            tensor._grad = grad
        if grad_back is not None:
            grad_back()
        if version is not None:
            storage.count, storage.rebased, storage.writer, storage.where = version

    return back


@contextlib.contextmanager
def no_collector() -> Iterator[None]:
    """Stop Python's cycle collector: the many records of a graph would make it run for nothing."""
    ran = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if ran:
            gc.enable()


@contextlib.contextmanager
def deep_enough(model: Any) -> Iterator[None]:
    """Allow the recursion of a model that is nested deeply: hooks take a frame more per level."""
    depth = max(path.count(".") for path, _ in model.named_modules())
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + 8 * depth)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def tensors_in(value: Any, name: str = "", inside: str = "") -> list[tuple[str, Any]]:
    """Return (name, tensor) for the tensors of nested lists, tuples, dicts and dataclasses.

    `inside` is how an unnamed structure's elements are called: "output" gives "output[0]".
    """
    if isinstance(value, engine.Tensor):
        return [(name or inside, value)]
    if isinstance(value, dict):
        pairs = [(str(k) if not name else f"{name}.{k}", v) for k, v in value.items()]
    elif hasattr(value, "_fields"):
        pairs = [(f"{name}.{k}" if name else k, getattr(value, k)) for k in value._fields]
    elif isinstance(value, (list, tuple)):
        pairs = [(f"{name or inside}[{k}]", v) for k, v in enumerate(value)]
    elif hasattr(type(value), "__dataclass_fields__"):
        pairs = [(f"{name}.{k}" if name else k, getattr(value, k))
                 for k in type(value).__dataclass_fields__]
    else:
        return []
    return [found for key, v in pairs for found in tensors_in(v, key, inside)]
