"""assert_close and make_tensor against recorded facts of PyTorch's."""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad.testing import make_tensor

from .close_cases import cases, outcome

DATA = Path(__file__).parent.parent / "data" / "testing_close.json.gz"
CASES = {case[0].replace("torch.", ""): case for case in cases(torch)}

OTHERWISE = {
    "int64 overflows": ["AssertionError", "1.845e+19", "PyTorch's difference overflows to 1"],
    "True and 1": ["AssertionError", "", "PyTorch's RuntimeError asks to report it as a bug"],
    "True and 1, types unchecked": ["", "", "PyTorch's RuntimeError asks to report it as a bug"],
    "1j and 1j": ["TypeError", "", "there are no complex numbers here"],
    "1j and 1j, types unchecked": ["TypeError", "", "there are no complex numbers here"],
    "negative": ["ValueError", "", "PyTorch's RuntimeError asks to report it as a bug"],
}


@pytest.fixture(scope="module")
def recorded():
    return json.loads(gzip.decompress(DATA.read_bytes()))


def test_the_calls_that_were_recorded_are_those_of_the_table(recorded):
    assert set(recorded) == set(CASES) and len(CASES) > 200
    kinds = [kind for kind, _ in recorded.values()]
    assert {"", "AssertionError", "TypeError", "ValueError"} <= set(kinds)


@pytest.mark.parametrize("name", CASES)
def test_error_class_and_facts_of_the_message(name, recorded):
    made = outcome(torch, CASES[name])
    if name in OTHERWISE:
        kind, fact, _why = OTHERWISE[name]
        assert made != recorded[name], "no longer otherwise: take it off the list"
        assert made[0] == kind and fact in str(made[1])
    else:
        assert made == recorded[name]


FLOATS = [torch.float16, torch.float32, torch.float64]
WHOLE = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


def drawn(dtype, *shape, **options):
    return make_tensor(*(shape or (40, 50)), dtype=dtype, device="cpu", **options)


@pytest.mark.parametrize("dtype", [*FLOATS, *WHOLE, torch.bool], ids=str)
@pytest.mark.parametrize(("low", "high"), [(None, None), (0, None), (None, 3), (-2, 2), (1, 2),
                                           (0.5, 2.5), (-1e10, 1e10), (20, 30), (-np.inf, np.inf)])
def test_ranges(dtype, low, high):
    usual = {torch.uint8: (0, 10), torch.bool: (0, 2)}.get(
        dtype, (-9, 9) if dtype in FLOATS else (-9, 10))
    bounds = [u if given is None else given for u, given in zip(usual, (low, high), strict=True)]
    if dtype in FLOATS:
        info = torch.finfo(dtype)
        first, last = max(bounds[0], info.min), min(bounds[1], info.max)
    else:
        least, most = (0, 1) if dtype is torch.bool else (torch.iinfo(dtype).min,
                                                          torch.iinfo(dtype).max)
        first = max(least, np.ceil(bounds[0]))
        last = min(most, np.ceil(bounds[1]) - 1)
    if first > last:
        with pytest.raises(ValueError, match="no bool number"):
            drawn(dtype, low=low, high=high)
        return
    made = drawn(dtype, low=low, high=high)
    values = made.numpy().astype(np.float64)
    assert made.dtype is dtype and made.shape == (40, 50)
    assert values.min() >= first and values.max() <= last
    covered = values.max() / 2 - values.min() / 2  # halves, as the whole may overflow
    assert covered >= 0.95 * (last / 2 - first / 2) - (dtype not in FLOATS)


@pytest.mark.parametrize("dtype", [*FLOATS, *WHOLE, torch.bool], ids=str)
def test_exclude_zero(dtype):
    assert bool((drawn(dtype, exclude_zero=True) != 0).all())
    assert bool((drawn(dtype, low=-1 if dtype in FLOATS else 0, high=2, exclude_zero=True)
                 != 0).all())


def test_memory():
    made = drawn(torch.float32, 2, 3, 4, noncontiguous=True)
    assert not made.is_contiguous() and made.stride() == (24, 8, 2)
    assert drawn(torch.float32, 1, noncontiguous=True).is_contiguous()
    assert drawn(torch.float32, 2, 3, memory_format=torch.contiguous_format).is_contiguous()
    assert drawn(torch.float32, 2, requires_grad=True).requires_grad
    assert drawn(torch.float32, (2, 3)).shape == (2, 3)
    assert drawn(torch.float32, ()).shape == ()


@pytest.mark.parametrize(("dtype", "options", "error"), [
    (torch.float32, {"low": 4, "high": 3}, ValueError), (torch.int32, {"low": 3, "high": 3},
                                                         ValueError),
    (torch.float32, {"low": np.nan}, ValueError), (torch.int8, {"requires_grad": True}, ValueError),
    (torch.float16, {"low": 10**6, "high": 10**6 + 1}, ValueError),
    (torch.int32, {"low": 0.2, "high": 0.4}, ValueError),
    (torch.int8, {"low": 300, "high": 400}, ValueError),
    (torch.float32, {"noncontiguous": True, "memory_format": torch.contiguous_format}, ValueError),
    (torch.float32, {"memory_format": torch.channels_last}, RuntimeError)])
def test_refused_arguments(dtype, options, error):
    with pytest.raises(error):
        drawn(dtype, 2, 3, **options)
    with pytest.raises(TypeError):
        make_tensor(2, dtype=dtype)


def test_equal_bounds_are_deprecated_for_floats():
    with pytest.warns(FutureWarning, match="low == high"):
        made = drawn(torch.float32, 3, low=3, high=3)
    assert made.tolist() == [3.0] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(torch.float32, 3)
