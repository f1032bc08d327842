"""What the module table cannot express: draws, running statistics, warnings, refusals."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn import utils


# ---- dropout
@pytest.mark.parametrize(("layer", "shape"), [
    (nn.Dropout, (4, 500)), (nn.Dropout1d, (40, 50, 3)), (nn.Dropout2d, (40, 50, 2, 2)),
    (nn.Dropout3d, (40, 50, 2, 1, 2)), (nn.AlphaDropout, (4, 500)),
    (nn.FeatureAlphaDropout, (40, 50, 3)), (nn.RReLU, (40, 50))])
def test_draws_follow_the_generator(layer, shape):
    """Equal seeds give equal draws, copies carry the position on, eval draws nothing."""
    x = -torch.ones(shape)
    first, second = (layer(generator=torch.Generator().manual_seed(3)) for _ in range(2))
    before = torch.get_rng_state()
    a = first(x)
    assert torch.equal(a, second(x))
    twin = copy.deepcopy(first)
    b = first(x)
    assert not torch.equal(a, b)
    assert torch.equal(b, twin(x))
    assert torch.equal(first.eval()(x), first(x))
    assert torch.equal(torch.get_rng_state(), before)
    assert "generator" not in repr(first)
    assert not first.state_dict()
    plain = layer()
    torch.manual_seed(1)
    a = plain(x)
    torch.manual_seed(1)
    assert torch.equal(a, plain(x))


def test_dropout_rate_and_scale():
    y = nn.Dropout(0.3)(torch.ones(200, 500)).numpy()
    assert set(np.unique(y.round(5))) == {0.0, np.float32(1 / 0.7).round(5)}
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("layer", "shape", "whole"), [
    (nn.Dropout1d, (30, 20, 4), (2,)), (nn.Dropout1d, (200, 4), (1,)),
    (nn.Dropout2d, (30, 20, 3, 2), (2, 3)), (nn.Dropout3d, (30, 20, 2, 3, 2), (2, 3, 4)),
    (nn.Dropout3d, (200, 2, 3, 2), (1, 2, 3))])
def test_channels_are_dropped_whole(layer, shape, whole):
    y = layer(0.4)(torch.ones(shape)).numpy()
    assert (y.max(axis=whole) == y.min(axis=whole)).all()
    assert 0.2 < (y == 0).mean() < 0.6


def test_dropout2d_on_three_dimensions():
    x = torch.ones(30, 20, 6)
    with pytest.warns(UserWarning, match="3-d"):
        y = nn.Dropout2d()(x)
    assert bool((y == y[:, :, :1]).all())
    y = nn.Dropout2d(batched=False)(x)
    assert bool((y == y[:, :1, :1]).all())


# ---- normalisation
def test_running_statistics():
    """new = (1 - momentum) * old + momentum * batch, with the unbiased variance."""
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    bn = nn.BatchNorm1d(2, momentum=0.1)
    bn(x)
    assert bn.running_mean.tolist() == pytest.approx([0.2, 0.4])
    assert bn.running_var.tolist() == pytest.approx([0.9 + 0.2, 0.9 + 0.8])
    mean = nn.BatchNorm1d(2, momentum=None)
    mean(x)
    mean(3 * x)
    assert mean.running_mean.tolist() == pytest.approx([4.0, 8.0])
    assert mean.num_batches_tracked.item() == 2
    before = copy.deepcopy(mean.state_dict())
    mean.eval()(x)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), mean.state_dict().values(),
                                                 strict=True))
    mean.reset_running_stats()
    assert mean.running_var.tolist() == [1.0, 1.0]
    free = nn.BatchNorm1d(2, track_running_stats=False)
    assert free.running_mean is None
    assert torch.equal(free(x), free.eval()(x))


def test_freezing_statistics_by_assignment():
    """Buffers set to None: batch statistics in eval too."""
    bn = nn.BatchNorm1d(2, affine=False)
    x = torch.randn(5, 2)
    y = bn(x)
    bn.running_mean = bn.running_var = None
    assert torch.allclose(bn.eval()(x), y)


def test_relations():
    """What GroupNorm, LayerNorm and InstanceNorm have in common at initialisation."""
    x = torch.randn(2, 6, 4, 5)
    assert torch.allclose(nn.GroupNorm(6, 6)(x), nn.InstanceNorm2d(6)(x), atol=1e-5)
    assert torch.allclose(nn.GroupNorm(1, 6)(x), nn.LayerNorm([6, 4, 5])(x), atol=1e-5)
    y = torch.randn(2, 6, 9)
    same = nn.LayerNorm(9, elementwise_affine=False)(y)
    assert torch.allclose(nn.InstanceNorm1d(6)(y), same, atol=1e-5)


@pytest.mark.parametrize(("error", "match", "act"), [
    (ValueError, "expected 2D or 3D input", lambda: nn.BatchNorm1d(3)(torch.ones(2))),
    (ValueError, "expected 4D input", lambda: nn.BatchNorm2d(3)(torch.ones(2, 3, 1))),
    (ValueError, "expected 5D input", lambda: nn.BatchNorm3d(3)(torch.ones(2, 3, 1, 1))),
    (ValueError, "more than 1 value per channel", lambda: nn.BatchNorm1d(3)(torch.ones(1, 3))),
    (RuntimeError, "expected 3 channels in dim 1", lambda: nn.BatchNorm1d(3)(torch.ones(2, 5))),
    (ValueError, "expected 2D or 3D", lambda: nn.InstanceNorm1d(3)(torch.ones(3))),
    (ValueError, r"read as .*without a batch",
     lambda: nn.InstanceNorm2d(3, affine=True)(torch.randn(2, 3, 4))),
    (ValueError, "more than 1 spatial", lambda: nn.InstanceNorm2d(3)(torch.ones(1, 3, 1, 1))),
    (RuntimeError, "normalized_shape", lambda: nn.LayerNorm(3)(torch.ones(2, 4))),
    (ValueError, "divisible by num_groups", lambda: nn.GroupNorm(3, 4)),
    (RuntimeError, "expected 4 channels", lambda: nn.GroupNorm(2, 4)(torch.ones(2, 6))),
    (RuntimeError, "normalized_shape", lambda: nn.RMSNorm(3)(torch.ones(4))),
    (ValueError, "3D or higher", lambda: nn.LocalResponseNorm(2)(torch.ones(2, 2))),
    (ValueError, "between 0 and 1, but got 2", lambda: nn.Dropout(2)),
    (ValueError, "between 0 and 1", lambda: nn.AlphaDropout(-0.1)),
    (AssertionError, "greater than min_val", lambda: nn.Hardtanh(2, 1)),
    (ValueError, "3D or 4D", lambda: nn.Softmax2d()(torch.ones(2))),
    (RuntimeError, "expected 1 weight, or 1 per channel",
     lambda: nn.PReLU(3)(torch.ones(2, 4))),
    (AssertionError, "within num_embeddings", lambda: nn.Embedding(3, 2, padding_idx=5)),
    (AssertionError, "does not match", lambda: nn.Embedding(3, 2, _weight=torch.ones(2, 2))),
    (AssertionError, "2-dimensional", lambda: nn.Embedding.from_pretrained(torch.ones(3))),
    (IndexError, "out of range", lambda: nn.Embedding(3, 2)(torch.tensor([3]))),
    (RuntimeError, "sparse=True", lambda: nn.Embedding(3, 2, sparse=True)),
    (TypeError, "tuple of ints", lambda: nn.Unflatten(1, 3)),
    (TypeError, "at pos 1", lambda: nn.Unflatten(1, (2, 3.5))),
    (ValueError, "in1_features must be > 0", lambda: nn.Bilinear(0, 1, 2)),
    (RuntimeError, "bilinear",
     lambda: nn.Bilinear(1, 1, 2)(torch.ones(2, 1), torch.ones(3, 1))),
    (RuntimeError, "bilinear",
     lambda: nn.Bilinear(1, 1, 2)(torch.ones(2, 1), torch.ones(2, 3))),
    (RuntimeError, "cannot be multiplied", lambda: nn.Linear(2, 3)(torch.ones(2, 4))),
    (ValueError, "in_channels must be divisible", lambda: nn.Conv2d(3, 4, 3, groups=2)),
    (ValueError, "out_channels must be divisible", lambda: nn.Conv2d(4, 3, 3, groups=2)),
    (ValueError, "groups must be a positive", lambda: nn.Conv2d(2, 2, 3, groups=0)),
    (ValueError, "Invalid padding string", lambda: nn.Conv2d(2, 2, 3, padding="foo")),
    (ValueError, "strided", lambda: nn.Conv2d(2, 2, 3, padding="same", stride=2)),
    (ValueError, "padding_mode must be one of", lambda: nn.Conv2d(2, 2, 3, padding_mode="x")),
    (ValueError, 'Only "zeros"',
     lambda: nn.ConvTranspose2d(2, 2, 3, padding_mode="reflect")),
    (ValueError, "must be numbers", lambda: nn.ConvTranspose2d(2, 2, 3, padding="same")),
    (RuntimeError, "expected 3 channels", lambda: nn.Conv2d(3, 4, 3)(torch.ones(2, 2, 5, 5))),
    (ValueError, "not a valid value for reduction",
     lambda: nn.MSELoss(reduction="x")(torch.ones(1), torch.ones(1))),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()


# ---- warnings
@pytest.mark.parametrize(("category", "match", "act"), [
    (UserWarning, "does not match num_features",
     lambda: nn.InstanceNorm2d(3)(torch.randn(2, 5, 4, 4))),
    (UserWarning, "Implicit dimension choice", lambda: nn.Softmax()(torch.ones(2, 3))),
    (UserWarning, "Implicit dimension choice", lambda: nn.LogSoftmax()(torch.ones(2, 3))),
    (UserWarning, "Implicit dimension choice", lambda: nn.Softmin()(torch.ones(2, 3))),
    (FutureWarning, "renamed to `min_val`", lambda: nn.Hardtanh(min_value=-3)),
    (UserWarning, "reduction='sum'", lambda: nn.MSELoss(size_average=False)),
    (UserWarning, "reduction='none'", lambda: nn.L1Loss(reduce=False)),
])
def test_warnings_point_here(category, match, act):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    assert [w.category for w in caught] == [category]
    assert match in str(caught[0].message)
    assert caught[0].filename == __file__


def test_kl_divergence_warns_of_its_mean():
    with pytest.warns(UserWarning, match="batchmean"):
        nn.KLDivLoss()(torch.ones(2), torch.ones(2))


# ---- others
def test_transposed_convolution_to_a_size():
    """output_size settles which of the possible sizes is meant."""
    down, up = nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.ConvTranspose2d(3, 2, 3, 2, 1)
    x = torch.randn(1, 2, 8, 7)
    assert up(down(x)).shape == (1, 2, 7, 7)
    assert up(down(x), output_size=x.size()).shape == x.shape
    assert up(down(x), output_size=(8, 7)).shape == x.shape
    with pytest.raises(ValueError, match="valid sizes range"):
        up(down(x), output_size=(9, 7))
    with pytest.raises(ValueError, match="must have 2 or 4 elements"):
        up(down(x), output_size=(9,))


def test_embedding():
    table = torch.arange(6.0).reshape(3, 2)
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    assert frozen(torch.tensor([2, 0])).tolist() == [[4, 5], [0, 1]]
    assert frozen.weight.data_ptr() == table.data_ptr()
    trained = nn.Embedding.from_pretrained(table.clone(), freeze=False, padding_idx=0)
    trained(torch.tensor([0, 1, 1])).sum().backward()
    assert trained.weight.grad.tolist() == [[0, 0], [2, 2], [0, 0]]


def test_attention_masks():
    """Masked places get no weight and no influence; is_causal looks back only."""
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    x = torch.randn(2, 3, 4)
    padding = torch.tensor([[False, False, True], [False, False, False]])
    y, weights = attention(x, x, x, key_padding_mask=padding)
    assert weights[0, :, 2].tolist() == [0, 0, 0]
    changed = x.clone()
    changed[0, 2] = 9
    assert torch.allclose(attention(x, changed, changed, key_padding_mask=padding)[0], y)
    causal = torch.ones(3, 3).triu(1).bool()
    per_head = attention(x, x, x, attn_mask=causal, average_attn_weights=False)[1]
    assert per_head.shape == (2, 2, 3, 3)
    assert not per_head.masked_select(causal).any()
    assert attention(x, x, x, need_weights=False)[1] is None
    dropped = nn.MultiheadAttention(4, 2, dropout=0.5, generator=torch.Generator().manual_seed(1))
    again = copy.deepcopy(dropped)
    assert torch.equal(dropped(x, x, x)[0], again(x, x, x)[0])
    assert not torch.equal(dropped(x, x, x)[0], dropped.eval()(x, x, x)[0])
    with pytest.raises(AssertionError, match="divisible by num_heads"):
        nn.MultiheadAttention(5, 2)
    with pytest.raises(ValueError, match="greater than 0"):
        nn.MultiheadAttention(0, 2)


def test_rmsnorm_eps():
    """Without eps it is float32's smallest step, for float16 input, too."""
    x = torch.full((2,), 1e-3, dtype=torch.float16)
    y = nn.RMSNorm(2, elementwise_affine=False)(x)
    assert y.dtype is torch.float16
    assert y.tolist() == pytest.approx([0.945, 0.945], abs=2e-3)


