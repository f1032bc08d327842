"""nn.extra's norms: formulas, derivatives of three orders, statistics, hard numbers, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn import extra
from minigrad.nn.extra import functional as X

from .extra_checks import CHECKS, Case


def per(value, ndim, at=1):
    """Reshape (C,) for dim `at`."""
    return value.reshape([-1 if k == at % ndim else 1 for k in range(ndim)])


def scaled(y, s, at=1):
    return y * per(s["weight"], y.ndim, at) + per(s["bias"], y.ndim, at)


def standard(x, axes, eps):
    mean = x.mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + eps)


def space(x):
    return tuple(range(2, x.ndim))


def layer_norm(x, s):
    return scaled(standard(x, 1, 1e-6), s)


def grn(x, s, at):
    axes = tuple(k for k in range(1, x.ndim) if k != at % x.ndim)
    g = np.sqrt((x * x).sum(axes, keepdims=True))
    n = g / (g.mean(at, keepdims=True) + 1e-6)
    return x + per(s["weight"], x.ndim, at) * x * n + per(s["bias"], x.ndim, at)


def frn(x, s, eps=1e-6):
    return scaled(x / np.sqrt((x * x).mean(space(x), keepdims=True) + eps), s)


def evo_b0(x, s, var):
    own = np.sqrt(x.var(space(x), keepdims=True) + 1e-5)
    low = np.sqrt(per(var, x.ndim) + 1e-5)
    return scaled(x / np.maximum(low, per(s["v"], x.ndim) * x + own), s)


def evo_s0(x, s, groups):
    std = np.sqrt(x.reshape(x.shape[0], groups, -1).var(2) + 1e-5)  # (N, G)
    std = np.repeat(std, x.shape[1] // groups, 1).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))
    return scaled(x / (1 + np.exp(-per(s["v"], x.ndim) * x)) / std, s)


def switchable(x, s, batch=None):
    shares = {k: np.exp(s[k]) / np.exp(s[k]).sum() for k in ("mean_weight", "var_weight")}
    axes = [space(x), (1, *space(x)), (0, *space(x))][:len(s["mean_weight"])]
    means = [x.mean(a, keepdims=True) for a in axes]
    variances = [x.var(a, keepdims=True) for a in axes]
    if batch is not None:
        means[2], variances[2] = (per(v, x.ndim) for v in batch)
    mean = sum(w * m for w, m in zip(shares["mean_weight"], means, strict=True))
    var = sum(w * v for w, v in zip(shares["var_weight"], variances, strict=True))
    return scaled((x - mean) / np.sqrt(var + 1e-5), s)


def power(x, s, square):
    return scaled(x / np.sqrt(square + 1e-5), s, -1)


def conditional(x, cond, s):
    shift, scale = np.split(cond / (1 + np.exp(-cond)) @ s["linear.weight"].T + s["linear.bias"],
                            2, -1)
    middle = (slice(None),) + (None,) * (x.ndim - 2)
    return standard(x, -1, 1e-6) * (1 + scale[middle]) + shift[middle]


def adain(x, style, s):
    std = np.sqrt(style.var(space(style), keepdims=True) + 1e-5)
    std, mean = (v.reshape(*x.shape[:2], *(1,) * (x.ndim - 2))
                 for v in (std, style.mean(space(style), keepdims=True)))
    return standard(x, space(x), 1e-5) * std + mean


def std_conv(x, s):
    """Correlate by an explicit sum over the kernel's places."""
    w = standard(s["weight"], tuple(range(1, x.ndim)), 1e-6)
    k = w.shape[2:]
    windows = np.lib.stride_tricks.sliding_window_view(x, k, tuple(range(2, x.ndim)))
    letters = "abc"[:len(k)]
    y = np.einsum(f"nixyz{letters},oi{letters}->noxyz".replace("xyz", "xyz"[:len(k)]), windows, w)
    return y + per(s["bias"], x.ndim)


