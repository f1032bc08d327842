"""The tape for those who look at it: nodes, gradient edges, hooks, what is saved."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from .. import engine
from ..engine import Leaf
from ..modes import state
from ..nodes import GradFn, edge, shown_names
from ..saved import Packed, pack_value, saved_tensors_hooks
from ..versions import InferenceStorage, storage_of
from ..walk import edges

__all__ = ["GradientEdge", "Node", "RemovableHandle", "SavedTensor",
           "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
           "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks"]

_ids = itertools.count()


class _NodeMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, (GradFn, Leaf))


class Node(metaclass=_NodeMeta):
    """Any `grad_fn`: `isinstance(x, Node)` is True for all nodes of the tape.

    Every node has `name()`, `next_functions` (pairs of a node and which of its outputs),
    `metadata`, `register_hook`, `register_prehook`, and `_saved_<name>` for each value it keeps.
    """


class RemovableHandle:
    """What registering a hook returns: `remove()` (or the end of a `with` block) takes it away."""

    def __init__(self, hooks_dict: Any, hook: Callable[..., Any] | None = None, *,
                 extra_dict: Any = None, first: bool = False) -> None:
        self.id = next(_ids)
        extra = () if extra_dict is None else extra_dict
        self._dicts = [hooks_dict, *(extra if isinstance(extra, (list, tuple)) else [extra])]
        if hook is not None:
            hooks_dict[self.id] = hook
        if first:
            for key in list(hooks_dict)[:-1]:
                hooks_dict[key] = hooks_dict.pop(key)

    def remove(self) -> None:
        """Remove the hook, and what `extra_dict` (one dict or a list) says about it; twice is
        harmless.
        """
        for each in self._dicts:
            each.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class GradientEdge(NamedTuple):
    """One output of a node: `backward` and `grad` take it in the place of the tensor itself."""

    node: Any
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Return where a tensor stands on the tape; the tensor itself may then be dropped.

    RuntimeError for a tensor that does not require grad.

    >>> import minigrad as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> y = x * 3
    >>> edge = torch.autograd.graph.get_gradient_edge(y)
    >>> torch.autograd.grad(y.sum(), edge, retain_graph=True)
    (tensor([1., 1.]),)
    """
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not "
                           "require gradients")
    return GradientEdge(*edge(tensor._node))


def increment_version(tensor: Any) -> None:
    """Count an in-place write into a tensor (or several) that autograd could not see.

    A backward that needs the old value then raises instead of using the new one.
    """
    for t in [tensor] if isinstance(tensor, engine.Tensor) else tensor:
        if isinstance(t._storage, InferenceStorage):
            continue
        storage_of(t).wrote("increment_version")


# ------------------------------------------------------------------------------------ saved values
class SavedTensor:
    """One value that a node keeps: `_raw_saved_<name>`. Hooks may pack it."""

    def __init__(self, node: Any, at: int) -> None:
        self._node, self._at = node, at

    def register_hooks(self, pack_hook: Callable[..., Any],
                       unpack_hook: Callable[..., Any]) -> None:
        """Replace the value by what pack_hook makes of it now; see `saved_tensors_hooks`."""
        if self._node.versions is None:
            raise RuntimeError("Calling register_hooks on a saved tensor after it has been freed. "
                               "Saved intermediate values of the graph are freed when you call "
                               ".backward() or autograd.grad().")
        value = self._node.saved[self._at]
        if isinstance(value, Packed):
            raise RuntimeError("Calling register_hooks on a saved tensor whose hooks have already "
                               "been set.")
        pack_value(self._node, self._at, (pack_hook, unpack_hook), self._node.tied(self._at, value))


