"""The model's arithmetic: value, slope and second slope of elementwise functions, and operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .jets import Array, Unsure, product, taylor
from .model import Space, Tensor, function, kind_of, result_dtype

erf = np.vectorize(math.erf, otypes=[float])
BELL = 2 / math.sqrt(math.pi)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def small(x: Array) -> Array:
    return np.abs(x) < 5


def sigmoid_slopes(x: Array) -> tuple[Array, ...]:
    s = sigmoid(x)
    return s, s * (1 - s), s * (1 - s) * (1 - 2 * s)


def gelu(x: Array) -> tuple[Array, ...]:
    whole, bell = 0.5 * (1 + erf(x / math.sqrt(2))), np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return x * whole, whole + x * bell, (2 - x * x) * bell


def silu(x: Array) -> tuple[Array, ...]:
    s, d, e = sigmoid_slopes(x)
    return x * s, s + x * d, 2 * d + x * e


def tan(x: Array) -> tuple[Array, ...]:
    t = np.tan(x)
    return t, 1 + t * t, 2 * t * (1 + t * t)


def tanh(x: Array) -> tuple[Array, ...]:
    t = np.tanh(x)
    return t, 1 - t * t, -2 * t * (1 - t * t)


# name: (x -> value, slope, second slope; where it is smooth and its numbers moderate)
SMOOTH: dict[str, tuple[Callable[[Array], tuple[Array, ...]], Callable[[Array], Array]]] = {
    "sin": (lambda x: (np.sin(x), np.cos(x), -np.sin(x)), lambda x: x < 99),
    "cos": (lambda x: (np.cos(x), -np.sin(x), -np.cos(x)), lambda x: x < 99),
    "tan": (tan, lambda x: np.abs(np.cos(x)) > 0.3),
    "tanh": (tanh, lambda x: x < 99),
    "exp": (lambda x: (np.exp(x),) * 3, small),
    "exp2": (lambda x: (2**x, 2**x * math.log(2), 2**x * math.log(2) ** 2), small),
    "expm1": (lambda x: (np.expm1(x), np.exp(x), np.exp(x)), small),
    "sinh": (lambda x: (np.sinh(x), np.cosh(x), np.sinh(x)), small),
    "cosh": (lambda x: (np.cosh(x), np.sinh(x), np.cosh(x)), small),
    "asinh": (lambda x: (np.arcsinh(x), (1 + x * x) ** -0.5, -x * (1 + x * x) ** -1.5), small),
    "atan": (lambda x: (np.arctan(x), 1 / (1 + x * x), -2 * x / (1 + x * x) ** 2), small),
    "asin": (lambda x: (np.arcsin(x), (1 - x * x) ** -0.5, x * (1 - x * x) ** -1.5),
             lambda x: np.abs(x) < 0.9),
    "log": (lambda x: (np.log(x), 1 / x, -1 / x**2), lambda x: x > 0.1),
    "log2": (lambda x: (np.log2(x), 1 / x / math.log(2), -1 / x**2 / math.log(2)),
             lambda x: x > 0.1),
    "log1p": (lambda x: (np.log1p(x), 1 / (1 + x), -1 / (1 + x) ** 2), lambda x: x > -0.8),
    "sqrt": (lambda x: (x**0.5, 0.5 * x**-0.5, -0.25 * x**-1.5), lambda x: x > 0.1),
    "rsqrt": (lambda x: (x**-0.5, -0.5 * x**-1.5, 0.75 * x**-2.5), lambda x: x > 0.2),
    "reciprocal": (lambda x: (1 / x, -1 / x**2, 2 / x**3), lambda x: np.abs(x) > 0.3),
    "sigmoid": (sigmoid_slopes, lambda x: np.abs(x) < 30),
    "softplus": (lambda x: (np.logaddexp(x, 0), *sigmoid_slopes(x)[:2]), small),
    "logsigmoid": (lambda x: (-np.logaddexp(-x, 0), sigmoid(-x), -sigmoid_slopes(x)[1]), small),
    "erf": (lambda x: (erf(x), BELL * np.exp(-x * x), -2 * BELL * x * np.exp(-x * x)), small),
    "gelu": (gelu, small),
    "silu": (silu, small),
    "square": (lambda x: (x * x, 2 * x, 2 + 0 * x), lambda x: x < 99),
    "neg": (lambda x: (-x, 0 * x - 1, 0 * x), lambda x: x < np.inf),
}
# name: (value, slope left of the kink at `at`, right of it); piecewise linear
KINKED: dict[str, tuple[Callable[..., Array], Callable[..., Array], tuple[float, ...]]] = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: x > 0, (0,)),
    "abs": (np.abs, np.sign, (0,)),
    "hardtanh": (lambda x: np.clip(x, -1, 1), lambda x: np.abs(x) < 1, (-1, 1)),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, 0.01),
                   (0,)),
}
STEPS = {"sign": (np.sign, lambda x: np.abs(x)), "floor": (np.floor, lambda x: off_whole(x)),
         "ceil": (np.ceil, lambda x: off_whole(x)), "trunc": (np.trunc, lambda x: off_whole(x)),
         "round": (np.round, lambda x: off_whole(x + 0.5))}
EXACT = {"abs", "neg", "sign", "relu", "square", "floor", "ceil", "trunc", "round"}


def off_whole(x: Array) -> Array:
    return np.abs(x - np.round(x))


def elementwise(x: Tensor, slopes: Any, dtype: Any = None) -> Tensor:
    parts = taylor([np.asarray(s, np.float64) for s in slopes], x.parts(), x.space.count)
    return x.space.fresh(parts, dtype or result_dtype(x, 1.0), [x], known=True)


def refuse(bad: Array, why: str) -> None:
    if np.asarray(bad).any():
        raise Unsure(why)


def near(x: Tensor, distance: Array) -> Array:
    """Return where rounding decides and derivatives would tell."""
    close = np.abs(distance) < x.space.margin
    return close if x.d is None else close & x.d.any(-1)


def smooth(name: str) -> Callable[[Tensor], Tensor]:
    slopes, fits = SMOOTH[name]

    def call(x: Tensor) -> Tensor:
        refuse(~fits(x.v), "outside of the domain")
        if name in EXACT and not x.floating:
            refuse(x.v.dtype == bool, "no bool")
            return x.space.fresh(x.space.constant(slopes(x.v)[0]), x.v.dtype, [x], known=True)
        return elementwise(x, slopes(x.v.astype(np.float64)))

    return call


def kinked(name: str) -> Callable[[Tensor], Tensor]:
    value, slope, places = KINKED[name]

    def call(x: Tensor) -> Tensor:
        refuse(not x.floating, "floats only")
        for at in places:
            refuse(near(x, x.v - at), "at a kink")
        return elementwise(x, (value(x.v), slope(x.v), 0 * x.v), x.v.dtype)

    return call


def step(name: str) -> Callable[[Tensor], Tensor]:
    value, distance = STEPS[name]

    def call(x: Tensor) -> Tensor:
        refuse(not x.floating, "floats only")
        refuse(distance(x.v) < x.space.margin, "at a step")
        return elementwise(x, (value(x.v), 0 * x.v, 0 * x.v), x.v.dtype)

    return call


for _table, _make in ((SMOOTH, smooth), (KINKED, kinked), (STEPS, step)):
    for _name in _table:
        function(_name)(_make(_name))


# ------------------------------------------------------------------------------------ two operands
def parts_of(space: Space, x: Any) -> Array:
    return x.parts() if isinstance(x, Tensor) else space.constant(x)


def space_of(*args: Any) -> Space:
    return next(a.space for a in args if isinstance(a, Tensor))


def combined(dtype: Any, parts: Array, *sources: Any) -> Tensor:
    same = {s.v.shape for s in sources if isinstance(s, Tensor)} == {parts.shape[:-1]}
    return space_of(*sources).fresh(parts, dtype, sources, known=same)


@function("add", saves=False)
def add(x: Any, y: Any, alpha: float = 1) -> Tensor:
    space, dtype = space_of(x, y), result_dtype(x, y)
    if dtype.kind == "b":
        return combined(dtype, space.constant(values(x) | values(y)), x, y)
    a, b = np.broadcast_arrays(*outer_parts(space, x, y))
    return combined(dtype, a + alpha * b, x, y)


@function("sub", saves=False)
def sub(x: Any, y: Any, alpha: float = 1) -> Tensor:
    refuse("b" in (kind_of(x).kind, kind_of(y).kind), "no bool")
    return add(x, y, alpha=-alpha)


def outer_parts(space: Space, *operands: Any) -> list[Array]:
    """Return the parts of operands with their own axes aligned at the end."""
    given = [parts_of(space, x) for x in operands]
    rank = max(p.ndim for p in given)
    return [p.reshape((1,) * (rank - p.ndim) + p.shape) for p in given]


def values(x: Any) -> Any:
    return x.v if isinstance(x, Tensor) else x


@function("mul", saves=False)
def mul(x: Any, y: Any) -> Tensor:
    space, dtype = space_of(x, y), result_dtype(x, y)
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        x.memory.saved = y.memory.saved = True
    if dtype.kind != "f":
        exact = np.asarray(values(x) * values(y), dtype)
        return combined(dtype, space.constant(exact), x, y)
    return combined(dtype, product(*outer_parts(space, x, y), space.count), x, y)


@function("div")
def div(x: Any, y: Any) -> Tensor:
    space, v = space_of(x, y), np.asarray(values(y), np.float64)
    refuse(np.abs(v) < 0.3, "a small divisor")
    inverse = taylor((1 / v, -1 / v**2, 2 / v**3), parts_of(space, y), space.count)
    top, inverse = outer_parts(space, x, y)[0], inverse
    return combined(result_dtype(x, y, 1.0), product(top, inverse, space.count), x, y)


@function("pow")
def power(x: Any, p: Any) -> Tensor:
    space = space_of(x, p)
    refuse(kind_of(p).kind == "b" or kind_of(x).kind == "b", "no bool")
    if isinstance(p, Tensor) or not isinstance(x, Tensor):  # through exp(p log x)
        base = np.asarray(values(x), np.float64)
        refuse((base < 0.2) | (base > 4), "outside of the domain")
        logs = taylor((np.log(base), 1 / base, -1 / base**2), parts_of(space, x), space.count)
        end = product(logs, parts_of(space, p), space.count)
        e = np.exp(end[..., 0])
        return combined(result_dtype(x, p), taylor((e, e, e), end, space.count), x, p)
    v = x.v.astype(np.float64)
    if not x.floating and isinstance(p, int):
        refuse(p < 0 or x.v.dtype == bool, "no negative power of whole numbers")
        return combined(x.v.dtype, space.constant(x.v**p), x)
    refuse((np.abs(v) < 0.2) if p != int(p) or p < 2 else v > 99, "outside of the domain")
    refuse(v < 0 if p != int(p) else False, "no real power")
    slopes = (v**p, p * v ** (p - 1.0), p * (p - 1) * v ** (p - 2.0) if p != 2 else 2 + 0 * v)
    return elementwise(x, slopes, result_dtype(x, p))


def choice(mask: Array, x: Any, y: Any, dtype: Any, *sources: Any) -> Tensor:
    a, b = outer_parts(space_of(*sources), x, y)
    shape = np.broadcast_shapes(mask.shape, a.shape[:-1], b.shape[:-1])
    parts = np.where(np.broadcast_to(mask, shape)[..., None], a, b)
    return combined(dtype, parts, *sources)


@function("where")
def where(mask: Tensor, x: Any, y: Any) -> Tensor:
    refuse(mask.v.dtype != bool, "a mask is bool")
    return choice(mask.v, x, y, result_dtype(x, y), x, y, mask)


def extreme(larger: bool) -> Callable[[Any, Any], Tensor]:
    def call(x: Any, y: Any) -> Tensor:
        distance = np.asarray(values(x) - values(y), float)
        ambiguous(space_of(x, y), x, y, distance)
        return choice((distance > 0) == larger, x, y, result_dtype(x, y), x, y)

    return call


def ambiguous(space: Space, x: Any, y: Any, distance: Array) -> None:
    a, b = outer_parts(space, x, y)
    differ = (np.abs(a - b)[..., 1:] > 1e-12).any(-1)
    refuse((np.abs(distance) < space.margin) & differ, "a tie")


function("maximum")(extreme(True))
function("minimum")(extreme(False))


@function("clamp")
def clamp(x: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    refuse(not x.floating, "floats only")
    for at in (min, max):
        refuse(near(x, x.v - at) if at is not None else False, "at a kink")
    inside = np.ones(x.shape, bool)
    low, high = -np.inf if min is None else min, np.inf if max is None else max
    inside &= (x.v > low) & (x.v < high)
    v = np.minimum(np.maximum(x.v, low), high)
    return elementwise(x, (v, inside, 0 * x.v), x.v.dtype)


@function("lerp")
def lerp(x: Tensor, y: Tensor, weight: Any) -> Tensor:
    floats = [t for t in (x, y, weight) if isinstance(t, Tensor)]
    refuse(len({t.v.dtype for t in floats}) > 1 or not x.floating, "lerp takes one dtype")
    return add(x, mul(weight, sub(y, x)))


@function("addcmul")
def addcmul(x: Tensor, a: Tensor, b: Tensor, value: float = 1) -> Tensor:
    refuse(len({t.v.dtype for t in (x, a, b)}) > 1 or not x.floating, "one float dtype")
    return add(x, mul(a, b), alpha=value)


@function("addcdiv")
def addcdiv(x: Tensor, a: Tensor, b: Tensor, value: float = 1) -> Tensor:
    refuse(len({t.v.dtype for t in (x, a, b)}) > 1 or not x.floating, "one float dtype")
    return add(x, div(a, b), alpha=value)


@function("logaddexp")
def logaddexp(x: Tensor, y: Tensor) -> Tensor:
    refuse(not (x.floating and y.floating), "floats only")
    space = x.space
    a, b = np.broadcast_arrays(*outer_parts(space, x, y))
    v = b[..., 0] - a[..., 0]
    s = taylor((np.logaddexp(v, 0), *sigmoid_slopes(v)[:2]), b - a, space.count)
    return combined(result_dtype(x, y), a + s, x, y)


# -------------------------------------------------------------------------- comparisons and dtypes
COMPARE = {"gt": np.greater, "lt": np.less, "ge": np.greater_equal, "le": np.less_equal}


def comparison(compare: Any) -> Callable[[Any, Any], Tensor]:
    def call(x: Any, y: Any) -> Tensor:
        a, b = np.asarray(values(x)), np.asarray(values(y))
        if "f" in (a.dtype.kind, b.dtype.kind):
            refuse(np.abs(np.subtract(a, b, dtype=float)) < space_of(x, y).margin, "a tie")
        return combined(bool, space_of(x, y).constant(compare(a, b)), x, y)

    return call


for _name, _compare in COMPARE.items():
    function(_name, saves=False)(comparison(_compare))


@function("logical_not", saves=False)
def logical_not(x: Tensor) -> Tensor:
    refuse(x.v.dtype != bool, "bool only")
    return combined(bool, x.space.constant(~x.v), x)


@function("to", saves=False)
def to(x: Tensor, dtype: Any) -> Tensor:
    """Convert: another dtype makes a copy, the same one returns the tensor itself."""
    if np.dtype(dtype) == x.v.dtype:
        return x
    if np.dtype(dtype).kind == "i" and x.floating:
        refuse(off_whole(x.v) < x.space.margin, "at a step")
    value = x.parts()
    if np.dtype(dtype).kind != "f":
        value = x.space.constant(x.v.astype(dtype))
    return x.space.fresh(value, dtype, [x], known=True)


@function("clone", saves=False)
def clone(x: Tensor, memory_format: str = "") -> Tensor:
    out = x.space.fresh(x.parts(), x.v.dtype, [x], known=True)
    out.known = out.known or memory_format == "contiguous"
    return out


@function("detach", saves=False)
def detach(x: Tensor) -> Tensor:
    """Share the values, and the memory of what was saved, but no history."""
    refuse(x.frozen or x.root.multi, "left out")
    out = Tensor(x.space, x.v, None if x.d is None else np.zeros_like(x.d))
    out.memory, out.known = x.memory, x.known
    return out


def _operator(name: str, flipped: bool = False) -> Any:
    from .model import FUNCTIONS

    def call(self: Tensor, other: Any) -> Tensor:
        return FUNCTIONS[name](other, self) if flipped else FUNCTIONS[name](self, other)

    return call


for _name, _target in (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("truediv", "div"),
                       ("pow", "pow"), ("matmul", "matmul")):
    setattr(Tensor, f"__{_name}__", _operator(_target))
    setattr(Tensor, f"__r{_name}__", _operator(_target, flipped=True))
for _name in COMPARE:
    setattr(Tensor, f"__{_name}__", _operator(_name))
Tensor.__neg__ = lambda self: smooth("neg")(self)  # type: ignore[attr-defined]
Tensor.__invert__ = lambda self: logical_not(self)  # type: ignore[attr-defined]
