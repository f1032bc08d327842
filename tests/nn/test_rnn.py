"""Recurrent layers and cells: what the tables of samples and layers cannot express."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.kernels import recurrent_memory as kernels
from minigrad.nn.utils.rnn import pack_padded_sequence
from minigrad.ops.recurrent import _size

NAMES = ["RNN", "LSTM", "GRU"]
every_layer = pytest.mark.parametrize("name", NAMES)
every_way = pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2}, {"bidirectional": True},
                {"num_layers": 2, "bidirectional": True, "bias": False}], ids=str)


def make(name, *sizes, dtype=torch.float64, seed=0, **options):
    """Return a layer or cell with known weights."""
    return getattr(nn, name)(*(sizes or (3, 4)), dtype=dtype,
                             generator=torch.Generator().manual_seed(seed), **options)


def draw(*shape, dtype=torch.float64, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).to(dtype)


def states(layer, last):
    """Return the last states as a list."""
    return list(last) if isinstance(last, tuple) else [last]


def same(one, other, tolerance=1e-12):
    np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), tolerance,
                               tolerance / 10)


# ---- shapes
@every_layer
@every_way
def test_forms_of_input_agree(name, options):
    """batch_first, unbatched and strided input give what (T, N, I) gives."""
    layer = make(name, **options)
    other = make(name, **options, batch_first=True)
    x = draw(5, 2, 3)
    y, last = layer(x)
    turned, same_last = other(x.transpose(0, 1))
    same(turned, y.transpose(0, 1))
    for a, b in zip(states(layer, last), states(layer, same_last), strict=True):
        same(a, b)
    y1, last1 = layer(x[:, 1])
    same(y1, y[:, 1])
    for a, b in zip(states(layer, last), states(layer, last1), strict=True):
        same(a[:, 1], b)
    first = [state[:, 1] for state in states(layer, last)]
    given = tuple(first) if name == "LSTM" else first[0]
    wide = [state.unsqueeze(1) for state in first]
    same(other(x[:, 1], given)[0],
         layer(x[:, 1:], tuple(wide) if name == "LSTM" else wide[0])[0][:, 0])
    spread = torch.zeros(10, 4, 6, dtype=torch.float64)[::2, 1::2, ::2]
    spread.copy_(x)
    assert not spread.is_contiguous()
    assert torch.equal(layer(spread)[0], y)


@every_layer
@every_way
def test_batch_of_nothing(name, options):
    layer = make(name, **options)
    x = torch.zeros(4, 0, 3, dtype=torch.float64, requires_grad=True)
    y, last = layer(x)
    ways = 2 if layer.bidirectional else 1
    assert y.shape == (4, 0, 4 * ways)
    assert states(layer, last)[0].shape == (layer.num_layers * ways, 0, 4)
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert all(not p.grad.any() for p in layer.parameters())
    with pytest.raises(RuntimeError, match="sequence length to be larger than 0"):
        layer(x[:0])


@every_layer
@pytest.mark.parametrize("bias", [True, False])
def test_cells_are_layers_of_one_step(name, bias):
    """The outputs and all gradients of a layer, and of its cell in a loop."""
    layer, cell = make(name, bias=bias), make(name + "Cell", bias=bias, seed=1)
    with torch.no_grad():
        for p, q in zip(cell.parameters(), layer.parameters(), strict=True):
            p.copy_(q)
    x = draw(5, 2, 3).requires_grad_()
    results = []
    for stepwise in (False, True):
        if stepwise:
            state, ys = None, []
            for step in x:
                state = cell(step, state)
                ys.append(state[0] if name == "LSTM" else state)
            y = torch.stack(ys)
        else:
            y, state = layer(x)
        loss = (y * draw(5, 2, 4, seed=1)).sum() + sum(s.sin().sum() for s in states(None, state))
        module = cell if stepwise else layer
        results.append([y, *torch.autograd.grad(loss, [x, *module.parameters()])])
    for one, other in zip(*results, strict=True):
        same(one, other, 1e-11)


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cell_forms(name):
    cell = make(name)
    x = draw(2, 3)
    h = states(None, cell(x))
    one = states(None, cell(x[1]))
    for a, b in zip(h, one, strict=True):
        same(a[1], b)
    again = cell(x[1], tuple(one) if name == "LSTMCell" else one[0])
    full = states(None, cell(x, tuple(h) if name == "LSTMCell" else h[0]))
    for a, b in zip(full, states(None, again), strict=True):
        same(a[1], b)
    assert states(None, cell(x[:0]))[0].shape == (0, 4)


# ---- derivatives
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("options", [{"bidirectional": True}, {"num_layers": 2}], ids=str)
def test_gradgradcheck(name, options):
    layer = make(name, 2, 2, **options)
    x = draw(3, 2, 2).requires_grad_()
    first = [draw(2, 2, 2, seed=k).requires_grad_() for k in range(1 + (name == "LSTM"))]

    def function(x, *first):
        y, last = layer(x, first if name == "LSTM" else first[0])
        return (y, *states(layer, last))

    assert torch.autograd.gradcheck(function, (x, *first))
    assert torch.autograd.gradgradcheck(function, (x, *first), fast_mode=True)


@every_layer
def test_what_needs_no_gradient_changes_nothing(name):
    """Each tensor alone gets the gradient that it gets among all."""
    layer = make(name, bidirectional=True, num_layers=2)
    x = draw(4, 2, 3)
    leaves = [x, *layer.parameters()]
    for t in leaves:
        t.requires_grad_()
    wanted = torch.autograd.grad(layer(x)[0].sin().sum(), leaves)
    for k, leaf in enumerate(leaves):
        for t in leaves:
            t.requires_grad_(t is leaf)
        (alone,) = torch.autograd.grad(layer(x)[0].sin().sum(), [leaf])
        same(alone, wanted[k])
    for t in leaves:
        t.requires_grad_(False)
    assert not layer(x)[0].requires_grad


@every_layer
def test_last_state_alone(name):
    """A loss of the last state only: as that of the last output."""
    layer = make(name)
    x = draw(4, 2, 3).requires_grad_()
    y, last = layer(x)
    (a,) = torch.autograd.grad(states(layer, last)[0].sin().sum(), x, create_graph=True)
    (b,) = torch.autograd.grad(y[-1].sin().sum(), x, create_graph=True)
    same(a, b)
    for one, other in zip(*[torch.autograd.grad(g.pow(2).sum(), layer.parameters(),
                                                retain_graph=True) for g in (a, b)], strict=True):
        same(one, other, 1e-10)


@every_layer
def test_writing_to_the_results(name):
    """Results share no memory with each other or with what backward needs."""
    layer = make(name)
    x = draw(4, 2, 3).requires_grad_()
    y, last = layer(x)
    (wanted,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    before = y.detach().clone()
    with torch.no_grad():
        for state in states(layer, last):
            state.fill_(7)
    assert torch.equal(y, before)
    with torch.no_grad():
        y.fill_(9)
    same(torch.autograd.grad(y.sum(), x)[0], wanted)


def test_changing_a_weight_before_backward_is_found():
    layer = make("GRU")
    y, _ = layer(draw(4, 2, 3))
    with torch.no_grad():
        layer.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        y.sum().backward()


# ---- numbers
@every_layer
@pytest.mark.parametrize("packed", [False, True])
def test_products_apart(name, packed, monkeypatch):
    """With many weights the input's product is made for all steps at once: the same results."""
    layer = make(name, bidirectional=True, num_layers=2)
    x = draw(4, 3, 3).requires_grad_()
    results = []
    for many in (kernels.MANY, 0):
        _size.cache_clear()
        monkeypatch.setattr(kernels, "MANY", many)
        y = layer(pack_padded_sequence(x, [4, 2, 1]) if packed else x)[0]
        y = y.data if packed else y
        results.append([y, *torch.autograd.grad(y.sin().sum(), [x, *layer.parameters()])])
    for one, other in zip(*results, strict=True):
        same(one, other)


