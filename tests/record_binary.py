"""Record the result dtypes of all functions of two operands, and integer quotients and remainders.

Run with PyTorch installed: python tests/record_binary.py. For each function there is one letter per
pair of operands: the dtype of the result, or "!" for an error.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

from tests.recording import record

PATH = Path(__file__).parent / "data" / "binary.json.gz"
DTYPES = {"h": "float16", "f": "float32", "d": "float64", "b": "int8", "s": "int16", "i": "int32",
          "l": "int64", "u": "uint8", "?": "bool"}
_FUNCTIONS = """
add sub mul div floor_divide remainder fmod pow float_power eq ne lt le gt ge maximum minimum fmax
fmin atan2 hypot copysign nextafter logaddexp logaddexp2 bitwise_and bitwise_or bitwise_xor
bitwise_left_shift bitwise_right_shift logical_and logical_or logical_xor gcd lcm heaviside xlogy
clamp_min clamp_max ldexp rsub true_divide dist dot mm matmul outer kron special.xlog1py where
isclose cat stack lerp addcmul addcdiv addmm add_ mul_ div_ sub_ pow_ remainder_ floor_divide_
bitwise_and_ copy_ maximum_number
"""
FUNCTIONS = _FUNCTIONS.split()
DIVISIONS = ["floor_divide", "remainder", "fmod", "div trunc", "div floor", "true_divide", "gcd",
             "lcm", "bitwise_right_shift", "bitwise_left_shift", "pow"]
torch: Any = None  # the namespace under test


def operands(code: str) -> dict[str, Any]:
    """Return tensors of a dtype by the number of their dimensions."""
    dtype = getattr(torch, DTYPES[code])
    return {"1": torch.ones(1, dtype=dtype), "0": torch.ones((), dtype=dtype)}


def call(name: str, a: Any, b: Any) -> Any:
    """Return the function of two operands (in a form that has two)."""
    if name.endswith("_"):
        return getattr(a.clone(), name)(b)
    if name == "maximum_number":
        return torch.clamp(a, min=b)
    if name == "where":
        return torch.where(torch.tensor([True]), a, b)
    if name in ("cat", "stack"):
        return getattr(torch, name)([a, b])
    if name == "lerp":
        return torch.lerp(a, b, 0.5)
    if name in ("addcmul", "addcdiv"):
        return getattr(torch, name)(a, b, b)
    if name in ("mm", "addmm"):
        a, b = a.reshape(1, 1), b.reshape(1, 1)
        return torch.mm(a, b) if name == "mm" else torch.addmm(a, b, b)
    function = torch
    for part in name.split("."):
        function = getattr(function, part)
    return function(a, b)


def letter(name: str, a: Any, b: Any) -> str:
    """Return the letter of the result's dtype, or "!"."""
    codes = {dtype: code for code, dtype in DTYPES.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = call(name, a, b)
        except (RuntimeError, TypeError, NotImplementedError, ValueError, AttributeError):
            return "!"
    if isinstance(result, bool):
        return "B"
    return codes[str(result.dtype).removeprefix("torch.")]


def dtypes() -> dict[str, str]:
    """Return for each function the letters of all pairs of operands, in order."""
    found = {}
    for name in FUNCTIONS:
        letters = []
        for a in DTYPES:
            for x in operands(a).values():
                for b in DTYPES:
                    letters += [letter(name, x, y) for y in operands(b).values()]
                letters += [letter(name, x, number) for number in (1.5, 2, True)]
                if not name.endswith("_"):
                    letters += [letter(name, number, x) for number in (1.5, 2, True)]
        found[name] = "".join(letters)
    return found


def divisions() -> dict[str, list[Any]]:
    """Return quotients and remainders of whole numbers of all signs, by dtype."""
    found: dict[str, list[Any]] = {}
    for code in "bsilu":
        dtype = getattr(torch, DTYPES[code])
        least = 0 if code == "u" else -128 if code == "b" else -1000
        values = [v for v in (-1000, -128, -7, -3, -2, -1, 0, 1, 2, 3, 5, 7, 127, 255, 1000)
                  if least <= v <= {"b": 127, "u": 255}.get(code, 1000)]
        for name in DIVISIONS:
            shift, power = name.startswith("bitwise"), name == "pow"
            divisors = [d for d in values if (0 <= d < 7 if shift or power else d != 0)]
            a = torch.tensor([v for v in values for _ in divisors], dtype=dtype)
            b = torch.tensor([d for _ in values for d in divisors], dtype=dtype)
            if name.startswith("div "):
                y = torch.div(a, b, rounding_mode=name[4:])
            else:
                y = getattr(torch, name)(a, b)
            found[f"{code} {name}"] = y.tolist()
    return found


def table() -> dict[str, Any]:
    return {"dtypes": dtypes(), "divisions": divisions()}


if __name__ == "__main__":
    record(sys.modules["__main__"])
