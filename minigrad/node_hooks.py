"""Hooks on nodes of the tape: `register_hook` and `register_prehook`, as PyTorch's `Node` has them.

A node that gets its first hook becomes an instance of a subclass of its class, whose `gradients`
calls them. Nodes without hooks pay nothing.
"""

from __future__ import annotations

from typing import Any

from .engine import ndarray, wrap

_classes: dict[type, type] = {}


def hooked(node: Any) -> dict[str, dict[int, Any]]:
    """Return a node's hooks ("before" and "after"), and make its class one that calls them."""
    kind = type(node)
    if kind not in _classes.values():
        if kind not in _classes:
            _classes[kind] = type(kind.__name__, (_Hooked, kind), {"__slots__": ()})
        node.__class__ = _classes[kind]
        node.meta = {**(node.meta or {}), "hooks": {"before": {}, "after": {}}}
    return node.meta["hooks"]  # type: ignore[no-any-return]


class _Hooked:
    """Mixed into a class of nodes: `gradients` between the hooks before and after it."""

    __slots__ = ()

    def gradients(self: Any, g: Any, create: bool, wanted: Any) -> Any:
        hooks = self.meta["hooks"]
        several = isinstance(g, list)
        gs = [_shown(d, create) for d in (g if several else [g])]
        for hook in list(hooks["before"].values()):
            gs = replaced(hook(tuple(gs)), gs, hook)
        given = [_inner(d, create) for d in gs]
        outcome = list(super().gradients(given if several else given[0], create, wanted))  # type: ignore[misc]
        if not hooks["after"]:
            return outcome
        grads = [_shown(d, create) for d in outcome]
        places = self.input_places()
        full = [None if k is None else grads[k] for k in places]
        for hook in list(hooks["after"].values()):
            full = replaced(hook(tuple(full), tuple(gs)), full, hook)
        for place, d in zip(places, full, strict=True):
            if place is not None:
                outcome[place] = _inner(d, create)
        return outcome


def _shown(d: Any, create: bool) -> Any:
    """Return a gradient as hooks see it: a tensor or None."""
    if d is None or create:
        return d
    return wrap(d, None) if isinstance(d, ndarray) or not hasattr(d, "grads") else None


def _inner(d: Any, create: bool) -> Any:
    return d if d is None or create else d._data


def replaced(returned: Any, old: list[Any], hook: Any) -> list[Any]:
    """Check what a hook returned: None, or a tuple of as many gradients."""
    from .engine import Tensor

    if returned is None:
        return old
    name = getattr(hook, "__name__", hook)
    if not isinstance(returned, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(returned).__name__}'")
    if len(returned) != len(old):
        raise RuntimeError(f"hook '{name}' has returned an incorrect number of values (got "
                           f"{len(returned)}, but expected {len(old)})")
    for new, before in zip(returned, old, strict=True):
        if new is None or before is None:
            continue
        if not isinstance(new, Tensor):
            raise TypeError(f"expected Variable, but hook returned '{type(new).__name__}'")
        if new._data.shape != before._data.shape:
            raise RuntimeError(f"hook '{name}' has changed the size of value")
    return list(returned)
