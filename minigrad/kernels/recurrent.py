"""Recurrent layers on plain arrays: all steps of one layer in one direction.

Everything is feature-major, (features, N) at each step, so that the gates are contiguous blocks.
One matrix product per step computes all of them: the columns of `joined` are the weights of the
input, of the state and the bias, and the rows of `steps` the input, the state and ones::

    joined (blocks * H, I + P + 1)   steps (T + 1, I + P + 1, N)   H hidden, P output features

A step writes the next state to its place in `steps`, so the gradients of all weights and biases are
one product over all steps. Sigmoids are computed as (1 + tanh(a / 2)) / 2: one tanh does for all
gates, and the halves are in `joined`.

Times are in the order of computing, last first if `reverse`. Packed: at each step only the first
count samples are there, which are the first columns; `Shape.mask` (T, N) tells them by time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, repeat
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
MANY, FEW = 1 << 18, 32  # from so many weights and below so many columns: see `_product`


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
    input_moved: bool  # the last gate's part from the input is the first block, then the others
    state_moved: bool
    first_state: int  # the first block that the state has a part in
    sigmoids: slice  # the blocks of which a sigmoid is taken


CELLS = {
    "LSTM": Cell(4, 4, True, True, 0, slice(0, 3)),  # i f g o to o i f g
    # r z n to xn r z hn: of n what comes from the input, and what from the state
    "GRU": Cell(3, 4, True, False, 1, slice(1, 3)),
    "RNN_TANH": Cell(1, 1, False, False, 0, slice(0, 0)),
    "RNN_RELU": Cell(1, 1, False, False, 0, slice(0, 0)),
}


class Shape(NamedTuple):
    """How many samples each step has, None: all; and which (T, N) by time."""

    counts: list[int] | None
    mask: Array | None
    reverse: bool

    def by_time(self, array: Array) -> Array:
        """Return an array whose first dimension is in the order of computing in that of time."""
        return array[::-1] if self.reverse else array

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

    def flat(self, arrays: Array) -> Array:
        """Return (T, K, N) as (K, samples), in the order of time."""
        turned = self.by_time(arrays).transpose(1, 0, 2)
        return turned.reshape(len(turned), -1) if self.mask is None else turned[:, self.mask]

    def listed(self, arrays: Array) -> Array:
        """Return (T, K, N) as (samples, K), in the order of time."""
        turned = self.by_time(arrays).transpose(0, 2, 1)
        return turned.reshape(-1, turned.shape[2]) if self.mask is None else turned[self.mask]

    def start(self, first: Array | None, into: Array) -> None:
        """Write the first states (N, K) to the steps of `into` (T, K, N) at which samples begin."""
        counts = [into.shape[2]] if self.counts is None else self.counts
        begun = 0
        for step, count in enumerate(accumulate(counts, max)):
            if count > begun:
                into[step, :, begun:count] = 0 if first is None else first[begun:count].T
                begun = count

    def last(self, states: Array) -> Array:
        """Return (N, K): of states (T + 1, K, N) those after each sample's last step."""
        if self.mask is None or self.reverse:
            return states[-1].T
        return states[self.mask.sum(0), :, np.arange(states.shape[2])]


class Run(NamedTuple):
    """What forward keeps for backward."""

    shape: Shape
    steps: Array
    gates: Array  # (T, blocks, H, N); an LSTM's has one block more, and one step: the cell before
    outer: Array | None  # (T, H, N): tanh of the cell (LSTM) or the new state n (GRU)
    terms: Array | None  # (T, 2, H, N), LSTM: i g and f c, the terms of the cell
    raw: Array | None  # (T, H, N), LSTM: o tanh(c), which is the state where no projection follows


def shape_of(counts: Sequence[int] | None, reverse: bool) -> Shape:
    """Return the shape of a run; `counts` by time, None if each step has all samples."""
    if counts is None:
        return Shape(None, None, reverse)
    mask = np.arange(counts[0]) < np.asarray(counts)[:, None]
    return Shape(list(counts[::-1] if reverse else counts), mask, reverse)


def to_blocks(moved: bool, weight: Array, gates: int) -> Array:
    """Return (gates * H, ...) with the last gate first if `moved`."""
    if not moved:
        return weight
    last = len(weight) // gates * (gates - 1)
    return np.concatenate((weight[last:], weight[:last]))


def to_gates(moved: bool, grad: Array, gates: int) -> Array:
    """Undo `to_blocks`; the result is a new array."""
    if not moved:
        return grad.copy()
    first = len(grad) // gates
    return np.concatenate((grad[first:], grad[:first]))


def _join(cell: Cell, w: Weights, hidden: int, kind: Any) -> Array:
    rows, (inputs, state) = len(w.ih), (w.ih.shape[1], w.hh.shape[1])
    end = inputs + state
    size = (cell.blocks * hidden, end + (w.b_ih is not None or w.b_hh is not None))
    joined = np.zeros(size, kind)
    for moved, first, weight, bias, left, right in (
            (cell.input_moved, 0, w.ih, w.b_ih, 0, inputs),
            (cell.state_moved, cell.first_state * hidden, w.hh, w.b_hh, inputs, end)):
        part = joined[first:first + rows]
        part[:, left:right] = to_blocks(moved, weight, cell.gates)
        if bias is not None:
            part[:, end] += to_blocks(moved, bias, cell.gates)
    halved = joined[cell.sigmoids.start * hidden:cell.sigmoids.stop * hidden]
    halved *= 0.5
    return joined


def _add_product(weights: Array, x: Array, out: Array) -> None:
    out += np.matmul(weights, x)


