"""`explain`: a tape in words, from the loss to the leaves, with the numbers of every derivative."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .. import engine
from ..engine import Leaf, Pick, Slot
from .formulas import entry, sentence
from .parts import Input, LeafPart, Numbers, Step, Why, shown
from .render import to_html, to_text
from .tape import Tape
from .why import Paths

__all__ = ["Explanation", "explain"]
MATRIX = 64  # elements up to which an op's matrix of derivatives is computed
SMALL = 36  # entries of a matrix that is shown


@dataclass
class Explanation:
    """The steps from a result to its leaves: `str()`, `html()` and `to_dict()` render them."""

    head: list[str]
    steps: list[Step] = field(default_factory=list)
    leaves: list[LeafPart] = field(default_factory=list)
    why: Why | None = None
    left_out: int = 0

    def __str__(self) -> str:
        return to_text(self)

    __repr__ = __str__

    def html(self) -> str:
        """Return the explanation as HTML."""
        return to_html(self)

    _repr_html_ = html

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


def explain(tensor: Any, params: Any = None, *, why: Any = None, elements: int = 16,
            steps: int | None = 100) -> Explanation:
    """Tell in words how a tensor was made, and how gradients go back from it to the leaves.

    Each op's formula, its derivative, and their numbers; where a tensor has more than `elements`
    elements, its mean and range. Args: `params` names the leaves: a dict of tensors or the model;
    `why`: a leaf, its name, or (leaf, index): the chain of products along every path to it;
    `steps`: ops that are told, None for all. Nothing is changed: no `.grad`, no hook runs, the
    tape stays. ValueError if nothing was recorded, RuntimeError if backward has freed the tape.

    >>> import minigrad as torch
    >>> x = torch.tensor(3., requires_grad=True)
    >>> print(torch.explain(x ** 2 + x, {"x": x}, why="x").why.paths[0].product)
    6.0
    """
    if not isinstance(tensor, engine.Tensor):
        raise TypeError(f"tensor: expected a Tensor, got {type(tensor).__name__}")
    if tensor._node is None or type(tensor._node) is Leaf:
        raise ValueError("tensor: no operation was recorded for it; it must be computed from a "
                         "tensor that requires grad")
    for name, value in (("elements", elements), ("steps", steps)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} must be an int of at least 1, got {value!r}")
    return _Maker(tensor, params, elements).make(why, steps)


class _Maker:
    def __init__(self, tensor: Any, params: Any, elements: int) -> None:
        self.tensor, self.elements = tensor, elements
        self.tape = Tape(tensor)
        self.labels = {node: f"step {k}" for k, node in enumerate(self.tape.ops, 1)}
        for pick in self.tape.picks:
            self.labels[pick] = f"{self.labels[pick.parents[0]]}, result {pick.index}"
        named = dict(params.named_parameters()) if hasattr(params, "named_parameters") else dict(
            params or {})
        self.names = {t._node: name for name, t in named.items()
                      if t._node is not None and type(t._node) is Leaf}
        count = 0
        for leaf in self.tape.leaves:
            if leaf not in self.names:
                count += 1
                self.names[leaf] = f"leaf {count}"
        self.labels.update({leaf: self.names[leaf] for leaf in self.tape.leaves})

    def make(self, why: Any, steps: int | None) -> Explanation:
        ops = self.tape.ops[:steps]
        made = Explanation(self.head(), [self.step(n) for n in ops],
                           [self.leaf(leaf) for leaf in self.tape.leaves],
                           left_out=len(self.tape.ops) - len(ops))
        if why is not None:
            made.why = self.why(why)
        return made

    def numbers(self, array: Any) -> Numbers:
        if isinstance(array, list):
            array = np.concatenate([np.ravel(a) for a in array])
        return Numbers.of(array, self.elements)

    def head(self) -> list[str]:
        t, count = self.tensor, len(self.tape.ops)
        leaves = ", ".join(f"{self.names[leaf]} ({shown(leaf.shape)})" for leaf in
                           self.tape.leaves)
        what = "a single number" if not t.shape else f"shape {shown(tuple(t.shape))}"
        start = ("g = 1" if not t.shape else
                 "g = 1 for each of its elements (their sum is what is differentiated)")
        return [f"The result: {what}, {t._data.dtype.name}: {self.numbers(t._data)}",
                f"{count} operation{'s' * (count != 1)} made it from {leaves}.",
                f"From the result back to the leaves; y is what a step made, g the gradient that "
                f"arrives there. It starts with {start}."]

    def step(self, node: Any) -> Step:
        found = entry(node.op)
        name = node.op.name if node.plan is not None else node.function.__name__
        formula = found[0] if found is not None else (
            "an autograd.Function of yours" if node.plan is None else
            f"y = {node.op.name}({', '.join(n for n in node.op.names)})")
        g = self.tape.grads.get(node)
        passed = None if g is None else self.tape.push(node, g)
        step = Step(int(self.labels[node].rpartition(" ")[2]), name, node.name(), formula,
                    found is not None, self.where(node), *self.options(node),
                    self.value(node), self.gradient(node, g))
        for k, argument, parent in self.tape.inputs(node):
            local, matrix = self.local(node, k)
            given = None if passed is None or passed[k] is None or isinstance(
                passed[k], Slot) else self.numbers(passed[k])
            step.inputs.append(Input(argument, self.labels[parent], self.value(parent),
                                     sentence(node.op, argument.partition("[")[0]), local, matrix,
                                     given))
        return step

    @staticmethod
    def where(node: Any) -> str:
        """Return the file and line that anomaly mode has noted."""
        text = (node.meta or {}).get("where", "") if type(node) is not Pick else ""
        return " ".join(text.split("\n")[0].split()) if text else ""

    def options(self, node: Any) -> tuple[dict[str, str], dict[str, Numbers]]:
        """Return the arguments without a gradient: settings, and arrays."""
        taken = {name for _, name, _ in self.tape.inputs(node)}
        given = {k: v for k, v in self.tape.arguments(node).items() if k not in taken}
        arrays = {k: self.numbers(v) for k, v in given.items() if isinstance(v, np.ndarray)}
        plain = {k: text for k, v in given.items() if (text := _option(v))}
        return plain, arrays

    def value(self, node: Any) -> Numbers:
        value = self.tape.values.get(node)
        if value is None and type(node) is Pick:
            value = self.tape.values.get(node.parents[0])
        if value is None:
            shape = node.shape[0] if isinstance(node.shape, list) and node.shape else node.shape
            return Numbers(tuple(shape))
        return self.numbers(value)

    def gradient(self, node: Any, g: Any) -> Numbers:
        if g is None:
            shape = node.shape[0] if isinstance(node.shape, list) and node.shape else node.shape
            return Numbers(tuple(shape))
        return self.numbers(g)

    def local(self, node: Any, k: int) -> tuple[Numbers | None, bool]:
        """Return the numbers of d y / d input: per element where they meet one to one."""
        matrix = self.tape.jacobian(node, k, MATRIX)
        if matrix is None:
            return None, False
        parent = node.parents[k]
        if parent.shape == node.shape and np.array_equal(matrix, np.diag(np.diag(matrix))):
            return self.numbers(np.diag(matrix).reshape(node.shape)), False
        if matrix.shape[0] == 1:
            return self.numbers(matrix.reshape(parent.shape)), False
        return (Numbers.of(matrix, SMALL), True) if matrix.size <= SMALL else (None, True)

    def leaf(self, leaf: Any) -> LeafPart:
        uses = [f"{self.labels[node]} ({name})"
                for node in reversed(self.tape.ops)
                for k, name, parent in self.tape.inputs(node) if parent is leaf]
        return LeafPart(self.names[leaf], self.numbers(leaf.array),
                        self.gradient(leaf, self.tape.grads.get(leaf)), uses)

    def why(self, asked: Any) -> Why:
        leaf, at = asked if isinstance(asked, tuple) else (asked, None)
        node: Any = getattr(leaf, "_node", None)
        if isinstance(leaf, str):
            node = next((n for n in self.tape.leaves if self.names[n] == leaf), None)
        if node not in self.tape.leaves:
            known = ", ".join(self.names[n] for n in self.tape.leaves)
            got = leaf if isinstance(leaf, str) else f"another {type(leaf).__name__}"
            raise ValueError(f"why: expected a leaf of this tensor ({known}), its name, or a pair "
                             f"of one and an index; got {got}")
        at = () if at is None else at if isinstance(at, tuple) else (at,)
        if len(at) != len(node.shape) or any(
                not isinstance(i, int) or not -n <= i < n for i, n in
                zip(at, node.shape, strict=True)):
            raise IndexError(f"why: {at} is no element of {self.names[node]}, whose shape is "
                             f"{tuple(node.shape)}; give one index per dimension")
        at = tuple(i % n for i, n in zip(at, node.shape, strict=True))
        return Paths(self.tape, self.labels, MATRIX).why(node, at, self.names[node])


def _option(value: Any) -> str:
    """Write an option of an op; "" for what needs no mention, or is no plain value."""
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop, value.step)]
        return ":".join(ends[:2] if not ends[2] else ends)
    if isinstance(value, tuple):
        parts = [_option(v) for v in value]
        return f"({', '.join(parts)})" if parts and all(parts) else ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) if isinstance(value, (int, str)) and value is not False else ""
