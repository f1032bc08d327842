"""Plain functions of arrays with a gradient written by hand, as subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .isolate import World
from .structure import argument_names, rebuilt, spots_in, title_of
from .subject import BackwardError, Layout, Linear, Subject

Array = np.ndarray[Any, Any]
Make = Callable[[Array], Array]


class ArraySubject(Subject):
    """`fn(*arrays)` and its vector-Jacobian product `vjp(*arrays, g)`."""

    adds_up_aliases = False

    def __init__(self, fn: Any, vjp: Callable[..., Any], inputs: tuple[Any, ...],
                 wrt: Sequence[str] | None, world: World) -> None:
        super().__init__()
        self.fn, self.vjp, self.inputs, self.world = fn, vjp, inputs, world
        self.title = title_of(fn)
        self.argument_names = argument_names(fn, len(inputs))
        self.spots = [spot for value, name in zip(inputs, self.argument_names, strict=True)
                      for spot in spots_in(value, name)]
        self.varied = [k for k, spot in enumerate(self.spots)
                       if spot.floating and (wrt is None or spot.name in wrt)]
        self.names = [self.spots[k].name for k in self.varied]
        if wrt is not None and (unknown := [n for n in wrt if n not in self.names]):
            raise ValueError(f"check_gradients: wrt names {unknown}, but what can be checked is "
                             f"called {[s.name for s in self.spots if s.floating]}")
        for k, spot in enumerate(self.spots):
            if k not in self.varied:
                self.not_checked[spot.name] = ("not in wrt" if spot.floating else
                                               f"{spot.array.dtype} has no gradient")
        self.points = [np.array(self.spots[k].array, np.float64) for k in self.varied]
        self.dtypes = [self.spots[k].array.dtype for k in self.varied]

    def prepare(self) -> None:
        """Call the function once to learn its outputs."""
        if any(d.itemsize < 8 for d in self.dtypes):
            self.notes.append("float32 arrays were given to the function as float64 copies")
        _, outs = self.call(self.points)
        floating = [k for k, a in enumerate(outs) if a.dtype.kind == "f"]
        if not floating:
            raise ValueError(f"check_gradients: {self.title} returned no floating point array")
        for k, a in enumerate(outs):
            if k not in floating:
                self.not_checked[f"output {k}"] = f"{a.dtype} has no gradient"
        self.places = floating
        self.eps = max(self.eps, *(float(np.finfo(outs[k].dtype).eps) for k in floating))
        self.layout = Layout([outs[k].shape for k in floating], floating, len(outs) > 1)
        self.base = self.layout.join([outs[k] for k in floating])

    def arguments(self, points: Sequence[Array], make: Make | None = None,
                  shared: tuple[int, int] | None = None) -> list[Any]:
        """Return fresh arguments at a point, in the structure of the inputs."""
        varied = dict(zip(self.varied, points, strict=False))
        copy = make or (lambda a: a.copy())
        given = [copy(np.asarray(varied.get(k, np.asarray(spot.array))))
                 for k, spot in enumerate(self.spots)]
        if shared is not None:
            given[shared[1]] = given[shared[0]]
        self.given = given
        order = iter(given)
        return [rebuilt(value, lambda: next(order)) for value in self.inputs]

    def call(self, points: Sequence[Array], args: list[Any] | None = None,
             **variant: Any) -> tuple[Any, list[Array]]:
        """Call the function; return its output and copies of the arrays in it."""
        self.evaluations += 1
        args = self.arguments(points, **variant) if args is None else args
        before = [a.copy() for a in self.given]
        self.world.begin_call()
        try:
            out = self.fn(*args)
        finally:
            self.world.end_call()
        for spot, a, old in zip(self.spots, self.given, before, strict=True):
            if not np.array_equal(a, old, equal_nan=old.dtype.kind == "f"):
                self.mutated[spot.name] = None
                a[...] = old
        return out, [np.array(a) for a in _leaves(out)]

    def arrays_at(self, points: Sequence[Array]) -> list[Array]:
        _, outs = self.call(points)
        return [outs[k] for k in self.places]

    def linearize(self, points: Sequence[Array], **variant: Any) -> Linear:
        args = self.arguments(points, **variant)
        given = self.given
        structure, outs = self.call(points, args)
        layout = Layout([outs[k].shape for k in self.places], self.places, False)
        values = layout.join([outs[k] for k in self.places])
        latest = self.evaluations

        def pull(g: Array) -> list[Array]:
            nonlocal latest, args, given
            if latest != self.evaluations:  # the gradient may use what its function left behind
                args = self.arguments(points, **variant)
                given = self.given
                self.call(points, args)
            latest = -1
            parts = dict(zip(self.places, layout.split(g), strict=True))
            weights = _filled(structure, iter(range(len(outs))), parts, outs)
            return self._run(args, given, weights)

        return Linear(values, pull, True)

    def _run(self, args: list[Any], given: list[Array], weights: Any) -> list[Array]:
        before = [a.copy() for a in given]
        try:
            returned = self.vjp(*args, weights)
        except Exception as error:
            raise BackwardError.of(error) from error
        for spot, a, old in zip(self.spots, given, before, strict=True):
            if not np.array_equal(a, old, equal_nan=old.dtype.kind == "f"):
                self.mutated[spot.name] = None
        nested = len(self.inputs) == 1 and isinstance(self.inputs[0], list)
        if not isinstance(returned, (tuple, list)) or (nested and isinstance(returned, list)):
            returned = (returned,)
        if len(returned) != len(self.inputs):
            raise BackwardError("shape", f"grad returned {len(returned)} entries, expected one "
                                         f"for each of the {len(self.inputs)} inputs")
        entries = [e for value, entry in zip(self.inputs, returned, strict=True)
                   for e in _entries(value, entry)]
        return [self._checked(k, entries[k], given[k].shape) for k in self.varied]

    def _checked(self, k: int, entry: Any, shape: tuple[int, ...]) -> Array:
        """Return one entry of the gradient as a float64 array of the input's shape."""
        name = self.spots[k].name
        if entry is None:
            return np.zeros(shape)
        array = np.asarray(entry)
        if array.shape != shape:
            raise BackwardError("shape", f"the gradient of {name} has shape {array.shape}, the "
                                         f"input {shape}", name)
        if not array.size:
            return np.zeros(shape)  # no digits to lose
        if array.dtype.kind not in "f":
            if array.dtype.kind not in "iub":
                raise BackwardError("dtype", f"the gradient of {name} is {array.dtype}, expected "
                                             f"floating point numbers", name)
            self.dtype_faults[name] = f"the gradient is {array.dtype}, the input float64"
        elif array.dtype.itemsize < 8:
            self.dtype_faults[name] = (f"the gradient is {array.dtype} although the input was "
                                       f"float64")
        return np.array(array, np.float64)


