"""`compare_with_torch`: one program under two libraries, and the first call that differs."""

from __future__ import annotations

import builtins
import contextlib
import difflib
import importlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import minigrad

from .difference import ComparisonReport, Difference, gap
from .draws import Draws
from .patches import patched
from .spy import Event, Slot, Spy
from .structure import argument_names, rebuilt, spots_in, title_of

Array = np.ndarray[Any, Any]


def compare_with_torch(fn_or_script: Callable[..., Any] | str | os.PathLike[str], *inputs: Any,
                       library: Any = None, gradients: bool = True, rtol: float | None = None,
                       atol: float | None = None, seed: int = 0) -> ComparisonReport:
    """Run the same code with minigrad and PyTorch; name the first call whose result differs.

    Args: a function `fn(torch, *tensors)`, called once with each library (arrays in `inputs`
    become its tensors, floating ones require grad), or a script with `import torch`. `gradients`:
    differentiate a random sum of what fn returns, unless it calls backward itself. `library`: a
    module to take for PyTorch. Tolerances by dtype (float32: rtol 1e-4). The second run gets the
    random numbers and first parameters of the first. ImportError if torch is not installed.
    What is compared, and what cannot be: docs/testing.md. Not for several threads at once.

    >>> import minigrad, numpy
    >>> report = minigrad.testing.compare_with_torch(
    ...     lambda torch, x: torch.relu(x).sum(), numpy.ones(3), library=minigrad)
    >>> report.ok, report.calls, report.gradients
    (True, 2, 2)
    """
    second = _torch() if library is None else library
    draws = Draws()
    names = (minigrad.__name__, second.__name__ if second is not minigrad else "minigrad again")
    runs = []
    printed = {}
    for lib, name, replays in ((minigrad, names[0], False), (second, names[1], True)):
        run = _Run(Spy(lib, draws, replays), fn_or_script, inputs, gradients, seed)
        printed[name] = run.go()
        runs.append(run)
    first, other = runs
    title = title_of(fn_or_script) if callable(fn_or_script) else Path(fn_or_script).name
    report = ComparisonReport(title, names, printed=printed)
    _Judge(first.spy, other.spy, report, rtol, atol).judge()
    report.notes += draws.notes
    if report.ok:
        for run in runs:
            if run.error is not None:
                raise run.error
    return report


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise ImportError("compare_with_torch runs the code with PyTorch, too, which is not "
                          "installed: pip install torch") from None


class _Run:
    """One run of the program under one library."""

    def __init__(self, spy: Spy, program: Any, inputs: tuple[Any, ...], gradients: bool,
                 seed: int) -> None:
        self.spy, self.program, self.inputs = spy, program, inputs
        self.gradients, self.seed = gradients, seed
        self.library = spy.library
        self.error: BaseException | None = None

    def go(self) -> str:
        """Run; return what a script printed."""
        with patched(self.library, self.spy.wrap):
            try:
                if callable(self.program):
                    self.function()
                    return ""
                if self.inputs:
                    raise TypeError("compare_with_torch: inputs are for functions; a script "
                                    "takes none")
                return self.script(Path(self.program))
            except Exception as error:
                if not any(e.error is error for e in self.spy.events) and isinstance(
                        error, (TypeError, FileNotFoundError)) and not self.spy.events:
                    raise
                self.error = error
        return ""

    def function(self) -> None:
        """Call the function with tensors of the library, and differentiate what it returns."""
        args = [rebuilt(value, self.tensors(value, name).__next__) for value, name in
                zip(self.inputs, argument_names(self.program, len(self.inputs) + 1)[1:],
                    strict=True)]
        self.library.manual_seed(self.seed)
        out = self.spy.tensors(self.program(self.library, *args))
        if not self.gradients or any(self.spy.arrived()):
            return
        rng = np.random.default_rng(self.seed)
        wanted = [t for t in out if t.requires_grad]
        ways = [self.library.tensor(np.asarray(rng.standard_normal(tuple(t.shape)))).to(t.dtype)
                for t in wanted]
        if wanted:
            self.spy.quietly(lambda: self.library.autograd.backward(wanted, ways))

    def tensors(self, value: Any, name: str) -> Iterator[Any]:
        """Yield a leaf for each array in one input."""
        for spot in spots_in(value, name):
            made = self.library.tensor(np.array(spot.array))
            if spot.floating:
                made.requires_grad_()
            self.spy.slot(made).name = spot.name
            yield made

    def script(self, path: Path) -> str:
        """Run a script whose `import torch` gives the library; return what it printed."""
        code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
        self.library.manual_seed(self.seed)
        own = {**vars(builtins), "__import__": self.imported}
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            try:
                exec(code, {"__name__": "__main__", "__file__": str(path), "__builtins__": own})
            except Exception as error:
                self.error = error
        return out.getvalue()

    def imported(self, name: str, globals: Any = None, locals: Any = None,
                 fromlist: Any = (), level: int = 0) -> Any:
        """Import for the script: "torch" and "minigrad" are the library of this run."""
        top, _, rest = name.partition(".")
        if level or top not in ("torch", "minigrad"):
            return __import__(name, globals, locals, fromlist, level)
        module: Any = self.library
        for part in filter(None, rest.split(".")):
            found = getattr(module, part, None)
            module = found if found is not None else importlib.import_module(
                f"{module.__name__}.{part}")
        return module if fromlist else self.library


