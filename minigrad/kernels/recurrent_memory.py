"""The arrays of a recurrent layer's run, cut into what each step reads and writes.

Everything is feature-major, (features, N) at each step, so that the gates are contiguous blocks.
One matrix product per step computes all of them: the columns of `joined` are the weights of the
input, of the state and the bias, and the rows of `steps` the input, the state and ones::

    joined (blocks * H, I + P + 1)   steps (T + 1, I + P + 1, N)   H hidden, P output features

A step writes the next state to its place in `steps`, so the gradients of all weights and biases are
one product over all steps. Sigmoids are computed as (1 + tanh(a / 2)) / 2: one tanh does for all
gates, and the halves are in `joined`.

Times are in the order of computing, last first if `reverse`. Packed: at each step only the first
count samples are there, which are the first columns; `Shape.mask` (T, N) tells them by time.

Of a short run the views of its parts take longer to make than its numbers to compute. So small
memories are used again when what they were needed for is gone (`run_of`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import lru_cache, partial
from itertools import accumulate, repeat
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels._product import ALONE, matrix_product
from minigrad.kernels._threads import one_blas_thread

Array = np.ndarray
MANY, FEW = 1 << 18, 32  # from so many weights and below so many columns: see `Size.apart`
SMALL = 1024  # elements of a block, up to which one longer operation beats two
LARGE = 1 << 20  # multiplications of a step from which two threads pay
KEPT = 1 << 22  # bytes: memories of one size that are kept for later runs hold at most so much
SIZES = 4  # of so many sizes memories are kept
LOOKS = 4  # memories that are looked at: the first are those that were taken longest ago


class Weights(NamedTuple):
    """The parameters of one layer and direction, None where there is none."""

    ih: Array  # (gates * H, I)
    hh: Array  # (gates * H, P)
    b_ih: Array | None  # (gates * H,)
    b_hh: Array | None
    hr: Array | None  # (P, H), the projection of an LSTM


class Cell(NamedTuple):
    """Which blocks of rows `joined` has, made of a mode's gates in PyTorch's order."""

    gates: int
    blocks: int
    moved: bool  # the last gate's part from the input is the first block, then the others
    first_state: int  # the first block that the state has a part in
    sigmoids: tuple[slice, ...]  # the blocks of which a sigmoid is taken


CELLS = {
    "LSTM": Cell(4, 4, False, 0, (slice(0, 2), slice(3, 4))),  # i f g o
    # r z n to xn r z hn: of n what comes from the input, and what from the state
    "GRU": Cell(3, 4, True, 1, (slice(1, 3),)),
    "RNN_TANH": Cell(1, 1, False, 0, ()),
    "RNN_RELU": Cell(1, 1, False, 0, ()),
}


class Shape(NamedTuple):
    """How many samples each step has, None: all; and which (T, N) by time."""

    counts: list[int] | None
    mask: Array | None
    reverse: bool

    def by_time(self, array: Array) -> Array:
        """Return an array whose first dimension is in the order of computing in that of time."""
        return array[::-1] if self.reverse else array

    def present(self) -> Any:
        """Return the index of the samples that are there, of arrays whose dimensions are T, N."""
        return ... if self.mask is None else self.mask

    def each(self, arrays: Array) -> Iterable[Array]:
        """Return one array per step, with the columns it has."""
        if self.counts is None:
            return arrays
        return [a[..., :count] for a, count in zip(arrays, self.counts, strict=False)]

    def same(self, array: Array) -> Iterable[Array]:
        """Return the same array for every step, with the columns it has."""
        if self.counts is None:
            return repeat(array)
        return [array[..., :count] for count in self.counts]

    def start(self, first: Array | None, into: Array) -> None:
        """Write the first states (N, K) to the steps of `into` (T, K, N) at which samples begin."""
        if self.counts is None:
            into[0] = 0 if first is None else first.T
            return
        begun = 0
        for step, count in enumerate(accumulate(self.counts, max)):
            if count > begun:
                into[step, :, begun:count] = 0 if first is None else first[begun:count].T
                begun = count

    def last(self, states: Array) -> Array:
        """Return (N, K): of states (T + 1, K, N) those after each sample's last step."""
        if self.mask is None or self.reverse:
            return states[-1].T
        return states[self.mask.sum(0), :, np.arange(states.shape[2])]


@lru_cache(maxsize=16)
def shape_of(counts: tuple[int, ...] | None, reverse: bool) -> Shape:
    """Return the shape of a run; `counts` by time, None if each step has all samples."""
    if counts is None:
        return Shape(None, None, reverse)
    mask = np.arange(counts[0]) < np.asarray(counts)[:, None]
    return Shape([*(counts[::-1] if reverse else counts)], mask, reverse)


