"""What happens to an op that meets a batched tensor: a batching rule, or one example at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine import Op, apply
from ..modes import state
from ..ops import convert, join
from ..ops import elementwise as pointwise
from ..tensor import Tensor
from ..views import inplace
from ._batched import (
    BatchedTensor,
    Level,
    at_level,
    batch,
    innermost,
    lift,
    tensors_in,
)
from ._table import rule_of

_UNBATCHED_WRITE = (
    "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor "
    "`other` in extra_args that has more elements than `self`. This happened due to `other` being "
    "vmapped over but `self` not being vmapped over in a vmap: {name} would have to write one "
    "value per example into one place. Use the form that returns a new tensor, or make `self` "
    "from a batched tensor (x.new_zeros(...) is batched if x is).")


def intercept(op: Op, args: Sequence[Any]) -> Any:
    """Run an op some of whose arguments are batched; the engine calls this."""
    level = innermost(tensors_in(args))
    rule = rule_of(op)
    if rule is not None:
        made = rule(op, list(args), level)
        if made is not NotImplemented:
            return made
    return looped(op, args, level)


def looped(op: Op, args: Sequence[Any], level: Level) -> Any:
    """Run an op on one example after the other and stack what comes out."""
    if not level.size:
        raise RuntimeError(f"vmap: {op.name} has no batching rule, so it cannot run on a batch "
                           f"of size 0")
    rows = at_level(args, level, lambda full: join.unbind(full, 0))
    results = [apply(op, row_of(args, rows, level, k)) for k in range(level.size)]
    first = results[0]
    if not isinstance(first, (list, tuple)):
        made = _stacked(results, op.name, level)
        made._copied = op.view
        return made
    if len({len(one) for one in results}) > 1:
        check_shapes([(len(one),) for one in results], op.name)
    columns = [_stacked(column, op.name, level) for column in zip(*results, strict=True)]
    return columns if isinstance(first, list) else tuple(columns)


def _stacked(column: Sequence[Any], name: str, level: Level) -> BatchedTensor:
    check_shapes([one._data.shape for one in column], name)
    return batch(join.stack(list(column), 0), level)


def check_shapes(found: Sequence[tuple[int, ...]], name: str = "the function") -> None:
    """Refuse results whose shape depends on the values: they have no common batch."""
    if len(set(found)) > 1:
        raise RuntimeError(f"vmap: We do not support batching operators that can output dynamic "
                           f"shape: {name} returned the shapes {sorted(set(found))}")


def row_of(args: Any, rows: Any, level: Level, k: int) -> list[Any]:
    """Return the arguments of example k: `rows` has lists of examples where `args` is batched."""
    out: list[Any] = []
    for arg, row in zip(args, rows, strict=True):
        if isinstance(arg, BatchedTensor) and arg._level is level:
            out.append(row[k])
        elif type(arg) in (list, tuple):
            out.append(type(arg)(row_of(arg, row, level, k)))
        else:
            out.append(arg)
    return out


def intercept_inplace(op: Op, args: Sequence[Any]) -> Any:
    """Run the in-place form of an op: its result is copied into the batch of its first argument."""
    x = args[0]
    level = innermost(tensors_in(args))
    if not (isinstance(x, BatchedTensor) and x._level is level):
        raise RuntimeError(_UNBATCHED_WRITE.format(name=op.name + "_"))
    if x._copied:
        raise RuntimeError(f"vmap: {op.name}_ would write into a view that had to be copied, and "
                           f"so would not reach its base. Write into the base, or clone() the view "
                           f"first.")
    source = apply(op, [pointwise.clone(x), *args[1:]])
    if source._data.shape != x._data.shape:
        raise RuntimeError(f"output with shape {list(x._data.shape)} doesn't match the broadcast "
                           f"shape {list(source._data.shape)} of {op.name}_; use {op.name} instead")
    if not Tensor._can_cast(source._data.dtype, x._data.dtype):
        raise RuntimeError(
            f"result type {Tensor._type_name(source._data.dtype)} can't be cast to the desired "
            f"output type {Tensor._type_name(x._data.dtype)}; convert with .to() first, or use "
            f"{op.name}, which returns a new tensor")
    noted = state.levels[-1].written if state.levels else []
    count = len(noted)
    inplace(convert.copy, (x._full, lift(source, [level])._full))
    del noted[count:]  # the batch of `x` is no tensor from outside
    return x


def intercept_reshape(x: Any, made: Any) -> Any:
    """Turn a batched tensor itself into the view `made` of it (squeeze_, t_, ...)."""
    x._full, x._data = made._full, made._data
    return x


def refuse_draw() -> None:
    """Refuse a random draw: a vmap with randomness="error" runs."""
    raise RuntimeError(
        "vmap: called random operation while in randomness error mode. Please either use the "
        "'same' or 'different' randomness flags on vmap or perform the randomness operation out "
        "of vmap")
