"""Parametrizations, norms by hooks, stateless calls: what the recorded cases cannot express."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn import utils
from minigrad.nn.utils import parametrizations as N
from minigrad.nn.utils import parametrize as P
from minigrad.nn.utils.stateless import _functional_call, functional_call


class Double(nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, x):
        return x / 2


class To(nn.Module):
    """Return (or go back to) something of another kind."""

    def __init__(self, forward=lambda x: x, back=lambda x: x):
        super().__init__()
        self.there, self.back = forward, back

    def forward(self, *x):
        return self.there(*x)

    def right_inverse(self, x):
        return self.back(x)


# ---- registering
def test_training_reaches_the_original():
    layer = P.register_parametrization(nn.Linear(2, 2), "weight", Double())
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    before = layer.weight.detach().clone()
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.allclose(before - layer.weight, torch.full((2, 2), 0.4), atol=1e-6)


def test_cached_computes_once_and_forgets():
    calls = []

    class Counted(nn.Module):
        def forward(self, x):
            calls.append(1)
            return x * 1

    layer = P.register_parametrization(nn.Linear(2, 2), "weight", Counted(), unsafe=True)
    with P.cached():
        with P.cached():
            first = layer.weight
        assert layer.weight is first
    assert len(calls) == 1
    assert layer.weight is not first
    twin = copy.deepcopy(layer)
    with P.cached():
        assert twin.weight is not layer.weight


def test_copies_are_independent():
    """Removing the parametrization of one does not touch the other (it does in torch)."""
    layer = P.register_parametrization(nn.Linear(2, 2), "weight", Double())
    twin = copy.deepcopy(layer)
    P.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert P.is_parametrized(twin)
    assert torch.equal(twin.weight, layer.weight)
    assert isinstance(twin, nn.Linear)


def test_pickling_is_refused():
    layer = P.register_parametrization(nn.Linear(2, 2), "weight", Double())
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(layer)
    pickle.dumps(P.remove_parametrizations(layer, "weight"))


def test_mode_follows_the_module():
    norm = nn.utils.parametrizations._SpectralNorm(torch.ones(2, 2))
    P.register_parametrization(nn.Linear(2, 2).eval(), "weight", norm)
    assert not norm.training


REGISTER = P.register_parametrization


@pytest.mark.parametrize(("error", "match", "act"), [
    (ValueError, "does not have a parameter", lambda m: REGISTER(m, "other", Double())),
    (ValueError, "may not change the shape",
     lambda m: REGISTER(m, "weight", To(lambda x: x[0]))),
    (ValueError, "may not change the dtype",
     lambda m: REGISTER(m, "weight", To(lambda x: x.double()))),
    (ValueError, "must return a tensor", lambda m: REGISTER(m, "weight", To(lambda x: 3))),
    (ValueError, "must return a Tensor or a Sequence",
     lambda m: REGISTER(m, "weight", To(back=lambda x: 3))),
    (ValueError, "element 1 of the sequence",
     lambda m: REGISTER(m, "weight", To(back=lambda x: (x, 3)))),
    (ValueError, "may not change the dtype",
     lambda m: REGISTER(m, "weight", To(back=lambda x: x.double()))),
    (ValueError, "may not change the shape",
     lambda m: REGISTER(REGISTER(m, "weight", Double()), "weight", To(lambda x: x[0]))),
    (ValueError, "right_inverse must return a tensor",
     lambda m: REGISTER(REGISTER(m, "weight", Double()), "weight", To(back=lambda x: (x, x)))),
    (ValueError, "one or more modules", lambda m: P.ParametrizationList([], m.weight)),
    (ValueError, "does not have a parametrization",
     lambda m: P.remove_parametrizations(m, "weight")),
    (ValueError, "Cannot leave unparametrized",
     lambda m: P.remove_parametrizations(N.weight_norm(m), "weight", False)),
    (RuntimeError, "does not implement right_inverse",
     lambda m: setattr(REGISTER(m, "weight", nn.Tanh()), "weight", torch.ones(2, 3))),
    (KeyError, "already exists",
     lambda m: setattr(REGISTER(m, "weight", Double()), "weight", nn.Parameter(torch.ones(2, 3)))),
    (ValueError, "no parameter or buffer", lambda m: N.orthogonal(m, "other")),
    (ValueError, "Expected a matrix", lambda m: N.orthogonal(m, "bias")),
    (ValueError, "orthogonal_map has to be", lambda m: N.orthogonal(m, orthogonal_map="x")),
    (NotImplementedError, "not possible to assign", lambda m: setattr(
        N.orthogonal(m, "weight", "cayley", use_trivialization=False), "weight",
        torch.ones(2, 3))),
    (ValueError, "of shape", lambda m: setattr(N.orthogonal(m), "weight", torch.ones(3, 3))),
    (IndexError, "Dimension out of range", lambda m: N.spectral_norm(m, dim=2)),
    (ValueError, "n_power_iterations to be positive", lambda m: N.spectral_norm(m, "weight", 0)),
    (ValueError, "no parameter or buffer", lambda m: N.spectral_norm(m, "other")),
    (ValueError, "n_power_iterations to be positive",
     lambda m: utils.spectral_norm(m, "weight", 0)),
    (RuntimeError, "two spectral_norm hooks",
     lambda m: utils.spectral_norm(utils.spectral_norm(m))),
    (ValueError, "spectral_norm of 'weight' not found", lambda m: utils.remove_spectral_norm(m)),
    (ValueError, "weight_norm of 'weight' not found", lambda m: utils.remove_weight_norm(m)),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act(nn.Linear(3, 2))


# ---- norms
@pytest.mark.parametrize("mapping", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
def test_weights_stay_orthogonal_in_training(mapping, shape):
    module = nn.Module()
    module.weight = nn.Parameter(torch.randn(shape, dtype=torch.float64))
    N.orthogonal(module, "weight", mapping)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.02)
    target = torch.randn(shape, dtype=torch.float64)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = ((module.weight - target) ** 2).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    q = module.weight.detach()
    tall = q if shape[-2] >= shape[-1] else q.mT
    one = torch.eye(tall.shape[-1], dtype=torch.float64)
    assert torch.allclose(tall.mT @ tall, one.expand(*tall.shape[:-2], -1, -1), atol=1e-10)
    assert losses[-1] < losses[0]


def test_spectral_norm_finds_the_largest_singular_value():
    layer = nn.Conv2d(3, 6, 2, dtype=torch.float64)
    sigma = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
    weight = layer.weight.detach().clone()
    N.spectral_norm(layer, n_power_iterations=50)
    assert torch.allclose(layer.weight, weight / sigma, rtol=1e-6)
    layer.eval()
    u = layer.parametrizations.weight[0]._u.clone()
    _ = layer.weight
    assert torch.equal(layer.parametrizations.weight[0]._u, u)


def test_two_forwards_before_one_backward():
    """The buffers change in place in between, as in a GAN's loss D(real) - D(fake)."""
    for layer in (N.spectral_norm(nn.Linear(3, 2)), utils.spectral_norm(nn.Linear(3, 2))):
        (layer(torch.ones(1, 3)) - layer(torch.zeros(1, 3))).sum().backward()


