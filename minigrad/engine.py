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
  hands the same rules tensors that are tied to their old places on the tape: the rules then record a
  tape of their own, and one declaration has derivatives of every order.
* A *fused* op has a fast backward for first order, and a readable `reference` made of other ops
  which defines all higher orders (and which the tests compare it with).
* Nodes hold arrays and other nodes, never tensors: there are no reference cycles.
* Nodes are numbered as they are made. The sweep always takes the newest node whose gradient is
  complete, so nothing recurses, however deep the graph is.
"""

from __future__ import annotations

import heapq
import inspect
import itertools
import operator
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import update_wrapper
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from .anomaly import anomaly
from .modes import enable_grad, state
from .versions import InferenceStorage, Storage, changed_in_place, storage_of

ndarray = np.ndarray
new = object.__new__
Tensor: Any = None  # the class; tensor.py sets it (late binding: the engine is the lower layer)
refresh: Callable[[Any], None]  # re-ties a view whose base was rewritten; views.py sets it

REQUIRED = inspect.Parameter.empty
ALIASES = {"axis": "dim", "keepdims": "keepdim", "x1": "input", "x2": "other", "a": "input"}
NUMBERS = frozenset({int, float, bool, type(None)})
_numbers = itertools.count(1)
_accumulating = threading.Lock()
F = TypeVar("F", bound=Callable[..., Any])


# ---------------------------------------------------------------------------------------- ops
class Plan:
    """What one op keeps, and which rules it runs, when a given set of inputs needs gradients."""

    __slots__ = ("direct", "fetch", "names", "needs", "positions", "rules", "shapes", "sources",
                 "tensors", "y")

    def __init__(self, op: Op, mask: int) -> None:
        self.positions = [i for i in op.inputs if mask >> i & 1]
        self.needs = tuple(bool(mask >> i & 1) for i in op.inputs)
        kept: list[str] = []
        for used in [*op.named_by(self.positions), op.shown_names]:
            kept += [name for name in used if name not in kept]
        end = len(op.names)
        places = {name: i for i, name in enumerate([*op.names, "y", *op.aux])}
        direct = [name for name in kept if name in places]
        shapes = [name for name in kept if name not in places]
        self.names = direct + shapes
        self.direct = [places[name] for name in direct]
        self.shapes = [op.names.index(name.removesuffix("_shape")) for name in shapes]
        self.y = direct.index("y") if "y" in direct else None
        # which saved values are inputs (their versions are checked), and where to tie them again
        self.tensors = [i for i in self.direct if i in op.inputs]
        self.sources = [i if i < end else -1 if i == end else None for i in self.direct]
        self.rules = []
        for i in self.positions:
            if op.backward is None:
                rule, used = op.rules[i]
                self.rules.append((rule, [self.names.index(name) for name in used]))
        self.fetch = [self.names.index(name) for name in op.backward_names]


class Op:
    """One operation: forward, derivative rules, and what they save."""

    def __init__(self, forward: Callable[..., Any], rules: dict[str, Any], *, aux: str = "",
                 smooth: str = "", also: str = "", reference: Callable[..., Any] | None = None,
                 shown: str | Callable[..., str] | None = None, view: bool = False, outputs: str = "one",
                 explain: Callable[..., Exception] | None = None,
                 mutate: Callable[..., None] | None = None) -> None:
        self.forward = positional(forward)
        self.name = forward.__name__.strip("_")
        camel = "".join(part[:1].upper() + part[1:] for part in self.name.split("_"))
        self.shown = shown or f"{camel}Backward0"
        self.reference, self.view, self.explain, self.mutate = reference, view, explain, mutate
        self.many = outputs == "many"
        params = inspect.signature(forward).parameters
        self.names = list(params)
        self.slots = {name: i for i, name in enumerate(self.names)}
        self.defaults = [p.default for p in params.values()]
        self.positional = sum(p.kind is not p.KEYWORD_ONLY for p in params.values())
        self.variadic = self.names[0] == "tensors"
        self.smooth = smooth.split()
        self.also = also.split()
        self.aux = [*self.also, *aux.split(), *self.smooth]
        self.inputs = [self.slots[name] for name in rules]
        self.rules = {self.slots[name]: (rule, self.check(rule))
                      for name, rule in rules.items() if rule is not None}
        self.differentiable = frozenset(self.rules)
        self.backward: Callable[..., Any] | None = None
        self.backward_names: list[str] = []
        self.reference_names = self.check(reference, first=0) if reference else []
        self.shown_names = self.check(self.shown, first=0) if callable(self.shown) else []
        self.plans: dict[int, Plan] = {}
        if reference is not None:  # fused: gradients for the inputs that the reference names
            self.differentiable = frozenset(
                i for i, name in enumerate(self.names)
                if i in self.inputs and name in self.reference_names)

    def check(self, rule: Callable[..., Any], first: int = 1) -> list[str]:
        """Return the names a rule asks for; refuse unknown ones where the op is declared."""
        names = list(inspect.signature(rule).parameters)
        if first and names[:1] != ["g"]:
            raise TypeError(f"{self.name}: the first parameter of a rule must be g, got {names}")
        for name in names[first:]:
            known = name in self.slots or name == "y" or name in self.aux
            if name in self.smooth:
                raise TypeError(f"{self.name}: {name} depends smoothly on the inputs: only the "
                                f"fused backward may use it, or higher orders would be wrong")
            if not known and name.removesuffix("_shape") not in self.slots:
                raise TypeError(f"{self.name}: a rule names '{name}', which is neither an input, "
                                f"y, <input>_shape, an option nor an auxiliary result")
        return names[first:]

    def fused(self, backward: F) -> F:
        """Declare the first-order backward: (g, <names>..., needs) -> one gradient per input."""
        self.backward = backward
        names = list(inspect.signature(backward).parameters)
        if names[0] != "g" or names[-1] != "needs" or self.reference is None:
            raise TypeError(f"{self.name}: a fused backward is f(g, ..., needs) and needs a "
                            f"reference for the higher orders")
        self.backward_names = names[1:-1]
        return backward

    def named_by(self, positions: list[int]) -> list[list[str]]:
        if self.backward is not None:
            return [self.backward_names, self.reference_names]
        return [self.rules[i][1] for i in positions]

    def plan(self, mask: int) -> Plan:
        made = self.plans[mask] = Plan(self, mask)
        return made

    def fill(self, args: tuple[Any, ...], given: dict[str, Any]) -> list[Any]:
        """Complete a call's arguments by keywords (torch's names or NumPy's) and defaults."""
        if len(args) > self.positional:
            raise TypeError(f"{self.name}() takes at most {self.positional} positional arguments, "
                            f"got {len(args)}")
        filled = [*args, *self.defaults[len(args):]]
        for key, value in given.items():
            at = self.slots.get(key if key in self.slots else ALIASES.get(key, key))
            if at is None:
                raise TypeError(f"{self.name}() got an unexpected keyword argument '{key}'; it "
                                f"knows {', '.join(self.names)}")
            if at < len(args):
                raise TypeError(f"{self.name}() got multiple values for argument '{key}'")
            filled[at] = value
        if REQUIRED in map(type, filled) or any(v is REQUIRED for v in filled):
            missing = [n for n, v in zip(self.names, filled, strict=True) if v is REQUIRED]
            raise TypeError(f"{self.name}() missing required argument(s): {', '.join(missing)}")
        return filled

    def refuse(self, at: int, arg: Any) -> Exception:
        kind = type(arg).__name__
        return TypeError(f"{self.name}(): argument '{self.names[at]}' (position {at + 1}) must be "
                         f"Tensor, not {kind}; convert it with minigrad.as_tensor")


