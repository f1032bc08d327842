"""Tensors as text: the same characters that PyTorch prints.

The layout works upwards without recursion: elements become rows, rows become blocks, one
dimension at a time. Only what is shown is ever looked at, so a huge tensor prints at once.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._dtype import bool_, dtype, dtype_of, get_default_dtype, int64

Array = np.ndarray[Any, Any]


_DEFAULT: dict[str, Any] = {
    "precision": 4,
    "threshold": 1000,
    "edgeitems": 3,
    "linewidth": 80,
    "sci_mode": None,
}
_PROFILES = {
    "default": _DEFAULT,
    "short": {**_DEFAULT, "precision": 2, "edgeitems": 2},
    "full": {**_DEFAULT, "threshold": math.inf},
}
_options = dict(_DEFAULT)


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors are printed, in every thread. What is not given stays as it is.

    Args: precision: digits after the point (4); threshold: elements above which the middle is
    left out (1000); edgeitems: elements kept at each end then (3); linewidth: characters (80);
    profile: 'default', 'short' or 'full' sets these four first; sci_mode: True or False forces
    or forbids scientific notation, and None (each call's default) decides by the values.

    >>> import minigrad as torch
    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([1.2345])
    tensor([1.23])
    >>> torch.set_printoptions(profile="default")
    """
    new = dict(_options)
    if profile is not None:
        if profile not in _PROFILES:
            names = ", ".join(map(repr, _PROFILES))
            raise ValueError(f"set_printoptions: expected a profile of {names}, got {profile!r}")
        new = dict(_PROFILES[profile])
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    new |= {name: _checked(name, value) for name, value in given.items() if value is not None}
    _options.update(new, sci_mode=sci_mode)


def _checked(name: str, value: Any) -> Any:
    whole = isinstance(value, (int, np.integer)) or (name == "threshold" and value == math.inf)
    if not whole or value < 0:
        raise ValueError(f"set_printoptions: {name} must be an integer >= 0, got {value!r}")
    return value


def get_printoptions() -> dict[str, Any]:
    """Return the print options as arguments for `set_printoptions`."""
    return dict(_options)


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Change the print options (see `set_printoptions`) inside a block, also as a decorator."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def format_tensor(
    array: Array,
    *,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    default_dtype: dtype | None = None,
    prefix: str = "tensor(",
) -> str:
    """Return the text of a tensor that holds an array.

    Args: requires_grad, grad_fn_name: shown behind the values, the name alone if there is one;
    default_dtype: the floating point type that is not shown, default the default dtype;
    prefix: what stands before the values; further lines are indented by its length.

    >>> import numpy as np
    >>> print(format_tensor(np.array([[1.0, -2.5], [0.0, 3.0]], np.float32), requires_grad=True))
    tensor([[ 1.0000, -2.5000],
            [ 0.0000,  3.0000]], requires_grad=True)
    """
    kind, default = dtype_of(array), default_dtype or get_default_dtype()
    notes = []
    if array.size == 0:
        if array.ndim != 1:
            notes.append(f"size={array.shape}")
        hidden: tuple[dtype, ...] = (default,)
    else:
        if not _options["edgeitems"]:
            notes.append(f"size={array.shape}")
        hidden = (default, int64, bool_)
    if kind not in hidden:
        notes.append(f"dtype={kind}")
    if grad_fn_name is not None:
        notes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        notes.append("requires_grad=True")
    return _with_notes(prefix + _values(array, len(prefix)), notes, len(prefix))


def _with_notes(text: str, notes: list[str], indent: int) -> str:
    """Append the notes and the bracket; a note that would pass the line's end starts a new one."""
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        if used + len(note) + 2 > _options["linewidth"]:
            text += ",\n" + " " * indent + note
            used = indent + len(note)
        else:
            text += ", " + note
            used += len(note) + 2
    return text + ")"


def _values(array: Array, indent: int) -> str:
    """Return the bracketed values, row by row, then one dimension further out at a time."""
    if array.size == 0:
        return "[]"
    array, gaps = _shown(array)
    if array.size == 0:
        return "[...]"
    texts, width = _texts(array)
    texts = [text.rjust(width) for text in texts]
    if array.ndim == 0:
        return texts[0]
    indent += array.ndim
    per_line = max(1, (_options["linewidth"] - indent + 1) // (width + 2))
    separator = ",\n" + " " * indent
    blocks = [
        "[" + separator.join(", ".join(line) for line in _batches(row, per_line)) + "]"
        for row in _rows(texts, array.shape[-1], " ..." if gaps[-1] else None)
    ]
    for axis in range(array.ndim - 2, -1, -1):
        indent -= 1
        separator = "," + "\n" * (array.ndim - 1 - axis) + " " * indent
        rows = _rows(blocks, array.shape[axis], "..." if gaps[axis] else None)
        blocks = ["[" + separator.join(row) + "]" for row in rows]
    return blocks[0]


def _shown(array: Array) -> tuple[Array, list[bool]]:
    """Return the elements to print and, for each dimension, whether its middle is left out."""
    if array.size <= _options["threshold"]:
        return array, [False] * array.ndim
    edge = _options["edgeitems"]
    gaps = [size > 2 * edge for size in array.shape]
    keep = [
        np.r_[0:edge, size - edge : size] if gap else np.arange(size)
        for size, gap in zip(array.shape, gaps, strict=True)
    ]
    return array[np.ix_(*keep)] if keep else array, gaps


def _batches(items: list[str], length: int) -> Iterator[list[str]]:
    return (items[start : start + length] for start in range(0, len(items), length))


def _rows(items: list[str], length: int, gap: str | None) -> Iterator[list[str]]:
    """Cut items into rows of a length, each with the gap's mark put into its middle."""
    for row in _batches(items, length):
        yield row if gap is None else [*row[: length // 2], gap, *row[length // 2 :]]


def _texts(array: Array) -> tuple[list[str], int]:
    """Return every element as text and the width they are padded to.

    Infinities, NaN and zeros do not count for the width: they may stick out, as in PyTorch.
    """
    values = array.reshape(-1)
    if values.dtype.kind != "f":
        texts = [str(value) for value in values.tolist()]
        return texts, max(map(len, texts))
    counts = np.isfinite(values) & (values != 0)
    whole, scientific = _notation(values[counts].astype(np.float64))
    precision = _options["precision"]
    if scientific:
        form = f".{precision}e"
    else:
        form = ".0f" if whole else f".{precision}f"
    texts = [format(value, form) for value in values.tolist()]
    if whole and not scientific:
        texts = [text + "." if text[-1].isdigit() else text for text in texts]
    return texts, max(map(len, itertools.compress(texts, counts.tolist())), default=1)


def _notation(values: Array) -> tuple[bool, bool]:
    """Tell whether the finite values but 0 are all whole, and whether to use an exponent."""
    if not values.size:
        return True, False
    sizes = np.abs(values)
    least, most = sizes.min(), sizes.max()
    with np.errstate(over="ignore"):
        wide = most / least > 1000 or most > 1e8 or least < 1e-4
    scientific = bool(wide) if _options["sci_mode"] is None else bool(_options["sci_mode"])
    return bool((values == np.ceil(values)).all()), scientific
