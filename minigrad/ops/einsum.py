"""einsum: sums of products by Einstein's convention, as permutations and matrix products."""

from __future__ import annotations

import math
from typing import Any

from .. import _check, engine
from .arrange import diagonal
from .elementwise import mul
from .linalg import bmm, mm
from .reduce import sum
from .shape import permute, reshape, view

Labels = list[Any]  # letters, and negative numbers for the dimensions of an ellipsis


@_check.takes()
def einsum(*args: Any) -> Any:
    """Return the sum of products that an equation such as 'ij,jk->ik' describes.

    Each letter names a dimension. Letters missing on the right of '->' are summed over; without
    '->' the letters that occur once remain, in alphabetical order. '...' stands for any further
    dimensions, which broadcast; a letter twice in one operand takes the diagonal. Instead of an
    equation, lists of numbers may follow the operands: einsum(a, [0, 1], b, [1, 2], [0, 2]).

    >>> import minigrad as torch
    >>> a = torch.tensor([[1., 2.], [3., 4.]])
    >>> torch.einsum("ij,kj->ik", a, a), torch.einsum("ii", a)
    (tensor([[ 5., 11.],
            [11., 25.]]), tensor(5.))
    """
    inputs, output, operands = _read(args)
    if len(inputs) != len(operands):
        word = "fewer" if len(operands) < len(inputs) else "more"
        raise RuntimeError(f"einsum(): {word} operands were provided than specified in the "
                           f"equation: {len(operands)} for {len(inputs)}")
    extra = 0
    for k, (labels, x) in enumerate(zip(inputs, operands, strict=True)):
        extra = max(extra, _spread(labels, x, k))
    if output is None:
        flat = [c for labels in inputs for c in labels if isinstance(c, str)]
        output = [*range(-extra, 0), *sorted(c for c in set(flat) if flat.count(c) == 1)]
    elif "..." in output:
        at = output.index("...")
        output[at:at + 1] = range(-extra, 0)
    _check_output(output, inputs)
    _check_sizes(inputs, operands)
    return _evaluate([_diagonals(x, labels) for x, labels in zip(operands, inputs, strict=True)],
                     output)


# ----------------------------------------------------------------------------- the equation
def _read(args: tuple[Any, ...]) -> tuple[list[Labels], Labels | None, list[Any]]:
    """Return the labels of the inputs and of the output, and the operands."""
    if not args:
        raise ValueError("einsum(): must specify the equation string and at least one operand")
    if isinstance(args[0], str):
        operands = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) else [
            *args[1:]]
        if not operands:
            raise ValueError("einsum(): must provide at least one operand")
        left, arrow, right = args[0].partition("->")
        inputs = [_labels(part) for part in left.split(",")]
        return inputs, _labels(right) if arrow else None, operands
    pairs = len(args) // 2
    inputs = [_numbered(args[2 * k + 1]) for k in range(pairs)]
    output = _numbered(args[-1]) if len(args) % 2 else None
    return inputs, output, [args[2 * k] for k in range(pairs)]


def _labels(text: str) -> Labels:
    found: Labels = []
    k = 0
    while k < len(text):
        if text.startswith("...", k):
            if "..." in found:
                raise RuntimeError("einsum(): found '.' that is not part of any ellipsis, or two "
                                   "ellipses for one operand")
            found.append("...")
            k += 3
            continue
        if text[k].isascii() and text[k].isalpha():
            found.append(text[k])
        elif text[k] != " ":
            raise RuntimeError(f"einsum(): invalid subscript given at index {k} in {text!r}: "
                               f"subscripts must be in [a-zA-Z], got {text[k]!r}")
        k += 1
    return found


def _numbered(items: Any) -> Labels:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    found: Labels = []
    for item in items:
        if item is not Ellipsis and not 0 <= item < 52:
            raise ValueError(f"einsum(): subscripts must be in [0, 52), got {item}")
        found.append("..." if item is Ellipsis else letters[item])
    return found


