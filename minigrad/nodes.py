"""The parts of the tape besides ops: what `grad_fn` shows, leaves, hooks, several outputs."""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ._fork import accumulating
from .modes import state
from .node_names import shown_names
from .versions import InferenceStorage, storage_of
from .walk import LEAF

ndarray = np.ndarray
new = object.__new__
Tensor: Any = None  # tensor.py sets it, here and in engine.py
numbers = itertools.count(1)  # nodes are numbered as they are made


def wrap(array: Any, node: Any) -> Any:
    """Return a tensor of `array` at the place `node` of the tape (None: a constant)."""
    made = new(Tensor)
    made._data = array if type(array) is ndarray else np.asarray(array)
    made._node = node
    if state.inference:
        made._storage = InferenceStorage()
    return made


class GradFn:
    """The public side of a node of the tape."""

    __slots__ = ()
    op: Any
    plan: Any
    parents: Any
    saved: Any
    versions: Any
    shape: Any
    dtype: Any
    retain: Any
    meta: dict[str, Any] | None
    key: int

    def name(self) -> str:
        """Return the name that PyTorch prints for this function."""
        op = self.op
        if not op.shown_names:
            return op.shown
        return op.shown(*[self.shape if name == "y_shape" else
                          self.saved[self.plan.names.index(name)] for name in op.shown_names])

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes of the inputs, each with the number of the output it is."""
        if hasattr(self, "index"):  # one of several outputs: those of the node itself
            return self.parents[0].next_functions
        if self.op.variadic:
            return tuple(edge(p) for p in self.parents)
        parents = dict(zip(self.plan.positions, self.parents, strict=True))
        return tuple(edge(parents.get(i)) for i, bit in self.op.bits if bit)

    def unused(self, k: int, create: bool) -> Any:
        """Return the gradient of an output that nothing used."""
        zeros = np.zeros(self.shape[k], self.dtype)
        return wrap(zeros, None) if create else zeros

    def value(self, k: int) -> Any:
        """Return saved value k; one that a hook packed is unpacked (saved.py)."""
        return self.saved[k]

    def input_places(self) -> list[int | None]:
        """Return where the gradient of each of the op's inputs stands in what a sweep gets."""
        if self.op.variadic:
            return [*range(len(self.parents))]
        places = {i: k for k, i in enumerate(self.plan.positions)}
        return [places.get(i) for i, bit in self.op.bits if bit]

    def __dir__(self) -> list[str]:
        own = [name for name in super().__dir__() if "_saved_" not in name]
        return sorted([*own, *("_saved_" + name for name in shown_names(self))])

    @property
    def metadata(self) -> dict[str, Any]:
        """A dict for notes about this node; anomaly mode keeps the source line here."""
        if self.meta is None:
            self.meta = {}  # type: ignore[misc]
        return self.meta

    def register_hook(self, fn: Callable[..., Any]) -> Any:
        """Call fn(grad_inputs, grad_outputs) after this node's backward; it may replace the former.

        Both are tuples of tensors or None; return None or a new tuple of grad_inputs.
        """
        from .node_hooks import hooked

        return _register(hooked(self)["after"], fn)

    def register_prehook(self, fn: Callable[..., Any]) -> Any:
        """Call fn(grad_outputs) before this node's backward; it may return a new tuple."""
        from .node_hooks import hooked

        return _register(hooked(self)["before"], fn)

    def _sequence_nr(self) -> int:
        """Return the number of the node: later ops have larger ones."""
        return -self.key

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"cannot pickle '{self.name()}' object: a graph lives in one process only")


def _register(hooks: dict[int, Any], fn: Any) -> Any:
    from .autograd.graph import RemovableHandle

    return RemovableHandle(hooks, fn)


def edge(node: Any) -> tuple[Any, int]:
    """Return a node and which of its outputs is meant."""
    index = getattr(node, "index", None) if node is not None else None
    return (node, 0) if index is None else (node.parents[0], index)


class Slot:
    """The gradients of a node with several outputs, while they are being collected."""

    __slots__ = ("grads",)
    ndim = 0
    dtype = None  # that of no array

    def __init__(self, index: int, g: Any) -> None:
        self.grads = {index: g}

    def __add__(self, other: Slot) -> Slot:
        for index, g in other.grads.items():
            self.grads[index] = self.grads[index] + g if index in self.grads else g
        return self

    def complete(self, node: Any, create: bool) -> list[Any]:
        """Return one gradient per output, zeros for those that nothing used."""
        return [node.unused(k, create) if k not in self.grads else self.grads[k]
                for k in range(len(node.shape))]


class AfterLeaf:
    """Marks a hook that gets the gradient that a leaf has accumulated, not the tensor."""

    def __init__(self, hook: Callable[..., Any]) -> None:
        self.hook = hook


class BeforeLeaf(AfterLeaf):
    """A hook of the node, not of the tensor: takes and returns tuples, and runs after those."""

    def __call__(self, g: Any) -> Any:
        from .node_hooks import replaced

        return replaced(self.hook((g,)), [g], self.hook)[0]


