"""Every test starts from seed 0 and must leave the global state as it found it."""

from __future__ import annotations

import os

import pytest

import minigrad as torch
from minigrad import declare

# 0: each op is called by the function that is written for it, from the first call; 1000000: never
declare.OFTEN = int(os.environ.get("MINIGRAD_OFTEN", "0"))


@pytest.fixture(autouse=True)
def global_state():
    """Seed the generator; fail a test that leaks grad mode, inference mode or the default dtype."""
    torch.manual_seed(0)
    yield
    left = (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype())
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    assert left == (True, False, torch.float32), "the test leaked grad mode or default dtype"
