"""Expressions with NumPy, sizes, dtypes and devices give what PyTorch gives.

The expressions stand in expressions_numpy.py and expressions_types.py; PyTorch's results are
recorded by tests/record_expressions.py.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

import minigrad

from .expressions import FAMILIES, outcome

DATA = Path(__file__).parent / "data" / "expressions.json.gz"
RECORDED = json.loads(gzip.decompress(DATA.read_bytes()))


@pytest.mark.parametrize("family", FAMILIES)
def test_as_in_pytorch(family):
    wrong = []
    for source, recorded in zip(FAMILIES[family], RECORDED[family], strict=True):
        found = outcome(minigrad, source)
        if found != recorded:
            wrong.append(f"{source}\n  PyTorch:  {recorded}\n  minigrad: {found}")
    assert not wrong, "\n".join(wrong)


def test_errors_say_something():
    """Whatever is refused is refused in a sentence, not by an error from inside."""
    for family, sources in FAMILIES.items():
        for source, recorded in zip(sources, RECORDED[family], strict=True):
            if recorded.startswith("! ") and recorded != "! StopIteration":
                text = message(source)
                assert len(text) > 10, source
                assert "_data" not in text, source


def message(source: str) -> str:
    found = []
    outcome(minigrad, source, found.append)
    return str(found[0])
