"""Updates that treat every element alike, run on many small parameters at once.

A NumPy call takes as long for a small array as for one a hundred times larger. So the small
parameters of a group are copied side by side, with their gradients, into flat arrays; their running
averages live there already (the tensors in `state` show parts of it); the formula runs once; the
new values are copied back. Parameters, gradients and states stay the tensors that they were: what a
program changes between two steps counts, and if it replaces an array the flat ones are made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import pairwise
from operator import is_
from typing import Any

import numpy as np

from .._dtype import float64, get_default_dtype
from ..engine import Leaf, wrap
from ..kernels._threads import run
from ..tensor import Tensor
from ..versions import storage_of

ndarray = np.ndarray
SMALL = 16384  # elements up to which a parameter is copied into the flat arrays
FEW = 3  # with fewer of them the copies cost more than they save
BLOCK = 1 << 17  # elements worked on at a time: a block of every array stays in the cache
SHARED = 1 << 18  # elements from which threads share the work: calls on fewer meet at Python's lock
Job = tuple[tuple[Any, ...], list[np.ndarray]]  # a kernel's constants, and p, g and the states


@dataclass(slots=True)
class Elementwise:
    """One formula: `kernel(*constants(t), p, g, *state)` changes p and its state in place.

    t is the number of the step, from 1. Without `counted` the state has no "step", and t is 1 at a
    parameter's first step and 2 later. Where the change of p does not depend on p,
    `change(*constants(t), out, g, *state)` writes what p loses to `out`: the flat values are then
    not needed, which saves two copies.
    """

    kernel: Callable[..., None]
    constants: Callable[[float], tuple[Any, ...]]
    names: list[str]
    counted: bool = True
    change: Callable[..., None] | None = None

    def run(self, optimizer: Any, number: int, params: list[Tensor], by: str, where: Any) -> None:
        """Update the parameters of group `number` that have a gradient."""
        state = optimizer.state
        small, grads, states = [], [], []
        jobs: list[Job] = []
        for param in params:
            node = param._node
            grad = node.grad if type(node) is Leaf else param.grad
            if grad is None:
                continue
            g, own = grad._data, state[param]
            (param._storage or storage_of(param)).wrote(by, where)
            if own and g.size <= SMALL:
                small.append(param)
                grads.append(g)
                states.append(own)
            else:
                jobs.append(self.job(own, param, g))
        flat = self.flat(optimizer, number, small, states) if len(small) >= FEW else None
        t = flat.count() if flat is not None else None
        if t is None:
            jobs += map(self.job, states, small, grads)
        if jobs:
            do_jobs(self.kernel, jobs)
        if flat is not None and t is not None:
            flat.update(self, t, grads)

    def job(self, own: dict[str, Any], param: Tensor, g: ndarray) -> Job:
        """Count a step of one parameter, whose state is `own`; return what is to be done."""
        t = 2.0
        if self.counted and "step" not in own:
            own["step"] = first_step()
        for name in self.names:
            if own.get(name) is None:
                own[name] = zeros_of(param)
                t = 1.0
        if self.counted:
            t = next_step(own)
        return self.constants(t), [param._data, g, *[own[name]._data for name in self.names]]

    def flat(self, optimizer: Any, number: int, params: list[Tensor],
             states: list[dict[str, Any]]) -> Flat | None:
        """Return the flat arrays of these parameters: the last step's, if they still hold."""
        kept: Flat | None = optimizer._flat.get(number)
        if kept is None or not kept.holds(params, states):
            kept = optimizer._flat[number] = Flat.of(params, states, self)
        return kept


