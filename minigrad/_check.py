"""Argument checks, one function per kind of argument: torch's exception classes, our sentences.

Only forwards and public functions call them, and only where NumPy itself would not refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def dim(value: int, ndim: int, name: str = "dim") -> int:
    """Return `value` as an axis in [0, ndim); a 0-d tensor has the axes 0 and -1."""
    size = ndim or 1
    if not -size <= value < size:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-size}, "
                         f"{size - 1}], but got {value}): argument '{name}' of a {ndim}-d tensor")
    return value + size if value < 0 else value


def dims(value: Any, ndim: int, name: str = "dim") -> tuple[int, ...]:
    """Return an axis, a sequence of axes, or None (all axes) as a tuple without repetitions."""
    if value is None:
        return tuple(range(ndim))
    if isinstance(value, (int, np.integer)):
        value = (value,)
    found = tuple(dim(v, ndim, name) for v in value)
    if len(set(found)) != len(found):
        raise RuntimeError(f"dim {max(found, key=found.count)} appears multiple times in the list "
                           f"of dims (argument '{name}')")
    return found if ndim else ()


def sizes(args: Sequence[Any]) -> tuple[int, ...]:
    """Return the sizes given as `f(2, 3)`, `f((2, 3))` or `f(Size)` as one tuple."""
    if len(args) == 1 and not isinstance(args[0], (int, np.integer)):
        args = args[0] if isinstance(args[0], (tuple, list)) else (args[0],)
    return tuple(int(a) if isinstance(a, (int, np.integer)) else _index(a) for a in args)


def _index(value: Any) -> int:
    try:
        return value.__index__()
    except (AttributeError, TypeError):
        raise TypeError(f"size: expected integers, got {type(value).__name__}") from None


def broadcast_error(*arrays: Any, **_: Any) -> Exception:
    """Explain why shapes cannot be broadcast: the first pair of sizes that do not match."""
    shapes = [np.shape(a) for a in arrays if isinstance(a, np.ndarray)]
    for k in range(1, 1 + max(map(len, shapes), default=0)):
        found = {s[-k] for s in shapes if len(s) >= k} - {1}
        if len(found) > 1:
            a, b = [s[-k] for s in shapes if len(s) >= k and s[-k] != 1][:2]
            at = max(map(len, shapes)) - k
            return RuntimeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton"
                f" dimension {at}: shapes {' and '.join(str(list(s)) for s in shapes)} do not "
                f"broadcast; unsqueeze, expand or reshape one of them")
    return RuntimeError(f"the shapes {' and '.join(str(list(s)) for s in shapes)} do not fit")