def op(**declaration: Any) -> Callable[[F], F]:
    """Declare an op: keyword = input name, value = its derivative rule (None: no derivative).

    Further keywords: `aux` (names of auxiliary results of forward, constant for the derivative),
    `smooth` (auxiliary results that only a fused backward may name), `also` (auxiliary results that
    callers receive as well, such as indices), `reference` (the definition of a fused op), `shown`
    (the grad_fn name to print, or a function of options that returns it), `view` (the result shares memory with the first input),
    `outputs="many"` (forward returns a list), `explain` (builds the error when NumPy refuses the
    shapes), `mutate` (writes the result straight into the first array, for the in-place form).
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
        call.op = made  # type: ignore[attr-defined]
        call.fused = made.fused  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return declare


def positional(function: Any) -> Any:
    """Return the function with its keyword-only parameters made positional (the engine's calls)."""
    code = function.__code__
    if not code.co_kwonlyargcount:
        return function
    count = code.co_argcount + code.co_kwonlyargcount
    code = code.replace(co_argcount=count, co_kwonlyargcount=0)
    return FunctionType(code, function.__globals__, function.__name__,
                        closure=function.__closure__)


def gather(op: Op, args: Sequence[Any]) -> tuple[list[Any], int, bool]:
    """Replace tensors by their arrays; also return the mask of inputs that need a gradient."""
    arrays = list(args)
    mask, found = 0, False
    for i in op.inputs:
        arg = args[i]
        if isinstance(arg, Tensor):
            found = True
            arrays[i] = arg._data
            if arg._base is not None:
                refresh(arg)
            if arg._node is not None and i in op.differentiable:
                mask |= 1 << i
        elif type(arg) not in NUMBERS and not (state.arrays and isinstance(arg, ndarray)):
            if not isinstance(arg, np.generic):
                raise op.refuse(i, arg)
            if not state.arrays:
                arrays[i] = arg.item()
    return arrays, mask, found


def gather_many(op: Op, args: Sequence[Any]) -> tuple[list[Any], int, bool]:
    """`gather` for ops over a sequence of tensors (cat, stack, einsum): the first argument."""
    arrays, mask, found = list(args), 0, False
    items = arrays[0] = list(args[0])
    for k, arg in enumerate(items):
        if isinstance(arg, Tensor):
            found = True
            items[k] = arg._data
            if arg._base is not None:
                refresh(arg)
            if arg._node is not None and 0 in op.differentiable:
                mask = 1
        elif not (state.arrays and isinstance(arg, ndarray)):
            raise TypeError(f"{op.name}(): expected Tensor as element {k} in argument 0, "
                            f"but got {type(arg).__name__}")
    return arrays, mask, found


def run_forward(op: Op, arrays: list[Any]) -> tuple[Any, Sequence[Any]]:
    """Run the op on arrays; return the result (list for many) and the auxiliary results."""
    try:
        y = op.forward(*arrays)
    except ValueError:
        if op.explain is None:
            raise
        error = op.explain(*arrays)
        raise error from None
    aux: Sequence[Any] = ()
    if op.aux:
        y, *aux = y
    if type(y) is not ndarray:
        y = list(y) if op.many else np.asarray(y)
    return y, aux


def apply(op: Op, args: Sequence[Any]) -> Any:
    """Run an op on tensors and record it, or on plain arrays (inside rules) and record nothing."""
    arrays, mask, found = (gather_many if op.variadic else gather)(op, args)
    if not found and not state.arrays:
        at = op.inputs[0] if op.inputs else 0
        raise op.refuse(at, args[at])
    y, aux = run_forward(op, arrays)
    if anomaly.on:
        anomaly.after_forward(op, arrays, y)
    if not found:
        return (y, *aux[: len(op.also)]) if op.also else y
    node = None
    if mask and state.grad:
        node = record(op, mask, args, arrays, y, aux)
    if op.many:
        return [result(op, args, array, node and Pick(node, k)) for k, array in enumerate(y)]
    out = result(op, args, y, node)
    if node is not None and node.plan.y is not None:
        storage = storage_of(out)
        node.versions.append(("y", storage, storage.count))
    if op.also:
        return (out, *(result(op, args, a, None) for a in aux[: len(op.also)]))
    return out


def result(op: Op, args: Sequence[Any], array: ndarray, node: Node | None) -> Any:
    """Wrap one result array in a tensor."""
    out = new(Tensor)
    out._data = array
    if node is not None and array.dtype.kind == "f":
        out._node = node
    if op.view:
        Tensor._mark_view(out, op, args)
    elif state.inference:
        out._storage = InferenceStorage()
    return out


def record(op: Op, mask: int, args: Sequence[Any], arrays: list[Any], y: Any,
           aux: Sequence[Any]) -> Node:
    """Put the op on the tape: keep what its rules name, and tie it to its inputs' nodes."""
    plan = op.plans.get(mask) or op.plan(mask)
    node = new(Node)
    node.op, node.plan, node.hooks, node.meta, node.retain = op, plan, None, None, None
    node.key = -next(_numbers)
    pool = [*arrays, y, *aux]
    saved = [pool[i] for i in plan.direct]
    if op.variadic:
        node.parents = [t._node for t in args[0]]
        saved += [[a.shape for a in arrays[0]] for _ in plan.shapes]
        node.versions = [(f"tensors[{k}]", s, s.count) for _ in plan.tensors
                         for k, s in enumerate(map(storage_of, args[0]))]
    else:
        node.parents = [args[i]._node for i in plan.positions]
        if plan.shapes:
            saved += [getattr(arrays[i], "shape", ()) for i in plan.shapes]
        node.versions = versions = []
        for i in plan.tensors:
            if isinstance(args[i], Tensor):
                storage = args[i]._storage or storage_of(args[i])
                versions.append((op.names[i], storage, storage.count))
    node.saved = saved
    if op.many:
        node.shape, node.dtype = [a.shape for a in y], y[0].dtype if y else None
    else:
        node.shape, node.dtype = y.shape, y.dtype
    if anomaly.on:
        anomaly.recorded(node)
    return node


# --------------------------------------------------------------------------------------- tape
class Node:
    """One recorded op: its saved values and the nodes that its inputs came from."""

    __slots__ = ("__weakref__", "dtype", "hooks", "key", "meta", "op", "parents", "plan", "retain",
                 "saved", "shape", "versions")
    op: Any
    plan: Any
    parents: Any
    saved: Any
    versions: Any
    key: int  # minus the creation number: the smallest key is the newest node
    shape: Any
    dtype: Any
    hooks: dict[int, Callable[..., Any]] | None
    retain: Any
    meta: dict[str, Any] | None

    def gradients(self, g: Any, create: bool, wanted: Sequence[bool] | None) -> Sequence[Any]:
        """Return one gradient (or None) per parent: arrays, or tensors when `create`."""
        saved, op, plan = self.saved, self.op, self.plan
        if saved is None:
            raise RuntimeError(
                f"Trying to backward through the graph a second time: the values that {op.name} "
                f"({self.name()}) saved were freed by the first backward. Call the first one with "
                f"retain_graph=True, or compute the forward pass again.")
        for name, storage, count in self.versions:
            if storage.count != count:
                raise changed_in_place(self, name, storage, count)
        if create:
            if op.backward is not None:
                return through_reference(self, g, wanted)
            saved = self.tensors()
        elif op.backward is not None:
            grads = op.backward(g, *[saved[k] for k in plan.fetch], plan.needs)
            return [d for d, need in zip(grads, plan.needs, strict=True) if need]
        if op.variadic:  # one rule returns the gradients of all tensors of the sequence
            rule, used = plan.rules[0]
            return rule(g, *[saved[k] for k in used])
        if wanted is None:
            return [rule(g, *[saved[k] for k in used]) for rule, used in plan.rules]
        return [rule(g, *[saved[k] for k in used]) if want else None
                for (rule, used), want in zip(plan.rules, wanted, strict=True)]

    def tensors(self) -> list[Any]:
        """Return the saved values as tensors that are tied to their places on the tape."""
        plan = self.plan
        tied = list(self.saved)
        for k, source in enumerate(plan.sources):
            value = tied[k]
            if self.op.variadic and source == 0:
                tied[k] = [wrap(v, p) for v, p in zip(value, self.parents, strict=True)]
            elif isinstance(value, ndarray):
                node = None
                if source == -1:
                    node = self
                elif source in plan.positions:
                    node = self.parents[plan.positions.index(source)]
                tied[k] = wrap(value, node)
        return tied

    def release(self) -> None:
        """Drop what was saved; a later backward through this node is refused."""
        if self.saved:
            if self.op.shown_names:
                self.meta = {**(self.meta or {}), "name": self.name()}
            self.saved = None

    # what torch's grad_fn objects offer
    def name(self) -> str:
        """Return the name that PyTorch prints for this function."""
        op = self.op
        if not op.shown_names:
            return op.shown
        if self.saved is None:
            return (self.meta or {})["name"]
        return op.shown(*[self.saved[self.plan.names.index(name)] for name in op.shown_names])

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes of the inputs, each with the number of the output it is."""
        if self.op.variadic:
            return tuple(edge(p) for p in self.parents)
        parents = dict(zip(self.plan.positions, self.parents, strict=True))
        return tuple(edge(parents.get(i)) for i in self.op.inputs if i in self.op.differentiable)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_saved_") and self.saved is not None:
            key = {"result": "y", "self": "input"}.get(name[7:], name[7:])
            if key in self.plan.names:
                return self.tensors()[self.plan.names.index(key)]
        raise AttributeError(f"{self.name()} has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


class Pick(Node):
    """One output of a node that has several: gathers nothing, only says which one it is."""

    __slots__ = ("index",)

    def __init__(self, node: Node, index: int) -> None:
        self.op, self.plan, self.parents, self.index = node.op, node.plan, (node,), index
        self.saved, self.versions, self.hooks, self.meta, self.retain = (), (), None, None, None
        self.key = -next(_numbers)
        self.shape, self.dtype = node.shape[index], node.dtype

    def gradients(self, g: Any, create: bool, wanted: Sequence[bool] | None) -> Sequence[Any]:
        return [Slot(self.index, g)]

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        return self.parents[0].next_functions

    def name(self) -> str:
        return self.parents[0].name()


class Slot:
    """The gradients of a node with several outputs, while they are being collected."""

    __slots__ = ("grads",)
    ndim = 0

    def __init__(self, index: int, g: Any) -> None:
        self.grads = {index: g}

    def __add__(self, other: Slot) -> Slot:
        for index, g in other.grads.items():
            self.grads[index] = self.grads[index] + g if index in self.grads else g
        return self

    def complete(self, node: Node, create: bool) -> list[Any]:
        """Return one gradient per output, zeros for those that nothing used."""
        grads = [self.grads.get(k) for k in range(len(node.shape))]
        for k, shape in enumerate(node.shape):
            if grads[k] is None:
                zeros = np.zeros(shape, node.dtype)
                grads[k] = wrap(zeros, None) if create else zeros
        return grads


class Leaf:
    """The end of the tape at a tensor that requires grad: owns its gradient, hooks and array."""

    __slots__ = ("__weakref__", "array", "dtype", "grad", "hooks", "key", "meta", "post_hooks",
                 "retain", "shape", "tensor")
    parents: tuple[()] = ()
    op = None

    def __init__(self, tensor: Any) -> None:
        self.tensor = weakref.ref(tensor)
        self.hold(tensor._data)
        self.grad = tensor._grad
        self.hooks: dict[int, Callable[..., Any]] | None = None
        self.post_hooks: dict[int, Callable[..., Any]] | None = None
        self.key = -(1 << 62) - next(_numbers)  # a leaf that is complete is served at once
        self.retain = self.meta = None

    def hold(self, array: ndarray) -> None:
        """Take note of the array that the leaf stands for (again, after `tensor.data = ...`)."""
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def accumulate(self, g: Any, create: bool) -> None:
        """Add a finished gradient to `.grad`, which never shares memory with anything else."""
        with _accumulating:
            if self.grad is None:
                if not create:
                    if type(g) is not ndarray or g.base is not None or sys.getrefcount(g) > 4:
                        g = np.array(g, order="C")  # someone else holds it
                    g = wrap(g, None)
                self.grad = g
            elif create:
                self.grad = self.grad + g
            else:
                self.grad._data[...] += g
                storage_of(self.grad).wrote("backward (gradient accumulation)")
        if self.post_hooks:
            tensor = self.tensor()
            if tensor is None:  # the last name is gone: show the hooks an equal tensor
                tensor = wrap(self.array, None)
                tensor._node = self
            for hook in list(self.post_hooks.values()):
                hook(tensor)

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    next_functions: tuple[()] = ()

    @property
    def variable(self) -> Any:
        """The tensor whose gradient this is."""
        return self.tensor()

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"


def edge(node: Any) -> tuple[Any, int]:
    return (node.parents[0], node.index) if type(node) is Pick else (node, 0)


def wrap(array: Any, node: Any) -> Any:
    """Return a tensor of `array` at the place `node` of the tape (None: a constant)."""
    made = new(Tensor)
    made._data = array if type(array) is ndarray else np.asarray(array)
    made._node = node
    return made


# -------------------------------------------------------------------------------------- sweep
def sweep(roots: Sequence[tuple[Any, Any]], targets: Sequence[Any] | None = None, *,
          keep: bool = False, create: bool = False) -> dict[Any, Any]:
    """Run the tape backward from `roots`, pairs of a node and the gradient of its result.

    Without `targets` the gradients go to all leaves' `.grad`. With them nothing is accumulated:
    the gradients that arrive at the targets are returned by node. `keep` keeps saved values for
    another sweep, `create` records the sweep itself (gradients are then tensors).
    """
    needed = None if targets is None else leading_to(targets, [node for node, _ in roots])
    pending = edges(roots, needed)
    grads: dict[Any, Any] = {}
    owned: set[Any] = set()
    found: dict[Any, Any] = {}
    ready: list[tuple[int, Any]] = []
    previous = state.grad
    state.grad = create
    state.arrays += 1
    try:
        for node, g in roots:
            if needed is None or node in needed:
                deliver(node, g, grads, owned, pending, ready)
        while ready:
            node = heapq.heappop(ready)[1]
            g = grads.pop(node, None)
            if g is None:  # no gradient came: the nodes below must not wait for one
                for parent in node.parents:
                    if parent is not None and (needed is None or parent in needed):
                        deliver(parent, None, grads, owned, pending, ready)
                continue
            if type(g) is Slot:
                g = g.complete(node, create)
            if node.hooks is not None or node.retain is not None:
                g = run_hooks(node, g, create)
            if targets is not None and node in targets:
                found[node] = g
            if type(node) is Leaf:
                if targets is None:
                    grads[node] = None
                    node.accumulate(g, create)
                continue
            wanted = None if needed is None else [p in needed for p in node.parents]
            if wanted is not None and True not in wanted:
                continue
            outcome = node.gradients(g, create, wanted)
            g = None
            if anomaly.on:
                anomaly.after_backward(node, outcome)
            if not keep:
                node.release()
            for k, parent in enumerate(node.parents):
                if parent is not None and (needed is None or wanted[k]):  # type: ignore[index]
                    d = outcome[k]
                    if d is not None and type(d) is not Slot:
                        d = settle(d, parent, create)
                    deliver(parent, d, grads, owned, pending, ready)
            d = outcome = None  # a leaf may take over a gradient that nobody else holds
    finally:
        state.grad = previous
        state.arrays -= 1
    return found


def deliver(node: Any, g: Any, grads: dict[Any, Any], owned: set[Any], pending: dict[Any, int],
            ready: list[tuple[int, Any]]) -> None:
    """Add one gradient to a node's; when it was the last one, the node is ready."""
    if g is not None:
        before = grads.get(node)
        if before is None:
            grads[node] = g
        elif node in owned and before.ndim:
            before += g
        else:  # the first sum is never in place: others may hold `before`
            grads[node] = before + g
            if type(before) is ndarray:
                owned.add(node)
    pending[node] -= 1
    if not pending[node]:
        heapq.heappush(ready, (node.key, node))


def edges(roots: Sequence[tuple[Any, Any]], needed: set[Any] | None) -> dict[Any, int]:
    """Count, for every node that the sweep will reach, the gradients that it must wait for."""
    pending: dict[Any, int] = {}
    stack = []
    for node, _ in roots:
        if needed is None or node in needed:
            if node not in pending:
                stack.append(node)
            pending[node] = pending.get(node, 0) + 1
    while stack:
        for parent in stack.pop().parents:
            if parent is None or (needed is not None and parent not in needed):
                continue
            if parent in pending:
                pending[parent] += 1
            else:
                pending[parent] = 1
                stack.append(parent)
    return pending


def leading_to(targets: Sequence[Any], roots: list[Any]) -> set[Any]:
    """Return the nodes between the roots and the targets (targets may depend on each other)."""
    wanted = set(targets)
    oldest = max((t.key for t in wanted if type(t) is not Leaf), default=0)
    if any(type(t) is Leaf for t in wanted):
        oldest = 0  # a leaf may be used by any node, however old
    seen, order, stack = set(roots), [], list(roots)
    while stack:
        node = stack.pop()
        order.append(node)
        for parent in node.parents:
            if parent is not None and parent not in seen and parent.key <= oldest:
                seen.add(parent)
                stack.append(parent)
    order.sort(key=operator.attrgetter("key"), reverse=True)  # oldest first, leaves last
    needed = wanted & seen
    for node in order:
        if not needed.isdisjoint(node.parents):
            needed.add(node)
    return needed


def settle(d: Any, parent: Any, create: bool) -> Any:
    """Give a gradient the shape and dtype of what it is the gradient of (undo broadcasting)."""
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


def run_hooks(node: Any, g: Any, create: bool) -> Any:
    """Call tensor hooks with the finished gradient; each may replace it. retain_grad is last."""
    as_given = not create
    held = wrap(g, None) if as_given else g
    for hook in list((node.hooks or {}).values()):
        changed = hook(held)
        if changed is not None:
            if not isinstance(changed, Tensor):
                raise TypeError(f"expected Tensor, but hook returned '{type(changed).__name__}'")
            if changed._data.shape != held._data.shape:
                raise RuntimeError(f"hook '{getattr(hook, '__name__', hook)}' has changed the size "
                                   f"of value: {list(held.shape)} became {list(changed.shape)}")
            held = changed
    if node.retain is not None:
        tensor = node.retain()
        if tensor is not None:
            tensor._grad = held if create else wrap(held._data.copy(), None)
    return held._data if as_given else held


def through_reference(node: Node, g: Any, wanted: Sequence[bool] | None) -> list[Any]:
    """Differentiate a fused op by its reference, whose ops record themselves: any order is right.

    Every input becomes a fresh identity node of its own, tied to the true parent, so that a tensor
    that is given twice gets two separate gradients and the inner sweep ends at this op's inputs.
    """
    op, plan = node.op, node.plan
    values = dict(zip(plan.names, node.tensors(), strict=True))
    starts = []
    for position in plan.positions:
        name = op.names[position]
        start = record(IDENTITY.op, 1, [values[name]], [values[name]._data], values[name]._data, ())
        values[name] = wrap(values[name]._data, start)
        starts.append(start)
    with enable_grad():
        y = op.reference(*[values[name] for name in op.reference_names])
        if y._node is None:
            return [None] * len(starts)
        asked = [s for k, s in enumerate(starts) if wanted is None or wanted[k]]
        found = sweep([(y._node, settle(g, y._node, True))], asked, keep=True, create=True)
    return [found.get(start) for start in starts]


@op(input=lambda g: g)
def identity(input: ndarray) -> ndarray:
    """Return the input itself: a place on the tape."""
    return input


IDENTITY: Any = identity
