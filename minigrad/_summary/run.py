"""Running the model: rows by hooks on every module, and the bytes and seconds of each call."""

from __future__ import annotations

import contextlib
import gc
import math
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import engine
from ..backprop import backward
from ..kernels._threads import get_num_threads, set_num_threads
from ..kernels.recurrent_memory import forget
from ..modes import enable_grad, no_grad
from ..nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from ..storage import owner
from ..viz.state import deep_enough, tensors_in, untouched
from .memory import Simulation
from .rows import Row
from .watch import Watcher

OUTSIDE = -1  # the row of ops that run outside of every known module


class Run:
    """One run of a model: `rows` in the order of the calls, `watcher` with what the ops told."""

    def __init__(self, model: Any, detailed: bool = False) -> None:
        self.model = model
        self.rows: list[Row] = []
        self.paths: dict[int, str] = {}
        for path, module in model.named_modules():
            self.paths.setdefault(id(module), path)
        self.open: list[int] = []
        self.seen: set[int] = set()
        self.parents: list[int] = []  # the row around each row
        self.watcher = Watcher(lambda: self.open[-1] if self.open else OUTSIDE, detailed)
        self.detailed = detailed
        self.starts: list[tuple[float, int]] = []  # of the open calls: time, number of events
        self.spans: list[tuple[int, int, list[int]]] = []
        self.peaks: dict[int, int] = {}
        self.new: dict[int, set[int]] = {}

    def forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the model with hooks on every module."""
        handles = [register_module_forward_pre_hook(self.enter),
                   register_module_forward_hook(self.leave)]
        try:
            with self.watcher.watching():
                return self.model(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()

    def enter(self, module: Any, inputs: Any) -> None:
        """Begin a row."""
        if id(module) not in self.paths:
            return
        self.check()
        self.parents.append(self.open[-1] if self.open else OUTSIDE)
        self.open.append(len(self.rows))
        self.rows.append(row_of(self.paths[id(module)], module, id(module) not in self.seen))
        self.rows[-1].input_size = _sizes(inputs)
        self.seen.add(id(module))
        self.starts.append((time.perf_counter(), len(self.watcher.events)))

    def leave(self, module: Any, inputs: Any, output: Any) -> None:
        """Complete the row that began last."""
        if id(module) not in self.paths:
            return
        now = time.perf_counter()
        self.check()
        place = self.open.pop()
        row = self.rows[place]
        start, event = self.starts.pop()
        found = [t for _, t in tensors_in(output)]
        row.output_size = [tuple(t.shape) for t in found]
        row.dtype = ", ".join(dict.fromkeys(t._data.dtype.name for t in found))
        row.forward_seconds = now - start
        if self.detailed:
            events = self.watcher.events
            given = [id(owner(t._data)) for _, t in tensors_in(inputs)]
            self.spans.append((event, len(events) - 1, given))
            made = {m for e in events[event:] for m in e.made}
            ours = {id(owner(t._data)): owner(t._data).nbytes for t in found}
            row.activation_bytes = sum(b for m, b in ours.items()
                                       if m in made and m not in given)

    def check(self) -> None:
        """At a boundary of modules: give the peak since the last one to all open calls."""
        if tracemalloc.is_tracing():
            peak = tracemalloc.get_traced_memory()[1]
            for place in self.open:
                self.peaks[place] = max(peak, self.peaks.get(place, 0))
            tracemalloc.reset_peak()

    def around(self, by_row: dict[int, Any], join: Callable[[Any, Any], Any]) -> dict[int, Any]:
        """Give what rows have to the rows around them, too."""
        found = dict(by_row)
        for place in range(len(self.rows) - 1, -1, -1):
            outer = self.parents[place]
            if place in found and outer != OUTSIDE:
                found[outer] = join(found[outer], found[place]) if outer in found else found[place]
        return found


def plain(model: Any, args: Any, kwargs: dict[str, Any], mode: str) -> list[Row]:
    """Run once without a tape; return the rows with shapes and multiply-adds."""
    run = Run(model)
    with state_kept(model, args, kwargs, mode), no_grad():
        run.forward(*copied((args, kwargs)))
    for row in run.rows:
        row.forward_seconds = None
    _place_work(run)
    return run.rows


def _place_work(run: Run) -> None:
    for place, row in enumerate(run.rows):
        row.mult_adds = run.watcher.work.get(place, 0)


def training_step(model: Any, args: Any, kwargs: dict[str, Any], mode: str, memory: bool,
                  repeats: int) -> tuple[list[Row], dict[str, Any]]:
    """Run forward and backward; return the rows with bytes or seconds, and the totals."""
    rows: list[Row] = []
    totals: dict[str, Any] = {}
    if memory:
        rows, totals = _measured(model, args, kwargs, mode)
    if repeats:
        timed = [_timed(model, args, kwargs, mode) for _ in range(repeats)]
        rows = rows or timed[0].rows
        for place, row in enumerate(rows):
            row.forward_seconds = min(run.rows[place].forward_seconds or 0.0 for run in timed)
            row.backward_seconds = min(run.seconds.get(place, 0.0) for run in timed)
        totals["forward_seconds"] = rows[0].forward_seconds if rows else 0.0
        totals["backward_seconds"] = min(run.total for run in timed)
    else:
        for row in rows:
            row.forward_seconds = None
    return rows, totals


class _Timed(Run):
    seconds: dict[int, float]
    total: float


def _timed(model: Any, args: Any, kwargs: dict[str, Any], mode: str) -> _Timed:
    run = _Timed(model)
    run.watcher.detailed = True
    with state_kept(model, args, kwargs, mode), enable_grad():
        _no_grads(model)
        given = copied((args, kwargs))
        roots, seeds = _roots(run.forward(*given))
        with run.watcher.watching():
            run.watcher.start_backward()
            start = time.perf_counter()
            if roots:
                backward(roots, seeds)
            run.total = time.perf_counter() - start
    run.seconds = run.around(run.watcher.seconds, lambda a, b: a + b)
    _place_work(run)
    return run


def _measured(model: Any, args: Any, kwargs: dict[str, Any], mode: str,
              ) -> tuple[list[Row], dict[str, Any]]:
    """Run one step under tracemalloc; fill in what is held, the peaks, and the predictions."""
    with _one_thread():
        _timed(model, args, kwargs, mode)  # kernels keep scratch memory between calls
        forget()  # but what they saved shall be counted, not found again
        return _traced(model, args, kwargs, mode)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let kernels run on this thread: which worker makes its scratch memory when is chance."""
    before = get_num_threads()
    set_num_threads(1)
    try:
        yield
    finally:
        set_num_threads(before)


