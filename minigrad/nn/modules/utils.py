"""Options given once for several dimensions, under the names that programs import from PyTorch."""

from __future__ import annotations

from typing import Any

from ._make import ntuple


def _single(value: Any) -> tuple[Any, ...]:
    """Return the items of an iterable, or (value,)."""
    return ntuple(value, 1)


def _pair(value: Any) -> tuple[Any, ...]:
    """Return the items of an iterable, or the value twice."""
    return ntuple(value, 2)


def _triple(value: Any) -> tuple[Any, ...]:
    """Return the items of an iterable, or the value three times."""
    return ntuple(value, 3)


def _quadruple(value: Any) -> tuple[Any, ...]:
    """Return the items of an iterable, or the value four times."""
    return ntuple(value, 4)
