"""Which nodes a sweep visits: pure graph walks over the tape, without recursion."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

LEAF = -(1 << 62)  # the keys of leaves lie below this: they are served at once when complete


def edges(roots: Sequence[tuple[Any, Any]], needed: set[Any] | None = None) -> dict[Any, int]:
    """Count, for every node below the roots, the gradients that may arrive at it."""
    pending: dict[Any, int] = {}
    stack = list({node for node, _ in roots if needed is None or node in needed})
    begun = set(stack)
    while stack:
        for parent in stack.pop().parents:
            if parent is None or (needed is not None and parent not in needed):
                continue
            if parent in pending:
                pending[parent] += 1
            else:
                pending[parent] = 1
                if parent not in begun:
                    stack.append(parent)
    return pending


def leading_to(targets: set[Any], roots: list[Any]) -> set[Any]:
    """Return the nodes between the roots and the targets (targets may depend on each other)."""
    oldest = max((t.key for t in targets), default=0)
    if any(t.key < LEAF for t in targets):
        oldest = 0  # a leaf may be used by any node, however old
    seen, order, stack = set(roots), [], list(roots)
    while stack:
        node = stack.pop()
        order.append(node)
        for parent in node.parents:
            if parent is not None and parent not in seen and parent.key <= oldest:
                seen.add(parent)
                stack.append(parent)
    order.sort(key=operator.attrgetter("key"), reverse=True)  # oldest first, leaves last
    needed = targets & seen
    for node in order:
        if not needed.isdisjoint(node.parents):
            needed.add(node)
    return needed