class Leaf:
    """The end of the tape at a tensor that requires grad: owns its gradient, hooks and array."""

    __slots__ = ("__weakref__", "array", "dtype", "grad", "hooks", "key", "meta", "post_hooks",
                 "retain", "shape", "tensor")
    op = None
    parents: tuple[()] = ()
    next_functions: tuple[()] = ()
    hooked = False  # has any leaf ever had a hook? Then sweeps count what each must wait for

    def __init__(self, tensor: Any) -> None:
        self.tensor = weakref.ref(tensor)
        self.hold(tensor._data)
        self.grad = tensor._grad
        self.hooks: dict[int, Callable[..., Any]] | None = None
        self.post_hooks: dict[int, Callable[..., Any]] | None = None
        self.key = LEAF - next(numbers)
        self.retain = self.meta = None

    def hold(self, array: ndarray) -> None:
        """Take note of the array that the leaf stands for (again, after `tensor.data = ...`)."""
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def accumulate(self, g: Any, create: bool) -> None:
        """Add a finished gradient to `.grad`, which never shares memory with anything else."""
        shown = None
        if self.post_hooks:
            shown = g if create else wrap(np.array(g), None)
        with accumulating:
            if create:
                self.grad = g if self.grad is None else self.grad + g
            elif self.grad is None:
                if type(g) is not ndarray or g.base is not None or sys.getrefcount(g) > UNSHARED:
                    g = g.copy() if type(g) is ndarray else np.array(g)  # others hold it
                self.grad = made = new(Tensor)
                made._data = g
                if state.inference:
                    made._storage = InferenceStorage()
            else:
                self.grad._data[...] += g
                storage_of(self.grad).wrote("backward (gradient accumulation)")
        if self.post_hooks:
            tensor = self.tensor()
            if tensor is None:  # the last name is gone: show the hooks an equal tensor
                tensor = wrap(self.array, None)
                tensor._node = self
            for hook in sorted(self.post_hooks.values(), key=lambda h: isinstance(h, AfterLeaf)):
                if isinstance(hook, AfterLeaf):
                    hook.hook((), (shown,))
                    continue
                result = hook(tensor)
                if result is not None:
                    if not isinstance(result, Tensor):
                        raise TypeError("expected Variable, but hook returned "
                                        f"'{type(result).__name__}': return None")
                    tensor = result  # the next hook gets it, as in PyTorch

    @property
    def variable(self) -> Any:
        """The tensor whose gradient is accumulated here."""
        return self.tensor()

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    metadata = GradFn.metadata
    _sequence_nr = GradFn._sequence_nr

    def register_hook(self, fn: Callable[..., Any]) -> Any:
        """Call fn((), grad_outputs) after the gradient has been added to `.grad`."""
        return _register(self.watchers(), AfterLeaf(fn))

    def register_prehook(self, fn: Callable[..., Any]) -> Any:
        """Call fn(grad_outputs) before the gradient is added; it may return a new tuple."""
        Leaf.hooked, self.hooks = True, {} if self.hooks is None else self.hooks
        return _register(self.hooks, BeforeLeaf(fn))

    def watchers(self) -> dict[int, Callable[..., Any]]:
        """Return the hooks that run after the gradient was added, for one more."""
        Leaf.hooked, self.post_hooks = True, {} if self.post_hooks is None else self.post_hooks
        return self.post_hooks

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"


class _Counter:
    """Takes a gradient as `Leaf.accumulate` does."""

    def accumulate(self, g: Any, create: bool) -> int:
        return sys.getrefcount(g)


def _unshared() -> int:
    """Return the references that `accumulate` sees of what only its caller holds: 3, or fewer.

    From Python 3.14 on a call need not count the references that it passes on.
    """
    g, counter = np.empty(()), _Counter()
    return counter.accumulate(g, False)


UNSHARED = _unshared()


def run_hooks(node: Any, g: Any, create: bool) -> Any:
    """Call tensor hooks with the finished gradient; each may replace it. retain_grad is last."""
    as_given = not create
    held = wrap(g, None) if as_given else g
    hooks = node.hooks or {}
    for hook in sorted(hooks.values(), key=lambda h: isinstance(h, BeforeLeaf)):
        changed = hook(held)
        if changed is not None:
            if not isinstance(changed, Tensor):
                raise TypeError(f"expected Variable, but hook returned '{type(changed).__name__}'")
            if changed._data.shape != held._data.shape:
                raise RuntimeError(f"hook '{getattr(hook, '__name__', hook)}' has changed the size "
                                   f"of value: {list(held.shape)} became {list(changed.shape)}")
            if changed._data.dtype != held._data.dtype:
                raise RuntimeError(f"hook '{getattr(hook, '__name__', hook)}' has changed the type "
                                   f"of value: {held.dtype} became {changed.dtype}")
            held = changed
    if node.retain is not None:
        tensor = node.retain()
        if tensor is not None:
            kept = held if create else wrap(held._data.copy(), None)
            tensor._grad = kept if tensor._grad is None else tensor._grad + kept
    return held._data if as_given else held
