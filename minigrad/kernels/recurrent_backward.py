"""Backward through the steps of a recurrent layer: see recurrent_memory.py for the arrays.

All derivatives by the gates' sums are known in advance but for one factor, the gradient of the
state or of the cell. So the loop has only to multiply: it turns the slopes `d` (T, blocks, H, N)
into gradients of the gates' sums. Those of the weights are then d steps^T over all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from minigrad.kernels._product import ALONE, matrix_product
from minigrad.kernels._threads import one_blas_thread
from minigrad.kernels.recurrent_memory import (
    Array,
    Memory,
    Run,
    Shape,
    Weights,
    to_blocks,
    to_gates,
)

__all__ = ["backward"]


class Slopes:
    """The arrays of a backward run.

    d (T, blocks, H, N) has one block more than the gates' sums for what the state's gradient is
    multiplied by (LSTM: what the cell's gets from it). `loop` has parts for each step, last first.
    """

    def __init__(self, memory: Memory, shape: Shape) -> None:
        size, first = memory.size, memory.cell.first_state
        length, batch, blocks, kind = size.length, size.batch, memory.cell.blocks, size.kind
        self.d = d = np.empty((length, blocks + (blocks > 1), size.hidden, batch), kind)
        self.dys = np.empty((length, size.state, batch), kind)
        self.dy_by_time = shape.by_time(self.dys).transpose(0, 2, 1)
        self.dh, self.dc = np.empty((size.state, batch), kind), np.empty((size.hidden, batch), kind)
        self.kept = np.empty_like(self.dys) if size.projected else self.dys
        rows = len(memory.joined)
        self.sums = d[:, :blocks].reshape(length, rows, batch)
        of_state = self.sums[:, first * size.hidden:]
        arrays: list[Any] = [shape.same(self.dh), self.dys, of_state]
        if size.mode == "LSTM":
            factors = memory.factors
            self.of_o = factors[:, 3]
            self.to_add = memory.gates[:, 0:4:3], factors[:, 0:4:3], factors[:, 2:5:2]
            arrays += [shape.same(self.dc), *(d[:, k] for k in (3, 4, 0, 1, 2)),
                       memory.gates[:, 1], self.kept]
        elif size.mode == "GRU":
            arrays += [d, d[:, 4]]
        each = [[*shape.each(a)][::-1] if isinstance(a, Array) else
                a[::-1] if isinstance(a, list) else a for a in arrays]
        self.loop = list(zip(*each, strict=False))
        # the operands of the gradients of weights: (blocks * H, samples) and (samples, I + P + 1)
        self.sums_by_time = shape.by_time(self.sums).transpose(1, 0, 2)
        self.steps_by_time = shape.by_time(memory.steps[:-1]).transpose(0, 2, 1)
        if shape.mask is None:
            self.left = np.empty((rows, length * batch), kind)
            self.right = np.empty((length * batch, memory.steps.shape[1]), kind)
            self.into_left = self.left.reshape(rows, length, batch)
            self.into_right = self.right.reshape(length, batch, memory.steps.shape[1])

    def sums_of_samples(self, shape: Shape) -> Array:
        """Return d as (blocks * H, samples), in the order of time."""
        if shape.mask is not None:
            return self.sums_by_time[:, shape.mask]
        self.into_left[...] = self.sums_by_time
        return self.left

    def steps_of_samples(self, shape: Shape) -> Array:
        """Return the steps as (samples, I + P + 1), in the order of time."""
        if shape.mask is not None:
            return self.steps_by_time[shape.mask]
        self.into_right[...] = self.steps_by_time
        return self.right


def backward(run: Run, dy: Array | None, dh: Array, dc: Array | None, w: Weights,
             needs: Sequence[bool]) -> list[Array | None]:
    """Return the gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr; None where not needed.

    dy is as y (None: zeros), dh and dc as the last states.
    """
    memory, shape = run.memory, run.shape
    size, cell, spare = memory.size, memory.cell, memory.spare
    try:
        slopes = spare.pop()
    except IndexError:
        slopes = Slopes(memory, shape)
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
    product = back.dot if shape.counts is None else partial(np.matmul, back)
    loop = LOOPS[size.mode]
    if back.size * size.batch > ALONE:
        d_hr = one_blas_thread(loop, memory, slopes, product, w.hr)
    else:
        d_hr = loop(memory, slopes, product, w.hr)
    grads: list[Array | None] = [None] * 8
    if needs[0] or any(needs[3:7]):
        left = slopes.sums_of_samples(shape)
        if needs[0]:
            weights = to_blocks(cell.moved, w.ih, cell.gates).astype(size.kind, copy=False)
            dx = matrix_product(left[:len(weights)].T, weights)
            grads[0] = dx
            if shape.mask is None:
                grads[0] = dx.reshape(size.length, size.batch, size.inputs)
        if any(needs[3:7]):
            grads[3:7] = _split(memory, matrix_product(left, slopes.steps_of_samples(shape)))
    if needs[1]:
        grads[1] = slopes.dh.T.copy()
    if needs[2]:
        grads[2] = slopes.dc.T.copy()
    grads[7] = d_hr
    if not spare:
        spare.append(slopes)
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
    one, d, factors = memory.one, slopes.d, memory.factors
    if projection is None:
        slopes.of_o[...] = memory.raw
    np.add(*slopes.to_add)
    np.subtract(one, memory.gates, d)
    np.multiply(d, factors, d)
    multiply, add = np.multiply, np.add
    down = None
    if projection is not None:
        down = projection.T.astype(d.dtype, copy=False)
    for now_h, dy, sums, now_c, d_o, more, d_i, d_f, d_g, f, kept in slopes.loop:
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
    gates, one, d = memory.gates, memory.one, slopes.d
    multiply, add, subtract = np.multiply, np.add, np.subtract
    hn, n = gates[:, 3], gates[:, 4]
    of_xn, of_r, of_z, of_hn, of_h = (d[:, k] for k in range(5))
    subtract(one, gates[:, 1:3], d[:, 1:3])
    multiply(n, n, of_xn)
    subtract(one, of_xn, of_xn)
    multiply(of_xn, of_z, of_xn)
    multiply(d[:, 1:3], gates[:, 1:3], d[:, 1:3])
    multiply(of_r, hn, of_r)
    multiply(of_r, of_xn, of_r)
    subtract(memory.states[:-1], n, of_hn)
    multiply(of_z, of_hn, of_z)
    multiply(of_xn, gates[:, 1], of_hn)
    of_h[...] = gates[:, 2]
    for now, dy, sums, each, keep in slopes.loop:
        add(now, dy, now)
        multiply(now, each, each)
        product(sums, now)
        add(now, keep, now)


def _rnn(memory: Memory, slopes: Slopes, product: Any, _: None) -> None:
    # d = (dh + dy) (1 - h^2), or where h > 0;  dh_before = W_hh^T d
    d, after = slopes.sums, memory.states[1:]
    if memory.size.mode == "RNN_RELU":
        np.greater(after, 0, d)
    else:
        np.multiply(after, after, d)
        np.subtract(memory.one, d, d)
    for now, dy, slope in slopes.loop:
        np.add(now, dy, now)
        np.multiply(now, slope, slope)
        product(slope, now)


LOOPS: dict[str, Any] = {"LSTM": _lstm, "GRU": _gru, "RNN_TANH": _rnn, "RNN_RELU": _rnn}
