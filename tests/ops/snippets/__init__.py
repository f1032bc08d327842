"""Expressions that must behave as in torch: one per line of the text files beside this one.

A file's lines `#: ...` are its setup. `outcome` runs one expression on minigrad or torch.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent


def families() -> list[str]:
    """Return the names of the text files."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def read(family: str) -> tuple[str, list[str]]:
    """Return the setup of a family and its expressions."""
    lines = (FOLDER / f"{family}.txt").read_text().splitlines()
    setup = "\n".join(line[3:] for line in lines if line.startswith("#: "))
    return setup, [line for line in lines if line and line[0] != "#"]


def outcome(torch: Any, setup: str, expression: str) -> dict[str, Any]:
    """Return what an expression gives: its repr, or the class of its error; and its warnings."""
    names: dict[str, Any] = {"t": torch, "np": np}
    found: dict[str, Any] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(setup, names)
        try:
            found["result"] = repr(eval(expression, names)).replace("minigrad", "torch")
        except Exception as error:
            found["error"] = type(error).__name__.lstrip("_")
    kinds = sorted({w.category.__name__ for w in caught})
    return {**found, "warnings": kinds} if kinds else found
