"""Ordinary programs, from ResNet to pruning, have the losses that they have with PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from tests.nn import programs_sequence, programs_tools, programs_vision  # noqa: F401 - the table
from tests.nn.whole_programs import PROGRAMS, run

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "programs.json").read_text())


@pytest.mark.parametrize("name", PROGRAMS)
def test_losses_are_torchs(name):
    np.testing.assert_allclose(run(name, torch), RECORDED["numbers"][name], rtol=1e-9, atol=1e-10)


def test_every_recording_has_its_program():
    assert RECORDED["numbers"].keys() == PROGRAMS.keys()
    assert RECORDED["version"].startswith("2.13")
