"""Batch, group and instance norm of small float32 images, against formulas in float64."""

import numpy as np
import pytest

import minigrad as torch
from minigrad.kernels import _small_images as small
from tests.kernels.test_norm import close, draw, expected_norm

SHAPES = [(32, 8, 8, 8), (32, 16, 4, 4), (16, 8, 8, 8), (300, 12), (9, 4, 1), (1, 4, 9),
          (7, 6, 5, 3), (3, 4, 31), (3, 4, 65), (1, 2, 4, 16, 16), (5, 2, 513), (64, 64, 2, 2)]


def run(x, g, groups, weight, bias, needs=(True, True, True)):
    """Return y and the gradients, or None."""
    found = small.normalise(x, groups, weight, bias, 1e-5)
    if found is None:
        return None
    y, centred, s, mean, var = found
    return y, *small.gradients(g, groups, centred, s, weight, needs), mean, var


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("groups", [None, 1, 2, "each"])
@pytest.mark.parametrize("mean", [0, 1.5, -3.3])
@pytest.mark.parametrize("affine", [True, False])
def test_results_and_gradients_are_the_textbook_s(shape, groups, mean, affine):
    groups = shape[1] if groups == "each" else groups
    if groups == shape[1] and len(shape) == 2:
        pytest.skip("groups of one number")
    x, g = draw(shape, 0, np.float32) + np.float32(mean), draw(shape, 1, np.float32)
    weight, bias = 1 + 0.2 * draw(shape[1], 2, np.float32), draw(shape[1], 3, np.float32)
    weight = weight.astype(np.float32)
    kept = x.copy(), g.copy()
    right = np.ones(shape[1]), np.zeros(shape[1])
    found = run(x, g, groups, *((weight, bias) if affine else (None, None)))
    if found is None:  # some group has a far mean, or all many numbers
        each = x.swapaxes(0, 1) if groups is None else x
        rows = each.reshape(shape[1] if groups is None else shape[0] * groups, -1)
        far = np.abs(rows.mean(1)) / np.sqrt(rows.var(1) + 1e-5)
        assert far.max() > 3.9 or rows.shape[1] > 1024
        return
    if affine:
        right = weight.astype(float), bias.astype(float)
    kind = "batch" if groups is None else ("group", groups)
    expected = expected_norm(kind, x, g, *right, 1e-5)
    for actual, wanted, units in zip(found, expected, (8, 12, 16, 8), strict=False):
        assert actual.dtype == np.float32 and actual.flags.c_contiguous
        assert actual.shape == wanted.shape
        close(actual, wanted, units)
    if groups is None:
        axes = (0, *range(2, x.ndim))
        wide = x.astype(np.float64)
        np.testing.assert_allclose(found[4], wide.mean(axes), rtol=0, atol=4e-7)
        np.testing.assert_allclose(found[5], wide.var(axes), rtol=4e-7)
    assert np.array_equal(x, kept[0]) and np.array_equal(g, kept[1])


@pytest.mark.parametrize("groups", [None, 2])
def test_needs_choose_what_is_computed(groups):
    x, g = draw((4, 6, 5), 4, np.float32), draw((4, 6, 5), 5, np.float32)
    weight = draw(6, 6, np.float32)
    full = run(x, g, groups, weight, None)[1:4]
    for needs in ((True, False, False), (False, True, False), (False, False, True)):
        some = run(x, g, groups, weight, None, needs)[1:4]
        for need, one, whole in zip(needs, some, full, strict=True):
            assert np.array_equal(one, whole) if need else one is None


@pytest.mark.parametrize("groups", [None, 2])
def test_any_strides_give_the_same_bits(groups):
    x, g = draw((4, 6, 5, 3), 7, np.float32), draw((4, 6, 5, 3), 8, np.float32)
    weight = draw(6, 9, np.float32)
    expected = run(x, g, groups, weight, weight)
    turned = run(np.asfortranarray(x), np.asfortranarray(g), groups, weight, weight)
    for a, b in zip(turned, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("groups", [None, 2])
@pytest.mark.parametrize("change", ["far", "huge", "nan", "inf", "float64", "tiny eps", "long",
                                    "large"])
def test_what_would_lose_digits_is_left_to_others(groups, change):
    eps, shape = 1e-20 if change == "tiny eps" else 1e-5, (4, 6, 5)
    if change in ("long", "large"):
        shape = (1, 4, 1025) if change == "long" else (64, 4, 129)
    x = draw(shape, 10, np.float64 if change == "float64" else np.float32)
    if change == "far":
        x += 100
    elif change == "huge":
        x[:, 1] *= np.float32(1e18)
    elif change in ("nan", "inf"):
        x[1, 2, 3] = float(change)
    with np.errstate(all="ignore"):
        assert small.normalise(x, groups, None, None, eps) is None


def test_a_constant_group_gives_the_bias():
    x = np.zeros((3, 4, 6), np.float32)
    bias = draw(4, 11, np.float32)
    y, dx, dw, _, _, _ = run(x, draw(x.shape, 12, np.float32), None, bias, bias)
    np.testing.assert_array_equal(y, np.broadcast_to(bias[:, None], x.shape))
    assert np.isfinite(dx).all() and not dw.any()


@pytest.mark.parametrize("layer", [torch.nn.BatchNorm2d(4), torch.nn.GroupNorm(2, 4),
                                   torch.nn.InstanceNorm2d(4, affine=True)])
@pytest.mark.parametrize("shift", [0.0, 50.0])
def test_layers_take_it_for_float32_with_the_results_of_float64(layer, shift):
    found = []
    for kind in (torch.float32, torch.float64):
        net = layer.to(kind).train()
        x = torch.from_numpy(draw((3, 4, 5, 5), 13) + shift).to(kind).requires_grad_()
        net.zero_grad()
        y = net(x)
        assert (y.grad_fn._saved_centred is not None) == (kind == torch.float32 and not shift)
        (y * y * y).sum().backward()
        found.append([y, x.grad, net.weight.grad, net.bias.grad])
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a.double(), b, rtol=1e-4, atol=2e-5)