class Size(NamedTuple):
    """What decides how large the arrays of a run are."""

    mode: str
    length: int
    batch: int
    inputs: int
    state: int
    hidden: int
    biased: bool
    projected: bool
    reverse: bool
    kind: np.dtype[Any]
    # With many weights and few columns the time goes into reading the weights: those of the input
    # are then multiplied once for all steps
    apart: bool


def size_of(mode: str, length: int, batch: int, inputs: int, state: int, hidden: int, biased: bool,
            projected: bool, reverse: bool, kind: Any) -> Size:
    """Return the size of a run; float16 is computed in float32."""
    kind = np.dtype(np.float32) if kind == np.float16 else kind
    many = CELLS[mode].blocks * hidden * (inputs + state + biased) >= MANY
    return Size(mode, length, batch, inputs, state, hidden, biased, projected, reverse, kind,
                many and 0 < batch < FEW and length > 1)


def to_blocks(moved: bool, weight: Array, gates: int) -> Array:
    """Return (gates * H, ...) with the last gate first if `moved`."""
    if not moved:
        return weight
    last = len(weight) // gates * (gates - 1)
    return np.concatenate((weight[last:], weight[:last]))


def to_gates(moved: bool, grad: Array, gates: int) -> Array:
    """Undo `to_blocks`."""
    if not moved:
        return grad
    first = len(grad) // gates
    return np.concatenate((grad[first:], grad[:first]))


def product_of(weights: Array, shape: Shape) -> Any:
    """Return how to write `weights` times (K, N) to an array."""
    return weights.dot if shape.counts is None else partial(np.matmul, weights)


def with_products(loop: Any, work: int, *args: Any) -> Any:
    """Call a loop over the steps, with so many multiplications in each.

    Of large ones OpenBLAS's own threads compute one half: they are awake at the next step. (Our
    workers wait for the interpreter lock too long, whether they take a part of each product or of
    the samples.)
    """
    if ALONE < work <= LARGE:
        return one_blas_thread(loop, *args)
    return loop(*args)


def _add_product(weights: Array, x: Array, out: Array) -> None:
    out += np.matmul(weights, x)


