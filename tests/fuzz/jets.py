"""Forward-mode derivatives in plain NumPy: arrays with one more axis, that of the parts.

The parts of a number are the coefficients of x + sum_i a_i e_i, with e_i e_j = 0: a value and its
derivative along n directions. Order 2 adds a direction f with f^2 = 0: the second half holds the
coefficients of f and of f e_i, the second derivatives along f and each direction (Fike & Alonso
2011, for n directions at once). Everything linear acts on each part, whence the axis is the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray


class Unsure(Exception):
    """The derivative or the decision depends on rounding or is not defined: leave the op out."""


def halves(parts: Array, count: int) -> tuple[Array, Array | None]:
    """Return the parts without and with f (None for first order); `count` is 1 + directions."""
    return parts[..., :count], parts[..., count:] if parts.shape[-1] > count else None


def joined(low: Array, high: Array | None) -> Array:
    return low if high is None else np.concatenate([low, high], -1)


def taylor(slopes: Sequence[Array], parts: Array, count: int) -> Array:
    """Return f of a number, given f, f' and f'' at its value."""
    low, high = halves(parts, count)

    def first(value: Array, slope: Array) -> Array:
        out = np.asarray(slope)[..., None] * low
        out[..., 0] = value
        return out

    end = None if high is None else product(first(slopes[1], slopes[2]), high, count)
    return joined(first(slopes[0], slopes[1]), end)


def product(a: Array, b: Array, count: int) -> Array:
    """Multiply elementwise, with broadcasting."""
    a, b = aligned(a, b)
    a_low, a_high = halves(a, count)
    b_low, b_high = halves(b, count)

    def first(x: Array, y: Array) -> Array:
        out = x[..., :1] * y
        out[..., 1:] += x[..., 1:] * y[..., :1]
        return out

    if a_high is None or b_high is None:
        return first(a_low, b_low)
    return joined(first(a_low, b_low), first(a_low, b_high) + first(a_high, b_low))


def bilinear(function: Callable[[Array, Array], Array], a: Array, b: Array, count: int) -> Array:
    """Apply a function that is linear in both arguments, such as a matrix product."""
    zero = np.zeros_like(function(a[..., 0], b[..., 0]))
    total = [zero.copy() for _ in range(a.shape[-1])]
    for i in range(a.shape[-1]):
        for j in range(b.shape[-1]):
            twice = i >= count and j >= count
            if not twice and not (i % count and j % count) and (
                    a[..., i].any() and b[..., j].any()):
                at = i % count + j % count + (count if i >= count or j >= count else 0)
                total[at] += function(a[..., i], b[..., j])
    return np.stack(total, -1)


def aligned(a: Array, b: Array) -> tuple[Array, Array]:
    """Give both the same rank, so that the axes of parts meet."""
    rank = max(a.ndim, b.ndim)
    return (a.reshape((1,) * (rank - a.ndim) + a.shape),
            b.reshape((1,) * (rank - b.ndim) + b.shape))
