"""Reading images and volumes at given places: affine_grid and grid_sample, written once for n-D.

A sample is a sum over neighbours: value * product over dimensions of weight(place). `orders` says
which derivative of the weights is meant, one number per dimension. So the derivative with respect
to the places is the same op with one order more, and the op and its adjoint give every derivative.
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np

from .._check import floats, takes, tensor
from ..engine import op
from ..kernels import cubic
from .join import stack

ndarray = np.ndarray
Ints = tuple[int, ...]
MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


# ---------------------------------------------------------------------------------------- places
def _reflect(x: ndarray, size: int, align: bool) -> tuple[ndarray, ndarray]:
    """Return x reflected at the borders until it is inside, and the sign of its slope."""
    low, span = (0.0, size - 1.0) if align else (-0.5, float(size))
    if span == 0:
        return np.zeros_like(x), np.zeros_like(x)
    with np.errstate(invalid="ignore"):
        away = np.abs(x - low)
        rest, odd = np.fmod(away, span), np.floor(away / span) % 2 == 1
    sign = np.where(odd, -1.0, 1.0) * np.where(x < low, -1.0, 1.0)
    return (np.where(odd, span - rest, rest) + low).astype(x.dtype), sign.astype(x.dtype)


def _inside(x: ndarray, size: int, padding: str, align: bool) -> tuple[ndarray, Any]:
    """Return x moved into [0, size - 1] as the padding says, and the slope of that move."""
    if padding == "zeros":
        return x, 1
    slope: Any = 1
    if padding == "reflection":
        x, slope = _reflect(x, size, align)
    moved = np.fmin(np.fmax(x, 0), size - 1)  # fmax: nan becomes 0
    return moved, slope * ((x > 0) & (x < size - 1))


@op(grid=lambda g, slope: g * slope, aux="slope")
def _places(grid: Any, sizes: Ints, mode: str, padding: str, align: bool) -> Any:
    """Turn grid values (-1 and 1 are the borders) into pixels; `sizes` in the grid's order."""
    grid = grid.astype(np.float32) if grid.dtype.itemsize == 2 else grid
    y, slope = np.empty_like(grid), np.empty_like(grid)
    for d, size in enumerate(sizes):
        half = (size - 1) / 2 if align else size / 2
        x = (grid[..., d] + 1) * half - (0.0 if align else 0.5)
        y[..., d], steps = (x, 1) if mode == "bicubic" else _inside(x, size, padding, align)
        slope[..., d] = half * steps
    return y, slope


def _axis(x: ndarray, size: int, mode: str, padding: str, align: bool,
          order: int) -> list[tuple[ndarray, Any, ndarray]]:
    """Return the neighbours along one dimension: numbers, weights, and which are inside."""
    first = np.rint(x) if mode == "nearest" else np.floor(x)
    weights: list[Any] = []
    if mode == "bicubic":
        weights = cubic.weights(x - first, order)
    elif order == 0:
        rest = x - first
        weights = [x.dtype.type(1)] if mode == "nearest" else [1 - rest, rest]
    elif order == 1 and mode == "bilinear":
        weights = [x.dtype.type(-1), x.dtype.type(1)]
    found = []
    whole = _whole(first)
    for k, weight in enumerate(weights):
        if mode == "bicubic":  # the padding moves each neighbour by itself
            number = _whole(_inside(first + (k - 1), size, padding, align)[0])
        else:
            number = whole + k if k else whole
        found.append((number, weight, number.view(np.uintp) < size))
    return found


def _whole(x: ndarray) -> ndarray:
    """Return floats as integers; what is far outside, or nan, becomes -8, which is outside, too."""
    return np.where(np.abs(x) < 1 << 31, x, -8).astype(np.intp)


def _neighbours(place: ndarray, sizes: Ints, mode: str, padding: str, align: bool,
                orders: Ints) -> Any:
    """Yield (index, weight) of each neighbour of each place: indices into (N * S + 1) columns.

    The last column stands for everything outside: zeros are read there, and what is added is lost.
    """
    rows = place.reshape(len(place), math.prod(place.shape[1:-1]), len(sizes))
    with np.errstate(invalid="ignore"):
        axes = [_axis(np.ascontiguousarray(places), size, mode, padding, align, order)
                for places, size, order in zip(np.moveaxis(rows, 2, 0), sizes, orders, strict=True)]
    strides = [math.prod(sizes[:d]) for d in range(len(sizes))]  # the grid names the last dim first
    start = np.arange(len(place))[:, None] * math.prod(sizes)
    outside = len(place) * math.prod(sizes)
    for corner in itertools.product(*axes):
        index, valid = start, np.ones((), bool)
        weight: Any = place.dtype.type(1)
        for (number, factor, inside), stride in zip(corner, strides, strict=True):
            index = index + (number * stride if stride != 1 else number)
            valid = valid & inside
            weight = weight * factor
        if weight.ndim:
            weight = weight.reshape(-1)
        yield np.where(valid, index, outside).reshape(-1), weight


