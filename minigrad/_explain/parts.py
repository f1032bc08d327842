"""What an explanation is made of: numbers, inputs, steps, leaves, paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._quiet import hush, unhush

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Numbers:
    """An array: its shape, and its elements, or their mean and range if they are many."""

    shape: tuple[int, ...]
    dtype: str = ""
    values: Any = None  # nested lists, or one number
    mean: float | None = None
    low: float | None = None
    high: float | None = None

    @staticmethod
    def of(array: Any, most: int) -> Numbers:
        """Describe an array; up to `most` elements are listed."""
        array = np.asarray(array)
        shape, dtype = tuple(array.shape), array.dtype.name
        if array.size <= most:
            return Numbers(shape, dtype, _rounded(array.tolist()))
        if array.dtype.kind != "f":
            array = array.astype(np.float64)
        loud = hush()
        try:
            return Numbers(shape, dtype, None, *(short(float(f(array)))
                                                 for f in (np.mean, np.min, np.max)))
        finally:
            unhush(loud)

    def __str__(self) -> str:
        if self.values is not None:
            return listed(self.values)
        if self.mean is None:
            return "not kept on the tape"
        return f"mean {self.mean:.4g}, from {self.low:.4g} to {self.high:.4g}"


@dataclass
class Input:
    """One argument of an op that a gradient goes back to."""

    name: str
    source: str  # "step 3" or the leaf's name
    value: Numbers
    derivative: str  # in words
    local: Numbers | None  # its numbers: per element, or the matrix of a small op
    matrix: bool  # is `local` a matrix (elements of y by elements of the argument)?
    gradient: Numbers | None  # what the argument gets from here


@dataclass
class Step:
    """One op, with what arrives and what it passes on."""

    number: int
    op: str
    grad_fn: str
    formula: str
    known: bool  # has the table of formulas a line for it?
    where: str  # the user's line, under anomaly mode
    options: dict[str, str]
    constants: dict[str, Numbers]  # array arguments that want no gradient
    result: Numbers
    g: Numbers
    inputs: list[Input] = field(default_factory=list)


@dataclass
class LeafPart:
    """A leaf: where its gradient comes from."""

    name: str
    value: Numbers
    gradient: Numbers
    uses: list[str]


@dataclass
class Path:
    """One way from an element of a leaf to the loss: a product of local derivatives."""

    factors: list[tuple[str, float, str]]  # element of the next value, derivative, its formula
    product: float


@dataclass
class Why:
    """Why the gradient of one element is what it is."""

    element: str
    value: float
    gradient: float
    uses: list[tuple[str, float]]  # each use, and what it gives: they add up to the gradient
    paths: list[Path] = field(default_factory=list)
    left_out: int = 0  # paths that are not listed
    rest: float = 0.0  # their sum
    ends: list[str] = field(default_factory=list)  # ops whose derivative is 0 for this element


def short(value: float) -> float:
    """Return a number with six significant digits."""
    return float(f"{value:.6g}")


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return short(value) if isinstance(value, float) else value


def listed(value: Any) -> str:
    """Write nested lists of numbers."""
    if isinstance(value, list):
        return "[" + ", ".join(listed(v) for v in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def shown(shape: tuple[int, ...]) -> str:
    """Write a shape."""
    return "×".join(map(str, shape)) if shape else "a single number"
