"""The engine: ops, the tape they record, and the sweep that runs it backward.

Read this file first. It knows nothing about any particular op.

An op is one declaration. Its forward is plain NumPy, and it has one derivative rule per input::

    @op(input=lambda g, other: g * other, other=lambda g, input: g * input)
    def mul(input, other):
        return input * other

* The *names* of a rule's parameters say what it needs: `g` (always first: the gradient of the
  result), `y` (the result), an input, `<input>_shape`, an option, or an auxiliary result. Only what
  some rule names is kept on the tape.
* An op takes tensors and records a `Node`, or, while the engine runs, plain ndarrays and records
  nothing. So in first order the engine hands ndarrays to the rules. Under `create_graph=True` it
  hands the same rules tensors that are tied to their old places on the tape: the rules then record
  a tape of their own, and one declaration has derivatives of every order.
* A *fused* op has a fast first-order backward; a `reference` of other ops defines higher orders,
  or its rules do.
* Nodes hold arrays and other nodes, never tensors: there are no reference cycles.
* Nodes are numbered as they are made. The sweep always takes the newest: whatever adds to its
  gradient is newer, so it is complete, without counting and without recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ._quiet import hush, note_outside, restore
from .anomaly import anomaly
from .declare import F, Op
from .modes import state
from .node_names import show_saved
from .nodes import GradFn, Leaf, Slot, numbers, run_hooks, wrap
from .versions import Storage, changed_in_place, storage_of
from .walk import edges, leading_to

ndarray = np.ndarray
new = object.__new__
Tensor: Any = None  # the class; tensor.py sets it (late binding: the engine is the lower layer)
refresh: Any = None  # re-ties a view whose base was rewritten; views.py sets it
intercept: Any = None  # runs an op on the batched tensors of vmap; func/_vmap.py sets it
NUMBERS = frozenset({int, float, bool, type(None)})


def op(**declaration: Any) -> Callable[[F], F]:
    """Declare an op: keyword = input name, value = its derivative rule (None: no derivative).

    Further keywords: `aux` (names of auxiliary results of forward, constant for the derivative),
    `smooth` (auxiliary results that only a fused backward may name), `also` (auxiliary results that
    callers receive as well, such as indices), `reference` (the definition of a fused op), `shown`
    (the grad_fn name, or a function of options that returns it), `view` (the result shares memory
    with the first input), `outputs="many"` (forward returns a list), `explain` (builds the error
    when NumPy refuses the shapes), `mutate` (writes straight into the first array, in place).
    """
    settings = {key: declaration.pop(key) for key in
                ("aux", "smooth", "also", "reference", "shown", "view", "outputs", "explain",
                 "mutate") if key in declaration}

    def declare(forward: F) -> F:
        made = Op(forward, declaration, **settings)
        count = len(made.names)

        def call(*args: Any, **given: Any) -> Any:
            if given or len(args) != count:
                if "out" in given:
                    return Tensor._write_out(call, args, given)
                args = made.fill(args, given)  # type: ignore[assignment]
            return made.run(*args)

        update_wrapper(call, forward)
        made.public, call.op = call, made  # type: ignore[attr-defined]
        call.fused = made.fused  # type: ignore[attr-defined]
        show_saved(GradFn, made)
        return call  # type: ignore[return-value]

    return declare


def apply(op: Op, args: Sequence[Any]) -> Any:
    """Run an op on tensors and record it, or on plain arrays (inside rules) and record nothing."""
    return op.run(*args)


def record(op: Op, mask: int, args: Sequence[Any], arrays: list[Any], y: Any,
           aux: Sequence[Any]) -> Node:
    """Put the op on the tape: keep what its rules name, and tie it to its inputs' nodes."""
    try:
        plan = op.plans[mask]
    except KeyError:
        plan = op.plan(mask)
    node = new(Node)
    node.op, node.plan = op, plan
    node.hooks = node.meta = node.retain = None
    node.key = -next(numbers)
    saved, parents = [], []
    if plan.direct:
        pool = arrays if plan.inputs_only else [*arrays, y, *aux]
        for i in plan.direct:
            saved.append(pool[i])
    if op.variadic:
        parents = [t._node for t in args[0]]
        saved += [[a.shape for a in arrays[0]] for _ in plan.shapes]
        node.versions = [(f"tensors[{k}]", s, s.count) for _ in plan.tensors
                         for k, s in enumerate(map(storage_of, args[0]))]
    else:
        for i in plan.positions:
            parents.append(args[i]._node)
        for i in plan.shapes:
            saved.append(getattr(arrays[i], "shape", ()))
        node.versions = versions = []
        for i in plan.tensors:
            arg = args[i]
            if isinstance(arg, Tensor):  # not a number
                storage = arg._storage
                if storage is None:
                    storage = arg._storage = Storage()
                versions.append((op.names[i], storage, storage.count))
    node.saved, node.parents = saved, parents
    node.shape, node.dtype = (([a.shape for a in y], y[0].dtype if y else None) if op.many
                              else (y.shape, y.dtype))
    if anomaly.watched:
        anomaly.recorded(node, args)
    return node