def test_the_hook_form_of_weight_norm_warns_once_here():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        layer = utils.weight_norm(nn.Linear(3, 2))
    assert [w.category for w in caught] == [FutureWarning]
    assert caught[0].filename == __file__
    with pytest.warns(FutureWarning), pytest.raises(RuntimeError, match="two weight_norm hooks"):
        utils.weight_norm(layer)


# ---- others
def test_functional_call_leaves_the_module_alone():
    layer = nn.Linear(2, 2)
    weight = torch.zeros(2, 2, requires_grad=True)
    bias = layer.bias
    y = _functional_call(layer, {"weight": weight}, torch.ones(1, 2))
    assert torch.equal(y, bias.unsqueeze(0))
    assert layer.weight is not weight
    replaced = utils.stateless._reparametrize_module(layer, {"weight": weight})
    with pytest.raises(ZeroDivisionError), replaced:
        assert layer.weight is weight
        raise ZeroDivisionError
    assert layer.weight is not weight


@pytest.mark.filterwarnings("ignore:.*stateless.functional_call.*:FutureWarning")
@pytest.mark.parametrize(("error", "match", "given", "options"), [
    (RuntimeError, r"Unexpected key\(s\): 'x'", {"weight": 0, "bias": 0, "x": 0}, True),
    (RuntimeError, r"Missing key\(s\): 'bias'", {"weight": 0}, True),
    (AttributeError, "other", {"other.weight": 0}, False),
])
def test_functional_call_refuses(error, match, given, options):
    layer = nn.Linear(2, 2)
    given = {key: torch.zeros(2, 2) for key in given}
    with pytest.raises(error, match=match):
        functional_call(layer, given, torch.ones(1, 2), strict=options)


