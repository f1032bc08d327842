"""`rearrange`: move, join and split dimensions by a pattern of names."""

from __future__ import annotations

import math
from typing import Any

from ..ops import join, shape
from ..tensor import Tensor

DOTS, INSIDE = "...", "(...)"  # the others as dimensions of their own, or joined with some
Group = list[Any]  # names; DOTS; or 1 for a dimension of size 1


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Tensor:
    """Return the tensor with its dimensions moved, joined and split as a pattern says.

    Rogozhnikov, Einops: Clear and Reliable Tensor Manipulations with Einstein-like Notation, 2022.
    Args: tensor, or a sequence of tensors, which are stacked first; pattern: "left -> right" with
    the same names on both sides; parentheses join dimensions, `...` stands for any others, 1 and ()
    for a dimension of size 1; axes_lengths: sizes that do not follow from the tensor.

    ValueError for patterns that do not fit, RuntimeError for sizes that do not.

    >>> import minigrad as torch
    >>> x = torch.zeros(2, 3, 4)
    >>> torch.func.rearrange(x, "b h (w two) -> b (h w) two", two=2).shape
    torch.Size([2, 6, 2])
    """
    if not isinstance(tensor, Tensor):
        tensor = join.stack(tensor, 0)
    if not isinstance(pattern, str):
        raise TypeError(f"rearrange: argument 'pattern' must be str, such as 'b c -> c b', got "
                        f"{type(pattern).__name__}")
    left, right = _sides(pattern)
    names, others = _names(left), _names(right)
    dots = {DOTS, INSIDE}
    alone = (set(names) ^ set(others)) - dots
    if alone or bool(dots & set(names)) != bool(dots & set(others)):
        raise ValueError(f"Identifiers only on one side of rearrange expression (should be on "
                         f"both): {sorted(alone) or DOTS}")
    unknown = sorted(set(axes_lengths) - (set(names) - dots))
    if unknown:
        raise ValueError(f"Identifiers not found in rearrange expression: {unknown}")
    dims = _with_dots(left, tensor._data.ndim)
    sizes = _sizes(dims, tuple(tensor._data.shape), axes_lengths)
    split = shape.reshape(tensor, [sizes[name] for group in dims for name in group if name != 1])
    order = [name for group in dims for name in group if name != 1]
    extra = [name for name in order if isinstance(name, int)]  # what ... stands for
    groups = [g for group in right for g in ([[e] for e in extra] if group == [DOTS] else [
        [n for name in group for n in (extra if name == INSIDE else [name])]])]
    places = [order.index(name) for group in groups for name in group if name != 1]
    moved = shape.permute(split, tuple(places))
    return shape.reshape(moved, [math.prod(sizes[n] for n in group if n != 1)  # type: ignore[no-any-return]
                                 for group in groups])


def _sides(pattern: str) -> tuple[list[Group], list[Group]]:
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"Pattern must contain a single '->' separator, got {pattern!r}")
    left, right = (_groups(side) for side in sides)
    if any(INSIDE in group for group in left):
        raise ValueError(f"Ellipsis is parenthesis in the left side is not allowed: {pattern}")
    if any({DOTS, INSIDE} & {*group} for group in right) and [DOTS] not in left:
        raise ValueError(f"Ellipsis found in right side, but not left side of a pattern {pattern}")
    return left, right


def _groups(side: str) -> list[Group]:
    """Read one side: a list of groups, most of them of one name."""
    found: list[Group] = []
    inside = False
    for token in side.replace("(", " ( ").replace(")", " ) ").replace(DOTS, f" {DOTS} ").split():
        if token in "()":
            if (token == "(") == inside:
                raise ValueError(f"Brackets are not balanced, or nested, in {side!r}")
            inside = token == "("
            if inside:
                found.append([])
            continue
        if token != DOTS and token != "1" and (
                not token.isidentifier() or token[0] == "_" or token[-1] == "_"):
            raise ValueError(f"Invalid axis identifier: {token}\nit should be a name that neither "
                             f"starts nor ends with an underscore")
        name = 1 if token == "1" else token
        if inside:
            if name != 1:
                found[-1].append(INSIDE if name == DOTS else name)
        else:
            found.append([] if name == 1 else [name])
    if inside:
        raise ValueError(f"Brackets are not balanced in {side!r}")
    return found


def _names(groups: list[Group]) -> list[str]:
    names = [name for group in groups for name in group]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise ValueError(f"Indexing expression contains duplicate dimension {double}")
    return names


def _with_dots(groups: list[Group], ndim: int) -> list[Group]:
    """Put numbers, one per dimension, in the place of `...`."""
    count = ndim - len(groups) + ([DOTS] in groups)
    if count < 0 or (count and [DOTS] not in groups):
        raise ValueError(f"Number of dimensions in pattern ({len(groups) - ([DOTS] in groups)}) "
                         f"must be equal to the number of dimensions in the tensor ({ndim})")
    at = groups.index([DOTS]) if [DOTS] in groups else len(groups)
    return [*groups[:at], *[[-1 - k] for k in range(count)], *groups[at + 1:]]


def _sizes(groups: list[Group], own: tuple[int, ...], given: dict[str, int]) -> dict[Any, int]:
    """Return the size of every name; at most one per group follows from the others."""
    sizes: dict[Any, int] = dict(given)
    for group, size in zip(groups, own, strict=True):
        missing = [name for name in group if name not in sizes]
        known = math.prod(sizes[name] for name in group if name in sizes)
        if len(missing) > 1:
            raise RuntimeError(f"cannot infer the sizes of two dimensions at once: give one of "
                               f"{missing} as a keyword")
        if missing:
            if not known or size % known:
                raise RuntimeError(f"inferred dimension does not evenly fit into larger dimension: "
                                   f"{size} is no multiple of {known}")
            sizes[missing[0]] = size // known
        elif known != size:
            raise RuntimeError(f"Dimension sizes to do not match ({known} != {size}) in the group "
                               f"{group}")
    return sizes
