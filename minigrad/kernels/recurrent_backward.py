"""Backward through the steps of a recurrent layer: see `recurrent.py` for the arrays.

All derivatives by the gates' sums are known in advance but for one factor, the gradient of the
state or of the cell. So the loop has only to multiply: it turns the slopes `d` (T, blocks, H, N)
into gradients of the gates' sums. Those of the weights are then d steps^T over all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .recurrent import CELLS, Array, Cell, Run, Weights, to_blocks, to_gates


def backward(mode: str, run: Run, dy: Array | None, dh: Array, dc: Array | None, w: Weights,
             needs: Sequence[bool]) -> list[Array | None]:
    """Return the gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr; None where not needed.

    dy is as y (None: zeros), dh and dc as the last states.
    """
    shape, cell, inputs = run.shape, CELLS[mode], w.ih.shape[1]
    length, batch, state = len(run.steps) - 1, run.steps.shape[2], w.hh.shape[1]
    kind = run.steps.dtype
    dys = np.zeros((length, state, batch), kind)
    if dy is not None:
        shape.by_time(dys).transpose(0, 2, 1)[... if shape.mask is None else shape.mask] = dy
    dh = dh.T.astype(kind, order="C")
    back = to_blocks(cell.state_moved, w.hh, cell.gates).T.astype(kind, order="C")
    states, d_hr = run.steps[:, inputs:inputs + state], None
    if mode == "LSTM":
        dc = dc.T.astype(kind, order="C")  # type: ignore[union-attr]
        d, d_hr = _lstm(run, dys, dh, dc, back, w.hr)
    elif mode == "GRU":
        d = _gru(run, dys, dh, back, states[:-1])
    else:
        d = _rnn(mode, run, dys, dh, back, states[1:])
    dx: Array | None = None
    grads: list[Array | None] = [None] * 4
    flat = shape.flat(d) if needs[0] or any(needs[3:7]) else d
    if needs[0]:
        weights = to_blocks(cell.input_moved, w.ih, cell.gates)
        dx = flat[:len(weights)].T @ weights.astype(kind, copy=False)
        dx = dx.reshape(length, batch, inputs) if shape.mask is None else dx
    if any(needs[3:7]):
        grads = _split(cell, flat @ shape.listed(run.steps[:-1]), w, needs[3:7])
    return [dx, dh.T, None if dc is None else dc.T, *grads, d_hr]


def _split(cell: Cell, grad: Array, w: Weights, needs: Sequence[bool]) -> list[Array | None]:
    """Return the gradients of w_ih, w_hh, b_ih, b_hh from that of `joined`."""
    rows, inputs, end = len(w.ih), w.ih.shape[1], w.ih.shape[1] + w.hh.shape[1]
    first = len(grad) // cell.blocks * cell.first_state
    of_input, of_state = grad[:rows], grad[first:first + rows]
    return [to_gates(moved, part, cell.gates) if need else None for moved, part, need in (
        (cell.input_moved, of_input[:, :inputs], needs[0]),
        (cell.state_moved, of_state[:, inputs:end], needs[1]),
        (cell.input_moved, of_input[:, -1], needs[2]),
        (cell.state_moved, of_state[:, -1], needs[3]))]


def _lstm(run: Run, dys: Array, dh: Array, dc: Array, back: Array,
          projection: Array | None) -> tuple[Array, Array | None]:
    # h = o tanh(c) and c = f c_before + i g, so by the sums of the gates and with dh (+ dy):
    # d_o = dh tanh(c) o(1 - o);  dc += dh o (1 - tanh(c)^2);  d_i = dc g i(1 - i);
    # d_f = dc c_before f(1 - f);  d_g = dc i (1 - g^2);  dc_before = dc f;
    # dh_before = W_hh^T (d_o d_i d_f d_g).  Projected, h = R r: dr = R^T dh, dR = sum dh r^T
    # Forward kept i g, f c_before and h (or r): d_i = dc (i g)(1 - i), d_g = dc (i - (i g) g), ...
    shape, gates = run.shape, run.gates[:-1]
    tanh_c, terms, raw = run.outer, run.terms, run.raw
    length, hidden, batch = tanh_c.shape  # type: ignore[union-attr]
    kind = dh.dtype
    d = np.empty((length, 5, hidden, batch), kind)  # o i f g, and what dc gets from dh
    np.subtract(1, gates[:, :3], out=d[:, :3])
    d[:, 0] *= raw
    d[:, 1:3] *= terms
    np.multiply(terms[:, 0], gates[:, 3], out=d[:, 3])  # type: ignore[index]
    np.subtract(gates[:, 1], d[:, 3], out=d[:, 3])
    np.multiply(raw, tanh_c, out=d[:, 4])  # type: ignore[arg-type]
    np.subtract(gates[:, 0], d[:, 4], out=d[:, 4])
    sums = d[:, :4].reshape(length, 4 * hidden, batch)
    product = np.dot if shape.counts is None else np.matmul
    kept = down = None
    if projection is not None:
        kept = np.empty_like(dys)
        down = projection.T.astype(kind, order="C")
    for now_h, dy, now_c, d_o, d_ifg, more, forget, a, k in _opposite(
            run, shape.same(dh), dys, shape.same(dc), d[:, 0], d[:, 1:4], d[:, 4], gates[:, 2],
            sums, dys if kept is None else kept):
        np.add(now_h, dy, now_h)
        by_h = now_h
        if kept is not None:
            k[...] = now_h
            by_h = np.matmul(down, now_h)  # type: ignore[arg-type]
        np.multiply(by_h, d_o, d_o)
        np.multiply(by_h, more, more)
        np.add(now_c, more, now_c)
        np.multiply(now_c, d_ifg, d_ifg)
        np.multiply(now_c, forget, now_c)
        product(back, a, now_h)
    if kept is None:
        return sums, None
    return sums, shape.flat(kept) @ shape.listed(raw)  # type: ignore[arg-type]


def _gru(run: Run, dys: Array, dh: Array, back: Array, before: Array) -> Array:
    # h = n + z (h_before - n), n = tanh(xn + r hn), so by the sums and with dh (+ dy):
    # d_xn = dh (1 - z)(1 - n^2);  d_r = d_xn hn r(1 - r);  d_z = dh (h_before - n) z(1 - z);
    # d_hn = d_xn r;  dh_before = W_hh^T (d_r d_z d_hn) + dh z
    gates, n = run.gates, run.outer
    length, _, hidden, batch = gates.shape
    d = np.empty((length, 5, hidden, batch), dh.dtype)  # xn r z hn, and what h_before gets from dh
    np.subtract(1, gates[:, 1:3], out=d[:, 1:3])
    np.multiply(n, n, out=d[:, 0])  # type: ignore[arg-type]
    np.subtract(1, d[:, 0], out=d[:, 0])
    d[:, 0] *= d[:, 2]
    d[:, 1:3] *= gates[:, 1:3]
    d[:, 1] *= gates[:, 3]
    d[:, 1] *= d[:, 0]
    np.subtract(before, n, out=d[:, 3])  # type: ignore[arg-type]
    d[:, 2] *= d[:, 3]
    np.multiply(d[:, 0], gates[:, 1], out=d[:, 3])
    d[:, 4] = gates[:, 2]
    by_state = d[:, 1:4].reshape(length, 3 * hidden, batch)
    product = np.dot if run.shape.counts is None else np.matmul
    for now, dy, slopes, a, keep in _opposite(run, run.shape.same(dh), dys, d, by_state,
                                              d[:, 4]):
        np.add(now, dy, now)
        np.multiply(now, slopes, slopes)
        product(back, a, now)
        np.add(now, keep, now)
    return d[:, :4].reshape(length, 4 * hidden, batch)


def _rnn(mode: str, run: Run, dys: Array, dh: Array, back: Array, after: Array) -> Array:
    # d = (dh + dy) (1 - h^2), or where h > 0;  dh_before = W_hh^T d
    d = (after > 0).astype(dh.dtype) if mode == "RNN_RELU" else 1 - after * after
    product = np.dot if run.shape.counts is None else np.matmul
    for now, dy, slope in _opposite(run, run.shape.same(dh), dys, d):
        np.add(now, dy, now)
        np.multiply(now, slope, slope)
        product(back, slope, now)
    return d


def _opposite(run: Run, *arrays: Any) -> Any:
    """Return the steps' arrays, last computed first; those of `Shape.same` stay as they are."""
    each = run.shape.each
    return zip(*[each(a)[::-1] if isinstance(a, np.ndarray)  # type: ignore[index]
                 else a[::-1] if isinstance(a, list) else a for a in arrays], strict=False)
