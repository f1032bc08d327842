"""Nested containers: take dicts, lists and tuples apart into leaves and put them together again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

Spec = Any  # None for a leaf, else (a function that builds the container, specs of its parts)

# type -> (value -> parts and context, (parts, context) -> value, with keys): utils/_pytree.py
REGISTERED: dict[type, tuple[Callable[..., Any], Callable[..., Any], Any]] = {}
_DICTS: tuple[Any, ...] = (dict, OrderedDict, defaultdict)


def parts_of(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]] | None:
    """Return a container's parts and how to build one like it; None for a leaf."""
    kind: Any = type(tree)
    if kind in _DICTS:
        keys = list(tree)
        if isinstance(tree, defaultdict):
            made: Any = defaultdict(tree.default_factory)
            return list(tree.values()), lambda parts: made | dict(zip(keys, parts, strict=True))
        return list(tree.values()), lambda parts: kind(zip(keys, parts, strict=True))
    if kind in (list, tuple):
        return list(tree), kind
    if isinstance(tree, tuple):  # named tuples and torch.return_types
        if hasattr(kind, "_fields"):
            return list(tree), lambda parts: kind(*parts)
        return list(tree), tuple
    if kind in REGISTERED:
        flat, build = REGISTERED[kind][:2]
        parts, context = flat(tree)
        return list(parts), lambda parts: build(parts, context)
    return None


def flatten(tree: Any) -> tuple[list[Any], Spec]:
    """Return the leaves of nested containers in order, and what `unflatten` needs."""
    found = parts_of(tree)
    if found is None:
        return [tree], None
    parts, build = found
    leaves: list[Any] = []
    specs = []
    for part in parts:
        below, spec = flatten(part)
        leaves += below
        specs.append((spec, len(below)))
    return leaves, (build, specs)


def unflatten(leaves: list[Any], spec: Spec) -> Any:
    """Build the containers again around as many leaves."""
    if spec is None:
        return leaves[0]
    build, specs = spec
    parts, at = [], 0
    for below, count in specs:
        parts.append(unflatten(leaves[at:at + count], below))
        at += count
    return build(parts)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return the containers with `function` applied to every leaf."""
    leaves, spec = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], spec)


def broadcast_to(prefix: Any, tree: Any) -> list[Any] | None:
    """Return one entry per leaf of `tree` from a prefix of it; None if they do not fit."""
    found = parts_of(tree)
    own = parts_of(prefix)
    if own is None:
        return [prefix] * len(flatten(tree)[0])
    if found is None or type(prefix) is not type(tree) or len(own[0]) != len(found[0]):
        return None
    if isinstance(tree, dict):
        if prefix.keys() != tree.keys():
            return None
        own = ([prefix[key] for key in tree], own[1])
    entries: list[Any] = []
    for one, part in zip(own[0], found[0], strict=True):
        below = broadcast_to(one, part)
        if below is None:
            return None
        entries += below
    return entries
