"""Transformer layers: structure, masks, hints, generators, learning (values: the layer table)."""

from __future__ import annotations

import copy
import math
import pickle
import warnings

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn

INF = float("inf")


def encoder(**options):
    return nn.TransformerEncoderLayer(4, 2, 6, **{"batch_first": True, "dropout": 0.0, **options})


def near(a, b, tolerance=1e-9):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=tolerance,
                               atol=tolerance)


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


# ---- structure
def test_defaults():
    model = nn.Transformer(d_model=8, num_encoder_layers=1, num_decoder_layers=1, batch_first=True)
    layer = model.decoder.layers[0]
    assert (model.d_model, model.nhead, model.batch_first) == (8, 8, True)
    assert layer.linear1.out_features == 2048
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.1}
    assert {m.dropout for m in model.modules() if isinstance(m, nn.MultiheadAttention)} == {0.1}
    assert layer.norm3.eps == 1e-5
    bare = nn.TransformerDecoderLayer(4, 2, 6, bias=False, dtype=torch.float64)
    assert not [name for name, _ in bare.named_parameters() if "bias" in name]
    assert {p.dtype for p in bare.parameters()} == {torch.float64}


def test_initial_values():
    """The layers of a stack are copies; Transformer draws all matrices again, by Xavier's bound."""
    stack = nn.TransformerEncoder(encoder(), 2)
    first, second = (list(layer.parameters()) for layer in stack.layers)
    assert all(torch.equal(a, b) and a is not b for a, b in zip(first, second, strict=True))
    model = nn.Transformer(16, 2, 2, 1, 32, batch_first=True)
    one, other = (layer.linear1.weight for layer in model.encoder.layers)
    assert not torch.equal(one, other)
    bound = math.sqrt(6 / (16 + 32))
    assert 0.9 * bound < one.abs().max().item() <= bound
    assert not model.encoder.layers[0].self_attn.in_proj_bias.detach().any()


@pytest.mark.parametrize("activation", ["gelu", torch.nn.functional.gelu, nn.GELU()])
def test_activations_by_name_function_and_module(activation):
    layer = encoder(activation=activation)
    assert layer.activation_relu_or_gelu == 2
    same = encoder(activation="gelu")
    same.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, 4)
    assert torch.equal(layer(x), same(x))
    assert encoder().activation_relu_or_gelu == 1
    assert encoder(activation=torch.tanh).activation_relu_or_gelu == 0


def test_old_pickles_without_activation():
    layer = encoder()
    state = layer.__dict__.copy()
    del state["activation"]
    fresh = nn.TransformerEncoderLayer.__new__(nn.TransformerEncoderLayer)
    fresh.__setstate__(state)
    x = torch.randn(2, 3, 4)
    assert torch.equal(fresh(x), layer(x))
    again = pickle.loads(pickle.dumps(layer))
    assert torch.equal(again(x), layer(x))


@pytest.mark.parametrize(("match", "make"), [
    ("batch_first was not True", lambda: nn.TransformerEncoder(encoder(batch_first=False), 1)),
    ("norm_first was True", lambda: nn.TransformerEncoder(encoder(norm_first=True), 1)),
    ("bias=False", lambda: nn.TransformerEncoder(encoder(bias=False), 1)),
    ("activation_relu_or_gelu", lambda: nn.TransformerEncoder(encoder(activation=torch.tanh), 1)),
    ("num_heads is odd", lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(
        4, 1, 6, batch_first=True), 1)),
    ("was not TransformerEncoderLayer", lambda: nn.TransformerEncoder(nn.Identity(), 1)),
    ("batch_first was not True", lambda: nn.Transformer(4, 2, 1, 1, 6)),
])
def test_constructor_warnings(match, make):
    with pytest.warns(UserWarning, match=f"enable_nested_tensor is True.*{match}"):
        make()


def test_silent_constructors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stack = nn.TransformerEncoder(encoder(), 1)
        off = nn.TransformerEncoder(encoder(norm_first=True), 1, enable_nested_tensor=False)
    assert (stack.use_nested_tensor, off.use_nested_tensor, off.mask_check) == (True, False, True)


