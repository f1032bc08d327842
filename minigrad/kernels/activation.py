"""relu, the elu family and sigmoid with their derivatives, in few passes over memory.

relu is `clip(x, 0, inf)`: nan and -0.0 stay, and with numbers as bounds it is the fastest of all
ways (0.11 ns per element; `np.maximum(x, 0)` takes 0.38). Its derivative needs the result only.

elu, for a = alpha, s = scale, i = input_scale:

    y = s max(x, 0) + a s expm1(i min(x, 0)), of which one term is 0;
    y' = a s i exp(i min(x, 0)) + (x > 0) (s - a s i).

NumPy computes float32 expm1 several elements at a time with AVX-512 only, elsewhere one in 18 ns:
there it is 2 t / (1 - t) with t = tanh(x / 2), which loses no digits for x <= 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod

import numpy as np

from minigrad.kernels._elementwise import in_blocks
from minigrad.kernels._moments import dots
from minigrad.kernels._threads import run
from minigrad.kernels.select import SMALL, WORDS, ZERO, drop, either, keep, where
from minigrad.kernels.softmax import ones

try:  # np.clip without its wrapper of Python, present in NumPy 2.0 to 2.4
    from numpy._core._multiarray_umath import __cpu_features__  # type: ignore[import-not-found]
    from numpy._core.umath import clip  # type: ignore[attr-defined]
except ImportError:
    clip, __cpu_features__ = np.clip, {}

__all__ = ["elu", "elu_backward", "elu_slope", "prelu", "prelu_backward", "prelu_weight", "relu",
           "relu_backward", "sigmoid", "sigmoid_backward"]

Array = np.ndarray

_ABOVE = {np.dtype(kind): (np.zeros((), kind), np.array(np.inf, kind)) for kind in ("f4", "f8")}
_BOTTOM = {kind: np.array(-np.inf, kind) for kind in _ABOVE}
_ONE = {kind: np.ones((), kind) for kind in _ABOVE}
_BITS = {kind: [np.array(bit, f"i{kind.itemsize}") for bit in (0, 1)] for kind in _ABOVE}
_SMALL = 4096  # elements: fmin takes less time than looking for nan
_LARGE = 1 << 20  # elements: with fewer, relu is done before another thread is awake; its
# derivative, which reads two arrays, takes as long for half as many
_PART = 1 << 18  # elements that a thread takes at a time
SIMD_EXPM1 = bool(__cpu_features__.get("AVX512_SKX"))  # tests switch it


def relu(x: Array, out: Array | None = None) -> Array:
    """Return max(x, 0) of a float array; nan stays nan and -0.0 stays -0.0. `out` may be x."""
    bounds = _ABOVE.get(x.dtype)
    if bounds is None:  # clip of float16 takes twice as long
        return np.maximum(ZERO[x.dtype], x, out=out)
    zero, top = bounds
    if x.size < _LARGE or not x.flags.c_contiguous:
        return clip(x, zero, top) if out is None else clip(x, zero, top, out)
    y = np.empty_like(x) if out is None else out
    source, target = x.reshape(-1), y.reshape(-1)
    _each_part(lambda part: clip(source[part], zero, top, out=target[part]), x.size)
    return y


def relu_backward(g: Array, y: Array) -> Array:
    """Return g where the result y of relu is not 0 (also where it is nan), else 0.0."""
    size = y.size
    if size <= SMALL:
        return where(y, g, ZERO[y.dtype])
    if size < _LARGE // 2 or not (g.flags.c_contiguous and y.flags.c_contiguous):
        return keep(g, y != ZERO[y.dtype])
    dx, zero, word = np.empty_like(g), ZERO[y.dtype], WORDS[g.itemsize]
    gradient, result, target = g.reshape(-1).view(word), y.reshape(-1), dx.reshape(-1).view(word)

    def work(part: slice) -> None:  # `keep`, written to where it belongs
        kept = target[part]
        kept[...] = np.not_equal(result[part], zero).view(np.int8)
        kept *= gradient[part]

    _each_part(work, y.size)
    return dx


def _each_part(work: Callable[[slice], object], size: int) -> None:
    """Call work on parts of range(size) on the threads."""

    def task(index: int) -> None:
        work(slice(index * _PART, (index + 1) * _PART))

    run(task, -(-size // _PART))


def prelu(x: Array, weight: Array) -> Array:
    """Return x where it is positive, else weight x; one weight, or one for each of axis 1."""
    weight = _column(weight, x.ndim)
    below = np.asarray(x * weight)
    if below.shape == x.shape and _gentle(weight):
        return np.maximum(x, below, out=below)
    return either(x > ZERO.get(x.dtype, 0), x, below)


def prelu_backward(g: Array, x: Array, weight: Array) -> Array:
    """Return the gradient of the input: g where x is positive, else weight g."""
    weight = _column(weight, x.ndim)
    positive = x > ZERO[x.dtype]
    if g.shape == x.shape and g.dtype in _ABOVE and _gentle(weight):
        slope = np.empty_like(g)
        slope[...] = positive  # 1 or 0, of which the weight is larger or not
        np.maximum(slope, weight, out=slope)
        slope *= g
        return slope
    return either(positive, g, g * weight)


def _column(weight: Array, ndim: int) -> Array:
    """Return the weights along axis 1 of `ndim` axes."""
    if weight.size == 1:
        return weight.reshape(())
    return weight.reshape(-1, *(1,) * (ndim - 2)) if ndim > 2 else weight


def _gentle(weight: Array) -> bool:
    """Return whether all weights are in (0, 1], so that the larger of x and weight x is wanted."""
    if weight.size == 1:
        return 0 < weight.item() <= 1
    flat = weight.reshape(-1)  # of nan, both places are that of nan
    return bool(flat.size) and flat.item(flat.argmin()) > 0 and flat.item(flat.argmax()) <= 1


def prelu_weight(g: Array, x: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient of the weight, of `shape`: sums of g x where x is not positive."""
    if x.itemsize == 2:  # long sums need float32
        wide = prelu_weight(g.astype(np.float32), x.astype(np.float32), shape)
        return wide.astype(x.dtype)
    one = prod(shape) == 1
    if x.dtype in _ABOVE and g.dtype == x.dtype and x.size:
        below = clip(x, _BOTTOM[x.dtype], ZERO[x.dtype])
        rows = (1 if one and x.ndim < 3 else x.shape[0] * x.shape[1], -1)
        found = dots(below.reshape(rows), g.reshape(rows))
        if found.dot(found) < np.inf:  # 0 g is nan if g is infinite, and nan x are not dropped
            if one:
                found = np.add.reduce(found)
            else:
                found = ones(x.shape[0], found.dtype).dot(found.reshape(x.shape[:2]))
            return found.astype(x.dtype).reshape(shape)
    products = drop(g * x, x > ZERO[x.dtype])
    if one:
        return np.add.reduce(products, axis=None).reshape(shape)
    return np.add.reduce(products, axis=tuple([i for i in range(x.ndim) if i != 1]))