class Node(GradFn):
    """One recorded op: its saved values and the nodes that its inputs came from."""

    __slots__ = ("__weakref__", "dtype", "hooks", "key", "meta", "op", "parents", "plan", "retain",
                 "saved", "shape", "versions")
    key: int  # minus the creation number: the smallest key is the newest node
    hooks: dict[int, Callable[..., Any]] | None

    def gradients(self, g: Any, create: bool, wanted: Sequence[bool] | None) -> list[Any]:
        """Return one gradient (or None) per parent: arrays, or tensors when `create`."""
        saved, op, plan = self.saved, self.op, self.plan
        if self.versions is None:
            raise RuntimeError(
                f"Trying to backward through the graph a second time: what {op.name} "
                f"({self.name()}) saved is freed. Use retain_graph=True, or compute it again.")
        for name, storage, count in self.versions:
            if storage.count != count:
                raise changed_in_place(self, name, storage, count)
        if create:
            if op.reference is not None:
                from .fused import through_reference  # the sibling builds on this file

                return through_reference(self, g, wanted)
            saved = self.tensors()
        if wanted is None or False not in wanted or not plan.parts:
            run = plan.run if not create else plan.by_rules
            return run(g, saved)
        return [part(g, saved) if want else None
                for part, want in zip(plan.parts, wanted, strict=True)]

    def tensors(self) -> list[Any]:
        """Return the saved values as tensors that are tied to their places on the tape."""
        tied = [self.tied(k, self.value(k)) for k in range(len(self.plan.sources))]
        return tied + self.saved[len(tied):]

    def tied(self, k: int, value: Any) -> Any:
        """Return saved value k as it was in the forward pass."""
        plan, source, node = self.plan, self.plan.sources[k], None
        if self.op.variadic and source == 0:
            return [wrap(v, p) for v, p in zip(value, self.parents, strict=True)]
        if not isinstance(value, ndarray):
            return value
        if source == -1:
            node = self
        elif source in plan.positions:
            node = self.parents[plan.positions.index(source)]
        return wrap(value, node)

    def release(self) -> None:
        """Drop what was saved; a later backward through this node is refused."""
        if self.saved and self.plan.freed:
            self.versions = None
            if self.op.shown_names:
                for k in self.plan.freed:
                    self.saved[k] = None
            else:
                self.saved = None


class Pick(Node):
    """One output of a node that has several: gathers nothing, only says which one it is."""

    __slots__ = ("index",)

    def __init__(self, node: Node, index: int) -> None:
        self.op, self.plan, self.parents, self.index = node.op, node.plan, (node,), index
        self.saved, self.versions, self.hooks, self.meta, self.retain = (), (), None, None, None
        self.key = -next(numbers)
        self.shape, self.dtype = node.shape[index], node.dtype

    def gradients(self, g: Any, create: bool, wanted: Sequence[bool] | None) -> list[Any]:
        return [Slot(self.index, g)]

    def name(self) -> str:
        return self.parents[0].name()


