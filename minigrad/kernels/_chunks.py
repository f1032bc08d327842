"""Cut a batch into chunks of images that stay in the cache, lower them, and run them on threads.

The batch is cut into chunks whose lowered images stay in the second-level cache; the chunks form
at most LANES lanes, which threads take one by one. Both cuts depend on shapes alone, so that sums
over the lanes, added in their order, have the same bits whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from minigrad.kernels._threads import one_blas_thread, run, scratch
from minigrad.kernels.lowering import Lowering

CHUNK_BYTES = 1 << 21  # of scratch memory for the lowered images of a chunk
LANES = 8  # upper bound of the useful threads
SUM_BYTES = 1 << 25  # of the partial sums of all lanes
PIECE = 7_500_000  # multiplications (0.15 ms) below which a second thread does not pay
COPY = 20  # multiplications in the time of copying one number
NARROW = 100  # positions below which the images of a chunk may be laid side by side
BANDS = 4  # parts of a single image

Chunk = tuple[int, int, np.ndarray]


def _work(plan: Lowering, groups: int, channels: int, filters: int) -> int:
    """Return about how many multiplications take as long as one image does."""
    products = plan.positions * plan.summed * plan.copied * filters
    copies = plan.phases * plan.copied * plan.rows * plan.row
    return groups * channels * (products + COPY * copies)


def bands(plan: Lowering, x: np.ndarray, filters: int) -> list[tuple[Lowering, slice]]:
    """Return the parts in which a single large image is computed; none for a batch."""
    if len(x) != 1:
        return []
    count = min(_work(plan, x.shape[1], x.shape[2], filters) // PIECE, plan.out[0], BANDS)
    return plan.bands(count) if count > 1 else []


class Chunks:
    """The chunks of one convolution from x (N, G, C, *spatial) to y (N, G, K, ...).

    `sums` says that the products sum over positions. Where an image has few of them, these
    products are too thin and the images of a chunk are laid side by side in one *wide* matrix.
    """

    def __init__(
        self,
        plan: Lowering,
        x: np.ndarray,
        channels: int,
        filters: int,
        stacks: bool = False,
        sums: bool = False,
    ) -> None:
        images, groups = x.shape[:2]
        copied = groups * channels * plan.phases * plan.copied * plan.rows * plan.row
        stacked = groups * channels * plan.summed * plan.copied * plan.positions
        size = copied + (stacked if stacks and not plan.stacked else 0)
        pieces = 1 if images * _work(plan, groups, channels, filters) < PIECE else 2
        step = min(CHUNK_BYTES // max(1, size * x.itemsize), -(-images // pieces))
        step = max(1, step)
        chunks = [(start, min(images, start + step)) for start in range(0, images, step)]
        count = min(len(chunks), LANES)
        if sums:
            weight = groups * filters * channels * plan.summed * plan.copied * x.itemsize
            count = min(count, max(2, SUM_BYTES // max(1, weight)))
        cuts = [i * len(chunks) // count for i in range(count + 1)]
        self.lanes = [chunks[a:b] for a, b in pairwise(cuts)]
        self.plan = plan
        self.groups = groups
        self.channels = channels
        self.dtype = x.dtype
        self.wide = sums and step > 1 and plan.positions < NARROW and not plan.identity

    def run(self, lane: Callable[[int], None]) -> None:
        """Call lane(0), lane(1), ... on the threads, with BLAS on one."""
        one_blas_thread(run, lane, len(self.lanes))

    def memory(self, images: int) -> np.ndarray:
        """Return uninitialised scratch memory for some lowered images."""
        shape = self.plan.shape((images, self.groups), self.channels, self.wide)
        return scratch("lowered", shape, self.dtype)

    def lowered(self, x: np.ndarray, lane: int) -> Iterator[Chunk]:
        """Yield (start, stop, lowered images) for each chunk of a lane."""
        plan, size = self.plan, 0
        for a, b in self.lanes[lane]:
            if plan.identity:
                shape = plan.shape((b - a, self.groups), self.channels, False)
                yield a, b, np.ascontiguousarray(x[a:b]).reshape(shape)
                continue
            if b - a != size:
                size = b - a
                memory = self.memory(size)
                if plan.padded:
                    memory.fill(0)  # the margins; no chunk writes to them
            plan.lower(x[a:b], memory)
            yield a, b, memory

    def empty(self, slot: str, images: int, rows: int) -> np.ndarray:
        """Return scratch matrices (N, G, rows, positions), or one wide one (1, G, rows, ...)."""
        first, last = (1, images) if self.wide else (images, 1)
        return scratch(slot, (first, self.groups, rows, last * self.plan.positions), self.dtype)

    def matrices(self, g: np.ndarray) -> np.ndarray:
        """Return images g (N, G, K, o0, row) as matrices: as they are, or copied side by side."""
        n, groups, filters, first, row = g.shape
        if not self.wide:
            return g.reshape(n, groups, filters, first * row)
        side = self.empty("side", n, filters)
        side.reshape(groups, filters, first, n, row)[...] = g.transpose(1, 2, 3, 0, 4)
        return side

    def columns(self, lowered: np.ndarray) -> np.ndarray:
        """Return all taps of a lowered chunk as one matrix (N, G, S * J * C, positions)."""
        plan = self.plan
        rows = plan.copied * self.channels
        if plan.stacked:
            return lowered.reshape(*lowered.shape[:2], plan.summed * rows, -1)
        images = max(lowered.shape[0], lowered.shape[6])
        columns = self.empty("columns", images, plan.summed * rows)
        parts = columns.reshape(*columns.shape[:2], plan.summed, rows, -1)
        if plan.phases == 1:  # all views at once: each starts a constant distance after the last
            step = plan.taps[-1][1] // max(1, plan.summed - 1) * lowered.strides[5]
            first = lowered.strides[:2]
            strides = (*first, step, lowered.strides[4], lowered.itemsize)
            parts[...] = np.ndarray(parts.shape, self.dtype, lowered, 0, strides)
        else:
            for t, view in enumerate(plan.views(lowered)):
                parts[:, :, t] = view
        return columns
