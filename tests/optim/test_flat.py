"""Small parameters are updated side by side: the same numbers, nothing that a user would see."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn, optim
from minigrad.optim import _elementwise

SHAPES = [(3, 2), (2,), (4, 4), (), (1, 5)]
MAKERS = [
    lambda p: optim.Adam(p, lr=0.05, weight_decay=0.1, amsgrad=True),
    lambda p: optim.Adam(p, lr=0.05),
    lambda p: optim.Adam(p, lr=0.05, amsgrad=True),
    lambda p: optim.AdamW(p, lr=0.05),
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.2, weight_decay=0.1),
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, maximize=True),
    lambda p: optim.RMSprop(p, lr=0.05, momentum=0.5, centered=True),
    lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1),
]
made = pytest.mark.parametrize("make", MAKERS)


def parameters():
    rng = np.random.default_rng(0)
    return [nn.Parameter(torch.from_numpy(np.asarray(rng.standard_normal(s)))) for s in SHAPES]


def set_grads(params, seed, without=()):
    rng = np.random.default_rng(seed)
    for k, p in enumerate(params):
        g = torch.from_numpy(np.asarray(rng.standard_normal(SHAPES[k % len(SHAPES)])))
        p.grad = None if k in without else g.reshape(p.shape)


def one_by_one(monkeypatch):
    monkeypatch.setattr(_elementwise, "SMALL", -1)


def both(make, monkeypatch, act, steps=6):
    """Run a program side by side and one by one; return the two lists of parameters."""
    ends = []
    for single in (False, True):
        with monkeypatch.context() as patch:
            if single:
                one_by_one(patch)
            params = parameters()
            optimizer = make(params)
            for step in range(steps):
                set_grads(params, step)
                optimizer = act(step, params, optimizer) or optimizer
                optimizer.step()
            ends.append([p.detach().numpy().copy() for p in params])
    return ends


def assert_equal(ends):
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


@made
def test_the_numbers_are_the_same(make, monkeypatch):
    assert_equal(both(make, monkeypatch, lambda *_: None))


@made
def test_flat_arrays_are_used(make):
    params = parameters()
    optimizer = make(params)
    for step in range(3):
        set_grads(params, step)
        optimizer.step()
    shown = optimizer._flat[0]
    assert shown.params == params and shown.holds(params, [optimizer.state[p] for p in params])


def drop_some_grads(step, params, optimizer):
    if step in (2, 4):
        set_grads(params, step, without=(1, 3))


def replace_data(step, params, optimizer):
    if step == 3:
        params[0].data = params[0].data * 2


def write_in_place(step, params, optimizer):
    if step == 3:
        with torch.no_grad():
            params[2].mul_(0.5)
            for value in optimizer.state[params[2]].values():
                if value is not None and value.ndim:
                    value.mul_(0.5)


def replace_state(step, params, optimizer):
    if step == 3:
        for name, value in optimizer.state[params[0]].items():
            if name != "step":
                optimizer.state[params[0]][name] = value.clone() * 2


def forget_one(step, params, optimizer):
    if step == 3 and not isinstance(optimizer, optim.Adagrad):
        del optimizer.state[params[1]]


def forget_an_average(step, params, optimizer):
    if step == 3:
        del optimizer.state[params[1]][next(n for n in optimizer.state[params[1]] if n != "step")]


def reload(step, params, optimizer):
    if step == 3:
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def another_rate(step, params, optimizer):
    optimizer.param_groups[0]["lr"] *= 0.9


@made
@pytest.mark.parametrize("act", [drop_some_grads, replace_data, write_in_place, replace_state,
                                 forget_one, forget_an_average, reload,
                                 another_rate], ids=lambda f: f.__name__)
def test_what_happens_between_steps_counts(make, act, monkeypatch):
    assert_equal(both(make, monkeypatch, act))


def test_parameters_that_share_memory_are_updated_one_after_the_other(monkeypatch):
    def share(step, params, optimizer):
        if step == 0:
            params[1].data = params[0].data.reshape(-1)[:2]

    assert_equal(both(MAKERS[0], monkeypatch, share))


def test_states_stay_the_same_tensors_with_their_own_shape():
    params = parameters()
    optimizer = optim.Adam(params)
    set_grads(params, 0)
    optimizer.step()
    held = optimizer.state[params[0]]["exp_avg"]
    for step in range(3):
        set_grads(params, step)
        optimizer.step()
    assert optimizer.state[params[0]]["exp_avg"] is held and held.shape == params[0].shape
    saved = optimizer.state_dict()["state"][0]["exp_avg"]
    assert torch.equal(saved, held)
    assert optimizer.state[params[0]]["step"].item() == 4


def test_copies_and_pickles_step_on_alone():
    params = parameters()
    optimizer = optim.Adam(params)
    for step in range(2):
        set_grads(params, step)
        optimizer.step()
    before = optimizer.state[params[0]]["exp_avg"].clone()
    for copied in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        own = copied.param_groups[0]["params"]
        set_grads(own, 5)
        copied.step()
        assert not torch.equal(copied.state[own[0]]["exp_avg"], before)
    assert torch.equal(optimizer.state[params[0]]["exp_avg"], before)


def test_versions_count_each_step():
    params = parameters()
    optimizer = optim.Adam(params)
    for step in range(3):
        set_grads(params, step)
        optimizer.step()
    assert [p._version for p in params] == [3] * len(params)


def test_mixed_dtypes_and_large_parameters_go_their_own_way():
    params = [nn.Parameter(torch.ones(n, dtype=kind)) for n, kind in (
        (3, torch.float32), (3, torch.float64), (5000, torch.float32), (2, torch.float32))]
    optimizer = optim.Adam(params, lr=0.1)
    for _ in range(3):
        for p in params:
            p.grad = torch.ones_like(p)
        optimizer.step()
    for p in params:
        np.testing.assert_allclose(p.detach().numpy(), 0.7, rtol=1e-5)


def test_gradients_in_any_layout_and_replaced_ones_count():
    """The flat form takes gradients in row-major order, whatever their strides are."""
    ends = []
    for turned in (False, True):
        params = [nn.Parameter(torch.ones(3, 4)), *(nn.Parameter(torch.ones(2)) for _ in range(3))]
        optimizer = optim.Adam(params, lr=0.1)
        for step in range(3):
            g = torch.arange(12.0).reshape(3, 4) - step
            params[0].grad = g.t().contiguous().t() if turned else g
            for p in params[1:]:
                p.grad = torch.ones(2)
            optimizer.step()
        ends.append([p.detach().numpy().copy() for p in params])
    assert_equal(ends)


@pytest.mark.parametrize("size", [_elementwise.BLOCK + 1, 3 * _elementwise.BLOCK + 7])
@made
def test_large_parameters_in_blocks(make, size, monkeypatch):
    rng = np.random.default_rng(0)
    start, slope = rng.standard_normal((2, size)).astype(np.float32)
    ends = []
    for block in (_elementwise.BLOCK, 10 * size):
        monkeypatch.setattr(_elementwise, "BLOCK", block)
        param = nn.Parameter(torch.from_numpy(start.copy()))
        optimizer = make([param])
        for _ in range(3):
            param.grad = torch.from_numpy(slope.copy())
            optimizer.step()
        ends.append([param.detach().numpy()])
    assert_equal(ends)


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"maximize": True}])
def test_plain_descent(options):
    params = parameters()
    before = [p.detach().numpy().copy() for p in params]
    optimizer = optim.SGD(params, lr=0.1, **options)
    set_grads(params, 0, without=(1,))
    held = [p.data_ptr() for p in params]
    optimizer.step()
    for k, (p, old) in enumerate(zip(params, before, strict=True)):
        g = 0 if p.grad is None else p.grad.numpy()
        g = -g if options.get("maximize") else g + options.get("weight_decay", 0) * old
        np.testing.assert_allclose(p.detach().numpy(), old - 0.1 * (0 if k == 1 else g))
        assert p._version == (k != 1)
    assert held == [p.data_ptr() for p in params]
