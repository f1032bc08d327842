"""Embedding, one_hot, attention and distances: options, special rows, errors."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F

I = torch.tensor([1, 1, 2])  # noqa: E741
attention = F.scaled_dot_product_attention


def test_max_norm_rescales_the_rows_in_place():
    table = torch.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], requires_grad=True)
    y = F.embedding(torch.tensor([0, 1, 0]), table, max_norm=1.0)
    np.testing.assert_allclose(y.detach().norm(dim=1).tolist(), [1, 0.5, 1], rtol=1e-6)
    np.testing.assert_allclose(table.detach()[2].tolist(), [6, 8])
    assert table._version == 1
    y.sum().backward()
    assert table.grad.tolist() == [[2, 2], [1, 1], [0, 0]]


def test_embedding_errors():
    table = torch.randn(4, 2)
    with pytest.raises(IndexError, match="4 for a table of 4 rows"):
        F.embedding(torch.tensor([0, 4]), table)
    with pytest.raises(IndexError, match="-1"):
        F.embedding(torch.tensor([-1]), table)
    with pytest.raises(RuntimeError, match="int64 or int32"):
        F.embedding(I.float(), table)
    with pytest.raises(RuntimeError, match="2-D"):
        F.embedding(I, table[0])
    with pytest.raises(AssertionError, match="Padding_idx"):
        F.embedding(I, table, padding_idx=4)
    with pytest.raises(RuntimeError, match="sparse"):
        F.embedding(I, table, sparse=True)
    with pytest.raises(TypeError, match="'input' must be Tensor"):
        F.embedding([1], table)
    assert F.embedding(I.int(), table).shape == (3, 2)
    assert F.embedding(I[:0], table).shape == (0, 2)


def test_one_hot_errors():
    for wrong in (I.float(), I.int()):
        with pytest.raises(RuntimeError, match="int64"):
            F.one_hot(wrong)
    with pytest.raises(RuntimeError, match="smaller than num_classes=2"):
        F.one_hot(I, 2)
    with pytest.raises(RuntimeError, match="at least 0"):
        F.one_hot(-I)
    with pytest.raises(RuntimeError, match="empty tensor"):
        F.one_hot(I[:0])
    assert F.one_hot(I[:0], 3).shape == (0, 3)


@pytest.mark.parametrize("shape", [(2, 4), (3, 2, 4), (2, 3, 2, 4)])
def test_rows_that_may_attend_to_nothing_give_zeros(shape):
    x = torch.randn(*shape, requires_grad=True)
    mask = torch.tensor([[True, False], [False, False]])
    y = attention(x, x, x, mask)
    assert torch.allclose(y[..., 0, :], x[..., 0, :])
    assert not y[..., 1, :].any()
    for create in (False, True):
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=create,
                                    retain_graph=True)
        assert torch.allclose(g[..., 0, :], torch.ones(()))
        assert not g[..., 1, :].any()


def test_attention_masks_and_heads():
    q, k = torch.randn(2, 4, 3, 8), torch.randn(2, 2, 5, 8)
    causal = torch.ones(3, 5, dtype=torch.bool).tril()
    repeated = k[:, [0, 0, 1, 1]]
    want = attention(q, repeated, repeated, causal)
    got = attention(q, k, k, is_causal=True, enable_gqa=True)
    assert torch.allclose(got, want, atol=1e-6)
    both = attention(q, repeated, repeated, causal, is_causal=True)
    assert torch.allclose(both, want, atol=1e-6)


def test_attention_dropout():
    q = torch.randn(2, 3, 4)
    draws = [attention(q, q, q, dropout_p=0.5, generator=torch.Generator().manual_seed(4))
             for _ in range(2)]
    assert torch.equal(*draws)
    assert not torch.allclose(draws[0], attention(q, q, q))
    assert not attention(q, q, q, dropout_p=1.0).any()


def test_attention_errors():
    q = torch.randn(2, 3, 4)
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        attention(q[0, 0], q, q)
    with pytest.raises(RuntimeError, match="same floating dtype"):
        attention(q, q.double(), q)
    with pytest.raises(RuntimeError, match="same floating dtype"):
        attention(q.long(), q.long(), q.long())
    with pytest.raises(RuntimeError, match=r"as many features .* key \(2, 3, 2\)"):
        attention(q, q[..., :2], q)
    with pytest.raises(RuntimeError, match="attn_mask dtype to be bool"):
        attention(q, q, q, torch.ones(3, 3, dtype=torch.int64))
    with pytest.raises(RuntimeError, match="must divide the number of heads in query, 3"):
        attention(q[None].transpose(1, 2), *(q[None].transpose(1, 2)[:, :2],) * 2, enable_gqa=True)
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        attention(q, q, q, dropout_p=2.0)


def test_distances():
    x, y = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.zeros(2)
    np.testing.assert_allclose(F.pairwise_distance(x, y).tolist(), [5, 2**0.5 * 1e-6], rtol=1e-5)
    assert F.pairwise_distance(x, y, keepdim=True).shape == (2, 1)
    np.testing.assert_allclose(F.pairwise_distance(x, y, p=1.0).tolist(), [7, 2e-6], rtol=1e-5)
    assert F.cosine_similarity(x, y).tolist() == [0, 0]
    assert F.cosine_similarity(x, x[0]).tolist() == pytest.approx([1, 0])
    with pytest.raises(RuntimeError, match="floating point"):
        F.cosine_similarity(x.long(), x.long())
    with pytest.raises(IndexError, match="Dimension out of range"):
        F.cosine_similarity(x, x, dim=2)
    with pytest.raises(RuntimeError, match="must match the size"):
        F.cosine_similarity(x, torch.zeros(3))


def test_pdist():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [0.0, 1.0]], requires_grad=True)
    d = F.pdist(x)
    np.testing.assert_allclose(d.tolist(), [5, 0, 1, 5, 18**0.5, 1], rtol=1e-6)
    np.testing.assert_allclose(F.pdist(x, 1.0).tolist(), [7, 0, 1, 7, 6, 1], rtol=1e-6)
    (g,) = torch.autograd.grad(d[1], x)  # equal points: no direction, no gradient
    assert not g.any()
    assert F.pdist(x[:1]).shape == (0,)
    for wrong, p in ((x[0], 2), (x, -1), (torch.ones(2, 2, dtype=torch.int64), 2)):
        with pytest.raises(RuntimeError, match="pdist only supports"):
            F.pdist(wrong, p)
