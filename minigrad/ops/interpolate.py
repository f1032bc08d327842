"""Resizing images by interpolation: nearest, linear and cubic, one dimension after the other.

Along one dimension every output is a weighted sum of 1, 2 or 4 inputs. The op and its adjoint walk
over these taps; both are linear, and each is the other's derivative.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from .._check import floats
from ..engine import op
from .adaptive_pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

ndarray = np.ndarray
Ints = tuple[int, ...]
Scales = tuple[float | None, ...]
CUBIC = -0.75  # the slope parameter of Keys' cubic convolution kernel, 1981
RANKS = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3), "linear": (1,),
         "bilinear": (2,), "trilinear": (3,), "bicubic": (2,)}


# ------------------------------------------------------------------------------- one dimension
@lru_cache(maxsize=256)
def _taps(size: int, out: int, mode: str, align: bool, scale: float | None) -> tuple[Any, Any]:
    """Return the inputs (taps, out) that each output is made of, and their weights."""
    step = 1 / scale if scale else size / out
    places = np.arange(out)
    if mode.startswith("nearest"):
        start = (places + 0.5) * step if mode == "nearest-exact" else places * step
        index = np.minimum(np.floor(start).astype(np.int64), size - 1)[None]
        return index, np.ones(index.shape)
    if align:
        start = places * ((size - 1) / (out - 1) if out > 1 else 0.0)
    else:
        start = (places + 0.5) * step - 0.5
    if mode == "bicubic":
        first = np.floor(start)
        index = first.astype(np.int64) + np.arange(-1, 3)[:, None]
        return index.clip(0, size - 1), _cubic(start - first)
    start = np.maximum(start, 0)
    first = np.minimum(start.astype(np.int64), size - 1)
    rest = np.clip(start - first, 0, 1)
    return np.stack([first, np.minimum(first + 1, size - 1)]), np.stack([1 - rest, rest])


def _cubic(t: ndarray) -> ndarray:
    """Return the weights of the inputs at -1, 0, 1 and 2 for a place t in [0, 1)."""
    near = lambda x: ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    far = lambda x: ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC
    return np.stack([far(t + 1), near(t), near(1 - t), far(2 - t)])


def _axes(shape: Ints, size: Ints, mode: str, align: bool, scales: Scales) -> Any:
    """Yield (axis, taps, weights) for each spatial dimension."""
    lead = len(shape) - len(size)
    for k, (out, scale) in enumerate(zip(size, scales, strict=True)):
        yield lead + k, *_taps(shape[lead + k], out, mode, align, scale)


def _column(weights: ndarray, dtype: Any, after: int) -> ndarray:
    return weights.astype(dtype).reshape(-1, *(1,) * after)


# --------------------------------------------------------------------------------- all of them
def _name(size: Ints, mode: str) -> str:
    kind = "".join(part.capitalize() for part in mode.split("-"))
    return f"Upsample{kind}{len(size)}DBackward0"


@op(input=lambda g, input_shape, size, mode, align, scales: _spread(
        g, input_shape, size, mode, align, scales), shown=_name)
def _resample(input: Any, size: Ints, mode: str, align: bool, scales: Scales) -> Any:
    dtype = np.float32 if input.dtype.itemsize == 2 else input.dtype
    y = input.astype(dtype, copy=False)
    for axis, taps, weights in _axes(input.shape, size, mode, align, scales):
        parts = (y.take(tap, axis) * _column(weight, dtype, y.ndim - 1 - axis)
                 for tap, weight in zip(taps, weights, strict=True))
        total = next(parts)
        for part in parts:
            total += part
        y = total
    return y.astype(input.dtype, copy=False)


@op(value=lambda g, size, mode, align, scales: _resample(g, size, mode, align, scales),
    shown=_name)
def _spread(value: Any, shape: Ints, size: Ints, mode: str, align: bool, scales: Scales) -> Any:
    """Give each output's value back to the inputs that it was made of: the adjoint."""
    dtype = np.float32 if value.dtype.itemsize == 2 else value.dtype
    g = value.astype(dtype, copy=False)
    for axis, taps, weights in _axes(shape, size, mode, align, scales):
        column = _column(np.ones(1), dtype, g.ndim - 1 - axis)
        dx = np.zeros((shape[axis], *g.shape[:axis], *g.shape[axis + 1:]), dtype)
        for tap, weight in zip(taps, weights, strict=True):
            part = g * (column * _column(weight, dtype, g.ndim - 1 - axis))
            np.add.at(dx, tap, np.moveaxis(part, axis, 0))
        g = np.moveaxis(dx, 0, axis)
    return g.astype(value.dtype, copy=False)


def _sizes(input: Any, size: Any, scale_factor: Any, recompute: bool | None) -> tuple[Ints, Scales]:
    """Return the output sizes, and the scales to use where they were given."""
    n, spatial = input.ndim - 2, tuple(input.shape)[2:]
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: exactly one of size or scale_factor should be defined")
    given = size if scale_factor is None else scale_factor
    values = tuple(given) if isinstance(given, (tuple, list)) else (given,) * n
    if len(values) != n:
        raise ValueError(f"interpolate: expected one number for each of the {n} spatial dimensions "
                         f"of the input {tuple(input.shape)}, got {values}")
    if scale_factor is None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor is not meaningful with size")
        sizes, scales = tuple(int(v) for v in values), (None,) * n
    else:
        sizes = tuple(math.floor(s * v) for s, v in zip(spatial, values, strict=True))
        scales = (None,) * n if recompute else tuple(float(v) for v in values)
    if min(sizes + spatial) < 1:
        raise RuntimeError(f"interpolate: Input and output sizes should be greater than 0, got "
                           f"{spatial} and {sizes}")
    return sizes, scales


def interpolate(input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Any:
    """Return (N, C, *spatial) resized to `size`, or by `scale_factor`.

    `mode`: "nearest", "nearest-exact" (as image libraries), "linear" (N, C, L), "bilinear" or
    "bicubic" (N, C, H, W), "trilinear" (N, C, D, H, W), "area" (averages). `align_corners`: the
    corner pixels' centres stay where they are; default: their outer edges do. With scale_factor
    its value is used for the positions, or size / input size if `recompute_scale_factor`.
    antialias=True raises NotImplementedError.

    >>> import minigrad as torch
    >>> torch.nn.functional.interpolate(torch.tensor([[[0., 4.]]]), 4, mode="linear")
    tensor([[[0., 1., 3., 4.]]])
    """
    n = input.ndim - 2
    if mode in ("nearest", "nearest-exact", "area") and align_corners is not None:
        raise ValueError("interpolate: align_corners option can only be set with the modes linear, "
                         "bilinear, bicubic and trilinear")
    if n not in RANKS.get(mode, ()):
        raise NotImplementedError(
            f"interpolate: mode={mode!r} is for {RANKS.get(mode, 'no number of')} spatial "
            f"dimensions, got {n} (input shape {tuple(input.shape)}); modes: {', '.join(RANKS)}")
    if antialias:
        raise NotImplementedError("interpolate: antialias=True is not implemented; blur the input "
                                  "first, or use mode='area' to shrink")
    sizes, scales = _sizes(input, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[n - 1](input, sizes)
    floats("interpolate", input._data)
    return _resample(input, sizes, mode, bool(align_corners), scales)
