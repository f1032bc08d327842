"""Optimizers: torch's trajectories, state and printed form; groups, hooks, errors."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn, optim
from minigrad.optim._elementwise import BLOCK
from tests.record_optim import plain
from tests.samples_optim import CLOSURES, OPTIMIZERS, WHOLE, gradient, start, trajectory

DATA = Path(__file__).parent.parent / "data"
RECORDED = np.load(DATA / "optim.npz")
FACTS = json.loads(gzip.decompress((DATA / "optim.json.gz").read_bytes()))
every = pytest.mark.parametrize("make", OPTIMIZERS)


def test_table_is_complete():
    """Every public optimizer has a line."""
    made = {make.split("(")[0].removeprefix("optim.") for make in [*OPTIMIZERS, *CLOSURES]}
    public = {name for name in optim.__all__ if isinstance(getattr(optim, name), type)}
    assert public - {"Optimizer"} == made


@every
def test_trajectory(make):
    """The parameters follow torch's to float64 rounding over 50 steps."""
    found, _ = trajectory(make, torch)
    for step, values in found.items():
        for k, value in enumerate(values):
            np.testing.assert_allclose(value, RECORDED[f"{make}/{step}/{k}"], rtol=1e-12,
                                       atol=1e-13, err_msg=f"step {step}")


