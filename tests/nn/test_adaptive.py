"""AdaptiveLogSoftmaxWithLoss and linear cross entropy (values: the tables)."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.nn import LinearCrossEntropyOptions as Options
from minigrad.ops.linear_cross_entropy import _rows


def near(a, b, tolerance=1e-9):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=tolerance,
                               atol=tolerance)


# ---- adaptive softmax
def test_log_prob_is_a_distribution_and_forward_reads_it():
    module = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10, 15], div_value=2.0).double()
    x, target = torch.randn(7, 8, dtype=torch.float64), torch.tensor([0, 3, 4, 9, 10, 15, 19])
    logp = module.log_prob(x)
    near(logp.exp().sum(1), torch.ones(7))
    output, loss = module(x, target)
    near(output, logp[torch.arange(7), target])
    near(loss, -output.mean())
    assert type(module(x, target)).__name__ == "_ASMoutput"
    assert module.predict(x).tolist() == logp.argmax(1).tolist()
    one = module(x[5], target[5])
    near(one.output, output[5])
    assert one.loss.shape == ()
    assert [tuple(p.shape) for p in module.parameters()] == [
        (7, 8), (4, 8), (6, 4), (2, 8), (5, 2), (1, 8), (5, 1)]


def test_unused_clusters_get_no_gradient():
    module = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], 2.0)
    module(torch.randn(3, 8), torch.tensor([1, 5, 0])).loss.backward()
    assert module.tail[0][1].weight.grad is not None
    assert module.tail[1][1].weight.grad is None
    before = module.head.weight.clone()
    module.reset_parameters()
    assert not torch.equal(module.head.weight, before)


def test_adaptive_derivatives_and_generator():
    make = lambda: nn.AdaptiveLogSoftmaxWithLoss(
        4, 7, [2, 5], 2.0, True, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    module, target = make(), torch.tensor([0, 4, 6])
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), make().parameters(),
                                                 strict=True))
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: module(x, target), (x,))
    assert torch.autograd.gradgradcheck(lambda x: module(x, target), (x,))


@pytest.mark.parametrize(("cutoffs", "match"), [
    ([], "larger than 0"), ([5, 3], "increasing"), ([0], "positive"), ([20], "n_classes-1"),
    ([3, 3], "unique"), ([2.5], "integers")])
def test_adaptive_refuses_cutoffs(cutoffs, match):
    with pytest.raises(ValueError, match=match):
        nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs)


@pytest.mark.parametrize(("shape", "target", "match"), [
    ((3, 8), [1, 2], "same size in the batch"), ((3, 2, 8), [1, 2, 3], "expects 2D"),
    ((3, 8), 1, "expects 1D"), ((3, 8), [[1], [2], [3]], "multi-target"),
    ((2, 8), [1, 20], r"in \[0, 19\]"), ((2, 8), [-1, 0], r"range \[-1, 0\]")])
def test_adaptive_refuses(shape, target, match):
    with pytest.raises(RuntimeError, match=match):
        nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5])(torch.ones(shape), torch.tensor(target))


# ---- linear cross entropy
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("rows", [1, 3, 7, 50])
def test_pieces_equal_the_whole(reduction, rows):
    """Losses and gradients, weights and ignored targets; any piece size; higher orders too."""
    leaves = [torch.randn(*s, dtype=torch.float64, requires_grad=True)
              for s in ((7, 3), (5, 3), (5,))]
    target = torch.tensor([0, 4, 2, 2, 1, 3, 0])
    options = {"weight": torch.arange(1.0, 6, dtype=torch.float64), "ignore_index": 2,
               "reduction": reduction}
    grads = []
    for given in (None, Options(batch_chunk_size=rows)):
        loss = F.linear_cross_entropy(leaves[0], leaves[1], target, linear_bias=leaves[2],
                                      options=given, **options)
        total = (loss * loss).sum()
        first = torch.autograd.grad(total, leaves, create_graph=True)
        second = torch.autograd.grad(sum((g * g).sum() for g in first), leaves, retain_graph=True)
        fast = torch.autograd.grad((loss * loss).sum(), leaves)
        grads.append([loss, *first, *second, *fast])
    for whole, pieces in zip(*grads, strict=True):
        near(pieces, whole)


def test_scores_are_never_whole(monkeypatch):
    """With pieces no product is larger than a piece's scores."""
    sizes = []
    from minigrad.ops import linear_cross_entropy as module

    kept = module._pieces

    def watched(*args):
        for part, scores in kept(*args):
            sizes.append(scores.shape)
            yield part, scores

    monkeypatch.setattr(module, "_pieces", watched)
    x, w = torch.randn(10, 2, requires_grad=True), torch.randn(50, 2, requires_grad=True)
    F.linear_cross_entropy(x, w, torch.arange(10), options=Options(batch_chunk_size=4)).backward()
    assert sizes == [(4, 50), (4, 50), (2, 50)] * 2


