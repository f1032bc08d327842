"""Convolutions of small images: few calls of NumPy, with the batch as the innermost axis.

Where an image has a few hundred numbers, calls of NumPy and Python take longer than what they
compute, and columns copied image by image consist of short runs. So the images are turned round,
(N, G * C, *size) -> (G, C, *size, N), with zeros around. What a tap reads at all positions o is
then a view with runs of at least N numbers, whatever the stride and dilation. One copy of all these
views makes the columns, in the order of the weights:

    y = w (G, K, C * T) @ columns of x (G, C * T, o * N),    dw = g (G, K, o * N) @ columns.T.

The input gradient for stride 1 is dx[c, u] = sum over k, t of w[k, c, t] g[k, u + padding - t *
dilation]: there are columns of g too, whose taps step back. They serve both gradients:

    dx = w' (G, C, K * T) @ columns of g (G, K * T, u * N),    dw' = x (G, C, u * N) @ columns.T

where the dash exchanges k and c. For a stride, the columns of dx are w.T (G, C * T, K) @ g, and are
added up tap by tap in the views that columns of x are copied from.

All views that depend on shapes alone are made once and kept.
"""

from __future__ import annotations

import threading
from math import gcd, prod
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels._chunks import COPY, PIECE
from minigrad.kernels._product import ALONE, VECTOR, VOLUME, multiply
from minigrad.kernels._threads import aligned, one_blas_thread
from minigrad.kernels.lowering import Ints, output_size
from minigrad.kernels.softmax import ones

# Bytes up to which columns and images are small. Beyond, turning round costs more than it saves.
COLUMNS = 589824
WIDE_COLUMNS, WIDE_IMAGES = 294912, 32768  # with WIDE positions, and VOLUME multiplications
WIDE = 32
MEMORY = 3 << 20  # bytes for columns and images of any plan
LINE = 64  # bytes of a line of the cache
PLANS, KEEP = 512, 1 << 23  # plans of a thread, bytes of their sources
_FLOATS = (np.dtype("f4"), np.dtype("f8"))


class Geometry(NamedTuple):
    """The shapes x (N, G * C, *spatial) and w (G * K, C, *kernel), the options and the dtype."""

    x: Ints
    w: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    groups: int
    dtype: np.dtype

    @property
    def y(self) -> Ints:
        """The shape (N, G * K, *out) of the result."""
        kernel = self.w[2:]
        out = output_size(self.x[2:], kernel, self.stride, self.padding, self.dilation)
        return (self.x[0], self.w[0], *out)


class _Turn:
    """Copy images (N, C, *size) into a view (C, *size, N)."""

    def __init__(self, target: np.ndarray) -> None:
        n = target.shape[-1]
        self.order = (*range(1, target.ndim), 0)
        # more images at such a distance would share the eight lines of a set of the cache
        step = 32768 // gcd(target.size // n * target.itemsize, 4096)
        where: list[Any] = [(..., slice(a, a + step)) for a in range(0, n, step)]
        self.parts = [(target[w], w) for w in where] if len(where) > 1 else [(target, ...)]

    def __call__(self, images: np.ndarray) -> None:
        images = images.transpose(self.order)
        for target, where in self.parts:
            target[...] = images[where]


class Memory:
    """Hand out pieces of the memory that all plans of a thread write anew at each use."""

    def __init__(self, whole: np.ndarray, dtype: np.dtype) -> None:
        self.rest, self.dtype = whole, dtype

    def take(self, shape: Ints) -> np.ndarray:
        """Return uninitialised memory."""
        size = prod(shape) * self.dtype.itemsize
        piece: np.ndarray = np.ndarray(shape, self.dtype, self.rest)
        self.rest = self.rest[size + -size % LINE :]
        return piece