def test_inplace_activation_after_an_op_that_saved_its_result():
    x = torch.ones(2, requires_grad=True)
    loss = nn.ReLU(inplace=True)(torch.sigmoid(x)).sum()
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        loss.backward()
    with pytest.raises(RuntimeError, match="leaf"):
        nn.ReLU(inplace=True)(x)


@pytest.mark.parametrize(("make", "shape"), [
    ("nn.BatchNorm2d(2)", (3, 2, 2, 2)), ("nn.GroupNorm(2, 4)", (2, 4, 3)),
    ("nn.Conv2d(2, 3, 2, padding_mode='circular', padding=1)", (1, 2, 3, 3)),
    ("nn.Sequential(nn.Linear(3, 4), nn.SELU(), nn.Linear(4, 1))", (2, 3))])
def test_gradcheck(make, shape):
    """First and second derivatives of modules, parameters included; statistics are restored."""
    module = eval(make).double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    before = copy.deepcopy(module.state_dict())
    assert torch.autograd.gradcheck(module, (x,))
    assert torch.autograd.gradgradcheck(module, (x,))
    for a, b in zip(before.values(), module.state_dict().values(), strict=True):
        assert torch.equal(a, b)


# ---- nn.utils
def gradients(*values):
    params = [nn.Parameter(torch.zeros(len(v))) for v in values]
    for p, v in zip(params, values, strict=True):
        p.grad = torch.tensor(v)
    return params


