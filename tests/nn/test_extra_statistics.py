"""nn.extra's norms that remember: running statistics step by step, gradients that are defined."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn import extra

from . import test_extra_activation, test_extra_dropout, test_extra_norm


def batches(count, shape, seed=0):
    draws = np.random.default_rng(seed)
    return [draws.normal(1.0, 2.0, shape) for _ in range(count)]


def column(value):
    return value[:, None, None]


# ---- BatchRenorm
def test_batch_renorm_step_by_step():
    """The paper's recurrences in NumPy, with bounds that clip some channels and not others."""
    bn = extra.BatchRenorm2d(3, momentum=0.2, rmax=1.5, dmax=0.5, warmup=(2, 6, 4)).double()
    bn.weight.data.copy_(torch.tensor([1.0, 2.0, 0.5]))
    bn.bias.data.copy_(torch.tensor([0.0, 1.0, -1.0]))
    mean, std = np.zeros(3), np.ones(3)
    for step, x in enumerate(batches(8, (4, 3, 2, 3))):
        limit_r = 1 + 0.5 * min(max((step - 2) / 4, 0), 1)
        limit_d = 0.5 * min(max((step - 2) / 2, 0), 1)
        assert bn.limits() == pytest.approx((limit_r, limit_d))
        m, s = x.mean((0, 2, 3)), np.sqrt(x.var((0, 2, 3)) + 1e-3)
        r = np.clip(s / std, 1 / limit_r, limit_r)
        d = np.clip((m - mean) / std, -limit_d, limit_d)
        y = (x - column(m)) / column(s) * column(r) + column(d)
        y = y * column(bn.weight.detach().numpy()) + column(bn.bias.detach().numpy())
        np.testing.assert_allclose(bn(torch.from_numpy(x)).detach().numpy(), y, rtol=1e-12)
        mean, std = mean + 0.2 * (m - mean), std + 0.2 * (s - std)
        np.testing.assert_allclose(bn.running_mean.numpy(), mean, rtol=1e-12)
        np.testing.assert_allclose(bn.running_std.numpy(), std, rtol=1e-12)
    assert bn.num_batches_tracked.item() == 8
    before = bn.running_mean.clone()
    y = bn.eval()(torch.from_numpy(x)).detach().numpy()
    want = (x - column(mean)) / column(std)
    np.testing.assert_allclose(y, want * column(np.array([1.0, 2, 0.5]))
                               + column(np.array([0.0, 1, -1])), rtol=1e-12)
    assert torch.equal(bn.running_mean, before)


def test_batch_renorm_agrees_with_eval_where_nothing_is_clipped():
    bn = extra.BatchRenorm1d(2, rmax=100.0, dmax=100.0, warmup=(0, 0, 0)).double()
    x = torch.from_numpy(batches(1, (6, 2))[0])
    bn.running_std.fill_(1.3)
    expected = bn.eval()(x)
    assert torch.allclose(bn.train()(x), expected)


def test_batch_renorm_gradient_takes_r_and_d_as_constants():
    """Finite differences of the formula with r and d held; the true ones differ."""
    x = batches(1, (5, 2))[0]
    weights = np.random.default_rng(1).normal(size=(5, 2))
    std = np.sqrt(x.var(0) + 1e-3)
    r, d = std / 1.0, x.mean(0) / 1.0

    def held(x):
        return (((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3) * r + d) * weights).sum()

    want = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-6
        want[index] = (held(x + step) - held(x - step)) / 2e-6
    bn = extra.BatchRenorm1d(2, rmax=50.0, dmax=50.0, warmup=(0, 0, 0), affine=False).double()
    leaf = torch.tensor(x, requires_grad=True)
    (bn(leaf) * torch.from_numpy(weights)).sum().backward()
    np.testing.assert_allclose(leaf.grad.numpy(), want, atol=1e-8)
    assert not np.allclose(leaf.grad.numpy(), weights)  # the unclipped y is x itself here


