"""Random layers: shares, moments and independence of their draws, and what a seed fixes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as torch
from minigrad import _random, nn

F = torch.nn.functional
ALL = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout,
       nn.FeatureAlphaDropout)
SHAPE = {nn.Dropout1d: (40, 50, 3), nn.Dropout2d: (40, 50, 2, 2), nn.Dropout3d: (40, 50, 2, 1, 2),
         nn.FeatureAlphaDropout: (40, 50, 3)}
LIMIT = 1.0507009873554805 * 1.6732632423543772


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def likely(count: int, draws: int, p: float) -> bool:
    """Tell whether a binomial count lies within five standard deviations."""
    return abs(count - draws * p) <= 5 * math.sqrt(draws * p * (1 - p)) + 1


# ---- the share that is dropped
@pytest.mark.parametrize("p", [1e-6, 1 / 65536, 1e-3, 0.1, 1 / 3, 0.5, 0.9, 1 - 1e-6])
def test_shares_of_the_draws(p):
    """16 million draws; p is no multiple of 2**-16, and 1e-6 is far below it."""
    draws = 1 << 24
    kept = _random.bernoulli(draws, 1 - p, seeded(1))
    dropped = draws - int(np.count_nonzero(kept))
    assert likely(dropped, draws, p)
    assert 0 < dropped < draws


def test_rare_drops_of_the_layer():
    x = torch.ones(1 << 22)
    y = nn.Dropout(1e-5, generator=seeded(2))(x).numpy()
    assert likely(int((y == 0).sum()), y.size, 1e-5)
    assert (y[y != 0] == np.float32(1 / (1 - 1e-5))).all()


@pytest.mark.parametrize("layer", ALL)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_each_unit_is_dropped_with_probability_p(layer, p):
    """A unit is an element or, where whole channels go, a channel of a sample."""
    shape = SHAPE.get(layer, (40, 50))
    units = 40 * 50
    y = layer(p, generator=seeded(3))(torch.ones(shape)).numpy().reshape(40, 50, -1)
    assert (y == y[..., :1]).all()
    assert likely(int((y[..., 0] < 0.99).sum()), units, p)


@pytest.mark.parametrize("layer", ALL)
def test_none_and_all(layer):
    """p = 0 returns the very input, p = 1 zeros without a division by 0."""
    x = torch.randn(SHAPE.get(layer, (4, 5)))
    x.requires_grad_()
    y = layer(0.0)(x)
    assert torch.equal(y, x)
    y = layer(1.0)(x)
    assert not y.any()
    (g,) = torch.autograd.grad(y.sum(), x)
    assert not g.any()


def test_neighbours_are_independent():
    """Pairs of neighbours, in every direction, drop together as often as chance has it."""
    y = nn.Dropout(0.3, generator=seeded(4))(torch.ones(64, 64, 64)).numpy() == 0
    for axis in range(3):
        both = y.take(range(63), axis) & y.take(range(1, 64), axis)
        assert likely(int(both.sum()), both.size, 0.09)
    counts = y.reshape(-1, 64).sum(1)
    assert counts.var() == pytest.approx(64 * 0.21, rel=0.1)


# ---- values
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_the_scale_is_rounded_as_little_as_can_be(dtype, p):
    y = nn.Dropout(p)(torch.ones(500, dtype=dtype))
    scale = torch.tensor(1 / (1 - p), dtype=dtype).item()
    assert set(y.tolist()) == {0.0, scale}


@pytest.mark.parametrize(("p", "dropped"), [(0.05, -1.5948), (0.1, -1.4577), (0.3, -1.0595),
                                            (0.5, -0.7792), (0.9, -0.2859)])
def test_alpha_dropout(p, dropped):
    """-a (1 - p) alpha' and a x + b; mean 0 and variance 1 of N(0, 1) input are kept."""
    a = ((1 - p) * (1 + p * LIMIT**2)) ** -0.5
    b = a * p * LIMIT
    x = torch.randn(400_000, generator=seeded(5), dtype=torch.float64)
    y = nn.AlphaDropout(p, generator=seeded(6))(x).numpy()
    low = b - a * LIMIT
    assert low == pytest.approx(dropped, abs=1e-4)
    lost = np.abs(y - low) < 1e-12
    assert likely(int(lost.sum()), y.size, p)
    np.testing.assert_allclose(y[~lost], (a * x.numpy() + b)[~lost], rtol=1e-12, atol=1e-12)
    assert y.mean() == pytest.approx(0, abs=0.01)
    assert y.var() == pytest.approx(1, abs=0.015)


