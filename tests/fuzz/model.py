"""A stand-in for `torch` that carries values and derivatives forward: NumPy views do the aliasing.

A tensor has a value array and an array of derivatives with one more axis; views are NumPy views of
both, so that in-place writes through views and bases need no rule at all. What has no defined
derivative, or depends on rounding, raises `Unsure` before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .jets import Array, Unsure

FUNCTIONS: dict[str, Callable[..., Any]] = {}
DTYPES = {"bool": np.bool_, "int64": np.int64, "float32": np.float32, "float64": np.float64}
ORDER = [np.dtype(t) for t in DTYPES.values()]
LARGEST = 300.0


class Root:
    """What the views of one tensor have in common: their place in the history."""

    leaf = False  # a leaf that requires grad: no writes while recording
    multi = False  # has views that were made several at a time
    fixed = False  # hooks or retain_grad: writes would move them
    needs = False  # requires grad


class Memory:
    saved = False  # may be saved for backward: a write would be refused then


class Space:
    """One run of a program: the directions, the mode and what is to be compared."""

    def __init__(self, directions: int, order: int = 1) -> None:
        self.order, self.count = order, 1 + directions
        self.parts = self.count * order
        self.used = 0
        self.leaves: list[tuple[Tensor, slice]] = []
        self.kept: list[tuple[Tensor, slice]] = []
        self.recording = True
        self.loose = False  # float32 somewhere: rounding is coarse
        self.magnitude = 1.0
        self.doubtful = False  # was a tensor written that may be saved? backward may refuse
        self.tilt = np.random.default_rng(3)

    @property
    def margin(self) -> float:
        return 2e-2 if self.loose else 1e-5

    def take(self, size: int) -> slice:
        if self.used + size >= self.count:
            raise Unsure("no directions left")
        self.used += size
        return slice(self.used - size, self.used)

    def fresh(self, parts: Array, dtype: Any, sources: Sequence[Any] = (),
              known: bool = False) -> Tensor:
        """Return a new tensor of parts, rounded to a dtype."""
        largest = float(np.abs(parts).max(initial=0))
        if not largest <= LARGEST:
            raise Unsure("too large")
        self.magnitude = max(self.magnitude, largest)
        out = Tensor(self, parts[..., 0].astype(dtype), None)
        self.loose = self.loose or out.v.dtype == np.float32
        if out.floating:
            out.d = parts[..., 1:].copy() if self.recording else np.zeros(
                (*out.shape, self.parts - 1))
            out.root.needs = self.recording and any(
                s.root.needs for s in sources if isinstance(s, Tensor))
        out.known = known and all(s.v.flags.c_contiguous and s.known for s in sources
                                  if isinstance(s, Tensor) and s.v.ndim)
        return out

    def tensor(self, values: Any, dtype: Any = None) -> Tensor:
        value = np.array(values, dtype)
        return self.fresh(self.constant(value), value.dtype, known=True)

    def constant(self, value: Any) -> Array:
        """Return the parts of a value without derivatives."""
        value = np.asarray(value)
        parts = np.zeros((*value.shape, self.parts))
        parts[..., 0] = value
        return parts


class Tensor:
    def __init__(self, space: Space, v: Array, d: Array | None, source: Tensor | None = None):
        self.space, self.v, self.d = space, v, d
        self.root = source.root if source else Root()
        self.memory = source.memory if source else Memory()
        self.base = source is None
        self.frozen = source.frozen if source else False  # one of several views, or overlapping
        self.known = source.known if source else False  # is the memory layout certain?

    shape = property(lambda self: self.v.shape)
    floating = property(lambda self: self.v.dtype.kind == "f")

    def parts(self) -> Array:
        if self.d is None:
            return self.space.constant(self.v)
        return np.concatenate([self.v[..., None].astype(np.float64), self.d], -1)

    def seen(self, function: Callable[[Array], Array]) -> Tensor:
        """Return a view: `function` works on the first axes and leaves further ones alone."""
        if self.frozen:
            raise Unsure("views of these are left out")
        try:
            v = function(self.v)
        except IndexError as error:
            raise Unsure("no such place") from error
        d = None if self.d is None else function(self.d)
        out = Tensor(self.space, v, d, self)
        for new, old in ((v, self.v), (d, self.d)):
            if new is not None and new.size and not np.may_share_memory(new, old):
                raise Unsure("not a view")
        return out

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            raise AttributeError(name)
        return lambda *args, **given: FUNCTIONS[name](self, *args, **given)

    def write(self, parts: Array, sources: Sequence[Any], dtype: Any = None) -> Tensor:
        """Put new parts in place, as autograd would allow it."""
        space, v = self.space, self.v
        if self.frozen or self.root.multi or self.root.fixed or not v.flags.writeable:
            raise Unsure("no writes here")
        if space.recording and self.root.leaf:
            raise Unsure("a leaf")
        if dtype is not None and category(dtype) > category(v.dtype):
            raise Unsure("a dtype of a higher category")
        for other in sources:
            if isinstance(other, Tensor) and other is not self and np.may_share_memory(other.v, v):
                raise Unsure("source and target share memory")
        if not float(np.abs(parts).max(initial=0)) <= LARGEST:
            raise Unsure("too large")
        space.doubtful |= self.memory.saved or any(other is self for other in sources[1:])
        v[...] = parts[..., 0]
        if self.floating and space.recording:
            self.d[...] = parts[..., 1:]  # type: ignore[index]
            self.root.needs |= any(s.root.needs for s in sources if isinstance(s, Tensor))
        return self

    # ---------------------------------------------------------------- what programs call directly
    def requires_grad_(self) -> Tensor:
        at = self.space.take(self.v.size)
        assert self.d is not None
        self.d = self.d.copy()
        self.d[..., at] = np.eye(self.v.size).reshape(*self.shape, self.v.size)
        if self.space.order == 2:
            tilt = self.space.tilt.uniform(-1, 1, self.v.size).round(2)
            self.d[..., self.space.count - 1] = tilt.reshape(self.shape)
        self.root = Root()
        self.root.leaf = self.root.needs = True
        self.space.leaves.append((self, at))
        return self

    def retain_grad(self) -> None:
        self.only_base()
        at = self.space.take(self.v.size)
        self.d[..., at] += np.eye(self.v.size).reshape(*self.shape, self.v.size)  # type: ignore[index]
        self.space.kept.append((self, at))

    def register_hook(self, function: Callable[[Any], Any]) -> None:
        """Let a linear function change the derivatives: a second backward meets the hook again."""
        self.only_base()
        self.d[...] = function(self.d)  # type: ignore[index]

    def only_base(self) -> None:
        if not (self.base and self.root.needs and self.floating) or self.root.leaf:
            raise Unsure("a view, a leaf or a constant")
        self.root.fixed = True

    def __getitem__(self, index: Any) -> Tensor:
        basic, rest = split_index(self, index)
        out = self.seen(lambda a: a[(*basic, ...)])
        if rest is None:
            return out
        parts = out.parts()[rest]
        return self.space.fresh(parts, self.v.dtype, [self])

    def __setitem__(self, index: Any, value: Any) -> None:
        basic, rest = split_index(self, index)
        out = self.seen(lambda a: a[(*basic, ...)])
        new = value.parts() if isinstance(value, Tensor) else self.space.constant(value)
        if rest is not None:
            places = np.arange(out.v.size).reshape(out.shape)[rest]
            if np.unique(places).size != places.size:
                raise Unsure("the same place twice")
            if isinstance(value, Tensor) and value.v.dtype != self.v.dtype:
                raise Unsure("one dtype")
            parts = out.parts()
            parts[rest] = fitted(new, places.shape)
            new = parts
        if not self.floating and kind_of(value).kind == "f":
            raise Unsure("at a step")
        out.write(fitted(new, out.shape), [value])


def kind_of(value: Any) -> np.dtype:
    return value.v.dtype if isinstance(value, Tensor) else np.asarray(value).dtype


def fitted(parts: Array, shape: tuple[int, ...]) -> Array:
    """Broadcast parts to the shape of a write, dropping leading ones as assignments do."""
    while parts.ndim - 1 > len(shape) and parts.shape[0] == 1:
        parts = parts[0]
    try:
        return np.broadcast_to(parts, (*shape, parts.shape[-1]))
    except ValueError as error:
        raise Unsure("does not fit") from error


def split_index(t: Tensor, index: Any) -> tuple[tuple[Any, ...], Any]:
    """Split an index in a basic one and what is left: lists and tensors come after ints."""
    items = list(index) if isinstance(index, tuple) else [index]
    items = [np.array(i) if isinstance(i, list) else i.v if isinstance(i, Tensor) else i
             for i in items]
    used = sum(i.ndim if isinstance(i, Array) and i.dtype == bool else 1
               for i in items if i is not None and i is not Ellipsis)
    if used > t.v.ndim:
        raise Unsure("too many indices")
    gap = [slice(None)] * (t.v.ndim - used)
    at = [k for k, i in enumerate(items) if i is Ellipsis]
    if at:
        items[at[0]: at[0] + 1] = gap
    else:
        items += gap
    basic: list[Any] = []
    rest: list[Any] = []
    for item in items:
        if isinstance(item, Array):
            basic += [slice(None)] * (item.ndim if item.dtype == bool else 1)
        else:
            basic.append(item)
        if not isinstance(item, (int, np.integer)):
            rest.append(item if isinstance(item, Array) else slice(None))
    return tuple(basic), tuple(rest) if any(isinstance(i, Array) for i in items) else None


def function(name: str, saves: bool = True) -> Callable[[Any], Any]:
    """Put a function into the table; `saves`: its backward may need what it got or gave."""
    def put(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **given: Any) -> Any:
            try:
                out = call(*args, **given)
            except ValueError as error:  # NumPy's: shapes that do not broadcast
                raise Unsure("does not fit") from error
            for t in tensors((args, out)):
                t.memory.saved |= saves or not t.floating
            return out

        FUNCTIONS[name] = run
        return run

    return put


def tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [t for v in value for t in tensors(v)] if isinstance(value, (tuple, list)) else []


def result_dtype(*args: Any) -> np.dtype:
    """Return torch's common dtype: a higher category wins; sizes beat 0-d tensors beat numbers."""
    found: np.dtype | None = None
    for group in ([a.v.dtype for a in args if isinstance(a, Tensor) and a.v.ndim],
                  [a.v.dtype for a in args if isinstance(a, Tensor) and not a.v.ndim],
                  [number_dtype(a) for a in args if isinstance(a, (bool, int, float))]):
        if group:
            best = max(group, key=ORDER.index)
            if found is None or category(best) > category(found):
                found = best
    assert found is not None
    return found


def number_dtype(value: Any) -> np.dtype:
    return ORDER[0 if isinstance(value, bool) else 1 if isinstance(value, int) else 2]


def category(dtype: np.dtype) -> int:
    return "bif".index(dtype.kind)
