"""Running statistics step by step as torch's, and their recurrences exactly."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from tests.accuracy.running import LAYERS, run

F = torch.nn.functional
DATA = np.load(Path(__file__).parent.parent / "data" / "accuracy_running.npz")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", LAYERS)
def test_steps_as_torch(make, dtype):
    """Means, variances, counts and results in eval, to 12 units in the last place."""
    tolerance = 12 * np.finfo(dtype).eps
    np.testing.assert_allclose(run(make, torch, dtype), DATA[f"{make}/{dtype}"], rtol=tolerance,
                               atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("momentum", [0.1, 0.25, 1.0, 0.0])
def test_the_recurrence_is_exact(dtype, momentum):
    """(1 - momentum) old + momentum batch, computed in float64 and rounded once."""
    x = np.array([[1, -2], [4, 2], [1, 6]], dtype)  # mean 2, 2; unbiased variance 3, 16
    old_mean, old_var = np.array([0.1, -7], dtype), np.array([0.7, 1e6], dtype)
    mean, var = old_mean.copy(), old_var.copy()
    F.batch_norm(torch.from_numpy(x), torch.from_numpy(mean), torch.from_numpy(var), training=True,
                 momentum=momentum)
    wide = old_mean.astype(float) * (1 - momentum) + momentum * np.array([2.0, 2.0])
    assert mean.tolist() == wide.astype(dtype).tolist()
    wide = old_var.astype(float) * (1 - momentum) + momentum * np.array([3.0, 16.0])
    assert var.tolist() == wide.astype(dtype).tolist()


def test_instance_norm_takes_the_mean_over_samples():
    x = np.array([[[1.0, 3.0]], [[5.0, 11.0]]])  # means 2, 8; unbiased variances 2, 18
    mean, var = np.zeros(1), np.ones(1)
    F.instance_norm(torch.from_numpy(x), torch.from_numpy(mean), torch.from_numpy(var),
                    momentum=0.5)
    assert (mean[0], var[0]) == (2.5, 5.5)


def test_the_cumulative_mean_is_that_of_all_batches():
    """momentum=None: every batch counts alike, however many there are."""
    layer = nn.BatchNorm1d(1, momentum=None, dtype=torch.float64)
    means, variances = [], []
    for k in range(50):
        x = torch.tensor([[k * 1.0], [k + 2.0], [k * k * 0.1]], dtype=torch.float64)
        layer(x)
        means.append(x.mean().item())
        variances.append(x.var().item())
    assert layer.running_mean.item() == pytest.approx(np.mean(means), rel=1e-13)
    assert layer.running_var.item() == pytest.approx(np.mean(variances), rel=1e-13)
    assert layer.num_batches_tracked.item() == 50


def test_what_leaves_them_alone():
    """Eval, and no training steps; a forward in training moves them, also under no_grad."""
    layer = nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 2, 2)
    layer.eval()(x)
    assert layer.num_batches_tracked == 0
    assert layer.running_mean.tolist() == [0, 0, 0]
    with torch.no_grad():
        layer.train()(x)
    assert layer.num_batches_tracked == 1
    assert layer.running_mean.abs().max() > 0
    assert not layer.running_mean.requires_grad
    kept = layer.running_mean
    layer(x)
    assert layer.running_mean is kept  # written in place: whoever holds it sees the new values


def test_they_are_saved_and_go_on():
    """A reloaded layer continues as the original would."""
    first, second = nn.BatchNorm1d(3, momentum=None), nn.BatchNorm1d(3, momentum=None)
    first(torch.randn(6, 3))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file))
    x = torch.randn(6, 3)
    for layer in (first, second):
        layer(x)
    for a, b in zip(first.buffers(), second.buffers(), strict=True):
        assert torch.equal(a, b)


def test_half_precision_input_keeps_single_statistics():
    layer = nn.BatchNorm1d(2)
    x = torch.randn(64, 2) * 3 + 1
    half = nn.BatchNorm1d(2)
    layer(x.half().float())
    y = half(x.half())
    assert y.dtype is torch.float16
    for a, b in zip(half.buffers(), layer.buffers(), strict=True):
        assert a.dtype == b.dtype
        assert torch.allclose(a, b, rtol=1e-6)
