"""Higher orders of fused ops: differentiate the reference instead of the fast backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .engine import Node, ndarray, op, record, settle, sweep, wrap
from .modes import enable_grad


def through_reference(node: Node, g: Any, wanted: Sequence[bool] | None) -> list[Any]:
    """Differentiate a fused op by its reference, whose ops record themselves: any order is right.

    Every input becomes a fresh identity node of its own, tied to the true parent, so that a tensor
    that is given twice gets two separate gradients and the inner sweep ends at this op's inputs.
    """
    op, plan = node.op, node.plan
    values = dict(zip(plan.names, node.tensors(), strict=True))
    starts = []
    for position in plan.positions:
        name = op.names[position]
        start = record(IDENTITY, 1, [values[name]], [values[name]._data], values[name]._data, ())
        values[name] = wrap(values[name]._data, start)
        starts.append(start)
    with enable_grad():
        y = op.reference(*[values[name] for name in op.reference_names])
        pairs = zip(y, g, strict=True) if op.many else [(y, g)]
        roots = [(t._node, settle(d, t._node, True)) for t, d in pairs if t._node is not None]
        if not roots:
            return [None] * len(starts)
        asked = {s for k, s in enumerate(starts) if wanted is None or wanted[k]}
        found = sweep(roots, asked, keep=True, create=True)
    return [found.get(start) for start in starts]


@op(input=lambda g: g)
def identity(input: ndarray) -> ndarray:
    """Return the input itself: a place on the tape."""
    return input


IDENTITY = identity.op  # type: ignore[attr-defined]
