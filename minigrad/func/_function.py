"""`autograd.Function` on batched tensors: its own `vmap` rule, or one example at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..modes import state
from ..ops import join, shape
from ..tensor import Tensor
from ._batched import BatchedTensor, Level, at_level, batch, innermost, tensors_in
from ._intercept import check_shapes, row_of


class VmapInfo(NamedTuple):
    """What a Function's `vmap` is told about the batch."""

    batch_size: int
    randomness: str


def apply_batched(function: Any, args: tuple[Any, ...]) -> Any:
    """Do what `function.apply(*args)` does, for every example."""
    level = innermost(tensors_in(args))
    name = function.__name__
    own = function.has_own("vmap")
    if own and function.generate_vmap_rule:
        raise RuntimeError(f"{name}: it has both generate_vmap_rule=True and a vmap staticmethod; "
                           f"set one of them only")
    if not own and not function.generate_vmap_rule:
        raise RuntimeError(f"You tried to vmap over {name}, but it does not have vmap support. "
                           f"Override its vmap staticmethod or set generate_vmap_rule=True.")
    previous = state.levels
    state.levels = tuple(one for one in previous if one is not level)
    try:
        return _by_rule(function, args, level) if own else _one_by_one(function, args, level)
    finally:
        state.levels = previous


def _by_rule(function: Any, args: tuple[Any, ...], level: Level) -> Any:
    dims = tuple(0 if isinstance(a, BatchedTensor) and a._level is level else None for a in args)
    made = function.vmap(VmapInfo(level.size, level.randomness), dims,
                         *at_level(args, level, lambda full: full))
    if not (isinstance(made, tuple) and len(made) == 2):
        raise RuntimeError(f"{function.__name__}.vmap must return two values: the outputs and "
                           f"their batch dimensions")
    outputs, out_dims = made
    if not isinstance(outputs, tuple):
        return _wrapped(outputs, out_dims, level)
    dims_of = out_dims if isinstance(out_dims, tuple) else (out_dims,) * len(outputs)
    if len(dims_of) != len(outputs):
        raise RuntimeError(f"{function.__name__}.vmap returned {len(outputs)} outputs and "
                           f"{len(dims_of)} batch dimensions")
    return tuple(_wrapped(t, d, level) for t, d in zip(outputs, dims_of, strict=True))


def _wrapped(t: Any, dim: int | None, level: Level) -> Any:
    if dim is None or not isinstance(t, Tensor):
        return t
    return batch(shape.movedim(t, dim, 0) if dim else t, level)


def _one_by_one(function: Any, args: tuple[Any, ...], level: Level) -> Any:
    rows = at_level(args, level, lambda full: join.unbind(full, 0))
    results = [function.apply(*row_of(args, rows, level, k)) for k in range(level.size)]
    if not isinstance(results[0], tuple):
        return _stacked(results, function, level)
    return tuple(_stacked(list(column), function, level)
                 for column in zip(*results, strict=True))


def _stacked(column: list[Any], function: Any, level: Level) -> Any:
    if not isinstance(column[0], Tensor):
        return column[0]
    check_shapes([t._data.shape for t in column], function.__name__)
    return batch(join.stack(column, 0), level)