def _product(shape: Shape, joined: Array, steps: Array, inputs: int, pre: Array) -> Any:
    """Return how to compute the gates of a step, from which weights and rows of `steps`.

    With many weights and few columns the time goes into reading the weights: those of the input are
    then multiplied once for all steps, and `pre` (T, blocks * H, N) gets the products beforehand.
    """
    if joined.size < MANY or pre.shape[2] >= FEW or len(pre) == 1:
        return np.dot if shape.counts is None else np.matmul, joined, steps
    rows = steps[:-1, :inputs].transpose(1, 0, 2).reshape(inputs, -1)
    pre[...] = (joined[:, :inputs] @ rows).reshape(len(joined), *pre.shape[::2]).transpose(1, 0, 2)
    return _add_product, np.ascontiguousarray(joined[:, inputs:]), steps[:, inputs:]


def forward(mode: str, x: Array, h0: Array | None, c0: Array | None, w: Weights,
            shape: Shape) -> tuple[Array, Array, Array | None, Run]:
    """Return y by time, the last states (N, P) and cells (N, H), and what backward needs.

    x (T, N, I) gives y (T, N, P), packed x (samples, I) gives y (samples, P). float16 is computed
    in float32. y and the states may be views of what backward needs: copy them.
    """
    kind = np.dtype(np.float32) if x.dtype == np.float16 else x.dtype
    cell, inputs, state = CELLS[mode], w.ih.shape[1], w.hh.shape[1]
    hidden = len(w.hh) // cell.gates
    length, batch = x.shape[:2] if shape.mask is None else shape.mask.shape
    joined = _join(cell, w, hidden, kind)
    steps = np.empty((length + 1, joined.shape[1], batch), kind)
    filled = shape.by_time(steps[:-1, :inputs]).transpose(0, 2, 1)
    filled[... if shape.mask is None else shape.mask] = x
    steps[:, inputs + state:] = 1
    states = steps[:, inputs:inputs + state]
    shape.start(h0, states)
    more = mode == "LSTM"
    gates = np.empty((length + more, cell.blocks + more, hidden, batch), kind)
    pre = gates[:length, :cell.blocks].reshape(length, cell.blocks * hidden, batch)
    outer = np.empty((length, hidden, batch), kind) if cell.gates > 1 else None
    terms = np.empty((length, 2, hidden, batch), kind) if more else None
    raw = np.empty((length, hidden, batch), kind) if w.hr is not None else states[1:]
    run = Run(shape, steps, gates, outer, terms, raw if more else None)
    product, weights, rows = _product(shape, joined, steps, inputs, pre)
    each = shape.each
    taken = (each(rows[:-1]), each(pre), each(states[1:]))
    if mode == "LSTM":
        shape.start(c0, gates[:, 4])
        _lstm(run, product, weights, taken, None if w.hr is None else w.hr.astype(kind, copy=False))
    elif mode == "GRU":
        _gru(run, product, weights, taken, states)
    else:
        _rnn(mode, product, weights, taken)
    y = shape.by_time(states[1:]).transpose(0, 2, 1)
    y = y if shape.mask is None else y[shape.mask]
    return y, shape.last(states), shape.last(gates[:, 4]) if more else None, run


def _lstm(run: Run, product: Any, weights: Array, taken: Any, projection: Array | None) -> None:
    """c' = f c + i g; h' = o tanh(c'), or the projection of it."""
    gates, each = run.gates, run.shape.each
    now = gates[:-1]
    half = np.array(0.5, gates.dtype)
    # blocks o i f g c, so that o i f are neighbours, and i f and their factors g c
    for x, a, h, o_i_f, i_f, g_c, ig_fc, c, tanh_c, o, r in zip(
            *taken, each(now[:, :3]), each(now[:, 1:3]), each(now[:, 3:]),
            each(run.terms), each(gates[1:, 4]), each(run.outer),  # type: ignore[arg-type]
            each(now[:, 0]), each(run.raw), strict=False):  # type: ignore[arg-type]
        product(weights, x, a)
        np.tanh(a, a)
        np.multiply(o_i_f, half, o_i_f)
        np.add(o_i_f, half, o_i_f)
        np.multiply(i_f, g_c, ig_fc)
        np.add(ig_fc[0], ig_fc[1], c)
        np.tanh(c, tanh_c)
        np.multiply(o, tanh_c, r)
        if projection is not None:
            np.matmul(projection, r, h)


def _gru(run: Run, product: Any, weights: Array, taken: Any, states: Array) -> None:
    """n = tanh(xn + r hn); h' = n + z (h - n)."""
    gates, shape, each = run.gates, run.shape, run.shape.each
    half = np.array(0.5, gates.dtype)
    scratch = np.empty(gates.shape[2:], gates.dtype)
    for x, a, after, before, xn, r_z, r, z, hn, n, d in zip(
            *taken, each(states), each(gates[:, 0]), each(gates[:, 1:3]), each(gates[:, 1]),
            each(gates[:, 2]), each(gates[:, 3]), each(run.outer),  # type: ignore[arg-type]
            shape.same(scratch), strict=False):
        product(weights, x, a)
        np.tanh(r_z, r_z)
        np.multiply(r_z, half, r_z)
        np.add(r_z, half, r_z)
        np.multiply(r, hn, n)
        np.add(n, xn, n)
        np.tanh(n, n)
        np.subtract(before, n, d)
        np.multiply(d, z, d)
        np.add(n, d, after)


def _rnn(mode: str, product: Any, weights: Array, taken: Any) -> None:
    """h' = tanh(a) or max(a, 0)."""
    zero = np.zeros((), weights.dtype)
    for x, a, h in zip(*taken, strict=False):
        product(weights, x, a)
        if mode == "RNN_TANH":
            np.tanh(a, h)
        else:
            np.maximum(a, zero, out=h)
