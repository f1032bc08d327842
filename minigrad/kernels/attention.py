"""Scaled dot product attention on plain arrays, forward and backward.

y = P v with P = softmax(S), S = scale q k^T + bias. With g the gradient of y:

    dv = P^T g    dP = g v^T    dS = P (dP - sum(dP P))    dq = scale dS k    dk = scale dS^T q

Where all scores together are few (FEW), P is computed at once and kept for the backward pass.
Otherwise the (L, S) scores exist for a block of queries of one head at a time, in memory that stays
in the cache, and only log(sum(exp(S))) is kept, a number a query, from which the backward pass
recomputes P; its row sums of dP P are those of g y. So memory grows linearly with the length, not
with its square (Rabe & Staats 2021; Dao, "FlashAttention-2", 2023). Causal blocks leave out the
keys after their last query, half of the work.

Blocks are cut by shape alone, and a head's dk and dv are summed by one thread in the order of its
blocks: the bits do not depend on the number of threads.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minigrad.kernels._blocks import each_block
from minigrad.kernels._threads import scratch

Array = np.ndarray
FEW = 1 << 15  # scores, of all heads together, up to which P is kept
BLOCK = 1 << 17  # scores of a block: smaller ones spend their time between the calls


def forward(query: Array, key: Array, value: Array, bias: Array | None, scale: float,
            causal: bool) -> tuple[Array, Array | None, Array | None, Array | None]:
    """Return y, the rows in which every key is forbidden, P, and the log-sums; None: not there.

    Either P or the log-sums are there. The arrays are float32 or float64; their leading dimensions
    broadcast.
    """
    lead = _lead(query, key, value)
    rows, columns = query.shape[-2], key.shape[-2]
    query = query * query.dtype.type(scale)
    if prod(lead) * rows * columns <= FEW:
        scores = np.matmul(query, key.swapaxes(-2, -1))
        if bias is not None:
            scores = scores + bias
        if causal:
            scores += _later(rows, columns, scores.dtype)
        _, sums, dead = _exponents(scores)
        scores /= sums
        return np.matmul(scores, value), dead, scores, None
    heads = _Heads(lead, query, key, value, bias, causal)
    y = np.empty((*lead, rows, value.shape[-1]), query.dtype)
    logs = np.empty((*lead, rows, 1), query.dtype)
    forbidden = np.zeros((*lead, rows, 1), bool)
    flat = [a.reshape(heads.count, rows, a.shape[-1]) for a in (y, logs, forbidden)]

    def work(index: int) -> None:
        head, part = divmod(index, len(heads.parts))
        start, stop, end = heads.parts[part]
        q, k, v = heads.arrays(head)
        scores = heads.scores(head, part, q, k)
        top, sums, dead = _exponents(scores)
        own, log, none = (a[head, start:stop] for a in flat)
        np.matmul(scores, v[:end], out=own)
        own /= sums
        np.log(sums, out=log)
        log += top
        if dead is not None:
            none[...] = dead
            log[dead] = np.inf  # so that P is 0 in the backward pass too

    each_block(work, heads.count * len(heads.parts), heads.size)
    return y, forbidden if forbidden.any() else None, None, logs


def backward(g: Array, query: Array, key: Array, value: Array, bias: Array | None, scale: float,
             causal: bool, y: Array, weights: Array | None, logs: Array | None,
             needs: Any) -> list[Array | None]:
    """Return the gradients of query, key, value and bias; those of (L, S) only where needed.

    Their leading dimensions are the broadcast ones.
    """
    factor = g.dtype.type(scale)
    if weights is not None:
        dv = np.matmul(weights.swapaxes(-2, -1), g) if needs[2] else None
        if not (needs[0] or needs[1] or needs[3]):
            return [None, None, dv, None]
        ds = np.matmul(g, value.swapaxes(-2, -1))
        ds -= np.vecdot(ds, weights)[..., None]
        ds *= weights
        dq = np.matmul(ds, key) * factor if needs[0] else None
        dk = np.matmul(ds.swapaxes(-2, -1), query) * factor if needs[1] else None
        return [dq, dk, dv, ds if needs[3] else None]
    assert logs is not None
    lead = y.shape[:-2]
    query = query * factor
    heads = _Heads(lead, query, key, value, bias, causal)
    made = [np.zeros((*lead, *a.shape[-2:]), g.dtype) for a in (query, key, value)]
    if needs[3]:
        made.append(np.zeros((*lead, query.shape[-2], key.shape[-2]), g.dtype))
    dq, dk, dv, *dbias = (a.reshape(heads.count, *a.shape[-2:]) for a in made)
    gs, ys = (np.ascontiguousarray(a).reshape(heads.count, *a.shape[-2:]) for a in (g, y))
    logs = logs.reshape(heads.count, *logs.shape[-2:])

    def work(head: int) -> None:
        q, k, v = heads.arrays(head)
        for part, (start, stop, end) in enumerate(heads.parts):
            own = gs[head, start:stop]
            p = heads.scores(head, part, q, k)
            p -= logs[head, start:stop]
            np.exp(p, out=p)
            dv[head, :end] += p.T @ own
            ds = np.matmul(own, v[:end].T, out=scratch("attention ds", p.shape, p.dtype))
            ds -= np.vecdot(own, ys[head, start:stop])[:, None]
            ds *= p
            np.matmul(ds, k[:end], out=dq[head, start:stop])
            dk[head, :end] += ds.T @ q[start:stop]  # q is scaled
            if dbias:
                dbias[0][head, start:stop, :end] = ds
        dq[head] *= factor

    each_block(work, heads.count, heads.size)
    return [array if need else None
            for array, need in zip([*made, None][:4], needs, strict=True)]


class _Heads:
    """The heads of a call, one matrix of each argument per head, and the blocks of queries."""

    def __init__(self, lead: tuple[int, ...], query: Array, key: Array, value: Array,
                 bias: Array | None, causal: bool) -> None:
        self.count = prod(lead)
        self.flat = [np.broadcast_to(a, (*lead, *a.shape[-2:])).reshape(self.count, *a.shape[-2:])
                     for a in (query, key, value)]
        rows, columns = query.shape[-2], key.shape[-2]
        self.bias = bias
        if bias is not None and bias.ndim > 2:  # one matrix of the bias for each head, not copied
            cells = np.broadcast_to(bias, (*lead, rows, columns))
            self.biases = [cells[place] for place in np.ndindex(*lead)]
        elif bias is not None:
            self.biases = [np.broadcast_to(bias, (rows, columns))] * self.count
        step = max(1, min(rows, BLOCK // max(1, columns)))
        self.causal = causal
        self.parts = [(start, min(rows, start + step),
                       min(columns, start + step) if causal else columns)
                      for start in range(0, rows, step)]
        self.size = self.count * rows * columns * (query.shape[-1] + value.shape[-1])

    def arrays(self, head: int) -> list[Array]:
        """Return query, key and value of a head."""
        return [a[head] for a in self.flat]

    def scores(self, head: int, part: int, q: Array, k: Array) -> Array:
        """Return the scores of a block in scratch memory; -inf where a key is not seen."""
        start, stop, end = self.parts[part]
        scores = scratch("attention scores", (stop - start, end), q.dtype)
        np.matmul(q[start:stop], k[:end].T, out=scores)
        if self.bias is not None:
            scores += self.biases[head][start:stop, :end]
        if self.causal and end > start + 1:
            scores[:, start:] += _later(stop - start, end - start, q.dtype)
        return scores


def _lead(*arrays: Array) -> tuple[int, ...]:
    shapes = [a.shape[:-2] for a in arrays]
    same = shapes[0] == shapes[1] == shapes[2]
    return shapes[0] if same else np.broadcast_shapes(*shapes)


def _later(rows: int, columns: int, dtype: np.dtype) -> Array:
    """Return what hides the keys after each query: -inf above the diagonal, else 0."""
    return np.where(np.tri(rows, columns, dtype=bool), dtype.type(0), dtype.type(-np.inf))


def _exponents(scores: Array) -> tuple[Array, Array, Array | None]:
    """Replace scores by exp(scores - their largest); return that, the sums, and the dead rows.

    In a dead row every score is -inf; its exponents are 0 and its sum is said to be 1.
    """
    top = np.maximum.reduce(scores, -1, keepdims=True, initial=-np.inf)
    dead = top == -np.inf
    if dead.any():
        top = np.where(dead, 0, top).astype(scores.dtype)
    scores -= top
    np.exp(scores, out=scores)
    sums = np.add.reduce(scores, -1, keepdims=True)
    if not dead.any():
        return top, sums, None
    return top, np.where(dead, 1, sums).astype(sums.dtype), dead
