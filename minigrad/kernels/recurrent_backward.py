"""Backward through the steps of a recurrent layer: see recurrent_memory.py for the arrays.

All derivatives by the gates' sums are known in advance but for one factor, the gradient of the
state or of the cell. So the loop has only to multiply: it turns the slopes `d` (T, blocks, H, N)
into gradients of the gates' sums. Those of the weights are then d steps^T over all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels._product import matrix_product
from minigrad.kernels.recurrent_memory import (
    LARGE,
    Array,
    Memory,
    Run,
    Weights,
    product_of,
    to_blocks,
    to_gates,
    with_products,
)

__all__ = ["backward"]

CACHED = 1 << 18  # elements of slopes that are computed at once: they stay in the cache


class Part(NamedTuple):
    """Successive steps whose slopes stay in the cache while they are used."""

    whole: tuple[Array, ...]  # of all its steps: what the slopes are computed from, and they
    loop: list[Any]  # of each step, the last first: the arguments of the loops below
    sums: Array  # (blocks * H, steps, N), the gradients of the gates' sums
    left: Array  # where they go in `Slopes.left`


class Slopes:
    """The arrays of a backward run.

    d (steps of a part, blocks, H, N) has one block more than the gates' sums for what the state's
    gradient is multiplied by (LSTM: what the cell's gets from it). The gradients of the weights
    are the product of left (blocks * H, samples) and right (samples, I + P + 1), in order of time.
    """

    def __init__(self, memory: Memory) -> None:
        size, shape, steps = memory.size, memory.shape, memory.steps
        length, batch, blocks, kind = size.length, size.batch, memory.cell.blocks, size.kind
        self.shape = shape  # but not the memory, which holds this: nothing would free them
        blocks += blocks > 1
        most = length
        if shape.counts is None:
            most = max(1, min(length, CACHED // max(1, blocks * size.hidden * batch)))
        self.d = np.empty((most, blocks, size.hidden, batch), kind)
        self.dys = np.empty((length, size.state, batch), kind)
        self.dy_by_time = shape.by_time(self.dys).transpose(0, 2, 1)
        self.dh, self.dc = np.empty((size.state, batch), kind), np.empty((size.hidden, batch), kind)
        self.kept = np.empty_like(self.dys) if size.projected else self.dys
        self.left = np.empty((len(memory.joined), length * batch), kind)
        self.into_left = self.left.reshape(len(self.left), length, batch)
        self.right = np.empty((length * batch, steps.shape[1]), kind)
        self.into_right = self.right.reshape(length, batch, steps.shape[1])
        self.steps_by_time = shape.by_time(steps[:-1]).transpose(0, 2, 1)
        self.parts = [self._part(memory, k, min(k + most, length))
                      for k in range(0, length, most)][::-1]

    def _part(self, memory: Memory, start: int, stop: int) -> Part:
        shape, now = self.shape, slice(start, stop)
        mode, cell, hidden = memory.size.mode, memory.cell, memory.size.hidden
        d, gates, states = self.d[:stop - start], memory.gates[now], memory.states
        sums = d[:, :cell.blocks].reshape(len(d), len(self.left), memory.size.batch)
        arrays = [shape.same(self.dh), self.dys[now], sums[:, cell.first_state * hidden:]]
        whole: tuple[Array, ...] = (states[1:][now], sums)
        if mode == "LSTM":
            factors, raw = memory.factors[now], memory.raw[now]
            whole = (factors[:, 3], raw, gates[:, 0:4:3], factors[:, 0:4:3], factors[:, 2:5:2],
                     gates, factors, d)
            arrays += [shape.same(self.dc), *(d[:, k] for k in (3, 4, 0, 1, 2)), gates[:, 1],
                       self.kept[now]]
        elif mode == "GRU":
            whole = (gates[:, 1:3], *(gates[:, k] for k in range(1, 5)), states[:-1][now],
                     d[:, 1:3], *(d[:, k] for k in range(5)))
            arrays += [d, d[:, 4]]
        each = [[*shape.each(a)][::-1] if isinstance(a, Array) else
                a[::-1] if isinstance(a, list) else a for a in arrays]
        left = self.into_left[:, ::-1] if shape.reverse else self.into_left
        return Part(whole, list(zip(*each, strict=False)), sums.transpose(1, 0, 2), left[:, now])

    def operands(self) -> tuple[Array, Array]:
        """Return left and right."""
        if self.shape.mask is not None:
            sums = self.shape.by_time(self.parts[0].sums.transpose(1, 0, 2)).transpose(1, 0, 2)
            return sums[:, self.shape.mask], self.steps_by_time[self.shape.mask]
        self.into_right[...] = self.steps_by_time
        return self.left, self.right


def backward(run: Run, dy: Array | None, dh: Array, dc: Array | None, w: Weights,
             needs: Sequence[bool]) -> list[Array | None]:
    """Return the gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr; None where not needed.

    dy is as y (None: zeros), dh and dc as the last states.
    """
    memory, shape = run.memory, run.memory.shape
    size, cell = memory.size, memory.cell
    try:
        slopes = memory.spare.pop()
    except IndexError:
        slopes = Slopes(memory)
    if dy is None:
        slopes.dys.fill(0)
    else:
        if shape.mask is not None:
            slopes.dys.fill(0)
        slopes.dy_by_time[shape.present()] = dy
    slopes.dh[...] = dh.T
    if dc is not None:
        slopes.dc[...] = dc.T
    back = w.hh.T.astype(size.kind, copy=False)
    product = product_of(back, shape)
    work = memory.joined.size * size.batch
    d_hr = with_products(LOOPS[size.mode], work, memory, slopes, product, w.hr)
    multiply = matrix_product if work <= LARGE else np.dot  # while those threads are awake
    grads: list[Array | None] = [None] * 8
    if needs[0] or any(needs[3:7]):
        left, right = slopes.operands()
        if needs[0]:
            weights = to_blocks(cell.moved, w.ih, cell.gates).astype(size.kind, copy=False)
            dx = multiply(left[:len(weights)].T, weights)
            grads[0] = dx
            if shape.mask is None:
                grads[0] = dx.reshape(size.length, size.batch, size.inputs)
        if any(needs[3:7]):
            grads[3:7] = _split(memory, multiply(left, right))
    if needs[1]:
        grads[1] = slopes.dh.T.copy()
    if needs[2]:
        grads[2] = slopes.dc.T.copy()
    grads[7] = d_hr
    if not memory.spare:
        memory.spare.append(slopes)
    return grads


def _split(memory: Memory, grad: Array) -> list[Array]:
    """Return the gradients of w_ih, w_hh, b_ih, b_hh (or of no bias anything) from `joined`'s."""
    cell, inputs, hidden = memory.cell, memory.size.inputs, memory.size.hidden
    end = inputs + memory.size.state
    of_input = to_gates(cell.moved, grad[:cell.gates * hidden], cell.gates)
    of_state = grad[cell.first_state * hidden:]
    return [of_input[:, :inputs], of_state[:, inputs:end], of_input[:, -1], of_state[:, -1]]


def _lstm(memory: Memory, slopes: Slopes, product: Any, projection: Array | None) -> Array | None:
    # h = o tanh(c) and c = f c_before + i g, so by the sums of the gates and with dh (+ dy):
    # d_o = dh tanh(c) o(1 - o);  dc += dh o (1 - tanh(c)^2);  d_i = dc g i(1 - i);
    # d_f = dc c_before f(1 - f);  d_g = dc i (1 - g^2);  dc_before = dc f;
    # dh_before = W_hh^T (d_i d_f d_g d_o).  Projected, h = R r: dr = R^T dh, dR = sum dh r^T
    # All these slopes are (1 - gate) times a factor, of i f g o tanh(c):
    # i g, f c_before, i (1 + g) = i + i g, r = o tanh(c), o (1 + tanh(c)) = o + r
    one, multiply, add, subtract = memory.one, np.multiply, np.add, np.subtract
    down = None
    if projection is not None:
        down = projection.T.astype(memory.size.kind, copy=False)
    for part in slopes.parts:
        of_o, raw, i_o, ig_r, g_c, gates, factors, d = part.whole
        if down is None:
            of_o[...] = raw
        add(i_o, ig_r, g_c)
        subtract(one, gates, d)
        multiply(d, factors, d)
        for now_h, dy, sums, now_c, d_o, more, d_i, d_f, d_g, f, kept in part.loop:
            add(now_h, dy, now_h)
            by_h = now_h
            if down is not None:
                kept[...] = now_h
                by_h = np.matmul(down, now_h)
            multiply(by_h, d_o, d_o)
            multiply(by_h, more, more)
            add(now_c, more, now_c)
            multiply(now_c, d_i, d_i)
            multiply(now_c, d_f, d_f)
            multiply(now_c, d_g, d_g)
            multiply(now_c, f, now_c)
            product(sums, now_h)
        part.left[...] = part.sums
    return None if down is None else _by_projection(memory, slopes)


def _by_projection(memory: Memory, slopes: Slopes) -> Array:
    shape, present = memory.shape, memory.shape.present()
    kept = shape.by_time(slopes.kept).transpose(0, 2, 1)[present]
    raw = shape.by_time(memory.raw).transpose(0, 2, 1)[present]
    return matrix_product(kept.reshape(-1, kept.shape[-1]).T, raw.reshape(-1, raw.shape[-1]))


def _gru(memory: Memory, slopes: Slopes, product: Any, _: None) -> None:
    # h = n + z (h_before - n), n = tanh(xn + r hn), so by the sums and with dh (+ dy):
    # d_xn = dh (1 - z)(1 - n^2);  d_r = d_xn hn r(1 - r);  d_z = dh (h_before - n) z(1 - z);
    # d_hn = d_xn r;  dh_before = W_hh^T (d_r d_z d_hn) + dh z
    one, multiply, add, subtract = memory.one, np.multiply, np.add, np.subtract
    for part in slopes.parts:
        r_z, r, z, hn, n, before, of_r_z, of_xn, of_r, of_z, of_hn, of_h = part.whole
        subtract(one, r_z, of_r_z)
        multiply(n, n, of_xn)
        subtract(one, of_xn, of_xn)
        multiply(of_xn, of_z, of_xn)
        multiply(of_r_z, r_z, of_r_z)
        multiply(of_r, hn, of_r)
        multiply(of_r, of_xn, of_r)
        subtract(before, n, of_hn)
        multiply(of_z, of_hn, of_z)
        multiply(of_xn, r, of_hn)
        of_h[...] = z
        for now, dy, sums, each, keep in part.loop:
            add(now, dy, now)
            multiply(now, each, each)
            product(sums, now)
            add(now, keep, now)
        part.left[...] = part.sums


def _rnn(memory: Memory, slopes: Slopes, product: Any, _: None) -> None:
    # d = (dh + dy) (1 - h^2), or where h > 0;  dh_before = W_hh^T d
    for part in slopes.parts:
        after, d = part.whole
        if memory.size.mode == "RNN_RELU":
            np.greater(after, 0, d)
        else:
            np.multiply(after, after, d)
            np.subtract(memory.one, d, d)
        for now, dy, slope in part.loop:
            np.add(now, dy, now)
            np.multiply(now, slope, slope)
            product(slope, now)
        part.left[...] = part.sums


LOOPS: dict[str, Any] = {"LSTM": _lstm, "GRU": _gru, "RNN_TANH": _rnn, "RNN_RELU": _rnn}