@every_layer
@pytest.mark.parametrize("size", [40.0, 1e4, 1e30])
def test_saturated_gates(name, size):
    """Huge sums give gates of exactly 0, 1 and -1, and finite gradients."""
    layer = make(name, dtype=torch.float32)
    x = (size * draw(5, 2, 3, dtype=torch.float32)).requires_grad_()
    y, last = layer(x)
    y.sum().backward()
    for t in (y, *states(layer, last), x.grad, *[p.grad for p in layer.parameters()]):
        assert torch.isfinite(t).all()


@every_layer
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2e-6), ("float16", 4e-3)])
def test_precision(name, dtype, bound):
    """Error of outputs and gradients over 50 steps, relative to the largest value."""
    kind = getattr(torch, dtype)
    single = make(name, 8, 16).to(kind)
    double = copy.deepcopy(single).double()
    x = draw(50, 3, 8, dtype=kind)
    results = []
    for layer in (single, double):
        y, last = layer(x.to(layer.weight_ih_l0.dtype))
        grads = torch.autograd.grad(y.double().sin().sum(), layer.parameters())
        results.append([y, *states(layer, last), *grads])
    for one, other in zip(*results, strict=True):
        assert one.dtype is kind
        error = (one.double() - other).abs().max().item()
        assert error <= bound * max(1.0, other.abs().max().item())


