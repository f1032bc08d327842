"""Random programs give the values and derivatives of an independent model (tests/fuzz)."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings

import minigrad as torch

from .fuzz.check import problem
from .fuzz.draw import Program, programs

EVERY = settings(deadline=None, database=None, derandomize=True,
                 suppress_health_check=list(HealthCheck))
MANY = int(os.environ.get("MINIGRAD_PROGRAMS", "4000"))


def check(program: Program) -> bool:
    """Compare; return True unless backward refused to use what was overwritten."""
    said = problem(program, torch)
    assert said in ("", "refused"), f"{said}\n{program!r}"
    return not said


def test_values_and_gradients():
    """Few programs are refused, and what the strategy promises to draw occurs."""
    seen: dict[str, int] = {}
    parts = ("_(", "] = ", "float32", "no_grad", "register_hook", "retain_grad", "detach",
             "transpose", "torch.tensor([", ".sum(", "requires_grad_")

    @settings(EVERY, max_examples=300)
    @given(programs())
    def run(program: Program) -> None:
        seen["refused"] = seen.get("refused", 0) + (not check(program))
        text = "\n".join(program.lines)
        for part in parts:
            seen[part] = seen.get(part, 0) + (part in text)

    run()
    assert seen["requires_grad_"] >= 300
    assert seen.pop("refused") < 60
    assert min(seen.values()) >= 1, seen


@settings(EVERY, max_examples=150)
@given(programs(order=2))
def test_second_derivatives(program):
    check(program)


@pytest.mark.slow
@settings(EVERY, derandomize=False, max_examples=MANY)
@given(programs(steps=18))
def test_values_and_gradients_of_longer_programs(program):
    check(program)


@pytest.mark.slow
@settings(EVERY, derandomize=False, max_examples=MANY)
@given(programs(order=2, steps=14))
def test_second_derivatives_of_longer_programs(program):
    check(program)
