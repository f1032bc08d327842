"""No false alarm: every line of the op table and of the layer table, at several seeds."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

import minigrad as torch
from minigrad.testing import check_gradients
from tests.layers import arguments, build, families, lines_of
from tests.samples.evaluate import call, flatten
from tests.test_ops import CASES

RUNS = [(line, mode) for family in families() for line in lines_of(family) if line.inputs
        for mode in line.modes]
every_run = pytest.mark.parametrize(("line", "mode"), RUNS,
                                    ids=[f"{line.make}-{mode}" for line, mode in RUNS])
# as_strided reads memory: other strides of the input give other values, as they should
SAMPLES = [case.values[1] for case in CASES if "as_strided" not in case.values[1].name]
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=[s.id for s in SAMPLES])


@pytest.fixture(autouse=True)
def quiet():
    """Samples may warn; the families' own tests check warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_sample(sample, seed, order=1):
    """Check one line of the op table; None where nothing is to be differentiated."""
    def outputs(args, kwargs):
        return [t for t in call(sample, torch, args, kwargs) if t.is_floating_point()]

    args, kwargs = sample.build(torch)
    if not any(t.requires_grad for t in flatten([args, kwargs], torch)):
        return None
    try:
        if not any(t.requires_grad for t in outputs(args, kwargs)):
            return None
    except RuntimeError as error:  # an in-place form: not on leaves
        assert "leaf" in str(error)
        return None
    args, kwargs = sample.build(torch)
    return check_gradients(outputs, args, kwargs, seed=seed, order=order)


def check_line(line, mode, seed, order=1):
    """Check one line of the layer table; None where nothing is to be differentiated."""
    module = build(line, torch).train(mode == "train")
    made = [t for t in flatten(module(*arguments(line, torch)), torch) if t.requires_grad]
    if not made:
        return None
    module, inputs = build(line, torch).train(mode == "train"), arguments(line, torch)
    return check_gradients(module, *inputs, seed=seed, order=order)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_quarter_of_the_op_table(part):
    checked = 0
    for sample in SAMPLES[part::4][::4]:
        report = check_sample(sample, seed=0)
        if report is not None:
            assert report.ok, f"{sample.id}\n{report}"
            checked += 1
    assert checked > 20


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_third_of_the_layer_table(part):
    checked = 0
    for line, mode in RUNS[part::2][::3]:
        report = check_line(line, mode, seed=0)
        if report is not None:
            assert report.ok, f"{line.make} ({mode})\n{report}"
            checked += 1
    assert checked > 20


@pytest.mark.slow
@every_sample
def test_the_op_table(sample):
    for seed in range(10):
        other = sample
        if seed and sample.smooth:  # other numbers; lines on kinks keep theirs
            other = replace(sample, id=f"{sample.id} seed {seed}")
        report = check_sample(other, seed)
        if report is None:
            return
        assert report.ok, f"seed {seed}\n{report}"


@pytest.mark.slow
@every_sample
def test_the_op_table_to_second_order(sample):
    if sample.order >= 2:
        report = check_sample(sample, 0, order=2)
        assert report is None or report.ok, str(report)


@pytest.mark.slow
@every_run
def test_the_layer_table(line, mode):
    for seed in range(10):
        report = check_line(line, mode, seed)
        if report is None:
            return
        assert report.ok, f"seed {seed}\n{report}"


@pytest.mark.slow
@every_run
def test_the_layer_table_to_second_order(line, mode):
    if line.order >= 2:
        report = check_line(line, mode, 0, order=2)
        assert report is None or report.ok, str(report)