def _spread(labels: Labels, x: Any, k: int) -> int:
    """Replace '...' by one label per dimension, counted from the right; return how many."""
    if not isinstance(x, engine.Tensor):
        raise TypeError(f"einsum(): expected Tensor as operand {k}, but got {type(x).__name__}")
    if "..." not in labels:
        if len(labels) != x.ndim:
            raise RuntimeError(f"einsum(): the number of subscripts in the equation ({len(labels)})"
                               f" does not match the number of dimensions ({x.ndim}) for operand "
                               f"{k} and no ellipsis was given")
        return 0
    count = x.ndim - len(labels) + 1
    if count < 0:
        raise RuntimeError(f"einsum(): the number of subscripts in the equation ({len(labels) - 1})"
                           f" is more than the number of dimensions ({x.ndim}) for operand {k}")
    at = labels.index("...")
    labels[at:at + 1] = range(-count, 0)
    return count


def _check_output(output: Labels, inputs: list[Labels]) -> None:
    known = {c for labels in inputs for c in labels}
    for c in output:
        if output.count(c) > 1:
            raise RuntimeError(f"einsum(): output subscript {c} appears more than once in the "
                               f"output")
        if c not in known:
            raise RuntimeError(f"einsum(): output subscript {c} does not appear in the equation "
                               f"for any input operand")


def _check_sizes(inputs: list[Labels], operands: list[Any]) -> None:
    seen: dict[Any, int] = {}
    for k, (labels, x) in enumerate(zip(inputs, operands, strict=True)):
        own: dict[Any, int] = {}
        for c, n in zip(labels, x._data.shape, strict=True):
            if own.setdefault(c, n) != n:
                raise RuntimeError(f"einsum(): subscript {c} is repeated for operand {k} but the "
                                   f"sizes don't match, {n} != {own[c]}")
            if n != 1 and seen.setdefault(c, n) != n:
                raise RuntimeError(f"einsum(): subscript {c} has size {n} for operand {k} which "
                                   f"does not broadcast with previously seen size {seen[c]}")


# ---------------------------------------------------------------------------- the products
def _diagonals(x: Any, labels: Labels) -> tuple[Any, Labels]:
    """Take the diagonal of dimensions with the same letter."""
    labels = list(labels)
    for c in set(labels):
        while labels.count(c) > 1:
            i = labels.index(c)
            j = labels.index(c, i + 1)
            x = diagonal(x, 0, i, j)
            labels = [*labels[:i], *labels[i + 1:j], *labels[j + 1:], c]
    return x, labels


def _evaluate(terms: list[tuple[Any, Labels]], output: Labels) -> Any:
    """Contract pairs of operands (for more than two: in a greedy order) until one is left."""
    single = len(terms) == 1
    while len(terms) > 1:
        i, j = _cheapest(terms, output) if len(terms) > 2 else (0, 1)
        right, left = terms.pop(j), terms.pop(i)
        others = {c for _, labels in terms for c in labels}
        terms.append(_contract(left, right, others | set(output), output))
    x, labels = terms[0]
    gone = [c for c in labels if c not in output]
    order = [labels.index(c) for c in [*output, *gone]]
    if single or order != list(range(len(order))):
        x = permute(x, tuple(order))
        if not single:
            x = view(x, tuple(x.shape))  # the step that PyTorch ends with
    return sum(x, tuple(range(len(output), len(labels)))) if gone else x


def _cheapest(terms: list[tuple[Any, Labels]], output: Labels) -> tuple[int, int]:
    """Return the pair whose contraction leaves the smallest result."""
    best, pair = math.inf, (0, 1)
    for i in range(len(terms)):
        for j in range(i + 1, len(terms)):
            sizes: dict[Any, int] = {}
            for x, labels in (terms[i], terms[j]):
                for c, n in zip(labels, x.shape, strict=True):
                    sizes[c] = max(n, sizes.get(c, 1))
            kept = {c for k, (_, labels) in enumerate(terms) if k not in (i, j) for c in labels}
            size = math.prod(n for c, n in sizes.items() if c in kept or c in output)
            cost = size - terms[i][0]._data.size - terms[j][0]._data.size
            if cost < best:
                best, pair = cost, (i, j)
    return pair


