"""Norms: running statistics, evaluation mode, precision, errors."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F


def test_running_statistics_use_the_unbiased_variance():
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    mean, var = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    y = F.batch_norm(x, mean, var, training=True, momentum=0.3)
    assert torch.allclose(mean, 0.3 * x.mean((0, 2)))
    assert torch.allclose(var, 0.7 + 0.3 * x.var((0, 2)))
    assert torch.allclose(y.var((0, 2), unbiased=False), torch.ones(3, dtype=torch.float64),
                          atol=1e-3)


def test_instance_norm_averages_the_samples_statistics():
    x = torch.randn(5, 3, 4, dtype=torch.float64)
    mean, var = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    F.instance_norm(x, mean, var, momentum=0.3)
    assert torch.allclose(mean, 0.3 * x.mean((0, 2)))
    assert torch.allclose(var, 0.7 + 0.3 * x.var(2).mean(0))


def test_empty_batches_leave_the_running_statistics():
    mean, var = torch.zeros(3), torch.ones(3)
    assert F.batch_norm(torch.zeros(0, 3, 2), mean, var, training=True).shape == (0, 3, 2)
    assert mean.tolist() == [0, 0, 0]
    assert var.tolist() == [1, 1, 1]


def test_statistics_may_move_on_between_forward_and_backward():
    """In evaluation mode the gradient is that of the statistics that were used."""
    x = torch.randn(4, 3, requires_grad=True)
    mean, var = torch.zeros(3), torch.full((3,), 4.0)
    y = F.batch_norm(x, mean, var, eps=0.0)
    F.batch_norm(x, mean, var, training=True)
    (g,) = torch.autograd.grad(y.sum(), x)
    np.testing.assert_allclose(g.numpy(), 0.5)


def test_running_statistics_count_writes():
    mean, var = torch.zeros(3), torch.ones(3)
    F.batch_norm(torch.randn(4, 3), mean, var, training=True)
    assert (mean._version, var._version) == (1, 1)
    F.batch_norm(torch.randn(4, 3), mean, var)
    assert (mean._version, var._version) == (1, 1)


def test_large_means_keep_their_digits():
    x = torch.randn(64, 2, 8) + 1e4
    want = F.batch_norm(x.double(), None, None, training=True)
    got = F.batch_norm(x, None, None, training=True)
    np.testing.assert_allclose(got.numpy(), want.numpy(), atol=5e-3)


def test_half_precision_with_single_parameters():
    x, w = torch.randn(4, 3, 5, dtype=torch.float16), torch.rand(3)
    assert F.batch_norm(x, w.clone(), w + 1, w, w, training=True).dtype is torch.float16
    assert F.layer_norm(x, (5,), torch.ones(5)).dtype is torch.float16
    assert F.rms_norm(x, (5,), torch.ones(5)).dtype is torch.float16
    assert F.group_norm(x, 3, w, w).dtype is torch.float16


def test_rms_norm_eps_is_that_of_the_dtype_computed_in():
    for dtype in (torch.float32, torch.float16):
        y = F.rms_norm(torch.tensor([[1e-4, 1e-4]], dtype=dtype), (2,))
        assert y[0, 0].item() == pytest.approx(0.2782, abs=2e-4)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)])
def test_one_value_per_channel(shape):
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        F.batch_norm(torch.randn(*shape), None, None, training=True)
    assert F.batch_norm(torch.randn(*shape), torch.zeros(3), torch.ones(3)).shape == shape


def test_batch_norm_errors():
    x, five = torch.randn(2, 3, 4), torch.ones(5)
    with pytest.raises(RuntimeError, match="expected 5 channels in dim 1 of the input, because "
                                           r"running_mean .* got 3 \(input shape \(2, 3, 4\)\)"):
        F.batch_norm(x, five, five)
    with pytest.raises(RuntimeError, match="because weight"):
        F.batch_norm(x, None, None, five, training=True)
    with pytest.raises(RuntimeError, match="evaluation mode"):
        F.batch_norm(x, None, None)
    with pytest.raises(ValueError, match="both running_mean and running_var"):
        F.batch_norm(x, torch.ones(3), None, training=True)
    with pytest.raises(IndexError, match="dim 1"):
        F.batch_norm(torch.randn(3), None, None, training=True)
    with pytest.raises(NotImplementedError, match="int64"):
        F.batch_norm(torch.ones(2, 3, dtype=torch.int64), None, None, training=True)
    with pytest.raises(RuntimeError, match="mixed dtype"):
        F.batch_norm(x, None, None, torch.ones(3, dtype=torch.float64), training=True)
    with pytest.raises(ValueError, match="eps must be positive"):
        F.batch_norm(x, None, None, training=True, eps=0.0)


def test_instance_and_group_norm_errors():
    for shape in ((2, 3), (2, 3, 1)):
        with pytest.raises(ValueError, match="more than 1 spatial element"):
            F.instance_norm(torch.randn(*shape))
    x = torch.randn(2, 3, 5)
    with pytest.raises(RuntimeError, match="use_input_stats"):
        F.instance_norm(x, use_input_stats=False)
    with pytest.raises(RuntimeError, match="num_groups=2 must divide"):
        F.group_norm(x, 2)
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        F.group_norm(torch.randn(3), 3)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        F.group_norm(torch.randn(1, 3), 3)
    with pytest.raises(ZeroDivisionError):
        F.group_norm(x, 0)
    assert F.group_norm(torch.randn(2, 3), 3).shape == (2, 3)


def test_layer_and_rms_norm_errors():
    x = torch.randn(2, 3, 5)
    for norm in (F.layer_norm, F.rms_norm):
        with pytest.raises(RuntimeError, match=r"normalized_shape=\[4\].*\(2, 3, 5\)"):
            norm(x, (4,))
        with pytest.raises(RuntimeError, match="at least one dimension"):
            norm(x, ())
        with pytest.raises(RuntimeError, match="expected weight of the shape"):
            norm(x, (5,), torch.ones(4))
        with pytest.raises(NotImplementedError, match="int64"):
            norm(x.long(), (5,))
        with pytest.raises(TypeError, match="tuple of ints"):
            norm(x, 5)


def test_response_norm_and_normalize():
    with pytest.raises(ValueError, match="3D or higher"):
        F.local_response_norm(torch.randn(2, 3), 2)
    assert F.local_response_norm(torch.zeros(0, 3, 4), 2).shape == (0, 3, 4)
    x = torch.zeros(2, 3)
    assert torch.equal(F.normalize(x), x)
    out = torch.empty(1, 2)
    assert F.normalize(torch.tensor([[3.0, 4.0]]), out=out) is out
    np.testing.assert_allclose(out.numpy(), [[0.6, 0.8]], rtol=1e-6)
    with pytest.raises(IndexError, match="Dimension out of range"):
        F.normalize(torch.ones(3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_instance_norm_of_no_channels(dtype):
    x = torch.ones(2, 0, 3, dtype=dtype, requires_grad=True)
    y = F.instance_norm(x)
    y.sum().backward()
    assert y.shape == x.grad.shape == (2, 0, 3)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_the_variance_of_constant_channels_is_not_negative(kind):
    """E[x^2] - E[x]^2 may round to less than 0, whose root in a momentum-1 average is NaN."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        value = rng.standard_normal(4) * 10.0 ** rng.integers(-8, 8)
        x = torch.from_numpy(np.broadcast_to(value[:, None], (7, 4, 1500)).astype(kind))
        layer = torch.nn.BatchNorm1d(4, momentum=1.0, dtype=x.dtype)
        layer(x)
        assert (layer.running_var >= 0).all()
