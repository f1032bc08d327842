"""Planting a bug: an op's rule is replaced for a while; what a report must then say is derived.

Which elements are wrong is not written down with a bug but measured: the gradient with the bug
is compared with the one without it. So every index that a report names can be judged.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as torch
from minigrad.testing import check_gradients
from minigrad.testing.sentences import ADVICE, SENTENCE

Array = np.ndarray[Any, Any]
Change = Callable[[Array, Array, np.random.Generator], Array]  # (made, g, rng) -> wrong gradient


@contextmanager
def planted(where: str, name: str, change: Change, seed: int = 0) -> Iterator[None]:
    """Let the op `file.function` return a wrong gradient for its input `name`.

    Several functions, separated by blanks, are forms of one op: each gets the bug.
    """
    first, _, others = where.partition(" ")
    if others:
        with planted(first, name, change, seed), planted(others, name, change, seed):
            yield
        return
    file, _, function = first.partition(".")
    op = getattr(importlib.import_module(f"minigrad.ops.{file}"), function).op
    at = op.slots[name]
    rules, backward, plans, run = dict(op.rules), op.backward, op.plans, op.run

    def wrong(made: Any, g: Any) -> Any:
        if made is None or isinstance(made, torch.Tensor):
            return made  # higher orders stay as they are
        return change(made, g, np.random.default_rng(seed))

    if backward is not None:
        k = op.inputs.index(at)
        op.backward = lambda g, *rest: [
            wrong(made, g) if i == k else made for i, made in enumerate(backward(g, *rest))]
    else:
        rule, used = op.rules[at]
        op.rules[at] = (lambda g, *rest: wrong(rule(g, *rest), g), used)
    op.plans, op.run = {}, op.begin
    try:
        yield
    finally:
        op.rules, op.backward, op.plans, op.run = rules, backward, plans, run


@dataclass
class Plant:
    """A bug: where it is, what it does, and the causes that name it."""

    title: str
    make: Callable[..., tuple[Any, ...]]  # rng -> function, inputs
    cause: str  # keys of the sentences, separated by blanks
    op: tuple[str, str, Change] | None = None  # what is replaced
    wrong: Callable[..., tuple[Any, ...]] | None = None  # rng -> function with the bug, inputs
    grad: tuple[Any, Any] | None = None  # of arrays: right and wrong
    kind: str = "mismatch"

    def subject(self, seed: int, bug: bool) -> tuple[Any, list[Any], dict[str, Any]]:
        torch.manual_seed(seed)
        make = self.wrong if bug and self.wrong else self.make
        fn, *inputs = make(np.random.default_rng([seed, *self.title.encode()]))
        return fn, inputs, {"grad": self.grad[bug]} if self.grad else {}

    @contextmanager
    def bug(self, seed: int) -> Iterator[None]:
        if self.op is None:
            yield
        else:
            with planted(*self.op, seed=seed):
                yield

    def gradients(self, seed: int, bug: bool, one: Any = None) -> dict[str, Array]:
        """Return the gradients of the inputs and parameters for three weightings of the outputs."""
        fn, inputs, options = self.subject(seed, bug)
        rng = np.random.default_rng(seed)
        call = fn.forward if isinstance(fn, torch.nn.Module) else fn
        names = list(inspect.signature(call).parameters)[:len(inputs)]
        torch.manual_seed(seed)
        made: list[list[Any]] = []
        if options:
            out = np.asarray(fn(*inputs))
            for g in weightings(rng, out.shape, one):
                made.append(options["grad"](*inputs, np.float64(g) if g.ndim == 0 else g))
        else:
            leaves = [t for t in inputs if t.requires_grad]
            names = [n for n, t in zip(names, inputs, strict=True) if t.requires_grad]
            if isinstance(fn, torch.nn.Module):
                names += [n for n, _ in fn.named_parameters()]
                leaves += list(fn.parameters())
            out = fn(*inputs)
            for g in weightings(rng, tuple(out.shape), one):
                found = torch.autograd.grad(out, leaves, torch.from_numpy(g), retain_graph=True,
                                            allow_unused=True)
                made.append([np.zeros(tuple(t.shape)) if d is None else d.numpy()
                             for d, t in zip(found, leaves, strict=True)])
        found = {}
        for k, name in enumerate(names):
            if np.asarray(inputs[k] if options else made[0][k]).dtype.kind == "f":
                found[name] = np.array([np.zeros(np.shape(inputs[k])) if m[k] is None else m[k]
                                        for m in made], np.float64)
        return found


def weightings(rng: np.random.Generator, shape: tuple[int, ...], one: Any) -> list[Array]:
    if one is None:
        return [np.asarray(rng.standard_normal(shape)) for _ in range(3)]
    g = np.zeros(shape)
    g[one] = 1.0
    return [g]


def says(key: str, cause: str) -> bool:
    """Whether a cause is the sentence of a key, filled in."""
    pattern = re.sub(r"\\\{.*?\\\}", ".*", re.escape(SENTENCE[key]))
    return re.match(pattern, cause) is not None


def wrong_elements(plant: Plant, seed: int, one: Any = None) -> dict[str, Array]:
    """Return for each input whose gradient is wrong which elements are."""
    right = plant.gradients(seed, False, one)
    with plant.bug(seed):
        bad = plant.gradients(seed, True, one)
    found = {}
    for name, a in right.items():
        b = bad[name]
        floor = 1e-9 * np.sqrt((a**2).mean())
        with np.errstate(all="ignore"):
            off = ~(np.abs(a - b) <= 1e-5 * np.maximum(abs(a), abs(b)) + floor)
        if off.any():
            found[name] = off.any(0)
    return found


def check_found(plant: Plant, seed: int) -> Any:
    """Check with and without the bug: found, located, named; and silence without it."""
    fn, inputs, options = plant.subject(seed, False)
    clean = check_gradients(fn, *inputs, seed=seed, **options)
    assert clean.ok, f"false alarm\n{clean}"
    where = wrong_elements(plant, seed)
    assert where, "the bug changes nothing: it is not planted"
    with plant.bug(seed):
        fn, inputs, options = plant.subject(seed, True)
        report = check_gradients(fn, *inputs, seed=seed, **options)
    assert {f.input for f in report.failures} == set(where), f"{set(where)} is wrong\n{report}"
    for name, off in where.items():
        named = np.zeros(off.shape, bool)
        for f in report.failures:
            if f.input == name:
                assert off[f.index].all(), f"{f.index} is right\n{report}"
                named[f.index] = True
        assert (named == off).all() or off.sum() > 8, f"not all of {np.argwhere(off)}\n{report}"
    first = report.failures[0]
    assert first.kind == plant.kind, str(report)
    assert any(says(key, first.cause) for key in plant.cause.split()), f"cause\n{report}"
    assert first.advice in ADVICE.values() and first.advice in str(report)
    alone = not any(isinstance(i, slice) for i in first.index)
    if first.kind == "mismatch" and alone and not isinstance(fn, torch.nn.Module):
        at = wrong_elements(plant, seed, first.output)
        assert at[first.input][first.index], f"output {first.output} is right\n{report}"
    return report


# ---- what a bug does to a gradient: change(made, g, rng)
def times(factor: float) -> Change:
    """A constant factor."""
    return lambda made, g, rng: made * factor


def one(factor: float = 1.1, count: int = 1) -> Change:
    """A few elements of some size times a factor; which ones depends on the seed."""
    def change(made: Array, g: Array, rng: np.random.Generator) -> Array:
        made = np.array(made)
        places = rng.permutation(made.size)[:count]
        made.reshape(-1)[places] *= factor
        return made
    return change


def row(axis: int = 0, factor: float = 1.7) -> Change:
    """One slice along an axis is wrong, by factors that vary."""
    def change(made: Array, g: Array, rng: np.random.Generator) -> Array:
        made = np.array(made)
        part = np.moveaxis(made, axis, 0)
        k = int(rng.integers(len(part)))
        part[k] *= factor + np.arange(part[k].size).reshape(part[k].shape) / 7
        return made
    return change


def zero_part(axis: int = 0) -> Change:
    """The second half along an axis is lost."""
    def change(made: Array, g: Array, rng: np.random.Generator) -> Array:
        made = np.array(made)
        np.moveaxis(made, axis, 0)[made.shape[axis] // 2:] = 0
        return made
    return change


def only_first(axis: int = 0) -> Change:
    """What belongs to all but the first along an axis is left out of a sum."""
    def change(made: Array, g: Array, rng: np.random.Generator) -> Array:
        made = np.array(made)
        np.moveaxis(made, axis, 0)[1:] = 0
        return made
    return change


def varying(made: Array, g: Array, rng: np.random.Generator) -> Array:
    """A factor that differs from element to element."""
    return made * (1.3 + np.sin(np.arange(made.size)).reshape(made.shape) / 4)


def zero(made: Array, g: Array, rng: np.random.Generator) -> Array:
    return np.zeros_like(made)


def handed_on(made: Array, g: Array, rng: np.random.Generator) -> Array:
    return np.array(np.broadcast_to(g, made.shape))


def swapped(made: Array, g: Array, rng: np.random.Generator) -> Array:
    """The last two axes are transposed, or read in the wrong order."""
    return np.ascontiguousarray(np.swapaxes(made, -1, -2)).reshape(made.shape)


def flipped(axis: int = -1) -> Change:
    return lambda made, g, rng: np.flip(made, axis).copy()


def rolled(axis: int = -1, by: int = 1) -> Change:
    return lambda made, g, rng: np.roll(made, by, axis)


def half_precision(made: Array, g: Array, rng: np.random.Generator) -> Array:
    return np.asarray(made, np.float16).astype(np.float64)


def shifted(axis: int = -1) -> Change:
    """The mean along an axis is not subtracted (a stand-in: something else is added)."""
    return lambda made, g, rng: made + np.broadcast_to(
        g.mean(axis, keepdims=True), made.shape) if g.shape == made.shape else made + g.mean()


def not_a_number(made: Array, g: Array, rng: np.random.Generator) -> Array:
    made = np.array(made)
    made.reshape(-1)[rng.integers(made.size)] = np.nan
    return made
