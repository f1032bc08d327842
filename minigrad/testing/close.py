"""`assert_close`: are two tensors, numbers or structures of them equal up to rounding?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import engine

Array = np.ndarray[Any, Any]

DEFAULTS = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
Path = tuple[Any, ...]


def assert_close(actual: Any, expected: Any, *, allow_subclasses: bool = True,
                 rtol: float | None = None, atol: float | None = None, equal_nan: bool = False,
                 check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
                 check_stride: bool = False,
                 msg: str | Callable[[str], str] | None = None) -> None:
    """Assert |actual - expected| <= atol + rtol * |expected| everywhere, and equal types.

    Tensors, arrays, numbers, None, and sequences and mappings of them. Tolerances by default:
    float16 (1e-3, 1e-5), float32 (1.3e-6, 1e-5), float64 (1e-7, 1e-7), others exact; give both or
    none. `msg` replaces the message, or is called with it. AssertionError says what differs and
    where; TypeError for what cannot be compared. Everything is on one device, in one layout.

    >>> import minigrad as torch
    >>> torch.testing.assert_close(torch.ones(2) / 3, torch.full((2,), 0.3333333))
    """
    if (rtol is None) != (atol is None):
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no "
                         f"{'rtol' if rtol is None else 'atol'}.")
    if rtol is not None and (rtol < 0 or atol < 0):  # type: ignore[operator]
        raise ValueError(f"rtol and atol must not be negative, got rtol={rtol}, atol={atol}")
    rules = _Rules(allow_subclasses, rtol, atol, equal_nan, check_dtype, check_stride)
    try:
        _compare(actual, expected, rules, ())
    except _Differs as difference:
        text = str(difference)
        if difference.path:
            text += f"\n\nThe failure occurred for item {_shown(difference.path)}"
        raise AssertionError(msg(text) if callable(msg) else text if msg is None else msg) from None


def assert_allclose(actual: Any, expected: Any, rtol: float | None = None,
                    atol: float | None = None, equal_nan: bool = True, msg: str = "") -> None:
    """Do what `assert_close` does without looking at dtypes; deprecated, as in PyTorch.

    Numbers and lists become tensors. Tolerances by default: float16 (1e-3, 1e-3), float32
    (1e-4, 1e-5), float64 (1e-5, 1e-8).
    """
    warnings.warn("assert_allclose() is deprecated: use assert_close()", FutureWarning,
                  stacklevel=2)
    a, b = (v._data if isinstance(v, engine.Tensor) else np.asarray(v)
            for v in (actual, expected))
    if rtol is None and atol is None:
        table = {"float16": (1e-3, 1e-3), "float32": (1e-4, 1e-5), "float64": (1e-5, 1e-8)}
        found = [table.get(x.dtype.name, (0.0, 0.0)) for x in (a, b)]
        rtol, atol = (max(pair) for pair in zip(*found, strict=True))
    assert_close(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False,
                 msg=msg or None)


@dataclass
class _Rules:
    allow_subclasses: bool
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_dtype: bool
    check_stride: bool

    def tolerances(self, *dtypes: Any) -> tuple[float, float]:
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        found = [DEFAULTS.get(np.dtype(d).name, (0.0, 0.0)) for d in dtypes]
        return max(r for r, _ in found), max(a for _, a in found)


class _Differs(Exception):
    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self.path = path


def _shown(path: Path) -> str:
    return "".join(f"[{part!r}]" for part in path)


def _compare(actual: Any, expected: Any, rules: _Rules, path: Path) -> None:
    """Compare by kind: structures item by item."""
    if _both(actual, expected, Sequence) and not _either(actual, expected, str):
        if len(actual) != len(expected):
            raise _Differs(f"The length of the sequences mismatch: {len(actual)} != "
                           f"{len(expected)}", path)
        for k, (a, b) in enumerate(zip(actual, expected, strict=True)):
            _compare(a, b, rules, (*path, k))
    elif _both(actual, expected, Mapping):
        missing = [k for k in expected if k not in actual]
        further = [k for k in actual if k not in expected]
        if missing or further:
            raise _Differs(f"The keys of the mappings do not match:\nMissing keys in the actual "
                           f"mapping: {missing}\nAdditional keys in the actual mapping: {further}",
                           path)
        for key in actual:
            _compare(actual[key], expected[key], rules, (*path, key))
    elif actual is None or expected is None:
        if actual is not expected:
            raise _Differs(f"None mismatch: {actual!r} is not {expected!r}", path)
    elif _both(actual, expected, engine.Tensor) and (
            rules.allow_subclasses or type(actual) is type(expected)):
        _tensors(actual, expected, actual._data, expected._data, rules, path)
    elif _both(actual, expected, np.ndarray):
        _tensors(actual, expected, actual, expected, rules, path)
    elif _both(actual, expected, (bool, np.bool_)):
        if bool(actual) is not bool(expected):
            raise _Differs(f"Booleans mismatch: {actual} is not {expected}", path)
    elif _both(actual, expected, (int, float, np.number)):
        _numbers(actual, expected, rules, path)
    else:
        where = f" (item {_shown(path)})" if path else ""
        raise TypeError(f"No comparison pair was able to handle inputs of type {type(actual)} and "
                        f"{type(expected)}{where}: give two tensors, two arrays, two numbers, or "
                        f"sequences and mappings of them")


def _both(a: Any, b: Any, kind: Any) -> bool:
    return isinstance(a, kind) and isinstance(b, kind)


def _either(a: Any, b: Any, kind: Any) -> bool:
    return isinstance(a, kind) or isinstance(b, kind)


def _numbers(actual: Any, expected: Any, rules: _Rules, path: Path) -> None:
    """Compare two Python or NumPy numbers."""
    a, b = (v.item() if isinstance(v, np.generic) else v for v in (actual, expected))
    if rules.check_dtype and type(a) is not type(b):
        raise _Differs(f"The (d)types do not match: {type(actual)} != {type(expected)}.", path)
    kinds = ["float64" if isinstance(v, float) else "int64" for v in (a, b)]
    _values(np.asarray(a), np.asarray(b), rules, path, "Scalars", rules.tolerances(*kinds))


def _tensors(first: Any, second: Any, actual: Array, expected: Array, rules: _Rules,
             path: Path) -> None:
    """Compare shapes, strides and dtypes of two tensors or arrays, then their values."""
    facts: list[tuple[str, Any, Any]] = [("shape", first.shape, second.shape)]
    if rules.check_stride:
        a, b = (tuple(s // x.itemsize for s in x.strides) for x in (actual, expected))
        facts.append(("stride()", a, b))
    if rules.check_dtype:
        facts.append(("dtype", first.dtype, second.dtype))
    for name, a, b in facts:
        if a != b:
            raise _Differs(f"The values for attribute '{name}' do not match: {a} != {b}.", path)
    what = "Tensor-likes" if actual.ndim else "Scalars"
    _values(actual, expected, rules, path, what, rules.tolerances(actual.dtype, expected.dtype))


def _values(actual: Array, expected: Array, rules: _Rules, path: Path, what: str,
            tolerances: tuple[float, float]) -> None:
    """Compare the values of two arrays of one shape; raise a message that says where."""
    rtol, atol = tolerances
    wide = np.float64 if "f" in (actual.dtype.kind, expected.dtype.kind) else object
    a, b = actual.astype(wide), expected.astype(wide)
    if wide is object:
        a, b = np.asarray(a * 1, object), np.asarray(b * 1, object)  # booleans count as numbers
    with np.errstate(all="ignore"):
        gap = np.asarray(np.abs(a - b), np.float64)
        size = np.asarray(np.abs(b), np.float64)
        close = np.asarray(a == b, bool) | (np.isfinite(gap) & (gap <= atol + rtol * size))
        if rules.equal_nan and wide is np.float64:
            close |= np.isnan(a) & np.isnan(b)
        relative = np.where(gap == 0, 0.0, gap / size)
    if close.all():
        return
    exact = not (rtol or atol)
    title = f"{what} are not {'equal' if exact else 'close'}!\n\n"
    # where the values are close, the differences do not count (they may be inf - inf)
    worst = [np.where(close, -1.0, np.where(np.isnan(d), np.inf, d)) for d in (gap, relative)]
    at = [tuple(int(k) for k in np.unravel_index(int(w.argmax()), w.shape)) for w in worst]
    absolute, ratio = float(gap[at[0]]), float(relative[at[1]])
    shown: Any = int(absolute) if wide is object else absolute
    allowed = [""] * 2 if exact else [f" (up to {atol} allowed)", f" (up to {rtol} allowed)"]
    if not actual.ndim:
        raise _Differs(f"{title}Expected {b.item()} but got {a.item()}.\n"
                       f"Absolute difference: {shown}{allowed[0]}\n"
                       f"Relative difference: {ratio}{allowed[1]}", path)
    wrong = int((~close).sum())
    raise _Differs(
        f"{title}Mismatched elements: {wrong} / {close.size} ({wrong / close.size:.1%})\n"
        f"Greatest absolute difference: {shown} at index {at[0]}{allowed[0]}\n"
        f"Greatest relative difference: {ratio} at index {at[1]}{allowed[1]}\n"
        f"There actual is {actual[at[0]]}, expected {expected[at[0]]}", path)
