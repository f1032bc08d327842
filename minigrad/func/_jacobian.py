"""Whole Jacobians and Hessians: `jacrev`, `jacfwd`, `hessian`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._override import here
from ..engine import wrap
from ..ops import shape
from ._grad import Argnums, Pushforward, arranged, back, chosen, prepare_vjp
from ._intercept import refuse_draw
from ._tree import unflatten
from ._vmap import vmap


def basis(tensors: list[Any]) -> list[Any]:
    """Return for every tensor its rows of the identity over all elements of all tensors."""
    total = sum(t._data.size for t in tensors)
    rows, at = [], 0
    for t in tensors:
        made = np.zeros((total, t._data.size), t._data.dtype)
        made[at:at + t._data.size] = np.eye(t._data.size, dtype=t._data.dtype)
        rows.append(wrap(made.reshape(total, *t._data.shape), None))
        at += t._data.size
    return rows


def parts(whole: Any, tensors: list[Any]) -> list[Any]:
    """Split the first dimension into one part per tensor, each in the shape of its tensor."""
    found, at = [], 0
    for t in tensors:
        part = whole[at:at + t._data.size]
        found.append(shape.reshape(part, (*t._data.shape, *whole._data.shape[1:])))
        at += t._data.size
    return found


def jacrev(func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False,
           chunk_size: int | None = None, _preallocate_and_copy: bool = False
           ) -> Callable[..., Any]:
    """Return the function that computes the Jacobian of `func` in reverse mode, row by row.

    The result has the structure of func's output, each leaf that of the arguments at `argnums`,
    each leaf of that the shape output.shape + input.shape. Args: argnums, has_aux: as for `grad`;
    chunk_size: how many rows are computed at a time (default all).

    Cheaper than `jacfwd` if there are more inputs than outputs.

    >>> import minigrad as torch
    >>> torch.func.jacrev(lambda x: x ** 2)(torch.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        nums = chosen(argnums, len(args))
        run, starts, outs, spec, aux = prepare_vjp(func, args, nums, kwargs, has_aux)
        outs = [run.finish(t) if t._data.dtype.kind != "f" else t for t in outs]
        rows = vmap(lambda *one: tuple(back(run, outs, starts, list(one))),
                    chunk_size=chunk_size)(*basis(outs))
        by_input = [parts(whole, outs) for whole in rows]
        made = unflatten([arranged([column[k] for column in by_input], args, argnums, nums)
                          for k in range(len(outs))], spec)
        return (made, aux) if has_aux else made

    return jacobian


def jacfwd(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *,
           randomness: str = "error") -> Callable[..., Any]:
    """Return the function that computes the Jacobian of `func` column by column.

    Arguments and result as for `jacrev`; `randomness` as for `vmap` says whether func may draw
    random numbers ("error": no). The columns are computed by sweeping the tape twice (see `jvp`).

    >>> import minigrad as torch
    >>> torch.func.jacfwd(lambda x: x ** 2)(torch.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        nums = chosen(argnums, len(args))
        with contextlib.nullcontext() if randomness != "error" else _no_draws():
            push = Pushforward("jvp(f, primals, tangents)", func, args, nums, kwargs, has_aux)

        def column_of(*one: Any) -> Any:
            again = push if randomness != "different" else Pushforward(
                "jvp(f, primals, tangents)", func, args, nums, kwargs, has_aux)
            return tuple(again(one))

        columns = vmap(column_of, randomness=randomness)(*basis(push.starts))
        made = []
        for out, column in zip(push.outs, columns, strict=True):
            last = shape.movedim(column, 0, -1)
            ends = np.cumsum([0, *[t._data.size for t in push.starts]])
            made.append(arranged(
                [shape.reshape(last[..., a:b], (*out._data.shape, *t._data.shape))
                 for a, b, t in zip(ends[:-1], ends[1:], push.starts, strict=True)],
                args, argnums, nums))
        result = unflatten(made, push.spec)
        return (result, push.aux) if has_aux else result

    return jacobian


@contextlib.contextmanager
def _no_draws() -> Iterator[None]:
    """Refuse random numbers inside the block."""
    previous, here.refuse = here.refuse, refuse_draw
    try:
        yield
    finally:
        here.refuse = previous


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return the function that computes the Hessian of `func`, as `jacfwd(jacrev(func))`.

    >>> import minigrad as torch
    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)