def test_functional_call_of_tied_weights():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    given = {"0.weight": torch.ones(2, 2), "1.weight": torch.zeros(2, 2)}
    with pytest.raises(ValueError, match="which are tied"):
        _functional_call(net, given, torch.ones(1, 2))
    _functional_call(net, given, torch.ones(1, 2), tie_weights=False)
    with pytest.warns(FutureWarning, match="torch.func.functional_call"):
        functional_call(net, {}, torch.ones(1, 2))


def test_skip_init_draws_nothing():
    before = torch.get_rng_state()
    layer = utils.skip_init(nn.Linear, 5, out_features=2, bias=False)
    assert layer.weight.shape == (2, 5)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(RuntimeError, match="'device' arg"):
        utils.skip_init(nn.ReLU)
    with pytest.raises(RuntimeError, match="Expected a Module"):
        utils.skip_init(dict)


def test_memory_formats():
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ConvTranspose2d(4, 2, 3), nn.Conv3d(2, 4, 3))
    x = torch.randn(1, 2, 5, 5)
    y = net[:2](x)
    assert utils.convert_conv2d_weight_memory_format(net, torch.channels_last) is net
    assert [layer.weight.is_contiguous(memory_format=torch.channels_last) for layer in net] == [
        True, True, False]
    assert torch.equal(net[:2](x), y)
    utils.convert_conv3d_weight_memory_format(net, torch.channels_last_3d)
    assert net[2].weight.stride() == (54, 1, 18, 6, 2)
    with pytest.raises(RuntimeError, match="rank 5"):
        utils.convert_conv2d_weight_memory_format(net, torch.channels_last_3d)
    with pytest.raises(TypeError, match="memory_format"):
        utils.convert_conv3d_weight_memory_format(net, "channels_last")


def test_fusion_refuses_training_and_other_sizes():
    linear, bn = nn.Linear(3, 2), nn.BatchNorm1d(2)
    with pytest.raises(AssertionError, match="only for eval"):
        utils.fuse_linear_bn_eval(linear, bn)
    with pytest.raises(AssertionError, match="num_features"):
        utils.fuse_linear_bn_eval(linear.eval(), nn.BatchNorm1d(3).eval())
    with pytest.raises(AssertionError, match="running_mean"):
        utils.fuse_conv_bn_eval(nn.Conv1d(2, 2, 1).eval(),
                                nn.BatchNorm1d(2, track_running_stats=False).eval())


def test_fused_layers_compute_the_same():
    conv, bn = nn.ConvTranspose1d(3, 4, 2).eval(), nn.BatchNorm1d(4).eval()
    bn.running_mean.copy_(torch.randn(4))
    bn.running_var.copy_(torch.rand(4) + 0.5)
    x = torch.randn(2, 3, 6)
    fused = utils.fuse_conv_bn_eval(conv, bn, transpose=True)
    assert torch.allclose(fused(x), bn(conv(x)), atol=1e-5)
    assert fused is not conv


def test_old_name_of_clipping_warns():
    p = nn.Parameter(torch.zeros(2))
    p.grad = torch.tensor([3.0, 4.0])
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        assert utils.clip_grad_norm(p, 1.0).item() == 5
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-5)


def test_clipping_warns_of_an_empty_iterator_and_refuses_integers():
    with pytest.warns(UserWarning, match="empty generator"):
        assert utils.clip_grad_norm_((p for p in ()), 1.0).item() == 0
    with pytest.raises(RuntimeError, match="floating point tensor"):
        utils.get_total_norm([torch.ones(2, dtype=torch.int64)])