def test_clip_grad_norm():
    params = [*gradients([3.0], [0.0, 4.0]), nn.Parameter(torch.zeros(1))]
    assert utils.clip_grad_norm_(params, 10).item() == 5
    assert params[0].grad.tolist() == [3.0]
    assert utils.clip_grad_norm_(iter(params), 1).item() == 5
    assert params[1].grad.tolist() == pytest.approx([0, 0.8])
    params = gradients([3.0], [0.0, 4.0])
    assert utils.clip_grad_norm_(params, 2, norm_type=1).item() == 7
    assert params[0].grad.tolist() == pytest.approx([6 / 7])
    assert utils.clip_grad_norm_(gradients([3.0, -4.0]), 2, norm_type=float("inf")).item() == 4
    assert utils.clip_grad_norm_([], 1).item() == 0
    with pytest.raises(RuntimeError, match="non-finite"):
        utils.clip_grad_norm_(gradients([float("nan")]), 1, error_if_nonfinite=True)
    version = params[0].grad._version
    utils.clip_grad_value_(params, 0.5)
    assert params[1].grad.tolist() == [0, 0.5]
    assert params[0].grad._version == version + 1


def test_parameters_as_vector():
    net = nn.Linear(3, 2)
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.shape == (8,)
    assert vector.requires_grad
    utils.vector_to_parameters(torch.arange(8.0), net.parameters())
    assert net.weight.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert net.bias.tolist() == [6, 7]
    with pytest.raises(TypeError, match=r"expected torch\.Tensor"):
        utils.vector_to_parameters([1.0], net.parameters())
    with pytest.raises(RuntimeError, match="more elements"):
        utils.vector_to_parameters(torch.ones(3), net.parameters())