# --------------------------------------------------------------------------------------- samples
def _slopes(image: Any, value: Any, place: Any, sizes: Ints, mode: str, padding: str, align: bool,
            orders: Ints) -> Any:
    """Return the derivative of sum(value * samples of image) with respect to the places."""
    parts = []
    for d in range(len(sizes)):
        more = tuple(order + (k == d) for k, order in enumerate(orders))
        parts.append((_sample(image, place, sizes, mode, padding, align, more) * value).sum(1))
    return stack(parts, -1)


@op(input=lambda g, place, input_shape, sizes, mode, padding, align, orders: _scatter(
        g, place, input_shape, sizes, mode, padding, align, orders),
    place=lambda g, input, place, sizes, mode, padding, align, orders: _slopes(
        input, g, place, sizes, mode, padding, align, orders),
    shown=lambda sizes: f"GridSampler{len(sizes)}DBackward0")
def _sample(input: Any, place: Any, sizes: Ints, mode: str, padding: str, align: bool,
            orders: Ints) -> Any:
    """Return (N, C, *out): the input (N, C, *spatial) read at the places (N, *out, n)."""
    batch, channels = input.shape[:2]
    dtype = np.float32 if input.dtype.itemsize == 2 else input.dtype
    columns = np.zeros((channels, batch * math.prod(sizes) + 1), dtype)
    columns[:, :-1] = input.swapaxes(0, 1).reshape(channels, columns.shape[1] - 1)
    out = place.shape[1:-1]
    y = np.zeros((channels, batch * math.prod(out)), dtype)
    part = np.empty_like(y)
    for index, weight in _neighbours(place, sizes, mode, padding, align, orders):
        columns.take(index, 1, out=part, mode="clip")
        part *= weight
        y += part
    return y.reshape(channels, batch, *out).swapaxes(0, 1).astype(input.dtype)


@op(value=lambda g, place, sizes, mode, padding, align, orders: _sample(
        g, place, sizes, mode, padding, align, orders),
    place=lambda g, value, place, sizes, mode, padding, align, orders: _slopes(
        g, value, place, sizes, mode, padding, align, orders))
def _scatter(value: Any, place: Any, shape: Ints, sizes: Ints, mode: str, padding: str,
             align: bool, orders: Ints) -> Any:
    """Add values (N, C, *out) to the neighbours of their places in zeros: `_sample`'s adjoint."""
    batch, channels = shape[:2]
    count = batch * math.prod(sizes)
    places = batch * math.prod(place.shape[1:-1])
    rows = value.swapaxes(0, 1).reshape(channels, places).astype(np.float64)
    dx = np.zeros((channels, count + 1))
    for index, weight in _neighbours(place, sizes, mode, padding, align, orders):
        for row, total in zip(rows, dx, strict=True):
            total += np.bincount(index, row * weight, count + 1)
    dx = dx[:, :-1].reshape(channels, batch, *shape[2:])
    return dx.swapaxes(0, 1).astype(value.dtype)


def _check(input: Any, grid: Any) -> None:
    tensor(input, "grid_sampler", "input", 1)
    tensor(grid, "grid_sampler", "grid", 2)
    x, n = input._data, input._data.ndim - 2
    if grid._data.dtype != x.dtype:
        raise RuntimeError(f"grid_sampler(): expected scalar type of grid to be the input's, "
                           f"{input.dtype}, but got {grid.dtype}; convert one of them")
    if len(grid) != len(input):
        raise RuntimeError(f"grid_sampler(): expected grid and input to have the same batch size, "
                           f"got {tuple(input.shape)} and {tuple(grid.shape)}")
    if grid.shape[-1] != n:
        raise RuntimeError(f"grid_sampler(): expected grid to have size {n} in its last dimension, "
                           f"one coordinate for each spatial dimension of the input "
                           f"{tuple(input.shape)}, got {tuple(grid.shape)}")
    if n not in (2, 3) or grid.ndim != n + 2:
        raise RuntimeError(f"grid_sampler(): expected a 4D or 5D input (N, C, *spatial) and a grid "
                           f"(N, *out, number of spatial dimensions), got {tuple(input.shape)} and "
                           f"{tuple(grid.shape)}")
    if 0 in x.shape[2:]:
        raise RuntimeError(f"grid_sampler(): expected input without empty spatial dimensions, got "
                           f"{tuple(input.shape)}")
    floats("grid_sampler", x)


