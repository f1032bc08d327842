"""Four thousand printed tensors, and what else has a repr: character for character as PyTorch.

Dtypes, shapes, kinds of values, print options, requires_grad, grad_fn, parameters, subclasses,
views and default dtypes are mixed at random (print_cases.py). tests/record_print.py records them.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

import minigrad as torch

from . import print_cases

PATH = Path(__file__).parent / "data" / "print.json.xz"
RECORDED = json.loads(lzma.decompress(PATH.read_bytes()))


@pytest.mark.parametrize("start", range(0, print_cases.COUNT, 500))
def test_recorded_texts(start):
    for number in range(start, start + 500):
        assert print_cases.text(torch, number) == RECORDED[number], f"number {number}"


def test_the_record_is_varied():
    assert len(RECORDED) == print_cases.COUNT
    for part, least in {"requires_grad=True": 400, "grad_fn=<MulBackward0>": 100, "Parameter(": 90,
                        "Parameter containing": 90, "Celsius(": 400, "...": 100, "e+": 300,
                        "nan": 100, "inf": 100, "size=(": 150, "dtype=torch.": 1000}.items():
        assert sum(part in text for text in RECORDED) >= least, part


def test_what_prints_while_printing_options_are_strange_is_put_back():
    torch.set_printoptions(precision=1, sci_mode=True)
    assert repr(torch.tensor([0.25])) == "tensor([2.5e-01])"
    torch.set_printoptions(profile="default")
    assert repr(torch.tensor([0.25])) == "tensor([0.2500])"
