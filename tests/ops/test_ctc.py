"""ctc_loss: torch's recorded results, every path counted, higher orders, refusals."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from tests.record_sequences import CASES, ctc, ctc_case

RECORDED = np.load(Path(__file__).parent.parent / "data" / "sequences.npz")


@pytest.mark.parametrize("k", range(CASES))
def test_torchs_results(k):
    """Losses and gradients behind log_softmax; nan where torch has nan."""
    for dtype, tolerance in (("float64", 1e-11), ("float32", 2e-5)):
        loss, gradient = ctc(torch, ctc_case(k), dtype)
        for found, name in ((loss, "loss"), (gradient, "grad")):
            want = RECORDED[f"{k}/{dtype}/{name}"]
            assert found.dtype == want.dtype
            np.testing.assert_allclose(found, want, rtol=tolerance, atol=tolerance, err_msg=name)


def spelled(path, blank):
    """Return what a path says: repetitions once, then no blanks."""
    return [c for k, c in enumerate(path) if c != blank and (k == 0 or path[k - 1] != c)]


def counted(log_probs, target, blank):
    """Return the loss of one sample (T, C) by adding up every path."""
    steps, count = log_probs.shape
    paths = [p for p in itertools.product(range(count), repeat=steps)
             if spelled(p, blank) == target]
    if not paths:
        return torch.tensor(float("inf"), dtype=log_probs.dtype)
    sums = torch.stack([log_probs[torch.arange(steps), torch.tensor(p)].sum() for p in paths])
    return -torch.logsumexp(sums, 0)


@pytest.mark.parametrize(("target", "blank"), [
    ([], 0), ([1], 0), ([1, 1], 0), ([1, 2], 0), ([2, 0], 1), ([0, 1, 0], 2), ([1, 1, 1], 0)])
def test_every_path_and_three_orders(target, blank):
    """Equal to the sum over all paths, with first, second and third derivatives."""
    scores = (3 * torch.randn(4, 3, dtype=torch.float64)).requires_grad_()
    labels = torch.tensor(target, dtype=torch.int64)

    def chain(loss):
        found = [loss]
        if torch.isinf(loss):
            return found
        for order in range(1, 4):
            loss = (loss * torch.linspace(-1, 2, loss.numel()).reshape(loss.shape)).sum()
            (loss,) = torch.autograd.grad(loss, scores, create_graph=order < 3)
            found.append(loss)
        return found

    logp = lambda: torch.log_softmax(scores, 1)
    mine = chain(F.ctc_loss(logp(), labels, (4,), (len(target),), blank, "sum"))
    for found, want in zip(mine, chain(counted(logp(), target, blank)), strict=True):
        np.testing.assert_allclose(found.detach().numpy(), want.detach().numpy(), rtol=1e-9,
                                   atol=1e-10)


def test_gradcheck():
    scores = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[1, 2], [3, 3], [2, 0]])

    def loss(x):
        return F.ctc_loss(torch.log_softmax(x, 2), targets, (5, 4, 3), (2, 2, 1), reduction="none")

    assert torch.autograd.gradcheck(loss, (scores,))
    assert torch.autograd.gradgradcheck(loss, (scores,))


def test_layouts_agree():
    """Padded, concatenated, one by one; tuples and tensors; padding is not looked at."""
    logp = torch.randn(6, 3, 4).log_softmax(2)
    rows, sizes, times = [[1, 2, 1], [3, 3, -5], [2, 99, 7]], (3, 2, 1), (6, 6, 5)
    padded = torch.tensor(rows)
    joined = torch.tensor([c for row, n in zip(rows, sizes, strict=True) for c in row[:n]])
    whole = F.ctc_loss(logp, padded, times, sizes, reduction="none")
    assert torch.equal(whole, F.ctc_loss(logp, joined, torch.tensor(times), torch.tensor(sizes),
                                         reduction="none"))
    single = [F.ctc_loss(logp[:, k], padded[k, :sizes[k]], times[k:k + 1], sizes[k:k + 1],
                         reduction="none") for k in range(3)]
    assert torch.allclose(whole, torch.stack(single))
    alone = F.ctc_loss(logp[:, 0], padded[0], torch.tensor(6), torch.tensor(3), reduction="none")
    assert alone.shape == ()
    assert torch.allclose(F.ctc_loss(logp, padded, times, sizes),
                          (whole / torch.tensor(sizes)).mean())
    assert torch.equal(F.ctc_loss(logp, padded, times, sizes, reduction="sum"),
                       torch.ctc_loss(logp, padded, times, sizes, 0, 2))


def test_infinite_losses():
    """A target that does not fit: inf and nan gradients, or 0 and 0; others are not touched."""
    scores = torch.randn(3, 2, 3, requires_grad=True)
    arguments = (torch.tensor([[1, 1], [2, 1]]), (2, 3), (2, 2))
    for zero in (False, True):
        loss = F.ctc_loss(scores.log_softmax(2), *arguments, reduction="none", zero_infinity=zero)
        assert loss[0].item() == (0 if zero else float("inf"))
        for create in (False, True):
            (g,) = torch.autograd.grad(loss.sum(), scores, create_graph=create, retain_graph=True)
            assert bool(torch.isnan(g[:2, 0]).all()) is not zero
            assert not g[2].detach()[0].any()
            assert torch.isfinite(g[:, 1]).all()
    nothing = F.ctc_loss(scores.log_softmax(2), *arguments[:1], (0, 0), (0, 1), reduction="none")
    assert nothing.tolist() == [0, float("inf")]


def test_impossible_labels_have_no_nan():
    """log_probs of -inf: paths through them do not count, and the gradient is finite."""
    p = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], dtype=torch.float64)
    logp = p.log().requires_grad_()
    loss = F.ctc_loss(logp, torch.tensor([1]), (2,), (1,))
    assert loss.item() == pytest.approx(-np.log(0.5))  # the paths b1 and 11
    for create in (False, True):
        (g,) = torch.autograd.grad(loss, logp, create_graph=create, retain_graph=True)
        np.testing.assert_allclose(g.detach().numpy(), [[0, 0, 0], [0, -0.5, 0.5]], atol=1e-12)


def test_long_input_keeps_its_digits():
    """1,000 steps in float32 are as exact as their rounding: the sums run in float64."""
    logp = torch.randn(1000, 1, 5, dtype=torch.float64).log_softmax(2)
    targets = torch.randint(1, 5, (1, 200))
    exact = F.ctc_loss(logp, targets, (1000,), (200,), reduction="sum").item()
    single = F.ctc_loss(logp.float(), targets, (1000,), (200,), reduction="sum")
    assert single.dtype is torch.float32
    assert single.item() == pytest.approx(exact, rel=1e-6)


LOGP, ROWS = torch.zeros(6, 3, 4), torch.ones(3, 2, dtype=torch.int64)


@pytest.mark.parametrize(("error", "match", "arguments", "options"), [
    (TypeError, "both tensors or both", (LOGP, ROWS, torch.tensor([6] * 3), (2, 2, 2)), {}),
    (TypeError, "both tensors or both", (LOGP, ROWS, 6, 2), {}),
    (TypeError, "'targets' must be Tensor", (LOGP, [[1]], (6,) * 3, (2,) * 3), {}),
    (RuntimeError, "must be integral", (LOGP, ROWS, torch.ones(3), torch.ones(3)), {}),
    (RuntimeError, "size 6, the sum", (LOGP, ROWS.flatten()[:4], (6,) * 3, (2,) * 3), {}),
    (RuntimeError, "size at least 3", (LOGP, ROWS, (6,) * 3, (3,) * 3), {}),
    (RuntimeError, "at most 6", (LOGP, ROWS, (7,) * 3, (2,) * 3), {}),
    (RuntimeError, "at least 0", (LOGP, ROWS, (-1,) * 3, (2,) * 3), {}),
    (RuntimeError, "input_lengths must be of size", (LOGP, ROWS, (6,) * 2, (2,) * 3), {}),
    (RuntimeError, "target_lengths must be of size", (LOGP, ROWS, (6,) * 3, (2,) * 2), {}),
    (RuntimeError, "one row per sample", (LOGP, ROWS[:2], (6,) * 3, (2,) * 3), {}),
    (RuntimeError, "blank must be in label range", (LOGP, ROWS, (6,) * 3, (2,) * 3), {"blank": 4}),
    (RuntimeError, "must not be empty", (LOGP[:0], ROWS, (0,) * 3, (2,) * 3), {}),
    (RuntimeError, "3-dimensional", (LOGP[0, 0], ROWS, (6,) * 3, (2,) * 3), {}),
    (NotImplementedError, "int64", (LOGP.long(), ROWS, (6,) * 3, (2,) * 3), {}),
    (IndexError, "target 9 is out of bounds", (LOGP, ROWS * 9, (6,) * 3, (2,) * 3), {}),
    (ValueError, "not a valid value", (LOGP, ROWS, (6,) * 3, (2,) * 3), {"reduction": "avg"}),
])
def test_refusals(error, match, arguments, options):
    with pytest.raises(error, match=match):
        F.ctc_loss(*arguments, **options)


def test_reduction_by_number():
    with pytest.raises(ValueError, match=r"0 \(none\), 1 \(mean\) or 2"):
        torch.ctc_loss(LOGP, ROWS, (6,) * 3, (2,) * 3, 0, 3)


def test_an_aligner_learns():
    """A linear layer learns to spell targets from one-hot frames of unknown alignment."""
    torch.manual_seed(0)
    frames = torch.eye(3)[torch.tensor([[0, 0, 1, 1, 2], [2, 2, 2, 1, 0], [1, 0, 0, 2, 2]])]
    targets = torch.tensor([[1, 2, 3], [3, 2, 1], [2, 1, 3]])
    net = torch.nn.Linear(3, 4)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    loss_of = torch.nn.CTCLoss()
    for _ in range(60):
        loss = loss_of(net(frames).log_softmax(2).transpose(0, 1), targets, (5,) * 3, (3,) * 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    best = net(frames).argmax(2).tolist()
    assert [spelled(path, 0) for path in best] == targets.tolist()
