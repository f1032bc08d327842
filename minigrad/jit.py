"""The names of `torch.jit` that programs touch without wanting TorchScript.

Decorators return what they decorate, questions are answered with no. What would need TorchScript
raises NotImplementedError.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, Final, TypeVar, final

__all__ = ["Final", "ScriptFunction", "ScriptModule", "ScriptWarning", "TracerWarning", "annotate",
           "export", "freeze", "ignore", "interface", "is_scripting", "is_tracing", "isinstance",
           "load", "optimize_for_inference", "save", "script", "script_if_tracing", "script_method",
           "trace", "trace_module", "unused"]

F = TypeVar("F")


class TracerWarning(Warning):
    """Be a category that programs filter; minigrad never warns with it."""


class ScriptWarning(Warning):
    """Be a category that programs filter; minigrad never warns with it."""


class _Never(type):
    """Make classes that have no instances."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise _absent(cls.__name__)


@final
class ScriptModule(metaclass=_Never):
    """Be the class that `isinstance(model, torch.jit.ScriptModule)` asks for: nothing is one."""


@final
class ScriptFunction(metaclass=_Never):
    """Be the class of compiled functions: nothing is one."""


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Return the function itself; usable as `@ignore` and `@ignore(drop=True)`.

    RuntimeError if `drop` is neither a function nor a bool.
    """
    if callable(drop):
        return drop
    if not builtins.isinstance(drop, bool):
        raise RuntimeError(f"Argument to @torch.jit.ignore must be a bool or a function but got "
                           f"{drop}")
    return _same


def unused(fn: F) -> F:
    """Return the function itself."""
    return fn


def export(fn: F) -> F:
    """Return the function itself."""
    return fn


def interface(obj: F) -> F:
    """Return the class itself."""
    return obj


def script_if_tracing(fn: F) -> F:
    """Return the function itself: nothing is ever traced."""
    return fn


def script_method(fn: F) -> F:
    """Return the method itself."""
    return fn


def _same(fn: F) -> F:
    return fn


_overload = _overload_method = _same


def is_scripting() -> bool:
    """Return False.

    >>> import minigrad as torch
    >>> torch.jit.is_scripting(), torch.jit.is_tracing()
    (False, False)
    """
    return False


def is_tracing() -> bool:
    """Return False."""
    return False


def annotate(the_type: Any, the_value: F) -> F:
    """Return the value; the type is for readers."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Tell whether an object is of a class, or of one in a tuple."""
    return builtins.isinstance(obj, target_type)


def _absent(name: str) -> NotImplementedError:
    return NotImplementedError(f"torch.jit.{name}: minigrad has no TorchScript. Call the module or "
                               f"function itself; torch.save(model.state_dict(), f) keeps weights")


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise _absent(name)

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raise NotImplementedError: there is no TorchScript."
    return refuse


script = _refusing("script")
trace = _refusing("trace")
trace_module = _refusing("trace_module")
load = _refusing("load")
save = _refusing("save")
freeze = _refusing("freeze")
optimize_for_inference = _refusing("optimize_for_inference")
