"""Averaged models: torch's weights and statistics; refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.optim import swa_utils as W
from tests.samples_optim import averages, scheduled

RECORDED = np.load(Path(__file__).parent.parent / "data" / "optim.npz")


def test_averages():
    """Means of weights, buffers and the batch statistics estimated anew are torch's."""
    found = averages(torch)
    assert {f"averages/{key}" for key in found} == {k for k in RECORDED if k.startswith("averages")}
    for key, value in found.items():
        expected = RECORDED[f"averages/{key}"]
        assert value.dtype == expected.dtype, key
        tol = 1e-7 if key.startswith("swa lists") else 1e-12  # torch: a float32 1 / (n + 1)
        np.testing.assert_allclose(value, expected, rtol=tol, atol=tol / 100, err_msg=key)


def test_the_model_keeps_its_mode_and_momenta():
    net = nn.Sequential(nn.BatchNorm1d(2, momentum=0.3)).eval()
    W.update_bn([torch.randn(4, 2)], net)
    assert not net.training
    assert net[0].momentum == 0.3
    assert net[0].num_batches_tracked.item() == 1
    W.update_bn([torch.randn(4, 2)], nn.Linear(2, 2))


def test_averaged_model_is_called_like_the_model():
    net = nn.Linear(3, 2)
    mean = W.AveragedModel(net)
    x = torch.randn(4, 3)
    assert torch.equal(mean(x), net(x))
    assert list(mean.state_dict()) == ["n_averaged", "module.weight", "module.bias"]


@pytest.mark.parametrize(("error", "match", "make"), [
    (ValueError, "Invalid decay value 2", lambda: W.get_ema_avg_fn(2)),
    (ValueError, "Invalid decay value -1", lambda: W.get_ema_multi_avg_fn(-1)),
    (AssertionError, "Only one of", lambda: W.AveragedModel(
        nn.Linear(1, 1), avg_fn=W.get_swa_avg_fn(), multi_avg_fn=W.get_swa_multi_avg_fn())),
    (ValueError, "'cos' or 'linear'", lambda: W.SWALR(scheduled(torch)[0], 0.1, 3, "x")),
    (ValueError, "anneal_epochs must be", lambda: W.SWALR(scheduled(torch)[0], 0.1, -3)),
    (ValueError, "swa_lr", lambda: W.SWALR(scheduled(torch)[0], [0.1])),
])
def test_refusals(error, match, make):
    with pytest.raises(error, match=match):
        make()
