"""What a graph is made of: nodes, edges, modules, and the numbers that are known of a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KINDS = ("input", "parameter", "buffer", "constant", "op", "view", "module", "output", "loss",
         "error")
OPS = ("op", "view", "module", "error")  # the kinds that compute something


@dataclass(frozen=True, slots=True)
class Stats:
    """What is known of an array's numbers: the finite ones' range, and counts of the special ones.

    `values` are all of them, in row-major order, if there are few; of more, `picture` is a sample
    of at most 16 by 16 from the last two dimensions of the first entry of all others.
    """

    min: float | None = None
    max: float | None = None
    mean: float | None = None
    norm: float | None = None  # the square root of the sum of squares
    zeros: int = 0
    nan: int = 0
    inf: int = 0
    dead: float | None = None  # share of the units (dim 1) that are zero for all samples
    saturated: float | None = None  # of sigmoid, tanh: share of results at the ends of the range
    values: tuple[Any, ...] | None = None
    picture: tuple[tuple[float, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """A value that an op keeps for its backward."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    of: str = ""  # the node whose value it is; "" for an auxiliary result of the op
    memory: int = -1  # values with the same number share their memory
    stats: Stats | None = None  # of an auxiliary result, which no node shows


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the picture: an op, an input, a parameter, a folded module, an output."""

    id: str
    kind: str  # one of KINDS
    label: str  # the op's, parameter's or module's name
    shape: tuple[int, ...] = ()
    dtype: str = ""
    module: str | None = None  # path of the innermost module around it; None: outside of all
    note: str = ""  # a second line: "in place", "9 ops", "frozen"
    saved: tuple[Saved, ...] = ()  # the values that backward keeps
    call: tuple[tuple[str, int], ...] = ()  # which call, for modules around it that run repeatedly
    outputs: tuple[tuple[int, ...], ...] = ()  # the shapes, of an op with several results
    options: tuple[tuple[str, str], ...] = ()  # an op's arguments other than tensors
    grad_fn: str = ""  # the name of its node on the tape; "" if it is not on it
    rules: tuple[tuple[str, str], ...] = ()  # derivative rules as text, by the input's name
    source: str = ""  # file:line of the user's code
    code: str = ""  # that line
    elements: int = 0  # of a parameter, or of the parameters in a folded node
    bytes: int = 0  # of the value
    flops: int | None = None  # of forward, by formula; None: no formula is known
    seconds: float | None = None  # of forward
    backward_seconds: float | None = None
    stats: Stats | None = None  # of the value
    grad: Stats | None = None  # of its gradient
    stop: str = ""  # why no gradient comes here: no_grad, not differentiable, unused, frozen
    inplace: bool = False
    count: int = 1  # how many repeated blocks, or ops, it stands for
    error: str = ""  # of the op that raised: the exception
    phase: str = ""  # of the op that raised: "forward" or "backward"
    verdict: str = ""  # what a gradient check says of it: "ok", "wrong: ...", "not checked"


@dataclass(frozen=True, slots=True)
class Edge:
    """A value on its way from the node that made it to one that uses it."""

    source: str
    target: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    name: str = ""  # the name of the target's argument
    output: int = 0  # which result of the source
    kind: str = "data"  # or "update": the target is a buffer that the source has changed
    gradient: bool = False  # does a gradient go back along it?
    grad_norm: float | None = None  # of what the target sends back
    grad: Stats | None = None  # the same, if it is not all of the source's gradient
    stop: str = ""  # why none goes back: detach, no_grad, not differentiable
    count: int = 1  # how many equal edges it stands for

    @property
    def label(self) -> str:
        """The value's shape, with its dtype if that is not float32."""
        size = "×".join(map(str, self.shape)) or "scalar"
        return size if self.dtype in ("", "float32") else f"{size} {self.dtype}"


@dataclass(frozen=True, slots=True)
class Module:
    """A box around nodes: one module of the model that was called."""

    path: str
    name: str  # the last part of the path; "" for the model itself
    kind: str  # its class
    arguments: str
    parent: str | None
    calls: int = 1
    same_as: str = ""  # the path of the same module where it was called first
    elements: int = 0  # of the parameters below it, each counted once
    training: bool = True
    seconds: float | None = None  # of all its calls together
    error: str = ""  # the exception that left it
    count: int = 1  # of a box around repeated blocks: how many they were
