"""multi_head_attention_forward: masks, dropout, errors."""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn.functional as F

E, H = 4, 2
W, B, OUT, P = torch.randn(3 * E, E), torch.zeros(3 * E), torch.randn(E, E), torch.zeros(E)
X = torch.randn(3, 2, E)


def forward(q=X, k=X, v=X, features=E, heads=H, p=0.0, **options):
    return F.multi_head_attention_forward(q, k, v, features, heads, W, B, None, None, False, p, OUT,
                                          P, **options)


def test_masked_keys_have_no_weight():
    mask = torch.ones(3, 3, dtype=torch.bool).triu(1)
    y, weights = forward(attn_mask=mask)
    assert not weights.triu(1).any()
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3))
    fast, none = forward(attn_mask=mask, is_causal=True, need_weights=False)
    assert none is None
    assert torch.allclose(y, fast, atol=1e-5)
    padding = torch.tensor([[False, False, True], [False, True, False]])
    _, weights = forward(key_padding_mask=padding)
    assert not weights[0, :, 2].any()
    assert not weights[1, :, 1].any()


def test_dropout_only_in_training():
    assert torch.equal(forward(p=0.5, training=False)[0], forward()[0])
    draws = [forward(p=0.5, generator=torch.Generator().manual_seed(1))[0] for _ in range(2)]
    assert torch.equal(*draws)
    assert not torch.allclose(draws[0], forward()[0])


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"features": 5}, AssertionError, "embedding dimension of 5, but got 4"),
    ({"heads": 3}, AssertionError, "num_heads=3 must divide"),
    ({"q": X[0, 0]}, AssertionError, "1-d"),
    ({"k": X[:2]}, AssertionError, "same length and batch"),
    ({"is_causal": True}, RuntimeError, "Need attn_mask"),
    ({"attn_mask": torch.zeros(2, 3)}, RuntimeError, r"\(3, 3\) or \(4, 3, 3\), got \(2, 3\)"),
    ({"key_padding_mask": torch.zeros(3, 3)}, AssertionError,
     r"key_padding_mask of shape \(2, 3\)"),
])
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        forward(**arguments)