# ---- randomness
@every_layer
def test_first_values(name):
    layer = make(name, 5, 16, dtype=torch.float32, num_layers=2)
    bound = 1 / math.sqrt(16)
    for p in layer.parameters():
        assert p.abs().max().item() <= bound
    values = torch.cat([p.detach().reshape(-1) for p in layer.parameters()])
    assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    twin = make(name, 5, 16, dtype=torch.float32, num_layers=2)
    assert all(map(torch.equal, layer.parameters(), twin.parameters()))
    other = make(name, 5, 16, dtype=torch.float32, num_layers=2, seed=1)
    assert not torch.equal(layer.weight_ih_l0, other.weight_ih_l0)
    assert "generator" not in repr(layer)


@every_layer
def test_dropout_between_layers(name):
    """Equal seeds give equal draws; none after the last layer, in eval mode, or at p=0."""
    x = draw(4, 2, 3)
    one, two = (make(name, num_layers=2, dropout=0.5) for _ in range(2))
    before = torch.get_rng_state()
    y = one(x)[0]
    assert torch.equal(y, two(x)[0])
    assert not torch.equal(y, one(x)[0])
    assert torch.equal(before, torch.get_rng_state())
    assert bool((y != 0).all())
    plain = make(name, num_layers=2)
    assert torch.equal(plain(x)[0], one.eval()(x)[0])
    everything = make(name, num_layers=2, dropout=1)
    silent = make(name, num_layers=2)
    with torch.no_grad():
        silent.weight_ih_l1.zero_()  # as if nothing came from below
    same(everything(x)[0], silent(x)[0])
    torch.manual_seed(3)
    free = getattr(nn, name)(3, 4, 2, dropout=0.5).double()
    y = free(x)[0]
    assert not torch.equal(y, free(x)[0])


# ---- parameters
def test_weights_may_be_replaced():
    """A new parameter, a plain tensor in its place, and a parametrized weight count at once."""
    layer, x = make("LSTM"), draw(4, 2, 3)
    y = layer(x)[0]
    layer.weight_hh_l0 = nn.Parameter(torch.zeros(16, 4, dtype=torch.float64))
    assert layer._flat_weights[1] is layer.weight_hh_l0
    assert layer.all_weights[0][1] is layer.weight_hh_l0
    assert not torch.equal(layer(x)[0], y)
    raw = make("LSTM").weight_hh_l0
    del layer.weight_hh_l0
    layer.weight_hh_l0 = raw * 1.0
    layer.flatten_parameters()
    assert torch.equal(layer(x)[0], y)
    layer(x)[0].sum().backward()
    assert raw.grad is not None


def test_helpers():
    layer, x = make("LSTM", bidirectional=True, proj_size=2), draw(4, 2, 3)
    assert layer.get_expected_hidden_size(x, None) == (2, 2, 2)
    assert layer.get_expected_cell_size(x, None) == (2, 2, 4)
    h, c = layer(x)[1]
    layer.check_input(x, None)
    layer.check_forward_args(x, (h, c), None)
    swapped, _ = layer.permute_hidden((h, c), torch.tensor([1, 0]))
    assert torch.equal(swapped, h.flip(1))
    with pytest.raises(RuntimeError, match=r"size \(2, 2, 3\), got \[2, 2, 2\]"):
        layer.check_hidden_size(h, (2, 2, 3))
    gru = make("GRU")
    assert gru.permute_hidden(h, None) is h
    assert torch.equal(gru.permute_hidden(h, torch.tensor([1, 0])), swapped)


def test_older_states_without_projection():
    state = vars(make("GRU")).copy()
    del state["proj_size"]
    old = nn.GRU.__new__(nn.GRU)
    old.__setstate__(state)
    assert old.proj_size == 0
    assert old(draw(2, 1, 3))[0].shape == (2, 1, 4)
