"""Resizing images by interpolation: nearest, linear, cubic, Lanczos; one dimension at a time.

Along one dimension every output is a weighted sum of some inputs (kernels/resize.py). The op and
its adjoint walk over these taps; both are linear, and each is the other's derivative.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .._check import floats
from ..engine import op
from ..kernels import resize
from .adaptive_pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

ndarray = np.ndarray
Ints = tuple[int, ...]
Scales = tuple[float | None, ...]
RANKS = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3), "linear": (1,),
         "bilinear": (2,), "trilinear": (3,), "bicubic": (2,), "lanczos": (2,)}
BYTES = ("nearest", "nearest-exact", "bilinear", "bicubic", "lanczos")  # modes that take uint8


def _name(size: Ints, mode: str, antialias: bool) -> str:
    kind = "".join(part.capitalize() for part in mode.split("-"))
    return f"Upsample{kind}{len(size)}D{'Aa' if antialias else ''}Backward0"


def _axes(shape: Ints, size: Ints, mode: str, align: bool, scales: Scales, antialias: bool,
          dtype: Any) -> Any:
    """Yield (axis, taps, weights) for each spatial dimension, the last one first.

    Where a size stays as it is, PyTorch ignores the scale in most modes, but not in all.
    """
    lead = len(shape) - len(size)
    always = (mode == "bicubic" and not antialias and dtype != np.uint8) or (
        mode.startswith("nearest") and len(size) != 2)
    for k in reversed(range(len(size))):
        before, after = shape[lead + k], size[k]
        scale = scales[k] if before != after or always else None
        yield lead + k, *resize.taps(before, after, mode, align, scale, antialias,
                                     dtype != np.float64)


@op(input=lambda g, input_shape, size, mode, align, scales, antialias: _spread(
        g, input_shape, size, mode, align, scales, antialias), shown=_name)
def _resample(input: Any, size: Ints, mode: str, align: bool, scales: Scales,
              antialias: bool) -> Any:
    y = input.astype(np.float32) if input.dtype == np.float16 else input
    for axis, index, weights in _axes(input.shape, size, mode, align, scales, antialias,
                                      input.dtype):
        y = resize.along(y, axis, index, weights)
    return y.astype(input.dtype, copy=False)


@op(value=lambda g, size, mode, align, scales, antialias: _resample(
        g, size, mode, align, scales, antialias), shown=_name)
def _spread(value: Any, shape: Ints, size: Ints, mode: str, align: bool, scales: Scales,
            antialias: bool) -> Any:
    """Give each output's value back to the inputs that it was made of: the adjoint."""
    g = value.astype(np.float32) if value.dtype == np.float16 else value
    for axis, index, weights in _axes(shape, size, mode, align, scales, antialias, value.dtype):
        g = resize.spread_along(g, axis, shape[axis], index, weights)
    return g.astype(value.dtype, copy=False)


# ---------------------------------------------------------------------------------- the arguments
def _each(name: str, given: Any, n: int, shape: Any) -> tuple[Any, ...]:
    """Return one value for each spatial dimension."""
    values = tuple(given) if isinstance(given, (tuple, list)) else (given,) * n
    if len(values) != n:
        raise ValueError(f"interpolate: Input and {name} must have the same number of spatial "
                         f"dimensions: expected {n} numbers for the input {tuple(shape)}, got "
                         f"{name}={given}")
    return values


def _size(value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"interpolate: expected size to be one of int or a tuple of ints, got "
                        f"{type(value).__name__} {value!r}")
    return int(value.__index__())


def _sizes(input: Any, size: Any, scale_factor: Any, recompute: bool | None) -> tuple[Ints, Scales]:
    """Return the output sizes, and the scales to use where they were given."""
    n, spatial = input.ndim - 2, tuple(input.shape)[2:]
    if size is not None:
        sizes = tuple(_size(v) for v in _each("size", size, n, input.shape))
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor is not meaningful with an "
                             "explicit size; leave one of them out")
        return sizes, (None,) * n
    factors = _each("scale_factor", scale_factor, n, input.shape)
    for factor in factors:
        if isinstance(factor, bool) or not isinstance(factor, (int, float, np.number)):
            raise TypeError(f"interpolate: scale_factor must be a float or a tuple of floats, got "
                            f"{type(factor).__name__}")
    sizes = tuple(math.trunc(s * v) for s, v in zip(spatial, factors, strict=True))
    return sizes, (None,) * n if recompute else tuple(float(v) for v in factors)


def _check_mode(input: Any, mode: str, align_corners: bool | None, antialias: bool) -> None:
    n = input.ndim - 2
    if antialias and not (mode in resize.SUPPORT and n == 2):
        raise ValueError(f"interpolate: antialias=True is for the modes bilinear, bicubic and "
                         f"lanczos of images (N, C, H, W), got mode={mode!r} and input shape "
                         f"{tuple(input.shape)}")
    if n not in RANKS.get(mode, ()):
        raise NotImplementedError(
            f"interpolate: mode={mode!r} is for {RANKS.get(mode, 'no number of')} spatial "
            f"dimensions, got {n} (input shape {tuple(input.shape)}); modes: {', '.join(RANKS)}")
    if mode == "lanczos" and (align_corners or not antialias):
        raise ValueError("interpolate: mode='lanczos' requires antialias=True and does not support "
                         "align_corners=True")


def interpolate(input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Any:
    """Return (N, C, *spatial) resized to `size`, or by `scale_factor`.

    `mode`: "nearest", "nearest-exact" (as image libraries), "linear" (N, C, L), "bilinear",
    "bicubic" or "lanczos" (N, C, H, W), "trilinear" (N, C, D, H, W), "area" (averages).
    `align_corners`: the corner pixels' centres stay where they are, else their edges do. With
    scale_factor its value is used for the positions, or size / input size if
    `recompute_scale_factor`. `antialias`: smooth before shrinking. uint8 images: rounded sums.

    >>> import minigrad as torch
    >>> torch.nn.functional.interpolate(torch.tensor([[[0., 4.]]]), 4, mode="linear")
    tensor([[[0., 1., 3., 4.]]])
    """
    if mode in ("nearest", "nearest-exact", "area") and align_corners is not None:
        raise ValueError("interpolate: align_corners option can only be set with the modes linear, "
                         "bilinear, bicubic and trilinear")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: exactly one of size or scale_factor should be defined")
    sizes, scales = _sizes(input, size, scale_factor, recompute_scale_factor)
    _check_mode(input, mode, align_corners, antialias)
    if mode == "area":
        pools = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
        return pools[input.ndim - 3](input, sizes)
    if min(sizes + tuple(input.shape)[2:]) < 1:
        raise RuntimeError(f"interpolate: Input and output sizes should be greater than 0, got "
                           f"{tuple(input.shape)[2:]} and {sizes}")
    if 0 in input.shape[1:]:
        raise RuntimeError(f"interpolate: Non-empty input expected (only the batch may be empty), "
                           f"got shape {tuple(input.shape)}")
    if input._data.dtype != np.uint8 or mode not in BYTES:
        floats("interpolate", input._data)
    return _resample(input, sizes, mode, bool(align_corners), scales, antialias)


# ------------------------------------------------------------------------------ deprecated names
def _deprecated(name: str) -> None:
    warnings.warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.",
                  stacklevel=3)


def upsample(input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
             align_corners: bool | None = None) -> Any:
    """Return `interpolate(...)`: the old name, which warns."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """Return `interpolate(mode="nearest")`: an old name, which warns."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """Return `interpolate(mode="bilinear", align_corners=True)`: an old name, which warns."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)
