"""Predicting the peak of a training step: which values live when, from shapes and the tape alone.

Forward: a value lives from the op that makes it to the last op that uses it, to the end of the
module call that it was given to, or, if the tape keeps it, until its node has run backward.
Backward: a gradient lives from the first op that makes a part of it until its own op has run.
Scratch memory inside an op (the unfolded windows of a convolution, say) is predicted of recurrent
layers only.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from ..engine import Leaf
from .watch import Memory, Watcher

PASSED_ON = frozenset({"add", "unsafe_view", "identity", "cat", "stack"})  # backward copies nothing


class Value:
    """One piece of memory during forward."""

    __slots__ = ("end", "kept", "size", "start")

    def __init__(self, size: int, start: int) -> None:
        self.size, self.start, self.end, self.kept = size, start, start, False


class Simulation:
    """The levels of memory over one step; `peaks` has the highest one by row."""

    def __init__(self, watcher: Watcher) -> None:
        self.events = watcher.events
        self.by_key = watcher.by_key
        self.peaks: dict[int, int] = {}

    def run(self, roots: list[Any], outputs: list[int], calls: list[tuple[int, int, list[int]]],
            ) -> int:
        """Return the peak. `calls`: first and last event of module calls, and what they got."""
        values = self._values(outputs, calls)
        self._forward(values)
        self._backward(roots, values, {m for m in outputs if m in values})
        return max(self.peaks.values(), default=0)

    def _note(self, place: int, level: int) -> None:
        self.peaks[place] = max(level, self.peaks.get(place, 0))

    def _values(self, outputs: list[int], calls: list[tuple[int, int, list[int]]],
                ) -> dict[int, list[Value]]:
        """Follow each piece of memory; its identity may be used again after it was freed."""
        values: dict[int, list[Value]] = {}
        held_until: dict[int, list[tuple[int, int]]] = {}
        for start, end, given in calls:
            for memory in given:
                held_until.setdefault(memory, []).append((start, end))
        for k, event in enumerate(self.events):
            for memory in event.inputs:
                if memory in values:
                    values[memory][-1].end = k
            for memory, size in event.made.items():
                values.setdefault(memory, []).append(Value(size, k))
            for memory, size in event.predicted.items():
                if memory not in event.inputs and memory not in event.made:
                    values.setdefault(memory, []).append(Value(size, k))
                if memory in values:  # not what was there before the run, such as the input
                    values[memory][-1].kept = True
        for memory in outputs:
            if memory in values:
                values[memory][-1].kept = True
        for memory, spans in held_until.items():
            for value in values.get(memory, ()):
                for start, end in spans:
                    if value.start < start <= value.end:
                        value.end = max(value.end, end)
        return values

    def _forward(self, values: dict[int, list[Value]]) -> None:
        change: Counter[int] = Counter()
        for value in (v for several in values.values() for v in several):
            change[value.start] += value.size
            if not value.kept:
                change[value.end + 1] -= value.size
        level = 0
        for k, event in enumerate(self.events):
            level += change[k]
            self._note(event.place, level)

    def _backward(self, roots: list[Any], values: dict[int, list[Value]],
                  outputs: set[int]) -> None:
        kept: Counter[int] = Counter()
        sizes: Memory = {}
        for event in self.events:
            for memory, size in event.predicted.items():
                if memory in values and memory not in outputs:
                    kept[memory] += 1
                    sizes[memory] = size
        level = sum(sizes.values()) + sum(values[memory][-1].size for memory in outputs)
        grads: dict[Any, int] = {}  # bytes of gradients that wait for their op
        for node in roots:
            grads[node] = grads.get(node, 0) or size_of(node)
        level += sum(grads.values())
        for node in self._newest_first(roots):
            level = self._step(node, grads, level)
            for memory in self._kept_by(node):
                kept[memory] -= 1
                if kept[memory] == 0:
                    level -= sizes[memory]

    def _step(self, node: Any, grads: dict[Any, int], level: int) -> int:
        """Run one node backward; return the level afterwards."""
        event = self.by_key.get(node.key)
        own = grads.pop(node, 0)
        passed = getattr(node.op, "view", False) or getattr(node.op, "name", "") in PASSED_ON
        made = extra = 0
        for parent in node.parents:
            if parent is None:
                continue
            size = size_of(parent)
            if parent in grads:
                extra = max(extra, size)  # the sum, before the parts go away
            elif passed and type(parent) is not Leaf:
                grads[parent] = own
                own = 0
            else:
                grads[parent] = size
                made += size
        if event is not None:
            self._note(event.place, level + made + extra + event.scratch)
        return level + made - own

    def _kept_by(self, node: Any) -> Memory:
        event = self.by_key.get(node.key)
        return event.predicted if event is not None else {}

    @staticmethod
    def _newest_first(roots: list[Any]) -> list[Any]:
        seen, stack = set(roots), list(roots)
        while stack:
            for parent in stack.pop().parents:
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return sorted((n for n in seen if type(n) is not Leaf), key=lambda n: n.key)


def size_of(node: Any) -> int:
    """Return the bytes of the gradient of a node's result."""
    if node.dtype is None:
        return 0
    shapes = node.shape if isinstance(node.shape, list) else [node.shape]
    return sum(math.prod(s) for s in shapes) * int(node.dtype.itemsize)
