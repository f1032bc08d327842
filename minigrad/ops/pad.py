"""Padding: constants, reflections, repeated edges, or the tensor itself going round."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import takes
from ..engine import op

ndarray = np.ndarray
Ints = tuple[int, ...]


def _pairs(pad: Ints, ndim: int) -> list[tuple[int, int]]:
    """Return (before, after) for every dimension; `pad` starts with the last one."""
    pairs = [(0, 0)] * ndim
    for k in range(len(pad) // 2):
        pairs[ndim - 1 - k] = (pad[2 * k], pad[2 * k + 1])
    return pairs


@op(input=lambda g, pad: constant_pad(g, tuple(-p for p in pad), 0),
    shown="ConstantPadNdBackward0")
def constant_pad(input: Any, pad: Ints, value: float) -> Any:
    """Return the input with `value` around it; negative amounts cut off."""
    pairs = _pairs(pad, input.ndim)
    shape = [s + before + after for s, (before, after) in zip(input.shape, pairs, strict=True)]
    if min(shape, default=0) < 0:
        raise RuntimeError(f"pad: the input size {list(input.shape)} plus the negative padding "
                           f"{list(pad)} would give the size {shape}; cut off less")
    y = np.full(shape, value, input.dtype) if value else np.zeros(shape, input.dtype)
    target = tuple(slice(max(before, 0), size - max(after, 0))
                   for size, (before, after) in zip(shape, pairs, strict=True))
    source = tuple(slice(max(-before, 0), size - max(-after, 0))
                   for size, (before, after) in zip(input.shape, pairs, strict=True))
    y[target] = input[source]
    return y


def _sources(size: int, before: int, after: int, mode: str) -> ndarray:
    """Return for every place of the padded dimension the place its value comes from."""
    place = np.arange(-before, size + after)
    if mode == "replicate":
        return place.clip(0, size - 1)
    if mode == "circular":
        return place % size
    return (size - 1) - np.abs((size - 1) - np.abs(place))


def _shown(pad: Ints, mode: str) -> str:
    if mode == "circular":
        return "torch::autograd::CopySlices"
    return f"{'Reflection' if mode == 'reflect' else 'Replication'}Pad{len(pad) // 2}DBackward0"


@op(input=lambda g, input_shape, pad, mode: _unpad(g, input_shape, pad, mode), shown=_shown)
def _index_pad(input: Any, pad: Ints, mode: str) -> Any:
    for axis, (before, after) in enumerate(_pairs(pad, input.ndim)):
        if before or after:
            input = input.take(_sources(input.shape[axis], before, after, mode), axis)
    return input


@op(input=lambda g, pad, mode: _index_pad(g, pad, mode), shown=_shown)
def _unpad(input: Any, shape: Ints, pad: Ints, mode: str) -> Any:
    """Add every padded value to the place it came from: the adjoint of `_index_pad`."""
    for axis, (before, after) in enumerate(_pairs(pad, input.ndim)):
        if before or after:
            size = shape[axis]
            y = np.zeros((size, *np.delete(input.shape, axis)), input.dtype)
            np.add.at(y, _sources(size, before, after, mode), np.moveaxis(input, axis, 0))
            input = np.moveaxis(y, 0, axis)
    return input


@takes("input")
def pad(input: Any, pad: Ints, mode: str = "constant", value: float | None = None) -> Any:
    """Return the input with `pad` values added around its last dimensions.

    `pad` = (before, after) of the last dimension, then of the one before it, and so on; negative
    amounts cut off. `mode`: "constant" puts `value` (default 0) there; "reflect" mirrors without
    repeating the edge, "replicate" repeats the edge, "circular" goes round: these three pad the
    last 1, 2 or 3 dimensions of an input with one or two more, else NotImplementedError.

    >>> import minigrad as torch
    >>> torch.nn.functional.pad(torch.tensor([[1., 2., 3.]]), (2, 1), mode="reflect")
    tensor([[3., 2., 1., 2., 3., 2.]])
    """
    amounts = _checked(input, pad)
    if mode == "constant":
        return constant_pad(input, amounts, 0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"pad: unknown mode {mode!r}; there are 'constant', 'reflect', "
                                  f"'replicate' and 'circular'")
    if value is not None:
        raise RuntimeError(f"pad: value={value} has no meaning for mode={mode!r}; leave it out")
    n = len(amounts) // 2
    if not 1 <= n <= 3 or input.ndim not in (n + 1, n + 2):
        raise NotImplementedError(
            f"pad: mode={mode!r} takes 2 amounts for 2-d or 3-d input, 4 for 3-d or 4-d and 6 for "
            f"4-d or 5-d, got {2 * n} for input of shape {tuple(input.shape)}")
    _check_amounts(input, amounts, mode)
    if mode == "circular" and min(amounts) < 0:  # cut off first: what is left goes round
        input = constant_pad(input, tuple(min(p, 0) for p in amounts), 0)
        amounts = tuple(max(p, 0) for p in amounts)
    return _index_pad(input, amounts, mode)


def _checked(input: Any, pad: Any) -> Ints:
    if not isinstance(pad, (tuple, list)) or not all(hasattr(p, "__index__") for p in pad):
        raise TypeError(f"pad: argument 'pad' must be a tuple of ints, got {pad!r}")
    if len(pad) % 2:
        raise RuntimeError(f"pad: Padding length must be divisible by 2, (before, after) for each "
                           f"dimension; got {len(pad)} amounts")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(f"pad: got {len(pad)} amounts for input of {input.ndim} dimensions, "
                           f"expected at most {2 * input.ndim}")
    return tuple(int(p) for p in pad)


def _check_amounts(input: Any, pad: Ints, mode: str) -> None:
    """Refuse more than there is to mirror or to go round."""
    for k in range(len(pad)):
        axis = input.ndim - 1 - k // 2
        size = input.shape[axis]
        limit = {"reflect": size - 1, "circular": size}.get(mode, pad[k])
        if not size or pad[k] > limit:
            raise RuntimeError(f"pad: mode={mode!r} can add at most {max(limit, 0)} at either end "
                               f"of dimension {axis} of size {size}, got {pad[k]} (input shape "
                               f"{tuple(input.shape)})")