def _traced(model: Any, args: Any, kwargs: dict[str, Any], mode: str,
            ) -> tuple[list[Row], dict[str, Any]]:
    run = Run(model, detailed=True)
    watcher = run.watcher
    with state_kept(model, args, kwargs, mode), enable_grad(), _tracing():
        _no_grads(model)
        given = copied((args, kwargs))
        inputs = sum(t._data.nbytes for _, t in tensors_in(given))
        state = {id(owner(t._data)): owner(t._data).nbytes
                 for t in [*model.parameters(), *model.buffers()]}
        gc.collect()
        tracemalloc.reset_peak()
        base = tracemalloc.get_traced_memory()[0]
        out = run.forward(*given)
        run.check()
        watcher.look(set(state))
        roots, seeds = _roots(out)
        forward_peak = max(run.peaks.values(), default=base)
        outputs = [id(owner(t._data)) for _, t in tensors_in(out)]
        simulation = Simulation(watcher)
        simulation.run([t._node for t in roots], outputs, run.spans)
        level = tracemalloc.get_traced_memory()[0]
        ballast = level - _held(watcher, out) - base  # Python's own objects, and this bookkeeping
        with watcher.watching():
            watcher.start_backward()
            if roots:
                backward(roots, seeds)
        peak = max(watcher.peaks.values(), default=0)
        totals = _totals(model, run, state, inputs)
    mine = max(0, ballast)
    totals["peak_bytes"] = max(forward_peak, peak) - base - mine
    totals["peak_predicted"] = max(simulation.peaks.values(), default=0)
    peaks = {p: v - base - mine for p, v in run.around(watcher.peaks, max).items()}
    predicted = run.around(simulation.peaks, max)
    for place, row in enumerate(run.rows):
        row.peak_bytes = max(0, run.peaks.get(place, base) - base, peaks.get(place, 0))
        row.peak_predicted = predicted.get(place, 0)
    return run.rows, totals


def _held(watcher: Watcher, out: Any) -> int:
    """Return the bytes that tape and outputs hold."""
    held = {m: b for e in watcher.events for m, b in e.kept.items()}
    held |= {id(owner(t._data)): owner(t._data).nbytes for _, t in tensors_in(out)}
    return sum(held.values())


