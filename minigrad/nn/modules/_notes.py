"""Notes on errors (PEP 678): which layer raised, and with which shapes each layer was called.

An error that leaves a module's call ends with lines such as::

      in net.block.bn: BatchNorm2d(3, eps=1e-05, ...), called with (2, 5, 8, 8)
      in net: Net, called with (2, 3, 8, 8)

A layer does not know its own path. So each enclosing module writes the notes anew, as if it were
the outermost: the last one is right. A module that cannot be printed or walked loses its notes,
never the error that they belong to.
"""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from ...tensor import Tensor


@dataclass
class _Trail:
    """What an error has passed so far: the calls, innermost first, and the notes about them."""

    calls: list[tuple[Any, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def annotate(error: Exception, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
             caller: FrameType) -> None:
    """Add one module's call to the error's notes."""
    with contextlib.suppress(Exception):
        _annotate(error, module, args, kwargs, caller)


def explained(error: Exception, module: Any, args: tuple[Any, ...],
              kwargs: dict[str, Any]) -> Exception:
    """Return the error, or a clear one if a layer looked for a tensor in an argument that is none.

    Only for the layers of this package: the errors of users' own modules stay what they are.
    """
    missing = getattr(error, "obj", None) if type(error) is AttributeError else None
    if missing is None and "'NoneType' object has no" not in str(error):
        return error
    if not type(module).__module__.startswith("minigrad.nn."):
        return error
    names = [*inspect.signature(module.forward).parameters]
    for name, value in (*zip(names, args, strict=False), *kwargs.items()):
        if value is missing and not isinstance(value, Tensor):
            return AttributeError(f"{type(module).__name__}: argument '{name}' must be Tensor, "
                                  f"not {type(value).__name__}")
    return error


def _annotate(error: Exception, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
              caller: FrameType) -> None:
    trail = vars(error).setdefault("_module_trail", _Trail())
    trail.calls.append((module, _shapes(args, kwargs)))
    others = [n for n in getattr(error, "__notes__", ()) if n not in trail.notes]
    name = _variable(module, caller) or type(module).__name__.lower()
    paths = {id(each): path for path, each in module.named_modules()}
    trail.notes = [_line(each, shapes, name, paths) for each, shapes in trail.calls]
    error.__notes__ = [*others, *trail.notes]


def _line(module: Any, shapes: str, root: str, paths: dict[int, str]) -> str:
    """Return the note of one call, with the path from the outermost module."""
    path = paths.get(id(module))
    if path is None:  # called by the outermost module, but not registered in it
        path = f"<{type(module).__name__}>"
    shown = type(module).__name__
    if not module._modules:
        with contextlib.suppress(Exception):
            shown = repr(module)
    return f"  in {root}{'.' if path else ''}{path}: {shown}, called with {shapes}"


def _shapes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return the shapes of the arguments that are tensors, the types of the others."""
    parts = [_shape(a) for a in args] + [f"{k}={_shape(v)}" for k, v in kwargs.items()]
    return ", ".join(parts) or "no arguments"


def _shape(value: Any) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _variable(module: Any, frame: FrameType) -> str | None:
    """Return the name under which the caller knows the module."""
    for scope in (frame.f_locals, frame.f_globals):
        for name, value in list(scope.items()):
            if value is module and name != "self" and not name.startswith("_"):
                return name
    return None