def read_saved(node: Any, name: str) -> Any:
    """Return the saved value that an attribute of a node names."""
    raw = name.startswith("_raw")
    shown = name.removeprefix("_raw").removeprefix("_saved_")
    names = shown_names(node)
    if shown not in names:
        raise AttributeError(f"{node.name()!r} object has no attribute {name!r}")
    at = names.index(shown)
    if node.versions is None and at in node.plan.freed:
        raise RuntimeError(
            f"Trying to backward through the graph a second time (or directly access saved tensors "
            f"after they have already been freed): {node.name()} has dropped {name}. Specify "
            f"retain_graph=True for the first backward.")
    if raw:
        return SavedTensor(node, at)
    if at >= len(node.plan.sources):
        return node.saved[at]
    made = node.tied(at, node.value(at))
    place = getattr(made, "_node", None)
    if type(place) is Leaf:  # show the leaf itself: drawings know tensors by identity
        leaf = place.tensor()
        if leaf is not None and leaf._data is made._data:
            return leaf
    return tuple(made) if isinstance(made, list) else made


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Refuse saved tensors hooks inside the block: RuntimeError with the given message."""
    if state.packers:
        raise RuntimeError(error_message)
    previous, state.packers_off = state.packers_off, error_message
    try:
        yield
    finally:
        state.packers_off = previous


class save_on_cpu(saved_tensors_hooks):
    """Keep saved tensors in the memory of the CPU: where they are anyway, so nothing changes.

    RuntimeError with pin_memory=True when something is saved: there is no accelerator.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack(tensor: Any) -> Any:
            if pin_memory:
                raise RuntimeError("save_on_cpu: pin_memory=True needs an accelerator, and "
                                   "minigrad has the CPU only")
            return tensor

        super().__init__(pack, lambda kept: kept)


class _Mutable(saved_tensors_hooks):
    """Keep a copy of everything saved, and refuse to give it away after the block."""

    def __init__(self) -> None:
        self.open = True

        def unpack(kept: Any) -> Any:
            if not self.open:
                raise AssertionError(
                    "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context "
                    "in which the graph was originally recorded.")
            return kept

        super().__init__(lambda t: t.detach().clone(), unpack)


_mutable = threading.local()


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[Any]:
    """Let tensors be overwritten in place although backward needs their old values.

    Inside the block ops save copies (PyTorch copies at the write; the results are the same, the
    memory is not). backward must run inside too (AssertionError). RuntimeError if nested.

    >>> import minigrad as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
    ...     a = x * 2
    ...     b = a.exp().log() * a
    ...     _ = a.mul_(0)
    ...     b.sum().backward()
    """
    if getattr(_mutable, "on", False):
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    _mutable.on = True
    hooks = _Mutable()
    try:
        with hooks:
            yield hooks
    finally:
        _mutable.on = hooks.open = False


# ------------------------------------------------------------------------------- hooks on several
class _Group:
    """The gradients of several tensors during one backward."""

    def __init__(self, tensors: Sequence[Any], fn: Callable[..., Any], any_one: bool) -> None:
        self.nodes = [t._node for t in tensors]
        self.fn, self.any_one = fn, any_one
        self.lock = threading.Lock()
        self.number = -1  # of the sweep that the rest is about
        self.grads: list[Any] = []
        self.left = 0

    def arrived(self, k: int, g: Any) -> None:
        number, (roots, needed), _ = state.task
        with self.lock:
            if number != self.number:
                self.number = number
                self.grads = [None] * len(self.nodes)
                reached = {*edges(roots, needed), *(node for node, _ in roots)}
                self.left = 1 if self.any_one else sum(node in reached for node in self.nodes)
            self.grads[k] = g
            self.left -= 1
            if self.left:
                return
            grads, self.grads = self.grads, [None] * len(self.nodes)
        self.fn(g if self.any_one else grads)


def register_multi_grad_hook(tensors: Sequence[Any], fn: Callable[..., Any], *,
                             mode: str = "all") -> RemovableHandle:
    """Call `fn` once per backward: with the gradients of all tensors, or ("any") with the first.

    With mode="all", fn gets a list with None for tensors that this backward does not reach. What
    fn returns is ignored. ValueError for other modes.

    >>> import minigrad as torch
    >>> a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    >>> hook = torch.autograd.graph.register_multi_grad_hook((a, b), lambda grads: print(grads))
    >>> (a * 2).sum().backward()
    [tensor([2., 2.]), None]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    group = _Group(tensors, fn, mode == "any")

    def hook_of(k: int) -> Callable[[Any], None]:
        return lambda g: group.arrived(k, g)

    handles = [t.register_hook(hook_of(k)) for k, t in enumerate(tensors)]

    class Handle(RemovableHandle):
        def __init__(self) -> None:
            super().__init__({})

        def remove(self) -> None:
            for handle in handles:
                handle.remove()

    return Handle()

