"""The op-sample table in full: third order, whole Jacobians, other random numbers, float16."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import minigrad as torch

from .samples.evaluate import assert_derivative_is_right, call, evaluate, flatten
from .test_ops import every_sample

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quiet():
    """Samples may call deprecated spellings and warn; the families' own tests check warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@every_sample
def test_third_derivatives(family, sample):
    if sample.smooth and sample.order >= 2:
        assert_derivative_is_right(sample, torch, 3)


@every_sample
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_at_other_points(family, sample, order, seed):
    on_a_kink = sample.id == "linalg.matrix_norm-1"  # two columns nearly tie for the largest sum
    if sample.smooth and order <= sample.order and not on_a_kink:
        assert_derivative_is_right(replace(sample, id=f"{sample.id} seed {seed}"), torch, order)


@every_sample
def test_whole_jacobians(family, sample):
    args, kwargs = sample.build(torch)
    leaves = [t for t in flatten([args, kwargs], torch) if t.requires_grad and t.is_leaf]
    if not (leaves and sample.smooth and sample.order):
        return
    if not any(t.requires_grad for t in call(sample, torch, args, kwargs)):
        return

    def function(*_):
        return tuple(t for t in call(sample, torch, args, kwargs) if t.is_floating_point())

    assert torch.autograd.gradcheck(function, leaves)
    if sample.order >= 2:
        assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True, atol=1e-4)


@every_sample
def test_float16(family, sample):
    """Results are float16 and as near to the float64 ones as its 11 bits allow."""
    double = evaluate(sample, torch, order=0)
    try:
        half = evaluate(sample, torch, "float16", order=0)
    except RuntimeError as error:
        assert "dtype" in str(error) or "Half" in str(error) or "float16" in str(error)
        return
    for key, want in double.items():
        if want.dtype == np.float64 and half[key].dtype == np.float16:
            scale = max(1.0, np.abs(want[np.isfinite(want)]).max(initial=0.0))
            np.testing.assert_allclose(half[key].astype(np.float64), want, rtol=2e-2,
                                       atol=2e-2 * scale, err_msg=sample.id)
