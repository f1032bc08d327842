"""The model's views, copies with another shape, joins and indexing: each works on every part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .jets import Array, Unsure
from .model import Tensor, function, result_dtype
from .model_math import combined, outer_parts, refuse, space_of


def axis(x: Tensor, dim: int, extra: int = 0) -> int:
    rank = max(x.v.ndim + extra, 1)
    refuse(not -rank <= dim < rank, "no such dim")
    return dim % rank


# ------------------------------------------------------------------------------------------- views
@function("transpose", saves=False)
def transpose(x: Tensor, a: int, b: int) -> Tensor:
    i, j = axis(x, a), axis(x, b)
    return x.seen(lambda v: v.swapaxes(i, j) if x.v.ndim else v[...])


@function("permute", saves=False)
def permute(x: Tensor, dims: Sequence[int]) -> Tensor:
    order = [axis(x, d) for d in dims]
    return x.seen(lambda v: v.transpose(*order, *range(x.v.ndim, v.ndim)))


def filled(x: Tensor, shape: Sequence[int]) -> list[int]:
    given = [n for n in shape if n != -1]
    rest = x.v.size // max(int(np.prod(given)), 1)
    out = [rest if n == -1 else n for n in shape]
    refuse(int(np.prod(out)) != x.v.size or (-1 in shape and 0 in given), "another size")
    return out


@function("view", saves=False)
def view(x: Tensor, shape: Sequence[int]) -> Tensor:
    new = filled(x, shape)
    refuse(not x.known, "its layout in memory is not certain")
    return x.seen(lambda v: v.reshape([*new, *v.shape[x.v.ndim:]]))


@function("reshape", saves=False)
def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    new = filled(x, shape)
    refuse(not x.known, "its layout in memory is not certain")
    if x.v.size and np.may_share_memory(x.v.reshape(new), x.v):
        return view(x, new)
    return x.space.fresh(x.parts().reshape([*new, x.space.parts]), x.v.dtype, [x], known=False)


@function("flatten", saves=False)
def flatten(x: Tensor, start: int = 0, end: int = -1) -> Tensor:
    i, j = axis(x, start), axis(x, end)
    refuse(i > j or i == j, "nothing to flatten")
    return reshape(x, [*x.shape[:i], int(np.prod(x.shape[i:j + 1])), *x.shape[j + 1:]])


@function("unflatten", saves=False)
def unflatten(x: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    i = axis(x, dim)
    return view(x, [*x.shape[:i], *sizes, *x.shape[i + 1:]])


@function("expand", saves=False)
def expand(x: Tensor, shape: Sequence[int]) -> Tensor:
    lead = len(shape) - x.v.ndim
    refuse(lead < 0, "fewer dims")
    new = [x.shape[k - lead] if n == -1 and k >= lead else n for k, n in enumerate(shape)]
    refuse(any(x.shape[k] not in (1, new[k + lead]) for k in range(x.v.ndim)), "does not fit")
    refuse(any(n < 0 for n in new) or int(np.prod(new)) > 60, "too large")

    def widen(v: Array) -> Array:
        full = v.reshape((1,) * lead + v.shape)
        steps = [0 if full.shape[k] == 1 and n != 1 else full.strides[k] for k, n in enumerate(new)]
        return np.lib.stride_tricks.as_strided(full, [*new, *v.shape[x.v.ndim:]],
                                               [*steps, *full.strides[len(new):]])

    out = x.seen(widen)
    if list(new) != [1] * lead + list(x.shape):
        out.frozen = True
    return out


@function("unsqueeze", saves=False)
def unsqueeze(x: Tensor, dim: int) -> Tensor:
    i = axis(x, dim, 1)
    return x.seen(lambda v: np.expand_dims(v, i))


@function("squeeze", saves=False)
def squeeze(x: Tensor, dim: int) -> Tensor:
    i = axis(x, dim)
    return x.seen(lambda v: v.squeeze(i) if x.v.ndim and x.shape[i] == 1 else v[...])


@function("select", saves=False)
def select(x: Tensor, dim: int, index: int) -> Tensor:
    i = axis(x, dim)
    refuse(not x.v.ndim or not -x.shape[i] <= index < x.shape[i], "no such place")
    return x.seen(lambda v: v[(*(slice(None),) * i, index, ...)])


@function("narrow", saves=False)
def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    i = axis(x, dim)
    refuse(not x.v.ndim or start + length > x.shape[i], "no such place")
    return x.seen(lambda v: v[(slice(None),) * i + (slice(start, start + length),)])


@function("diagonal", saves=False)
def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    refuse(x.v.ndim < 2, "two dims")
    i, j = axis(x, dim1), axis(x, dim2)
    refuse(i == j, "two dims")

    def take(v: Array) -> Array:
        v = v[tuple(slice(max(-offset, 0), None) if k == i else slice(max(offset, 0), None)
                    if k == j else slice(None) for k in range(v.ndim))]
        n = min(v.shape[i], v.shape[j])
        rest = [k for k in range(x.v.ndim) if k not in (i, j)]
        more = list(range(x.v.ndim, v.ndim))
        return np.lib.stride_tricks.as_strided(
            v, [v.shape[k] for k in rest] + [n] + [v.shape[k] for k in more],
            [v.strides[k] for k in rest] + [v.strides[i] + v.strides[j]]
            + [v.strides[k] for k in more])

    return x.seen(take)


@function("unfold", saves=False)
def unfold(x: Tensor, dim: int, size: int, step: int) -> Tensor:
    i = axis(x, dim)
    refuse(not x.v.ndim or size > x.shape[i] or size < 1, "does not fit")
    count = (x.shape[i] - size) // step + 1

    def windows(v: Array) -> Array:
        own = x.v.ndim
        return np.lib.stride_tricks.as_strided(
            v, [*v.shape[:i], count, *v.shape[i + 1:own], size, *v.shape[own:]],
            [*v.strides[:i], v.strides[i] * step, *v.strides[i + 1:own], v.strides[i],
             *v.strides[own:]])

    out = x.seen(windows)
    out.frozen = out.frozen or (step < size and count > 1)
    return out


def pieces(x: Tensor, i: int, sizes: Sequence[int]) -> list[Tensor]:
    refuse(not x.v.ndim, "no dim")
    ends = np.cumsum([0, *sizes])
    out = [narrow(x, i, int(a), int(b - a)) for a, b in pairwise(ends)]
    return several(x, out)


def several(x: Tensor, out: list[Tensor]) -> list[Tensor]:
    x.root.multi = True
    for part in out:
        part.frozen = True
    return out


@function("split", saves=False)
def split(x: Tensor, size: Any, dim: int = 0) -> list[Tensor]:
    i = axis(x, dim)
    refuse(not x.v.ndim or not x.shape[i], "nothing to split")
    n = x.shape[i]
    if isinstance(size, int):
        return pieces(x, i, [min(size, n - k) for k in range(0, n, size)])
    refuse(sum(size) != n, "another size")
    return pieces(x, i, size)


@function("chunk", saves=False)
def chunk(x: Tensor, chunks: int, dim: int = 0) -> list[Tensor]:
    i = axis(x, dim)
    refuse(not x.v.ndim or not x.shape[i], "nothing to split")
    return split(x, -(-x.shape[i] // chunks), dim)


@function("unbind", saves=False)
def unbind(x: Tensor, dim: int = 0) -> list[Tensor]:
    i = axis(x, dim)
    refuse(not x.v.ndim or not x.shape[i], "nothing to split")
    return several(x, [select(x, i, k) for k in range(x.shape[i])])


# ----------------------------------------------------------------------------------------- copies
def copied(x: Tensor, change: Any, known: bool = False) -> Tensor:
    """Return a copy whose parts are moved: `change` works on the first axes."""
    return x.space.fresh(change(x.parts()), x.v.dtype, [x], known=known)


@function("flip", saves=False)
def flip(x: Tensor, dims: Sequence[int]) -> Tensor:
    at = tuple({axis(x, d) for d in dims})
    refuse(not x.v.ndim or len(at) < len(dims), "no dim")
    return copied(x, lambda p: np.flip(p, at))


@function("roll", saves=False)
def roll(x: Tensor, shift: int, dim: int) -> Tensor:
    refuse(not x.v.ndim, "no dim")
    return copied(x, lambda p: np.roll(p, shift, axis(x, dim)))


@function("repeat", saves=False)
def repeat(x: Tensor, times: Sequence[int]) -> Tensor:
    refuse(len(times) < x.v.ndim or int(np.prod(times)) * x.v.size > 60, "too large")
    lead = (1,) * (len(times) - x.v.ndim)
    return copied(x, lambda p: np.tile(p.reshape(lead + p.shape), (*times, 1)))


def triangle(keep: Any) -> Any:
    def call(x: Tensor, diagonal: int = 0) -> Tensor:
        refuse(x.v.ndim < 2, "a matrix")
        mask = keep(np.ones(x.shape[-2:]), diagonal)
        return copied(x, lambda p: p * mask[..., None], known=True)

    return call


function("tril")(triangle(np.tril))
function("triu")(triangle(np.triu))


@function("repeat_interleave", saves=False)
def repeat_interleave(x: Tensor, times: int, dim: int) -> Tensor:
    refuse(not x.v.ndim or times * x.v.size > 60, "too large")
    return copied(x, lambda p: np.repeat(p, times, axis(x, dim)))


def joined(items: Sequence[Tensor], join: Any) -> Tensor:
    space, dtype = space_of(*items), result_dtype(*items)
    return space.fresh(join([t.parts() for t in items]), dtype, items, known=True)


@function("cat", saves=False)
def cat(items: Sequence[Tensor], dim: int = 0) -> Tensor:
    i = axis(items[0], dim)
    shapes = {(*t.shape[:i], *t.shape[i + 1:], t.v.ndim) for t in items}
    refuse(len(shapes) > 1 or not items[0].v.ndim, "does not fit")
    return joined(items, lambda parts: np.concatenate(parts, i))


@function("stack", saves=False)
def stack(items: Sequence[Tensor], dim: int = 0) -> Tensor:
    i = axis(items[0], dim, 1)
    refuse(len({t.shape for t in items}) > 1, "does not fit")
    return joined(items, lambda parts: np.stack(parts, i))


# -------------------------------------------------------------------------------------- indexing
def whole(index: Tensor) -> Array:
    refuse(index.v.dtype != np.int64, "an index is int64")
    return index.v


def placed(x: Tensor, dim: int, index: Tensor) -> tuple[Any, ...]:
    """Return the places that gather and scatter mean: index along dim, the rest as they are."""
    i, at = axis(x, dim), whole(index)
    refuse(not x.v.ndim or at.ndim != x.v.ndim, "as many dims")
    refuse(any(at.shape[k] > x.shape[k] for k in range(at.ndim) if k != i), "does not fit")
    refuse((at < 0) | (at >= x.shape[i]), "no such place")
    grid = list(np.meshgrid(*map(np.arange, at.shape), indexing="ij"))
    grid[i] = at
    return tuple(grid)


@function("gather", saves=False)
def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    places = placed(x, dim, index)
    return copied(x, lambda p: p[places])


@function("scatter_add", saves=False)
def scatter_add(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    places = placed(x, dim, index)
    part = tuple(slice(0, n) for n in index.shape)
    refuse(x.v.dtype != source.v.dtype or source.v.ndim != x.v.ndim, "one dtype")
    refuse(index.shape != source.shape, "torch has no gradient of a part")
    parts = x.parts()
    np.add.at(parts, places, source.parts()[part])
    return combined(x.v.dtype, parts, x, source)


@function("index_select", saves=False)
def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    i, at = axis(x, dim), whole(index)
    refuse(not x.v.ndim or at.ndim != 1, "a list of places")
    refuse((at < 0) | (at >= x.shape[i]), "no such place")
    return copied(x, lambda p: p.take(at, i))


@function("index_add", saves=False)
def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    i, at = axis(x, dim), whole(index)
    refuse(not x.v.ndim or at.ndim != 1 or x.v.dtype != source.v.dtype, "one dtype")
    wanted = (*x.shape[:i], at.size, *x.shape[i + 1:])
    refuse((at < 0) | (at >= x.shape[i]) if wanted == source.shape else True, "does not fit")
    parts = x.parts()
    np.add.at(parts, (slice(None),) * i + (at,), source.parts())
    return combined(x.v.dtype, parts, x, source)


@function("index_fill", saves=False)
def index_fill(x: Tensor, dim: int, index: Tensor, value: float) -> Tensor:
    i, at = axis(x, dim), whole(index)
    refuse(not x.v.ndim or not x.floating or at.ndim != 1, "a list of places")
    refuse((at < 0) | (at >= x.shape[i]), "no such place")
    parts = x.parts()
    parts[(slice(None),) * i + (at,)] = x.space.constant(value)
    return combined(x.v.dtype, parts, x)


@function("masked_fill", saves=False)
def masked_fill(x: Tensor, mask: Tensor, value: float) -> Tensor:
    refuse(mask.v.dtype != bool or not x.floating, "a mask is bool")
    try:
        shape = np.broadcast_shapes(mask.shape, x.shape)
    except ValueError as error:
        raise Unsure("does not fit") from error
    parts, filling = outer_parts(x.space, x, value)
    spread = np.broadcast_to(mask.v, shape)[..., None]
    return combined(x.v.dtype, np.where(spread, filling, parts), x)


@function("masked_select", saves=False)
def masked_select(x: Tensor, mask: Tensor) -> Tensor:
    refuse(mask.v.dtype != bool or mask.shape != x.shape, "a mask is bool")
    return copied(x, lambda p: p[mask.v])


@function("take", saves=False)
def take(x: Tensor, index: Tensor) -> Tensor:
    at = whole(index)
    refuse((at < -x.v.size) | (at >= x.v.size), "no such place")
    return copied(x, lambda p: p.reshape(-1, p.shape[-1])[at])


@function("pad", saves=False)
def pad(x: Tensor, widths: Sequence[int], value: float = 0.0) -> Tensor:
    """Constant padding: pairs of widths, the last dim first; negative ones crop."""
    refuse(len(widths) // 2 > x.v.ndim or not x.floating, "too many dims")
    shape = list(x.shape)
    source: list[Any] = [slice(None)] * x.v.ndim
    target: list[Any] = [slice(None)] * x.v.ndim
    for k in range(len(widths) // 2):
        i, before, after = x.v.ndim - 1 - k, widths[2 * k], widths[2 * k + 1]
        shape[i] += before + after
        refuse(shape[i] < 0 or -before > x.shape[i] or -after > x.shape[i], "nothing left")
        source[i] = slice(max(-before, 0), x.shape[i] - max(-after, 0))
        target[i] = slice(max(before, 0), shape[i] - max(after, 0))
    parts = np.broadcast_to(x.space.constant(value), (*shape, x.space.parts)).copy()
    parts[tuple(target)] = x.parts()[tuple(source)]
    return x.space.fresh(parts, x.v.dtype, [x])
