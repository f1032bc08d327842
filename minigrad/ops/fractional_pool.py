"""Fractional max pooling (Graham, 2014): windows at random places, for any ratio of the sizes.

Written once for n dimensions. One random number u per sample, channel and dimension moves the
windows: with a = (n - k) / (m - 1) window i begins at floor((i + u) a) - floor(u a), the last one
at n - k, for n elements, m outputs and windows of k.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from .._check import floats, ints, takes
from ..engine import op, wrap
from ..kernels import pool as kernels
from .adaptive_pool import spread
from .pool import _batched, _like
from .random import rand

ndarray = np.ndarray
Ints = tuple[int, ...]


def _starts(u: ndarray, size: int, out: int, kernel: int) -> ndarray:
    """Return where the windows of one dimension begin: (N, C, out) for random numbers (N, C)."""
    u = u[..., None]
    places = np.empty((*u.shape[:-1], out), np.int64)
    if out > 1:
        alpha = u.dtype.type((size - kernel) / (out - 1))
        steps = ((np.arange(out - 1, dtype=u.dtype) + u) * alpha).astype(np.int64)
        places[..., :-1] = steps - (u * alpha).astype(np.int64)
    places[..., -1:] = size - kernel
    return places


@op(input=lambda g, indices, input_shape, kernel_size: spread(
        g, indices, input_shape, len(kernel_size)),
    also="indices", shown=lambda kernel_size: f"FractionalMaxPool{len(kernel_size)}DBackward0")
def _maximum(input: Any, starts: Any, kernel_size: Ints) -> Any:
    """Return the maxima of the windows, and where they are in the flattened image."""
    n = len(kernel_size)
    x = _batched(input, n)
    spatial = x.shape[2:]
    corner: Any = 0
    for d, places in enumerate(starts):
        shape = (*places.shape[:2], *(places.shape[2] if k == d else 1 for k in range(n)))
        corner = corner + (places * math.prod(spatial[d + 1:])).reshape(shape)
    indices: Any = None
    y: Any = None
    for offset in itertools.product(*map(range, kernel_size)):
        shift = sum(o * math.prod(spatial[d + 1:]) for d, o in enumerate(offset))
        values = kernels.gather_flat(x, corner + shift)
        if y is None:
            y, indices = values, corner.copy()
            continue
        better = (values > y) | (values != values)  # nan wins, as in PyTorch
        y = np.where(better, values, y)
        indices = np.where(better, corner + shift, indices)
    return _like(y, input), _like(indices, input)


def _sizes(where: str, x: Any, n: int, kernel: Ints, output_size: Any, output_ratio: Any) -> Ints:
    """Return the output sizes after checking them."""
    if output_size is None and output_ratio is None:
        raise ValueError(f"{where} requires specifying either an output_size or an output_ratio")
    if output_size is not None:
        out = ints(output_size, n, where, "output_size")
        if isinstance(output_size, (tuple, list)) and len(output_size) != n:
            raise RuntimeError(f"{where}: output_size must be one int or {n} of them, got "
                               f"{tuple(output_size)}")
    else:
        ratios = (tuple(output_ratio) if isinstance(output_ratio, (tuple, list))
                  else (output_ratio,) * n)
        if len(ratios) != n:
            raise ValueError(f"{where} requires output_ratio to be one number or {n} of them, got "
                             f"{ratios}")
        out = tuple(int(s * r) for s, r in zip(tuple(x.shape)[-n:], ratios, strict=True))
    if min(kernel) < 1 or min(out) < 0:
        raise RuntimeError(f"{where}: kernel_size must be at least 1 and output_size at least 0, "
                           f"got {kernel} and {out}")
    if any(o + k - 1 > s for o, k, s in zip(out, kernel, x.shape[-n:], strict=True)):
        raise RuntimeError(f"{where}: windows of kernel_size={kernel} are too large relative to "
                           f"the input: output_size + kernel_size - 1 must be at most "
                           f"{tuple(x.shape)[-n:]}, got output_size={out}")
    return out


def _checked_samples(where: str, samples: Any, x: Any, n: int) -> ndarray:
    """Return the random numbers (N, C, n) after checking them."""
    batch, channels = (1, x.shape[0]) if x.ndim == n + 1 else tuple(x.shape)[:2]
    u = samples._data
    if u.dtype != x._data.dtype:
        raise RuntimeError(f"{where}: Expect _random_samples to have the input's dtype, {x.dtype}, "
                           f"got {samples.dtype}")
    if u.ndim != 3 or u.shape[0] < batch or u.shape[1:] != (channels, n):
        raise RuntimeError(f"{where}: Expect _random_samples of shape {(batch, channels, n)}, got "
                           f"{tuple(u.shape)}")
    if samples.requires_grad:
        raise RuntimeError(f"{where} is not differentiable with respect to _random_samples; "
                           f"detach() them")
    return u[:batch]


def _pool(n: int, x: Any, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Any,
          generator: Any) -> Any:
    where = f"fractional_max_pool{n}d"
    if x.ndim not in (n + 1, n + 2):
        raise (IndexError if x.ndim < n + 1 else RuntimeError)(
            f"{where}: expected {n + 1}D or {n + 2}D (batch mode) input, got shape "
            f"{tuple(x.shape)}")
    kernel = ints(kernel_size, n, where, "kernel_size")
    if isinstance(kernel_size, (tuple, list)) and len(kernel_size) != n:
        raise RuntimeError(f"{where}: kernel_size must be one int or {n} of them, got "
                           f"{tuple(kernel_size)}")
    if 0 in x.shape[x.ndim - n - 1:]:
        raise RuntimeError(f"{where}: Expected input with non-zero size for non-batch dimensions, "
                           f"got {tuple(x.shape)}")
    floats(where, x._data)
    out = _sizes(where, x, n, kernel, output_size, output_ratio)
    if samples is None:
        batch = () if x.ndim == n + 1 else tuple(x.shape)[:1]
        samples = rand(*(batch or (1,)), x.shape[-n - 1], n, dtype=x.dtype, generator=generator)
    u = _checked_samples(where, samples, x, n)
    u = u[..., ::-1] if n == 2 else u  # PyTorch's numbers are (width, height), but (depth, ...)
    starts = tuple(_starts(u[..., d], x.shape[x.ndim - n + d], out[d], kernel[d]) for d in range(n))
    y, indices = _maximum(x, starts, kernel)
    return y, wrap(indices._data, None)


@takes("input")
def fractional_max_pool2d_with_indices(
        input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Any = None, *,
        generator: Any = None) -> Any:
    """Return `fractional_max_pool2d` and where the maxima are, whatever return_indices says."""
    return _pool(2, input, kernel_size, output_size, output_ratio, _random_samples, generator)


@takes("input")
def fractional_max_pool3d_with_indices(
        input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Any = None, *,
        generator: Any = None) -> Any:
    """Return `fractional_max_pool3d` and where the maxima are, whatever return_indices says."""
    return _pool(3, input, kernel_size, output_size, output_ratio, _random_samples, generator)


@takes("input")
def fractional_max_pool2d(input: Any, kernel_size: Any, output_size: Any = None,
                          output_ratio: Any = None, return_indices: bool = False,
                          _random_samples: Any = None, *, generator: Any = None) -> Any:
    """Return maxima of windows at random places of (N, C, H, W): Graham, 2014.

    Give `output_size`, or `output_ratio` (of the input's size, two numbers). `_random_samples` (N,
    C, 2) in [0, 1) place the windows, else they are drawn (`generator=`, keyword only, is an
    addition). ValueError without a size, RuntimeError for windows that do not fit.

    >>> import minigrad as torch
    >>> y = torch.nn.functional.fractional_max_pool2d(torch.ones(1, 1, 5, 5), 2, output_size=3)
    >>> y.shape
    torch.Size([1, 1, 3, 3])
    """
    pair = _pool(2, input, kernel_size, output_size, output_ratio, _random_samples, generator)
    return pair if return_indices else pair[0]


@takes("input")
def fractional_max_pool3d(input: Any, kernel_size: Any, output_size: Any = None,
                          output_ratio: Any = None, return_indices: bool = False,
                          _random_samples: Any = None, *, generator: Any = None) -> Any:
    """Return maxima of windows at random places of (N, C, D, H, W); see `fractional_max_pool2d`."""
    pair = _pool(3, input, kernel_size, output_size, output_ratio, _random_samples, generator)
    return pair if return_indices else pair[0]
