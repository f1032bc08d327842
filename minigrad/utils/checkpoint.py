"""Compute parts of a net twice to save memory (Chen et al., Training Deep Nets with Sublinear
Memory Cost, 2016): forward keeps nothing of a checkpointed function; backward runs it again.

There are two ways. With `use_reentrant=False` the ops of the function are recorded as usual, but
what they save is dropped (by saved tensors hooks), and computed again when backward first asks for
any of it. With `use_reentrant=True` the function is one node, whose backward runs a backward of its
own.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import _random
from .._override import here
from ..anomaly import user_line
from ..autograd import Function, backward
from ..modes import enable_grad, no_grad, state
from ..saved import Packed, call_with_hooks
from ..tensor import Tensor
from ..versions import storage_of

__all__ = ["CheckpointError", "CheckpointFunction", "check_backward_validity", "checkpoint",
           "checkpoint_sequential", "detach_variable", "noop_context_fn",
           "set_checkpoint_debug_enabled", "set_checkpoint_early_stop"]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function did other things than the first."""


class _Settings:
    early_stop: bool | None = None
    debug: bool | None = None


_settings = _Settings()


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Say whether recomputation stops when everything needed is there, for calls in the block."""
    previous, _settings.early_stop = _settings.early_stop, enable
    try:
        yield
    finally:
        _settings.early_stop = previous


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Override `debug=` of checkpoints inside the block; None leaves it alone."""
    previous, _settings.debug = _settings.debug, enabled
    try:
        yield
    finally:
        _settings.debug = previous


