"""EmbeddingBag, CrossMapLRN2d, deprecated layers, nn.grad, and inner forms of functions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad import nn


# ---- EmbeddingBag
@pytest.mark.parametrize(("mode", "reduce"), [
    ("sum", lambda x: x.sum(1)), ("mean", lambda x: x.mean(1)), ("max", lambda x: x.amax(1))])
def test_a_bag_is_an_embedding_and_a_reduction(mode, reduce):
    bag = nn.EmbeddingBag(10, 4, mode=mode, generator=torch.Generator().manual_seed(2))
    table = nn.Embedding(10, 4, _weight=bag.weight.detach().clone())
    index = torch.tensor([[1, 2, 3], [7, 2, 9]])
    y, want = bag(index), reduce(table(index))
    assert torch.allclose(y, want)
    (y ** 2).sum().backward()
    (want ** 2).sum().backward()
    assert torch.allclose(bag.weight.grad, table.weight.grad)
    flat = bag(index.flatten(), torch.tensor([0, 3]))
    ends = nn.EmbeddingBag(10, 4, mode=mode, include_last_offset=True, _weight=bag.weight.detach())
    assert torch.equal(flat, y)
    assert torch.equal(ends(index.flatten(), torch.tensor([0, 3, 6])), y)


def test_bag_draws_and_padding():
    first, second = (nn.EmbeddingBag(5, 3, padding_idx=-1,
                                     generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.weight, second.weight)
    assert first.padding_idx == 4
    assert not first.weight[4].any()
    y = first(torch.tensor([[0, 4, 4]]))
    assert torch.equal(y[0], first.weight[0])
    y.sum().backward()
    assert not first.weight.grad[4].any()


def test_weights_per_sample():
    weights = torch.tensor([[0.5, 2.0]], dtype=torch.float64, requires_grad=True)
    table = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([[0, 2]])
    y = F.embedding_bag(index, table, mode="sum", per_sample_weights=weights)
    assert torch.allclose(y[0], 0.5 * table[0] + 2 * table[2])
    call = lambda t, w: F.embedding_bag(index, t, mode="sum", per_sample_weights=w)
    assert torch.autograd.gradcheck(call, (table, weights))
    assert torch.autograd.gradgradcheck(call, (table, weights))


def test_from_pretrained():
    bag = nn.EmbeddingBag.from_pretrained(torch.eye(3), mode="sum", padding_idx=1)
    assert not bag.weight.requires_grad
    assert repr(bag) == "EmbeddingBag(3, 3, mode='sum', padding_idx=1)"
    assert nn.EmbeddingBag.from_pretrained(torch.eye(3), freeze=False).weight.requires_grad


def test_the_largest_of_a_bag():
    """The gradient goes to the first of equal maxima; what follows the last offset is left out."""
    table = torch.tensor([[1.0, 5.0], [3.0, 5.0], [2.0, 0.0]], requires_grad=True)
    y = F.embedding_bag(torch.tensor([2, 1, 0, 2]), table, torch.tensor([0, 3]), mode="max",
                        include_last_offset=True)
    assert y.tolist() == [[3, 5]]
    y.sum().backward()
    assert table.grad.tolist() == [[0, 0], [1, 1], [0, 0]]


INDEX, TABLE = torch.tensor([0, 1]), torch.ones(3, 2)


@pytest.mark.parametrize(("error", "match", "act"), [
    (AssertionError, "padding_idx", lambda: nn.EmbeddingBag(3, 2, padding_idx=3)),
    (AssertionError, "shape of _weight", lambda: nn.EmbeddingBag(3, 2, _weight=torch.ones(2, 2))),
    (AssertionError, "2-dimensional", lambda: nn.EmbeddingBag.from_pretrained(torch.ones(2))),
    (RuntimeError, "sparse", lambda: nn.EmbeddingBag(3, 2, sparse=True)),
    (ValueError, "offsets", lambda: F.embedding_bag(INDEX, TABLE)),
    (ValueError, "offsets", lambda: F.embedding_bag(INDEX[None], TABLE, INDEX)),
    (ValueError, "mode", lambda: F.embedding_bag(INDEX[None], TABLE, mode="min")),
    (ValueError, "max mode", lambda: F.embedding_bag(INDEX[None], TABLE, mode="max",
                                                     scale_grad_by_freq=True)),
    (ValueError, "2D", lambda: F.embedding_bag(INDEX[None], TABLE[0])),
    (RuntimeError, "ascending", lambda: F.embedding_bag(INDEX, TABLE, torch.tensor([0, 2, 1]))),
    (RuntimeError, "offsets\\[0\\]", lambda: F.embedding_bag(INDEX, TABLE, torch.tensor([1]))),
    (RuntimeError, "offsets\\[-1\\]", lambda: F.embedding_bag(INDEX, TABLE, torch.tensor([0, 9]))),
    (RuntimeError, "at least 1", lambda: F.embedding_bag(
        INDEX, TABLE, INDEX[:0], include_last_offset=True)),
    (RuntimeError, "dtype int64", lambda: F.embedding_bag(INDEX[None].float(), TABLE)),
    (RuntimeError, "floating", lambda: F.embedding_bag(INDEX[None], TABLE.int())),
    (RuntimeError, "out of range", lambda: F.embedding_bag(INDEX[None] + 2, TABLE)),
    (RuntimeError, "per_sample_weights", lambda: F.embedding_bag(
        INDEX[None], TABLE, mode="sum", per_sample_weights=torch.ones(1, 2, dtype=torch.float64))),
    (NotImplementedError, "mode='sum'", lambda: F.embedding_bag(
        INDEX[None], TABLE, per_sample_weights=torch.ones(1, 2))),
    (RuntimeError, "requires grad", lambda: torch.embedding_renorm_(
        TABLE.clone().requires_grad_(), INDEX, 1.0, 2.0)),
    (IndexError, "out of range", lambda: torch.embedding_renorm_(TABLE, INDEX + 2, 1.0, 2.0)),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()


# ---- CrossMapLRN2d
@pytest.mark.parametrize(("channels", "size"), [(2, 3), (7, 3), (6, 5), (5, 1), (5, 4)])
def test_cross_map_lrn(channels, size):
    x = torch.randn(2, channels, 2, 3, dtype=torch.float64, requires_grad=True)
    layer = nn.CrossMapLRN2d(size, alpha=0.5, beta=0.6, k=1.5)
    reach = int((size - 1) / 2 + 1)
    want = np.empty(x.shape)
    squares = x.detach().numpy() ** 2
    for c in range(channels):
        near = [j for j in range(channels) if abs(j - c) < reach or j == 0]
        total = squares[:, near].sum(1)
        want[:, c] = x.detach().numpy()[:, c] * (1.5 + 0.5 / size * total) ** -0.6
    np.testing.assert_allclose(layer(x).detach().numpy(), want, rtol=1e-12)
    assert torch.autograd.gradcheck(layer, (x,))
    assert torch.autograd.gradgradcheck(layer, (x,))
    with pytest.raises(ValueError, match="4D"):
        layer(x[0])


def test_deprecated_layers_warn():
    with pytest.warns(FutureWarning, match=r"`nn.Container` is deprecated"):
        held = nn.Container(a=nn.Linear(2, 1), b=nn.ReLU())
    assert list(held.state_dict()) == ["a.weight", "a.bias"]
    with pytest.warns(FutureWarning, match="`NLLLoss2d` has been deprecated"):
        loss = nn.NLLLoss2d()
    assert loss(-torch.ones(1, 2, 1, 1), torch.zeros(1, 1, 1, dtype=torch.int64)).item() == 1


# ---- nn.grad
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"),
                         [*itertools.product((1, 2), (0, 1), (1, 2), (1, 2))])
def test_gradients_of_convolutions(n, stride, padding, dilation, groups):
    x = torch.randn(2, 4, *(7, 6, 5)[:n], dtype=torch.float64, requires_grad=True)
    w = torch.randn(6, 4 // groups, *(3, 2, 2)[:n], dtype=torch.float64, requires_grad=True)
    options = (stride, padding, dilation, groups)
    y = getattr(F, f"conv{n}d")(x, w, None, *options)
    g = torch.randn(y.shape, dtype=torch.float64)
    dx, dw = torch.autograd.grad(y, (x, w), g)
    assert torch.allclose(getattr(nn.grad, f"conv{n}d_input")(x.shape, w, g, *options), dx)
    assert torch.allclose(getattr(nn.grad, f"conv{n}d_weight")(x, w.shape, g, *options), dw)


@pytest.mark.parametrize("act", [
    lambda: nn.grad.conv2d_input((1, 1, 3, 3), torch.ones(1, 1, 2, 2), torch.ones(1, 1, 3, 3)),
    lambda: nn.grad.conv2d_weight(torch.ones(1, 1, 3), (1, 1, 2, 2), torch.ones(1, 1, 2, 2))])
def test_gradients_of_no_convolution(act):
    with pytest.raises(RuntimeError, match="expected"):
        act()


# ---- inner forms
def test_reductions_are_numbers():
    x, t = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0])
    call = torch.binary_cross_entropy_with_logits
    each = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    assert torch.equal(call(x, t), each)
    assert torch.equal(call(x, t, reduction=1), each.mean())
    assert torch.equal(call(x, t, reduction=2), each.sum())
    with pytest.raises(TypeError, match="must be int"):
        call(x, t, reduction="mean")
    with pytest.raises(ValueError, match="0 \\(none\\)"):
        call(x, t, reduction=3)


def test_conv_tbc_is_conv1d():
    x, w, b = torch.randn(5, 2, 3), torch.randn(2, 3, 4), torch.randn(4)
    want = F.conv1d(x.permute(1, 2, 0), w.permute(2, 1, 0), b, padding=1).permute(2, 0, 1)
    assert torch.allclose(F.conv_tbc(x, w, b, 1), want)
    for wrong in ((x[0], w, b), (x, w[0], b), (x, w, b[:2]), (x[..., :2], w, b)):
        with pytest.raises(RuntimeError, match="conv_tbc"):
            torch.conv_tbc(*wrong)
    with pytest.raises(TypeError, match="must be Tensor"):
        torch.conv_tbc(x, w, None)


def test_parts_of_a_bag():
    args = torch.eye(3), torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1])
    y, bags, sizes, rows = torch.embedding_bag(*args, False, 2)
    assert y.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 1]]
    assert (bags.tolist(), sizes.tolist()) == ([0, 2, 2, 2], [1, 0, 3])
    assert rows.tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 2]]
    with pytest.raises(RuntimeError, match="mode must be"):
        torch.embedding_bag(*args, False, 3)


def test_with_indices_is_return_indices():
    x = torch.randn(2, 3, 6, 6)
    for one, other in ((F.max_pool2d_with_indices(x, 2), F.max_pool2d(x, 2, return_indices=True)),
                       (F.adaptive_max_pool2d_with_indices(x, 3),
                        F.adaptive_max_pool2d(x, 3, return_indices=True))):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    y, where = torch.max_pool1d_with_indices(x[0], 2)
    assert torch.equal(torch.gather(x[0], 2, where), y)
    y, where = torch.adaptive_max_pool1d(x[0], 4)
    assert torch.equal(torch.gather(x[0], 2, where), y)


def test_shuffle_has_a_second_name():
    x = torch.arange(8.0).reshape(1, 4, 2).requires_grad_()
    y = torch.native_channel_shuffle(x, 2)
    assert torch.equal(y, F.channel_shuffle(x, 2))
    assert F.native_channel_shuffle is torch.native_channel_shuffle
    (y * torch.arange(8.0).reshape(1, 4, 2)).sum().backward()
    assert x.grad.flatten().tolist() == [0, 1, 4, 5, 2, 3, 6, 7]
