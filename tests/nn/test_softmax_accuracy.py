"""Softmax, log_softmax, logsumexp and cross entropy of huge, tiny, masked and close logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from tests.accuracy import DTYPES, relative, whole
from tests.accuracy.norms import EXTENDED
from tests.accuracy.shares import INF, SHARES, evaluate, gradient, logits

F = torch.nn.functional
DATA = np.load(Path(__file__).parent.parent / "data" / "accuracy_shares.npz")
CALLS = {share.call: share for share in SHARES}

extended = pytest.mark.skipif(not EXTENDED, reason="longdouble has no more digits than double here")


@extended
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", CALLS)
def test_values(call, dtype):
    """Each number to two units, or as torch: both lose log(1 + tiny) of nearly certain rows."""
    right = CALLS[call].formula(logits(dtype).astype(np.longdouble))
    found, theirs = evaluate(call, torch, dtype)[0], DATA[f"{call}/{dtype}/y"]
    with np.errstate(over="ignore"):
        assert relative(found, right).max() <= max(2, relative(theirs, right).max())
        if "log_" not in call and "smoothing" not in call:
            assert relative(found, right).max() <= 2
        elif "log_" in call:  # against the row's size, all is right
            assert max(whole(a, b, 1.0) for a, b in zip(found, right, strict=True)) <= 2
    if "soft" in call and "log" not in call:
        np.testing.assert_allclose(found.sum(1, dtype=np.float64), 1, atol=2 * np.finfo(dtype).eps)


@extended
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", CALLS)
def test_gradients(call, dtype):
    """Row by row, against the largest number that enters: the gradient of the result."""
    found, right = evaluate(call, torch, dtype)[1], gradient(call, dtype)
    for row, (ours, wanted) in enumerate(zip(found, right, strict=True)):
        incoming = 5 * row + 5 if "soft" in call else row + 1
        assert whole(ours, wanted, incoming) <= 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_rows(dtype):
    """-inf is a share of 0 with the gradient 0; a row of nothing else is nan, as 0 / 0."""
    x = torch.tensor([[0.0, -INF, 1.0], [-INF, -INF, -INF]], dtype=getattr(torch, dtype),
                     requires_grad=True)
    y = torch.softmax(x, 1)
    assert y[0, 1] == 0
    assert y[0].sum().item() == pytest.approx(1, abs=1e-3)
    assert y[1].isnan().all()
    (g,) = torch.autograd.grad(y[0, 0], x)
    assert g[0, 1] == 0
    assert g[0].isfinite().all()
    logs = torch.log_softmax(x, 1)
    assert logs[0, 1] == -INF
    assert torch.logsumexp(x, 1)[1] == -INF
    (g,) = torch.autograd.grad(torch.logsumexp(x, 1)[0], x)
    assert g[0, 1] == 0
    assert g[0].isfinite().all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_masked_classes_cost_nothing(dtype):
    """Cross entropy with -inf logits: finite where the target is not masked, inf where it is."""
    x = torch.tensor([[0.0, -INF, 1.0]] * 2, dtype=getattr(torch, dtype), requires_grad=True)
    losses = F.cross_entropy(x, torch.tensor([2, 1]), reduction="none")
    assert losses[0].item() == pytest.approx(np.log1p(np.exp(-1)))
    assert losses[1] == INF
    (g,) = torch.autograd.grad(losses[0], x)
    assert g[0, 1] == 0
    assert g.isfinite().all()


def test_gumbel_softmax_of_huge_and_masked_logits():
    """Masked classes are never drawn, and a far larger logit always is."""
    x = torch.tensor([[-INF, 0.0, 0.0], [1e30, 0.0, 0.0]]).repeat(500, 1)
    hard = F.gumbel_softmax(x, hard=True).reshape(500, 2, 3)
    assert not hard[:, 0, 0].any()
    assert (hard[:, 1, 0] == 1).all()
    assert 0.4 < hard[:, 0, 1].mean() < 0.6
    soft = F.gumbel_softmax(x, tau=1e-3)
    assert soft.isfinite().all()
    assert torch.allclose(soft.sum(1), torch.ones(1000))


def test_higher_derivatives_of_certain_rows():
    """The third derivative of softmax and log_softmax is finite for logits of any size."""
    x = torch.from_numpy(logits("float64")[:9]).requires_grad_()
    for function in (torch.softmax, torch.log_softmax):
        y = function(x, 1)
        for _ in range(3):
            (y,) = torch.autograd.grad((y * y.detach().clamp(-1, 1)).sum(), x, create_graph=True)
            assert bool(y.isfinite().all())
