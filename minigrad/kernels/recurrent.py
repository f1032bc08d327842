"""Recurrent layers on plain arrays: all steps of one layer in one direction.

The arrays and their layout: recurrent_memory.py; backward: recurrent_backward.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.kernels.recurrent_memory import (
    Array,
    Memory,
    Run,
    Shape,
    Size,
    Weights,
    run_of,
    with_products,
)

__all__ = ["forward"]


def forward(size: Size, shape: Shape, x: Array, h0: Array | None, c0: Array | None,
            w: Weights) -> tuple[Array, Array, Array | None, Run]:
    """Return y by time, the last states (N, P) and cells (N, H), and what backward needs.

    x (T, N, I) gives y (T, N, P), packed x (samples, I) gives y (samples, P). y and the states may
    be views of what backward needs: copy them.
    """
    run = run_of(size, shape)
    memory = run.memory
    memory.input_by_time[shape.present()] = x
    shape.start(h0, memory.states)
    projection, lstm = None, size.mode == "LSTM"
    if lstm:
        shape.start(c0, memory.cells)
        projection = None if w.hr is None else w.hr.astype(size.kind, copy=False)
    memory.join(w)
    with_products(LOOPS[size.mode], memory.joined.size * size.batch, memory, projection)
    y = memory.output_by_time if shape.mask is None else memory.output_by_time[shape.mask]
    return y, shape.last(memory.states), shape.last(memory.cells) if lstm else None, run


def _lstm(memory: Memory, projection: Array | None) -> None:
    """c' = f c + i g; h' = o tanh(c'), or the projection of it."""
    product, tanh, multiply, add = memory.product, np.tanh, np.multiply, np.add
    for x, a, h, sigmoids, i, f, g, o, tanh_c, before, c, ig, fc, r in memory.loop:
        product(x, a)
        tanh(a, a)
        for part, factor, term in sigmoids:
            multiply(part, factor, part)
            add(part, term, part)
        multiply(i, g, ig)
        multiply(f, before, fc)
        add(ig, fc, c)
        tanh(c, tanh_c)
        multiply(o, tanh_c, r)
        if projection is not None:
            np.matmul(projection, r, h)


def _gru(memory: Memory, _: None) -> None:
    """n = tanh(xn + r hn); h' = n + z (h - n)."""
    product, half = memory.product, memory.half
    tanh, multiply, add, subtract = np.tanh, np.multiply, np.add, np.subtract
    for x, a, after, before, r_z, xn, r, z, hn, n, d in memory.loop:
        product(x, a)
        tanh(r_z, r_z)
        multiply(r_z, half, r_z)
        add(r_z, half, r_z)
        multiply(r, hn, n)
        add(n, xn, n)
        tanh(n, n)
        subtract(before, n, d)
        multiply(d, z, d)
        add(n, d, after)


def _rnn_tanh(memory: Memory, _: None) -> None:
    product, tanh = memory.product, np.tanh
    for x, a, h in memory.loop:
        product(x, a)
        tanh(a, h)


def _rnn_relu(memory: Memory, _: None) -> None:
    product, maximum, zero = memory.product, np.maximum, np.zeros((), memory.joined.dtype)
    for x, a, h in memory.loop:
        product(x, a)
        maximum(a, zero, out=h)


LOOPS: dict[str, Any] = {"LSTM": _lstm, "GRU": _gru, "RNN_TANH": _rnn_tanh,
                         "RNN_RELU": _rnn_relu}