def _leaves(out: Any) -> list[Array]:
    """Return the arrays and numbers of an output in order."""
    if isinstance(out, dict):
        return [a for value in out.values() for a in _leaves(value)]
    if isinstance(out, (list, tuple)):
        return [a for value in out for a in _leaves(value)]
    return [np.asarray(out)]


def _filled(out: Any, count: Any, parts: dict[int, Array], like: list[Array]) -> Any:
    """Return weights in the structure of the output (zeros for outputs without gradient)."""
    if isinstance(out, dict):
        return {key: _filled(value, count, parts, like) for key, value in out.items()}
    if isinstance(out, tuple) and hasattr(out, "_fields"):
        return type(out)(*(_filled(value, count, parts, like) for value in out))
    if isinstance(out, (list, tuple)):
        return type(out)(_filled(value, count, parts, like) for value in out)
    k = next(count)
    part = np.array(parts[k]) if k in parts else np.zeros(like[k].shape)
    return part if isinstance(out, np.ndarray) else np.float64(part)


def _entries(value: Any, entry: Any) -> list[Any]:
    """Return the gradients of one input's arrays, in the order of `spots_in`."""
    if hasattr(value, "dtype"):
        return [entry]
    if isinstance(value, dict):
        return [e for key, inner in value.items()
                for e in _entries(inner, entry.get(key) if isinstance(entry, dict) else None)]
    if isinstance(value, (list, tuple)):
        inner = list(entry) if isinstance(entry, (list, tuple)) else [None] * len(value)
        inner += [None] * (len(value) - len(inner))
        return [e for v, g in zip(value, inner, strict=False) for e in _entries(v, g)]
    return []
