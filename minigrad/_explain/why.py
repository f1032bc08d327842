"""Why a gradient is what it is: the chain rule along every path from one element to the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from .formulas import sentence
from .parts import Path, Why
from .tape import Tape

MOST_PATHS = 2000  # that are walked; of more, only the uses are told
LISTED = 12


class Paths:
    """Walks from an element upwards."""

    def __init__(self, tape: Tape, labels: dict[Any, str], most: int) -> None:
        self.tape, self.labels, self.most = tape, labels, most
        self.consumers = tape.consumers()
        self.found: list[Path] = []
        self.complete = True
        self.ends: dict[str, None] = {}  # where a derivative of 0 cuts a path off

    def why(self, leaf: Any, at: tuple[int, ...], name: str) -> Why:
        """Explain the gradient of element `at` of a leaf."""
        flat = int(np.ravel_multi_index(at, leaf.shape)) if leaf.shape else 0
        uses = []
        for node, k in self.consumers.get(leaf, ()):
            g = self.tape.grads.get(node)
            got = None if g is None else self.tape.push(node, g)[k]
            if got is not None:
                uses.append((f"{self.labels[node]} ({node.op.name}: {self.argument(node, k)})",
                             float(got.reshape(-1)[flat])))
        gradient = self.tape.grads.get(leaf)
        why = Why(element(name, leaf.shape, flat), float(leaf.array.reshape(-1)[flat]),
                  0.0 if gradient is None else float(gradient.reshape(-1)[flat]), uses)
        self.walk(leaf, flat)
        if self.complete:
            self.found.sort(key=lambda p: -abs(p.product))
            why.paths = self.found[:LISTED]
            rest = self.found[LISTED:]
            why.left_out, why.rest = len(rest), sum(p.product for p in rest)
            why.ends = list(self.ends)[:LISTED]
        return why

    def argument(self, node: Any, k: int) -> str:
        """Return the name of an op's input."""
        return next(name for i, name, _ in self.tape.inputs(node) if i == k)

    def name(self, node: Any) -> str:
        """Return what a step's result is called in a path: mul_5."""
        return f"{node.op.name}_{self.labels[node].partition(' ')[2]}"

    def walk(self, leaf: Any, flat: int) -> None:
        """Collect the paths, depth first, on a stack of our own."""
        stack: list[tuple[Any, int, Any, float]] = [(leaf, flat, None, 1.0)]
        while stack:
            value, i, factors, product = stack.pop()
            if value is self.tape.root:
                self.found.append(Path(unrolled(factors), product))  # g = 1 for each element
                if len(self.found) > MOST_PATHS:
                    self.complete = False
                    return
            steps = []
            for node, k in self.consumers.get(value, ()):
                matrix = self.tape.jacobian(node, k, self.most)
                if matrix is None:
                    self.complete = False
                    return
                argument = self.argument(node, k)
                text = sentence(node.op, argument)
                nonzero = np.flatnonzero(matrix[:, i])
                if not nonzero.size:
                    self.ends[f"{self.labels[node]} ({node.op.name}: {text})"] = None
                for j in nonzero:
                    d = float(matrix[j, i])
                    made = element(self.name(node), node.shape, int(j))
                    steps.append((node, int(j), (factors, (made, d, text)), product * d))
            stack += reversed(steps)


def unrolled(linked: Any) -> list[tuple[str, float, str]]:
    """Return the factors of a path, which are linked from the last one back: paths share them."""
    found = []
    while linked is not None:
        linked, factor = linked
        found.append(factor)
    return found[::-1]


def element(name: str, shape: tuple[int, ...], flat: int) -> str:
    """Write one element: x[0, 1]; a single number has no index."""
    if not shape:
        return name
    return f"{name}[{', '.join(str(int(i)) for i in np.unravel_index(flat, shape))}]"
