"""Saved tensors hooks: what nodes keep passes through functions of the user's.

While hooks are active, `pack` gets every tensor that an op saves, and its result is kept instead;
`unpack` makes the tensor again when backward wants it. A node with packed values is a `PackedNode`:
the engine itself knows nothing of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ._fork import kept_free
from .anomaly import anomaly
from .engine import Node, wrap
from .modes import state, without_grad
from .versions import storage_of

ndarray = np.ndarray
_lock = kept_free(threading.Lock())


class Packed:
    """What `pack` returned, and how to make the tensor of it."""

    __slots__ = ("shape", "unpack", "value")

    def __init__(self, hooks: tuple[Callable[..., Any], Callable[..., Any]], tensor: Any) -> None:
        pack, self.unpack = hooks
        self.shape = tensor._data.shape
        storage = storage_of(tensor)
        count, node = storage.count, tensor._node
        self.value = without_grad(pack, tensor)
        if storage.count != count:
            raise RuntimeError("A saved tensor pack hook is modifying its input in place. Tensors "
                               "provided as input to pack hook can not be modified by in-place "
                               "operations: clone() it first.")
        if self.value is tensor and node is not None:
            self.value = tensor.detach()  # the node must not hold itself

    def array(self) -> ndarray:
        """Return the values that `unpack` gives."""
        from .engine import Tensor

        made = without_grad(self.unpack, self.value)
        if not isinstance(made, Tensor):
            raise TypeError(f"Output of saved tensor unpack_hook expected to be a Tensor but got "
                            f"result of type {type(made).__name__}")
        array: ndarray = made._data
        if array.shape != self.shape:
            raise RuntimeError(f"saved tensor unpack_hook returned a tensor of shape "
                               f"{list(array.shape)}; the one that was saved has "
                               f"{list(self.shape)}")
        return array


class PackedNode(Node):
    """A node some of whose saved values are packed."""

    __slots__ = ()

    def gradients(self, g: Any, create: bool, wanted: Any) -> Any:
        if self.versions is None:
            return super().gradients(g, create, wanted)  # refuses: it is freed
        kept = self.saved, self.versions
        packed = {self.plan.names[k] for k, value in enumerate(self.saved)
                  if isinstance(value, Packed)}
        self.versions = [v for v in self.versions if v[0] not in packed]
        self.saved = [value.array() if isinstance(value, Packed) else value for value in kept[0]]
        try:
            return super().gradients(g, create, wanted)
        finally:
            self.saved, self.versions = kept

    def value(self, k: int) -> Any:
        value = self.saved[k]
        return value.array() if isinstance(value, Packed) else value


def pack_node(node: Node, args: Any) -> None:
    """Pack what a node has just saved, if it saved anything."""
    hooks = state.packers[-1]
    for k, source in enumerate(node.plan.sources):
        if not isinstance(node.saved[k], ndarray):
            continue
        if source in node.op.inputs:
            tensor = args[source]
        else:
            tensor = wrap(node.saved[k], node if source == -1 else None)
        pack_value(node, k, hooks, tensor)


def pack_value(node: Node, k: int, hooks: Any, tensor: Any) -> None:
    """Replace one saved value by what `pack` makes of it."""
    node.saved[k] = Packed(hooks, tensor)
    if type(node) is Node:
        node.__class__ = PackedNode
    elif not isinstance(node, PackedNode):
        raise RuntimeError("register_hooks on a saved tensor comes before the first hook on its "
                           "node; and a Function's saved tensors are packed when they are saved")


class saved_tensors_hooks:
    """Let every tensor that ops save for backward pass through `pack_hook` and `unpack_hook`.

    pack_hook(tensor) is called when an op saves a tensor; what it returns (anything) is kept.
    unpack_hook(kept) must return a tensor of the same values whenever backward asks. The innermost
    of nested contexts counts. pack_hook must not change its argument (RuntimeError).

    >>> import minigrad as torch
    >>> x = torch.tensor([1., 2.], requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), torch.tensor):
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.])
    """

    _tokens: tuple[object, ...] = ()

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        for hook in (self.pack_hook, self.unpack_hook):
            if not callable(hook):
                raise TypeError(f"saved_tensors_hooks: expected two functions, got "
                                f"{type(hook).__name__}")
        if state.packers_off is not None:
            raise RuntimeError(state.packers_off)
        token, before = object(), state.packers
        try:
            note_watcher(token, True)
            self._tokens = (*self._tokens, token)
            state.packers = (*before, (self.pack_hook, self.unpack_hook))
        except BaseException:  # an interrupt: the block will not begin
            note_watcher(token, False)
            raise

    def __exit__(self, *exc: object) -> None:
        state.packers = state.packers[:-1]
        token, self._tokens = self._tokens[-1], self._tokens[:-1]
        note_watcher(token, False)


def call_with_hooks(pack: Callable[[Any], Any], unpack: Callable[[Any], Any],
                    function: Callable[..., Any], *args: Any, **given: Any) -> Any:
    """Call a function inside `saved_tensors_hooks`, which no interrupt can leave switched."""
    token, before = object(), state.packers
    try:
        note_watcher(token, True)
        state.packers = (*before, (pack, unpack))
        return function(*args, **given)
    finally:
        state.packers = before
        try:
            note_watcher(token, False)
        except BaseException:
            note_watcher(token, False)
            raise


def note_watcher(token: object, active: bool) -> None:
    """Tell the engine whether somebody wants to see what it does; again changes nothing."""
    with _lock:
        (anomaly.hooks.add if active else anomaly.hooks.discard)(token)
        anomaly.watched = anomaly.on or bool(anomaly.hooks)


anomaly.pack_node = pack_node
