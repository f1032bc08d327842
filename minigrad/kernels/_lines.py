"""Convolution by columns for the inner axes only, which the products read three times.

Let k0 be the taps of the first axis, T' those of the others, and L the elements of one line of the
result (of its first axis). The lines of an image are copied to

    P[line, inner tap, channel, position in the line]

with zero lines around. The columns for line o of the result are the rows (tap of the first axis,
inner tap, channel), where the tap moves by whole lines: lines o ... o + k0 - 1 of P, one after the
other, which is a matrix (k0 * T' * C, L) as it stands in memory. So what is copied is k0 times less
than all columns, and stays in the cache for more images. There is a small product for each line;
OpenBLAS has kernels for these on some processors only (see `_product`).

The stride and the first axis' dilation must be 1, and the lines long. To sum over positions, as the
weight gradient does, whole columns are better.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minigrad.kernels import _product
from minigrad.kernels._chunks import cut, on_threads
from minigrad.kernels._threads import aligned
from minigrad.kernels.lowering import Lowering, inside

SHORT = 16  # elements of the last axis below which the copies take too long
LEAST = 30_000  # multiplications of a product: below, the calls take too long
KEEP = 1 << 23  # bytes that a thread keeps
Sizes = tuple[int, int, int]  # images, groups, channels of a group


def applies(plan: Lowering, channels: int, filters: int, dtype: np.dtype) -> bool:
    """Tell whether this is the fastest way, for so many channels and filters of a group."""
    _, _, stride, _, dilation = plan.sizes
    if not _product.tiling or dtype.kind != "f" or len(plan.out) < 2 or plan.patches:
        return False
    work = plan.taps * channels * filters * plan.row
    return (plan.kernel[0] > 1 and max(stride) == 1 and dilation[0] == 1
            and plan.out[-1] >= SHORT and LEAST <= work <= _product.VOLUME)


def rows(w: np.ndarray, groups: int, dtype: np.dtype) -> np.ndarray:
    """Return w (K, C, *k) as the matrices (G, 1, K / G, prod(k) * C)."""
    w = np.moveaxis(w, 1, -1)
    return np.ascontiguousarray(w.reshape(groups, 1, len(w) // groups, -1), dtype)


class _Lines:
    """P for some images and groups of a geometry, with the views that are copied and multiplied."""

    def __init__(self, plan: Lowering, sizes: Sizes, dtype: np.dtype) -> None:
        images, groups, channels = sizes
        kernel, first = plan.kernel, plan.axes[0]
        taps, lines = prod(kernel[1:]), plan.out[0] + kernel[0] - 1
        shape = (images, groups, lines, taps, channels, *plan.out[1:])
        self.memory = aligned(prod(shape) * dtype.itemsize)
        self.memory.fill(0)
        whole = self.memory.view(dtype).reshape(shape)
        # line l of P is line l - padding of x
        where = inside(lines, 1, first.offsets[0], first.size)
        self.copies: list[tuple[np.ndarray, Any, Any]] = []
        for number, tap in enumerate(product(*map(range, kernel[1:]))):
            inner = zip(plan.axes[1:], tap, plan.out[1:], strict=True)
            pairs = [where, *(inside(size, 1, a.offsets[t], a.size) for a, t, size in inner)]
            target, source = zip(*pairs, strict=True)
            here: Any = (slice(None), slice(None), target[0], number, slice(None), *target[1:])
            part = whole[here]
            if part.size:
                item = np.dtype(f"V{part.shape[-1] * dtype.itemsize}")  # NumPy's loop is over lines
                self.copies.append((part.view(item)[..., 0], (..., *source), item))
        steps = (*whole.strides[:3], plan.row * dtype.itemsize, dtype.itemsize)
        self.matrices = as_strided(
            whole, (images, groups, plan.out[0], plan.taps * channels, plan.row), steps
        )

    def lower(self, x: np.ndarray) -> np.ndarray:
        """Return the matrices (n, G, lines, k0 * T' * C, L) of x (n, G, C, *spatial)."""
        for target, source, item in self.copies:
            target[...] = x[source].view(item)[..., 0].swapaxes(2, 3)
        return self.matrices


class _Kept(threading.local):
    """What this thread used last, the latest at the end."""

    def __init__(self) -> None:
        self.found: OrderedDict[Any, _Lines] = OrderedDict()
        self.bytes = 0

    def find(self, *key: Any) -> _Lines:
        found = self.found.get(key)
        if found is not None:
            self.found.move_to_end(key)
            return found
        made = _Lines(*key)
        if made.memory.nbytes <= KEEP:
            self.found[key] = made
            self.bytes += made.memory.nbytes
            while self.bytes > KEEP:
                self.bytes -= self.found.popitem(last=False)[1].memory.nbytes
        return made


_kept = _Kept()


def correlate(
    plan: Lowering, x: np.ndarray, w: np.ndarray, y: np.ndarray, bias: np.ndarray | None
) -> None:
    """y[n, g] = the convolution of x (N, G, C, *spatial) with `rows` w, plus the bias (K,).

    y (N, G, K, o0, row).
    """
    if x.strides[-1] != x.itemsize:
        x = np.ascontiguousarray(x)
    groups, _, filters, inner = w.shape
    chunks = cut(plan, len(x), groups * inner, filters, y.itemsize, True)
    offset = None if bias is None else bias.astype(y.dtype).reshape(groups, filters, 1, 1)

    def task(index: int) -> None:
        first, last = chunks[index][:2]
        part = x[first:last]
        result = y[first:last]
        matrices = _kept.find(plan, part.shape[:3], x.dtype).lower(part)
        np.matmul(w, matrices, out=result.swapaxes(2, 3))
        if offset is not None:
            np.add(result, offset, out=result)

    on_threads(task, len(chunks), y.size * inner)
