"""The tensor that `vmap` hands to a function: one example in looks, the whole batch inside.

A `BatchedTensor` shows the shape of one example. Inside, `_full` is the tensor of all examples,
batch dimension first. It may be batched itself, by an outer vmap. Ops never see one: the engine
meets `BatchedStorage` when it looks at the arguments, and gives the call to `intercept`, which runs
the op on `_full` by a batching rule, or else on one example after the other.

What reads values outside of ops finds a `Ghost` in `_data`, which knows a shape and raises
`Touched` for everything else. `vmap` then starts again with one example at a time, where `_data` is
the array of that example. So there may be a slow answer, but no wrong one.
"""

from __future__ import annotations

import itertools
import math
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .._dispatch import disabled
from ..engine import wrap
from ..modes import state
from ..ops import shape
from ..tensor import Tensor
from ..versions import Intercepted, Storage

ndarray = np.ndarray
new = object.__new__
_numbers = itertools.count(1)


class Touched(Exception):
    """The values of a batch were asked for where only those of one example can be meant."""


class Level:
    """One running vmap: its number (inner ones have larger numbers) and its batch size."""

    __slots__ = ("depth", "exact", "number", "randomness", "size", "written")

    def __init__(self, size: int, exact: bool, randomness: str) -> None:
        self.number, self.size, self.exact = next(_numbers), size, exact
        self.randomness, self.depth = randomness, len(state.levels) + 1
        self.written: list[weakref.ref[Tensor]] = []

    def note(self, t: Tensor) -> None:
        """Remember that a tensor was written in place."""
        if not isinstance(t, BatchedTensor):
            self.written.append(weakref.ref(t))


class _Flags:
    c_contiguous = writeable = forc = True


