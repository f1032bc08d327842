"""Numbers with exact mixed derivatives (hyper-dual numbers, Fike & Alonso 2011), in plain NumPy.

A number a + b e1 + c e2 + d e1 e2 + ... with e1^2 = e2^2 = e3^2 = 0 is an array of 8 parts, part k
standing for the product of those e whose bits k has. f(x + e1 u + e2 v + e3 w) has the directional
derivatives of f as its parts: no differences, no graph, nothing in common with the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray
PAIRS = [(i, j) for i in range(8) for j in range(8) if not i & j]


class Number:
    """Eight parts (8, ...)."""

    def __init__(self, parts: Array) -> None:
        self.parts = parts

    @property
    def shape(self) -> tuple[int, ...]:
        return self.parts.shape[1:]

    def __add__(self, other: Any) -> Number:
        a, b = _aligned(self, other)
        return Number(a + b)

    def __sub__(self, other: Any) -> Number:
        a, b = _aligned(self, other)
        return Number(a - b)

    def __mul__(self, other: Any) -> Number:
        a, b = _aligned(self, other)
        parts = np.zeros(np.broadcast_shapes(a.shape, b.shape))
        for i, j in PAIRS:
            parts[i | j] += a[i] * b[j]
        return Number(parts)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Number:
        return self * -1 + other

    def __truediv__(self, other: Any) -> Number:
        return self * (other**-1 if isinstance(other, Number) else 1 / other)

    def __pow__(self, p: float) -> Number:
        x, slopes = self.parts[0], []
        factor = 1.0
        for k in range(4):
            slopes.append(factor * x ** (p - k))
            factor *= p - k
        return self.apply(slopes)

    def apply(self, slopes: Sequence[Array]) -> Number:
        """Return f of the number, given f and its three derivatives at part 0: Taylor's series."""
        rest = Number(self.parts.copy())
        rest.parts[0] = 0
        total = Number(np.zeros(self.parts.shape))
        total.parts[0] = slopes[0]
        power: Any = 1.0
        for k, factorial in ((1, 1), (2, 2), (3, 6)):
            power = rest * power
            total = total + power * (slopes[k] / factorial)
        return total

    def mean(self, axes: tuple[int, ...]) -> Number:
        return Number(self.parts.mean(tuple(a + 1 for a in axes), keepdims=True))

    def sum(self, axes: tuple[int, ...]) -> Number:
        return Number(self.parts.sum(tuple(a + 1 for a in axes), keepdims=True))

    def reshape(self, *shape: int) -> Number:
        return Number(self.parts.reshape(8, *shape))

    def __getitem__(self, index: Any) -> Number:
        index = index if isinstance(index, tuple) else (index,)
        return Number(self.parts[(slice(None), *index)])


def _aligned(x: Number, other: Any) -> tuple[Array, Array]:
    """Return both as parts with the same number of dimensions."""
    if not isinstance(other, Number):
        value = np.asarray(other, np.float64)
        parts = np.zeros((8, *value.shape))
        parts[0] = value
        other = Number(parts)
    rank = max(x.parts.ndim, other.parts.ndim)
    return tuple(v.reshape(8, *(1,) * (rank - v.ndim), *v.shape[1:])  # type: ignore[return-value]
                 for v in (x.parts, other.parts))


def exp(x: Number) -> Number:
    return x.apply([np.exp(x.parts[0])] * 4)


def log(x: Number) -> Number:
    v = x.parts[0]
    return x.apply([np.log(v), 1 / v, -1 / v**2, 2 / v**3])


def derivatives(function: Any, inputs: Sequence[Array], directions: Sequence[Sequence[Array]],
                weight: Array) -> list[list[Array]]:
    """Return the gradients of D^0 p, D^1 p and D^2 p, where p is the weighted sum of function.

    `directions` holds two lists of arrays shaped as the inputs: D^1 is the derivative along the
    first, D^2 along both. One run for each element of the inputs gives its partial derivatives.
    """
    found = [[np.zeros(x.shape) for x in inputs] for _ in range(3)]
    for k, x in enumerate(inputs):
        for place in np.ndindex(x.shape):
            numbers = []
            for m, value in enumerate(inputs):
                parts = np.zeros((8, *value.shape))
                parts[0], parts[2], parts[4] = value, directions[0][m], directions[1][m]
                if m == k:
                    parts[(1, *place)] = 1
                numbers.append(Number(parts))
            total = (function(*numbers).parts * weight).reshape(8, -1).sum(1)
            for order, part in enumerate((1, 3, 7)):
                found[order][k][place] = total[part]
    return found