@pytest.mark.parametrize(("options", "samples", "rows"), [
    ({}, 64, 4), ({"chunking_method": "aspect_ratio"}, 64, 8), ({"batch_chunk_size": 5}, 64, 5),
    ({"chunking_method": "aspect_ratio:4"}, 64, 2), ({"chunking_method": None}, 64, 64),
    ({"batch_chunk_size": 99}, 64, 64), ({"chunking_method": "aspect_ratio:99"}, 64, 1),
    ({}, 1, 1), ({"batch_chunk_size": 4, "chunking_method": "aspect_ratio:2"}, 64, 4)])
def test_piece_sizes(options, samples, rows):
    """For 4 features and 32 classes: next power of 2 of samples / 8, divided by n."""
    assert _rows(Options(**options), samples, 4, 32, half=False) == rows


def test_float16_sums():
    x, w = torch.randn(6, 40).half(), torch.randn(30, 40).half()
    target = torch.arange(6)
    exact = F.cross_entropy(F.linear(x.double(), w.double()), target)
    found = F.linear_cross_entropy(x, w, target, options=Options())
    assert found.dtype is torch.float16
    assert found.item() == pytest.approx(exact.item(), rel=1e-3)
    with pytest.raises(RuntimeError, match="float32 for float16"):
        F.linear_cross_entropy(x, w, target, options=Options(acc_dtype=torch.float64))
    single = F.linear_cross_entropy(x, w, target, options=Options(acc_dtype=torch.float32))
    assert torch.equal(single, found)


def test_options_refuse():
    for bad in ({"acc_policy": "x"}, {"batch_chunk_size": 0}, {"chunking_method": "aspect_ratio:0"},
                {"chunking_method": "half"}, {"acc_dtype": torch.int64}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Options(**bad)
    with pytest.raises(ValueError, match="pass only one"):
        _rows(Options(batch_chunk_size=3, chunking_method="aspect_ratio"), 64, 4, 32, half=False)
    again = pickle.loads(pickle.dumps(Options(batch_chunk_size=3, acc_dtype=torch.float32)))
    assert again == Options(batch_chunk_size=3, acc_dtype=torch.float32)
    with pytest.raises(AttributeError):
        again.batch_chunk_size = 4


X, W, T = torch.ones(5, 3), torch.ones(4, 3), torch.zeros(5).long()


@pytest.mark.parametrize(("error", "match", "args", "options"), [
    (RuntimeError, "dimensionality 1 or 2", (X[None], W, T), {}),
    (RuntimeError, "at least 2", (X, W[0], T), {}),
    (RuntimeError, "got 3 and 2", (X, W[:, :2], T), {}),
    (RuntimeError, "linear_bias shape", (X, W, T), {"linear_bias": torch.ones(5)}),
    (RuntimeError, "requires batched input", (X[0], W.reshape(2, 2, 3), T[:2]), {}),
    (RuntimeError, "ignore_index cannot", (X, W, torch.ones(5, 4)), {"ignore_index": 1}),
    (ValueError, "batch_size", (X, W, T[:3]), {}),
    (ValueError, "batch_size", (X, W, T[:3]), {"options": Options()}),
    (IndexError, "out of bounds", (X, W, T + 4), {"options": Options()}),
    (RuntimeError, "dtype", (X, W.double(), T), {"options": Options()}),
    (RuntimeError, "one number for each", (X, W, T), {"weight": X[0], "options": Options()}),
    (ValueError, "reduction", (X, W, T), {"reduction": "avg"}),
])
def test_linear_cross_entropy_refuses(error, match, args, options):
    with pytest.raises(error, match=match):
        F.linear_cross_entropy(*args, **options)


def test_options_that_do_not_apply_warn():
    with pytest.warns(UserWarning, match="options ignored"):
        loss = F.linear_cross_entropy(X, W, T, label_smoothing=0.1, options=Options())
    assert loss.item() == F.linear_cross_entropy(X, W, T, label_smoothing=0.1).item()


def test_head():
    head = nn.LinearCrossEntropyLoss(3, 4, bias=True, generator=torch.Generator().manual_seed(1),
                                     options=Options(batch_chunk_size=2))
    plain = nn.CrossEntropyLoss()
    near(head(X, T), plain(head.linear(X), T), 1e-6)
    copied = copy.deepcopy(head)
    assert repr(copied) == repr(head)
    for a, b in zip(copied.parameters(), head.parameters(), strict=True):
        assert torch.equal(a, b)
    assert list(head.state_dict()) == ["linear.weight", "linear.bias"]
    with pytest.raises(RuntimeError, match="weight shape"):
        nn.LinearCrossEntropyLoss(3, 4, weight=torch.ones(3))
    with pytest.raises(RuntimeError, match=r"\[0, 1\]"):
        nn.LinearCrossEntropyLoss(3, 4, label_smoothing=2.0)
