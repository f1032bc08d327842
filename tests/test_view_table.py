"""Every view op, written through the view and through its base, against what torch did.

Values, gradients, `_is_view`, `_base`, sharing of memory, strides, versions, names of `grad_fn`,
and which writes are refused: tests/record_views.py.
"""

from __future__ import annotations

import gzip
import json
import math

import pytest

import minigrad as torch

from . import record_views as table

RECORDED = json.loads(gzip.decompress(table.PATH.read_bytes()))
# Writes into overlapping memory: torch refuses some (expand) and leaves others undefined (unfold,
# as_strided); minigrad refuses all.
OVERLAPPING = ("unfold", "as_strided overlapping")
# Several views of one op: after a write under no_grad torch refuses to show their grad_fn.
SEVERAL = ("unbind", "split", "split sizes", "chunk", "iterated")
# Memory read as another dtype: in torch no view of its base, and without gradient even where the
# dtype stays. Here it is a view, and differentiable where the dtype stays.
OTHER_DTYPE = ("view dtype", "view bits")


def expected(view: str, writer: str, kind: str) -> list:
    return RECORDED[f"{view} | {writer} | {kind}"]


def alike(found, wanted) -> bool:
    if isinstance(wanted, list):
        return (isinstance(found, list) and len(found) == len(wanted)
                and all(map(alike, found, wanted)))
    if isinstance(wanted, float) and isinstance(found, float):
        return math.isclose(found, wanted, rel_tol=1e-12, abs_tol=1e-12)
    return found == wanted


def without_names(steps: list) -> list:
    """Leave out the view's grad_fn after a write: AsStrided in torch, here as it was."""
    return [[*step[:2], *step[3:]] if k == 2 and isinstance(step, list) else step
            for k, step in enumerate(steps)]


@pytest.mark.parametrize("view", table.VIEWS)
def test_views_do_what_torch_recorded(view):
    for writer in table.WRITERS:
        for kind in table.BASES:
            found = table.outcome(torch, view, writer, kind)
            wanted = expected(view, writer, kind)
            if view in OTHER_DTYPE:
                assert kind != "constant" or alike(found[1:], wanted[1:]), (view, writer)
                continue
            if "no_grad" in writer:
                if view.split(",")[0] in SEVERAL and kind != "constant":
                    assert wanted[-1] == "RuntimeError" and found[2][:2] == [1, 1]
                    continue
                found, wanted = without_names(found), without_names(wanted)
            if view.split(",")[0] in OVERLAPPING and writer.startswith("view"):
                assert found[-1] == "RuntimeError", (view, writer, kind)
                continue
            assert alike(found, wanted), (view, writer, kind)


def test_the_table_is_whole():
    assert len(RECORDED) == len(table.cases()) > 1500
    refused = {case.split(" | ")[0] for case, steps in RECORDED.items()
               if steps[-1] == "RuntimeError"}
    assert {"expand", "unbind", "split", "T"} <= refused
