"""Attention by blocks against attention at once, in float64, and what it keeps."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import minigrad as torch
from minigrad.kernels import _threads, attention

F = torch.nn.functional
SHAPES = {  # query, key, value, bias
    "square": ((2, 3, 7, 4), (2, 3, 7, 4), (2, 3, 7, 5), None),
    "more keys": ((2, 5, 4), (2, 9, 4), (2, 9, 4), (5, 9)),
    "more queries": ((9, 3), (4, 3), (4, 2), (9, 4)),
    "a bias for each head": ((2, 3, 6, 4), (2, 3, 5, 4), (2, 3, 5, 4), (2, 1, 6, 5)),
    "a bias for each key": ((2, 6, 4), (2, 5, 4), (2, 5, 4), (5,)),
    "leading dimensions broadcast": ((2, 3, 6, 4), (1, 3, 5, 4), (2, 1, 5, 4), (3, 1, 5)),
    "one query": ((3, 1, 4), (3, 6, 4), (3, 6, 4), None),
    "one key": ((3, 4, 4), (3, 1, 4), (3, 1, 4), (4, 1)),
    "no batch": ((0, 4, 4), (0, 5, 4), (0, 5, 4), None),
    "no query": ((2, 0, 4), (2, 5, 4), (2, 5, 4), None),
}


def arguments(name, dtype=np.float64):
    rng = np.random.default_rng(len(name))
    query, key, value, bias = (
        None if shape is None else rng.standard_normal(shape).astype(dtype)
        for shape in SHAPES[name])
    if bias is not None and bias.ndim > 1:
        bias[..., 1 % bias.shape[-2], :] = -np.inf  # a query that sees nothing
        bias[..., 0, -1] = -np.inf
    return query, key, value, bias


def both(args, causal, few):
    """Return y, dead rows and the four gradients, with P kept up to `few` scores."""
    y, dead, weights, logs = attention.forward(*args, 0.5, causal)
    assert (weights is None) == (few < 0)
    g = np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)
    needs = [True, True, True, args[3] is not None]
    return [y, dead, *attention.backward(g, *args, 0.5, causal, y, weights, logs, needs)]


def close(found, wanted, tolerance):
    for a, b in zip(found, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_blocks_give_what_all_scores_at_once_give(name, causal, monkeypatch):
    args = arguments(name)
    wanted = both(args, causal, attention.FEW)
    monkeypatch.setattr(attention, "FEW", -1)
    for block in (1, 16, attention.BLOCK):  # one query, a few, all at once
        monkeypatch.setattr(attention, "BLOCK", block)
        close(both(args, causal, -1), wanted, 1e-13)


@pytest.mark.parametrize("causal", [False, True])
def test_float32_is_close_to_float64(causal, monkeypatch):
    monkeypatch.setattr(attention, "FEW", -1)
    monkeypatch.setattr(attention, "BLOCK", 64)
    for name in SHAPES:
        wanted = both(arguments(name), causal, -1)
        close(both(arguments(name, np.float32), causal, -1), wanted, 3e-6)


def test_arrays_that_are_not_contiguous(monkeypatch):
    monkeypatch.setattr(attention, "FEW", -1)
    query, key, value, bias = arguments("square")
    turned = [np.asfortranarray(a.swapaxes(1, 2)).swapaxes(1, 2) for a in (query, key, value)]
    close(both((*turned, bias), True, -1), both((query, key, value, bias), True, -1), 1e-14)


def test_large_scores_do_not_overflow(monkeypatch):
    monkeypatch.setattr(attention, "FEW", -1)
    query, key, value, _ = arguments("square", np.float32)
    y, _, _, logs = attention.forward(1e4 * query, 1e4 * key, value, None, 1.0, False)
    best = np.argmax(np.matmul(query, key.swapaxes(-1, -2)), -1)[..., None]
    np.testing.assert_allclose(y, np.take_along_axis(value, best, -2), rtol=1e-5)
    assert np.isfinite(logs).all()


def test_the_bits_do_not_depend_on_the_threads():
    rng = np.random.default_rng(0)
    args = (*rng.standard_normal((3, 2, 3, 300, 16)).astype(np.float32), None)
    before = _threads.get_num_threads()
    try:
        found = []
        for count in (1, 2):
            _threads.set_num_threads(count)
            found.append(both(args, True, -1))
    finally:
        _threads.set_num_threads(before)
    for a, b in zip(*found, strict=True):
        assert a is b is None or np.array_equal(a, b)


def test_higher_orders_agree_with_attention_written_out():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 140, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))

    def written_out():
        scores = q @ k.transpose(-1, -2) * 0.5
        seen = torch.ones(140, 140, dtype=torch.bool).tril()
        return scores.masked_fill(~seen, -float("inf")).softmax(-1) @ v

    found = []
    for y in (F.scaled_dot_product_attention(q, k, v, is_causal=True), written_out()):
        first = torch.autograd.grad((y**2).sum(), (q, k, v), create_graph=True)
        second = torch.autograd.grad(sum(g.sin().sum() for g in first), (q, k, v))
        found.append([y, *first, *second])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_memory_grows_linearly_with_the_length(causal):
    q = torch.randn(1, 2, 2048, 8, requires_grad=True)
    F.scaled_dot_product_attention(q, q, q, is_causal=causal).sum().backward()  # warm scratch
    tracemalloc.start()
    F.scaled_dot_product_attention(q, q, q, is_causal=causal).sum().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6  # all scores would be 34e6 bytes
