"""scaled_dot_product_attention, MultiheadAttention and nn.attention: masks, orders, refusals."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.nn.attention import SDPBackend, bias, sdpa_kernel
from tests.record_sequences import ATTENTION, attention

RECORDED = np.load(Path(__file__).parent.parent / "data" / "sequences.npz")
INF = float("inf")
attend = F.scaled_dot_product_attention


def near(a, b, tolerance=1e-6):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=tolerance,
                               atol=tolerance)


def qkv(*shape, keys=None, dtype=torch.float32):
    keys = shape if keys is None else keys
    return [torch.randn(*s, dtype=dtype) for s in (shape, keys, keys)]


@pytest.mark.parametrize("name", ATTENTION)
def test_recorded_derivatives(name):
    """Attention to third order, both layers to second, of inputs and all parameters."""
    for key, value in attention(torch, name).items():
        want = RECORDED[f"{name}/{key}"]
        np.testing.assert_allclose(value, want, rtol=1e-9, atol=1e-9 * np.abs(want).max(),
                                   err_msg=key)


# ---- scaled_dot_product_attention
def test_bool_and_float_masks_agree():
    q, k, v = qkv(2, 2, 3, 4, keys=(2, 2, 5, 4))
    mask = torch.rand(2, 1, 3, 5) < 0.6
    mask[..., 0] = True
    added = torch.zeros(mask.shape).masked_fill(~mask, -INF)
    near(attend(q, k, v, mask), attend(q, k, v, added))
    changed = v + ~mask[:, :, 0].any(1).reshape(2, 1, 5, 1) * 9.0  # values that query 0 never sees
    near(attend(q, k, v, mask)[:, :, 0], attend(q, k, changed, mask)[:, :, 0])


@pytest.mark.parametrize(("queries", "keys"), [(3, 3), (2, 4), (4, 2)])
def test_causal_starts_at_the_upper_left(queries, keys):
    q, k, v = qkv(2, queries, 4, keys=(2, keys, 4))
    mask = torch.ones(queries, keys, dtype=torch.bool).tril()
    near(attend(q, k, v, is_causal=True), attend(q, k, v, mask))
    near(attend(q, k, v, is_causal=True)[:, 0], v[:, 0])
    other = torch.ones(queries, keys, dtype=torch.bool)
    other[-1, 0] = False
    near(attend(q, k, v, other, is_causal=True), attend(q, k, v, mask & other))


def test_rows_without_keys_give_zeros_and_no_nan():
    q, k, v = (t.requires_grad_() for t in qkv(2, 3, 4, dtype=torch.float64))
    mask = torch.tensor([[False] * 3, [True, False, True], [True] * 3])
    for p in (0.0, 0.3):
        y = attend(q, k, v, mask, dropout_p=p)
        assert not y[:, 0].detach().any()
        for create in (False, True):
            grads = torch.autograd.grad(y.sum(), (q, k, v), create_graph=create,
                                        retain_graph=True)
            assert all(torch.isfinite(g).all() for g in grads)
            assert not grads[0][:, 0].detach().any()
    assert torch.autograd.gradcheck(lambda *t: attend(*t, mask), (q, k, v))
    assert torch.autograd.gradgradcheck(lambda *t: attend(*t, mask), (q, k, v))
    empty = attend(torch.ones(2, 3, 4), torch.ones(2, 0, 4), torch.ones(2, 0, 5))
    assert empty.tolist() == torch.zeros(2, 3, 5).tolist()


def test_heads_shapes_and_scale():
    q, k, v = qkv(2, 6, 3, 4, keys=(2, 2, 5, 4))
    wide = [t.repeat_interleave(3, 1) for t in (k, v)]
    near(attend(q, k, v, enable_gqa=True), attend(q, *wide))
    near(attend(q, k, v, enable_gqa=True)[0], attend(q[0], k[0], v[0], enable_gqa=True))
    many = [t.reshape(2, 1, 1, *t.shape[1:]) for t in (q, *wide)]
    near(attend(*many)[:, 0, 0], attend(q, *wide))
    near(attend(q[0, 0], k[0, 0], v[0, 0]), attend(q[:1, :1], k[:1, :1], v[:1, :1])[0, 0])
    near(attend(q, *wide, scale=0.0), wide[1].mean(2, keepdim=True).expand(-1, -1, 3, -1))
    near(attend(q, *wide, scale=0.5), attend(q, *wide))  # 1 / sqrt(4)


def test_float16_sums_in_float32():
    """Large scores and long sums: as exact as rounding the result of float64."""
    q, k, v = qkv(1, 2, 300, 64, dtype=torch.float64)
    half = [t.half() for t in (q * 8, k * 8, v)]
    exact = attend(*[t.double() for t in half])
    y = attend(*half)
    assert y.dtype is torch.float16
    near(y.double(), exact, 1.5e-3)
    mask = torch.zeros(300, 300)
    assert attend(*half, mask).dtype is torch.float16


def test_every_draw_comes_from_the_generator():
    q, k, v = qkv(2, 3, 4)
    before = torch.get_rng_state()
    make = lambda: torch.Generator().manual_seed(3)
    first = attend(q, k, v, dropout_p=0.5, generator=make())
    assert torch.equal(first, attend(q, k, v, dropout_p=0.5, generator=make()))
    assert not torch.equal(first, attend(q, k, v))
    module, twin = (nn.MultiheadAttention(4, 2, 0.5, add_bias_kv=True, generator=make())
                    for _ in range(2))
    for a, b in zip(module.parameters(), twin.parameters(), strict=True):
        assert torch.equal(a, b)
    for weights in (True, False):
        assert torch.equal(module(q, k, v, need_weights=weights)[0],
                           twin(q, k, v, need_weights=weights)[0])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("error", "match", "act"), [
    (RuntimeError, "at least 2 dim", lambda: attend(*qkv(4))),
    (TypeError, "'key' must be Tensor", lambda: attend(torch.ones(2, 2), None, None)),
    (RuntimeError, "same floating dtype", lambda: attend(*[torch.ones(2, 2).long()] * 3)),
    (RuntimeError, "same floating dtype",
     lambda: attend(torch.ones(2, 2), torch.ones(2, 2).double(), torch.ones(2, 2))),
    (RuntimeError, "as many features", lambda: attend(*qkv(3, 4, keys=(3, 5)))),
    (RuntimeError, "same length",
     lambda: attend(torch.ones(3, 4), torch.ones(5, 4), torch.ones(3, 4))),
    (RuntimeError, "batch and head dim", lambda: attend(*qkv(2, 3, 4, keys=(3, 3, 4)))),
    (RuntimeError, "enable_gqa=True", lambda: attend(*qkv(1, 4, 3, 4, keys=(1, 2, 3, 4)))),
    (RuntimeError, "attn_mask dtype", lambda: attend(*qkv(3, 4), torch.ones(3, 3).long())),
    (RuntimeError, "must broadcast to the scores",
     lambda: attend(*qkv(3, 4), torch.ones(3, 4).bool())),
    (RuntimeError, "must broadcast to the scores",
     lambda: attend(*qkv(3, 4), torch.ones(2, 3, 3).bool())),
    (RuntimeError, "between 0 and 1, but got 1.5", lambda: attend(*qkv(3, 4), dropout_p=1.5)),
    (RuntimeError, "must divide",
     lambda: attend(*qkv(4, 3, 4, keys=(3, 3, 4)), enable_gqa=True)),
    (IndexError, "dimension of heads", lambda: attend(*qkv(3, 4), enable_gqa=True)),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()


# ---- MultiheadAttention
def test_masks_mean_the_reverse_here():
    """True hides in the module; per head, batched and unbatched agree; padding is not seen."""
    module = nn.MultiheadAttention(4, 2, batch_first=True).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    hide = torch.ones(3, 3).triu(1).bool()
    whole, weights = module(x, x, x, attn_mask=hide)
    assert not weights.detach().triu(1).any()
    near(whole, module(x, x, x, attn_mask=hide, is_causal=True, need_weights=False)[0])
    near(whole, module(x, x, x, attn_mask=hide.expand(4, 3, 3))[0])
    for k in range(2):
        y, w = module(x[k], x[k], x[k], attn_mask=hide.expand(2, 3, 3))
        near(y, whole[k])
        near(w, weights[k])
    padding = torch.tensor([[False, False, True], [False, False, False]])
    joint = module(x, x, x, attn_mask=hide, key_padding_mask=padding, average_attn_weights=False)
    assert joint[1].shape == (2, 2, 3, 3)
    assert not joint[1][0, :, :, 2].detach().any()
    merged, kind = module.merge_masks(torch.zeros(3, 3), torch.zeros(2, 3), x)
    assert merged.shape == (2, 2, 3, 3)
    assert kind == 2
    assert module.merge_masks(None, None, x) == (None, None)


def test_self_attention_projects_once():
    """One tensor given three times stays one, also with batch_first and without a batch."""
    for batch_first, shape in ((False, (3, 2, 4)), (True, (2, 3, 4)), (True, (3, 4))):
        module = nn.MultiheadAttention(4, 2, batch_first=batch_first)
        x = torch.randn(shape, requires_grad=True)
        count = lambda y: sum(getattr(node.op, "name", "") == "linear" for node in walk(y.grad_fn))
        assert count(module(x, x, x)[0]) == 2
        assert count(module(x, x.clone(), x)[0]) == 4


def walk(node):
    """Return the nodes of ops below a node."""
    found, queue = {}, [node]
    while queue:
        node = queue.pop()
        if node is not None and id(node) not in found and hasattr(node, "op"):
            found[id(node)] = node
            queue += [parent for parent, _ in node.next_functions]
    return found.values()


def test_fully_hidden_queries():
    """Zeros before the output projection without weights, nan with them: as in PyTorch."""
    module = nn.MultiheadAttention(4, 2, batch_first=True)
    x, padding = torch.randn(2, 3, 4), torch.tensor([[True] * 3, [False] * 3])
    y, _ = module(x, x, x, key_padding_mask=padding, need_weights=False)
    near(y[0], module.out_proj.bias.expand(3, 4))
    y, weights = module(x, x, x, key_padding_mask=padding)
    assert torch.isnan(y[0]).all()
    assert torch.isnan(weights[0]).all()
    assert torch.isfinite(y[1]).all()


def test_masks_of_two_dtypes_warn():
    module, x = nn.MultiheadAttention(4, 2, batch_first=True), torch.randn(2, 3, 4)
    padding = torch.zeros(2, 3).bool()
    with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask"):
        module(x, x, x, key_padding_mask=padding, attn_mask=torch.zeros(3, 3))


@pytest.mark.parametrize(("error", "match", "masks"), [
    (AssertionError, "only bool and floating", {"attn_mask": torch.zeros(3, 3).long()}),
    (AssertionError, "only bool and floating", {"key_padding_mask": torch.zeros(2, 3).long()}),
    (AssertionError, "key_padding_mask of shape", {"key_padding_mask": torch.zeros(2, 4)}),
    (AssertionError, "2-d, as the query", {"key_padding_mask": torch.zeros(3)}),
    (AssertionError, "got 4-d", {"attn_mask": torch.zeros(1, 1, 3, 3)}),
    (RuntimeError, "attn_mask of shape", {"attn_mask": torch.zeros(2, 3, 3)}),
    (RuntimeError, "Need attn_mask", {"is_causal": True}),
])
def test_module_refuses(error, match, masks):
    module, x = nn.MultiheadAttention(4, 2, batch_first=True), torch.randn(2, 3, 4)
    with pytest.raises(error, match=match):
        module(x, x, x, **masks)


def test_module_refuses_shapes():
    module, x = nn.MultiheadAttention(4, 2), torch.randn(3, 2, 4)
    for k, v, error in ((x[:, :1], x[:, :1], RuntimeError), (x, x[:2], AssertionError),
                        (x[0], x[0], AssertionError)):
        with pytest.raises(error):
            module(x, k, v)
    with pytest.raises(AssertionError, match="embedding dimension of 4, but got 6"):
        module(torch.ones(3, 2, 6), x, x)


# ---- nn.attention
def test_kernels():
    q = torch.ones(2, 2)
    for backends in (SDPBackend.MATH, [SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH]):
        with sdpa_kernel(backends, set_priority=True):
            assert attend(q, q, q).tolist() == q.tolist()
    for backends, name in (([], "empty"), (SDPBackend.FLASH_ATTENTION, "FLASH_ATTENTION")):
        with pytest.raises(RuntimeError, match=f"No viable backend.*{name}"), sdpa_kernel(backends):
            pass
    with pytest.raises(AssertionError, match="got str"), sdpa_kernel("math"):
        pass


def test_causal_biases():
    q, k, v = qkv(2, 2, 4, keys=(2, 3, 4))
    near(attend(q, k, v, bias.causal_upper_left(2, 3)), attend(q, k, v, is_causal=True))
    lower = bias.causal_lower_right(2, 3)
    assert isinstance(lower, torch.Tensor)
    assert lower.tolist() == [[True, True, False], [True, True, True]]
    near(attend(q, k, v, attn_mask=lower), attend(q, k, v, torch.ones(2, 3).tril(1).bool()))
    for again in (copy.deepcopy(lower), pickle.loads(pickle.dumps(lower))):
        assert again.variant is bias.CausalVariant.LOWER_RIGHT
        assert again.tolist() == lower.tolist()
    with pytest.raises(ValueError, match="is_causal"):
        attend(q, k, v, lower, is_causal=True)
    with pytest.raises(RuntimeError, match="must broadcast"):
        attend(q, k, v, bias.causal_lower_right(4, 5))
    with pytest.raises(AssertionError, match="2D"):
        bias.causal_upper_left(2)
    with pytest.raises(AssertionError, match="CausalVariant, got int"):
        bias.CausalBias(1, 2, 3)
    with pytest.warns(UserWarning, match="without any key"):
        tall = bias.causal_lower_right(3, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not attend(k, q, q, tall)[:, 0].any()