class Ghost:
    """What stands in `_data`: a shape and a dtype without values."""

    __slots__ = ("dtype", "ndim", "shape", "size")
    flags = _Flags
    stands_for_array = True  # what checks of arguments look at

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self.ndim, self.size = len(shape), math.prod(shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        steps, step = [], self.dtype.itemsize
        for n in reversed(self.shape):
            steps.append(step)
            step *= max(n, 1)
        return tuple(reversed(steps))

    def __len__(self) -> int:
        return self.shape[0]

    def touched(self, *args: Any, **kwargs: Any) -> Any:
        raise Touched

    def __getattr__(self, name: str) -> Any:
        raise Touched

    __array_ufunc__ = __array_function__ = touched
    __array__ = __getitem__ = __setitem__ = __iter__ = __bool__ = __int__ = __float__ = touched
    __add__ = __sub__ = __mul__ = __truediv__ = __lt__ = __gt__ = __le__ = __ge__ = touched
    __eq__ = __ne__ = __radd__ = __rsub__ = __rmul__ = __index__ = __neg__ = touched
    __hash__ = None  # type: ignore[assignment]


class BatchedStorage(Storage):
    """Marks batched tensors: the engine's question about rewritten histories hands over the op."""

    @property
    def rebased(self) -> int:  # type: ignore[override]
        raise Intercepted


_MARK = BatchedStorage()


def _asked_by_minigrad() -> bool:
    """Return True if the caller of the calling method is the package itself, not a program."""
    return str(sys._getframe(2).f_globals.get("__name__")).startswith("minigrad.")


def _refused(name: str, what: str) -> Callable[..., Any]:
    """Return a method that programs must not call. Functions of minigrad get the one example."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _asked_by_minigrad():
            if not isinstance(self._data, ndarray):
                raise Touched
            return getattr(wrap(self._data, None), name)(*args, **kwargs)
        raise RuntimeError(
            f"vmap: It looks like you're calling {what} on a Tensor. We don't support vmap over "
            f"calling {what}: inside vmap a tensor stands for all examples at once. Use operations "
            f"on tensors instead.")

    return method


class BatchedTensor(Tensor):
    """One example of a batch, and all of them at once: see the module's docstring."""

    _full: Tensor
    _level: Level
    _copied = False  # should share memory with another tensor, but does not
    __torch_function__ = disabled

    @property
    def _node(self) -> Any:  # type: ignore[override]
        return self._full._node

    @_node.setter
    def _node(self, value: Any) -> None:
        self._full._node = value

    @property
    def requires_grad(self) -> bool:
        return self._full.requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self._full.requires_grad = value

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        self._full.requires_grad_(requires_grad)
        return self

    @property
    def is_leaf(self) -> bool:
        return self._full.is_leaf

    @property
    def grad(self) -> Any:
        found = self._full.grad
        return None if found is None else batch(found, self._level)

    @grad.setter
    def grad(self, value: Any) -> None:
        self._full.grad = None if value is None else lift(value, [self._level])._full

    @property
    def data(self) -> Tensor:
        return batch(self._full.data, self._level)

    @data.setter
    def data(self, value: Any) -> None:
        raise RuntimeError("vmap: .data of a batched tensor cannot be set; use copy_()")

    def detach(self) -> Tensor:
        return batch(self._full.detach(), self._level)

    def detach_(self) -> Tensor:
        self._full.detach_()
        return self

    def retain_grad(self) -> None:
        self._full.retain_grad()

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any:
        level = self._level

        def of_all(g: Tensor) -> Tensor | None:
            changed = hook(batch(g, level))
            return None if changed is None else lift(changed, [level])._full

        return self._full.register_hook(of_all)

    def _is_view(self) -> bool:
        return self._full._is_view()

    @property
    def _version(self) -> int:
        return self._full._version

    def storage_offset(self) -> int:
        return 0

    def is_inference(self) -> bool:
        return self._full.is_inference()

    item = _refused("item", ".item()")
    tolist = _refused("tolist", ".tolist()")
    numpy = _refused("numpy", ".numpy()")
    __array__ = _refused("__array__", ".numpy()")
    data_ptr = _refused("data_ptr", ".data_ptr()")
    __float__ = _refused("__float__", ".item()")
    __int__ = _refused("__int__", ".item()")
    __index__ = _refused("__index__", ".item()")
    __deepcopy__ = _refused("__deepcopy__", "copy.deepcopy()")

    def __bool__(self) -> bool:
        if _asked_by_minigrad():
            return bool(self._data)
        raise RuntimeError("vmap: It looks like you're attempting to use a Tensor in some "
                           "data-dependent control flow. We don't support that yet: each example "
                           "might take another way. Use torch.where instead of if.")

    def __contains__(self, element: Any) -> bool:
        return bool((self == element).any())

    def __repr__(self, **options: Any) -> str:  # type: ignore[override]
        inner = repr(self._full).replace("\n", "\n    ")
        return f"BatchedTensor(lvl={self._level.depth}, bdim=0, value=\n    {inner}\n)"


def batch(full: Tensor, level: Level) -> BatchedTensor:
    """Return the tensor of one example whose batch at `level` is the first dimension of `full`."""
    made: BatchedTensor = new(BatchedTensor)
    array = full._data
    if level.exact and type(array) is ndarray:
        made._data = array[0]
        if type(made._data) is not ndarray:
            made._data = array.reshape(())
    else:
        made._data = Ghost(array.shape[1:], array.dtype)  # type: ignore[assignment]
    made._full, made._level = full, level
    made._base, made._storage = new(Tensor), _MARK  # a base, so that the engine asks
    return made


# ------------------------------------------------------------------------- levels inside and out
def levels_of(t: Tensor) -> list[Level]:
    """Return the levels at which a tensor is batched, the innermost vmap first."""
    found = []
    while isinstance(t, BatchedTensor):
        found.append(t._level)
        t = t._full
    return found


def core(t: Tensor) -> Tensor:
    """Return the plain tensor inside: dimensions of outer levels first."""
    while isinstance(t, BatchedTensor):
        t = t._full
    return t


def lift(t: Tensor, levels: list[Level]) -> Any:
    """Return the tensor batched at these levels as well, its values repeated where it was not."""
    if not levels:
        return t
    top = max(levels, key=lambda level: level.number)
    if isinstance(t, BatchedTensor) and t._level.number >= top.number:
        rest = [level for level in levels if level is not t._level]
        return batch(lift(t._full, rest), t._level)
    rest = [level for level in levels if level is not top]
    return batch(lift(shape.expand(t, (top.size, *t._data.shape)), rest), top)


def strip(t: Tensor, levels: list[Level]) -> Tensor:
    """Make these levels' batches plain dimensions, in front; other levels stay batched."""
    if not isinstance(t, BatchedTensor):
        return t
    full = strip(t._full, levels)
    if t._level in levels:
        return full
    below = sum(level in levels for level in levels_of(t._full))
    return batch(shape.movedim(full, below, 0) if below else full, t._level)


def rewrap(t: Tensor, levels: list[Level]) -> Tensor:
    """Undo `strip`: make the front dimensions batches of these levels again."""
    if not levels:
        return t
    top = max(levels, key=lambda level: level.number)
    if isinstance(t, BatchedTensor) and t._level.number > top.number:
        return batch(rewrap(shape.movedim(t._full, 0, len(levels)), levels), t._level)
    return batch(rewrap(t, [level for level in levels if level is not top]), top)


# ------------------------------------------------------------------------------------ running ops
def tensors_in(args: Any) -> list[BatchedTensor]:
    """Return the batched tensors among arguments, in lists and tuples as well."""
    found = []
    for arg in args:
        if isinstance(arg, BatchedTensor):
            found.append(arg)
        elif type(arg) in (list, tuple):
            found += tensors_in(arg)
    return found


def at_level(args: Any, level: Level, pick: Callable[[Tensor], Any]) -> list[Any]:
    """Return the arguments with `pick` applied to the tensors batched at `level`."""
    out: list[Any] = []
    for arg in args:
        if isinstance(arg, BatchedTensor) and arg._level is level:
            out.append(pick(arg._full))
        elif type(arg) in (list, tuple):
            out.append(type(arg)(at_level(arg, level, pick)))
        else:
            out.append(arg)
    return out


def innermost(found: list[BatchedTensor]) -> Level:
    """Return the level of the innermost vmap among batched tensors."""
    return max((t._level for t in found), key=lambda level: level.number)