# ---- masks and hints
def test_causal_mask_and_hints():
    """Later positions have no influence, by mask, by bool mask, with and without the hint."""
    stack = nn.TransformerEncoder(encoder(), 2).double()
    x, mask = randn(2, 5, 4), nn.Transformer.generate_square_subsequent_mask(5)
    y = stack(x, mask)
    changed = x.clone()
    changed[:, 3:] = 7
    near(stack(changed, mask)[:, :3], y[:, :3])
    for other in (mask == -INF, mask.double()):
        near(stack(x, other), y)
    for hint in (True, False):
        near(stack(x, mask, is_causal=hint), y)
    near(stack(x, torch.zeros(5, 5), is_causal=True), y)  # the hint is believed, not the mask
    with pytest.raises(RuntimeError, match="Need attn_mask"):
        stack(x, is_causal=True)


def test_generated_mask():
    make = nn.Transformer.generate_square_subsequent_mask
    assert make(2, dtype=torch.float64).tolist() == [[0, -INF], [0, 0]]
    assert make(2, dtype=torch.float16).dtype is torch.float16
    assert make(2, dtype=torch.bool).tolist() == [[False, True], [False, False]]
    with pytest.raises(RuntimeError, match="overflow"):
        make(2, dtype=torch.int64)


def test_padding_has_no_influence():
    """Padded positions change nothing elsewhere; train and eval, with and without gradients."""
    model = nn.Transformer(4, 2, 2, 2, 6, dropout=0.0, batch_first=True).double()
    src, tgt = randn(2, 5, 4), randn(2, 3, 4)
    padding = torch.tensor([[False] * 3 + [True] * 2, [False] * 5])
    masks = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    y = model(src, tgt, **masks)
    changed = src.clone()
    changed[0, 3:] = 9
    near(model(changed, tgt, **masks), y)
    near(model(src[:1, :3], tgt[:1])[0], y[0])
    with torch.no_grad():
        near(model.eval()(src, tgt, **masks), y)


def test_fully_padded_sample_stays_finite():
    """Attention of a sample without keys is 0; PyTorch's inference kernel gives nan or 0."""
    layer, x = encoder(), torch.randn(2, 3, 4)
    padding = torch.tensor([[True] * 3, [False] * 3])
    with torch.no_grad():
        y = layer.eval()(x, src_key_padding_mask=padding)
    assert torch.isfinite(y).all()
    assert torch.equal(layer.train()(x, src_key_padding_mask=padding), y)


def test_batch_first_unbatched_and_3d_masks():
    first = nn.TransformerDecoderLayer(4, 2, 6, dropout=0.0, batch_first=True).double()
    last = nn.TransformerDecoderLayer(4, 2, 6, dropout=0.0).double()
    last.load_state_dict(first.state_dict())
    tgt, memory, mask = randn(2, 3, 4), randn(2, 5, 4), randn(4, 3, 5)
    y = first(tgt, memory, memory_mask=mask)
    near(last(tgt.transpose(0, 1), memory.transpose(0, 1), memory_mask=mask).transpose(0, 1), y)
    for k in range(2):
        near(first(tgt[k], memory[k], memory_mask=mask[2 * k:2 * k + 2]), y[k])


def test_masks_of_two_dtypes_warn():
    x, padding, mask = torch.randn(2, 3, 4), torch.zeros(2, 3).bool(), torch.zeros(3, 3)
    with pytest.warns(UserWarning, match="mismatched src_key_padding_mask and src_mask"):
        encoder()(x, src_mask=mask, src_key_padding_mask=padding)
    with pytest.warns(UserWarning, match="mismatched src_key_padding_mask and mask"):
        nn.TransformerEncoder(encoder(), 1)(x, mask, padding)


