"""The line to paste: the call that was made, from the caller's source or its variables."""

from __future__ import annotations

import ast
import linecache
from types import FrameType
from typing import Any

DROPPED = ("seed", "only", "raise_exception")


def call_text(frame: FrameType, name: str = "check_gradients") -> tuple[str, list[str]] | None:
    """Return the called function as it is written in the caller's source, and its arguments."""
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    line, last, column, end = positions
    if None in positions or line is None or last is None:
        return None
    source = "".join(linecache.getline(frame.f_code.co_filename, k, frame.f_globals)
                     for k in range(line, last + 1)).encode()
    lines = source.split(b"\n")
    offset = sum(len(text) + 1 for text in lines[:last - line]) + (end or 0)
    try:
        call = ast.parse(source[column or 0:offset].decode(), mode="eval").body
    except (SyntaxError, UnicodeDecodeError):
        return None
    if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith(name):
        return None
    kept = [ast.unparse(k) for k in call.keywords if k.arg not in DROPPED]
    return ast.unparse(call.func), [*map(ast.unparse, call.args), *kept]


def variable_names(frame: FrameType, values: tuple[Any, ...]) -> list[str]:
    """Return the names that the caller has for values, or a short description."""
    known = {id(v): k for k, v in [*frame.f_globals.items(), *frame.f_locals.items()]}
    return [known.get(id(v)) or getattr(v, "__name__", None) or f"<{type(v).__name__}>"
            for v in values]


def reproduce_line(frame: FrameType, fn: Any, inputs: tuple[Any, ...], order: int,
                   seed: int) -> str:
    """Return the call, to be completed by `only=...)`."""
    found = call_text(frame)
    if found is not None:
        function, parts = found
    else:
        function = "minigrad.testing.check_gradients"
        parts = variable_names(frame, (fn, *inputs)) + ([f"order={order}"] if order != 1 else [])
    return f"{function}({', '.join([*parts, f'seed={seed}'])}"


def gradcheck_line(frame: FrameType, line: str) -> str:
    """Return the line for a call of `gradcheck` in the caller's words; "" if they are not known.

    For `gradgradcheck`, whose function of gradients has no name, there is none.
    """
    found = call_text(frame, "gradcheck")
    inside = frame.f_globals.get("__name__") == "minigrad.autograd.gradcheck"
    if found is None or inside or len(found[1]) < 2:
        return ""
    function, inputs = found[1][:2]
    only = line[line.index(", seed="):]
    star = inputs if inputs.startswith(("(", "[")) else f"({inputs},)"
    given = f"*{star}" if star == inputs else (
        f"*({inputs} if isinstance({inputs}, (tuple, list)) else {star})")
    return f"minigrad.testing.check_gradients({function}, {given}{only}"
