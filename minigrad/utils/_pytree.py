"""Trees of containers: take nested dicts, lists and tuples apart into leaves, and build them again.

PyTorch calls this module private, but programs use it. Leaves are all values of types that are not
registered; None is a leaf, too.
"""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .._dtype import Size
from ..func._tree import REGISTERED

PyTree = Any
Leaf = Callable[[Any], bool] | None
Path = tuple[Any, ...]


@dataclass(frozen=True)
class MappingKey:
    """The step to a value of a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, tree: Any) -> Any:
        """Return what this step leads to."""
        return tree[self.key]


@dataclass(frozen=True)
class SequenceKey:
    """The step to an element of a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, tree: Any) -> Any:
        """Return what this step leads to."""
        return tree[self.idx]


@dataclass(frozen=True)
class GetAttrKey:
    """The step to an attribute."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, tree: Any) -> Any:
        """Return what this step leads to."""
        return getattr(tree, self.name)


class TreeSpec:
    """The containers of a tree without the leaves: `tree_structure(tree)`.

    Args: type of the container (None: a leaf), context (what unflattening needs), children_specs.

    >>> from minigrad.utils._pytree import tree_flatten
    >>> leaves, spec = tree_flatten({"a": 1, "b": [2, 3]})
    >>> leaves, spec.num_leaves, spec.unflatten("xyz")
    ([1, 2, 3], 3, {'a': 'x', 'b': ['y', 'z']})
    """

    def __init__(self, type: Any, context: Any, children_specs: list[TreeSpec]) -> None:
        self.type, self.context, self._children = type, context, children_specs
        self.num_children = len(children_specs)
        self.num_nodes: int = 1 + sum(child.num_nodes for child in children_specs)
        self.num_leaves: int = 1 if type is None else sum(c.num_leaves for c in children_specs)

    children_specs = property(lambda self: self._children, doc="The specs of the children.")

    def children(self) -> list[TreeSpec]:
        """Return the specs of the children."""
        return list(self._children)

    def child(self, index: int) -> TreeSpec:
        """Return the spec of one child."""
        return self._children[index]

    def is_leaf(self) -> bool:
        """Return True for the spec of a leaf."""
        return self.type is None

    def unflatten(self, leaves: Iterable[Any]) -> PyTree:
        """Build the tree around as many leaves; ValueError for another number of them."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but "
                             f"the spec refers to a pytree that holds {self.num_leaves} items "
                             f"({self})")
        return self._build(iter(leaves))

    def _build(self, leaves: Any) -> PyTree:
        if self.type is None:
            return next(leaves)
        return _unflatten_node(self.type, [c._build(leaves) for c in self._children], self.context)

    def flatten_up_to(self, tree: PyTree) -> list[Any]:
        """Return the parts of a tree at this spec's leaves; ValueError if it is built otherwise."""
        if self.type is None:
            return [tree]
        kind = _kind(tree)
        if kind is not self.type and not {kind, self.type} <= _DICTS:
            raise ValueError(f"Node type mismatch; expected {self.type!r}, but got {type(tree)!r}.")
        children, context = _flatten_node(kind, tree)
        if len(children) != self.num_children:
            raise ValueError(f"Node arity mismatch; expected {self.num_children}, but got "
                             f"{len(children)}.")
        if kind in _DICTS:
            keys = _keys_of(self)
            if set(keys) != set(tree):
                raise ValueError(f"Node keys mismatch; expected {keys}, but got {list(tree)}.")
            children = [tree[key] for key in keys]
        elif self.type is not deque and context != self.context:
            raise ValueError(f"Node context mismatch for node type {self.type!r}.")
        return [part for spec, child in zip(self._children, children, strict=True)
                for part in spec.flatten_up_to(child)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeSpec) and (self.type, self.context, self._children) == (
            other.type, other.context, other._children)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self, indent: int = 0) -> str:
        if self.type is None:
            return "*"
        parts = [child.__repr__(indent + 2) for child in self._children]
        joined = (",\n" + " " * (indent + 2)).join(parts)
        name = "namedtuple" if self.type is _NAMED else self.type.__name__
        return f"TreeSpec({name}, {self.context!r}, [{joined}])"


def LeafSpec() -> TreeSpec:
    """Return the spec of a leaf."""
    return TreeSpec(None, None, [])


class _NAMED:
    """Stands for the types of all named tuples; the type itself is the context."""


_DICTS = {dict, OrderedDict, defaultdict}


def _keys_of(spec: TreeSpec) -> list[Any]:
    return spec.context[1] if spec.type is defaultdict else spec.context  # type: ignore[no-any-return]