class _Judge:
    """Lays two runs side by side."""

    def __init__(self, first: Spy, second: Spy, report: ComparisonReport, rtol: float | None,
                 atol: float | None) -> None:
        self.first, self.second, self.report = first, second, report
        self.rtol, self.atol = rtol, atol
        self.found: list[tuple[tuple[float, ...], Difference]] = []

    def judge(self) -> None:
        """Compare all calls, then all gradients; keep what came first."""
        pairs = self.aligned()
        before = len(self.found)
        for a, b in pairs:
            self.call(a, b)
            if len(self.found) > before:
                break
        slots: dict[int, tuple[Slot, Slot]] = {}
        for a, b in pairs:
            self.report.calls += 1
            for s, t in zip(a.inputs + a.results, b.inputs + b.results, strict=False):
                slots.setdefault(id(s), (s, t))
        for s, t in slots.values():
            self.gradient(s, t)
        if self.found:
            self.report.first_difference = min(self.found, key=lambda pair: pair[0])[1]

    def aligned(self) -> list[tuple[Event, Event]]:
        """Pair the calls; those that only one library makes inside a module are left out."""
        a, b = self.first.events, self.second.events
        keys = [e.key for e in a], [e.key for e in b]
        if keys[0] == keys[1]:
            return list(zip(a, b, strict=True))
        pairs: list[tuple[Event, Event]] = []
        for tag, i, j, k, m in difflib.SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
            if tag == "equal":
                pairs += zip(a[i:j], b[k:m], strict=True)
                continue
            odd = next((e for e in [*a[i:j], *b[k:m]] if not e.inside or e.error), None)
            if odd is not None:
                side = 0 if odd in a[i:j] else 1
                names = self.report.libraries
                what = (f"{names[side]} makes this call, {names[1 - side]} does not: the programs "
                        f"go different ways from here")
                if odd.error is not None:
                    what = f"{names[side]} raises {type(odd.error).__name__}: {odd.error}"
                self.add((i, 0), "exception" if odd.error is not None else "flow", odd, what=what)
                break
        return pairs

    def add(self, place: tuple[float, ...], kind: str, event: Event, **facts: Any) -> None:
        """Note a difference; `place` says how early it is."""
        self.found.append((place, Difference(kind, event.op, event.file, event.line,
                                             event.number + 1, **facts)))

    def call(self, a: Event, b: Event) -> None:
        """Compare the results of one call."""
        place = (a.number, 0.0)
        names = self.report.libraries
        if self.given(a, b):
            return None
        errors = [e.error and type(e.error).__name__ for e in (a, b)]
        if errors[0] != errors[1]:
            said = [f"{name} raises {type(e.error).__name__}: {e.error}" if e.error is not None
                    else f"{name} returns" for name, e in zip(names, (a, b), strict=True)]
            return self.add(place, "exception", a, what="; ".join(said))
        if len(a.arrays) != len(b.arrays):
            return self.add(place, "shape", a, what=f"{len(a.arrays)} tensors from {names[0]}, "
                                                    f"{len(b.arrays)} from {names[1]}")
        for x, y in zip(a.arrays, b.arrays, strict=True):
            if x is None or y is None:
                continue
            for kind, p, q in (("shape", x.shape, y.shape), ("dtype", x.dtype, y.dtype)):
                if p != q:
                    return self.add(place, kind, a, what=f"{names[0]} {p}, {names[1]} {q}")
            found = gap(x, y, max(a.scale, b.scale), self.rtol, self.atol)
            if found.close:
                self.passed(y, found.ulp)
            elif a.random or b.random:
                return self.add(place, "random", a, what=(
                    "it draws random numbers inside, which cannot be made equal; nothing after it "
                    "can be compared (use eval mode, or p=0)"))
            else:
                return self.add(place, "value", a, input_error=self.inputs(a, b), **found.facts)
        return None

    def inputs(self, a: Event, b: Event) -> float:
        """Return how far the inputs of a call were apart, relative to their largest element."""
        worst = 0.0
        for s, t in zip(a.inputs, b.inputs, strict=False):
            x, y = s.value, t.value
            if x is not None and y is not None and x.shape == y.shape and x.dtype.kind == "f":
                size = float(np.max(np.abs(y), initial=0.0)) or 1.0
                worst = max(worst, float(np.max(np.abs(x - y), initial=0.0)) / size)
        return worst

    def given(self, a: Event, b: Event) -> bool:
        """Compare what enters here for the first time; return whether it differs."""
        for k, (s, t) in enumerate(zip(a.inputs, b.inputs, strict=False)):
            if s.made >= 0 or s.uses[0] != a.number or s.value is None or t.value is None:
                continue
            what = (f"{s.name or f'input {k + 1}'} of this call differs before it: it was made by "
                    f"code that is not compared (data, NumPy, draws of another library)")
            if s.value.shape != t.value.shape or s.value.dtype != t.value.dtype:
                self.add((a.number, 0.0), "shape" if s.value.shape != t.value.shape else "dtype",
                         a, what=what)
                return True
            found = gap(s.value, t.value, 0.0, self.rtol, self.atol)
            if not found.close:
                self.add((a.number, 0.0), "value", a, what=what, **found.facts,
                         input_error=self.inputs(a, b))
                return True
        return False

    def passed(self, y: Array, ulp: float) -> None:
        if y.dtype.kind == "f":
            worst = self.report.largest_ulp
            worst[y.dtype.name] = max(worst.get(y.dtype.name, 0.0), ulp)

    def gradient(self, s: Slot, t: Slot) -> None:
        """Compare the gradients that arrived at one value, in the order of their arrival."""
        name = s.name or (f"the result of {self.first.events[s.made].op}" if s.made >= 0
                          else "a leaf")
        for k in range(max(len(s.grads), len(t.grads))):
            at, g = (s if k < len(s.grads) else t).grads[k]
            users = [self.first.events[n] for n in s.uses if n < at]
            inner = [e for e in users if not any(u is not e and _within(u, e) for u in users)]
            if not inner:  # nothing that is compared passes a gradient to it
                continue
            event = max(inner, key=_size)  # of several the likeliest
            last = inner[-1].number if s.made < 0 else s.made + 0.5
            place = (at, 1 - last / (len(self.first.events) + 1))
            if k >= len(s.grads) or k >= len(t.grads):
                if g.any() and not (self.first.overwritten(s) or self.second.overwritten(t)):
                    names = self.report.libraries[:: 1 if k < len(s.grads) else -1]
                    self.add(place, "gradient", event, of=name,
                             what=f"it arrives in {names[0]}, but not in {names[1]}")
                return None
            h = t.grads[k][1]
            if g.shape != h.shape or g.dtype != h.dtype:
                what = f"{g.shape} {g.dtype} against {h.shape} {h.dtype}"
                return self.add(place, "gradient", event, of=name, what=what)
            self.report.gradients += 1
            found = gap(g, h, 0.0, self.rtol, self.atol)
            if not found.close:
                others = [e.op for e in inner if e is not event]
                what = f"or another of its uses: {', '.join(others)}" if others else ""
                return self.add(place, "gradient", event, of=name, what=what, **found.facts)
            self.passed(h, found.ulp)
        return None


def _size(event: Event) -> tuple[int, int]:
    return sum(a.size for a in event.arrays if a is not None), event.number


def _within(inner: Event, outer: Event) -> bool:
    parent = inner.parent
    while parent is not None and parent is not outer:
        parent = parent.parent
    return parent is outer