class _Side:
    """Matrices (G, C, positions * N) and the images (N, G * C, *size) that they hold."""

    def __init__(self, images: Ints, groups: int, memory: Memory) -> None:
        n, channels, *size = images
        turned = memory.take((channels, *size, n))
        self.matrices = _matrices(turned, groups, channels // groups)
        self.turn = _Turn(turned)
        self.images = turned.transpose(-1, *range(turned.ndim - 1))


class _Columns:
    """The columns (G, C * T, positions * N) of images (N, G * C, *size), which have margins.

    Position o of tap t reads the images with their margins at first + o * stride + t * step.
    """

    def __init__(
        self, images: Ints, margin: Ints, first: Ints, kernel: Ints, step: Ints, out: Ints,
        stride: Ints, groups: int, memory: Memory,
    ) -> None:
        n, channels, *size = images
        padded = (s + 2 * m for s, m in zip(size, margin, strict=True))
        source = np.zeros((channels, *padded, n), memory.dtype)
        self.source = source
        self.inside = source[:, *(slice(m, m + s) for m, s in zip(margin, size, strict=True))]
        self.turn = _Turn(self.inside)
        outer, *axes, item = source.strides
        start = sum(f * a for f, a in zip(first, axes, strict=True))
        taps = (s * a for s, a in zip(step, axes, strict=True))
        moves = (s * a for s, a in zip(stride, axes, strict=True))
        shape, strides = (channels, *kernel, *out, n), (outer, *taps, *moves, item)
        self.windows: np.ndarray = np.ndarray(shape, memory.dtype, source, start, strides)
        self.whole = memory.take(shape)
        self.matrices = _matrices(self.whole, groups, channels // groups * prod(kernel))

    def lower(self, images: np.ndarray) -> np.ndarray:
        """Return the columns of images."""
        self.turn(images)
        self.whole[...] = self.windows
        return self.matrices


def _matrices(a: np.ndarray, groups: int, rows: int) -> np.ndarray:
    """Return the view (G, rows, columns), without G where it is 1: such products are faster."""
    return a.reshape((rows, -1) if groups == 1 else (groups, rows, -1))


class Plan:
    """What one of the products needs for one geometry; to be called with its arrays."""

    def __init__(self, like: Geometry, whole: np.ndarray) -> None:
        self.like, self.dtype, self.shape = like, like.dtype, like.y
        work = prod(self.shape) * prod(like.w[1:])
        self.alone = work <= ALONE and max(prod(like.x), prod(self.shape)) <= VECTOR
        self.multiply: Any = np.matmul if work <= VOLUME else multiply
        self.prepare(Memory(whole, like.dtype))

    def __call__(self, *arrays: Any) -> Any:
        if self.alone:
            return self.compute(*arrays)
        return one_blas_thread(self.compute, *arrays)

    def prepare(self, memory: Memory) -> None:
        """Make the views."""
        raise NotImplementedError

    def compute(self, *arrays: Any) -> Any:
        """Multiply."""
        raise NotImplementedError


class _OfInput(Plan):
    """What those with the columns of x have in common."""

    @staticmethod
    def is_small(like: Geometry) -> bool:
        """Tell whether it is for these shapes."""
        return _is_small(like)

    def prepare(self, memory: Memory) -> None:
        """Make the columns of x, and the matrices of the result or its gradient."""
        x, w, stride, padding, dilation, groups, _ = self.like
        first = (0,) * len(stride)
        self.columns = _Columns(
            x, padding, first, w[2:], dilation, self.shape[2:], stride, groups, memory
        )
        self.side = _Side(self.shape, groups, memory)


class Forward(_OfInput):
    """The convolution of x with w, plus the bias."""

    def prepare(self, memory: Memory) -> None:
        super().prepare(memory)
        self.rows = *self.side.matrices.shape[:-1], -1
        self.column = *self.side.matrices.shape[:-1], 1

    def compute(self, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        """Return y."""
        side = self.side.matrices
        self.multiply(w.reshape(self.rows), self.columns.lower(x), side)
        if bias is not None:
            side += bias.reshape(self.column)
        y = np.empty(self.shape, self.dtype)
        y[...] = self.side.images
        return y


class Weight(_OfInput):
    """The gradients for weight and bias."""

    def prepare(self, memory: Memory) -> None:
        super().prepare(memory)
        self.ones = ones(self.side.matrices.shape[-1], self.dtype)
        self.rows = *self.side.matrices.shape[:-1], self.columns.matrices.shape[-2]

    def compute(
        self, g: np.ndarray, x: np.ndarray, with_bias: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return dw and, if asked, db."""
        self.side.turn(g)
        side = self.side.matrices
        dw = np.empty(self.rows, self.dtype)
        multiply(side, self.columns.lower(x).swapaxes(-1, -2), dw)
        db = side.dot(self.ones).reshape(-1) if with_bias else None
        return dw.reshape(self.like.w), db


class Back(Plan):
    """The gradients for the input and, with the same columns, the weight, for stride 1."""

    @staticmethod
    def is_small(like: Geometry) -> bool:
        """Tell whether it is for these shapes."""
        (n, _, *size), (filters, _, *kernel) = like.x, like.w
        columns = n * prod(size) * filters * prod(kernel)
        if columns * (2 * like.w[1] + COPY) >= PIECE:  # two threads are faster
            return False
        numbers = max(columns, prod(like.x))
        return max(like.stride) == 1 and numbers * like.dtype.itemsize <= COLUMNS

    def prepare(self, memory: Memory) -> None:
        x, w, stride, padding, dilation, groups, _ = self.like
        reach = ((k - 1) * d - p for k, d, p in zip(w[2:], dilation, padding, strict=True))
        margin = tuple(max(0, r) for r in reach)
        first = tuple(m + p for m, p in zip(margin, padding, strict=True))
        back = tuple(-d for d in dilation)
        self.columns = _Columns(
            self.shape, margin, first, w[2:], back, x[2:], stride, groups, memory
        )
        self.side, self.other = (_Side(x, groups, memory) for _ in range(2))
        each, taps = w[0] // groups, prod(w[2:])
        self.rows = *self.side.matrices.shape[:-1], each * taps
        self.filters_first = groups, each, w[1], taps
        self.channels_first = groups, w[1], each, taps

    def compute(
        self, g: np.ndarray, x: np.ndarray | None, w: np.ndarray, with_bias: bool
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return dx; dw, if x is given; db, if asked."""
        columns = self.columns.lower(g)
        w = w.reshape(self.filters_first).swapaxes(1, 2).reshape(self.rows)
        self.multiply(w, columns, self.side.matrices)
        dx = np.empty(self.like.x, self.dtype)
        dx[...] = self.side.images
        dw = None
        if x is not None:
            self.other.turn(x)
            dw = np.empty(self.rows, self.dtype)
            multiply(self.other.matrices, columns.swapaxes(-1, -2), dw)
            dw = np.ascontiguousarray(dw.reshape(self.channels_first).swapaxes(1, 2))
            dw = dw.reshape(self.like.w)
        return dx, dw, channel_sums(g) if with_bias else None


class Fold(_OfInput):
    """The gradient for the input, for any stride."""

    def prepare(self, memory: Memory) -> None:
        super().prepare(memory)
        columns = self.columns
        self.rows = *self.side.matrices.shape[:-1], -1
        taps = [(slice(None), *tap) for tap in np.ndindex(*self.like.w[2:])]
        self.taps = [(columns.windows[tap], columns.whole[tap]) for tap in taps]
        self.images = columns.inside.transpose(-1, *range(columns.inside.ndim - 1))

    def compute(self, g: np.ndarray, x: None, w: np.ndarray, with_bias: bool) -> Any:
        """Return dx and two times None."""
        self.side.turn(g)
        w = w.reshape(self.rows).swapaxes(-1, -2)
        self.multiply(w, self.side.matrices, self.columns.matrices)
        self.columns.source.fill(0)
        for window, part in self.taps:
            window += part
        dx = np.empty(self.like.x, self.dtype)
        dx[...] = self.images
        return dx, None, None


def _is_small(like: Geometry) -> bool:
    """Tell whether the columns of x, the source of them and the result are small enough."""
    n, _, *out = y = like.y
    size = n * like.dtype.itemsize
    padded = prod(s + 2 * p for s, p in zip(like.x[2:], like.padding, strict=True))
    source, columns = like.x[1] * padded, like.x[1] * prod(like.w[2:]) * prod(out)
    images = y[1] * prod(out)
    if prod(out) < WIDE:
        return max(source, columns, images) * size <= COLUMNS
    if columns * n * y[1] // like.groups > VOLUME:
        return False
    return max(source, columns) * size <= WIDE_COLUMNS and images * size <= WIDE_IMAGES


def channel_sums(g: np.ndarray) -> np.ndarray:
    """Return the sums of images g (N, K, *size) over all but K."""
    n, channels = g.shape[:2]
    g = g.reshape(n * channels, -1)
    return ones(n, g.dtype).dot(g.dot(ones(g.shape[1], g.dtype)).reshape(n, channels))


class _Kept(threading.local):
    """The plans of this thread, and the memory that each use of any of them writes anew."""

    def __init__(self) -> None:
        self.plans: dict[Any, Any] = {}
        self.bytes = 0
        self.memory = aligned(0)

    def make(self, key: Any) -> Any:
        """Make and keep a plan; if there is no room, forget the others."""
        kinds, *shapes, other = key
        like = Geometry(*shapes)
        made, size = None, 0
        if like.dtype == other and other in _FLOATS and 0 not in (*like.x, *like.w):
            kind = next((kind for kind in kinds if kind.is_small(like)), None)
            if kind is not None:
                if not self.memory.size:
                    self.memory = aligned(MEMORY)
                made = kind(like, self.memory)
                size = made.columns.source.nbytes
        if self.bytes + size > KEEP or len(self.plans) >= PLANS:
            self.plans.clear()
            self.bytes = 0
        self.bytes += size
        self.plans[key] = made
        return made


_kept = _Kept()


def find(*key: Any) -> Any:
    """Return the plan for (classes to take the first of that fits, *Geometry, dtype), or None.

    The operands' two dtypes, of which one belongs to the geometry, have to be the same.
    """
    try:
        return _kept.plans[key]
    except KeyError:
        return _kept.make(key)
