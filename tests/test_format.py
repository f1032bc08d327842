"""Printed tensors: character for character what PyTorch printed (tests/record_format.py)."""

import gzip
import json
import math
import sys

import numpy as np
import pytest

from minigrad import _dtype as dt
from minigrad import _format as fmt

from .record_format import PATH, build

CASES = json.loads(gzip.decompress(PATH.read_bytes()))


@pytest.fixture(autouse=True)
def default_options():
    before = fmt.get_printoptions()
    fmt.set_printoptions(profile="default")
    yield
    fmt.set_printoptions(**before)


def printed(case):
    grad = case.get("grad")
    fmt.set_printoptions(profile="default")
    fmt.set_printoptions(**case.get("options", {}))
    return fmt.format_tensor(
        build(case),
        requires_grad=grad is not None,
        grad_fn_name=None if grad == "requires_grad" else grad,
        default_dtype=getattr(dt, case.get("default", "float32")),
    )


@pytest.mark.parametrize("start", range(0, len(CASES), 50))
def test_recorded_texts(start):
    for case in CASES[start : start + 50]:
        assert printed(case) == case["text"], {k: v for k, v in case.items() if k != "text"}


def test_the_record_is_large_and_varied():
    assert len(CASES) > 300
    assert {case["dtype"] for case in CASES} == {each.name for each in dt.ALL}


def test_the_prefix_sets_the_indent():
    text = fmt.format_tensor(np.eye(2, dtype=np.float32), prefix="Mine(")
    assert text == "Mine([[1., 0.],\n      [0., 1.]])"


def test_other_memory_layouts_print_alike():
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    for view in (array.T, array[::-1, ::2], np.broadcast_to(array[0], (3, 6))):
        assert fmt.format_tensor(view) == fmt.format_tensor(view.copy())


def test_a_huge_tensor_is_hardly_touched():
    """A stretched view of 10**15 elements prints, so no whole-array work can be going on."""
    huge = np.broadcast_to(np.float32(1.5), (10**5, 10**5, 10**5))
    text = fmt.format_tensor(huge)
    assert text.startswith("tensor([[[1.5000, 1.5000, 1.5000,  ..., 1.5000, 1.5000, 1.5000],")
    assert len(text) < 5000


def test_many_dimensions_need_no_deep_stack():
    array = np.ones((1,) * 64, np.int64)
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 40)
    try:
        text = fmt.format_tensor(array)
    finally:
        sys.setrecursionlimit(limit)
    assert text == "tensor(" + "[" * 64 + "1" + "]" * 64 + ")"


def test_the_default_dtype_of_the_moment_is_not_shown():
    array = np.array([0.5])
    assert fmt.format_tensor(array) == "tensor([0.5000], dtype=torch.float64)"
    dt.set_default_dtype(dt.float64)
    try:
        assert fmt.format_tensor(array) == "tensor([0.5000])"
    finally:
        dt.set_default_dtype(dt.float32)


def test_options_are_kept_and_restored():
    with fmt.printoptions(precision=2, sci_mode=True):
        assert fmt.format_tensor(np.array([0.5], np.float32)) == "tensor([5.00e-01])"
        fmt.set_printoptions(edgeitems=1)
        assert fmt.get_printoptions()["precision"] == 2
        assert fmt.get_printoptions()["sci_mode"] is None  # as in PyTorch: reset by every call
    default = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
    assert fmt.get_printoptions() == default
    fmt.set_printoptions(profile="full")
    assert fmt.get_printoptions() == {**default, "threshold": math.inf}
    fmt.set_printoptions(profile="default")
    assert fmt.get_printoptions() == default


@pytest.mark.parametrize(
    "bad",
    [
        {"precision": -1},
        {"precision": 2.5},
        {"linewidth": "a"},
        {"edgeitems": -3},
        {"profile": "x"},
    ],
)
def test_wrong_options_are_refused_and_change_nothing(bad):
    before = fmt.get_printoptions()
    with pytest.raises(ValueError, match=next(iter(bad))):
        fmt.set_printoptions(threshold=7, **bad)
    assert fmt.get_printoptions() == before