def _kind(tree: Any, is_leaf: Leaf = None) -> Any:
    """Return the type that says how to take a value apart; None for a leaf."""
    kind = type(tree)
    if is_leaf is not None and is_leaf(tree):
        return None
    if kind in REGISTERED or kind in _DICTS or kind in (list, tuple, deque, Size):
        return kind
    if isinstance(tree, tuple):
        if hasattr(kind, "_fields"):
            return _NAMED
        return kind if kind.__module__.endswith("return_types") else None
    return None


def _flatten_node(kind: Any, tree: Any) -> tuple[list[Any], Any]:
    """Return the children of a container and the context."""
    if kind in REGISTERED:
        children, context = REGISTERED[kind][0](tree)
        return list(children), context
    if kind is defaultdict:
        return list(tree.values()), [tree.default_factory, list(tree)]
    if kind in _DICTS:
        return list(tree.values()), list(tree)
    return list(tree), type(tree) if kind is _NAMED else tree.maxlen if kind is deque else None


def _unflatten_node(kind: Any, children: list[Any], context: Any) -> Any:
    if kind in REGISTERED:
        return REGISTERED[kind][1](children, context)
    if kind is defaultdict:
        return defaultdict(context[0], zip(context[1], children, strict=True))
    if kind in _DICTS:
        return kind(zip(context, children, strict=True))
    if kind is _NAMED:
        return context(*children)
    return deque(children, maxlen=context) if kind is deque else kind(children)


def _keys(kind: Any, tree: Any, children: list[Any]) -> list[Any]:
    """Return the steps to the children."""
    if kind in REGISTERED and REGISTERED[kind][2] is not None:
        return [key for key, _ in REGISTERED[kind][2](tree)[0]]
    if kind in _DICTS:
        return [MappingKey(key) for key in tree]
    if kind is _NAMED:
        return [GetAttrKey(name) for name in type(tree)._fields]
    return [SequenceKey(k) for k in range(len(children))]


def register_pytree_node(
    cls: type, flatten_fn: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten_fn: Callable[[Iterable[Any], Any], Any], *, serialized_type_name: str | None = None,
    to_dumpable_context: Any = None, from_dumpable_context: Any = None,
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Take values of a class apart, everywhere, also in `torch.func`.

    Args: flatten_fn: returns the children and a context; unflatten_fn: (children, context) ->
    value; flatten_with_keys_fn: as flatten_fn, with (key, child) for children. ValueError for a
    class that is registered already; RuntimeError for the arguments of serialisation, which does
    not exist.
    """
    if serialized_type_name or to_dumpable_context or from_dumpable_context:
        raise RuntimeError("register_pytree_node: specs are not serialised here; leave out "
                           "serialized_type_name, to_dumpable_context and from_dumpable_context")
    if cls in REGISTERED or cls in _DICTS or cls in (list, tuple, deque, Size):
        raise ValueError(f"{cls} is already registered as pytree node")
    REGISTERED[cls] = (flatten_fn, unflatten_fn, flatten_with_keys_fn)


# ------------------------------------------------------------------------------------- the leaves
def _walk(tree: Any, is_leaf: Leaf, path: Path, found: list[tuple[Path, Any]],
          keyed: bool) -> TreeSpec:
    kind = _kind(tree, is_leaf)
    if kind is None:
        found.append((path, tree))
        return LeafSpec()
    children, context = _flatten_node(kind, tree)
    keys = _keys(kind, tree, children) if keyed else [None] * len(children)
    return TreeSpec(kind, context, [_walk(child, is_leaf, (*path, key), found, keyed)
                                    for key, child in zip(keys, children, strict=True)])


def tree_flatten(tree: PyTree, is_leaf: Leaf = None) -> tuple[list[Any], TreeSpec]:
    """Return the leaves in order and the spec that `tree_unflatten` needs.

    `is_leaf(value)` may say of a container that it is a leaf.
    """
    found: list[tuple[Path, Any]] = []
    spec = _walk(tree, is_leaf, (), found, False)
    return [leaf for _, leaf in found], spec


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """Build a tree around as many leaves."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(f"tree_unflatten(leaves, treespec): Expected `treespec` to be instance of "
                        f"TreeSpec but got item of type {type(treespec)}.")
    return treespec.unflatten(leaves)


