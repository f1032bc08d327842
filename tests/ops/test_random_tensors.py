"""Draws as tensors: ranges, moments, reproducibility, generators, dtypes."""

from __future__ import annotations

import pytest

import minigrad as torch

DRAWS = {
    "rand": lambda g: torch.rand(50, generator=g),
    "randn": lambda g: torch.randn(5, 10, generator=g),
    "randint": lambda g: torch.randint(0, 100, (50,), generator=g),
    "randperm": lambda g: torch.randperm(50, generator=g),
    "rand_like": lambda g: torch.rand_like(torch.zeros(50), generator=g),
    "randn_like": lambda g: torch.randn_like(torch.zeros(50), generator=g),
    "randint_like": lambda g: torch.randint_like(torch.zeros(50), 9, generator=g),
    "normal": lambda g: torch.normal(0.0, 2.0, (50,), generator=g),
    "normal tensors": lambda g: torch.normal(torch.zeros(50), torch.ones(50), generator=g),
    "bernoulli": lambda g: torch.bernoulli(torch.full((50,), 0.5), generator=g),
    "bernoulli p": lambda g: torch.bernoulli(torch.zeros(50), 0.5, generator=g),
    "multinomial": lambda g: torch.multinomial(torch.ones(50), 20, generator=g),
    "uniform_": lambda g: torch.empty(50).uniform_(-1, 3, generator=g),
    "normal_": lambda g: torch.empty(50).normal_(1, 2, generator=g),
    "bernoulli_": lambda g: torch.empty(50).bernoulli_(0.3, generator=g),
    "exponential_": lambda g: torch.empty(50).exponential_(2, generator=g),
    "random_": lambda g: torch.empty(50).random_(generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_or_a_seed_repeats_the_draw(name):
    draw = DRAWS[name]
    g = torch.Generator().manual_seed(5)
    first, second = draw(g), draw(g)
    assert not torch.equal(first, second)
    assert torch.equal(draw(torch.Generator().manual_seed(5)), first)
    torch.manual_seed(5)
    assert torch.equal(draw(None), first)


def test_ranges_and_moments():
    n = 20000
    u = torch.empty(n).uniform_(-1, 3)
    assert u.min() >= -1 and u.max() < 3
    assert abs(u.mean().item() - 1) < 0.05
    z = torch.empty(n).normal_(1, 2)
    assert abs(z.mean().item() - 1) < 0.07 and abs(z.std().item() - 2) < 0.05
    e = torch.empty(n).exponential_(2)
    assert e.min() > 0 and abs(e.mean().item() - 0.5) < 0.02
    assert abs(torch.empty(n).bernoulli_(0.3).mean().item() - 0.3) < 0.02
    b = torch.empty(2, n).bernoulli_(torch.tensor([[0.1], [0.9]])).mean(1)
    assert torch.allclose(b, torch.tensor([0.1, 0.9]), atol=0.02)
    r = torch.empty(n, dtype=torch.int64).random_(3, 6)
    assert r.unique().tolist() == [3, 4, 5]


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_follows_the_weights(replacement):
    p = torch.tensor([[1., 0., 3.], [2., 2., 0.]])
    first = torch.stack([torch.multinomial(p, 2, replacement)[:, 0] for _ in range(4000)], 1)
    shares = torch.stack([(first == k).float().mean(1) for k in range(3)], 1)
    assert torch.allclose(shares, p / p.sum(1, keepdim=True), atol=0.04)
    rows = torch.multinomial(torch.ones(5, 4), 4)
    assert torch.equal(rows.sort(1).values, torch.arange(4).expand(5, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_dtypes(dtype):
    for made in (torch.rand(3, dtype=dtype), torch.randn(3, dtype=dtype),
                 torch.empty(3, dtype=dtype).uniform_(), torch.empty(3, dtype=dtype).normal_(),
                 torch.empty(3, dtype=dtype).exponential_(), torch.zeros(3, dtype=dtype).random_()):
        assert made.dtype is dtype
        assert made.isfinite().all()


def test_a_draw_writes_through_a_view():
    x = torch.zeros(4, 3)
    x[:, 1].uniform_(1, 2)
    assert x[:, 0].tolist() == [0] * 4 == x[:, 2].tolist()
    assert (x[:, 1] >= 1).all()
    x.t()[0].fill_(7)
    assert x[:, 0].tolist() == [7] * 4


def test_leaves_are_protected_and_options_are_checked():
    with pytest.raises(RuntimeError, match="leaf"):
        torch.ones(2, requires_grad=True).normal_()
    with torch.no_grad():
        torch.ones(2, requires_grad=True).normal_()
    with pytest.raises(TypeError, match="Generator"):
        torch.rand(2, generator=5)
    with pytest.raises(RuntimeError, match="pin_memory"):
        torch.rand(2, pin_memory=True)
