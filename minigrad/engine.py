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
* A *fused* op has a fast first-order backward; a `reference` of other ops defines higher orders.
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

from ._quiet import hush, note_outside, recover, restore, unhush
from .anomaly import anomaly
from .declare import F, Op, Overridden, no_tensor
from .modes import state
from .nodes import GradFn, Leaf, Slot, numbers, run_hooks, wrap
from .versions import InferenceStorage, Intercepted, changed_in_place, note_saved, storage_of
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
        run, count = apply, len(made.names)

        def call(*args: Any, **given: Any) -> Any:
            if given or len(args) != count:
                if "out" in given:
                    return Tensor._write_out(call, args, given)
                args = made.fill(args, given)  # type: ignore[assignment]
            return run(made, args)

        update_wrapper(call, forward)
        made.public, call.op = call, made  # type: ignore[attr-defined]
        call.fused = made.fused  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return declare


def gather(op: Op, args: Sequence[Any]) -> tuple[list[Any], int, bool]:
    """Replace tensors by their arrays; also return the mask of inputs that need a gradient."""
    arrays, mask, found = list(args), 0, False
    for i, bit in op.bits:
        arg = args[i]
        if isinstance(arg, Tensor):
            found = True
            arrays[i] = arg._data
            if arg._base is not None:
                refresh(arg)
            if arg._node is not None:
                mask |= bit
        elif type(arg) not in NUMBERS and not (state.arrays and isinstance(arg, ndarray)):
            if not isinstance(arg, np.generic):
                raise op.refuse(i, arg)
            if not state.arrays:
                arrays[i] = arg.item()
    return arrays, mask, found


def gather_many(op: Op, args: Sequence[Any]) -> tuple[list[Any], int, bool]:
    """`gather` for ops over a sequence of tensors (cat, stack, einsum): the first argument."""
    arrays, mask, found = list(args), 0, False
    items = arrays[0] = op.listed(args[0])
    for k, arg in enumerate(items):
        if isinstance(arg, Tensor):
            found = True
            items[k] = arg._data
            if arg._base is not None:
                refresh(arg)
            if arg._node is not None:
                mask = op.bits[0][1]
        elif not (state.arrays and isinstance(arg, (ndarray, np.generic))):
            raise no_tensor(arg, f"{op.name}(): expected Tensor as element {k} in argument 0, "
                                 f"but got {type(arg).__name__}")
    return arrays, mask, found


def run_forward(op: Op, arrays: list[Any]) -> tuple[Any, Sequence[Any]]:
    """Run the op on arrays; return the result (list for many) and the auxiliary results."""
    loud = None
    try:
        loud = hush()
        y = op.forward(*arrays)
    except Exception as error:
        raise op.failure(error, arrays)  # noqa: B904 - what NumPy said stays visible below
    finally:
        (unhush if loud else recover)(loud)
    aux: Sequence[Any] = ()
    if op.aux:
        y, *aux = y
    if type(y) is not ndarray:
        y = list(y) if op.many else np.asarray(y)
    return y, aux


def apply(op: Op, args: Sequence[Any]) -> Any:
    """Run an op on tensors and record it, or on plain arrays (inside rules) and record nothing."""
    try:
        arrays, mask, found = (gather_many if op.variadic else gather)(op, args)
    except Intercepted:
        return intercept(op, args)
    except Overridden:
        return op.offer(args)
    if not found and not state.arrays:
        raise op.refuse(at := [*op.inputs, 0][0], args[at])
    y, aux = run_forward(op, arrays)
    if anomaly.on:
        anomaly.after_forward(op, arrays, y)
    if not found:
        return (y, *aux[: len(op.also)]) if op.also else y
    node = record(op, mask, args, arrays, y, aux) if mask and state.grad else None
    if op.many:
        return [result(op, args, array, node and Pick(node, k)) for k, array in enumerate(y)]
    out = result(op, args, y, node)
    if node is not None and node.plan.y is not None:
        storage = storage_of(out)
        node.versions.append(("y", storage, storage.count))
    if op.also:
        more = [result(op, args, np.asarray(a), None) for a in aux[: len(op.also)]]
        note_saved(node, op.also, more)
        return (out, *more)
    return out


def result(op: Op, args: Sequence[Any], array: ndarray, node: Node | None) -> Any:
    """Wrap one result array in a tensor."""
    out = new(Tensor)
    out._data = array
    if op.view:
        Tensor._mark_view(out, op, args)
    if node is None:
        if state.inference and not op.view:
            out._storage = InferenceStorage()
    elif array.dtype.kind == "f":
        out._node = node
    return out


def record(op: Op, mask: int, args: Sequence[Any], arrays: list[Any], y: Any,
           aux: Sequence[Any]) -> Node:
    """Put the op on the tape: keep what its rules name, and tie it to its inputs' nodes."""
    plan = op.plans.get(mask) or op.plan(mask)
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
            if isinstance(args[i], Tensor):  # not a number
                storage = args[i]._storage or storage_of(args[i])
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
            if op.backward is not None:
                from .fused import through_reference  # the sibling builds on this file

                return through_reference(self, g, wanted)
            saved = self.tensors()
        if wanted is None or not plan.parts:
            return plan.run(g, saved)
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
    previous, loud = (state.grad, state.task, state.arrays), note_outside()
    try:
        state.grad, state.task = create is True, (next(numbers), (roots, needed), targets is None)
        state.arrays += 1
        hush()
        for node, g in roots:
            if node in grads:
                grads[node] = grads[node] + g
            elif needed is None or node in needed:
                grads[node] = g
                if type(node) is not Leaf:
                    heappush(ready, (node.key, node))
        while ready or grads:
            node = heappop(ready)[1] if ready else next(iter(grads))  # leaves wait for the end
            g, wanted = grads.pop(node), None
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
            if not keep:
                node.release()
            g = None
            for k, parent in enumerate(node.parents):
                d = outcome[k]
                if d is None or parent is None or (wanted is not None and not wanted[k]):
                    continue
                if d.dtype is not parent.dtype or d.shape != parent.shape:
                    d = settle(d, parent, create)
                leaf = type(parent) is Leaf
                if leaf and direct and parent.hooks is parent.post_hooks is None:
                    outcome[k] = None  # the leaf may take over what nobody else holds
                    parent.accumulate(d, create)
                    continue
                before = grads.get(parent)
                if before is None:
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
    finally:  # plain stores and C calls: KeyboardInterrupt cannot come in between
        state.grad, state.task, state.arrays = previous
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
        d = np.add.reduce(d, axis=axes).reshape(shape)
    return d if d.dtype is parent.dtype or d.dtype == parent.dtype else d.astype(parent.dtype)
