"""Calls of assert_close, written once for both libraries, and the facts of what they say."""

from __future__ import annotations

import itertools
import re
import warnings
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any

import numpy as np

Case = tuple[str, tuple[Any, ...], dict[str, Any]]
NAN, INF = float("nan"), float("inf")


def cases(torch: Any) -> list[Case]:
    """Return all calls: name, arguments, options."""
    return [*tensors(torch), *attributes(torch), *numbers(), *arrays(torch), *containers(torch),
            *options(torch)]


def tensors(t: Any) -> Iterator[Case]:
    """Values of all dtypes: equal, near, far, not finite."""
    dtypes = [t.float16, t.float32, t.float64, t.int32, t.int64, t.uint8, t.bool]
    for d in dtypes:
        a = t.tensor([[1, 0, 1], [0, 1, 1]], dtype=d)
        b = t.tensor([[1, 0, 1], [1, 1, 0]], dtype=d)
        yield f"same {d}", (a, a), {}
        yield f"other {d}", (a, b), {}
        yield f"other, loose {d}", (a, b), {"rtol": 0.0, "atol": 2.0}
        yield f"other, strict {d}", (a, b), {"rtol": 0.1, "atol": 0.1}
    for d in dtypes[:3]:
        for e, v in itertools.product((1e-8, 3e-8, 2e-7, 1e-6, 2e-6, 2e-5, 5e-4, 1.5e-3, 0.01),
                                      (0.0, 1.0, 100.0)):
            near = t.tensor([v * (1 + e) + e * (v == 0), 2.0], dtype=d)
            yield f"off by {e} of {v} {d}", (near, t.tensor([v, 2.0], dtype=d)), {}
    for d, e in itertools.combinations(dtypes, 2):
        a, b = t.tensor([1, 0], dtype=d), t.tensor([1, 0], dtype=e)
        yield f"{d} and {e}", (a, b), {}
        yield f"{d} and {e}, unchecked", (a, b), {"check_dtype": False}
        yield f"{d} and {e}, other", (a, t.tensor([1, 1], dtype=e)), {"check_dtype": False}
    odd = t.tensor([1.0, NAN, INF, -INF, 0.0])
    yield "nan", (odd, odd), {}
    yield "nan equal", (odd, odd.clone()), {"equal_nan": True}
    for name, a, b in (("inf and -inf", [INF], [-INF]), ("inf and 3", [INF, 1.0], [3.0, 1.0]),
                       ("3 and inf", [3.0, 1.0], [INF, 1.0]), ("nan and 3", [NAN, 1], [3.0, 1.0]),
                       ("something and 0", [1e-3, 1.0], [0.0, 1.0])):
        yield name, (t.tensor(a), t.tensor(b)), {"equal_nan": True}
    yield "int64 beyond float64", (t.tensor([2**62, 2**53 + 1]), t.tensor([2**62 + 1, 2**53])), {}
    yield "uint8 wraps", (t.tensor([0], dtype=t.uint8), t.tensor([255], dtype=t.uint8)), {}
    yield "int64 overflows", (t.tensor([-2**63]), t.tensor([2**63 - 1])), {}


def attributes(t: Any) -> Iterator[Case]:
    """Shapes, strides, subclasses."""
    yield "shape", (t.ones(2, 3), t.ones(3, 2)), {}
    yield "no broadcasting", (t.ones(1, 3), t.ones(3)), {}
    yield "scalar", (t.tensor(1.0), t.tensor(1.1)), {}
    yield "scalar, loose", (t.tensor(1.0), t.tensor(1.1)), {"rtol": 0.2, "atol": 0.0}
    yield "whole scalar", (t.tensor(1), t.tensor(3)), {}
    yield "empty", (t.ones(0, 3), t.ones(0, 3)), {}
    yield "stride", (t.ones(2, 3).t(), t.ones(3, 2)), {}
    yield "stride checked", (t.ones(2, 3).t(), t.ones(3, 2)), {"check_stride": True}
    yield "stride same", (t.ones(2, 3).t(), t.ones(2, 3).t()), {"check_stride": True}
    yield "requires grad", (t.ones(2, requires_grad=True), t.ones(2)), {}
    yield "parameter", (t.nn.Parameter(t.ones(2)), t.ones(2)), {}
    strict = {"allow_subclasses": False}
    yield "parameter, strict", (t.nn.Parameter(t.ones(2)), t.ones(2)), strict


def numbers() -> Iterator[Case]:
    """Python's numbers, None, strings."""
    pairs = [(1, 1), (1, 2), (1.0, 1.0 + 1e-8), (1.0, 1.1), (1, 1.0), (True, True), (True, False),
             (True, 1), (0.0, 1e-9), (NAN, NAN), (INF, INF), (INF, 1.0), (1, None), (None, None),
             (3, "a"), ("a", "a"), ("a", "b"), (b"a", b"a"), (b"a", b"b"), (1j, 1j)]
    for a, b in pairs:
        yield f"{a!r} and {b!r}", (a, b), {}
        yield f"{a!r} and {b!r}, types unchecked", (a, b), {"check_dtype": False}
    yield "nan numbers", (NAN, NAN), {"equal_nan": True}


