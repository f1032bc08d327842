"""Functions of two operands: result dtypes and integer quotients, as recorded from PyTorch."""

from __future__ import annotations

import gzip
import json
from functools import cache

import pytest

import minigrad as torch

from . import record_binary as table

# Functions that take what PyTorch refuses: integers, or numbers in the place of a tensor.
WIDER = {"hypot", "logaddexp", "logaddexp2", "addcmul", "addcdiv", "lerp", "maximum_number",
         "clamp_min", "clamp_max"}
# bool ** True is refused here, as all powers of bools are.
NARROWER = {"pow", "pow_"}


@cache
def recorded():
    return json.loads(gzip.decompress(table.PATH.read_bytes()))


@cache
def found():
    table.torch = torch
    return table.dtypes()


@pytest.mark.parametrize("name", table.FUNCTIONS)
def test_result_dtypes(name):
    wanted, got = recorded()["dtypes"][name], found()[name]
    assert len(got) == len(wanted)
    differ = {(w, g) for w, g in zip(wanted, got, strict=True) if w != g}
    allowed = {pair for pair in differ if (name in WIDER and pair[0] == "!")
               or (name in NARROWER and pair == ("?", "!"))}
    assert differ == allowed
    assert bool(differ) == (name in WIDER | NARROWER)


@pytest.mark.parametrize("case", recorded()["divisions"])
def test_whole_numbers_of_all_signs(case):
    table.torch = torch
    got = _divisions()[case]
    wanted = recorded()["divisions"][case]
    if case == "b gcd":  # the largest common divisor of -128 and 0 does not fit; both are 128
        assert [abs(v) for v in got] == [abs(v) for v in wanted]
    else:
        assert got == wanted


@cache
def _divisions():
    return table.divisions()


def test_more_dimensions_cannot_be_copied_into_fewer():
    for target, source in (((3,), (1, 3)), ((), (1,)), ((1, 3), (1, 1, 1))):
        with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
            torch.zeros(target).copy_(torch.ones(source))
    assert torch.zeros(2, 3).copy_(torch.ones(3)).sum() == 6


def test_zeros_of_remainders_have_the_sign_of_the_dividend():
    y = torch.remainder(torch.tensor([-2., 3., -0., 3.]), torch.tensor([2., -1.5, 1., 2.]))
    assert str(y) == "tensor([-0., 0., -0., 1.])"
