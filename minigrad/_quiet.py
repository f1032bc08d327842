"""Silence NumPy's floating point warnings around an op: inf and nan are results, as in PyTorch.

`np.errstate` does the same but takes longer (1.1 us) than a small op itself; this takes 0.2 us.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

try:  # what np.errstate uses inside, present in NumPy 2.0 to 2.4
    from numpy._core.umath import _extobj_contextvar, _make_extobj
except ImportError:

    hush: Any = partial(np.seterr, all="ignore")
    error_state: Any = np.geterr
    _silent: Any = dict.fromkeys(np.geterr(), "ignore")

    def unhush(before: Any) -> None:
        """Handle floating point errors as before the `hush` that returned `before`."""
        np.seterr(**before)

    restore: Any = unhush
    hush_rows = hush

else:
    _silent = _make_extobj(all="ignore")
    unhush: Any = _extobj_contextvar.reset  # type: ignore[no-redef]
    restore = _extobj_contextvar.set
    error_state = _extobj_contextvar.get
    hush = partial(restore, _silent)  # ignores from now on, and returns what `unhush` needs
    hush_rows = partial(restore, _make_extobj(all="ignore", bufsize=16))

_outside: Any = error_state()  # how NumPy handles errors when no op runs, as last noted


def note_outside() -> Any:
    """Return how NumPy handles errors now; remember it for `recover` if no op runs."""
    global _outside
    now = error_state()
    if now != _silent:
        _outside = now
    return now


def quietly(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function that may make infinities and NaNs."""
    loud = None
    try:
        loud = hush()
        return function(*args)
    finally:
        (unhush if loud else recover)(loud)


def quietly_by_rows(function: Callable[..., Any], *args: Any) -> Any:
    """Do as `quietly`, for operations of long rows with one number per row or column each.

    NumPy copies what is broadcast along rows shorter than its buffer, 8192 elements, into the
    buffer first: twice the time of the operation. With the smallest buffer it loops over the rows:
    faster from 256 elements a row on, slower for fewer, and casts become very slow.
    """
    loud = None
    try:
        loud = hush_rows()
        return function(*args)
    finally:
        (unhush if loud else recover)(loud)


def recover(nothing: Any = None) -> None:
    """Undo a `hush` that KeyboardInterrupt kept from returning what `unhush` needs."""
    restore(_outside)
