"""Gradients that are not the derivative on purpose: what the documentation of an op says."""

from __future__ import annotations

from typing import Any

import numpy as np

from .numeric import random_way
from .probe import Probe
from .tensors import TensorSubject

Array = np.ndarray[Any, Any]

OTHER_MEANING = {"normal": "samples of normal() have no gradient by its mean and deviation",
                 "ctc_loss": "ctc_loss returns the gradient by the scores in front of the "
                             "log_softmax that log_probs came from"}


def symmetric(probe: Probe, j: int) -> bool:
    """Whether input j is a symmetric matrix and its gradient is right for symmetric changes.

    cholesky and eigh read one triangle and return the gradient of the symmetric function.
    """
    x = probe.points[j]
    if x.ndim < 2 or x.shape[-1] != x.shape[-2] or x.shape[-1] < 2:
        return False
    turned = [np.swapaxes(a, -1, -2) for a in (x, *(g[j] for g in probe.grads))]
    same = [np.allclose(a, b, rtol=1e-9, atol=1e-12 * np.abs(b).max(initial=0.0))
            for a, b in zip((x, *(g[j] for g in probe.grads)), turned, strict=True)]
    if not all(same) or np.count_nonzero(x) <= x.shape[-1] * (x.size // x.shape[-1] ** 2):
        return False
    way = random_way(probe.rng, x.shape)
    deltas, slope = probe.measure({j: way + np.swapaxes(way, -1, -2)}, full=True)
    return slope is not None and probe.compare(deltas, slope).significance <= 1


def left_out(subject: Any, probe: Probe, j: int) -> str:
    """Leave out the rows that an embedding's options treat in their own way; return a note."""
    from .record import recording

    if not isinstance(subject, TensorSubject):
        return ""
    with recording() as recorder:
        subject.linearize(subject.points)
    for call in recorder.calls:
        if call.op is None or subject.leaf_nodes[j] not in map(_source, call.node.parents):
            continue
        if call.op.name in OTHER_MEANING:
            probe.live[j][...] = False
            return f"{subject.names[j]}: {OTHER_MEANING[call.op.name]}; it is not compared"
        if call.op.name != "embedding":
            continue
        options = dict(zip(call.op.names, call.arrays, strict=True))
        if options["factors"] is None:
            continue
        indices = np.asarray(options["indices"])
        rows = np.unique(indices[np.asarray(options["factors"])[..., 0] != 1])
        if rows.size and probe.live[j][rows].any():
            probe.live[j][rows] = False
            return (f"{subject.names[j]}: padding_idx or scale_grad_by_freq change the gradient "
                    f"of rows {rows[:8].tolist()} on purpose; they are not compared")
    return ""


def _source(node: Any) -> Any:
    """Return the place that a view (unsqueeze, transpose) was taken of."""
    while node is not None and getattr(node.op, "view", False):
        node = node.parents[0]
    return node