def _contract(a: tuple[Any, Labels], b: tuple[Any, Labels], keep: set[Any],
              output: Labels) -> tuple[Any, Labels]:
    """Return the product of two operands, summed over the labels that nobody needs any more."""
    (x, lx), (y, ly) = (_prepared(p, q[1], keep) for p, q in ((a, b), (b, a)))
    x, lx, y, ly = _without_ones(x, lx, y, ly)
    summed = [c for c in lx if c in ly and c not in keep]
    if not summed:
        return _multiply(x, lx, y, ly, output)
    shared = [c for c in lx if c in ly and c in keep]
    free_x, free_y = [c for c in lx if c not in ly], [c for c in ly if c not in lx]
    size = dict(zip([*lx, *ly], [*x.shape, *y.shape], strict=True))
    count = [math.prod(size[c] for c in group) for group in (shared, free_x, summed, free_y)]
    left = _ordered(x, lx, [*shared, *free_x, *summed])
    right = _ordered(y, ly, [*shared, *summed, *free_y])
    if shared:
        z = bmm(_shaped(left, (count[0], count[1], count[2])),
                _shaped(right, (count[0], count[2], count[3])))
    else:
        z = mm(_shaped(left, (count[1], count[2])), _shaped(right, (count[2], count[3])))
    labels = [*shared, *free_x, *free_y]
    return view(z, tuple(size[c] for c in labels)), labels


def _ordered(x: Any, labels: Labels, wanted: Labels) -> Any:
    return x if labels == wanted else permute(x, tuple([labels.index(c) for c in wanted]))


def _shaped(x: Any, shape: tuple[int, ...]) -> Any:
    return x if x._data.shape == shape else reshape(x, shape)


def _prepared(term: tuple[Any, Labels], others: Labels, keep: set[Any]) -> tuple[Any, Labels]:
    """Sum an operand over the labels that occur nowhere else."""
    x, labels = term
    alone = [i for i, c in enumerate(labels) if c not in keep and c not in others]
    if not alone:
        return term
    return sum(x, tuple(alone)), [c for i, c in enumerate(labels) if i not in alone]


def _without_ones(x: Any, lx: Labels, y: Any, ly: Labels) -> tuple[Any, Labels, Any, Labels]:
    """Drop from one operand the dimensions of size 1 that the other one has larger."""
    for c in [c for c in lx if c in ly]:
        n, m = x.shape[lx.index(c)], y.shape[ly.index(c)]
        if n == 1 != m:
            x, lx = reshape(x, tuple(s for s, d in zip(x.shape, lx, strict=True) if d != c)), [
                d for d in lx if d != c]
        elif m == 1 != n:
            y, ly = reshape(y, tuple(s for s, d in zip(y.shape, ly, strict=True) if d != c)), [
                d for d in ly if d != c]
    return x, lx, y, ly


def _multiply(x: Any, lx: Labels, y: Any, ly: Labels, output: Labels) -> tuple[Any, Labels]:
    """Return the elementwise product; the dimensions stand in the order of the output."""
    both = {*lx, *ly}
    labels = [c for c in output if c in both]
    labels += [c for c in dict.fromkeys([*lx, *ly]) if c not in labels]

    def aligned(z: Any, lz: Labels) -> Any:
        order = [lz.index(c) for c in labels if c in lz]
        size = dict(zip(lz, z.shape, strict=True))
        if order != list(range(len(order))):
            z = permute(z, tuple(order))
        return reshape(z, tuple(size.get(c, 1) for c in labels)) if len(lz) < len(labels) else z

    return mul(aligned(x, lx), aligned(y, ly)), labels
