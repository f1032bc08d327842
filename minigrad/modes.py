"""Grad mode, inference mode and the engine's own state: one set per thread.

`no_grad`, `enable_grad`, `set_grad_enabled` and `inference_mode` are context managers and
decorators with PyTorch's behaviour. They can be nested, are restored when an exception leaves the
block, and decorate functions, generators and classes' methods alike.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class _State(threading.local):
    """What one thread's ops look at. Class attributes are every thread's start values."""

    grad: bool  # record operations on the tape?
    inference = False  # are results inference tensors?
    arrays: int  # depth of engine calls that let ops work on plain ndarrays
    levels: tuple[Any, ...] = ()  # the vmaps that run, outermost first
    multithreading = True  # see autograd/grad_mode.py
    packers: tuple[Any, ...] = ()  # the saved tensors hooks, outermost first; see saved.py
    packers_off: str | None = None  # the error if they are disabled
    task: Any  # the sweep that runs: (number, (roots, needed nodes), a whole backward?)
    runs: tuple[Any, ...] = ()  # the differentiations of func that run, outermost first

    def __init__(self) -> None:  # once a thread; the sweep reads these from the thread's dict
        self.grad, self.task, self.arrays = True, None, 0


state = _State()


class _Mode:
    """Base of the modes: enter sets (grad, inference), exit puts the previous pair back."""

    grad: bool
    inference: bool | None = None

    def __init__(self) -> None:
        self._stack: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._stack.append((state.grad, state.inference))
        if self.inference is not None:
            state.inference = self.inference
        state.grad = self.grad and not state.inference  # nothing records inference tensors

    def __exit__(self, *exc: object) -> None:
        state.grad, state.inference = self._stack.pop()

    def clone(self) -> _Mode:
        """Return a fresh mode with the same setting (a decorated function may recurse)."""
        return type(self)()

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):
            return _decorate_generator(self, function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            before = state.grad, state.inference
            try:  # plain stores: KeyboardInterrupt could come before an __exit__ has begun
                if self.inference is not None:
                    state.inference = self.inference
                state.grad = self.grad and not state.inference
                return function(*args, **kwargs)
            finally:
                state.grad, state.inference = before

        return wrapped  # type: ignore[return-value]


def _decorate_generator(mode: _Mode, function: Any) -> Any:
    """Run each step of the generator inside the mode and the consumer's code outside of it."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        step, value = generator.send, None
        try:
            while True:
                try:
                    with mode.clone():
                        item = step(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    value = yield item
                    step = generator.send
                except GeneratorExit:
                    raise
                except BaseException as error:
                    step, value = generator.throw, error
        finally:
            with mode.clone():
                generator.close()

    return wrapped


class no_grad(_Mode):
    """Record nothing inside the block; results have `requires_grad=False`.

    >>> import minigrad as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    grad = False

    def __new__(cls, function: Any = None) -> Any:
        made = super().__new__(cls)
        if function is None:
            return made
        _Mode.__init__(made)
        return made(function)  # used as a bare decorator: @no_grad

    def __init__(self, function: Any = None) -> None:
        super().__init__()


def without_grad(function: Callable[..., Any], *args: Any, **given: Any) -> Any:
    """Call a function that records nothing.

    As a `with` block, but KeyboardInterrupt could come before the block's `__exit__` has begun.
    """
    before = state.grad
    try:
        state.grad = False
        return function(*args, **given)
    finally:
        state.grad = before


class enable_grad(no_grad):
    """Record again inside a `no_grad` block."""

    grad = True


class set_grad_enabled(_Mode):
    """Set grad mode to `mode`: at once when called, and until exit when used with `with`."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        if not isinstance(mode, bool):
            raise TypeError(f"set_grad_enabled: mode must be True or False, not "
                            f"{type(mode).__name__}")
        self.grad = self.mode = mode
        self._previous = state.grad
        state.grad = mode and not state.inference

    def __enter__(self) -> None:
        if self._stack:  # entered again: there is a new outer setting to come back to
            self._previous = state.grad
        self._stack.append((self._previous, state.inference))
        state.grad = self.grad and not state.inference

    def __call__(self, function: F) -> F:
        state.grad = self._previous  # a decorator changes nothing until the function runs
        return super().__call__(function)

    def clone(self) -> set_grad_enabled:
        previous = state.grad
        made = type(self)(self.mode)
        state.grad = previous
        return made


class inference_mode(_Mode):
    """Record nothing and mark results as inference tensors, which autograd refuses to save.

    `inference_mode(False)` inside an inference block switches normal recording back on.
    """

    def __new__(cls, mode: Any = True) -> Any:
        made = super().__new__(cls)
        if callable(mode):
            made.mode = made.inference = True
            made.grad = False
            _Mode.__init__(made)
            return made(mode)
        return made

    def __init__(self, mode: Any = True) -> None:
        super().__init__()
        self.mode = bool(mode)
        self.inference = self.mode
        self.grad = not self.mode

    def clone(self) -> inference_mode:
        return type(self)(self.mode)


def is_grad_enabled() -> bool:
    """Return True if this thread records operations at present."""
    return state.grad


def is_inference_mode_enabled() -> bool:
    """Return True inside an `inference_mode` block."""
    return state.inference
