"""Losses with margins: values by hand, errors."""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn.functional as F

X, Y = torch.randn(4, 6), torch.rand(4, 6)
T = torch.tensor([0, 5, 2, 2])


def test_poisson_with_stirlings_term():
    y = F.poisson_nll_loss(torch.tensor([2.0, 2.0]), torch.tensor([1.0, 3.0]), log_input=False,
                           full=True, eps=0.0, reduction="none")
    assert y.tolist() == pytest.approx([2 - 0.693147, 2 - 3 * 0.693147 + 1.764082], rel=1e-5)


def test_gaussian_variance_has_a_floor():
    x, t = torch.tensor([0.0]), torch.tensor([1.0])
    v = torch.tensor([0.0], requires_grad=True)
    y = F.gaussian_nll_loss(x, t, v, eps=0.5)
    assert y.item() == pytest.approx((-0.693147 + 2) / 2, rel=1e-5)
    assert F.gaussian_nll_loss(x, t, 0.5).item() == pytest.approx(y.item())
    for wrong in (-Y, torch.tensor(-1.0)):
        with pytest.raises(ValueError, match="negative"):
            F.gaussian_nll_loss(X, X, wrong)
    for wrong in (torch.ones(3), torch.ones(4, 2)):
        with pytest.raises(ValueError, match="incorrect size"):
            F.gaussian_nll_loss(X, X, wrong)


def test_multilabel_margin_reads_labels_up_to_the_first_minus_one():
    x = torch.tensor([0.1, 0.2, 0.4, 0.8])
    y = F.multilabel_margin_loss(x, torch.tensor([3, 0, -1, 1]))
    by_hand = sum(max(0, 1 - x[a] + x[b]) for a in (3, 0) for b in (1, 2)) / 4
    assert y.item() == pytest.approx(float(by_hand))


@pytest.mark.parametrize(("name", "args", "error", "message"), [
    ("multi_margin_loss", (X, T, 3), ValueError, "1 or 2"),
    ("multi_margin_loss", (X, T, 1, 1.0, torch.ones(3)), RuntimeError, "inconsistent weight"),
    ("multi_margin_loss", (X, T + 6), RuntimeError, "out of range"),
    ("multi_margin_loss", (X, T[:3]), RuntimeError, r"\(3,\)"),
    ("multilabel_margin_loss", (X, T), RuntimeError, "inconsistent target"),
    ("multilabel_margin_loss", (X, torch.full((4, 6), 7)), RuntimeError, "out of range"),
    ("cosine_embedding_loss", (X, Y, torch.ones(4, 1)), RuntimeError, "0D or 1D"),
    ("margin_ranking_loss", (X, Y, torch.ones(4)), RuntimeError, "same number of dimensions"),
    ("triplet_margin_loss", (X, Y[0], Y), RuntimeError, "same number of dimensions"),
    ("triplet_margin_loss", (X, Y, Y, 0), ValueError, "greater than 0"),
    ("soft_margin_loss", (X, Y[:3]), RuntimeError, "must match the size"),
])
def test_errors(name, args, error, message):
    with pytest.raises(error, match=message):
        getattr(F, name)(*args)


@pytest.mark.parametrize("name", [
    "poisson_nll_loss", "gaussian_nll_loss", "soft_margin_loss", "hinge_embedding_loss",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "cosine_embedding_loss", "margin_ranking_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss"])
def test_unknown_reductions(name):
    args = {"gaussian_nll_loss": 3, "cosine_embedding_loss": 3, "margin_ranking_loss": 3,
            "triplet_margin_loss": 3, "triplet_margin_with_distance_loss": 3}.get(name, 2)
    with pytest.raises(ValueError, match="not a valid value for reduction"):
        getattr(F, name)(*(X,) * args, reduction="max")


def test_own_distance():
    zero, far = torch.zeros(1, 2), torch.tensor([[0.0, 0.25]])
    y = F.triplet_margin_with_distance_loss(zero, zero, far, margin=2.0, swap=True,
                                            distance_function=lambda a, b: (a - b).abs().sum(-1))
    assert y.item() == 1.75