def arrays(t: Any) -> Iterator[Case]:
    """NumPy's arrays and scalars, and mixtures."""
    x, y = np.array([1.0, 2.0]), np.array([1.0, 2.5])
    yield "arrays", (x, x), {}
    yield "arrays, other", (x, y), {}
    yield "arrays, dtype", (x.astype("f4"), y), {}
    yield "arrays of int", (np.array([1, 2]), np.array([1, 3])), {}
    yield "NumPy scalars", (np.float64(1), np.float64(1.5)), {}
    yield "NumPy scalar and float", (np.float32(1), 1.0), {}
    yield "array and tensor", (x, t.tensor([1.0, 2.0], dtype=t.float64)), {}
    yield "list and tensor", ([1.0, 2.0], t.tensor([1.0, 2.0])), {}
    yield "number and tensor", (1.0, t.tensor(1.0)), {}


def containers(t: Any) -> Iterator[Case]:
    """Sequences and mappings."""
    a, b = t.tensor([1.0, 2.0]), t.tensor([1.0, 3.0])
    pairs = {
        "lists": ([a, a], [a, a]), "lists, other": ([a, a], [a, b]),
        "tuple, list": ((a, a), [a, a]),
        "length": ([a], [a, a]), "nested": ({"a": [a, (a, b)]}, {"a": [a, (a, a)]}),
        "dict order": ({"a": a, "b": b}, {"b": b, "a": a}),
        "OrderedDict": (OrderedDict(a=a), {"a": a}),
        "keys": ({"a": a, "c": a}, {"a": a, "b": a}), "dict and list": ({"a": a}, [a]),
        "deque": (deque([a]), deque([a])), "set": ({1}, {1}), "strings in": ([a, "x"], [a, "x"]),
        "empty lists": ([], []), "None in": ([None, a], [None, a]),
        "generators": ((i for i in [1]), (i for i in [1])), "objects": (object(), object()),
        "types": (int, int)}
    for name, pair in pairs.items():
        yield name, pair, {}


def options(t: Any) -> Iterator[Case]:
    """Tolerances and messages."""
    a, b = t.tensor([1.0, 2.0]), t.tensor([1.0, 3.0])
    for name, second, given in (
            ("rtol alone", b, {"rtol": 0.1}), ("atol alone", b, {"atol": 0.1}),
            ("exact", a, {"rtol": 0, "atol": 0}), ("exact, other", b, {"rtol": 0, "atol": 0}),
            ("negative", a, {"rtol": -1.0, "atol": 0.0}), ("msg", b, {"msg": "own"}),
            ("msg function", b, {"msg": lambda text: "own: " + text[:12]}),
            ("msg on shape", t.ones(3), {"msg": "own"}),
            ("unchecked", a, {"check_device": False, "check_layout": False}),
            ("unknown", a, {"check_nothing": True})):
        yield name, (a, second), given
    yield "positional", (a, a, 0.1, 0.1), {}


FACTS = {"mismatch": r"Mismatched elements: (\d+) / (\d+) \(([\d.]+)%\)",
         "absolute": r"[Aa]bsolute difference: (\S+)(?: at index (\([^)]*\)))?",
         "absolute allowed": r"[Aa]bsolute difference: .*up to (\S+) allowed",
         "relative": r"[Rr]elative difference: (\S+)(?: at index (\([^)]*\)))?",
         "relative allowed": r"[Rr]elative difference: .*up to (\S+) allowed",
         "item": r"item (\[.*\])", "title": r"^((?:Tensor-likes|Scalars|Booleans|None)[^!:]*)",
         "attribute": r"attribute '(\w+(?:\(\))?)'", "length": r"(\d+ != \d+)",
         "own": r"^(own.*)", "scalars": r"Expected (\S+) but got (\S+)"}


def facts(text: str) -> dict[str, list[str]]:
    """Return the numbers and names in a message, numbers to four digits."""
    found = {name: re.search(pattern, text, re.M) for name, pattern in FACTS.items()}
    return {name: [_plain(g) for g in m.groups() if g is not None]
            for name, m in found.items() if m}


def _plain(text: str) -> str:
    try:
        return f"{float(text.rstrip('.')):.4g}"
    except ValueError:
        return text.rstrip(".")


def outcome(torch: Any, case: Case) -> list[Any]:
    """Make one call; return the class of the error ("" if none) and the facts of its message."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.testing.assert_close(*case[1], **case[2])
        except Exception as error:
            return [type(error).__name__, facts(str(error))]
    return ["", {}]
