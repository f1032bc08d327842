"""Every line of the op-sample table: values, derivatives, dtypes, strides, inputs left alone."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad import engine, ops

from . import samples
from .samples.evaluate import (
    assert_derivative_is_right,
    assert_same,
    call,
    cotangents,
    evaluate,
    flatten,
)

FAMILIES = sorted(m.name for m in pkgutil.iter_modules(samples.__path__) if m.name != "evaluate")
TABLE = [(family, sample) for family in FAMILIES
         for sample in importlib.import_module(f"tests.samples.{family}").SAMPLES]
CASES = [pytest.param(family, sample, id=f"{family}-{sample.id}") for family, sample in TABLE]
every_sample = pytest.mark.parametrize(("family", "sample"), CASES)


def every_family(test):
    """Run a test for all samples of a family: a test each would take longer than what it tests."""
    def run(family):
        for name, sample in TABLE:
            if name == family:
                torch.manual_seed(0)
                try:
                    test(family, sample)
                except Exception as error:
                    error.add_note(f"sample {sample.id}")
                    raise

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return pytest.mark.parametrize("family", FAMILIES)(run)


@cache
def recorded(family: str) -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "data" / f"ops_{family}.npz") as file:
        return dict(file)


@pytest.fixture(autouse=True)
def quiet():
    """Samples may call deprecated spellings and warn; the families' own tests check warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@every_sample
def test_values_and_derivatives_are_torchs(family, sample):
    want = {key.removeprefix(f"{sample.id}/"): value for key, value in recorded(family).items()
            if key.startswith(f"{sample.id}/")}
    assert want, f"{sample.id} is not recorded: run python tests/record_ops.py {family}"
    got = evaluate(sample, torch, order=min(sample.order, sample.torch_order))
    zero = [key for key in {*got, *want} if key[0] == "d" and (key not in got or key not in want)]
    for key in zero:  # no second derivative on one side: it must be zero on the other
        assert not np.any(got.get(key, want.get(key))), f"{key}: zero on one side only"
    if not sample.named or not want["names"].any():  # PyTorch has no derivative, or composes
        zero.append("names")
    for key in want.keys() - set(zero):
        assert_same(got[key], want[key], sample.tol, f"{sample.id} {key}")


@every_sample
def test_first_order_rules_equal_create_graph(family, sample):
    """Arrays (and fused backwards) give what the same rules (and references) give on tensors."""
    results = []
    for create in (False, True):
        args, kwargs = sample.build(torch)
        outs = call(sample, torch, args, kwargs)
        leaves = [t for t in flatten([args, kwargs], torch) if t.requires_grad and t.is_leaf]
        outs = [t for t in outs if t.requires_grad]
        if not outs or not leaves:
            return
        weights = cotangents(sample, 1, outs, torch)
        results.append(torch.autograd.grad(outs, leaves, weights, create_graph=create,
                                           allow_unused=True))
    for k, (first, second) in enumerate(zip(*results, strict=True)):
        first = 0 * leaves[k] if first is None else first
        second = 0 * leaves[k] if second is None else second
        assert_same(first.detach().numpy(), second.detach().numpy(), sample.tol,
                    f"{sample.id} gradient {k}")


@every_family
def test_fused_forward_equals_its_reference(family, sample):
    args, kwargs = sample.build(torch)
    for out in call(sample, torch, args, kwargs):
        node = out.grad_fn
        if node is None or type(node) is not engine.Node or node.op.reference is None:
            continue
        values = dict(zip(node.plan.names, node.tensors(), strict=True))
        want = node.op.reference(*[values[name] for name in node.op.reference_names])
        if isinstance(want, (tuple, list)):
            want = want[out.output_nr]
        assert_same(out.detach().numpy(), want.detach().numpy(), sample.tol, sample.id)


@pytest.mark.parametrize("sample", [pytest.param(sample, id=f"{family}-{sample.id}")
                                    for family, sample in TABLE if sample.smooth and sample.order])
def test_derivatives_equal_finite_differences(sample):
    for order in range(1, min(sample.order, 2) + 1):
        assert_derivative_is_right(sample, torch, order)


@every_family
def test_any_strides_and_inputs_untouched(family, sample):
    args, kwargs = sample.build(torch)
    want = [t.detach().clone() for t in call(sample, torch, args, kwargs)]
    args, kwargs = sample.build(torch)
    tensors = flatten([args, kwargs], torch)
    for t in tensors:
        every_other = (slice(None, None, 2),) * t.dim() + (...,)
        spread = np.empty(tuple(2 * s for s in t.shape), t._data.dtype)[every_other]
        spread[...] = t._data
        t.data = torch.from_numpy(spread)
    before = [t._data.copy() for t in tensors]
    needs_strides = sample.name.endswith(("view", "view_as", "as_strided", "_"))
    needs_strides = needs_strides and sample.name.startswith("Tensor.")
    if not (needs_strides or sample.name == "as_strided_scatter"):
        got = call(sample, torch, args, kwargs)
        for one, other in zip(got, want, strict=True):
            assert_same(one.detach().numpy(), other.numpy(), 1e-12, sample.id)
        for t, kept in zip(tensors, before, strict=True):
            np.testing.assert_array_equal(t._data, kept, err_msg=f"{sample.id} changed an input")


@every_family
def test_float32(family, sample):
    """Results stay float32 and near the float64 ones."""
    double = evaluate(sample, torch, order=1)
    single = evaluate(sample, torch, "float32", order=1)
    for key, want in double.items():
        if want.dtype == np.float64 and single[key].dtype == np.float64:
            continue  # the sample asks for float64 itself
        if want.dtype == np.float64:
            assert single[key].dtype == np.float32, f"{sample.id} {key}: {single[key].dtype}"
            assert_same(single[key].astype(np.float64), want, max(2e-4, sample.tol), sample.id)


def test_every_op_has_a_line():
    """Adding an op takes one line in tests/samples/<family>.py: this test asks for it."""
    covered = {name for _, sample in TABLE for name in sample.covers}
    missing = []
    for module in pkgutil.iter_modules(ops.__path__):
        for value in vars(importlib.import_module(f"minigrad.ops.{module.name}")).values():
            made = getattr(value, "op", None)
            if isinstance(made, engine.Op) and made.name not in covered and (
                    value.__module__ == f"minigrad.ops.{module.name}"):
                missing.append(f"{module.name}.{made.name}")
    assert not missing, f"no sample line covers: {', '.join(missing)}"