def test_batch_renorm_gradients_where_both_are_clipped():
    bn = extra.BatchRenorm1d(2, rmax=1.01, dmax=0.01, warmup=(0, 0, 0)).double()
    x = torch.tensor(batches(1, (5, 2))[0], requires_grad=True)
    assert torch.autograd.gradcheck(bn, (x,))
    assert torch.autograd.gradgradcheck(bn, (x,))


# ---- PowerNorm
def test_power_norm_forward_step_by_step():
    norm = extra.PowerNorm(3, alpha_fwd=0.8, warmup_iters=3).double()
    square = np.ones(3)
    for step, x in enumerate(batches(6, (4, 2, 3)), 1):
        own = (x * x).mean((0, 1))
        y = x / np.sqrt((own if step <= 3 else square) + 1e-5)
        np.testing.assert_allclose(norm(torch.from_numpy(x)).detach().numpy(), y, rtol=1e-12)
        square = square + (own - square) / step if step <= 3 else 0.8 * square + 0.2 * own
        np.testing.assert_allclose(norm.running_phi.numpy(), square, rtol=1e-12)
    assert norm.num_batches_tracked.item() == 6
    y = norm.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(y, x / np.sqrt(square + 1e-5), rtol=1e-12)


def test_power_norm_backward_is_the_papers():
    """Algorithm 2: dx = (g - nu xhat) / psi, then nu moves; weight and bias get true gradients."""
    alpha = 0.7
    norm = extra.PowerNorm(3, alpha_bkw=alpha, warmup_iters=0).double()
    norm.weight.data.copy_(torch.tensor([1.0, 2.0, 0.5]))
    nu, square = np.zeros(3), np.ones(3)
    for x, dy in zip(batches(5, (4, 3)), batches(5, (4, 3), seed=9), strict=True):
        root = np.sqrt(square + 1e-5)
        hat, g = x / root, dy * norm.weight.detach().numpy()
        leaf = torch.tensor(x, requires_grad=True)
        norm.zero_grad()
        norm(leaf).backward(torch.from_numpy(dy))
        np.testing.assert_allclose(leaf.grad.numpy(), (g - nu * hat) / root, rtol=1e-12)
        np.testing.assert_allclose(norm.weight.grad.numpy(), (dy * hat).sum(0), rtol=1e-12)
        np.testing.assert_allclose(norm.bias.grad.numpy(), dy.sum(0), rtol=1e-12)
        nu = nu * (1 - (1 - alpha) * (hat * hat).mean(0)) + (1 - alpha) * (g * hat).mean(0)
        np.testing.assert_allclose(norm.ema_gz.numpy(), nu, rtol=1e-12)
        square = 0.9 * square + 0.1 * (x * x).mean(0)
    assert np.abs(nu).min() > 1e-3


