"""Whole Jacobians by central differences and by backward: what `gradcheck` compares.

For every element x_i of every input, central differences give one row of the Jacobian,
(f(x + eps e_i) - f(x - eps e_i)) / (2 eps); for every element of every output, backward gives one
column. The two matrices must agree: |numeric - analytic| <= atol + rtol * |numeric|. At a kink the
two one-sided differences disagree, and every analytic value between them is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine import wrap

ndarray = np.ndarray
Index = tuple[Any, ...]


@dataclass
class Problem:
    """One function to check: the call, the tensors to vary with their names, and how they vary."""

    call: Callable[[], list[Any]]
    leaves: list[Any]
    names: list[str]
    title: str
    eps: float
    atol: float
    rtol: float


@dataclass
class Row:
    """One thing that is wrong: an entry of the Jacobian, or (with `text`) something else."""

    name: str
    index: Index = ()
    output: Index = ()
    analytic: float = np.nan
    numeric: float = np.nan
    kind: str = "mismatch"
    text: str = ""


@dataclass
class _Slopes:
    """Derivatives of the outputs along one way: central, and from both sides."""

    middle: list[ndarray]
    right: list[ndarray]
    left: list[ndarray]


def _outputs(problem: Problem) -> list[Any]:
    return [t for t in problem.call() if t._data.dtype.kind == "f"]


def _values(problem: Problem) -> list[ndarray]:
    return [np.array(t._data, np.float64).reshape(-1) for t in _outputs(problem)]


def _along(problem: Problem, leaf: Any, way: ndarray, here: list[ndarray]) -> _Slopes:
    """Return the difference quotients along a way; the leaf shows moved copies meanwhile."""
    own, eps = leaf._data, problem.eps
    try:
        leaf._data = np.asarray(own + eps * way, own.dtype)  # an array also without dimensions
        up = _values(problem)
        leaf._data = np.asarray(own - eps * way, own.dtype)
        down = _values(problem)
    finally:
        leaf._data = own
    with np.errstate(all="ignore"):
        return _Slopes([(a - b) / (2 * eps) for a, b in zip(up, down, strict=True)],
                       [(a - y) / eps for a, y in zip(up, here, strict=True)],
                       [(y - b) / eps for y, b in zip(here, down, strict=True)])


def _analytic(problem: Problem, out_index: int, weights: ndarray) -> list[ndarray]:
    """Return the gradients of sum(output * weights) by all leaves, zeros where there is none."""
    from . import grad

    out = _outputs(problem)[out_index]
    found: Sequence[Any] = [None] * len(problem.leaves)
    if out.requires_grad:
        cotangent = wrap(weights.reshape(out._data.shape).astype(out._data.dtype), None)
        found = grad(out, problem.leaves, cotangent, allow_unused=True)
    return [np.zeros(t._data.shape) if g is None else g._data
            for g, t in zip(found, problem.leaves, strict=True)]


def wrong_entries(problem: Problem, nondet_tol: float, undefined: bool, dtypes: bool,
                  fast: bool) -> list[Row]:
    """Return what is wrong; an empty list if nothing is."""
    outputs = _outputs(problem)
    if not outputs:
        raise ValueError(f"gradcheck: {problem.title} returned no floating point tensor")
    rng = np.random.default_rng(0)
    first = [np.array(t._data) for t in outputs]
    for k, (a, b) in enumerate(zip(first, _outputs(problem), strict=True)):
        if not np.allclose(a, b._data, rtol=0, atol=nondet_tol, equal_nan=True):
            return [Row("", (), (k,), kind="nondeterministic",
                        text=f"output {k} differs between two equal calls by up to "
                             f"{np.abs(a - b._data).max():.3g}: a random number that no generator "
                             f"of minigrad makes?")]
    if not fast or _directions_differ(problem, outputs, rng):
        rows = list(_compare_all(problem, outputs))
        if rows:
            return rows
    return _backward_faults(problem, outputs, rng, nondet_tol, undefined, dtypes)


def _backward_faults(problem: Problem, outputs: list[Any], rng: Any, nondet_tol: float,
                     undefined: bool, dtypes: bool) -> list[Row]:
    """Check that backward repeats itself, keeps dtypes, and takes absent gradients as zeros."""
    from . import grad

    weights = [rng.standard_normal(t._data.shape) for t in outputs]
    once = _analytic(problem, 0, weights[0])
    again = _analytic(problem, 0, weights[0])
    for name, a, b, leaf in zip(problem.names, once, again, problem.leaves, strict=True):
        if not np.allclose(a, b, rtol=0, atol=nondet_tol, equal_nan=True):
            return [Row(name, kind="nondeterministic",
                        text=f"Backward is not reentrant: two equal backward passes give gradients "
                             f"that differ by up to {np.abs(a - b).max():.3g}")]
        if dtypes and a.dtype != leaf._data.dtype and np.any(a):
            return [Row(name, kind="dtype", text=f"the gradient is {a.dtype}, the input is "
                                                 f"{leaf._data.dtype}")]
    if not undefined or len(outputs) < 2:
        return []
    made = _outputs(problem)
    recorded = [k for k, t in enumerate(made) if t.requires_grad]
    if 0 not in recorded:
        return []
    zeros = [np.zeros_like(t._data) if k else weights[0] for k, t in enumerate(made)]
    full = grad([made[k] for k in recorded], problem.leaves,
                [wrap(zeros[k].astype(made[k]._data.dtype), None) for k in recorded],
                allow_unused=True)
    return [Row(name, kind="undefined",
                text="the gradient depends on whether unused outputs get zeros or nothing")
            for name, g, a in zip(problem.names, full, once, strict=True)
            if not np.allclose(0 if g is None else g._data, a, equal_nan=True)][:1]


def _wrong(analytic: ndarray, slopes: _Slopes, k: int, problem: Problem) -> ndarray:
    """Return where the analytic values are neither near the numeric ones nor between the sides."""
    near = np.isclose(analytic, slopes.middle[k], rtol=problem.rtol, atol=problem.atol,
                      equal_nan=True)
    spare = problem.atol + problem.rtol * np.abs(slopes.middle[k])
    low = np.minimum(slopes.left[k], slopes.right[k]) - spare
    high = np.maximum(slopes.left[k], slopes.right[k]) + spare
    wrong: ndarray = ~(near | ((low <= analytic) & (analytic <= high)))
    return wrong


def _compare_all(problem: Problem, outputs: list[Any]) -> Iterator[Row]:
    """Compare the whole Jacobians; yield one row per wrong entry."""
    analytic = [[_analytic(problem, k, one) for one in np.eye(t._data.size)]
                for k, t in enumerate(outputs)]
    here = _values(problem)
    for j, leaf in enumerate(problem.leaves):
        for at in np.ndindex(leaf._data.shape):
            way = np.zeros(leaf._data.shape)
            way[at] = 1.0
            slopes = _along(problem, leaf, way, here)
            for k, out in enumerate(outputs):
                exact = np.array([grads[j][at] for grads in analytic[k]], np.float64)
                for m in np.nonzero(_wrong(exact, slopes, k, problem))[0]:
                    place = tuple(int(a) for a in np.unravel_index(m, out._data.shape))
                    yield Row(problem.names[j], at, (k, *place) if len(outputs) > 1 else place,
                              float(exact[m]), float(slopes.middle[k][m]))


def _directions_differ(problem: Problem, outputs: list[Any], rng: Any) -> bool:
    """Compare u . J . v for one random u per output and v per input (fast_mode)."""
    weights = [rng.standard_normal(t._data.size) for t in outputs]
    analytic = [_analytic(problem, k, w) for k, w in enumerate(weights)]
    here = _values(problem)
    for j, leaf in enumerate(problem.leaves):
        way = rng.standard_normal(leaf._data.shape)
        way = way / max(float(np.linalg.norm(way)), 1e-30)
        slopes = _along(problem, leaf, way, here)
        for k, w in enumerate(weights):
            numeric, exact = float(w @ slopes.middle[k]), float((analytic[k][j] * way).sum())
            if not np.isclose(exact, numeric, rtol=problem.rtol, atol=problem.atol,
                              equal_nan=True):
                return True
    return False