def _run(input: Any, grid: Any, mode: str, padding: str, align: bool) -> Any:
    _check(input, grid)
    if mode == "bicubic" and input.ndim != 4:
        raise RuntimeError(f"grid_sampler(): bicubic interpolation only supports 4D input, got "
                           f"{tuple(input.shape)}")
    sizes = tuple(input.shape)[:1:-1]
    place = _places(grid, sizes, mode, padding, align)
    return _sample(input, place, sizes, mode, padding, align, (0,) * len(sizes))


def grid_sample(input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: bool | None = None) -> Any:
    """Return the input (N, C, H, W) or (N, C, D, H, W) read at the places `grid` (N, *out, n).

    A place is (x, y) or (x, y, z), x along the last dimension, -1 and 1 the borders: the centres of
    the outer pixels if align_corners, else their edges. `mode`: "bilinear", "nearest", "bicubic"
    (2-D). Outside the value is 0 ("zeros"), the border's, or mirrored ("reflection"). Jaderberg
    et al., 2015. Without align_corners it warns and takes False.

    >>> import minigrad as torch
    >>> image, place = torch.tensor([[[[1., 2.], [3., 4.]]]]), torch.tensor([[[[0., 0.]]]])
    >>> torch.nn.functional.grid_sample(image, place, align_corners=False)
    tensor([[[[2.5000]]]])
    """
    if mode not in MODES:
        raise ValueError(f"grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
                         f"but got: {mode!r}")
    if padding_mode not in PADDINGS:
        raise ValueError(f"grid_sample(): expected padding_mode to be 'zeros', 'border' or "
                         f"'reflection', but got: {padding_mode!r}")
    return _run(input, grid, mode, padding_mode, _align("grid_sample", align_corners))


