"""Histograms with weights and in several dimensions; finite differences along dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, return_types
from .._dtype import dtype_of
from ..engine import wrap
from ._operands import with_out
from .join import cat
from .slicing import narrow


def _edges(bins: Any) -> Any:
    return bins._data if hasattr(bins, "_data") else bins


def _refuse(name: str, input: Any) -> None:
    if input._data.dtype.kind != "f":
        raise NotImplementedError(f"{name} is not implemented for {dtype_of(input._data)}; convert "
                                  f"with .float()")


@with_out
def histogram(input: Any, bins: Any, *, range: Any = None, weight: Any = None,
              density: bool = False) -> Any:
    """Return how many elements (or how much `weight`) lie in each bin, and the bins' edges.

    `bins` is a number of equal bins over `range` (by default from the smallest to the largest
    element) or the increasing edges. With `density` the integral over the bins is 1.

    >>> import minigrad as torch
    >>> torch.histogram(torch.tensor([1., 2., 1.]), bins=4, range=(0., 3.)).hist
    tensor([0., 2., 1., 0.])
    """
    _refuse("histogram", input)
    kind = input._data.dtype
    weights = None if weight is None else weight._data.reshape(-1)
    hist, edges = np.histogram(input._data.reshape(-1), _edges(bins), range, density, weights)
    return return_types.histogram((wrap(hist.astype(kind), None), wrap(edges.astype(kind), None)))


@_check.takes("input")
def histogramdd(input: Any, bins: Any, *, range: Any = None, weight: Any = None,
                density: bool = False) -> Any:
    """Return the histogram of points (N, D) in D dimensions, and a tuple of edges by dimension.

    `bins` is a number, a list of D numbers or a list of D tensors of edges; `range` a flat list of
    the ends by dimension.

    >>> import minigrad as torch
    >>> points = torch.tensor([[0., 1.], [1., 0.]])
    >>> torch.histogramdd(points, bins=[2, 2]).hist
    tensor([[0., 1.],
            [1., 0.]])
    """
    _refuse("histogramdd", input)
    kind, dims = input._data.dtype, input.shape[-1]
    points = input._data.reshape(-1, dims)
    made = [bins] * dims if isinstance(bins, int) else [_edges(b) for b in bins]
    if len(made) != dims:
        raise RuntimeError(f"histogramdd: The size of bins must be equal to the innermost "
                           f"dimension of the input, got {len(made)} and {dims}")
    if range is not None and len(range) != 2 * dims:
        raise RuntimeError(f"histogramdd: for a {dims}-dimensional histogram range should have "
                           f"{2 * dims} elements, but got {len(range)}")
    ends = [None if range is None else range[2 * k:2 * k + 2] for k in np.arange(dims)]
    edges = [b if isinstance(b, np.ndarray) else np.histogram_bin_edges(points[:, k], b, ends[k])
             for k, b in enumerate(made)]
    inside = np.ones(len(points), bool)
    places = []
    for k, e in enumerate(edges):
        x = points[:, k]
        at = np.searchsorted(e, x, side="right") - 1
        places.append(np.clip(np.where(x == e[-1], len(e) - 2, at), 0, len(e) - 2))
        inside &= (x >= e[0]) & (x <= e[-1])
    shape = [len(e) - 1 for e in edges]
    flat = np.ravel_multi_index([p[inside] for p in places], shape)
    weights = None if weight is None else weight._data.reshape(-1)[inside].astype(np.float64)
    hist = np.bincount(flat, weights, int(np.prod(shape))).reshape(shape).astype(np.float64)
    if density:
        hist /= hist.sum()
        for k, e in enumerate(edges):
            hist /= np.diff(e).reshape([-1 if j == k else 1 for j in np.arange(dims)])
    return return_types.histogramdd((wrap(hist.astype(kind), None),
                                     tuple(wrap(e.astype(kind), None) for e in edges)))


# ------------------------------------------------------------------------------------ differences
@_check.takes("input")
def gradient(input: Any, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> list[Any]:
    """Return the derivative along each dimension by central differences, one tensor a dimension.

    `spacing` is the distance of the samples, one number for all or one per dimension, or a tensor
    of places per dimension. At the ends the differences are one-sided, of order `edge_order`, 1 or
    2.
    Raises RuntimeError if a dimension has too few elements.

    >>> import minigrad as torch
    >>> torch.gradient(torch.tensor([1., 2., 4., 9.]))
    (tensor([1.0000, 1.5000, 3.5000, 5.0000]),)
    """
    if edge_order not in (1, 2):
        raise RuntimeError(f"torch.gradient only supports edge_order=1 and edge_order=2, got "
                           f"{edge_order}")
    if input._data.dtype.kind != "f":
        input = input.float()
    dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    dims = [_check.dim(d, input.ndim) for d in dims]
    if len(set(dims)) < len(dims):
        twice = next(d for d in dims if dims.count(d) > 1)
        raise RuntimeError(f"dim {twice} appears multiple times in the list of dims")
    spacing = 1 if spacing is None else spacing
    steps = list(spacing) if isinstance(spacing, (list, tuple)) else [spacing] * len(dims)
    if len(steps) != len(dims):
        raise RuntimeError(f"torch.gradient expected spacing to be unspecified, a scalar, or a "
                           f"list of length {len(dims)}, got {len(steps)}")
    return tuple(_along(input, d, s, edge_order)  # type: ignore[return-value]
                 for d, s in zip(dims, steps, strict=True))


def _along(x: Any, dim: int, step: Any, edge_order: int) -> Any:
    """Differences of second order for uneven places: weights from the neighbouring distances."""
    n = x.shape[dim]
    if n < edge_order + 1:
        raise RuntimeError(f"torch.gradient expected each dimension size to be at least "
                           f"edge_order+1, got {n} in dim {dim}")
    if hasattr(step, "_data") and step.ndim:
        h = np.diff(step._data.astype(np.float64))
    else:
        h = np.full(n - 1, float(step))

    def part(start: int, count: int) -> Any:
        return narrow(x, dim, start, count)

    def scaled(values: np.ndarray) -> Any:
        shape = [1] * x.ndim
        shape[dim] = len(values)
        return wrap(values.astype(x._data.dtype).reshape(shape), None)

    a, b = h[:-1], h[1:]
    middle = (part(0, n - 2) * scaled(-b / (a * (a + b)))
              + part(1, n - 2) * scaled((b - a) / (a * b))
              + part(2, n - 2) * scaled(a / (b * (a + b)))) if n > 2 else None
    if edge_order == 1:
        first = (part(1, 1) - part(0, 1)) * scaled(1 / h[:1])
        last = (part(n - 1, 1) - part(n - 2, 1)) * scaled(1 / h[-1:])
    else:
        first = _one_sided(x, dim, (0, 1, 2), h[:1], h[1:2], scaled)
        last = _one_sided(x, dim, (n - 1, n - 2, n - 3), -h[-1:], -h[-2:-1], scaled)
    return cat([first, *([] if middle is None else [middle]), last], dim)


def _one_sided(x: Any, dim: int, at: tuple[int, int, int], a: Any, b: Any, scaled: Any) -> Any:
    """Return the slope at the first of three points with distances a and b."""
    weights = (-(2 * a + b) / (a * (a + b)), (a + b) / (a * b), -a / (b * (a + b)))
    parts = [narrow(x, dim, k, 1) * scaled(w) for k, w in zip(at, weights, strict=True)]
    return parts[0] + parts[1] + parts[2]