def test_feature_alpha_dropout_keeps_moments_over_many_channels():
    x = torch.randn(400, 500, 2, generator=seeded(7))
    y = nn.FeatureAlphaDropout(0.2, generator=seeded(8))(x).numpy()
    assert y.mean() == pytest.approx(0, abs=0.02)
    assert y.var() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("layer", ALL)
def test_gradients_are_the_scale_of_each_element(layer):
    """y = scale x + shift: the gradient is the scale, its own derivative 0."""
    shape = SHAPE.get(layer, (4, 5))
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    y = layer(0.4, generator=seeded(9))(x)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    other = layer(0.4, generator=seeded(9))(x + 1)
    assert torch.allclose(other - y, g)
    assert not g.requires_grad


# ---- what a seed fixes
@pytest.mark.parametrize("layer", ALL)
def test_the_same_mask_for_every_dtype_and_layout(layer):
    """The draws depend on the seed, p and the logical shape alone."""
    shape = SHAPE.get(layer, (40, 50))
    x = torch.rand(shape) + 0.5

    def mask(input):
        return (layer(0.3, generator=seeded(10))(input) > 0.45).numpy()

    expected = mask(x)
    assert 0.5 < expected.mean() < 0.9
    for other in (x.half(), x.double(), x.transpose(0, -1).contiguous().transpose(0, -1),
                  torch.stack([x, x], -1)[..., 0], x.flip(0).flip(0)):
        np.testing.assert_array_equal(mask(other), expected)


def test_the_same_draws_for_every_shape():
    """Elements are drawn in row-major order, so that a reshaped input has the reshaped mask."""
    x = torch.ones(6, 4, 5)
    first, second = (nn.Dropout(0.5, generator=seeded(11))(v) for v in (x, x.reshape(-1)))
    assert torch.equal(first.reshape(-1), second)


@pytest.mark.parametrize("layer", ALL)
def test_inplace_writes_the_same_values(layer):
    """Also to a transposed view, whose base sees the write."""
    shape = SHAPE.get(layer, (4, 5))
    x = torch.randn(shape)
    expected = layer(0.5, generator=seeded(12))(x)
    base = x.transpose(0, 1).contiguous()
    view = base.transpose(0, 1)
    y = layer(0.5, inplace=True, generator=seeded(12))(view)
    assert y is view
    assert torch.equal(base.transpose(0, 1), expected)


@pytest.mark.parametrize("layer", ALL)
def test_shapes_without_elements_draw_nothing(layer):
    x = torch.ones((0, *SHAPE.get(layer, (4, 5))[1:]))
    generator = seeded(13)
    before = generator.get_state()
    assert layer(0.5, generator=generator)(x).shape == x.shape
    assert torch.equal(generator.get_state(), before)


# ---- random slopes and choices
def test_rrelu_slopes_are_uniform():
    y = -F.rrelu(-torch.ones(200_000), 0.1, 0.4, training=True, generator=seeded(14)).numpy()
    assert 0.1 <= y.min() < y.max() <= np.float32(0.4)
    assert y.mean() == pytest.approx(0.25, abs=1e-3)
    assert y.var() == pytest.approx(0.3**2 / 12, rel=0.02)
    counts, _ = np.histogram(y, bins=20, range=(0.1, 0.4))
    assert all(likely(int(count), y.size, 0.05) for count in counts)


def test_gumbel_softmax_chooses_by_softmax():
    """The largest of logits + noise is class k as often as softmax(logits)[k] (Gumbel 1954)."""
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    many = logits.expand(100_000, 4)
    expected = torch.softmax(logits, 0).tolist()
    for tau in (0.1, 1.0, 5.0):
        hard = F.gumbel_softmax(many, tau, hard=True, generator=seeded(15)).numpy()
        for k, p in enumerate(expected):
            assert likely(int(hard[:, k].sum()), len(hard), p)
    again = F.gumbel_softmax(many, 5.0, hard=True, generator=seeded(15)).numpy()
    np.testing.assert_array_equal(hard, again)


def test_gumbel_noise_has_gumbels_moments():
    """log y1 - log y2 is (noise1 - noise2) / tau, a logistic variable: variance pi^2 / 3 at 1."""
    y = F.gumbel_softmax(torch.zeros(200_000, 2, dtype=torch.float64), generator=seeded(16)).log()
    difference = (y[:, 0] - y[:, 1]).numpy()
    assert difference.mean() == pytest.approx(0, abs=0.02)
    assert difference.var() == pytest.approx(math.pi**2 / 3, rel=0.02)
    assert np.median(np.abs(difference)) == pytest.approx(math.log(3), rel=0.02)