def nearly(found, expected):
    """Compare nested lists and dicts, numbers up to rounding, the order of keys included."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            nearly(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            nearly(a, b)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-14)
    else:
        assert found == expected


@every
def test_state_dict_and_repr(make):
    """state_dict has torch's structure, order and values; repr is torch's."""
    _, opt = trajectory(make, torch)
    nearly(plain(opt.state_dict()), FACTS[make]["state_dict"])
    assert repr(opt) == FACTS[make]["repr"]


@every
@pytest.mark.parametrize("way", ["state_dict", "deepcopy", "pickle"])
def test_continue(make, way):
    """An optimizer that was saved and restored goes on exactly as the other one."""
    params = start(torch)
    opt = eval(make, {"optim": optim, "params": params, "torch": torch})

    def run(opt, params, steps):
        for step in steps:
            for p in params:
                p.grad = torch.from_numpy(gradient(p.detach().numpy(), step))
            opt.step()

    run(opt, params, range(4))
    if way == "state_dict":
        twins = [nn.Parameter(p.detach().clone()) for p in params]
        twin = eval(make, {"optim": optim, "params": twins, "torch": torch})
        twin.load_state_dict(copy.deepcopy(opt.state_dict()))
    else:
        both = (params, opt)
        twins, twin = (copy.deepcopy(both) if way == "deepcopy"
                       else pickle.loads(pickle.dumps(both)))
    run(opt, params, range(4, 8))
    run(twin, twins, range(4, 8))
    for a, b in zip(params, twins, strict=True):
        assert a is not b
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("make", [make for make in OPTIMIZERS if not any(n in make for n in WHOLE)])
def test_large_parameters_go_block_by_block(make):
    """What is done in blocks equals what is done in one piece."""
    values = np.random.default_rng(0).standard_normal(BLOCK + 10)
    parts = [values[:7], values[BLOCK - 5:]]
    whole = [nn.Parameter(torch.from_numpy(values.copy())) for _ in range(2)]
    small = [nn.Parameter(torch.from_numpy(p.copy())) for p in parts]
    for params in (whole, small):
        opt = eval(make, {"optim": optim, "params": params, "torch": torch})
        for step in range(3):
            for p in params:
                p.grad = torch.from_numpy(gradient(p.detach().numpy(), step))
            opt.step()
    assert np.array_equal(whole[0].detach().numpy()[:7], small[0].detach().numpy())
    assert np.array_equal(whole[1].detach().numpy()[BLOCK - 5:], small[1].detach().numpy())


def one(value=(1.0, 2.0)):
    return nn.Parameter(torch.tensor(value))


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 4)])
@pytest.mark.parametrize("kind", [kind for kind in optim.__all__ if kind[0].isupper()
                                  and kind not in ("LBFGS", "Muon", "Optimizer")])
def test_parameters_of_any_shape(kind, shape):
    """Numbers, nothing, and matrices that lie transposed in memory go on as rows do."""
    values = np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape)
    made = [nn.Parameter(torch.from_numpy(np.array(values, order=order))) for order in "CF"]
    for p in made:
        opt = getattr(optim, kind)([p], lr=0.1)
        for k in range(3):
            p.grad = p.detach() * 0.5 + 0.1 * k
            opt.step()
        assert p.shape == shape
        assert torch.allclose(p, made[0], rtol=1e-6)
    if not shape:
        row = nn.Parameter(torch.ones(1, dtype=torch.float64))
        opt = getattr(optim, kind)([row], lr=0.1)
        for k in range(3):
            row.grad = row.detach() * 0.5 + 0.1 * k
            opt.step()
        assert row.item() == pytest.approx(made[0].item(), rel=1e-6)


def test_step_counts_as_in_place_write():
    """A value saved before the step must not be used after it."""
    p = one()
    loss = (p * p).sum()
    p.grad = torch.ones(2)
    optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match=r"SGD\.step"):
        loss.backward()


def test_closure():
    """step(closure) returns the loss and records gradients even under no_grad."""
    p = one()
    opt = optim.SGD([p], lr=0.1)

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert opt.step(closure).item() == 5.0
    assert p.tolist() == pytest.approx([0.8, 1.6])


def test_zero_grad():
    """Gradients are dropped, or filled with zeros in place."""
    p = one()
    opt = optim.SGD([p])
    p.grad = grad = torch.ones(2)
    opt.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0]
    assert grad.tolist() == [0.0, 0.0]
    opt.zero_grad()
    assert p.grad is None


def test_groups():
    """Groups keep their own options; new ones can be added."""
    a, b, c = one(), one(), one()
    opt = optim.SGD([{"params": a}, {"params": [b], "lr": 0.5}], lr=0.1, momentum=0.9)
    opt.add_param_group({"params": [c], "momentum": 0})
    assert [g["lr"] for g in opt.param_groups] == [0.1, 0.5, 0.1]
    assert [g["momentum"] for g in opt.param_groups] == [0.9, 0.9, 0]
    for p in (a, b, c):
        p.grad = torch.ones(2)
    opt.step()
    assert b.tolist() == [0.5, 1.5]
    assert set(opt.state) == {a, b}


def test_hooks():
    """Hooks run around step, for one optimizer or all, and around saving and loading."""
    seen = []
    opt = optim.SGD([one()])
    handles = [
        opt.register_step_pre_hook(lambda o, args, kwargs: seen.append("before")),
        opt.register_step_post_hook(lambda o, args, kwargs: seen.append("after")),
        optim.register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append("first")),
        optim.register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("last")),
        opt.register_state_dict_pre_hook(lambda o: seen.append("save")),
        opt.register_state_dict_post_hook(lambda o, state: {**state, "note": 1}),
        opt.register_load_state_dict_pre_hook(lambda o, state: seen.append("load")),
        opt.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))]
    opt.step()
    state = opt.state_dict()
    assert state["note"] == 1
    opt.load_state_dict(state)
    assert seen == ["first", "before", "after", "last", "save", "load", "loaded"]
    for handle in handles:
        handle.remove()
    opt.step()
    assert len(seen) == 7


def test_loading_casts_to_the_parameters_dtype():
    """State of a float64 run fits a float32 model; the step count keeps its dtype."""
    p = nn.Parameter(torch.ones(2, dtype=torch.float64))
    opt = optim.Adam([p])
    p.grad = torch.ones(2, dtype=torch.float64)
    opt.step()
    q = one()
    other = optim.Adam([q])
    other.load_state_dict(opt.state_dict())
    assert other.state[q]["exp_avg"].dtype is torch.float32
    assert other.state[q]["step"].dtype is torch.float32
    assert other.state[q]["step"].item() == 1.0


def test_own_optimizer():
    """A subclass in torch's style defines __init__ and step."""

    class Sign(optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    p = one()
    p.grad = torch.tensor([3.0, -5.0])
    Sign([p]).step()
    assert p.tolist() == pytest.approx([0.9, 2.1])


@pytest.mark.parametrize(("error", "match", "make"), [
    (ValueError, "Invalid learning rate: -1", lambda p: optim.SGD([p], lr=-1)),
    (ValueError, "Invalid momentum value", lambda p: optim.SGD([p], momentum=-1)),
    (ValueError, "Invalid weight_decay", lambda p: optim.Adam([p], weight_decay=-1)),
    (ValueError, "Nesterov momentum requires", lambda p: optim.SGD([p], nesterov=True)),
    (ValueError, "Invalid epsilon", lambda p: optim.Adam([p], eps=-1)),
    (ValueError, "beta parameter at index 0: 1", lambda p: optim.AdamW([p], betas=(1, 0.9))),
    (ValueError, "beta parameter at index 1", lambda p: optim.Adam([p], betas=(0.9, -0.1))),
    (ValueError, "Tensor lr must be 1-element", lambda p: optim.SGD([p], lr=torch.ones(2))),
    (ValueError, "Invalid alpha", lambda p: optim.RMSprop([p], alpha=-1)),
    (ValueError, "Invalid lr_decay", lambda p: optim.Adagrad([p], lr_decay=-1)),
    (ValueError, "empty parameter list", lambda p: optim.SGD([])),
    (TypeError, "iterable of Tensors or dicts", lambda p: optim.SGD(p)),
    (TypeError, "one of the params is int", lambda p: optim.SGD([3])),
    (TypeError, "ordered collections", lambda p: optim.SGD([{"params": {p}}])),
    (TypeError, "must be a dict", lambda p: optim.SGD([p]).add_param_group(3)),
    (ValueError, "non-leaf", lambda p: optim.SGD([p * 2])),
    (ValueError, "more than one parameter group",
     lambda p: optim.SGD([{"params": [p]}, {"params": [p]}])),
    (ValueError, "names", lambda p: optim.SGD([("a", p), one()])),
    (KeyError, "params", lambda p: optim.SGD([{"lr": 1}])),
    (ValueError, "different number of parameter groups",
     lambda p: optim.SGD([p]).load_state_dict({"state": {}, "param_groups": []})),
    (ValueError, "doesn't match the size",
     lambda p: optim.SGD([p]).load_state_dict({"state": {},
                                               "param_groups": [{"params": [0, 1]}]})),
    (NotImplementedError, "define _prepare",
     lambda p: optim.Optimizer([p], {}).step()),
    (ValueError, "Invalid rho", lambda p: optim.Adadelta([p], rho=1.5)),
    (ValueError, "Invalid epsilon", lambda p: optim.Adadelta([p], eps=-1)),
    (ValueError, "beta parameter at index 1", lambda p: optim.Adamax([p], betas=(0.9, 1))),
    (ValueError, "Invalid momentum_decay", lambda p: optim.NAdam([p], momentum_decay=-1)),
    (ValueError, "Invalid learning rate", lambda p: optim.RAdam([p], lr=-1)),
    (ValueError, "Invalid weight_decay", lambda p: optim.ASGD([p], weight_decay=-1)),
    (ValueError, "Invalid eta values", lambda p: optim.Rprop([p], etas=(1.2, 0.5))),
    (ValueError, "beta2_decay should be <= 0", lambda p: optim.Adafactor([p], beta2_decay=1)),
    (ValueError, "epsilon1 should be >= 0", lambda p: optim.Adafactor([p], eps=(-1, 0))),
    (ValueError, "threshold d should be >= 1", lambda p: optim.Adafactor([p], d=0.5)),
    (ValueError, "only supports 2D parameters", lambda p: optim.Muon([p])),
    (ValueError, "momentum should be >= 0", lambda p: optim.Muon([p], momentum=-1)),
    (ValueError, "adam is not supported", lambda p: optim.Muon([p], adjust_lr_fn="adam")),
    (ValueError, "doesn't support per-parameter options",
     lambda p: optim.LBFGS([{"params": [p]}, {"params": [one()]}])),
    (RuntimeError, "capturable=True", lambda p: optim.NAdam([p], capturable=True)),
    (RuntimeError, "fused=True is not supported", lambda p: optim.SGD([p], fused=True)),
    (RuntimeError, "capturable=True", lambda p: optim.Adam([p], capturable=True)),
    (RuntimeError, "differentiable=True", lambda p: optim.RMSprop([p], differentiable=True)),
])
def test_refusals(error, match, make):
    """Wrong options raise torch's exception class; switches without meaning are refused."""
    with pytest.raises(error, match=match):
        make(one())


def test_duplicate_parameters_warn():
    p = one()
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([p, p])


def swappable():
    opt = optim.Adam([{"params": [one()]}, {"params": [one()], "lr": 0.1}], lr=0.5)
    for group in opt.param_groups:
        group["params"][0].grad = torch.ones(2)
    opt.step()
    return opt


def test_swapping_parameters_in():
    """The given tensors are stepped, with the given options; the optimizer is as before after."""
    opt = swappable()
    before = copy.deepcopy([opt.state_dict(), [g["params"][0].tolist() for g in opt.param_groups]])
    given = {name: nn.Parameter(torch.zeros(2)) for name in "ab"}
    for p in given.values():
        p.grad = torch.ones(2)
    state = copy.deepcopy(opt.state_dict())
    state["param_groups"][1]["lr"] = 0.25
    with pytest.raises(ZeroDivisionError), \
            optim.swap_in_optimizer_params_and_state(opt, given, state):
        opt.step()
        raise ZeroDivisionError
    assert given["a"].tolist() == pytest.approx([-0.5, -0.5])
    assert given["b"].tolist() == pytest.approx([-0.25, -0.25])
    assert state["state"][0]["step"].item() == 2
    after = [opt.state_dict(), [g["params"][0].tolist() for g in opt.param_groups]]
    nearly(plain(after), plain(before))


@pytest.mark.parametrize(("match", "change"), [
    ("initialized", lambda opt, state: opt.state.clear()),
    ("dict of dicts", lambda opt, state: state.update(state=[])),
    ("2 groups", lambda opt, state: state["param_groups"].pop()),
    ("options, got others: \\['lr'\\]", lambda opt, state: state["param_groups"][0].pop("lr")),
    ("list of parameter numbers", lambda opt, state: state["param_groups"][0].update(params="a")),
    ("has 2 parameters", lambda opt, state: state["param_groups"][0].update(params=[0, 1])),
    ("which no group", lambda opt, state: state["state"].update({7: {}})),
    ("only 0 are left", lambda opt, state: None),
])
def test_swapping_refuses_what_does_not_fit(match, change):
    opt = swappable()
    state = copy.deepcopy(opt.state_dict())
    change(opt, state)
    given = {name: one() for name in ("a" if "left" in match else "ab")}
    with pytest.raises(RuntimeError, match=match), \
            optim.swap_in_optimizer_params_and_state(opt, given, state):
        pass