def tree_leaves(tree: PyTree, is_leaf: Leaf = None) -> list[Any]:
    """Return the leaves in order."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: PyTree, is_leaf: Leaf = None) -> Iterable[Any]:
    """Iterate over the leaves in order."""
    return iter(tree_leaves(tree, is_leaf))


def arg_tree_leaves(*args: PyTree, **kwargs: PyTree) -> list[Any]:
    """Return the leaves of all arguments."""
    return tree_leaves((args, kwargs))


def tree_structure(tree: PyTree, is_leaf: Leaf = None) -> TreeSpec:
    """Return the spec of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_is_leaf(tree: PyTree, is_leaf: Leaf = None) -> bool:
    """Return True if a value is a leaf."""
    return _kind(tree, is_leaf) is None


# ---------------------------------------------------------------------------------- maps and tests
def tree_map(func: Callable[..., Any], tree: PyTree, *rests: PyTree,
             is_leaf: Leaf = None) -> PyTree:
    """Return the tree with `func` applied to each leaf (and to the parts of `rests` at its place).

    >>> from minigrad.utils._pytree import tree_map
    >>> tree_map(lambda x, y: x + y, {"a": 1, "b": (2, 3)}, {"a": 10, "b": (20, 30)})
    {'a': 11, 'b': (22, 33)}
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [spec.flatten_up_to(rest) for rest in rests]
    return spec.unflatten([func(*row) for row in zip(leaves, *others, strict=True)])


def tree_map_(func: Callable[..., Any], tree: PyTree, *rests: PyTree,
              is_leaf: Leaf = None) -> PyTree:
    """Call `func` for each leaf, for what it does in place, and return the tree as it is."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _chosen(which: Any) -> Callable[[Any], bool]:
    if isinstance(which, (type, tuple, types.UnionType)):
        return lambda value: isinstance(value, which)
    if callable(which):
        return which  # type: ignore[no-any-return]
    raise TypeError("Argument must be a type, a tuple of types, or a callable.")


def tree_map_only(type_or_types_or_pred: Any, /, func: Callable[[Any], Any], tree: PyTree,
                  is_leaf: Leaf = None) -> PyTree:
    """Return the tree with `func` applied to leaves of a type (or for which a function is true)."""
    chosen = _chosen(type_or_types_or_pred)
    return tree_map(lambda x: func(x) if chosen(x) else x, tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred: Any, /, func: Callable[[Any], Any], tree: PyTree,
                   is_leaf: Leaf = None) -> PyTree:
    """Call `func` for leaves of a type, for what it does in place, and return the tree."""
    tree_map_only(type_or_types_or_pred, func, tree, is_leaf)
    return tree


def tree_all(pred: Callable[[Any], bool], tree: PyTree, is_leaf: Leaf = None) -> bool:
    """Return True if `pred` is true for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree, is_leaf: Leaf = None) -> bool:
    """Return True if `pred` is true for a leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: PyTree,
                  is_leaf: Leaf = None) -> bool:
    """Return True if `pred` is true for all leaves of a type."""
    return all(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, type_or_types))


def tree_any_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: PyTree,
                  is_leaf: Leaf = None) -> bool:
    """Return True if `pred` is true for a leaf of a type."""
    return any(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, type_or_types))


# ------------------------------------------------------------------------------------------- paths
def tree_flatten_with_path(tree: PyTree, is_leaf: Leaf = None
                           ) -> tuple[list[tuple[Path, Any]], TreeSpec]:
    """Return (path, leaf) pairs and the spec; a path is a tuple of keys, see `keystr`."""
    found: list[tuple[Path, Any]] = []
    return found, _walk(tree, is_leaf, (), found, True)


def tree_leaves_with_path(tree: PyTree, is_leaf: Leaf = None) -> list[tuple[Path, Any]]:
    """Return (path, leaf) pairs."""
    return tree_flatten_with_path(tree, is_leaf)[0]


def tree_map_with_path(func: Callable[..., Any], tree: PyTree, *rests: PyTree,
                       is_leaf: Leaf = None) -> PyTree:
    """Return the tree with `func(path, leaf, ...)` for each leaf."""
    found, spec = tree_flatten_with_path(tree, is_leaf)
    others = [spec.flatten_up_to(rest) for rest in rests]
    paths, leaves = [path for path, _ in found], [leaf for _, leaf in found]
    return spec.unflatten([func(*row) for row in zip(paths, leaves, *others, strict=True)])


def keystr(kp: Path) -> str:
    """Return a path as text, such as "['a'][0].x"."""
    return "".join(map(str, kp))


def key_get(obj: Any, kp: Path) -> Any:
    """Return what lies at a path."""
    for key in kp:
        obj = key.get(obj)
    return obj
