"""Results (to the last character), error classes and warnings of many expressions are torch's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import minigrad as torch

from .snippets import families, outcome, read

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "snippets.json").read_text())
CASES = [(family, expression) for family in families() for expression in read(family)[1]]


@pytest.mark.parametrize(("family", "expression"), CASES, ids=[f"{f}: {e}" for f, e in CASES])
def test_behaves_as_torch(family, expression):
    got = outcome(torch, read(family)[0], expression)
    assert got == RECORDED[family][expression]


def test_every_error_explains_itself():
    """An error of a refused expression says more than its class."""
    for family, expression in CASES:
        if "error" in RECORDED[family][expression]:
            names = {"t": torch}
            exec("import numpy as np, warnings; warnings.simplefilter('ignore')", names)
            exec(read(family)[0], names)
            with pytest.raises(Exception) as caught:
                eval(expression, names)
            assert len(str(caught.value)) > 12, expression