def noop_context_fn() -> tuple[Any, Any]:
    """Return two contexts that do nothing: the default of `context_fn`."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn if no input requires grad: a reentrant checkpoint then has no gradients."""
    if not any(t.requires_grad for t in inputs if isinstance(t, Tensor)):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None",
                      UserWarning, stacklevel=3)


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the inputs apart from their graphs, requiring grad as before.

    RuntimeError for anything but a tuple.
    """
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: "
                           f"{type(inputs).__name__}")
    return tuple(t.detach().requires_grad_(t.requires_grad) if isinstance(t, Tensor) else t
                 for t in inputs)


class _Draws:
    """The position of the random stream before the first run."""

    def __init__(self, preserve: bool) -> None:
        self.generator = (here.generator or _random.default_generator) if preserve else None
        self.start = self.generator.state_bytes() if self.generator is not None else b""

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """Draw the numbers of the first run inside the block; go back afterwards."""
        if self.generator is None:
            yield
            return
        now = self.generator.state_bytes()
        self.generator.set_state_bytes(self.start)
        try:
            yield
        finally:
            self.generator.set_state_bytes(now)


# ---------------------------------------------------------------------------------- one node
class CheckpointFunction(Function):
    """The node of a reentrant checkpoint."""

    @staticmethod
    def forward(ctx: Any, run_function: Any, preserve_rng_state: bool, *args: Any) -> Any:
        ctx.run_function = run_function
        ctx.draws = _Draws(preserve_rng_state)
        ctx.places = [k for k, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.inputs = [None if isinstance(a, Tensor) else a for a in args]
        ctx.flags = [args[k].requires_grad for k in ctx.places]
        ctx.save_for_backward(*(args[k] for k in ctx.places))
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        if state.task is not None and not state.task[2]:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or "
                "passing an `inputs` parameter to .backward(): it runs a backward of its own. Use "
                "use_reentrant=False.")
        inputs = list(ctx.inputs)
        for place, flag, t in zip(ctx.places, ctx.flags, ctx.saved_tensors, strict=True):
            inputs[place] = t.detach().requires_grad_(flag)
        with ctx.draws.again(), enable_grad():
            outputs = ctx.run_function(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [(t, g) for t, g in zip(outputs, grads, strict=True)
                 if isinstance(t, Tensor) and t.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not "
                               "necessary")
        with enable_grad():
            backward([t for t, _ in pairs], [g for _, g in pairs])
        return (None, None, *(t.grad if isinstance(t, Tensor) else None for t in inputs))


# ---------------------------------------------------------------------- ops recorded as usual
class _Stop(BaseException):
    """Ends a recomputation early."""


class _Frame:
    """One checkpointed call: how to run it again, and what its ops saved."""

    def __init__(self, function: Any, args: Any, kwargs: Any, draws: _Draws, context: Any,
                 check: bool, early_stop: bool, debug: bool) -> None:
        self.function, self.draws, self.context = function, draws, context
        self.args = [_Kept(a) for a in args]
        self.kwargs = {name: _Kept(a) for name, a in kwargs.items()}
        self.check, self.early_stop, self.debug = check, early_stop, debug
        self.metas: list[tuple[Any, ...]] = []
        self.lines: list[str] = []
        self.task: Any = None
        self.values: list[Any] = []

    def pack(self, t: Any) -> int:
        """Keep only a number in the place of a tensor."""
        self.metas.append(_meta(t))
        if self.debug:
            self.lines.append(user_line())
        return len(self.metas) - 1

    def unpack(self, k: int) -> Any:
        """Return a value of the first run; run the function again if need be."""
        task = None if state.task is None else state.task[0]
        if task is None or task != self.task or self.values[k] is None:
            self.task = task
            self.recompute()
        value, self.values[k] = self.values[k], None
        if all(v is None for v in self.values):
            self.values, self.task = [], None
        return value

    def recompute(self) -> None:
        """Run the function again and collect what its ops save."""
        found: list[Any] = []

        def collect(t: Any) -> None:
            if len(found) == len(self.metas):
                raise CheckpointError(self.told(
                    "torch.utils.checkpoint: trying to save more tensors during recomputation than "
                    "during the original forward pass: the function must do the same both times",
                    [_meta(v) for v in found] + [_meta(t)]))
            found.append(t.detach())
            if self.early_stop and len(found) == len(self.metas):
                raise _Stop

        args = [a.again() for a in self.args]
        kwargs = {name: a.again() for name, a in self.kwargs.items()}
        levels, state.levels = state.levels, ()
        try:
            with self.draws.again(), enable_grad(), self.context:
                call_with_hooks(collect, _not_now, self.function, *args, **kwargs)
        except _Stop:
            pass
        finally:
            state.levels = levels
        if len(found) != len(self.metas):
            raise CheckpointError(self.told(
                f"torch.utils.checkpoint: A different number of tensors was saved during the "
                f"original forward ({len(self.metas)}) and recomputation ({len(found)})",
                [_meta(v) for v in found]))
        wrong = [(k, a, b) for k, (a, b) in enumerate(zip(self.metas, map(_meta, found),
                                                          strict=True)) if a != b]
        if self.check and wrong:
            lines = "\n".join(f"tensor {k}: saved {a[0]} {a[1]}, recomputed {b[0]} {b[1]}"
                              for k, a, b in wrong)
            raise CheckpointError(self.told(
                f"torch.utils.checkpoint: Recomputed values for the following tensors have "
                f"different metadata than during the forward pass.\n{lines}",
                [_meta(v) for v in found]))
        self.values = found

    def told(self, message: str, found: list[Any]) -> str:
        """Add to an error what both runs saved, under debug=True."""
        if not self.debug:
            return f"{message}. debug=True adds what both runs saved."
        first = "\n".join(f"  {meta[0]} {meta[1]}, by\n{line}"
                          for meta, line in zip(self.metas, self.lines, strict=True))
        second = "\n".join(f"  {meta[0]} {meta[1]}" for meta in found)
        return f"{message}.\nSaved by the first run:\n{first}\nSaved by the second run:\n{second}"


class _Kept:
    """An argument of a checkpointed call; hooks that are active outside of it pack it."""

    def __init__(self, value: Any) -> None:
        self.value, self.flag = value, False
        if not isinstance(value, Tensor):
            return
        self.flag = value.requires_grad
        if state.packers and state.grad:
            self.value = Packed(state.packers[-1], value)
        else:
            self.storage = storage_of(value)
            self.count = getattr(self.storage, "count", 0)

    def again(self) -> Any:
        """Return the argument, apart from its graph."""
        from ..engine import wrap

        if isinstance(self.value, Packed):
            return wrap(self.value.array(), None).requires_grad_(self.flag)
        if not isinstance(self.value, Tensor):
            return self.value
        if self.storage.count != self.count:
            raise RuntimeError(
                f"one of the variables needed for gradient computation has been modified by an "
                f"inplace operation: an argument of a checkpointed function, of shape "
                f"{list(self.value.shape)}, was changed by {self.storage.writer} before backward "
                f"could run the function again. clone() it first.")
        return self.value.detach().requires_grad_(self.flag)


def _meta(t: Any) -> tuple[Any, ...]:
    return tuple(t.shape), t.dtype


def _not_now(kept: Any) -> Any:
    raise CheckpointError("torch.utils.checkpoint: the function ran a backward while it was "
                          "computed again; values of this run are not kept")


def checkpoint(function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None,
               context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
               determinism_check: str = "default", debug: bool = False, early_stop: bool = True,
               **kwargs: Any) -> Any:
    """Return function(*args, **kwargs), keeping its inputs only; backward computes it again.

    Args: use_reentrant: False is recommended: works with autograd.grad, keyword arguments, nesting
    and higher orders; True (the default, with a warning) makes one node; context_fn: returns two
    contexts, for the first run and the second; determinism_check: "default" compares shapes and
    dtypes of what both runs saved, "none" does not; debug: tell in errors what both runs saved;
    early_stop: end the second run when everything is there; preserve_rng_state (default True):
    draw the same random numbers again.

    CheckpointError if the second run does other things than the first.

    >>> import minigrad as torch
    >>> from minigrad.utils.checkpoint import checkpoint
    >>> x = torch.ones(2, requires_grad=True)
    >>> checkpoint(torch.exp, x, use_reentrant=False).sum().backward()
    """
    if use_reentrant is None:
        warnings.warn("torch.utils.checkpoint: the use_reentrant parameter should be passed "
                      "explicitly. use_reentrant=False is recommended; True is the default, for "
                      "older programs.", UserWarning, stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug:
            raise ValueError("Passing `context_fn` or `debug` is only supported when "
                             "use_reentrant=False.")
        check_backward_validity(args)
        return CheckpointFunction.apply(function, preserve, *args)
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], but got "
                         f"{determinism_check}")
    first, second = context_fn()
    if not state.grad:
        with first:
            return function(*args, **kwargs)
    early = early_stop if _settings.early_stop is None else _settings.early_stop
    told = debug if _settings.debug is None else _settings.debug
    frame = _Frame(function, args, kwargs, _Draws(preserve), second,
                   determinism_check == "default", early, told)
    with first:
        return call_with_hooks(frame.pack, frame.unpack, function, *args, **kwargs)


def checkpoint_sequential(functions: Any, segments: int, input: Any,
                          use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """Run a Sequential (or list of functions) in `segments` parts, all but the last checkpointed.

    Args: functions, segments, input; use_reentrant and preserve_rng_state: as for `checkpoint`.

    >>> import minigrad as torch
    >>> from minigrad.utils.checkpoint import checkpoint_sequential
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))
    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> checkpoint_sequential(net, 2, x, use_reentrant=False).sum().backward()
    """
    if use_reentrant is None:
        warnings.warn("torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter "
                      "should be passed explicitly. use_reentrant=False is recommended; True is "
                      "the default, for older programs.", UserWarning, stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    parts = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(parts) // segments

    def run(start: int, end: int) -> Callable[[Any], Any]:
        def forward(value: Any) -> Any:
            for part in parts[start:end]:
                value = part(value)
            return value

        return forward

    for start in range(0, size * (segments - 1), size or 1):
        input = checkpoint(run(start, start + size), input, use_reentrant=use_reentrant,
                           preserve_rng_state=preserve)
    return run(size * (segments - 1), len(parts))(input)


def __getattr__(name: str) -> Any:
    if name in ("create_selective_checkpoint_contexts", "CheckpointPolicy",
                "SelectiveCheckpointContext"):
        raise AttributeError(f"minigrad.utils.checkpoint has no {name}: what is kept is not chosen "
                             f"op by op here; checkpoint() the parts of the model to be forgotten")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
