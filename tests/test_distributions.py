"""torch.distributions: every recorded case, and samples that follow their distributions."""

from __future__ import annotations

import gzip
import json
import math

import pytest

import minigrad as torch
from minigrad import distributions

from . import record_distributions as table

RECORDED = json.loads(gzip.decompress(table.PATH.read_bytes()))


def alike(found, wanted):
    if isinstance(wanted, list):
        return (isinstance(found, list) and len(found) == len(wanted)
                and all(map(alike, found, wanted)))
    if isinstance(wanted, float) and isinstance(found, float):
        return math.isnan(found) if math.isnan(wanted) else math.isclose(
            found, wanted, rel_tol=1e-6, abs_tol=1e-9)
    return found == wanted


@pytest.mark.parametrize("part", ["Normal", "Uniform", "Bernoulli", "Categorical"])
def test_recorded_cases(part, monkeypatch):
    monkeypatch.setattr(table, "torch", torch)
    wrong = []
    for code in table.cases():
        if f"d.{part}(" in code:
            found = json.loads(json.dumps(table.outcome(code)))
            if not alike(found, RECORDED[code]):
                wrong.append(f"{code}: {found}, PyTorch: {RECORDED[code]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("made", [
    distributions.Normal(1., 2.), distributions.Uniform(-1., 3.),
    distributions.Bernoulli(torch.tensor([0.2, 0.9])),
], ids=lambda d: type(d).__name__)
def test_samples_have_the_moments(made):
    torch.manual_seed(1)
    x = made.sample((20000,))
    assert not x.requires_grad and x.shape == (20000, *made.batch_shape)
    assert torch.allclose(x.mean(0), made.mean, atol=0.05)
    assert torch.allclose(x.var(0), made.variance, atol=0.1)


def test_samples_of_categories_have_the_frequencies():
    torch.manual_seed(1)
    probs = torch.tensor([[0.2, 0.3, 0.5], [0.7, 0.3, 0.0]])
    x = distributions.Categorical(probs).sample((20000,))
    assert x.shape == (20000, 2) and x.dtype is torch.int64
    for row in range(2):
        shares = x[:, row].bincount(minlength=3) / 20000
        assert torch.allclose(shares, probs[row], atol=0.02)


def test_gradients_pass_through_reparametrised_samples():
    loc = torch.zeros(3, requires_grad=True)
    scale = torch.ones(3, requires_grad=True)
    x = distributions.Normal(loc, scale).rsample((5,))
    x.sum().backward()
    assert loc.grad.tolist() == [5, 5, 5]
    assert torch.allclose(scale.grad, x.detach().sum(0))
    high = torch.ones(2, requires_grad=True)
    distributions.Uniform(torch.zeros(2), high).rsample().sum().backward()
    assert ((high.grad > 0) & (high.grad < 1)).all()
    assert not distributions.Normal(loc, scale).sample().requires_grad
    with pytest.raises(NotImplementedError, match="log_prob"):
        distributions.Categorical(torch.ones(2)).rsample()


def test_a_policy_learns_the_better_action():
    """REINFORCE on a bandit whose second arm pays."""
    torch.manual_seed(0)
    logits = torch.zeros(2, requires_grad=True)
    rule = torch.optim.SGD([logits], lr=0.2)
    for _ in range(50):
        policy = distributions.Categorical(logits=logits)
        actions = policy.sample((20,))
        loss = -(policy.log_prob(actions) * actions).mean()
        rule.zero_grad()
        loss.backward()
        rule.step()
    assert distributions.Categorical(logits=logits).probs[1] > 0.8


def test_own_divergences():
    class Point(distributions.Distribution):
        pass

    with pytest.raises(NotImplementedError, match=r"No KL\(p \|\| q\)"):
        distributions.kl_divergence(Point(), Point())

    @distributions.register_kl(Point, Point)
    def _zero(p, q):
        return torch.tensor(0.)

    assert distributions.kl_divergence(Point(), Point()) == 0
    with pytest.raises(TypeError, match="subclasses"):
        distributions.register_kl(int, Point)
    for ask in (lambda d: d.mean, lambda d: d.variance, lambda d: d.mode, lambda d: d.sample(),
                lambda d: d.log_prob(0), lambda d: d.entropy(), lambda d: d.expand((2,)),
                lambda d: d.cdf(0), lambda d: d.icdf(0), lambda d: d.enumerate_support()):
        with pytest.raises(NotImplementedError):
            ask(Point())


def test_checks_can_be_switched_off():
    distributions.Distribution.set_default_validate_args(False)
    try:
        distributions.Normal(0., -1.)
    finally:
        distributions.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="scale"):
        distributions.Normal(0., -1.)
    with pytest.raises(ValueError, match="True or False"):
        distributions.Distribution.set_default_validate_args(None)
