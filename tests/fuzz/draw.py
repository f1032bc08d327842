"""Strategies: a program is drawn line by line; the model says at once whether a line is defined.

So every drawn program is valid, and its expected results are known when it is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from . import model_math, model_reduce, model_shape
from .jets import Unsure
from .lines import EXPRESSIONS, WRITES
from .model import DTYPES, FUNCTIONS, Space, Tensor

assert model_math and model_reduce and model_shape  # they fill FUNCTIONS
DIRECTIONS, LEAF_ELEMENTS = 30, 22
SHAPES = [(3,), (2, 3), (2, 2), (3, 2), (), (1,), (4,), (1, 3), (2, 1, 2), (2, 2, 2), (0, 2),
          (3, 3)]


class NoGrad:
    def __init__(self, space: Space) -> None:
        self.space = space

    def __enter__(self) -> None:
        self.before, self.space.recording = self.space.recording, False

    def __exit__(self, *exc: object) -> None:
        self.space.recording = self.before


def namespace(space: Space) -> Any:
    """Return what stands for `torch` in programs."""
    functions = SimpleNamespace(**FUNCTIONS)
    return SimpleNamespace(
        **FUNCTIONS, **DTYPES, nn=SimpleNamespace(functional=functions), tensor=space.tensor,
        no_grad=lambda: NoGrad(space), contiguous_format="contiguous")


class Program:
    """A program's source text and what the model says about it."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"torch": namespace(space)}
        self.outputs: list[str] = []
        self.leaves: list[str] = []
        self.kept: list[str] = []

    def __repr__(self) -> str:
        """Return the program as one that runs on torch."""
        back = (f"outputs = [{', '.join(self.outputs)}]\ntorch.autograd.backward(outputs, "
                f"[(torch.arange(o.numel()) + k).double().cos().reshape(o.shape).to(o.dtype) "
                f"for k, o in enumerate(outputs)])")
        shown = "\n".join(f"print({name}.grad)" for name in [*self.leaves, *self.kept])
        return "\n".join(["import torch", *self.lines, back, shown])

    def run(self, text: str) -> Any:
        """Run one line in the model: the value of an expression, None for a statement."""
        try:
            return eval(text, self.names)
        except SyntaxError:
            exec(text, self.names)
            return None


class Draft:
    """What the lines of the tables draw from: tensors, dims, numbers."""

    def __init__(self, draw: Callable[[Any], Any], program: Program) -> None:
        self.draw, self.program = draw, program
        self.last = ""

    def pick(self, options: Any) -> Any:
        options = list(options)
        if not options:
            raise Unsure("nothing fits")
        return options[self.draw(st.integers(0, len(options) - 1))]

    def one_in(self, n: int) -> bool:
        return self.draw(st.integers(0, n - 1)) == n - 1

    def tensors(self) -> dict[str, Tensor]:
        return {k: t for k, t in self.program.names.items() if isinstance(t, Tensor)}

    @property
    def now(self) -> Tensor:
        return self.program.names[self.last]

    def x(self, fits: Callable[[Tensor], bool] = lambda t: True) -> str:
        """Pick a tensor, newer ones first; further draws refer to it."""
        self.last = self.pick([k for k, t in reversed(self.tensors().items()) if fits(t)])
        return self.last

    def f(self, *ranks: int) -> str:
        return self.x(lambda t: t.floating and (not ranks or t.v.ndim in ranks))

    def other(self, fits: Callable[[Tensor, Tensor], bool]) -> str:
        """Pick a partner of the last tensor."""
        mine = self.now
        return self.pick(k for k, t in reversed(self.tensors().items()) if fits(mine, t))

    def partner(self) -> str:
        """Pick a tensor to broadcast with, or a number."""
        if self.one_in(4):
            return str(self.number())
        return self.other(lambda a, b: broadcast(a.shape, b.shape) <= 40)

    def same(self) -> str:
        return self.other(lambda a, b: a.shape == b.shape)

    def inner(self) -> str:
        """Pick a tensor that broadcasts into the last one."""
        return self.other(lambda a, b: broadcast(a.shape, b.shape) == a.v.size
                          and b.v.ndim <= a.v.ndim)

    def dim(self) -> int:
        rank = max(self.now.v.ndim, 1)
        return self.draw(st.integers(-rank, rank - 1))

    def dims(self) -> list[int]:
        rank = max(self.now.v.ndim, 1)
        return self.draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=rank,
                                  unique=True))

    def some_dims(self) -> Any:
        return self.pick([self.dim, self.dims, lambda: None])()

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def size(self, low: int = 1, high: int = 3) -> int:
        return self.draw(st.integers(low, high))

    def number(self) -> Any:
        return self.pick([2, 0.5, -1.5, 3, -1, 0.25, 1.0, True])

    def real(self) -> float:
        return self.pick([0.5, -0.75, 1.5, 2.0, -0.25])

    def places(self, dim: int) -> list[int]:
        """Return a list of places along a dim, possibly repeated."""
        shape = self.now.shape
        n = shape[dim] if shape else 0
        if not n:
            raise Unsure("no places")
        return self.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=3))

    def slices(self) -> str:
        """Return a basic index of the last tensor, perhaps with a list or a mask."""
        items = []
        for n in self.now.shape[: self.size(1, 3)]:
            kinds = [":", f"{self.size(0, 1)}:", "::2", f":{max(n - 1, 1)}", "0", "-1", "None, :",
                     "..."]
            items.append(self.pick(kinds))
        if not items or items.count("...") > 1:
            raise Unsure("no index")
        return ", ".join(items)

    def permutation(self) -> list[int]:
        return self.draw(st.permutations(range(self.now.v.ndim)))

    def flat_places(self) -> list[int]:
        n = self.now.v.size
        if not n:
            raise Unsure("no places")
        return self.draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=4))

    def pick_value(self) -> str:
        """Pick what goes into the last tensor: a tensor that broadcasts, its copy or a number."""
        if self.one_in(3):
            return str(self.real())
        return f"{self.inner()}{self.pick(['', '.clone()'])}"

    def shape_of_same_size(self) -> list[int]:
        size = self.now.v.size
        options = [[size], [-1], [1, size], [size, 1], [1, 1, -1]]
        options += [[n, -1] for n in (2, 3, 4) if size and size % n == 0]
        options += [[2, -1, n] for n in (2, 3) if size and size % (2 * n) == 0]
        options += [[]] if size == 1 else []
        return self.pick(options)

    def literal(self, array: np.ndarray) -> str:
        dtype = array.dtype.name if array.dtype != bool else "bool"
        return f"torch.tensor({array.tolist()}, dtype=torch.{dtype})"


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    try:
        return float(np.prod(np.broadcast_shapes(a, b)))
    except ValueError:
        return np.inf


