"""Functions of tensors and Modules as subjects: copies go in, minigrad's backward comes out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import engine
from ..autograd import grad
from ..engine import wrap
from ..modes import enable_grad
from ..nn import Module
from ..viz.state import tensors_in
from .isolate import World
from .structure import Spot, argument_names, rebuilt, spots_in, title_of
from .subject import BackwardError, Layout, Linear, Subject

Array = np.ndarray[Any, Any]
Make = Callable[[Array], Array]  # how a variant lays an input out in memory


class TensorSubject(Subject):
    """A function of tensors, or a Module with its parameters."""

    def __init__(self, fn: Any, inputs: tuple[Any, ...], wrt: Sequence[str] | None,
                 world: World) -> None:
        super().__init__()
        self.fn, self.inputs, self.world = fn, inputs, world
        self.title = title_of(fn)
        self.spots = [spot for value, name in
                      zip(inputs, argument_names(fn, len(inputs)), strict=True)
                      for spot in spots_in(value, name)]
        self.leafy = True
        self.upcast = True
        self.varied = self._choose_inputs(wrt)
        self.parameters = self._choose_parameters(wrt)
        self.names = [self.spots[k].name for k in self.varied] + [n for n, _ in self.parameters]
        if wrt is not None and (unknown := [n for n in wrt if n not in self.names]):
            raise ValueError(f"check_gradients: wrt names {unknown}, but what can be checked is "
                             f"called {self.names or [s.name for s in self.spots]}")
        arrays = [self.spots[k].array for k in self.varied] + [
            world.tensors[id(p)].array for _, p in self.parameters]
        self.points = [np.array(a, np.float64) for a in arrays]
        self.dtypes = [a.dtype for a in arrays]
        self.args: list[Any] = []
        self.written: dict[str, Array] = {}  # elements of parameters that the call changes

    # ---- what is varied
    def _choose_inputs(self, wrt: Sequence[str] | None) -> list[int]:
        """Floating inputs: those that require grad if any does, else all; or those in `wrt`."""
        floating = [k for k, spot in enumerate(self.spots) if spot.floating]
        asked = [k for k in floating if _requires(self.spots[k])]
        chosen = [k for k in floating if self.spots[k].name in wrt] if wrt is not None else (
            asked or floating)
        for k, spot in enumerate(self.spots):
            if k not in chosen:
                self.not_checked[spot.name] = (
                    f"{spot.array.dtype} has no gradient" if not spot.floating
                    else "not in wrt" if wrt is not None else "does not require grad")
        return chosen

    def _choose_parameters(self, wrt: Sequence[str] | None) -> list[tuple[str, Any]]:
        chosen = []
        for name, p in self.world.parameters:
            if p._data.dtype.kind != "f" or not p.requires_grad or (
                    wrt is not None and name not in wrt):
                self.not_checked[name] = "not in wrt" if wrt is not None else "frozen parameter"
            else:
                chosen.append((name, p))
        module = self.fn if isinstance(self.fn, Module) else getattr(self.fn, "__self__", None)
        if isinstance(module, Module):
            for name, _ in module.named_buffers():
                self.not_checked[name] = "buffer"
        return chosen

    # ---- running
    def prepare(self) -> None:
        """Call the function once, to learn its outputs, its dtype and whether it writes inputs."""
        lower = any(d.itemsize < 8 for d in self.dtypes) or any(
            held.array.dtype.kind == "f" and held.array.dtype.itemsize < 8
            for held in self.world.tensors.values())
        try:
            outs = self._first_call()
        except Exception:
            if not lower:
                raise
            self.upcast = False
            outs = self._first_call()
        if lower:
            self.notes.append("float32 inputs and parameters were run as float64 copies" if
                              self.upcast else "the function does not run in float64, so it was "
                              "checked in its own precision: small errors cannot be seen")
        if not self.upcast:
            self.eps = max(float(np.finfo(d).eps) for d in self.dtypes)
        self._learn_outputs(outs)

    def _first_call(self) -> list[Any]:
        try:
            return self.call(self.points)
        except RuntimeError as error:
            if "leaf Variable that requires grad" not in str(error) or not self.leafy:
                raise
            self.leafy = False  # it works in place: give it copies that are no leaves
            return self.call(self.points)

    def _learn_outputs(self, outs: list[Any]) -> None:
        floating = [k for k, t in enumerate(outs) if t._data.dtype.kind == "f"]
        recorded = [k for k in floating if outs[k].requires_grad]
        if not floating:
            raise ValueError(f"check_gradients: {self.title} returned no floating point tensor; "
                             f"return what is to be differentiated")
        for k in range(len(outs)):
            if k not in (recorded or floating):
                self.not_checked[f"output {k}"] = ("does not require grad" if k in floating else
                                                   f"{outs[k]._data.dtype} has no gradient")
        self.places = recorded or floating
        self.eps = max([self.eps, *(float(np.finfo(outs[k]._data.dtype).eps) for k in self.places)])
        self.layout = Layout([outs[k]._data.shape for k in self.places], self.places,
                             len(outs) > 1)
        self.base = self.layout.join([outs[k]._data for k in self.places])

    def call(self, points: Sequence[Array], make: Make | None = None,
             shared: tuple[int, int] | None = None) -> list[Any]:
        """Call the function at a point; return its output tensors. `self.args` are what it got."""
        self.evaluations += 1
        world = self.world
        world.begin_call()
        varied = dict(zip(self.varied, points, strict=False))
        given: list[Any] = []
        for k, spot in enumerate(self.spots):
            array = self._cast(varied.get(k, spot.array), spot.array.dtype)
            array = make(array) if make is not None else array.copy()
            tensor = wrap(array, None)
            if k in varied:
                with enable_grad():
                    tensor.requires_grad_()
                    tensor = tensor if self.leafy else tensor.clone()
            given.append(tensor)
        if shared is not None:
            given[shared[1]] = given[shared[0]]
        self._show_parameters(points[len(self.varied):])
        self.args = given
        self.nodes = [t._node for t in given]
        self.given = [t._data.copy() for t in given]
        order = iter(given)
        args = [rebuilt(value, lambda: next(order)) for value in self.inputs]
        try:
            with enable_grad(), warnings.catch_warnings():
                if self.evaluations > 1:
                    warnings.simplefilter("ignore")
                out = self.fn(*args)
            return [t for _, t in tensors_in(out, inside="output")]
        finally:
            world.end_call()

    def _cast(self, array: Array, dtype: Any) -> Array:
        """Return the array in the precision of the run."""
        if dtype.kind != "f":
            return array
        return np.asarray(array, np.float64 if self.upcast else dtype)

    def _show_parameters(self, points: Sequence[Array]) -> None:
        """Let the module's tensors show copies: parameters the point, the rest their own values."""
        own = {id(p): point for (_, p), point in zip(self.parameters, points, strict=True)}
        for key, held in self.world.tensors.items():
            array = self._cast(own.get(key, held.array), held.array.dtype)
            held.show(np.array(array), held.own.get("_node") is not None)

    def arrays_at(self, points: Sequence[Array]) -> list[Array]:
        outs = self.call(points)
        return [outs[k]._data for k in self.places]

    def leaves(self) -> list[Any]:
        """Return the tensors of the last call that gradients are wanted for."""
        return [self.args[k] for k in self.varied] + [p for _, p in self.parameters]

    def recorded_call(self, points: Sequence[Array], **variant: Any) -> tuple[list[Any], list[Any]]:
        """Call the function; return the outputs that count, and tensors to differentiate by."""
        outs = self.call(points, **variant)
        leaves, nodes = self.leaves(), [t._node for t in self.leaves()]
        if self.leafy is False:  # the tensors may have been written in place since
            for j, k in enumerate(self.varied):
                nodes[j] = self.nodes[k]
        self.leaf_nodes = nodes
        self._notice_writes(points)
        return ([outs[k] for k in self.places],
                [wrap(t._data, node) for t, node in zip(leaves, nodes, strict=True)])

    def linearize(self, points: Sequence[Array], **variant: Any) -> Linear:
        places, leaves = self.recorded_call(points, **variant)
        shapes = [t._data.shape for t in leaves]

        def pull(g: Array) -> list[Array]:
            return self.pull(places, leaves, shapes, g)

        values = Layout([t._data.shape for t in places], self.places, False).join(
            [t._data for t in places])
        return Linear(values, pull, False)

    def rerun(self, points: Sequence[Array]) -> Any:
        """Run once more; also look whether kept values were overwritten meanwhile."""
        from .record import recording

        with recording() as recorder:
            again = self.linearize(points).pull
            stale = [f"{name} of {call.name}" for call in recorder.calls for name in call.stale]
        return ", ".join(stale), again

    def pull(self, outs: list[Any], leaves: list[Any], shapes: list[Any],
             g: Array) -> list[Array]:
        """Run backward with weights `g` of the outputs."""
        pairs = [(t, part) for t, part in zip(outs, _parts(outs, g), strict=True)
                 if t.requires_grad]
        if not pairs:
            return [np.zeros(shape) for shape in shapes]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = grad([t for t, _ in pairs], leaves,
                             [wrap(part.astype(t._data.dtype), None) for t, part in pairs],
                             retain_graph=True, allow_unused=True)
        except Exception as error:
            raise BackwardError.of(error) from error
        for name, leaf, made in zip(self.names, leaves, found, strict=False):
            if made is not None and made._data.dtype != leaf._data.dtype:
                self.dtype_faults[name] = (f"the gradient is {made._data.dtype}, the input "
                                           f"{leaf._data.dtype}")
        return [np.zeros(shape) if made is None else np.array(made._data, np.float64)
                for made, shape in zip(found, shapes, strict=True)]

    def _notice_writes(self, points: Sequence[Array]) -> None:
        """Note inputs whose memory changed without a place in the graph that says so."""
        for (name, p), point in zip(self.parameters, points[len(self.varied):], strict=True):
            changed = p._data != self._cast(point, p._data.dtype)
            if changed.any() and not np.isnan(point).any():
                self.written[name] = changed
        for k, (t, before) in enumerate(zip(self.args, self.given, strict=True)):
            if not np.array_equal(t._data, before, equal_nan=before.dtype.kind == "f"):
                name = self.spots[k].name
                if t._node is not self.nodes[k]:
                    note = f"{name} is written in place (recorded)"
                    if note not in self.notes:
                        self.notes.append(note)
                else:
                    self.mutated[name] = None


def _requires(spot: Spot) -> bool:
    return isinstance(spot.value, engine.Tensor) and spot.value.requires_grad


def _parts(outs: list[Any], g: Array) -> list[Array]:
    found, start = [], 0
    for t in outs:
        found.append(g[start:start + t._data.size].reshape(t._data.shape))
        start += t._data.size
    return found
