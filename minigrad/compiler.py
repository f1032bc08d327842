"""`torch.compile` and `torch.compiler` for programs that mention them: there is no compiler.

Everything here returns what it was given, or says that nothing is being compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["allow_in_graph", "assume_constant_result", "compile", "disable", "is_compiling",
           "is_dynamo_compiling", "is_exporting", "reset"]

F = TypeVar("F", bound=Callable[..., Any])

_KINDS: dict[str, tuple[Any, str]] = {
    "fullgraph": (bool, "a bool"),
    "dynamic": ((bool, type(None)), "a bool or None"),
    "mode": ((str, type(None)), "a string or None"),
    "options": ((dict, type(None)), "a dict or None"),
    "name": ((str, type(None)), "a string or None"),
    "disable": (bool, "a bool"),
    "recompile_limit": ((int, type(None)), "an int or None"),
    "isolate_recompiles": (bool, "a bool"),
}


def compile(model: Any = None, *, fullgraph: bool = False, dynamic: bool | None = None,
            backend: str | Callable[..., Any] | None = None, mode: str | None = None,
            options: dict[str, Any] | None = None, name: str | None = None, disable: bool = False,
            recompile_limit: int | None = None, isolate_recompiles: bool = False,
            shapes_spec: Any = None) -> Any:
    """Return the model or function itself: nothing is compiled, results would not depend on it.

    Without a model it returns a decorator. The options are PyTorch's; none has an effect, but wrong
    types raise TypeError, and `mode` together with `options` RuntimeError.

    >>> import minigrad as torch
    >>> @torch.compile(fullgraph=True)
    ... def double(x):
    ...     return x * 2
    >>> double(torch.ones(1))
    tensor([2.])
    """
    given = {"fullgraph": fullgraph, "dynamic": dynamic, "mode": mode, "options": options,
             "name": name, "disable": disable, "recompile_limit": recompile_limit,
             "isolate_recompiles": isolate_recompiles}
    for key, value in given.items():
        kinds, called = _KINDS[key]
        if not isinstance(value, kinds):
            raise TypeError(f"compile: {key} must be {called}, got {type(value).__name__}")
    if not (backend is None or isinstance(backend, str) or callable(backend)):
        raise TypeError(f"compile: backend must be a string or a callable, got "
                        f"{type(backend).__name__}")
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified "
                           "at the same time.")
    return _same if model is None else _same(model)


def _same(model: Any) -> Any:
    if not callable(model):
        raise TypeError(f"compile: expected a Module or a function, got {type(model).__name__}")
    return model


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Return the function itself (a decorator without one): it was not going to be compiled.

    Args: recursive, reason: as in PyTorch, without effect.
    """
    return _same if fn is None else _same(fn)


def allow_in_graph(fn: Any) -> Any:
    """Return the function, or list of functions, itself."""
    return fn


def assume_constant_result(fn: F) -> F:
    """Return the function itself; it is called each time."""
    return fn


def reset() -> None:
    """Do nothing: there are no compiled programs to forget."""


def is_compiling() -> bool:
    """Return False.

    >>> import minigrad as torch
    >>> torch.compiler.is_compiling(), torch.compiler.is_exporting()
    (False, False)
    """
    return False


def is_dynamo_compiling() -> bool:
    """Return False."""
    return False


def is_exporting() -> bool:
    """Return False."""
    return False
