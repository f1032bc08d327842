"""The model's reductions, sums along an axis, choices by order, matrix products and writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .jets import Array, Unsure, bilinear, product, taylor
from .model import FUNCTIONS, Space, Tensor, fitted, function, kind_of
from .model_math import combined, refuse
from .model_shape import axis, whole

Dim = Any


def axes(x: Tensor, dim: Dim) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(x.v.ndim))
    given = [dim] if isinstance(dim, int) else dim
    found = {axis(x, d) for d in given}
    refuse(len(found) < len(given), "the same dim twice")
    return tuple(sorted(found)) if x.v.ndim else ()


def reduced(x: Tensor, parts: Array, dtype: Any) -> Tensor:
    return x.space.fresh(parts, dtype, [x])


def floats(x: Tensor) -> None:
    refuse(not x.floating or not x.v.size, "floats, not empty")


@function("sum", saves=False)
def total(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    dtype = x.v.dtype if x.floating else np.dtype(np.int64)
    return reduced(x, x.parts().sum(axes(x, dim), keepdims=keepdim), dtype)


@function("mean", saves=False)
def mean(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    floats(x)
    return reduced(x, x.parts().mean(axes(x, dim), keepdims=keepdim), x.v.dtype)


def spread(x: Tensor, dim: Dim, correction: int, keepdim: bool) -> Array:
    floats(x)
    at, p = axes(x, dim), x.parts()
    n = int(np.prod([x.shape[i] for i in at]))
    refuse(n - correction < 1, "too few")
    centred = p - p.mean(at, keepdims=True)
    return product(centred, centred, x.space.count).sum(at, keepdims=keepdim) / (n - correction)


@function("var")
def var(x: Tensor, dim: Dim = None, *, correction: int = 1, keepdim: bool = False) -> Tensor:
    return reduced(x, spread(x, dim, correction, keepdim), x.v.dtype)


def root(space: Space, parts: Array) -> Array:
    v = parts[..., 0]
    refuse(v < 0.05, "a root near zero")
    return taylor((v**0.5, 0.5 * v**-0.5, -0.25 * v**-1.5), parts, space.count)


@function("std")
def std(x: Tensor, dim: Dim = None, *, correction: int = 1, keepdim: bool = False) -> Tensor:
    return reduced(x, root(x.space, spread(x, dim, correction, keepdim)), x.v.dtype)


@function("norm")
def norm(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    floats(x)
    p = x.parts()
    squares = product(p, p, x.space.count).sum(axes(x, dim), keepdims=keepdim)
    return reduced(x, root(x.space, squares), x.v.dtype)


@function("prod")
def prod(x: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    floats(x)
    out = cumulative(x, axis(x, dim), lambda a, b: product(a, b, x.space.count))
    last = out.take([-1], axis(x, dim)) if x.v.ndim else out
    return reduced(x, last if keepdim or not x.v.ndim else last.squeeze(axis(x, dim)), x.v.dtype)


def cumulative(x: Tensor, i: int, step: Callable[[Array, Array], Array]) -> Array:
    p = x.parts()
    if not x.v.ndim:
        return p
    rows = [p.take(0, i)]
    for k in range(1, x.shape[i]):
        rows.append(step(rows[-1], p.take(k, i)))
    return np.stack(rows, i)


@function("cumsum", saves=False)
def cumsum(x: Tensor, dim: int) -> Tensor:
    floats(x)
    return reduced(x, cumulative(x, axis(x, dim), np.add), x.v.dtype)


@function("cumprod")
def cumprod(x: Tensor, dim: int) -> Tensor:
    floats(x)
    step = lambda a, b: product(a, b, x.space.count)
    return reduced(x, cumulative(x, axis(x, dim), step), x.v.dtype)


def log_total(x: Tensor, at: tuple[int, ...]) -> Array:
    """Return the parts of log(sum(exp(x))), axes kept."""
    floats(x)
    p, space = x.parts(), x.space
    shifted = p - space.constant(p[..., 0].max(at, keepdims=True))
    e = np.exp(shifted[..., 0])
    sums = taylor((e, e, e), shifted, space.count).sum(at, keepdims=True)
    v = sums[..., 0]
    return taylor((np.log(v), 1 / v, -1 / v**2), sums, space.count) + (p - shifted).max(
        at, keepdims=True)


@function("logsumexp")
def logsumexp(x: Tensor, dim: Dim, keepdim: bool = False) -> Tensor:
    at = axes(x, dim)
    p = log_total(x, at)
    return reduced(x, p if keepdim else p.squeeze(at), x.v.dtype)


@function("log_softmax")
def log_softmax(x: Tensor, dim: int) -> Tensor:
    at = (axis(x, dim),) if x.v.ndim else ()
    return reduced(x, x.parts() - log_total(x, at), x.v.dtype)


@function("softmax")
def softmax(x: Tensor, dim: int) -> Tensor:
    p = log_softmax(x, dim).parts()
    e = np.exp(p[..., 0])
    return reduced(x, taylor((e, e, e), p, x.space.count), x.v.dtype)


# --------------------------------------------------------------------------------- choice by order
def ordered(x: Tensor, i: int, descending: bool, exact: bool) -> tuple[Array, Array]:
    """Return the order along an axis and the sorted parts; refuse ties that would be seen."""
    floats(x)
    refuse(not x.v.ndim, "no dim")
    sign = -1 if descending else 1
    order = np.argsort(sign * x.v, i, kind="stable")
    parts = np.take_along_axis(x.parts(), order[..., None], i)
    gaps = np.abs(np.diff(parts[..., 0], axis=i)) < x.space.margin
    differ = (np.abs(np.diff(parts, axis=i))[..., 1:] > 1e-12).any(-1)
    refuse(gaps if exact else gaps & differ, "a tie")
    return order, parts


def extreme(largest: bool) -> Callable[..., Tensor]:
    def call(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
        at = axes(x, dim)
        floats(x)
        rest = [k for k in range(x.v.ndim) if k not in at]
        n = int(np.prod([x.shape[k] for k in rest]))
        rows = Tensor(x.space, x.v.transpose(*rest, *at).reshape(n, -1),
                      x.d.transpose(*rest, *at, -1).reshape(n, -1, x.d.shape[-1]))  # type: ignore
        parts = ordered(rows, 1, largest, False)[1][:, 0]
        shape = [1 if k in at else x.shape[k] for k in range(x.v.ndim) if keepdim or k not in at]
        return reduced(x, parts.reshape(*shape, -1), x.v.dtype)

    return call


function("amax")(extreme(True))
function("amin")(extreme(False))


@function("sort")
def sort(x: Tensor, dim: int, descending: bool = False) -> tuple[Tensor, Tensor]:
    i = axis(x, dim)
    order, parts = ordered(x, i, descending, True)
    return reduced(x, parts, x.v.dtype), reduced(x, x.space.constant(order), np.int64)


@function("topk")
def topk(x: Tensor, k: int, dim: int) -> tuple[Tensor, Tensor]:
    i = axis(x, dim)
    refuse(not x.v.ndim or k > x.shape[i], "too many")
    first = np.arange(k)
    values, order = sort(x, dim, True)
    return (reduced(x, values.parts().take(first, i), x.v.dtype),
            reduced(x, order.parts().take(first, i), np.int64))


def arg(largest: bool) -> Callable[[Tensor, int], Tensor]:
    def call(x: Tensor, dim: int) -> Tensor:
        i = axis(x, dim)
        order = ordered(x, i, largest, True)[0]
        return reduced(x, x.space.constant(order.take(0, i)), np.int64)

    return call


function("argmax", saves=False)(arg(True))
function("argmin", saves=False)(arg(False))


@function("median")
def median(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    i = axis(x, dim)
    order, parts = ordered(x, i, False, True)
    at = (x.shape[i] - 1) // 2
    return (reduced(x, parts.take(at, i), x.v.dtype),
            reduced(x, x.space.constant(order.take(at, i)), np.int64))


# ---------------------------------------------------------------------------------------- products
def bilinear_op(name: str, call: Callable[[Array, Array], Array]) -> None:
    def run(a: Tensor, b: Tensor) -> Tensor:
        refuse(not a.floating or a.v.dtype != b.v.dtype, "one float dtype")
        try:
            parts = bilinear(call, a.parts(), b.parts(), a.space.count)
        except ValueError as error:
            raise Unsure("does not fit") from error
        return combined(a.v.dtype, parts, a, b)

    function(name)(run)


def ranked(*ranks: int) -> Callable[[Array, Array], Array]:
    def call(a: Array, b: Array) -> Array:
        if (a.ndim, b.ndim) != ranks or (a.ndim == b.ndim == 3 and len(a) != len(b)):
            raise ValueError("another rank")
        return np.matmul(a, b)

    return call


bilinear_op("matmul", np.matmul)
bilinear_op("mm", ranked(2, 2))
bilinear_op("mv", ranked(2, 1))
bilinear_op("dot", ranked(1, 1))
bilinear_op("bmm", ranked(3, 3))
bilinear_op("outer", lambda a, b: np.einsum("i,j->ij", a, b))
bilinear_op("kron", np.kron)


@function("einsum")
def einsum(equation: str, a: Tensor, b: Tensor) -> Tensor:
    bilinear_op("_einsum", lambda x, y: np.einsum(equation, x, y))
    return FUNCTIONS["_einsum"](a, b)


@function("addmm")
def addmm(x: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    end = FUNCTIONS["mm"](a, b)
    refuse(x.v.dtype != end.v.dtype, "one dtype")
    try:
        base = fitted(x.parts(), end.shape)
    except Unsure as error:
        raise Unsure("does not fit") from error
    return combined(end.v.dtype, beta * base + alpha * end.parts(), x, a, b)


# ------------------------------------------------------------------------------------------ writes
def in_place(name: str) -> None:
    """Make `name_` of a function: the result goes into the first argument."""
    def call(x: Tensor, *args: Any, **given: Any) -> Tensor:
        space, recording, saved = x.space, x.space.recording, x.memory.saved
        space.recording = True  # only the write decides what is recorded
        try:
            out = FUNCTIONS[name](x, *args, **given)
        finally:
            space.recording = recording
        refuse(out.shape != x.shape, "another shape")
        x.memory.saved, saves = saved, x.memory.saved
        x.write(out.parts(), [x, *args], out.v.dtype)
        x.memory.saved = saves
        return x

    function(f"{name}_", saves=False)(call)


for _name in ("add", "sub", "mul", "div", "sin", "tanh", "exp", "sigmoid", "square", "relu", "neg",
              "clamp", "masked_fill", "index_fill", "index_add", "scatter_add", "pow", "floor",
              "cumsum", "tril", "lerp", "addcmul", "sqrt", "abs"):
    in_place(_name)


@function("copy_", saves=False)
def copy_(x: Tensor, source: Tensor) -> Tensor:
    dtype = kind_of(source)
    refuse(dtype.kind == "f" and not x.floating, "at a step")
    refuse(source.v.ndim > x.v.ndim, "more dims")
    return x.write(fitted(source.parts(), x.shape), [source])


@function("fill_", saves=False)
def fill_(x: Tensor, value: float) -> Tensor:
    refuse(not x.floating, "floats only")
    return x.write(fitted(x.space.constant(value), x.shape), [])


@function("zero_", saves=False)
def zero_(x: Tensor) -> Tensor:
    return x.write(fitted(x.space.constant(0), x.shape), [])


@function("index_put_", saves=False)
def index_put_(x: Tensor, index: Sequence[Tensor], source: Tensor,
               accumulate: bool = False) -> Tensor:
    at = tuple(map(whole, index))
    refuse(len(at) > x.v.ndim or any(((i < 0) | (i >= n)).any() for i, n in
                                     zip(at, x.shape, strict=False)), "no such place")
    refuse(x.v.dtype != source.v.dtype, "one dtype")
    parts = x.parts()
    places = np.arange(x.v.size).reshape(x.shape)[at]
    new = fitted(source.parts(), places.shape)
    if accumulate:
        np.add.at(parts, at, new)
    else:
        refuse(np.unique(places).size != places.size, "the same place twice")
        parts[at] = new
    return x.write(parts, [x, source])
