"""Hints on frequent mistakes that are no errors: off until `set_hints(True)`.

A hint is a UserWarning that is given once. Code that gives one asks `hints.on` first, so that the
price is one attribute while they are off.
"""

from __future__ import annotations

import warnings


class _Hints:
    def __init__(self) -> None:
        self.on = False
        self.given: set[str] = set()


hints = _Hints()


def set_hints(on: bool) -> None:
    """Switch hints on frequent mistakes on or off; on, each comes once more.

    There are hints on dropout that is active, and BatchNorm that uses the batch's statistics, under
    `no_grad` (a forgotten `eval()`). TypeError unless `on` is a bool.

    >>> import minigrad as torch
    >>> torch.set_hints(True)
    >>> torch.get_hints()
    True
    >>> torch.set_hints(False)
    """
    if not isinstance(on, bool):
        raise TypeError(f"set_hints: expected a bool, got {type(on).__name__}")
    hints.on = on
    hints.given.clear()


def get_hints() -> bool:
    """Tell whether hints are on (they are off at first)."""
    return hints.on


def hint(about: str, text: str, stacklevel: int = 2) -> None:
    """Warn, unless this was said since the last `set_hints(True)`."""
    if about not in hints.given:
        hints.given.add(about)
        warnings.warn(f"{text} (This hint comes once; minigrad.set_hints(False) ends hints.)",
                      stacklevel=stacklevel + 1)