@pytest.mark.parametrize(("error", "match", "act"), [
    (RuntimeError, "relu/gelu, not tanh", lambda m, x: encoder(activation="tanh")),
    (AssertionError, "divisible", lambda m, x: nn.TransformerEncoderLayer(5, 2)),
    (RuntimeError, "batch number", lambda m, x: m(x, x[:1])),
    (RuntimeError, "feature number", lambda m, x: m(x, torch.ones(2, 3, 5))),
    (AssertionError, "only bool and floating", lambda m, x: m.encoder(x, torch.ones(3, 3).long())),
    (IndexError, "out of range", lambda m, x: nn.TransformerEncoder(encoder(), 0)(x)),
])
def test_refusals(error, match, act):
    model, x = nn.Transformer(4, 2, 1, 1, 6, batch_first=True), torch.randn(2, 3, 4)
    with pytest.raises(error, match=match):
        act(model, x)


# ---- generators
def test_every_draw_comes_from_the_generator():
    """First values and all dropouts; copies of a layer share the generator, and draw anew."""
    before = torch.get_rng_state()
    make = lambda: nn.Transformer(4, 2, 2, 2, 6, dropout=0.5, batch_first=True,
                                  generator=torch.Generator().manual_seed(5))
    one, other = make(), make()
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    x = torch.ones(2, 3, 4)
    y = one(x, x)
    assert torch.equal(y, other(x, x))
    assert not torch.equal(y, one(x, x))
    assert torch.equal(torch.get_rng_state(), before)
    generators = {id(m.generator) for m in one.modules()
                  if isinstance(m, (nn.Dropout, nn.MultiheadAttention))}
    assert len(generators) == 1
    twin = copy.deepcopy(one)
    assert torch.equal(twin(x, x), one(x, x))
    assert twin.encoder.layers[0].dropout.generator is twin.decoder.layers[1].self_attn.generator
    assert twin.encoder.layers[0].dropout.generator is not one.encoder.layers[0].dropout.generator


def test_layers_of_a_stack_drop_different_units():
    stack = nn.TransformerEncoder(encoder(dropout=0.5, generator=torch.Generator().manual_seed(1)),
                                  2)
    x = torch.ones(50, 10)
    a, b = (layer.dropout(x) for layer in stack.layers)
    assert not torch.equal(a, b)


# ---- derivatives, learning
@pytest.mark.parametrize("norm_first", [False, True])
def test_gradcheck(norm_first):
    layer = encoder(norm_first=norm_first, activation=nn.Softplus()).double()
    x, mask = randn(1, 3, 4).requires_grad_(), nn.Transformer.generate_square_subsequent_mask(3)
    assert torch.autograd.gradcheck(layer, (x, mask))
    assert torch.autograd.gradgradcheck(layer, (x, mask), fast_mode=True)


class GPT(nn.Module):
    """A small causal language model."""

    def __init__(self, tokens, size=16, length=8):
        super().__init__()
        self.token, self.place = nn.Embedding(tokens, size), nn.Embedding(length, size)
        layer = nn.TransformerEncoderLayer(size, 2, 32, 0.0, "gelu", batch_first=True,
                                           norm_first=True)
        self.body = nn.TransformerEncoder(layer, 2, nn.LayerNorm(size), enable_nested_tensor=False)
        self.head = nn.Linear(size, tokens)

    def forward(self, ids):
        length = ids.shape[1]
        x = self.token(ids) + self.place(torch.arange(length))
        return self.head(self.body(x, nn.Transformer.generate_square_subsequent_mask(length)))


def test_a_language_model_learns():
    """It learns to count up from any start, and generates the continuation."""
    torch.manual_seed(0)
    model = GPT(10)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    text = (torch.arange(10)[:, None] + torch.arange(9)) % 10
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 1.5
    assert losses[-1] < 0.1
    ids = torch.tensor([[6]])
    with torch.no_grad():
        for _ in range(5):
            ids = torch.cat([ids, model(ids)[:, -1:].argmax(-1)], 1)
    assert ids.tolist() == [[6, 7, 8, 9, 0, 1]]