def ghost(x, s, size):
    parts = [x[k:k + size] for k in range(0, len(x), size)]
    return scaled(np.concatenate([standard(p, (0, *space(x)), 1e-5) for p in parts]), s)


def frozen(x, s):
    root = np.sqrt(s["running_var"] + 1e-5)
    return scaled((x - per(s["running_mean"], x.ndim)) / per(root, x.ndim), s)


CASES = [
    Case(lambda: extra.LayerNorm1d(3), ((2, 3, 4),), layer_norm,
         "LayerNorm1d(3, eps=1e-06, affine=True)", True),
    Case(lambda: extra.LayerNorm2d(4), ((2, 4, 2, 3),), layer_norm,
         "LayerNorm2d(4, eps=1e-06, affine=True)", True),
    Case(lambda: extra.LayerNorm2d(4, 1e-3, affine=False), ((2, 4, 2, 3),),
         lambda x, s: standard(x, 1, 1e-3), "LayerNorm2d(4, eps=0.001, affine=False)", True),
    Case(lambda: extra.LayerNorm3d(3), ((2, 3, 2, 1, 2),), layer_norm,
         "LayerNorm3d(3, eps=1e-06, affine=True)", True),
    Case(lambda: extra.GRN(3), ((2, 2, 3, 3),), lambda x, s: grn(x, s, -1),
         "GRN(3, eps=1e-06, channels_last=True)"),
    Case(lambda: extra.GRN(3, channels_last=False), ((2, 3, 4),), lambda x, s: grn(x, s, 1),
         "GRN(3, eps=1e-06, channels_last=False)"),
    Case(lambda: extra.LayerScale(3, 0.1), ((2, 4, 3),), lambda x, s: x * s["gamma"],
         "LayerScale(3, init_values=0.1, inplace=False, channels_last=True)", True),
    Case(lambda: extra.LayerScale(3, channels_last=False), ((2, 3, 4),),
         lambda x, s: x * per(s["gamma"], 3),
         "LayerScale(3, init_values=1e-05, inplace=False, channels_last=False)"),
    Case(lambda: extra.ScaleNorm(2.0), ((2, 4),),
         lambda x, s: s["scale"] * x / np.sqrt((x * x).sum(-1, keepdims=True)),
         "ScaleNorm(2.0, eps=1e-05)", True),
    Case(lambda: extra.SimpleRMSNorm((3, 2)), ((2, 3, 2),),
         lambda x, s: x / np.sqrt((x * x).mean((1, 2), keepdims=True) + 1e-6),
         "SimpleRMSNorm((3, 2), eps=1e-06)", True),
    Case(lambda: extra.DyT(4), ((2, 3, 4),),
         lambda x, s: np.tanh(s["alpha"] * x) * s["weight"] + s["bias"],
         "DyT((4,), alpha_init_value=0.5, channels_last=True)", True),
    Case(lambda: extra.DyT(4, 0.8, channels_last=False), ((2, 4, 3),),
         lambda x, s: scaled(np.tanh(s["alpha"] * x), s),
         "DyT((4,), alpha_init_value=0.8, channels_last=False)"),
    Case(lambda: extra.FilterResponseNorm(3), ((2, 3, 5),), frn,
         "FilterResponseNorm(3, eps=1e-06, learnable_eps=False)"),
    Case(lambda: extra.FilterResponseNorm(3, learnable_eps=True), ((2, 3, 2, 2),),
         lambda x, s: frn(x, s, 1e-6 + np.abs(s["eps_l"])),
         "FilterResponseNorm(3, eps=1e-06, learnable_eps=True)"),
    Case(lambda: extra.TLU(3), ((2, 3, 4),), lambda x, s: np.maximum(x, per(s["tau"], 3)),
         "TLU(3)"),
    Case(lambda: extra.EvoNormB0(3), ((4, 3, 2, 2),),
         lambda x, s: evo_b0(x, s, x.var((0, 2, 3))), "EvoNormB0(3, eps=1e-05, momentum=0.1)"),
    Case(lambda: extra.EvoNormB0(3), ((4, 3, 5),), lambda x, s: evo_b0(x, s, s["running_var"]),
         "EvoNormB0(3, eps=1e-05, momentum=0.1)", training=False),
    Case(lambda: extra.EvoNormS0(4, 2), ((2, 4, 3),), lambda x, s: evo_s0(x, s, 2),
         "EvoNormS0(4, groups=2, eps=1e-05)"),
    Case(lambda: extra.EvoNormS0(4), ((2, 4, 2, 2),), lambda x, s: evo_s0(x, s, 4),
         "EvoNormS0(4, groups=4, eps=1e-05)"),
    Case(lambda: extra.SwitchableNorm(3), ((4, 3, 5),), switchable,
         "SwitchableNorm(3, eps=1e-05, momentum=0.1, using_bn=True)"),
    Case(lambda: extra.SwitchableNorm(3), ((2, 3, 2, 2),),
         lambda x, s: switchable(x, s, (s["running_mean"], s["running_var"])),
         "SwitchableNorm(3, eps=1e-05, momentum=0.1, using_bn=True)", training=False),
    Case(lambda: extra.SwitchableNorm(3, using_bn=False), ((2, 3, 4),), switchable,
         "SwitchableNorm(3, eps=1e-05, momentum=0.1, using_bn=False)"),
    Case(lambda: extra.PowerNorm(3), ((4, 2, 3),),  # warm-up: the exact derivative
         lambda x, s: power(x, s, (x * x).mean((0, 1))), "PowerNorm(3, eps=1e-05, alpha_fwd=0.9, "
         "alpha_bkw=0.9, affine=True, warmup_iters=10000)"),
    Case(lambda: extra.PowerNorm(3, warmup_iters=0), ((4, 3),),
         lambda x, s: power(x, s, s["running_phi"]), "PowerNorm(3, eps=1e-05, alpha_fwd=0.9, "
         "alpha_bkw=0.9, affine=True, warmup_iters=0)", training=False),
    Case(lambda: extra.AdaptiveLayerNorm(4, 3), ((2, 5, 4), (2, 3)), conditional,
         "AdaptiveLayerNorm(\n  4, cond_features=3, eps=1e-06\n", True),
    Case(extra.AdaIN, ((2, 3, 4), (2, 3, 2, 3)), adain, "AdaIN(eps=1e-05)"),
    Case(lambda: extra.StdConv1d(2, 3, 2), ((2, 2, 5),), std_conv,
         "StdConv1d(2, 3, kernel_size=(2,), stride=(1,), eps=1e-06)", True),
    Case(lambda: extra.StdConv2d(2, 3, (2, 3)), ((2, 2, 3, 4),), std_conv,
         "StdConv2d(2, 3, kernel_size=(2, 3), stride=(1, 1), eps=1e-06)", True),
    Case(lambda: extra.StdConv3d(1, 2, 2), ((2, 1, 3, 2, 3),), std_conv,
         "StdConv3d(1, 2, kernel_size=(2, 2, 2), stride=(1, 1, 1), eps=1e-06)", True, half=3e-2),
    Case(lambda: extra.GhostBatchNorm1d(3, 3), ((6, 3),), lambda x, s: ghost(x, s, 3),
         "GhostBatchNorm1d(3, virtual_batch_size=3, eps=1e-05, momentum=0.1, affine=True, "
         "bias=True, track_running_stats=True)", half=3e-2),
    Case(lambda: extra.GhostBatchNorm2d(3, 2), ((4, 3, 2, 2),), lambda x, s: ghost(x, s, 2),
         "GhostBatchNorm2d(3, virtual_batch_size=2"),
    Case(lambda: extra.GhostBatchNorm3d(2, 2), ((4, 2, 2, 1, 2),), frozen,
         "GhostBatchNorm3d(2, virtual_batch_size=2", training=False),
    Case(lambda: extra.FrozenBatchNorm2d(3), ((2, 3, 2, 2),), frozen,
         "FrozenBatchNorm2d(3, eps=1e-05)"),
    Case(lambda: extra.BatchRenorm1d(3), ((4, 3),),  # before the warm-up ends it is BatchNorm
         lambda x, s: scaled(standard(x, 0, 1e-3), s), "BatchRenorm1d(3, eps=0.001, momentum=0.01, "
         "affine=True, rmax=3.0, dmax=5.0, warmup=(5000, 40000, 25000))"),
    Case(lambda: extra.BatchRenorm2d(3), ((2, 3, 2, 2),),
         lambda x, s: scaled((x - per(s["running_mean"], 4)) / per(s["running_std"], 4), s),
         "BatchRenorm2d(3, eps=0.001", training=False),
    Case(lambda: extra.BatchRenorm3d(2), ((2, 2, 2, 1, 2),),
         lambda x, s: scaled(standard(x, (0, 2, 3, 4), 1e-3), s), "BatchRenorm3d(2, eps=0.001"),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_layer(case, check):
    check(case)


# ---- hard numbers
OFFSET = [
    (extra.LayerNorm2d(16, affine=False).double(), (2, 16, 3, 3), (1,)),
    (extra.GhostBatchNorm2d(2, 8, affine=False).double(), (16, 2, 5, 5), None),
    (extra.BatchRenorm2d(2, eps=1e-12, affine=False).double(), (8, 2, 5, 5), (0, 2, 3)),
    (extra.SwitchableNorm(2, eps=1e-12, using_bn=False).double(), (3, 2, 40), None),
]


@pytest.mark.parametrize(("layer", "shape", "axes"), OFFSET, ids=lambda v: type(v).__name__)
def test_large_mean_small_deviation(layer, shape, axes):
    """Mean 1e6, deviation 1e-3: the result is that of the same numbers around 0."""
    noise = np.random.default_rng(0).normal(size=shape) * 1e-3
    near = np.float64(1e6) + noise
    noise = near - 1e6  # what float64 kept of it
    a, b = (layer(torch.from_numpy(x)).detach().numpy() for x in (near, noise))
    np.testing.assert_allclose(a, b, atol=2e-5)
    if axes and layer.eps < 1e-9:
        np.testing.assert_allclose(a.std(axes), 1, atol=1e-4)


@pytest.mark.parametrize("layer", [
    extra.GRN(2, channels_last=False), extra.FilterResponseNorm(2), extra.EvoNormS0(2),
    extra.FilterResponseNorm(2, learnable_eps=True), extra.EvoNormB0(2), extra.SwitchableNorm(2),
    extra.LayerNorm1d(2), extra.BatchRenorm1d(2)], ids=lambda v: type(v).__name__)
def test_float16_squares_do_not_overflow(layer):
    x = torch.tensor([[[3e4, -2e4], [1e4, 3e4]], [[2e4, 1.0], [3.0, -3e4]]])
    want = layer(x).detach().numpy()
    kinds = [torch.float32]  # of the parameters
    if "running_var" not in layer.state_dict():  # that would overflow, as BatchNorm's does
        kinds.append(torch.float16)
    for kind in kinds:
        got = layer.to(kind)(x.half())
        assert got.dtype == torch.float16
        np.testing.assert_allclose(got.detach().numpy(), want, rtol=5e-3, atol=5e-3)


def test_zeros_have_finite_gradients():
    for layer, shape in ((extra.GRN(3), (2, 4, 3)), (extra.ScaleNorm(1.0), (2, 3)),
                         (extra.FilterResponseNorm(3), (2, 3, 4)), (extra.PowerNorm(3), (2, 3))):
        x = torch.zeros(shape, requires_grad=True)
        layer(x).sum().backward()
        assert torch.isfinite(x.grad).all()


# ---- relations
def test_what_equals_what():
    x = torch.randn(4, 6, 3, 5, dtype=torch.float64)
    layer_norm = nn.LayerNorm(6, 1e-6).double()
    want = layer_norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    assert torch.allclose(extra.LayerNorm2d(6).double()(x), want)
    assert not torch.allclose(extra.LayerNorm2d(6).double()(x), nn.GroupNorm(1, 6).double()(x))
    root = extra.ScaleNorm(5 ** 0.5).double()(x)
    assert torch.allclose(root, nn.RMSNorm(5, 1e-12, False)(x))
    assert torch.equal(extra.GRN(5).double()(x), x)
    assert torch.equal(extra.TLU(6).double()(x), x.relu())
    alike = nn.Conv2d(6, 2, 3, padding=1, stride=2, groups=2).double()
    standard = extra.StdConv2d(6, 2, 3, padding=1, stride=2, groups=2).double()
    standard.load_state_dict(alike.state_dict())
    with torch.no_grad():
        alike.weight.copy_(X.standardize_weight(alike.weight))
    assert torch.allclose(standard(x), alike(x))
    cond = torch.randn(4, 2, dtype=torch.float64)
    assert torch.allclose(extra.AdaptiveLayerNorm(5, 2).double()(x, cond),
                          nn.LayerNorm(5, 1e-6).double()(x))


def test_frozen_takes_the_state_of_a_batch_norm():
    bn = nn.BatchNorm2d(3)
    bn(5 + 2 * torch.randn(8, 3, 4, 4))
    frozen = extra.FrozenBatchNorm2d(3)
    frozen.load_state_dict(bn.state_dict())
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(frozen(x), bn.eval()(x))
    assert not list(frozen.parameters())
    assert list(frozen.state_dict()) == ["weight", "bias", "running_mean", "running_var"]


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda: extra.LayerNorm2d(3)(torch.ones(2, 3)), ValueError, "4D .* or 3D"),
    (lambda: extra.LayerNorm2d(3)(torch.ones(2, 4, 5, 5)), RuntimeError, "3 channels in dim 1"),
    (lambda: extra.GRN(3)(torch.ones(2, 3, 4)), RuntimeError, "3 channels in dim 2"),
    (lambda: extra.GRN(3)(torch.ones(2, 3, dtype=torch.int64)), NotImplementedError, "floating"),
    (lambda: extra.FilterResponseNorm(3)(torch.ones(2, 3)), ValueError, "at least 3"),
    (lambda: extra.DyT((2, 3), channels_last=False), ValueError, "number of channels"),
    (lambda: extra.DyT((2, 3))(torch.ones(3, 2)), RuntimeError, "last dimensions"),
    (lambda: extra.EvoNormS0(40, 32), ValueError, "divisible by groups"),
    (lambda: extra.EvoNormB0(3)(torch.ones(1, 3, 1)), ValueError, "more than 1 value"),
    (lambda: extra.BatchRenorm1d(3)(torch.ones(1, 3)), ValueError, "more than 1 value"),
    (lambda: extra.BatchRenorm2d(3)(torch.ones(4, 3)), ValueError, "expected 4D"),
    (lambda: extra.BatchRenorm2d(3, rmax=0.5), ValueError, "rmax"),
    (lambda: extra.GhostBatchNorm1d(3, 2)(torch.ones(3, 3)), ValueError, "more than 1 value"),
    (lambda: extra.GhostBatchNorm1d(3, 0), ValueError, "virtual_batch_size"),
    (lambda: extra.PowerNorm(3)(torch.ones(3)), ValueError, "at least 2"),
    (lambda: extra.AdaIN()(torch.ones(2, 3, 4), torch.ones(2, 4, 4)), RuntimeError, "same N"),
    (lambda: extra.AdaptiveLayerNorm(4, 3)(torch.ones(2, 4), torch.ones(3, 3)), RuntimeError,
     "leading sizes"),
    (lambda: extra.LayerScale(3)(torch.ones(2, 4)), RuntimeError, "LayerScale: expected 3"),
])
def test_refusals(call, error, says):
    with pytest.raises(error, match=says):
        call()