def leaf(draft: Draft, dtypes: list[str], room: int) -> str:
    """Return the line of a leaf or a constant."""
    shape = draft.pick([s for s in SHAPES if np.prod(s) <= room])
    rng = np.random.default_rng(draft.draw(st.integers(0, 9)))
    values = rng.uniform(-1.6, 1.6, shape).round(2)
    dtype = draft.pick(dtypes)
    if dtype == "int64":
        return (f"torch.tensor({(values * 2).astype(int).tolist()}, dtype=torch.int64)"
                f".reshape({list(shape)})")
    if dtype == "bool":
        return f"torch.tensor({(values > 0).tolist()}, dtype=torch.bool).reshape({list(shape)})"
    text = f"torch.tensor({values.tolist()}, dtype=torch.{dtype}).reshape({list(shape)})"
    if len(shape) > 1 and draft.one_in(3):
        text += ".transpose(0, 1)"
    return text


@st.composite
def programs(draw: Any, order: int = 1, steps: int = 10, mixed: bool = True,
             writes: bool = True) -> Program:
    """Draw a program with one to three leaves that require grad and up to `steps` lines."""
    space = Space(DIRECTIONS, order)
    program = Program(space)
    draft = Draft(draw, program)
    for k in range(draw(st.integers(1, 3))):
        dtypes = ["float64"] * 4 + (["float32"] if mixed else [])
        room = LEAF_ELEMENTS - space.used
        add(program, f"{leaf(draft, dtypes, room)}.requires_grad_()")
        program.leaves.append(f"v{k}")
    for _ in range(draw(st.integers(0, 2))):
        dtypes = ["float64", "int64", "bool"] + (["float32"] if mixed else [])
        add(program, leaf(draft, dtypes, 9))
    for _ in range(draw(st.integers(1, steps))):
        step(draft, writes)
    floats = [k for k, t in draft.tensors().items() if t.root.needs and t.floating and t.v.size]
    if not floats:
        floats = program.leaves[:1]
    last = [k for k in floats[-1:] if k not in program.leaves] or floats[-1:]
    program.outputs = sorted({*last, draft.pick(floats), draft.pick(floats)})
    return program


def add(program: Program, text: str) -> None:
    """Run a line and name its results, one or several."""
    result = program.run(text)
    count = sum(isinstance(t, Tensor) for t in program.names.values())
    known = list(program.names.values())
    if isinstance(result, (list, tuple)):
        names = [f"v{count + k}" for k in range(len(result))]
        program.names.update(zip(names, result, strict=True))
        text = f"{', '.join(names)}{',' * (len(names) == 1)} = {text}"
    elif isinstance(result, Tensor) and not any(result is t for t in known):
        program.names[f"v{count}"] = result
        text = f"v{count} = {text}"
    program.lines.append(text)


def step(draft: Draft, writes: bool) -> None:
    """Add one line, or none if what was drawn is not defined."""
    program, space = draft.program, draft.program.space
    if len(program.names) > 24:
        return
    try:
        table = WRITES if writes and draft.one_in(3) else EXPRESSIONS
        text = draft.pick(table.values())(draft)
        if draft.one_in(12):
            inside(program, text, table is WRITES)
            return
        add(program, text)
        made = f"v{sum(isinstance(t, Tensor) for t in program.names.values()) - 1}"
        if table is EXPRESSIONS and program.lines[-1].startswith(f"{made} = "):
            # a second backward meets a hook once or twice: that depends on what an op saves
            if draft.one_in(12) and space.order == 1:
                add(program, f"{made}.register_hook(lambda g: g * 2)")
            elif draft.one_in(12):
                add(program, f"{made}.retain_grad()")
                program.kept.append(made)
    except Unsure:
        return
    assert space.used < space.count


def inside(program: Program, text: str, write: bool) -> None:
    """Add a line that runs under no_grad: a new tensor, or a write that leaves no trace."""
    space = program.space
    if " = " in text and not write:
        raise Unsure("one line")
    space.recording = False
    try:
        if not write and isinstance(program.run(text), (list, tuple)):
            raise Unsure("one result")
        add(program, text if write else f"({text}).clone()")
    finally:
        space.recording = True
    program.lines[-1] = f"with torch.no_grad(): {program.lines[-1]}"
