"""nn.extra's random layers: shares, means, seeds, whole samples and blocks, gradients."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minigrad as torch
from minigrad.nn import extra
from minigrad.nn.extra import functional as X

LAYERS = [  # layer without its generator, input shape, repr
    (lambda **o: extra.DropPath(0.3, **o), (8, 3, 2), "DropPath(drop_prob=0.300)"),
    (lambda **o: extra.DropPath(0.3, False, **o), (8, 3), "DropPath(drop_prob=0.300)"),
    (lambda **o: extra.StochasticDepth(0.3, "row", **o), (8, 3, 2),
     "StochasticDepth(p=0.3, mode=row)"),
    (lambda **o: extra.StochasticDepth(0.5, "batch", **o), (8, 3),
     "StochasticDepth(p=0.5, mode=batch)"),
    (lambda **o: extra.DropBlock1d(0.3, 3, **o), (4, 2, 30),
     "DropBlock1d(p=0.3, block_size=3, inplace=False)"),
    (lambda **o: extra.DropBlock2d(0.3, 3, **o), (2, 2, 8, 9),
     "DropBlock2d(p=0.3, block_size=3, inplace=False)"),
    (lambda **o: extra.DropBlock3d(0.2, 2, **o), (2, 2, 4, 5, 3),
     "DropBlock3d(p=0.2, block_size=2, inplace=False)"),
    (lambda **o: extra.GaussianDropout(0.4, **o), (4, 5), "GaussianDropout(rate=0.4)"),
    (lambda **o: extra.GaussianNoise(0.4, **o), (4, 5), "GaussianNoise(stddev=0.4)"),
]
each = pytest.mark.parametrize(("make", "shape", "shown"), LAYERS,
                               ids=lambda v: v if isinstance(v, str) else "")


@each
def test_draws_follow_the_generator(make, shape, shown):
    """Equal seeds give equal bits; copies carry the position on; eval draws nothing."""
    x = torch.randn(100, *shape[1:])
    first, second = (make(generator=torch.Generator().manual_seed(3)) for _ in range(2))
    before = torch.get_rng_state()
    a = [first(x) for _ in range(6)]
    assert all(torch.equal(v, second(x)) for v in a)
    assert any(not torch.equal(a[0], v) for v in a[1:])
    twins = [copy.deepcopy(first), pickle.loads(pickle.dumps(first))]
    b = first(x)
    assert all(torch.equal(twin(x), b) for twin in twins)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.eval()(x) is x
    assert repr(first) == shown
    assert not first.state_dict()
    plain = make()
    torch.manual_seed(1)
    c = plain(x)
    torch.manual_seed(1)
    assert torch.equal(plain(x), c)


@each
def test_gradients(make, shape, shown):
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    layer = make(generator=torch.Generator().manual_seed(5))
    start = layer.generator.get_state()

    def same_draws(x):
        layer.generator.set_state(start)
        return layer(x) * x

    assert torch.autograd.gradcheck(same_draws, (x,))
    assert torch.autograd.gradgradcheck(same_draws, (x,))
    assert torch.autograd.gradcheck(make(), (x,))  # gradcheck holds the default generator itself


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_dtypes(make, shape, shown, dtype):
    y = make()(torch.ones(shape, dtype=dtype))
    assert y.dtype == dtype
    assert y.shape == shape
    with pytest.raises(NotImplementedError, match="floating"):
        make()(torch.ones(shape, dtype=torch.int64))


# ---- whole samples
@pytest.mark.parametrize("p", [0.0, 0.01, 0.3, 0.9, 1.0])
def test_samples_are_dropped_whole(p):
    x = torch.ones(20_000, 3)
    for y in (X.drop_path(x, p, True), X.stochastic_depth(x, p)):
        y = y.numpy()
        assert (y == y[:, :1]).all()
        assert (y == 0).mean() == pytest.approx(p, abs=0.015)
        if p < 1:
            assert y.mean() == pytest.approx(1, abs=0.08)
            assert y.max() == pytest.approx(1 / (1 - p))
    assert X.drop_path(x, p, True, False).max() == float(p < 1)


def test_batch_mode_drops_all_or_nothing():
    x = torch.ones(5, 4)
    seen = [X.stochastic_depth(x, 0.5, "batch").unique().tolist() for _ in range(40)]
    assert all(v in ([0.0], [2.0]) for v in seen)
    assert [0.0] in seen
    assert [2.0] in seen
    x = torch.tensor(1.0)
    assert X.stochastic_depth(x, 1.0).item() == 0


# ---- blocks
def blocks(zero, size):
    """Return the union of the size x size windows that are all zero."""
    union = np.zeros_like(zero)
    for i in range(zero.shape[0] - size + 1):
        for j in range(zero.shape[1] - size + 1):
            if zero[i:i + size, j:j + size].all():
                union[i:i + size, j:j + size] = True
    return union


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_what_is_dropped_is_made_of_squares(size):
    torch.manual_seed(0)
    y = X.drop_block2d(torch.ones(150, 2, 9, 7), 0.2, size).numpy()
    assert y.min() == 0
    for image in y.reshape(-1, 9, 7) == 0:
        assert (image == blocks(image, size)).all()
    corners = (y == 0)[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.any((0, 1)).all()  # blocks reach every corner


@pytest.mark.parametrize(("function", "space"), [
    (X.drop_block1d, (40,)), (X.drop_block2d, (20, 24)), (X.drop_block3d, (10, 9, 8))])
@pytest.mark.parametrize("p", [0.02, 0.1])
def test_share_and_scale_of_blocks(function, space, p):
    torch.manual_seed(0)
    y = function(torch.ones(300, 4, *space), p, 3).numpy()
    share = (y == 0).mean()
    assert p * 0.8 < share < p * 1.02  # blocks overlap, so a little less than p
    assert y.max() == pytest.approx(1 / (1 - share), rel=1e-5)
    assert y.mean() == pytest.approx(1, abs=1e-5)


def test_ends_of_p_and_sizes():
    x = torch.randn(2, 3, 6, 6)
    assert X.drop_block2d(x, 0.0, 3) is x
    assert not X.drop_block2d(x, 1.0, 1).any()
    whole = X.drop_block2d(torch.ones(40, 8, 6, 4), 0.5, 9)  # cut to 4
    assert 0.2 < (whole == 0).float().mean().item() < 0.7
    single = extra.DropBlock2d(0.4, 2, generator=torch.Generator().manual_seed(1))(x[0])
    batch = extra.DropBlock2d(0.4, 2, generator=torch.Generator().manual_seed(1))(x[:1])
    assert torch.equal(single, batch[0])  # (C, H, W)
    empty = torch.ones(0, 3, 6, 6)
    assert X.drop_block2d(empty, 0.5, 2) is empty


def test_inplace_blocks():
    x = torch.ones(4, 2, 5, 5)
    y = extra.DropBlock2d(0.3, 2, inplace=True)(x)
    assert y is x
    assert (x == 0).any()


# ---- Gaussian noise
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_gaussian_dropout_has_dropouts_moments(rate):
    torch.manual_seed(0)
    y = X.gaussian_dropout(torch.full((300_000,), 2.0), rate)
    assert y.mean().item() == pytest.approx(2, abs=0.02)
    assert y.var().item() == pytest.approx(4 * rate / (1 - rate), rel=0.02)
    dropped = torch.nn.functional.dropout(torch.full((300_000,), 2.0), rate)
    assert y.var().item() == pytest.approx(dropped.var().item(), rel=0.04)


def test_gaussian_noise_has_its_deviation():
    torch.manual_seed(0)
    y = X.gaussian_noise(torch.full((300_000,), 3.0), 0.25)
    assert y.mean().item() == pytest.approx(3, abs=0.01)
    assert y.std().item() == pytest.approx(0.25, rel=0.02)
    x = torch.ones(3)
    assert X.gaussian_noise(x, 0.0) is x


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda: extra.DropPath(1.5), ValueError, "drop_prob must be a probability"),
    (lambda: X.drop_path(torch.ones(2), -0.1, True), ValueError, "probability"),
    (lambda: extra.StochasticDepth(0.1, "rows"), ValueError, "'row' or 'batch'"),
    (lambda: X.stochastic_depth(torch.ones(2), 0.1, "rows"), ValueError, "'row' or 'batch'"),
    (lambda: extra.StochasticDepth(float("nan"), "row"), ValueError, "probability"),
    (lambda: extra.DropBlock2d(0.1, 0), ValueError, "block_size"),
    (lambda: extra.DropBlock2d(2.0, 3), ValueError, "p must be a probability"),
    (lambda: X.drop_block2d(torch.ones(3, 3), 0.1, 3), ValueError, "expected 4D"),
    (lambda: X.drop_block1d(torch.ones(3, 3), 0.1, 0), ValueError, "block_size"),
    (lambda: extra.GaussianDropout(1.0), ValueError, "below 1"),
    (lambda: X.gaussian_dropout(torch.ones(2), -0.1), ValueError, "below 1"),
    (lambda: extra.GaussianNoise(-1.0), ValueError, "stddev"),
    (lambda: X.gaussian_noise(torch.ones(2), float("inf")), ValueError, "stddev"),
])
def test_refusals(call, error, says):
    with pytest.raises(error, match=says):
        call()
