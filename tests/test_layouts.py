"""Strides of results: what is row-major in PyTorch is row-major here, so that view() works."""

from __future__ import annotations

import gzip
import json
from functools import cache

import pytest

import minigrad as torch

from . import record_layouts as table

RECORDED = json.loads(gzip.decompress(table.PATH.read_bytes()))
# Row-major here whatever the input (PyTorch: in its layout), or NumPy's choice between two layouts.
OTHERWISE = {
    "x + y", "x > y", "maximum", "x where y", "addcmul", "x + row of y", "x + vector of y", "gelu",
    "sort", "flip", "argsort", "erf", "index list", "roll", "sum keepdim", "cat", "stack", "pad",
    "batch_norm", "conv2d", "max_pool2d", "cat x y", "sigmoid", "nan_to_num",
}
NOT_ROWS = {"sigmoid | expanded", "nan_to_num | expanded"}


@cache
def found():
    table.torch = torch
    return json.loads(json.dumps(table.table()))


def test_row_major_results():
    assert found().keys() == RECORDED.keys()
    bad = {case for case, (_, rows) in RECORDED.items() if rows and not found()[case][1]}
    assert bad == NOT_ROWS


@pytest.mark.parametrize("name", [*table.ONE, *table.TWO])
def test_strides(name):
    cases = [case for case in RECORDED if case.split(" | ")[0] == name]
    differ = [case for case in cases if found()[case] != RECORDED[case]]
    assert not differ or name in OTHERWISE, differ
    assert differ or name not in OTHERWISE, "the strides are PyTorch's now: take it off the list"