def _align(where: str, align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(f"Default {where} behavior has changed in PyTorch 1.3: without align_corners "
                      f"it is False now; say align_corners=True for the old behavior, or False to "
                      f"silence this", stacklevel=3)
    return bool(align_corners)


def _code(name: str, names: tuple[str, ...], value: int) -> str:
    if value not in range(len(names)):
        raise ValueError(f"grid_sampler(): {name} is a number: "
                         f"{', '.join(f'{k} {n}' for k, n in enumerate(names))}; got {value!r}")
    return names[value]


def grid_sampler(input: Any, grid: Any, interpolation_mode: int, padding_mode: int,
                 align_corners: bool) -> Any:
    """Return `nn.functional.grid_sample`, modes by number: 0 bilinear, 1 nearest, 2 bicubic.

    Paddings: 0 zeros, 1 border, 2 reflection; ValueError for other numbers.
    """
    return _run(input, grid, _code("interpolation_mode", MODES, interpolation_mode),
                _code("padding_mode", PADDINGS, padding_mode), bool(align_corners))


def _with_rank(n: int, input: Any, grid: Any, options: tuple[Any, ...]) -> Any:
    if (input.ndim, grid.ndim) != (n + 2, n + 2):
        raise RuntimeError(f"grid_sampler(): expected {n + 2}D input and grid, got "
                           f"{tuple(input.shape)} and {tuple(grid.shape)}")
    return grid_sampler(input, grid, *options)


def grid_sampler_2d(input: Any, grid: Any, interpolation_mode: int, padding_mode: int,
                    align_corners: bool) -> Any:
    """Return `grid_sampler` of (N, C, H, W); RuntimeError for other ranks."""
    return _with_rank(2, input, grid, (interpolation_mode, padding_mode, align_corners))


def grid_sampler_3d(input: Any, grid: Any, interpolation_mode: int, padding_mode: int,
                    align_corners: bool) -> Any:
    """Return `grid_sampler` of (N, C, D, H, W); RuntimeError for other ranks."""
    return _with_rank(3, input, grid, (interpolation_mode, padding_mode, align_corners))


# --------------------------------------------------------------------------------------- affine
def _base(spatial: Ints, align: bool, dtype: Any) -> ndarray:
    """Return the places (x, y, ..., 1) of all pixels: (pixels, n + 1)."""
    lines = []
    for size in spatial:
        line = np.linspace(-1, 1, size) if size > 1 else np.zeros(1)
        lines.append(line if align else line * (size - 1) / size)
    grids = np.meshgrid(*lines, indexing="ij")[::-1]
    return np.stack([*(g.reshape(-1) for g in grids), np.ones(math.prod(spatial))], 1).astype(dtype)


@op(theta=lambda g, spatial, align: _affine_adjoint(g, spatial, align),
    shown="AffineGridGeneratorBackward0")
def _affine(theta: Any, spatial: Ints, align: bool) -> Any:
    """Return the places theta @ (x, y, ..., 1) of all pixels: (N, *spatial, n)."""
    dtype = np.float32 if theta.dtype.itemsize == 2 else theta.dtype
    y = _base(spatial, align, dtype) @ theta.astype(dtype, copy=False).swapaxes(1, 2)
    return y.reshape(len(theta), *spatial, len(spatial)).astype(theta.dtype, copy=False)


@op(value=lambda g, spatial, align: _affine(g, spatial, align))
def _affine_adjoint(value: Any, spatial: Ints, align: bool) -> Any:
    """Return sum over the pixels of value * (x, y, ..., 1): (N, n, n + 1)."""
    dtype = np.float32 if value.dtype.itemsize == 2 else value.dtype
    rows = value.astype(dtype, copy=False).reshape(len(value), math.prod(spatial), len(spatial))
    return (rows.swapaxes(1, 2) @ _base(spatial, align, dtype)).astype(value.dtype, copy=False)


def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """Return the grid (N, *spatial, n) that `grid_sample` needs for an affine map.

    theta (N, n, n + 1) maps (x, y, 1) of the output, or (x, y, z, 1), to places in the input;
    `size` is the output's, (N, C, H, W) or (N, C, D, H, W). align_corners: see `grid_sample`;
    without it a warning. ValueError for a theta that does not fit, NotImplementedError for others.

    >>> import minigrad as torch
    >>> half = torch.tensor([[[0.5, 0., 0.], [0., 0.5, 0.]]])       # zooms in by two
    >>> torch.nn.functional.affine_grid(half, (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.2500,  0.0000],
              [ 0.2500,  0.0000]]]])
    """
    align = _align("affine_grid", align_corners)
    if theta._data.dtype.kind != "f":
        raise ValueError(f"affine_grid: Expected theta to have floating point type, but got "
                         f"{theta.dtype}")
    n = len(size) - 2
    if n not in (2, 3):
        raise NotImplementedError(f"affine_grid: size is (N, C, H, W) or (N, C, D, H, W), got "
                                  f"{tuple(size)}")
    if theta.ndim != 3 or tuple(theta.shape)[1:] != (n, n + 1):
        raise ValueError(f"affine_grid: Expected a batch of matrices (N, {n}, {n + 1}) for size "
                         f"{tuple(size)}, got theta of shape {tuple(theta.shape)}")
    if align and min(size[2:]) == 1:
        warnings.warn("affine_grid: with align_corners=True the place along a dimension of size 1 "
                      "is 0 since PyTorch 1.3, not -1: seldom meant", stacklevel=2)
    elif min(size) <= 0:
        raise ValueError(f"affine_grid: Expected non-zero, positive output size, got {tuple(size)}")
    return affine_grid_generator(theta, size, align)


@takes("theta")
def affine_grid_generator(theta: Any, size: Any, align_corners: bool) -> Any:
    """Return `nn.functional.affine_grid` without a default for align_corners."""
    spatial = tuple(int(s) for s in size[2:])
    if len(theta) != size[0] or tuple(theta.shape)[1:] != (len(spatial), len(spatial) + 1):
        raise RuntimeError(f"affine_grid_generator: Expected size for theta to be "
                           f"{(size[0], len(spatial), len(spatial) + 1)} for size {tuple(size)}, "
                           f"got {tuple(theta.shape)}")
    return _affine(theta, spatial, bool(align_corners))