def test_power_norm_refuses_a_second_derivative():
    norm = extra.PowerNorm(2, warmup_iters=0)
    x = torch.randn(4, 2, requires_grad=True)
    (g,) = torch.autograd.grad(norm(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


# ---- the others
def test_ghost_statistics_move_once_per_part():
    x = batches(1, (8, 3, 2, 2))[0]
    ghost = extra.GhostBatchNorm2d(3, virtual_batch_size=3, momentum=0.3).double()
    plain = nn.BatchNorm2d(3, momentum=0.3).double()
    ghost(torch.from_numpy(x))
    for part in torch.from_numpy(x).chunk(3):
        plain(part)
    assert torch.equal(ghost.running_mean, plain.running_mean)
    assert torch.equal(ghost.running_var, plain.running_var)
    assert ghost.num_batches_tracked == 3
    assert torch.equal(ghost.eval()(torch.from_numpy(x)), plain.eval()(torch.from_numpy(x)))
    small = torch.from_numpy(x[:3])  # one part: BatchNorm
    assert torch.equal(ghost.train()(small), plain.train()(small))
    untracked = extra.GhostBatchNorm1d(2, 2, track_running_stats=False)
    assert untracked(torch.randn(6, 2)).shape == (6, 2)
    assert untracked.running_mean is None


@pytest.mark.parametrize("kind", [extra.EvoNormB0, extra.SwitchableNorm])
def test_running_statistics(kind):
    layer = kind(3, momentum=0.3).double()
    mean, var = np.zeros(3), np.ones(3)
    for x in batches(3, (4, 3, 2, 2)):
        layer(torch.from_numpy(x))
        unbiased = kind is extra.EvoNormB0
        mean = 0.7 * mean + 0.3 * x.mean((0, 2, 3))
        var = 0.7 * var + 0.3 * x.var((0, 2, 3), ddof=int(unbiased))
        np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)
    if kind is extra.SwitchableNorm:
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    before = layer.running_var.clone()
    layer.eval()(torch.from_numpy(x))
    assert torch.equal(layer.running_var, before)
    layer.reset_parameters()
    assert torch.equal(layer.running_var, torch.ones(3).double())


@pytest.mark.parametrize("layer", [
    extra.BatchRenorm1d(2, warmup=(0, 1, 1)), extra.PowerNorm(2, warmup_iters=1),
    extra.GhostBatchNorm1d(2, 2), extra.EvoNormB0(2), extra.SwitchableNorm(2)],
    ids=lambda v: type(v).__name__)
def test_training_learns_and_state_moves_to_a_twin(layer):
    """A few steps of SGD lower the loss; a twin with the same state_dict gives the same in eval."""
    shape = (8, 2) if isinstance(layer, (extra.PowerNorm, extra.BatchRenorm1d)) else (8, 2, 3)
    x = torch.tensor(batches(1, shape)[0], dtype=torch.float32)
    target = 3 * x - 1
    losses = []
    for _ in range(30):
        layer.zero_grad()
        loss = (layer(x) - target).square().mean()
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for p in layer.parameters():
                p -= 0.05 * p.grad
    assert losses[-1] < 0.6 * losses[1]
    options = {"warmup": (0, 1, 1)} if isinstance(layer, extra.BatchRenorm1d) else {}
    twin = type(layer)(2, **options)
    twin.load_state_dict(layer.state_dict())
    assert torch.equal(twin.eval()(x), layer.eval()(x))


def test_device_and_dtype_arguments():
    for kind in (extra.LayerNorm2d, extra.GRN, extra.LayerScale, extra.DyT, extra.TLU,
                 extra.FilterResponseNorm, extra.EvoNormB0, extra.EvoNormS0, extra.SwitchableNorm,
                 extra.PowerNorm, extra.BatchRenorm2d, extra.GhostBatchNorm2d,
                 extra.FrozenBatchNorm2d, extra.Snake, extra.ScaleNorm):
        layer = kind(4, device="cpu", dtype=torch.float64)
        kinds = {v.dtype for v in layer.state_dict().values() if v.is_floating_point()}
        assert kinds == {torch.float64}, kind
        with pytest.raises(RuntimeError):
            kind(4, device="nowhere")


def test_every_layer_has_a_line_in_a_table():
    lines = [case.shown for case in test_extra_activation.CASES + test_extra_norm.CASES]
    lines += [shown for _, _, shown in test_extra_dropout.LAYERS]
    covered = {line.split("(")[0] for line in lines}
    public = {name for name in extra.__all__ if inspect.isclass(getattr(extra, name))}
    assert public == covered


def test_extra_stands_apart_and_loads_when_first_used():
    assert not set(extra.__all__) - {"functional"} & set(dir(nn.modules))
    code = ("import sys, minigrad.nn as nn; assert 'minigrad.nn.extra' not in sys.modules; "
            "nn.extra.GRN(2); assert 'minigrad.nn.extra' in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)
