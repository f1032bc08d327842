"""A call in one piece (`apply`) and step by step (`apply_any`); fused backwards over rules."""

import itertools

import numpy as np
import pytest

import minigrad as torch
from minigrad import anomaly, declare, nn
from minigrad.engine import op
from minigrad.ops.linalg import FEW

F = nn.functional


def leaf(*shape, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return torch.from_numpy(values).requires_grad_()


def layer():
    torch.manual_seed(0)
    return nn.Linear(4, 3, dtype=torch.float64)


PROGRAMS = {
    "number": lambda x: (2 * x - 1) / 3,
    "result": lambda x: x.exp().relu(),
    "twice": lambda x: x * x,
    "parameter": lambda x: layer()(x),
    "views": lambda x: x.view(2, 2, 4).permute(2, 0, 1).transpose(0, 2).reshape(4, 4)[1:, ::2] * 2,
    "of a written base": lambda x: written(x)[1] + x,
    "auxiliary": lambda x: F.layer_norm(x, (4,)) + F.softmax(x, -1),
    "several": lambda x: sum(torch.stack([a, a.cumsum(0)]).sum() for a in x.unbind(0)),
    "integers": lambda x: (x * x.argmax(1, keepdim=True)).to(torch.int64),
    "constant": lambda x: x.detach() + 1,
}


def written(x):
    base = x * 2
    tail = base[1:]
    base.mul_(3)
    return base, tail[:1]


def outcome(program):
    x = leaf(4, 4)
    y = program(x)
    made = [y.detach().numpy(), y.requires_grad, y.grad_fn and y.grad_fn.name(), y._is_view()]
    if y.requires_grad:
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        made.append(g.detach().numpy())
        if g.requires_grad:
            made.append(torch.autograd.grad((g * g).sum(), x, allow_unused=True)[0])
    return made


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", PROGRAMS)
def test_in_one_piece_and_step_by_step_are_the_same(name, mode, monkeypatch):
    def run():
        with mode():
            return outcome(PROGRAMS[name]), (leaf(2) * 2).is_inference()

    quick = run()
    monkeypatch.setattr(anomaly.anomaly, "watched", True)
    slow = run()
    assert quick[1] == slow[1] == (mode is torch.inference_mode)
    for a, b in zip(quick[0], slow[0], strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_every_set_of_inputs_that_need_gradients_is_recorded_like_the_others(monkeypatch):
    def declared():
        return op(first=lambda g, second, y: g * second + 0 * y, second=lambda g, first: g * first,
                  third=None)(lambda first, second, third, times=1: first * second * times)

    def outcomes(made):
        for needs in itertools.product([False, True], repeat=2):
            a, b = (leaf(2, 3, seed=k).requires_grad_(need) for k, need in enumerate(needs))
            for first, second in ((a, b), (a, 2.0), (3, b), (a * 1, b.t().t())):
                y = made(first, second, None)
                node = y.grad_fn
                yield (y.detach().numpy().tobytes(), node and (
                    node.name(), node.plan.names, [v[0::2] for v in node.versions], node.shape,
                    node.dtype, [p.name() for p, _ in node.next_functions if p], node.hooks))
                if node:
                    y.sum().backward()
                    yield [None if t.grad is None else t.grad.numpy().tobytes() for t in (a, b)]

    made = declared()
    quick = [[*outcomes(made)] for _ in range(2)]  # each set for the first time, and again
    monkeypatch.setattr(anomaly.anomaly, "watched", True)
    slow = [*outcomes(declared())]
    assert len(made.op.plans) == 3
    assert quick[0] == quick[1] == slow


def test_an_op_gets_its_function_when_it_is_called_often(monkeypatch):
    monkeypatch.setattr(declare, "OFTEN", 2)
    made = op(first=lambda g, second: g * second, second=lambda g, first: g * first)(
        lambda first, second: first * second)
    x, numbers = leaf(3), []
    for k in range(11):
        made(x, x * 1 if 5 <= k < 10 else 2.0).sum().backward()
        numbers.append(made.op.calls)
    assert numbers == [0, 1, 2, 3, 3, 0, 1, 2, 3, 3, 3]  # since the last plan, until it is written
    assert type(made.op.run).__name__ == "function"
    np.testing.assert_allclose(x.grad.numpy(), 12 + 10 * x.detach().numpy())


@pytest.mark.parametrize("call", [
    lambda x: torch.relu([1.0]), lambda x: torch.relu(2.0), lambda x: x @ torch.ones(3, 4),
    lambda x: x.view(3), lambda x: x.view(-2, 8), lambda x: x.view(-1, -1), lambda x: x.view(2.0),
    lambda x: x.t().view(16), lambda x: x.reshape(5), lambda x: x.permute(0, 0),
    lambda x: x.permute(0), lambda x: x.permute(0, 2), lambda x: x.transpose(0, 2),
    lambda x: x.transpose(0.0, 1), lambda x: x + torch.ones(3)])
def test_errors_are_the_same(call, monkeypatch):
    def error():
        with pytest.raises((TypeError, RuntimeError, IndexError)) as caught:
            call(leaf(4, 4))
        return caught.type, str(caught.value)

    quick = error()
    monkeypatch.setattr(anomaly.anomaly, "watched", True)
    assert quick == error()


def test_writes_into_one_of_several_results_are_noticed():
    for k in range(2):
        x = leaf(2, 3)
        both = torch.aminmax(x, dim=0)
        both[k].add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            sum(both).sum().backward()
    x.aminmax().max.backward()
    assert x.grad.sum() == 1


# ------------------------------------------------------------------ fused backwards over rules
@op(input=lambda g, other: g * other, other=lambda g, input: g * input, smooth="half")
def doubly_known(input, other):
    """Multiply; the fused backward keeps something that no rule could name."""
    return input * other, input / 2


@doubly_known.fused
def _(g, half, other, needs):
    runs.append((needs, other is not None))
    return (g * other if needs[0] else None), (g * half * 2 if needs[1] else None)


runs: list = []


def test_the_fused_backward_is_first_order_and_the_rules_are_the_others():
    runs.clear()
    a, b = leaf(3), leaf(3, seed=1)
    doubly_known(a, b).sum().backward()
    assert runs == [((True, True), True)]
    np.testing.assert_allclose(a.grad.numpy(), b.detach().numpy())
    np.testing.assert_allclose(b.grad.numpy(), a.detach().numpy())
    assert torch.autograd.gradcheck(doubly_known, (a, b))
    runs.clear()
    assert torch.autograd.gradgradcheck(doubly_known, (a, b))
    (first,) = torch.autograd.grad(doubly_known(a, b).sum(), a, create_graph=True)
    assert first.requires_grad and not any(needs == (True, True) for needs, _ in runs[-1:])


def test_only_what_a_rule_of_a_wanted_gradient_names_is_kept():
    runs.clear()
    a, b = leaf(3), leaf(3, seed=1).detach()
    y = doubly_known(b, a)  # the rule of the second input does not name it
    assert y.grad_fn.plan.names == ["input", "half"]
    y.sum().backward()
    assert runs == [((False, True), False)]
    first = nn.Linear(2, 3)
    y = first(torch.ones(4, 2))
    assert y.grad_fn.plan.names[:1] == ["input"] and "weight" not in y.grad_fn.plan.names
    with torch.no_grad():
        first.weight.zero_()  # nobody has kept it
    y.sum().backward()
    assert first.weight.grad.tolist() == [[4, 4]] * 3


def test_part_of_the_gradients_is_asked_of_the_rules():
    runs.clear()
    a, b = leaf(3), leaf(3, seed=1)
    (g,) = torch.autograd.grad(doubly_known(a, b).sum(), b)
    np.testing.assert_allclose(g.numpy(), a.detach().numpy())
    assert not runs


# ----------------------------------------------------------------------------------- linear
def values(shape, dtype, stride):
    made = np.random.default_rng(len(shape)).standard_normal(
        tuple(n * stride for n in shape)).astype(dtype)
    return torch.from_numpy(made[tuple(slice(None, None, stride) for _ in shape)])


BIG = int(FEW ** 0.5) + 1
SHAPES = [((), 3, 2), ((0,), 3, 2), ((1,), 1, 1), ((5,), 3, 1), ((5,), 1, 7), ((2, 3), 4, 5),
          ((2, 0), 4, 5), ((3,), 0, 2), ((2, 3), 0, 2), ((3,), 2, 0), ((2, 2, 3), 3, 4),
          ((BIG,), BIG, 3), ((2, BIG), 3, BIG), ((FEW + 1,), 2, 1), ((1,), FEW + 1, 2)]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("rows, inputs, outputs", SHAPES)
def test_gradients_of_linear(rows, inputs, outputs, dtype, stride):
    x, w, b = (values(shape, dtype, stride) for shape in (
        (*rows, inputs), (outputs, inputs), (outputs,)))
    for needs in itertools.product([False, True], repeat=3):
        if not any(needs):
            continue
        args = [t.clone().requires_grad_(need) for t, need in zip((x, w, b), needs, strict=True)]
        y = F.linear(*args)
        g = values(tuple(y.shape), dtype, stride)
        y.backward(g)
        g64, x64, w64 = (t.numpy().astype("f8") for t in (g, x, w))
        flat = g64.reshape(int(np.prod(rows)), outputs)
        want = (g64 @ w64, flat.T @ x64.reshape(int(np.prod(rows)), inputs), flat.sum(0))
        terms = (outputs, int(np.prod(rows)), int(np.prod(rows)))
        for t, exact, n in zip(args, want, terms, strict=True):
            if t.requires_grad:
                assert t.grad.shape == t.shape and t.grad.dtype == t.dtype
                room = 4 * np.finfo(dtype).eps * (n + 1) ** 0.5 * 4
                np.testing.assert_allclose(t.grad.numpy(), exact, room, room)
