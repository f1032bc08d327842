"""`autograd.Function`: ops with a gradient written by the user."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import engine, views
from .._dispatch import disabled
from .._subclasses import recast
from ..engine import Leaf, Node, Pick, wrap
from ..modes import state, without_grad
from ..nodes import edge
from ..saved import Packed
from ..versions import Intercepted, changed_in_place, storage_of

ndarray = np.ndarray


class FunctionCtx:
    """What `forward` leaves for `backward`: saved tensors, flags, and any attribute you set."""

    needs_input_grad: tuple[bool, ...] = ()
    _to_save: tuple[Any, ...] = ()
    _dirty: tuple[Any, ...] = ()
    _constant: tuple[Any, ...] = ()
    _materialize = True
    _unpack: Callable[[], tuple[Any, ...]] | None = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for backward, where `ctx.saved_tensors` returns them."""
        for k, t in enumerate(tensors):
            if t is not None and not isinstance(t, engine.Tensor):
                raise TypeError(f"save_for_backward can only save variables, but argument {k} is "
                                f"of type {type(t).__name__}; set it as an attribute of ctx")
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The saved tensors, tied to their places in the graph; only inside backward."""
        if self._unpack is None:
            return self._to_save
        return self._unpack()

    def save_for_forward(self, *tensors: Any) -> None:
        """Do nothing but check: forward derivatives come from `backward`, not from a `jvp`."""
        for k, t in enumerate(tensors):
            if t is not None and not isinstance(t, engine.Tensor):
                raise TypeError(f"save_for_forward can only save variables, but argument {k} is "
                                f"of type {type(t).__name__}; set it as an attribute of ctx")

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which inputs forward changed in place; it must return them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Give backward None (False) or zeros (True, the default) for outputs nothing used."""
        self._materialize = bool(value)


class FunctionNode(Node):
    """The place of a Function's call on the tape. One parent per argument of forward."""

    __slots__ = ("ctx", "dtypes", "function", "places")
    function: type[Function]
    places: list[bool] | None  # which outputs are tensors; None: all
    dtypes: list[Any]
    ctx: FunctionCtx

    def __init__(self, function: type[Function], ctx: FunctionCtx, args: tuple[Any, ...]) -> None:
        self.op, self.function, self.ctx = NAMED, function, ctx
        self.parents = [a._node if isinstance(a, engine.Tensor) else None for a in args]
        self.hooks = self.meta = self.retain = self.plan = None
        self.versions = ()
        self.key = -next(engine.numbers)
        if engine.anomaly.on:
            engine.anomaly.recorded(self)

    def save(self, outputs: list[Any]) -> None:
        """Turn the tensors that forward saved into arrays with ties: no tensor stays here."""
        saved: list[Any] = []
        versions = []
        for k, t in enumerate(self.ctx._to_save):
            if t is None:
                saved.append(None)
                continue
            made = [i for i, out in enumerate(outputs) if out is t]
            if state.packers:
                saved.append((Packed(state.packers[-1], t), made[0] if made else None, t._node))
                continue
            saved.append((t._data, made[0] if made else None, t._node))
            storage = storage_of(t)
            versions.append((f"saved_tensors[{k}]", storage, storage.count))
        self.saved, self.versions = saved, versions
        self.ctx._to_save = ()

    def unpack(self) -> tuple[Any, ...]:
        """Return what was saved as tensors; check that nothing has changed it since."""
        if self.versions is None:
            raise RuntimeError(
                f"Trying to backward through the graph a second time: the tensors that "
                f"{self.name()} saved were freed by the first backward. Call the first one with "
                f"retain_graph=True, or compute the forward pass again.")
        for name, storage, count in self.versions:
            if storage.count != count:
                raise changed_in_place(self, name, storage, count)
        found: list[Any] = []
        for item in self.saved:
            if item is None:
                found.append(None)
                continue
            array = item[0].array() if isinstance(item[0], Packed) else item[0]
            node = item[2] if item[1] is None else self.output(item[1])
            leaf = node.tensor() if type(node) is Leaf else None
            found.append(leaf if leaf is not None and leaf._data is array else wrap(array, node))
        return tuple(found)

    def output(self, k: int) -> Node:
        """Return the node of output k: this one, or one that picks k out of several."""
        return Pick(self, k) if isinstance(self.shape, list) else self

    def gradients(self, g: Any, create: bool, wanted: Any) -> list[Any]:
        grads = g if isinstance(g, list) else [g]
        if not create:
            grads = [None if a is None else wrap(a, None) for a in grads]
        if self.places is not None:  # outputs that are no tensors have a gradient of None
            stream = iter(grads)
            grads = [next(stream) if place else None for place in self.places]
        self.ctx._unpack = self.unpack
        try:
            returned = self.function.backward_of()(self.ctx, *grads)
        finally:
            self.ctx._unpack = None
        if not isinstance(returned, tuple):
            returned = (returned,)
        while len(returned) > len(self.parents) and returned[-1] is None:
            returned = returned[:-1]
        if len(returned) != len(self.parents):
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected "
                f"{len(self.parents)}, got {len(returned)}): backward returns one gradient, or "
                f"None, for each argument of forward")
        return [self.check(k, d, create) for k, d in enumerate(returned)]

    def check(self, k: int, d: Any, create: bool) -> Any:
        """Refuse gradients of another type or shape than the argument's."""
        parent = self.parents[k]
        if d is None or parent is None:
            return None
        if not isinstance(d, engine.Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(d).__name__}) as gradient "
                               f"{k} of {self.name()}")
        got, want = d._data.shape, parent.shape
        padded = (1,) * (len(got) - len(want)) + tuple(want)
        if got != want and (len(got) < len(want) or any(
                p not in (1, s) for p, s in zip(padded, got, strict=True))):
            raise RuntimeError(f"Function {self.name()} returned an invalid gradient at index {k} -"
                               f" got {list(got)} but expected shape compatible with {list(want)}")
        return d if create else d._data

    def unused(self, k: int, create: bool) -> Any:
        if not self.ctx._materialize:
            return None
        zeros = np.zeros(self.shape[k], self.dtypes[k])
        return wrap(zeros, None) if create else zeros

    def name(self) -> str:
        return f"{self.function.__name__}Backward"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        return tuple(edge(p) for p in self.parents)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors that forward saved."""
        return self.unpack()

    def release(self) -> None:
        if self.saved:
            self.saved = self.versions = None

    def input_places(self) -> list[int | None]:
        return [k if p is not None else None for k, p in enumerate(self.parents)]

    def __getattr__(self, name: str) -> Any:
        """Show the attributes that forward gave to ctx: in PyTorch ctx is the node."""
        if name[:2] != "__" and name in vars(self.ctx):
            return vars(self.ctx)[name]
        raise AttributeError(f"{self.name()!r} object has no attribute {name!r}")


class _Named:
    """Stands for the op of a Function's node: engine messages ask for its name."""

    name = "autograd.Function"
    shown_names: tuple[str, ...] = ()
    variadic = many = False
    inputs: tuple[int, ...] = ()


