"""Functions that make tensors, with many forms of their arguments, as recorded from PyTorch."""

from __future__ import annotations

import gzip
import json

import pytest

import minigrad as torch

from . import record_forms as table

RECORDED = json.loads(gzip.decompress(table.PATH.read_bytes()))
FUNCTIONS = sorted({code.split("(")[0] for code in RECORDED})


@pytest.mark.parametrize("function", FUNCTIONS)
def test_forms(function, monkeypatch):
    monkeypatch.setattr(table, "torch", torch)
    wrong = []
    for code, wanted in RECORDED.items():
        if code.split("(")[0] == function:
            found = json.loads(json.dumps(table.outcome(code)))
            if found != wanted:
                wrong.append(f"{code}: {found}, PyTorch: {wanted}")
    assert not wrong, "\n".join(wrong)


def test_the_table_is_the_recorded_one():
    assert set(table.cases()) == set(RECORDED)
