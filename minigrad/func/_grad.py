"""Derivatives of functions: `grad`, `grad_and_value`, `vjp`, `jvp`, `linearize`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .._check import function
from ..modes import state
from ..ops.elementwise import mul
from ..tensor import Tensor
from ._level import Differentiation, bounded, core, ones_like, pull, zeros_like
from ._tree import flatten, tree_map, unflatten

Argnums = int | tuple[int, ...]


def chosen(argnums: Any, count: int) -> tuple[int, ...]:
    """Check `argnums` against the number of positional arguments; return a tuple."""
    if not isinstance(argnums, (int, tuple)):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    nums = argnums if isinstance(argnums, tuple) else (argnums,)
    if not nums:
        raise RuntimeError("argnums must be non-empty")
    if len(set(nums)) != len(nums):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    for num in nums:
        if not isinstance(num, int):
            raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {argnums}")
        if not -count <= num < count:
            raise RuntimeError(f"Got argnum={num}, but only {count} positional inputs")
    return tuple(num % count for num in nums)


def begun(run: Differentiation, args: Sequence[Any], nums: Sequence[int]) -> tuple[Any, list[Any]]:
    """Return the arguments with those at `nums` begun, and the begun tensors in order."""
    args = list(args)
    starts: list[Any] = []
    for num in nums:
        leaves, spec = flatten(args[num])
        leaves = [run.begin(leaf) for leaf in leaves]
        starts += leaves
        args[num] = unflatten(leaves, spec)
    return args, starts


def arranged(values: Sequence[Any], args: Sequence[Any], argnums: Any, nums: Any) -> Any:
    """Give one value per begun tensor the structure of the arguments at `argnums`."""
    parts, at = [], 0
    for num in nums:
        leaves, spec = flatten(args[num])
        parts.append(unflatten(list(values[at:at + len(leaves)]), spec))
        at += len(leaves)
    return tuple(parts) if isinstance(argnums, tuple) else parts[0]


def split_aux(name: str, made: Any, has_aux: bool) -> tuple[Any, Any]:
    """Take apart what a function returned; the second part is None without `has_aux`."""
    if not has_aux:
        return made, None
    if not (isinstance(made, tuple) and len(made) == 2):
        raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if "
                           f"has_aux is True")
    return made


@bounded
def _grad_and_value(func: Any, argnums: Any, has_aux: bool, args: Any, kwargs: Any) -> Any:
    nums = chosen(argnums, len(args))
    run = Differentiation()
    name = "grad_and_value(f)(*args)"
    with run:
        given, starts = begun(run, args, nums)
        out, aux = split_aux(name, func(*given, **kwargs), has_aux)
        if not isinstance(out, Tensor):
            raise RuntimeError(f"{name}: Expected f(*args) to return a Tensor, got {type(out)}")
        if out._data.ndim:
            raise RuntimeError(f"{name}: Expected f(*args) to return a scalar Tensor, got tensor "
                               f"with {out._data.ndim} dims. Maybe you wanted to use the vjp or "
                               f"jacrev APIs instead?")
        create = run.outside([core(out)._node])
        grads = pull([out], starts, [ones_like(out)], keep=True, create=create)
    values = [zeros_like(t) if g is None else run.finish(g) if create else g
              for g, t in zip(grads, starts, strict=True)]
    aux = tree_map(run.finish, aux) if has_aux else None
    return arranged(values, args, argnums, nums), run.finish(out), aux


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
         ) -> Callable[..., Any]:
    """Return the function that computes the gradient of `func`, which returns a single number.

    Args: argnums: of which positional arguments (an int, or a tuple for a tuple of gradients);
    they may be nested dicts, lists and tuples of tensors. has_aux: func returns (output, aux),
    and the new function (gradient, aux).

    Nothing is accumulated in `.grad`. Transforms nest: `grad(grad(f))`, `vmap(grad(f))`.
    RuntimeError for a result that is no single number (see `jacrev`) or an argnum out of range.

    >>> import minigrad as torch
    >>> torch.func.grad(torch.func.grad(lambda x: x ** 3))(torch.tensor(2.))
    tensor(12.)
    """

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        grads, _, aux = _grad_and_value(func, argnums, has_aux, args, kwargs)
        return (grads, aux) if has_aux else grads

    return gradient


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
                   ) -> Callable[..., Any]:
    """Return the function that computes (gradient, value) of `func`; arguments as for `grad`.

    With has_aux it returns (gradient, (value, aux)).

    >>> import minigrad as torch
    >>> torch.func.grad_and_value(lambda x: x ** 3)(torch.tensor(2.))
    (tensor(12.), tensor(8.))
    """

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        grads, value, aux = _grad_and_value(func, argnums, has_aux, args, kwargs)
        return (grads, (value, aux)) if has_aux else (grads, value)

    return gradient


def outputs_of(name: str, out: Any) -> tuple[list[Any], Any]:
    """Return the tensors a function returned, and their structure."""
    leaves, spec = flatten(out)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(f"{name}: expected f(*primals) to return only tensors, got "
                               f"unsupported type {type(leaf)}")
    return leaves, spec


def _same(a: Any, b: Any) -> bool:
    """Return True if two specs of `flatten` describe the same containers."""
    if a is None or b is None:
        return a is b
    if len(a[1]) != len(b[1]) or type(a[0]([*range(len(a[1]))])) is not type(
            b[0]([*range(len(b[1]))])):
        return False
    return all(_same(x[0], y[0]) for x, y in zip(a[1], b[1], strict=True))


@bounded
def prepare_vjp(func: Any, primals: Any, nums: Any, kwargs: Any, has_aux: bool) -> Any:
    """Run `func` with its arguments at `nums` begun; return what pulling back needs."""
    run = Differentiation()
    name = "vjp(f, *primals)"
    with run:
        given, starts = begun(run, primals, nums)
        out, aux = split_aux(name, func(*given, **kwargs), has_aux)
        outs, spec = outputs_of(name, out)
    return run, starts, outs, spec, tree_map(run.finish, aux) if has_aux else None


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return func(*primals) and the function that multiplies its Jacobian from the left.

    The second result takes cotangents of the structure of the output and returns a tuple, the
    product for each of `primals`. With has_aux, func returns (output, aux) and so does vjp:
    (output, vjp_func, aux).

    >>> import minigrad as torch
    >>> y, pull_back = torch.func.vjp(torch.sin, torch.zeros(2))
    >>> pull_back(torch.tensor([1., 2.]))
    (tensor([1., 2.]),)
    """
    function(func, "vjp")
    nums = range(len(primals))
    run, starts, outs, spec, aux = prepare_vjp(func, primals, nums, {}, has_aux)

    def vjp_func(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None
                 ) -> Any:
        leaves, own = flatten(cotangents)
        if not _same(own, spec):
            raise RuntimeError("Expected pytree structure of cotangents to be the same as pytree "
                               "structure of outputs to the function")
        for k, (g, out) in enumerate(zip(leaves, outs, strict=True)):
            if g._data.shape != out._data.shape:
                raise RuntimeError(f"Mismatch in shape: grad_output[{k}] has a shape of "
                                   f"{g.shape} and output[{k}] has a shape of {out.shape}.")
        grads = back(run, outs, starts, leaves, keep=retain_graph, create=create_graph)
        return arranged(grads, primals, (), nums)

    out = unflatten([run.finish(t) for t in outs], spec)
    return (out, vjp_func, aux) if has_aux else (out, vjp_func)