def sweep(roots: Sequence[tuple[Any, Any]], targets: set[Any] | None = None, *,
          keep: bool = False, create: Any = False) -> dict[Any, Any]:
    """Run the tape backward from `roots`, pairs of a node and the gradient of its result.

    Without `targets` the gradients go to all leaves' `.grad`. With them nothing is accumulated:
    those that arrive at the targets are returned by node. `keep` keeps saved values for another
    sweep, `create` records the sweep itself (gradients are tensors; "tensors": without recording).
    """
    needed = None if targets is None else leading_to(targets, [node for node, _ in roots])
    direct = targets is None and not Leaf.hooked  # leaves take each gradient as it arrives
    pending = edges(roots) if targets is None and not direct else None
    grads: dict[Any, Any] = {}
    owned: set[Any] = set()
    found: dict[Any, Any] = {}
    ready: list[tuple[int, Any]] = []
    only: Any = None  # the node that has a gradient, `only_g`, while it is the only one: no heap
    only_g: Any = None
    here = vars(state)  # this thread's; `state` itself would look for the thread each time
    previous, loud = (here["grad"], here["task"], here["arrays"]), note_outside()
    try:
        here["grad"], here["arrays"] = create is True, here["arrays"] + 1
        here["task"] = (next(numbers), (roots, needed), targets is None)
        hush()
        for node, g in roots:
            if node in grads:
                grads[node] = grads[node] + g
            elif needed is None or node in needed:
                grads[node] = g
                if type(node) is not Leaf:
                    heappush(ready, (node.key, node))
        while only is not None or ready or grads:
            if only is not None:
                node, g, only, only_g = only, only_g, None, None
            else:
                node = heappop(ready)[1] if ready else next(iter(grads))  # leaves wait for the end
                g = grads.pop(node)
            wanted = None
            if type(g) is not ndarray and (not create or type(g) is Slot):
                g = g.complete(node, create) if type(g) is Slot else np.asarray(g)
            if node.hooks is not None or node.retain is not None:
                g = run_hooks(node, g, create)
            if needed is not None:
                if node in targets:  # type: ignore[operator]
                    found[node] = g
                wanted = [p in needed for p in node.parents]
                if True not in wanted:
                    continue
            elif type(node) is Leaf:
                node.accumulate(g, create)
                continue
            outcome: Any = node.gradients(g, create, wanted)
            if anomaly.on:
                anomaly.after_backward(node, outcome)
            if not keep and node.saved:
                node.release()
            g = None
            for k, parent in enumerate(node.parents):
                d = outcome[k]
                if d is None or parent is None or (wanted is not None and not wanted[k]):
                    continue
                leaf = type(parent) is Leaf
                if leaf:  # the same twice: Python is faster where all is of one class
                    if d.dtype is not parent.dtype or d.shape != parent.shape:
                        d = settle(d, parent, create)
                    if direct and parent.hooks is parent.post_hooks is None:
                        outcome[k] = None  # the leaf may take over what nobody else holds
                        parent.accumulate(d, create)
                        continue
                elif d.dtype is not parent.dtype or d.shape != parent.shape:
                    d = settle(d, parent, create)
                if only is not None:  # it no longer is
                    grads[only] = only_g
                    heappush(ready, (only.key, only))
                    only = only_g = None
                before = grads.get(parent)
                if before is None:
                    if not (leaf or grads):
                        only, only_g = parent, d
                        continue
                    grads[parent] = d
                    if not leaf:
                        heappush(ready, (parent.key, parent))
                elif parent in owned and before.ndim:
                    before += d
                else:  # the first sum is never in place: others may hold `before`
                    grads[parent] = before + d
                    if type(before) is ndarray:
                        owned.add(parent)
                if leaf and pending is not None:  # once complete, its hooks need not wait
                    pending[parent] -= 1
                    if not pending[parent]:
                        heappush(ready, (parent.key, parent))
            d = before = outcome = None
    finally:  # plain stores and one C call: KeyboardInterrupt cannot come in between
        here["grad"], here["task"], here["arrays"] = previous
        restore(loud)
    return found


def settle(d: Any, parent: Any, create: bool) -> Any:
    """Give a gradient the shape and dtype of what it is the gradient of (undo broadcasting)."""
    if type(d) is Slot:
        return d
    if create:
        if d._data.shape != parent.shape:
            d = d.sum_to_size(parent.shape)
        return d if d._data.dtype == parent.dtype else d.to(Tensor._dtype_of(parent.dtype))
    shape = parent.shape
    if d.shape != shape:
        extra = d.ndim - len(shape)
        axes = tuple(i for i in range(d.ndim)
                     if i < extra or (shape[i - extra] == 1 and d.shape[i] != 1))
        wide = np.float32 if d.itemsize == 2 else None  # in float16 a sum of ones ends at 2048
        d = np.add.reduce(d, axes, wide).reshape(shape)
    return d if d.dtype is parent.dtype or d.dtype == parent.dtype else d.astype(parent.dtype)