@dataclass(slots=True)
class Flat:
    """Small parameters side by side: their values, gradients and states."""

    params: list[Tensor]
    shown: list[ndarray]  # the parameters' own arrays, and then what the states must show
    rows: list[ndarray]  # the parameters' arrays, flat
    values: ndarray
    grads: ndarray
    parts: list[ndarray]  # of `values`, one a parameter
    states: list[ndarray] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of the states, in the order of `shown`
    steps: ndarray | None = None

    @classmethod
    def of(cls, params: list[Tensor], all_own: list[dict[str, Any]],
           rule: Elementwise) -> Flat | None:
        """Copy states side by side and let their tensors show the copies; None if it cannot be."""
        arrays = [param._data for param in params]
        dtype = arrays[0].dtype
        owned: list[list[Any]] = [[own.get(name) for name in rule.names] for own in all_own]
        if any(a.dtype != dtype or not a.flags.c_contiguous for a in arrays) or _overlap(arrays):
            return None
        if any(not isinstance(s, Tensor) or s._data.shape != a.shape or s._data.dtype != dtype
               for own, a in zip(owned, arrays, strict=True) for s in own):
            return None
        ends = np.cumsum([a.size for a in arrays])
        cuts = [slice(int(end) - a.size, int(end)) for end, a in zip(ends, arrays, strict=True)]
        values = np.empty(int(ends[-1]), dtype)
        made = cls(params, [*arrays], [a.reshape(-1) for a in arrays], values,
                   np.empty_like(values), [values[cut] for cut in cuts])
        for k, name in enumerate(rule.names):
            whole = np.concatenate([own[k]._data.reshape(-1) for own in owned])
            made.states.append(whole)
            made.show(name, [own[k] for own in owned],
                      [whole[cut].reshape(a.shape) for cut, a in zip(cuts, arrays, strict=True)])
        if rule.counted:
            counts = [own["step"] for own in all_own]
            made.steps = np.array([c._data for c in counts], counts[0]._data.dtype)
            made.show("step", counts, [made.steps[k:k + 1].reshape(()) for k in range(len(params))])
        return made

    def show(self, name: str, tensors: list[Tensor], views: list[ndarray]) -> None:
        """Let states show parts of an array."""
        self.names.append(name)
        self.shown += views
        for tensor, view in zip(tensors, views, strict=True):
            tensor._data = view

    def holds(self, params: list[Tensor], states: list[dict[str, Any]]) -> bool:
        """Tell whether the parameters and their states still have the arrays that they had."""
        found = [param._data for param in params]
        try:
            for name in self.names:
                found += [own[name]._data for own in states]
        except (KeyError, AttributeError):  # a state is gone
            return False
        return len(found) == len(self.shown) and all(map(is_, found, self.shown))

    def count(self) -> float | None:
        """Count a step of all and return its number; None if they are not at the same step."""
        if self.steps is None:
            return 2.0
        counts = self.steps.tolist()
        t: float = counts[0]
        if counts.count(t) < len(counts):
            return None
        np.add(self.steps, constant(1, self.steps.dtype), self.steps)
        return t + 1

    def update(self, rule: Elementwise, t: float, grads: list[ndarray]) -> None:
        """Run the formula of step t once for all."""
        values = self.values
        np.concatenate(grads, None, self.grads)
        if rule.change is not None:
            in_blocks(rule.change, rule.constants(t), values, self.grads, *self.states)
            for row, part in zip(self.rows, self.parts, strict=True):
                np.subtract(row, part, row)
            return
        np.concatenate(self.rows, None, values)
        in_blocks(rule.kernel, rule.constants(t), values, self.grads, *self.states)
        for row, part in zip(self.rows, self.parts, strict=True):
            row[...] = part


def _overlap(arrays: list[ndarray]) -> bool:
    """Tell whether some arrays share memory: then one update must see the other's result."""
    spans = sorted((a.ctypes.data, a.nbytes) for a in arrays)
    return any(start + size > after for (start, size), (after, _) in pairwise(spans))


# ------------------------------------------------------------------- what the formulas share
def in_blocks(kernel: Callable[..., None], constants: tuple[Any, ...], *arrays: ndarray) -> None:
    """Call an elementwise kernel on arrays of one shape; large ones part by part."""
    if arrays[0].size <= BLOCK:
        kernel(*constants, *arrays)
    else:
        do_jobs(kernel, [(constants, list(arrays))])


def do_jobs(kernel: Callable[..., None], jobs: list[Job]) -> None:
    """Call an elementwise kernel for each job; large ones part by part, and on the threads."""
    tasks: list[Callable[[], None]] = []
    size = 0
    for constants, arrays in jobs:
        count = arrays[0].size
        if count <= BLOCK or not all(a.flags.c_contiguous for a in arrays):
            tasks.append(partial(kernel, *constants, *arrays))
        else:
            flat = [a.reshape(-1) for a in arrays]
            step = -(-count // -(-count // BLOCK))  # parts of equal sizes
            tasks += [partial(kernel, *constants, *[a[start:start + step] for a in flat])
                      for start in range(0, count, step)]
        size += count
    if size >= SHARED and _apart([a for _, arrays in jobs for a in arrays]):
        run(lambda k: tasks[k](), len(tasks))
    else:
        for task in tasks:
            task()


def _apart(arrays: list[ndarray]) -> bool:
    """Tell whether no two arrays show the same memory: then the order of updates is free."""
    owners = set()
    for array in arrays:
        while type(array.base) is ndarray:
            array = array.base
        if array.base is None:
            owners.add(id(array))
    return len(owners) == len(arrays)


@lru_cache(maxsize=256)
def constant(value: float, kind: np.dtype[Any]) -> ndarray:
    """Return a number as a 0-d array: NumPy takes longer to convert it at each call."""
    made = np.array(value, kind)
    made.flags.writeable = False
    return made


def zeros_of(param: Tensor) -> Tensor:
    """Return zeros like a parameter: a running average before the first step."""
    return wrap(np.zeros(param._data.shape, param._data.dtype), None)


def first_step() -> Tensor:
    """Return the number of steps done so far, 0, as PyTorch keeps it: a floating 0-d tensor."""
    kind = np.float64 if get_default_dtype() is float64 else np.float32
    return wrap(np.zeros((), kind), None)


def next_step(state: dict[str, Any]) -> float:
    """Count a step of one parameter and return its number, from 1."""
    count = state["step"]._data
    count += 1
    return count.item()