def back(run: Differentiation, outs: Any, starts: Any, cotangents: Any, *, keep: bool = True,
         create: bool | None = None) -> list[Any]:
    """Pull cotangents back to where a differentiation began; zeros where nothing arrives."""
    if create is None:
        nodes = [core(t)._node for t in (*outs, *cotangents)]
        create = state.grad and run.outside(nodes)
    cotangents = [g if g._data.dtype == t._data.dtype else g.to(t.dtype)
                  for g, t in zip(cotangents, outs, strict=True)]
    grads = pull(outs, starts, cotangents, keep=keep, create=create)
    return [zeros_like(t) if g is None else run.finish(g) if create else g
            for g, t in zip(grads, starts, strict=True)]


class Pushforward:
    """A function run once, to multiply its Jacobian from the right any number of times.

    Pulling a cotangent u back, u -> J^T u, is linear in u. Its own pullback is t -> J t: so the
    ordinary tape, swept twice, gives the forward derivative.
    """

    @bounded
    def __init__(self, name: str, func: Any, primals: Any, nums: Any, kwargs: Any,
                 has_aux: bool) -> None:
        run = self.run = Differentiation()
        with run:
            given, self.starts = begun(run, primals, nums)
            out, aux = split_aux(name, func(*given, **kwargs), has_aux)
            self.outs, self.spec = outputs_of(name, out)
            self.aux = tree_map(run.finish, aux) if has_aux else None
            floating = [t for t in self.outs if t._data.dtype.kind == "f"]
            self.dummies = [run.begin(mul(t.detach(), 0)) for t in floating]
            self.grads = pull(floating, self.starts, self.dummies, keep=True, create=True)

    def __call__(self, tangents: Any) -> list[Any]:
        """Return the tangent of every output, zeros where nothing arrives."""
        pairs = [(g, t if t._data.dtype == g._data.dtype else t.to(g.dtype))
                 for g, t in zip(self.grads, tangents, strict=True) if g is not None]
        grads, given = [g for g, _ in pairs], [t for _, t in pairs]
        found = iter(back(self.run, grads, self.dummies, given) if pairs else
                     [zeros_like(t) for t in self.dummies])
        return [next(found) if t._data.dtype.kind == "f" else zeros_like(t) for t in self.outs]

    def outputs(self) -> Any:
        """Return what the function returned."""
        return unflatten([self.run.finish(t) for t in self.outs], self.spec)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False,
        has_aux: bool = False) -> Any:
    """Return func(*primals) and the Jacobian times `tangents`: the directional derivative.

    Args: primals and tangents: tuples of the same structure; strict: refuse outputs that do not
    depend on the inputs (RuntimeError) instead of returning zeros. With has_aux, func returns
    (output, aux) and jvp (output, derivative, aux).

    minigrad has no forward mode: the tape is swept twice, which gives the same numbers.

    >>> import minigrad as torch
    >>> torch.func.jvp(torch.sin, (torch.zeros(2),), (torch.tensor([1., 2.]),))
    (tensor([0., 0.]), tensor([1., 2.]))
    """
    name = "jvp(f, primals, tangents)"
    for what, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, tuple):
            raise RuntimeError(f"{name}: Expected {what} to be a tuple. E.g. it should be valid to "
                               f"call f(*primals).")
    leaves, spec = flatten(primals)
    given, other = flatten(tangents)
    if not leaves or not _same(spec, other):
        raise RuntimeError(f"{name}: Expected primals and tangents to have the same python "
                           f"structure, and at least one tensor. For example, if primals is a "
                           f"tuple of 3 tensors, tangents also must be.")
    for x, v in zip(leaves, given, strict=True):
        if isinstance(x, Tensor) and x._data.shape != v._data.shape:
            raise RuntimeError(f"Trying to set a forward gradient that has a different size than "
                               f"that of the original Tensor, this is not supported. Tensor is of "
                               f"size {list(x.shape)} while the given forward gradient is of size "
                               f"{list(v.shape)}.")
    push = Pushforward(name, func, primals, range(len(primals)), {}, has_aux)
    if strict and (not push.outs or any(t._node is None for t in push.outs)):
        raise RuntimeError(f"{name}: with strict=True every output must depend on the inputs")
    result = push.outputs(), unflatten(push(given), push.spec)
    return (*result, push.aux) if has_aux else result


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Return func(*primals) and the linear function t -> J t at this place.

    The function runs once; afterwards each product costs one sweep over the tape. RuntimeError if
    the tangents' structure, shapes or dtypes are not those of the primals.

    >>> import minigrad as torch
    >>> y, push = torch.func.linearize(torch.sin, torch.zeros(2))
    >>> push(torch.tensor([1., 2.])), push(torch.tensor([0., 3.]))
    (tensor([1., 2.]), tensor([0., 3.]))
    """
    function(func, "linearize")
    push = Pushforward("linearize(f, *primals)", func, primals, range(len(primals)), {}, False)
    leaves, spec = flatten(primals)

    def jvp_fn(*tangents: Any) -> Any:
        given, own = flatten(tangents)
        if not _same(own, spec):
            raise RuntimeError("Expected the tangents to have the same structure as the primals")
        for k, (x, t) in enumerate(zip(leaves, given, strict=True)):
            if t._data.shape != x._data.shape:
                raise RuntimeError(f"tangent:{k} with shape {t.shape} in flattened pytree doesn't "
                                   f"match the shape {x.shape} of the corresponding primal.")
            if t._data.dtype != x._data.dtype:
                raise RuntimeError(f"tangent:{k} with dtype {t.dtype} in flattened pytree doesn't "
                                   f"match the dtype {x.dtype} of the corresponding primal.")
        return unflatten(push(given), push.spec)

    return push.outputs(), jvp_fn