NAMED = _Named()


class Function:
    """Base of operations whose gradient you write: subclass it, then call `MyFunction.apply`.

    `forward(ctx, *args)` computes with tensors (nothing is recorded); `backward(ctx, *grads)`
    gets one gradient per output and returns one, or None, per argument of forward. In the second
    form, `forward(*args)` has no ctx and `setup_context(ctx, inputs, output)` saves what is needed.

    >>> import minigrad as torch
    >>> class Cube(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         x, = ctx.saved_tensors
    ...         return g * 3 * x ** 2
    >>> x = torch.tensor(2., requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(f"{type(self).__name__} is not to be instantiated: its methods are "
                           f"static; call {type(self).__name__}.apply(...)")

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; override this."""
        raise NotImplementedError("You must implement the forward function for custom "
                                  "autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save for backward, in the form without ctx in forward; override this."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradients of forward's arguments; override this."""
        raise NotImplementedError("You must implement either the backward or vjp method for your "
                                  "custom autograd.Function to use it with backward mode AD.")

    @staticmethod
    def vjp(ctx: Any, *grad_outputs: Any) -> Any:
        """Another name for `backward`; override one of the two."""
        raise NotImplementedError("You must implement the backward function for your custom "
                                  "autograd.Function to use it with backward().")

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Refuse: `func.jvp` and `func.jacfwd` use `backward`, so this is never called."""
        raise NotImplementedError("minigrad has no forward mode: func.jvp differentiates backward")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """Compute a batch; override this or set `generate_vmap_rule` for use in `vmap`.

        `info` has batch_size and randomness, `in_dims` the batch dimension of each argument or
        None. Return the outputs and their batch dimensions.
        """
        raise NotImplementedError("To use autograd.Function with vmap, you must either override "
                                  "the vmap static method or set generate_vmap_rule=True.")

    generate_vmap_rule = False  # True: vmap may run forward and backward on each example

    @classmethod
    def has_own(cls, name: str) -> bool:
        """Return True if a subclass overrides this static method."""
        return getattr(cls, name) is not getattr(Function, name)

    @classmethod
    def backward_of(cls) -> Callable[..., Any]:
        """Return what computes the gradients: `backward`, or `vjp` if that is overridden."""
        if not cls.has_own("vjp"):
            return cls.backward
        if cls.has_own("backward"):
            raise RuntimeError("Implementing both 'backward' and 'vjp' for a custom Function is "
                               "not allowed. You should only implement one of them.")
        return cls.vjp

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward and record the call."""
        ctx = FunctionCtx()
        tensors = [a for a in args if isinstance(a, engine.Tensor)]
        try:
            for t in tensors:
                if t._base is not None:
                    engine.refresh(t)
        except Intercepted:
            from ..func._function import apply_batched

            return apply_batched(cls, args)
        ctx.needs_input_grad = tuple(isinstance(a, engine.Tensor) and a._node is not None
                                     for a in args)
        if cls.setup_context is Function.setup_context:
            made = without_grad(cls.forward, ctx, *args)
        else:
            made = without_grad(cls.forward, *args)
            without_grad(cls.setup_context, ctx, args, made)
        several = isinstance(made, tuple)
        outputs = list(made) if several else [made]
        if state.grad and any(ctx.needs_input_grad):
            _tie(FunctionNode(cls, ctx, args), ctx, tensors, outputs)
        return tuple(outputs) if several else outputs[0]


def _tie(node: FunctionNode, ctx: FunctionCtx, tensors: list[Any], outputs: list[Any]) -> None:
    """Put the outputs of forward behind the node; inputs that were returned become aliases."""
    dirty = {id(t) for t in ctx._dirty}
    constant = {id(t) for t in ctx._constant}
    arrays = [out._data for out in outputs if isinstance(out, engine.Tensor)]
    single = len(outputs) == 1
    node.shape = arrays[0].shape if single and arrays else [a.shape for a in arrays]
    node.dtype = arrays[0].dtype if arrays else None
    node.dtypes = [a.dtype for a in arrays]
    found = [isinstance(out, engine.Tensor) for out in outputs]
    node.places = None if all(found) else found
    for t in ctx._dirty:
        storage_of(t).wrote(node.name())
        if type(t._node) is Leaf:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place "
                               f"operation: {node.name()} marks it as dirty")
        if not any(t is out for out in outputs):
            raise RuntimeError(f"{node.name()}: some elements marked as dirty during the forward "
                               f"method were not returned as output")
    k = -1
    for place, out in enumerate(outputs):
        if not isinstance(out, engine.Tensor):
            continue
        k += 1
        if id(out) in constant or out._data.dtype.kind != "f":
            continue
        if id(out) in dirty:
            continue
        if any(out is t for t in tensors) or out._base is not None:
            alias = wrap(out._data, None)
            if type(out).__torch_function__ is not disabled:  # a Parameter comes out as a tensor
                alias = recast(alias, type(out))
            outputs[place] = alias
            alias._storage = storage_of(out)
            alias._frozen = (f"it is an output of the custom Function {node.function.__name__}, "
                             f"whose backward in-place writes would override; clone() the output")
            if any(out is s for s in ctx._to_save):
                ctx._to_save = tuple(alias if s is out and not any(out is t for t in tensors) else s
                                     for s in ctx._to_save)
            out = alias
        out._node = node.output(k)
    node.save([out for out in outputs if isinstance(out, engine.Tensor)])
    for k, out in enumerate(out for out in outputs if isinstance(out, engine.Tensor)):
        if id(out) in dirty:
            views.rebase(out, node.output(k))
    ctx._dirty = ctx._constant = ()  # tensors here would close a reference cycle


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a backward that must not be differentiated again: a second derivative raises."""

    @functools.wraps(backward)
    def wrapped(ctx: Any, *grads: Any) -> Any:
        recorded = state.grad
        returned = without_grad(backward, ctx, *grads)
        if not recorded:
            return returned
        several = isinstance(returned, tuple)
        out = [_refusing(d) if isinstance(d, engine.Tensor) else d
               for d in (returned if several else (returned,))]
        return tuple(out) if several else out[0]

    return wrapped


class _Refusing(Function):
    """The identity, with a gradient that refuses to exist."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with "
                           "@once_differentiable")


def _refusing(d: Any) -> Any:
    return _Refusing.apply(d if d.requires_grad else d.detach().requires_grad_())
