"""Whole matrices of numeric derivatives: Jacobian, Hessian, and the complex step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import engine
from ..engine import wrap
from .numeric import FIRST, LONGER, SHORTER, SHORTEST, Slope, displacement, scale_of, slope

Array = np.ndarray[Any, Any]


def numerical_jacobian(fn: Callable[..., Any], *inputs: Any) -> Any:
    """Return d fn / d input for each input: arrays of shape (*output, *input), by differences.

    `fn` takes and returns tensors or arrays, as given. Each element is varied by itself with
    Richardson extrapolation, at the step whose error estimate is smallest: about 11 digits for
    smooth functions, at 6 evaluations or more per element. One array for one input, else a tuple.

    >>> import numpy as np
    >>> np.round(numerical_jacobian(lambda x: x ** 2, np.array([1., 2.])), 8)
    array([[2., 0.],
           [0., 4.]])
    """
    points = [np.array(_array(x), np.float64) for x in inputs]
    tensors = [isinstance(x, engine.Tensor) for x in inputs]

    def at(moved: list[Array]) -> Array:
        args = [wrap(a.copy(), None) if t else a.copy()
                for a, t in zip(moved, tensors, strict=True)]
        return np.array(_array(fn(*args)), np.float64)

    here = at(points)
    found = []
    for j, x in enumerate(points):
        columns = np.zeros((here.size, x.size))
        for i in range(x.size):
            columns[:, i] = _column(at, points, j, i, here)
        found.append(columns.reshape(*here.shape, *x.shape))
    return found[0] if len(found) == 1 else tuple(found)


def numerical_hessian(fn: Callable[..., Any], x: Any) -> Array:
    """Return the second derivatives of a function with one number as result: (*x, *x).

    By fourth-order differences of differences: about 7 digits for smooth functions.

    >>> import numpy as np
    >>> np.round(numerical_hessian(lambda x: (x ** 3).sum(), np.array([1., 2.])), 4) + 0.
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    point = np.array(_array(x), np.float64)
    tensor = isinstance(x, engine.Tensor)

    def at(a: Array) -> float:
        made = _array(fn(wrap(a.copy(), None) if tensor else a.copy()))
        if np.size(made) != 1:
            raise ValueError(f"numerical_hessian: fn must return one number, got shape "
                             f"{np.shape(made)}; sum it up, or use numerical_jacobian")
        return float(made.reshape(()))

    n, step = point.size, 2e-3 * scale_of(point)
    unit = np.eye(n).reshape(n, *point.shape) * step
    weights = ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0))  # 12 h f' = sum of weight * f(x + k h)
    made = np.zeros((n, n))
    for a in range(n):
        for b in range(a + 1):
            total = 0.0
            for k, v in weights:
                for m, w in weights:
                    total += v * w * at(point + k * unit[a] + m * unit[b])
            made[a, b] = made[b, a] = total / (12 * step) ** 2
    return made.reshape(*point.shape, *point.shape)


def complex_step(fn: Callable[[Array], Any], x: Any, direction: Any = None,
                 step: float = 1e-30) -> Array:
    """Return the derivative along a direction as Im f(x + i h d) / h: exact to the last digits.

    There is no difference, so nothing cancels (Squire and Trapp, 1998). `fn` must be plain NumPy
    code that is analytic in complex arguments: no abs, max, comparisons, conj, or casts to float.
    ValueError if it returns real numbers. `direction`: default ones.

    >>> import numpy as np
    >>> np.allclose(complex_step(np.exp, np.array([0., 1.])), np.exp([0., 1.]), rtol=1e-15, atol=0)
    True
    """
    point = np.array(_array(x), np.float64)
    way = np.ones(point.shape) if direction is None else np.asarray(_array(direction), np.float64)
    made = np.asarray(fn(point + 1j * step * way))
    if made.dtype.kind != "c":
        raise ValueError(f"complex_step: fn returned {made.dtype} for complex input: it drops the "
                         f"imaginary part (abs, real, a cast), so it is not complex-analytic; use "
                         f"numerical_jacobian")
    return np.asarray(made.imag / step)


def _array(value: Any) -> Array:
    return value._data if isinstance(value, engine.Tensor) else np.asarray(value)


def _column(at: Callable[[list[Array]], Array], points: list[Array], j: int, i: int,
            here: Array) -> Array:
    """Return the derivatives by one element, at the best of a few steps."""
    x = points[j]
    way = np.zeros(x.shape)
    way.flat[i] = scale_of(x)
    best: tuple[float, Array] | None = None
    step = FIRST
    for _ in range(6):
        delta = displacement(x, way, step)
        unit = float(delta.flat[i])

        def along(times: float, delta: Array = delta) -> Array:
            return at([p + times * delta if k == j else p
                       for k, p in enumerate(points)]).reshape(-1)

        found: Slope | None = slope(along, here.reshape(-1), 2.0**-52)
        if found is None or not unit or found.error is None:
            step *= SHORTER if unit else LONGER
            continue
        error = float(np.maximum(np.abs(found.error), found.rounding).max(initial=0.0) / abs(unit))
        size = float(np.abs(found.value).max(initial=0.0)) / abs(unit)
        if best is None or error < best[0]:
            best = (error, found.value / unit)
        if error <= 1e-9 * size or step < SHORTEST:
            break
        rounding = float(found.rounding.max(initial=0.0)) / abs(unit)
        step *= LONGER if error < 30 * rounding else SHORTER
    return best[1] if best is not None else np.full(here.size, np.nan)