class Memory:
    """The arrays of a run.

    gates (T, blocks, H, N): of an LSTM i f g o tanh(c), of a GRU xn r z hn n, else the sums.
    LSTM: cells (T + 1, H, N), and factors (T, 5, H, N) of the gates' derivatives, of which forward
    computes the terms of the cell, i g and f c, and o tanh(c) where that is not the state.
    `loop` has a tuple of parts for each step, as the loops in recurrent.py take them.
    """

    def __init__(self, size: Size, shape: Shape) -> None:
        self.size, self.shape, self.cell = size, shape, CELLS[size.mode]
        self.spare: list[Any] = []  # what backward needs besides: see recurrent_backward.py
        length, batch, inputs, hidden, kind = (size.length, size.batch, size.inputs, size.hidden,
                                               size.kind)
        blocks, end = self.cell.blocks, inputs + size.state
        lstm = size.mode == "LSTM"
        self.joined = np.zeros((blocks * hidden, end + size.biased), kind)
        self.steps = np.empty((length + 1, end + size.biased, batch), kind)
        self.steps[:, end:] = 1
        self.gates = np.empty((length, blocks + (blocks > 1), hidden, batch), kind)
        self.sums = self.gates[:, :blocks].reshape(length, len(self.joined), batch)
        self.states = self.steps[:, inputs:end]
        self.cells = np.empty((length + 1 if lstm else 0, hidden, batch), kind)
        self.factors = np.empty((length if lstm else 0, 5, hidden, batch), kind)
        self.raw = self.factors[:, 3] if size.projected else self.states[1:]
        self.half, self.one = np.array(0.5, kind), np.array(1, kind)
        self._cut_weights(inputs, end, hidden)
        self.input_by_time = shape.by_time(self.steps[:-1, :inputs]).transpose(0, 2, 1)
        self.output_by_time = shape.by_time(self.states[1:]).transpose(0, 2, 1)
        self.loop = list(zip(*self._steps(), strict=False))
        parts = (self.joined, self.steps, self.gates, self.cells, self.factors)
        self.bytes = sum(part.nbytes for part in parts)

    def _cut_weights(self, inputs: int, end: int, hidden: int) -> None:
        joined, cell = self.joined, self.cell
        rows, first = cell.gates * hidden, cell.first_state * hidden
        self.of_input, self.of_state = joined[:rows, :inputs], joined[first:, inputs:end]
        self.bias = None
        if self.size.biased:
            self.bias = joined[:rows, end], joined[rows:, end], joined[first:, end]
        self.halved = [joined[part.start * hidden:part.stop * hidden] for part in cell.sigmoids]
        self.product: Any = product_of(joined, self.shape)

    def join(self, w: Weights) -> None:
        """Write the weights to `joined`."""
        cell = self.cell
        self.of_input[...] = to_blocks(cell.moved, w.ih, cell.gates)
        self.of_state[...] = w.hh
        if self.bias is not None:
            of_input, rest, of_state = self.bias
            of_input[...] = 0 if w.b_ih is None else to_blocks(cell.moved, w.b_ih, cell.gates)
            rest[...] = 0
            if w.b_hh is not None:
                of_state += w.b_hh
        for part in self.halved:
            np.multiply(part, self.half, part)
        if self.size.apart:
            inputs = self.size.inputs
            rows = self.steps[:-1, :inputs].transpose(1, 0, 2).reshape(inputs, -1)
            sums = matrix_product(self.joined[:, :inputs], rows)
            self.sums[...] = sums.reshape(len(sums), -1, self.size.batch).transpose(1, 0, 2)
            self.product = partial(_add_product, np.ascontiguousarray(self.joined[:, inputs:]))

    def _steps(self) -> Iterable[Any]:
        """Return a sequence over the steps for each part."""
        each, gates, states = self.shape.each, self.gates, self.states
        rows = self.steps[:-1, self.size.inputs if self.size.apart else 0:]
        common = each(rows), each(self.sums), each(states[1:])
        if self.size.mode == "LSTM":
            return (*common, self._sigmoids(), *(each(gates[:, k]) for k in range(5)),
                    each(self.cells[:-1]), each(self.cells[1:]),
                    *(each(self.factors[:, k]) for k in range(2)), each(self.raw))
        if self.size.mode == "GRU":
            scratch = np.empty(gates.shape[2:], gates.dtype)
            return (*common, each(states), each(gates[:, 1:3]),
                    *(each(gates[:, k]) for k in range(5)), self.shape.same(scratch))
        return common

    def _sigmoids(self) -> Iterable[Any]:
        """Return for each step an LSTM's gates that are sigmoids, each with factor and term 1/2.

        Small ones all in one go, together with g, whose factor is 1 and whose term is 0.
        """
        half, gates = self.half, self.gates
        if self.shape.counts is None and gates[0, 0].size <= SMALL:
            factor = np.full_like(gates[0, :4], half)
            term = factor.copy()
            factor[2], term[2] = 1, 0
            return [((all_four, factor, term),) for all_four in gates[:, :4]]
        return [((i_f, half, half), (o, half, half)) for i_f, o in zip(
            self.shape.each(gates[:, :2]), self.shape.each(gates[:, 3]), strict=True)]


_kept: dict[Size, deque[Memory]] = {}


class Run(NamedTuple):
    """What forward keeps for backward: arrays of the memory, which no other run gets meanwhile."""

    steps: Array
    gates: Array
    cells: Array
    factors: Array
    memory: Memory


def run_of(size: Size, shape: Shape) -> Run:
    """Return a run, in memory that nobody holds any more where there is some.

    What is kept stays in the list while it is used: references tell whether it is. (A `__del__` of
    the run would swallow a KeyboardInterrupt.)
    """
    memory = _unused(size) if shape.counts is None else Memory(size, shape)
    if memory is None:
        memory = Memory(size, shape)
        if size not in _kept and len(_kept) >= SIZES:
            _kept.clear()
        kept = _kept.get(size, deque())
        if (len(kept) + 1) * memory.bytes <= KEPT:
            _kept[size] = kept
            kept.append(memory)
    return Run(memory.steps, memory.gates, memory.cells, memory.factors, memory)


def _unused(size: Size) -> Memory | None:
    """Return memory of this size that only its list holds; no two threads look at one at once."""
    kept = _kept.get(size, deque())
    for _ in range(min(LOOKS, len(kept))):
        try:
            memory, references = _first(kept)
        except IndexError:
            break
        kept.append(memory)
        if references == UNUSED:
            return memory
    return None


def _first(kept: deque[Any]) -> tuple[Any, int]:
    """Take the first of a list; also return how many references to it there were then."""
    memory = kept.popleft()
    return memory, getrefcount(memory)


UNUSED = _first(deque([object()]))[1]  # 3, or fewer: calls of Python 3.14 may not count theirs


def forget() -> None:
    """Free all memory that is kept for later runs."""
    _kept.clear()