def elu(x: Array, alpha: float, scale: float, input_scale: float) -> Array:
    """Return scale x above 0 and alpha scale (exp(input_scale x) - 1) below."""
    return in_blocks(_elu, (x,), alpha * scale, scale, input_scale)


def elu_slope(x: Array, alpha: float, scale: float, input_scale: float) -> Array:
    """Return the derivative of `elu`; at 0 it is the one from below."""
    return in_blocks(_slope, (x,), alpha * scale * input_scale, scale, input_scale)


def elu_backward(g: Array, x: Array, alpha: float, scale: float, input_scale: float) -> Array:
    """Return g times the derivative of `elu`."""
    return in_blocks(_elu_backward, (g, x), alpha * scale * input_scale, scale, input_scale)


@lru_cache(maxsize=64)
def _numbers(kind: np.dtype, *values: float) -> list[Array]:
    """Return numbers as 0-d arrays: NumPy takes twice as long to begin with Python's."""
    return [np.array(value, kind) for value in values]


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)); results below the normal numbers become 0."""
    return in_blocks(_sigmoid, (x,))


def sigmoid_backward(g: Array, y: Array) -> Array:
    """Return g times the derivative of sigmoid, of which y is the result."""
    return in_blocks(_sigmoid_backward, (g, y))


# ---- blocks
def _elu(x: Array, out: Array, factor: float, scale: float, input_scale: float) -> None:
    zero, top = _ABOVE[x.dtype]
    f, s, i = _numbers(x.dtype, factor, scale, input_scale)
    below = clip(x, _BOTTOM[x.dtype], zero, out=np.empty_like(out))
    if SIMD_EXPM1:
        if input_scale != 1:
            below *= i
        np.expm1(below, out=below)
        below *= f
    else:
        below *= input_scale / 2
        np.tanh(below, out=below)
        np.subtract(1, below, out=out)
        below *= 2 * factor
        below /= out
    clip(x, zero, top, out=out)
    if scale != 1:
        out *= s
    out += below


def _slope(x: Array, out: Array, factor: float, scale: float, input_scale: float) -> None:
    zero, _ = _ABOVE[x.dtype]
    f, i, missing = _numbers(x.dtype, factor, input_scale, scale - factor)
    if x.size <= _SMALL or (top := np.maximum.reduce(x, axis=None)) != top:
        np.fmin(x, zero, out=out)  # nan counts as above 0, as in PyTorch
    else:
        clip(x, _BOTTOM[x.dtype], zero, out=out)
    if input_scale != 1:
        out *= i
    np.exp(out, out=out)
    if factor != 1:
        out *= f
    if factor != scale:  # as integers the bits of numbers above 0 are above 0, too
        no, yes = _BITS[x.dtype]
        above = clip(x.view(no.dtype), no, yes)
        above *= missing.view(no.dtype)
        out += above.view(x.dtype)


def _elu_backward(g: Array, x: Array, out: Array, *constants: float) -> None:
    _slope(x, out, *constants)
    out *= g


def _sigmoid(x: Array, out: Array) -> None:
    np.negative(x, out=out)
    np.exp(out, out=out)
    out += _ONE[x.dtype]
    np.reciprocal(out, out=out)


def _sigmoid_backward(g: Array, y: Array, out: Array) -> None:
    np.subtract(_ONE[y.dtype], y, out=out)
    out *= y
    out *= g
