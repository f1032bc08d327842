"""The user's source line of an op, and the derivative rules of an op as text."""

from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
Place = tuple[str, int, str]


@functools.lru_cache(1024)
def ours(file: str) -> bool:
    """Tell whether a code object's file is minigrad's; some stand in "<...>", to be skipped."""
    return file.startswith(PACKAGE) or (file.startswith("<") and PACKAGE in file)


def user_frame() -> Place:
    """Return (file, line, function) of the innermost frame that is not minigrad's own."""
    frame: Any = sys._getframe(1)
    while frame is not None and ours(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return ("", 0, "")
    return (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def shown(place: Place) -> tuple[str, str]:
    """Return "file:line" (relative to the working directory, if it lies below) and the code."""
    file, line, _ = place
    if not file:
        return "", ""
    code = linecache.getline(file, line).strip()
    here = os.getcwd() + os.sep
    return f"{file.removeprefix(here)}:{line}", code


def rules_of(op: Any) -> tuple[tuple[str, str], ...]:
    """Return the derivative rules of an op as they stand in its declaration."""
    if hasattr(op, "cls"):
        return (("backward", f"{op.cls.__name__}.backward"),)
    return _rules(op)


@functools.lru_cache(maxsize=1024)
def _rules(op: Any) -> tuple[tuple[str, str], ...]:
    found = []
    for name, rule in _declared(op).items():
        text = ast.unparse(rule)
        if text != "None":
            found.append((name, text))
    if op.backward is not None:
        found.insert(0, ("backward", f"fused: uses {', '.join(op.backward_names) or 'nothing'}"))
    return tuple(found)


def _declared(op: Any) -> dict[str, ast.expr]:
    """Return the rules' expressions by input, read from the decorator."""
    try:
        tree = _parsed(op.forward.__code__.co_filename)
    except (OSError, SyntaxError):
        return {}
    names = set(op.names) | {"reference"}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.strip("_") == op.name:
            for call in node.decorator_list:
                if isinstance(call, ast.Call):
                    return {k.arg: k.value for k in call.keywords
                            if k.arg in names and k.arg is not None}
    return {}


@functools.lru_cache(maxsize=128)
def _parsed(file: str) -> ast.Module:
    with open(file, encoding="utf-8") as f:
        return ast.parse(f.read())
