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
from tests.samples_optim import (
    PLATEAUS,
    SCHEDULES,
    can_resume,
    keys,
    plateau,
    rates,
    scheduled,
    start,
)

FACTS = json.loads(gzip.decompress(
    (Path(__file__).parent.parent / "data" / "optim.json.gz").read_bytes()))


def test_table_is_complete():
    made = {make.split("(")[0].split(".")[1] for make in [*SCHEDULES, *PLATEAUS]}
    assert {*S.__all__, "SWALR"} - {"LRScheduler"} == made


@pytest.mark.parametrize("make", [*SCHEDULES, "chained"])
def test_rates(make):
    """Rates and momenta after each epoch are torch's."""
    for found, expected in zip(rates(make, torch), FACTS[make]["rates"], strict=True):
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("make", [m for m in SCHEDULES if can_resume(m)])
def test_resumed_rates(make):
    """A schedule that is made in the middle of training goes on as torch's."""
    for found, expected in zip(rates(make, torch, True), FACTS[make]["resumed"], strict=True):
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("make", SCHEDULES)
def test_names_in_the_state_dict(make):
    """A schedule's state has torch's names, so that checkpoints go both ways."""
    assert keys(make, torch) == FACTS[make]["keys"]


@pytest.mark.parametrize("make", PLATEAUS)
def test_plateaus(make):
    """Rates and counts follow torch's when the metric stops improving."""
    for found, expected in zip(plateau(make, torch), FACTS[make], strict=True):
        assert found == pytest.approx(expected, rel=1e-12)


def two_schedules(milestones):
    opt = fresh()
    return S.SequentialLR(opt, [S.StepLR(opt, 2), S.StepLR(opt, 3)], milestones)


def fresh(**options):
    return optim.SGD(start(torch), **{"lr": 0.1, "momentum": 0.9, **options})


@pytest.mark.parametrize("make", SCHEDULES)
def test_state_dict(make):
    """A schedule and its optimizer that were saved go on exactly as the others."""
    def build():
        opt, names = scheduled(torch)
        return opt, eval(make, names)

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
    if "Chained" not in make:
        assert twin.last_epoch == schedule.last_epoch == 5


def test_step_before_the_optimizer_warns():
    schedule = S.StepLR(fresh(), 2)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        schedule.step()


def test_step_replaced_in_between_warns():
    """Another `step` put on the optimizer is fine before the schedule is made, not after."""
    opt = fresh()
    opt.step = lambda: None
    schedule = S.StepLR(opt, 2)
    schedule.step()
    late = S.StepLR(opt, 2)
    opt.step = lambda: 1
    with pytest.warns(UserWarning, match="has been overridden"):
        late.step()


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
    (TypeError, "should be a function", lambda: S.MultiplicativeLR(fresh(), 3)),
    (ValueError, "mode is invalid", lambda: S.CyclicLR(fresh(), 0.1, 1, mode="x")),
    (ValueError, "for max_lr", lambda: S.CyclicLR(fresh(), 0.1, [1, 2])),
    (TypeError, "is not an Optimizer", lambda: S.CyclicLR(3, 0.1, 1)),
    (ValueError, "must support momentum",
     lambda: S.CyclicLR(optim.Adagrad(start(torch)), 0.1, 1)),
    (ValueError, "positive integer T_0",
     lambda: S.CosineAnnealingWarmRestarts(fresh(), 0)),
    (ValueError, "T_mult >= 1", lambda: S.CosineAnnealingWarmRestarts(fresh(), 2, 0)),
    (ValueError, "eta_min", lambda: S.CosineAnnealingWarmRestarts(fresh(), 2, eta_min="a")),
    (ValueError, "got no scheduler", lambda: S.SequentialLR(fresh(), [], [])),
    (ValueError, "got no scheduler", lambda: S.ChainedScheduler([])),
    (TypeError, "should have `optimizer`", lambda: S.SequentialLR(fresh(), [3], [])),
    (ValueError, "same optimizer",
     lambda: S.SequentialLR(fresh(), [S.StepLR(fresh(), 2)], [])),
    (ValueError, "milestone", lambda: two_schedules([])),
    (ValueError, "ReduceLROnPlateau",
     lambda: S.ChainedScheduler([S.ReduceLROnPlateau(fresh())])),
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


def test_warm_restarts_in_fractions_of_epochs():
    """step(epoch + share) finds the fall it belongs to; torch's numbers."""
    opt = fresh()
    schedule = S.CosineAnnealingWarmRestarts(opt, 2, T_mult=2, eta_min=0.01)
    found = []
    for epoch in (0.5, 1.75, 2.0, 3.5, 6.25, 20, 1):
        opt.step()
        schedule.step(epoch)
        found.append(schedule.get_last_lr()[0])
    assert found == pytest.approx([
        0.08681980515339464, 0.013425421036992097, 0.1, 0.07222075445642905, 0.09978331270024887,
        0.07222075445642905, 0.055], rel=1e-12)
    with pytest.raises(ValueError, match="non-negative epoch"):
        schedule.step(-1)


def test_scale_functions_that_are_objects_are_saved():
    class Halving:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, x):
            return self.rate ** x

    first, second = (S.CyclicLR(fresh(), 0.1, 0.5, 2, scale_fn=Halving(r)) for r in (0.5, 0.9))
    second.load_state_dict(first.state_dict())
    assert second.scale_fn(2) == 0.25
    assert first.state_dict()["_scale_fn_custom"] == {"rate": 0.5}
