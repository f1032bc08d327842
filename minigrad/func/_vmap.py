"""`vmap`: a function of one example becomes a function of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import engine, reshaping, views
from .._override import here
from .._random import default_generator
from ..modes import state
from ..ops import join, shape
from ..tensor import Tensor
from . import _intercept
from ._batched import BatchedTensor, Level, Touched, batch, lift, strip
from ._tree import broadcast_to, flatten, unflatten

_MODES = ("error", "different", "same")


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error",
         *, chunk_size: int | None = None) -> Callable[..., Any]:
    """Return `func`, written for one example, as a function of a batch of examples.

    Args: in_dims: the batch dimension of each argument (an int, None for an argument that all
    examples share, or a structure like the arguments'); out_dims: where the results get theirs;
    randomness: whether random numbers raise ("error"), are drawn for each example ("different") or
    once ("same"); chunk_size: how many examples at a time, None for all.

    Inside, `if x > 0`, `.item()` and writes of a batched value into an unbatched tensor raise
    RuntimeError. Ops without a batching rule run one example at a time: slower, never wrong.

    >>> import minigrad as torch
    >>> torch.vmap(torch.dot)(torch.ones(3, 2), torch.tensor([[1., 2.], [3., 4.], [5., 6.]]))
    tensor([ 3.,  7., 11.])
    """
    if randomness not in _MODES:
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or "
                           f"'same'. Got {randomness}")
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        name = getattr(func, "__name__", repr(func))
        leaves, spec, dims, size = _batches(name, in_dims, args)
        fronts = [leaf if dim is None else _moved(leaf, dim, 0)
                  for leaf, dim in zip(leaves, dims, strict=True)]

        written: list[Any] = []

        def run(start: int, stop: int, exact: bool) -> Any:
            level = Level(stop - start, exact, randomness)
            whole = stop - start == size
            given = [leaf if dim is None else batch(leaf if whole else leaf[start:stop], level)
                     for leaf, dim in zip(fronts, dims, strict=True)]
            previous, refuse = state.levels, here.refuse
            state.levels = (*previous, level)
            if randomness == "error":
                here.refuse = _intercept.refuse_draw
            try:
                made = func(*unflatten(given, spec), **kwargs)
                return _taken_out(name, made, out_dims, level)
            finally:
                state.levels, here.refuse = previous, refuse
                written.extend(level.written)
                if previous:
                    previous[-1].written.extend(level.written)

        if randomness != "error":
            return _joined(_one_by_one(run, size, randomness == "same", written))
        step = size if chunk_size is None else chunk_size
        try:
            return _joined([run(k, min(k + step, size), False)
                            for k in range(0, size, step or 1)] or [run(0, 0, False)])
        except Touched:
            pass
        check_written(written)
        return _joined(_one_by_one(run, size, False, written))

    return mapped


def check_written(written: list[Any]) -> None:
    """Refuse to run a function again that has written into tensors that it did not make."""
    for ref in written:
        if ref() is not None:
            raise RuntimeError(
                "vmap: the function writes in place into a tensor from outside, which is not "
                "batched, and has to run one example at a time (for its random numbers, or for an "
                "operation that cannot run on a batch): the write would happen for each of them. "
                "Return the new value instead.")


def _one_by_one(run: Any, size: int, same: bool, written: list[Any]) -> list[Any]:
    """Run one example at a time, where ops may look at its values; `same` draws for all."""
    parts = []
    generator = here.generator or default_generator
    before = generator.state_bytes() if same else b""
    for k in range(size):
        if same:
            generator.set_state_bytes(before)
        parts.append(run(k, k + 1, True))
        if not k and size > 1:
            check_written(written)
    return parts or [run(0, 0, False)]


def _moved(t: Any, source: int, to: int) -> Any:
    return t if source == to else shape.movedim(t, source, to)


def _batches(name: str, in_dims: Any, args: Any) -> tuple[list[Any], Any, list[Any], int]:
    """Check `in_dims` against the arguments; return leaves, structure, dims and batch size."""
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(f"{where}: expected `in_dims` to be int or a (potentially nested) tuple "
                         f"matching the structure of inputs, got: {type(in_dims)}.")
    if not args:
        raise ValueError(f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, "
                         f"or you are trying to vmap over a function with no inputs. The latter is "
                         f"unsupported.")
    leaves, spec = flatten(args)
    dims = broadcast_to(in_dims, args)
    if dims is None:
        raise ValueError(f"{where}: in_dims is not compatible with the structure of `inputs`: "
                         f"give one entry per argument, or one for all of its parts")
    found: list[Any] = []
    sizes = []
    for leaf, dim in zip(leaves, dims, strict=True):
        if not isinstance(dim, int) and dim is not None:
            raise ValueError(f"{where}: Got in_dim={dim} for an input but in_dim must be either an "
                             f"integer dimension or None.")
        if dim is not None and not isinstance(leaf, Tensor):
            raise ValueError(f"{where}: Got in_dim={dim} for an input but the input is of type "
                             f"{type(leaf)}. We cannot vmap over non-Tensor arguments, please use "
                             f"None as the respective in_dim")
        if dim is not None:
            ndim = leaf._data.ndim
            if not -ndim <= dim < ndim:
                raise ValueError(f"{where}: Got in_dim={dim} for some input, but that input is a "
                                 f"Tensor of dimensionality {ndim} so expected in_dim to satisfy "
                                 f"-{ndim} <= in_dim < {ndim}.")
            dim %= ndim
            sizes.append(leaf._data.shape[dim])
        found.append(dim)
    if not sizes:
        raise ValueError(f"{where}: at least one input must have an in_dim that is not None: "
                         f"there is nothing to map over")
    if len(set(sizes)) > 1:
        raise ValueError(f"vmap: Expected all tensors to have the same size in the mapped "
                         f"dimension, got sizes {sizes} for the mapped dimension")
    return leaves, spec, found, sizes[0]


def _taken_out(name: str, made: Any, out_dims: Any, level: Level) -> Any:
    """Return the plain tensors of one run, their dims and structure."""
    leaves, spec = flatten(made)
    dims = broadcast_to(out_dims, made)
    if dims is None and isinstance(out_dims, tuple) and len(out_dims) == 1 and spec is None:
        dims = list(out_dims)
    if dims is None:
        raise ValueError(f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not "
                         f"compatible with the structure of `outputs`")
    taken = []
    for leaf, dim in zip(leaves, dims, strict=True):
        if dim is None:
            if isinstance(leaf, BatchedTensor) and leaf._level is level:
                raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when "
                                 f"out_dim is None")
            taken.append(leaf)
            continue
        if not isinstance(leaf, Tensor):
            raise ValueError(f"vmap({name}, ...): `{name}` must only return Tensors, got type "
                             f"{type(leaf)}. Did you mean to set out_dims= to None for output?")
        ndim = leaf._data.ndim + 1
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-ndim}, "
                             f"{ndim - 1}], but got {dim})")
        if isinstance(leaf, BatchedTensor) and leaf._level.number > level.number:
            raise RuntimeError(f"vmap({name}, ...): a tensor of an inner vmap was returned")
        if isinstance(leaf, BatchedTensor) and leaf._level is level:
            taken.append(leaf._full)
        else:
            taken.append(strip(lift(leaf, [level]), [level]).clone())
    places = [d if d is None else d % (t._data.ndim) for d, t in zip(dims, taken, strict=True)]
    return taken, places, spec


def _joined(parts: list[Any]) -> Any:
    """Put the results of all chunks together."""
    _, dims, spec = parts[0]
    columns = zip(*[taken for taken, _, _ in parts], strict=True)
    made = []
    for dim, column in zip(dims, columns, strict=True):
        whole = column[0] if dim is None or len(column) == 1 else _together(column)
        made.append(whole if dim is None else _moved(whole, 0, dim))
    return unflatten(made, spec)


def _together(column: Any) -> Any:
    """Join chunks along the batch; examples of different shapes have no batch."""
    _intercept.check_shapes([t._data.shape[1:] for t in column])
    return join.cat(list(column), 0)


engine.intercept = _intercept.intercept
views.intercept_inplace = _intercept.intercept_inplace
reshaping.intercept = _intercept.intercept_reshape