def _totals(model: Any, run: Run, state: dict[int, int], inputs: int) -> dict[str, Any]:
    """Fill in what each row holds; return the sums, shared memory counted once."""
    kept: dict[int, dict[int, int]] = {}
    predicted: dict[int, dict[int, int]] = {}
    for event in run.watcher.events:
        kept.setdefault(event.place, {}).update(event.kept)
        by = predicted.setdefault(event.place, {})
        for memory, size in event.predicted.items():
            by[memory] = max(size, by.get(memory, 0))
    every = [{m: b for d in by.values() for m, b in d.items()} for by in (kept, predicted)]
    kept, predicted = (run.around(by, lambda a, b: {**a, **b}) for by in (kept, predicted))
    modules = dict(model.named_modules())
    for place, row in enumerate(run.rows):
        row.saved_bytes = sum(kept.get(place, {}).values())
        row.saved_predicted = sum(predicted.get(place, {}).values())
        row.grad_bytes = sum(p.grad._data.nbytes for p in modules[row.path].parameters()
                             if p.grad is not None)
    _place_work(run)
    return {"param_bytes": sum(p._data.nbytes for p in model.parameters()),
            "buffer_bytes": sum(b._data.nbytes for b in model.buffers()),
            "input_bytes": inputs,
            "grad_bytes": sum(p.grad._data.nbytes for p in model.parameters()
                              if p.grad is not None),
            "saved_bytes": sum(every[0].values()), "saved_predicted": sum(every[1].values())}


@contextlib.contextmanager
def _tracing() -> Iterator[None]:
    """Have tracemalloc on, and off again if it was."""
    before = tracemalloc.is_tracing()
    if not before:
        tracemalloc.start()
    try:
        yield
    finally:
        if not before:
            tracemalloc.stop()


@contextlib.contextmanager
def state_kept(model: Any, args: Any, kwargs: dict[str, Any], mode: str) -> Iterator[None]:
    """Run in a mode; put the model, its gradients, generators and the random state back."""
    values = [*args, *kwargs.values()]
    with untouched(model, values), deep_enough(model):
        if mode != "same":
            for module in model.modules():
                vars(module)["training"] = mode == "train"
        yield


def _no_grads(model: Any) -> None:
    for p in model.parameters():
        p.grad = None


def _roots(out: Any) -> tuple[list[Any], list[Any]]:
    """Return the outputs that require grad, and gradients of ones for them."""
    roots = [t for _, t in tensors_in(out) if t.requires_grad]
    return roots, [engine.wrap(np.ones_like(t._data), None) for t in roots]


def copied(value: Any) -> Any:
    """Copy the tensors in nested tuples, lists and dicts: the model may write into them."""
    if isinstance(value, engine.Tensor):
        copy = value.detach().clone()
        return copy.requires_grad_() if value.requires_grad else copy
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(copied, value))
    if type(value) in (list, tuple):
        return type(value)(map(copied, value))
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    return value


def row_of(path: str, module: Any, first: bool) -> Row:
    """Return a module's row without what a run tells."""
    params = list(module.parameters())
    grads = {p.requires_grad for p in params}
    trainable = "-" if not params else "partial" if len(grads) > 1 else str(grads.pop())
    kernel = getattr(module, "kernel_size", ())
    if isinstance(kernel, int):
        kernel = (kernel,) * max(1, _dimensions(module))
    return Row(path, type(module).__name__, path.count(".") + bool(path), [], [],
               sum(p.numel() for p in params),
               sum(p.numel() for p in module.parameters(recurse=False)), 0, trainable, first,
               tuple(kernel or ()), param_bytes=sum(p._data.nbytes for p in params))


def _dimensions(module: Any) -> int:
    name = type(module).__name__
    return int(name[-2]) if name[-1:] == "d" and name[-2:-1].isdigit() else 1


def _sizes(value: Any) -> list[tuple[int, ...]]:
    return [tuple(t.shape) for _, t in tensors_in(value)]


def with_uncalled(model: Any, rows: list[Row]) -> list[Row]:
    """Add rows for what is not called itself: lists of layers, and modules that hold parameters."""
    called = {row.path for row in rows}
    found = list(rows)
    for path, module in model.named_modules():
        if path in called or not any(True for _ in module.parameters()):
            continue
        row = row_of(path, module, True)
        row.called = False
        inside = [k for k, r in enumerate(found) if r.path.startswith(path + ".")]
        if inside:
            found.insert(inside[0], row)
        else:
            found.insert(_end_of(found, path.rpartition(".")[0]), row)
        called.add(path)
    return found


def _end_of(rows: list[Row], path: str) -> int:
    """Return the place behind the first call of a path and all that lies below it."""
    start = next((k for k, r in enumerate(rows) if r.path == path), None)
    if start is None:
        return len(rows)
    depth, k = rows[start].depth, start + 1
    while k < len(rows) and rows[k].depth > depth:
        k += 1
    return k


def share(rows: list[Row], total: int) -> None:
    """Fill in the share of all parameters."""
    for row in rows:
        row.params_percent = 100 * row.num_params / total if total else 0.0


def count(params: Any) -> int:
    """Return the number of elements."""
    return sum(math.prod(p.shape) for p in params)
