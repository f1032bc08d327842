"""The programs of `programs.py` give what PyTorch gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minigrad as torch

from ..record_func import flat
from .programs import PROGRAMS

with np.load(Path(__file__).parent.parent / "data" / "func.npz") as file:
    RECORDED = dict(file)


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_torchs(name):
    want = [v for k, v in RECORDED.items() if k.rpartition("/")[0] == name]
    got = flat(PROGRAMS[name](torch))
    assert want, f"{name} is not recorded: run python tests/record_func.py"
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        assert tuple(one.shape) == other.shape
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-9, atol=1e-12)
