"""Schedules: torch's rates, alone, chained and resumed; saving; warnings and errors."""

from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path

import pytest

import minigrad as torch
from minigrad import nn, optim
from minigrad.optim import lr_scheduler as S
from tests.samples_optim import PLATEAUS, SCHEDULES, plateau, rates, start

FACTS = json.loads(gzip.decompress(
    (Path(__file__).parent.parent / "data" / "optim.json.gz").read_bytes()))


def test_table_is_complete():
    made = {make.split("(")[0].removeprefix("S.") for make in [*SCHEDULES, *PLATEAUS]}
    assert set(S.__all__) - {"LRScheduler"} == made


@pytest.mark.parametrize("make", [*SCHEDULES, "chained"])
def test_rates(make):
    """Rates and momenta after each epoch are torch's."""
    for found, expected in zip(rates(make, torch), FACTS[make]["rates"], strict=True):
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("make", [m for m in SCHEDULES if "OneCycle" not in m])
def test_resumed_rates(make):
    """A schedule that is made in the middle of training goes on as torch's."""
    for found, expected in zip(rates(make, torch, True), FACTS[make]["resumed"], strict=True):
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("make", PLATEAUS)
def test_plateaus(make):
    """Rates and counts follow torch's when the metric stops improving."""
    for found, expected in zip(plateau(make, torch), FACTS[make], strict=True):
        assert found == pytest.approx(expected, rel=1e-12)


def fresh(**options):
    return optim.SGD(start(torch), **{"lr": 0.1, "momentum": 0.9, **options})


@pytest.mark.parametrize("make", SCHEDULES)
def test_state_dict(make):
    """A schedule and its optimizer that were saved go on exactly as the others."""
    def build():
        params = start(torch)
        opt = optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], lr=0.1,
                        momentum=0.9)
        return opt, eval(make, {"S": S, "opt": opt})

    (opt, schedule), (other, twin) = build(), build()
    for _ in range(4):
        opt.step()
        schedule.step()
    other.load_state_dict(opt.state_dict())
    twin.load_state_dict(schedule.state_dict())
    for each in (opt, other):
        each.step()
    for each in (schedule, twin):
        each.step()
    assert twin.get_last_lr() == schedule.get_last_lr()
    assert twin.last_epoch == schedule.last_epoch == 5


def test_step_before_the_optimizer_warns():
    schedule = S.StepLR(fresh(), 2)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        schedule.step()


def test_right_order_does_not_warn():
    opt = fresh()
    schedule = S.StepLR(opt, 2)
    opt.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()


def test_epoch_argument_is_deprecated_and_uses_the_closed_form():
    opt = fresh()
    schedule = S.StepLR(opt, 2, gamma=0.5)
    opt.step()
    with pytest.warns(UserWarning, match="deprecated"):
        schedule.step(6)
    assert schedule.get_last_lr() == pytest.approx([0.1 * 0.5**3])


def test_get_lr_outside_of_step_warns():
    schedule = S.ExponentialLR(fresh(), 0.9)
    with pytest.warns(UserWarning, match="get_last_lr"):
        schedule.get_lr()


def test_tensor_lr_is_changed_in_place():
    lr = torch.tensor(0.5)
    opt = optim.SGD([nn.Parameter(torch.ones(1))], lr=lr)
    schedule = S.ExponentialLR(opt, 0.5)
    opt.step()
    schedule.step()
    assert opt.param_groups[0]["lr"] is lr
    assert lr.item() == 0.25


def test_one_cycle_moves_adams_first_beta():
    opt = optim.Adam(start(torch))
    S.OneCycleLR(opt, 0.1, total_steps=4)
    assert opt.param_groups[0]["betas"] == (pytest.approx(0.95), 0.999)


@pytest.mark.parametrize(("error", "match", "make"), [
    (TypeError, "is not an Optimizer", lambda: S.StepLR(3, 2)),
    (KeyError, "initial_lr", lambda: S.StepLR(fresh(), 2, last_epoch=3)),
    (ValueError, "Expected 1 lr_lambdas", lambda: S.LambdaLR(fresh(), [abs, abs])),
    (ValueError, "Starting multiplicative", lambda: S.LinearLR(fresh(), 0)),
    (ValueError, "Ending multiplicative", lambda: S.LinearLR(fresh(), 0.5, 2)),
    (ValueError, "Constant multiplicative", lambda: S.ConstantLR(fresh(), 2)),
    (ValueError, "total_steps OR", lambda: S.OneCycleLR(fresh(), 1.0)),
    (ValueError, "positive integer total_steps", lambda: S.OneCycleLR(fresh(), 1.0, -1)),
    (ValueError, "pct_start", lambda: S.OneCycleLR(fresh(), 1.0, 5, pct_start=3)),
    (ValueError, "anneal_strategy", lambda: S.OneCycleLR(fresh(), 1.0, 5, anneal_strategy="x")),
    (ValueError, "expected 1 values for max_lr", lambda: S.OneCycleLR(fresh(), [1.0, 2.0], 5)),
    (ValueError, "Factor should be < 1", lambda: S.ReduceLROnPlateau(fresh(), factor=1.0)),
    (ValueError, "mode x is unknown", lambda: S.ReduceLROnPlateau(fresh(), mode="x")),
    (ValueError, "threshold mode x",
     lambda: S.ReduceLROnPlateau(fresh(), threshold_mode="x")),
    (TypeError, "is not an Optimizer", lambda: S.ReduceLROnPlateau(3)),
    (ValueError, "expected 1 min_lrs", lambda: S.ReduceLROnPlateau(fresh(), min_lr=[1, 2])),
    (ValueError, "must support momentum",
     lambda: S.OneCycleLR(optim.Adagrad(start(torch)), 1.0, 5)),
])
def test_refusals(error, match, make):
    with pytest.raises(error, match=match):
        make()


def test_one_cycle_ends():
    opt = fresh()
    schedule = S.OneCycleLR(opt, 1.0, total_steps=2)
    opt.step()
    schedule.step()
    schedule.step()
    with pytest.raises(ValueError, match="Tried to step 3 times"):
        schedule.step()
