"""The short cuts for small arrays give what the general forms give."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad.ops import cross_entropy as ce

ROWS = [(1, 1), (1, 7), (5, 1), (3, 4), (32, 10), (64, 33), (4, 1000)]


def scores(rows, classes, dtype=torch.float64, scale=3.0):
    generator = torch.Generator().manual_seed(rows * classes)
    x = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * scale
    target = torch.randint(0, classes, (rows,), generator=generator)
    return x.to(dtype).requires_grad_(), target


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", ROWS)
def test_cross_entropy_of_rows_is_that_of_the_general_op(shape, reduction):
    x, target = scores(*shape)
    y = F.cross_entropy(x, target, reduction=reduction)
    general = ce._class_cross_entropy(x, target, None, -100, reduction, 0.0)
    assert type(y.grad_fn.op) is type(general.grad_fn.op)
    assert y.grad_fn.op is ce._row_cross_entropy.op
    assert y.grad_fn.name() == general.grad_fn.name() == "NllLossBackward0"
    torch.testing.assert_close(y, general)
    for a, b in zip(torch.autograd.grad(y * 2, x, retain_graph=True),
                    torch.autograd.grad(general * 2, x), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_cross_entropy_of_rows_in_other_dtypes(kind):
    x, target = scores(32, 10, getattr(torch, kind), 20.0)
    y = F.cross_entropy(x, target)
    exact = x.detach().double().requires_grad_()
    expected = F.cross_entropy(exact, target)
    (g,), (right,) = torch.autograd.grad(y, x), torch.autograd.grad(expected, exact)
    assert y.dtype == g.dtype == x.dtype
    tolerance = {"float32": 1e-6, "float16": 2e-3}[kind]
    torch.testing.assert_close(y.double(), expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(g.double(), right, rtol=tolerance, atol=tolerance / 32)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 13.0, 100.0, 1e30])
@pytest.mark.parametrize("shape", [*ROWS, (300, 40)])
def test_cross_entropy_of_rows_against_float64(shape, scale):
    """Scores that are moderate and not, few and many: right to two units of float32."""
    x, target = scores(*shape, torch.float32, scale)
    exact = x.detach().double().requires_grad_()
    y, expected = F.cross_entropy(x, target), F.cross_entropy(exact, target)
    assert abs(y.item() - expected.item()) <= 3e-7 * max(1.0, expected.item())
    (g,), (right,) = torch.autograd.grad(y, x), torch.autograd.grad(expected, exact)
    assert (g.double() - right).abs().max().item() <= 4e-7 / shape[0]


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("size", [20.0, 39.9, 40.1, 700.0])
def test_cross_entropy_of_certain_rows(kind, size):
    """No loss is below 0, however certain; a certain mistake costs the difference of the scores."""
    x = torch.tensor([[size, -size, 0.0], [0.0, size, 0.0], [-size, -size, -size]],
                     dtype=getattr(torch, kind), requires_grad=True)
    assert 0 <= F.cross_entropy(x[:2], torch.tensor([0, 1])).item() < 4e-9
    assert F.cross_entropy(x[:1], torch.tensor([1])).item() == pytest.approx(2 * size, rel=1e-6)
    y = F.cross_entropy(x[2:], torch.tensor([1]))
    assert y.item() == pytest.approx(math.log(3), rel=1e-6)
    (g,) = torch.autograd.grad(y, x)
    torch.testing.assert_close(g[2], torch.tensor([1, -2, 1], dtype=g.dtype) / 3)


def test_cross_entropy_of_rows_at_any_strides_and_twice():
    x, target = scores(6, 4)
    turned = x.detach().t().clone().requires_grad_()
    sparse = torch.zeros(12, dtype=torch.int64)
    sparse[::2] = target
    y = F.cross_entropy(turned.t(), sparse[::2])
    y.backward(retain_graph=True)
    y.backward()
    F.cross_entropy(x, target).backward()
    torch.testing.assert_close(turned.grad, 2 * x.grad.t())


def test_cross_entropy_of_rows_has_all_orders():
    x, target = scores(3, 4)
    assert torch.autograd.gradcheck(lambda x: F.cross_entropy(x, target), (x,))
    assert torch.autograd.gradgradcheck(lambda x: F.cross_entropy(x, target), (x,))


def test_cross_entropy_of_rows_with_infinite_scores():
    x = torch.tensor([[0.0, -math.inf, 1.0], [math.inf, 0.0, 0.0]], requires_grad=True)
    y = F.cross_entropy(x[:1], torch.tensor([2]))
    assert y.item() == pytest.approx(math.log(1 + math.exp(-1)))
    (g,) = torch.autograd.grad(y, x)
    assert g[0, 1] == 0 and torch.isfinite(g).all()
    assert torch.isnan(F.cross_entropy(x, torch.tensor([2, 0])))


def test_what_is_not_plain_rows_takes_the_general_way():
    x, target = scores(4, 3)
    target = torch.tensor([0, 1, 2, 1])
    general = ce._class_cross_entropy.op
    assert F.cross_entropy(x, target, ignore_index=1).grad_fn.op is general
    assert F.cross_entropy(x, target, torch.ones(3, dtype=x.dtype)).grad_fn.op is general
    assert F.cross_entropy(x, torch.tensor([0, 1, -100, 1])).grad_fn.op is general
    assert F.cross_entropy(x, target.to(torch.uint8)).grad_fn.op is general
    for wrong in (3, -1):
        with pytest.raises(IndexError, match="out of bounds"):
            F.cross_entropy(x, torch.tensor([0, 1, 2, wrong]))


@pytest.mark.parametrize("shape", [(1,), (40,), (3, 5), (2, 3, 4), (200, 33), (0, 3)])
@pytest.mark.parametrize("function", [torch.softmax, torch.log_softmax])
def test_softmax_of_the_last_and_of_inner_dimensions_agree(function, shape):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
    turned = x.detach().unsqueeze(-1).requires_grad_()
    y, same = function(x, -1), function(turned, len(shape) - 1).squeeze(-1)
    torch.testing.assert_close(y, same)
    g = torch.randn(shape, generator=generator, dtype=torch.float64)
    y.backward(g)
    same.backward(g)
    torch.testing.assert_close(x.grad, turned.grad.squeeze(-1))


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16])
def test_alpha_dropout_is_an_affine_function_of_what_is_kept(kind):
    x = torch.linspace(-3, 3, 4000).to(kind).requires_grad_()
    p = 0.3
    y = F.alpha_dropout(x, p, training=True)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert y.dtype == slope.dtype == kind
    limit = 1.7580993408473766
    a = ((1 - p) * (1 + p * limit**2)) ** -0.5
    kept = slope.numpy() != 0
    assert 0.25 < 1 - kept.mean() < 0.35
    expected = np.where(kept, a * x.detach().double().numpy() + a * p * limit, a * (p - 1) * limit)
    close = {torch.float16: 6e-3}.get(kind, 1e-6)
    np.testing.assert_allclose(y.detach().double().numpy(), expected, atol=close)
    np.testing.assert_allclose(slope.double().numpy()[kept], a, rtol=1e-3)


def test_boundary_bits_are_drawn_again():
    """p = 2**-18 is no multiple of 2**-16: without more bits it would be 0."""
    generator = torch.Generator().manual_seed(3)
    from minigrad import _random

    hits = sum(int(_random.bernoulli(1 << 20, 2.0**-18, generator).sum()) for _ in range(16))
    assert 30 < hits < 110  # 64 are expected

@pytest.mark.parametrize("kind", ["float32", "float64", "float16"])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 3), (2, 4, 3), (0, 3), (2, 0, 3),
                                   (2, 2, 2, 3)])
def test_linear_of_any_rank_is_a_sum_of_products(shape, kind):
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s) for s in (shape, (5, 3), (5,)))
    tensors = [torch.from_numpy(v.astype(kind)).requires_grad_() for v in (x, w, b)]
    y = F.linear(*tensors)
    g = rng.standard_normal(y.shape)
    y.backward(torch.from_numpy(g.astype(kind)))
    rows, grads = x.reshape(-1, 3), g.reshape(-1, 5)
    expected = [x @ w.T + b, g @ w, grads.T @ rows, grads.sum(0)]
    tolerance = {"float16": 2e-2, "float32": 1e-5}.get(kind, 1e-12)
    for found, right in zip([y.detach(), *(t.grad for t in tensors)], expected, strict=True):
        assert found.is_contiguous() and str(found.dtype) == f"torch.{kind}"
        np.testing.assert_allclose(found.numpy(), right, rtol=tolerance, atol=tolerance)


def test_linear_without_features_is_the_bias():
    y = F.linear(torch.ones(2, 3, 0), torch.ones(4, 0), torch.arange(4.0))
    assert torch.equal(y, torch.arange(4.0).expand(2, 3, 4))


@pytest.mark.parametrize("shape", [(7, 1), (1, 7), (64, 16), (3, 5), (300, 2), (2, 300)])
@pytest.mark.parametrize("affine", [True, False])
def test_small_layer_norm_is_that_in_float64(shape, affine):
    rng = np.random.default_rng(sum(shape))
    x, g = rng.standard_normal((2, *shape)) * 3 + 20
    w, b = rng.standard_normal((2, shape[1]))
    ends = []
    for kind in (torch.float32, torch.float64):
        tensors = [torch.from_numpy(v.astype(np.float32)).to(kind).requires_grad_()
                   for v in (x, w, b)]
        y = F.layer_norm(tensors[0], (shape[1],), *(tensors[1:] if affine else ()))
        y.backward(torch.from_numpy(g.astype(np.float32)).to(kind))
        ends.append([y.detach(), *(t.grad for t in tensors[:3 if affine else 1])])
    for single, double in zip(*ends, strict=True):
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), double, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e18, 3e38])
def test_small_layer_norm_of_tiny_and_huge_values(scale):
    x = torch.tensor([[1.0, -1.0, 0.5, 0.25]]) * scale
    y = F.layer_norm(x, (4,), eps=0.0)
    exact = F.layer_norm(x.double() / float(x.double().abs().max()), (4,), eps=0.0)
    torch.testing.assert_close(y.double(), exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize("shape", [(6,), (2, 3), ()])
def test_small_tables_add_up_rows(shape):
    rng = np.random.default_rng(1)
    table = torch.from_numpy(rng.standard_normal((4, 3))).requires_grad_()
    indices = rng.integers(0, 4, shape)
    y = F.embedding(torch.from_numpy(np.asarray(indices)), table)
    g = rng.standard_normal(y.shape)
    y.backward(torch.from_numpy(g))
    expected = np.zeros((4, 3))
    np.add.at(expected, indices, g)
    np.testing.assert_allclose(table.grad.numpy(), expected)


@pytest.mark.parametrize("rows", [1, 256, 257])
@pytest.mark.parametrize("turned", [False, True])
def test_tables_of_any_length_and_strides(rows, turned):
    rng = np.random.default_rng(2)
    table = rng.standard_normal((3, rows) if turned else (rows, 3)).astype(np.float32)
    leaf = torch.from_numpy(table).requires_grad_()
    indices = rng.integers(0, rows, (4, 5))
    y = F.embedding(torch.from_numpy(indices), leaf.t() if turned else leaf)
    assert y.is_contiguous()
    np.testing.assert_array_equal(y.detach().numpy(), (table.T if turned else table)[indices])
    g = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(torch.from_numpy(g))
    expected = np.zeros((rows, 3))
    np.add.at(expected, indices, g)
    np.testing.assert_allclose(leaf.grad.numpy(), expected.T if turned else expected, atol=2e-6)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_an_infinite_gradient_of_one_row_stays_there(bad):
    table = torch.zeros(3, 2, requires_grad=True)
    y = F.embedding(torch.tensor([0, 2, 2]), table)
    y.backward(torch.tensor([[1.0, 2.0], [bad, 3.0], [1.0, 1.0]]))
    expected = torch.tensor([[1.0, 2.0], [0.0, 0.0], [bad, 4.0]])
    torch.testing.assert_close(table.grad, expected, equal_nan=True)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("shape", [(-1,), (4, -1), (2, -1), (2, 2, -1)])
def test_reshape_is_a_view_where_strides_allow_it_each_time(order, step, shape):
    for _ in range(2):  # the second answer is remembered
        x = torch.arange(24.0).reshape(2, 3, 4).permute(order)[..., ::step]
        y, array = x.reshape(shape), x.numpy()
        assert np.array_equal(y.numpy(), array.reshape(shape))
        assert np.shares_memory(y.numpy(), array) == np.shares_memory(array.reshape(shape), array)
        with pytest.raises(RuntimeError, match="is invalid for input of size"):
            x.reshape(5, -1)
