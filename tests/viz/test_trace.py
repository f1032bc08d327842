"""What a run shows beyond its tape: ops off it, where gradients stop, failing runs."""

from __future__ import annotations

import json

import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad import viz

from .nets import MLP, fails_backward, fails_forward


def named(graph):
    return {n.label: n for n in graph.nodes}


def test_ops_off_the_tape_are_drawn():
    graph = viz.trace(lambda i: (i + 1).cumsum(0) % 3, torch.tensor([1, 2, 3]))
    assert [n.label for n in graph.nodes] == ["i", "add", "cumsum", "remainder", "output"]
    assert [e.name for e in graph.edges] == ["input", "input", "input", ""]
    assert {n.dtype for n in graph.nodes} == {"int64"}
    assert all(n.grad_fn == "" and n.stop == "" for n in graph.nodes)


def test_where_gradients_stop_and_why():
    def fn(x, w, unused):
        h = (x * w).relu()
        d = h.detach() * 2
        with torch.no_grad():
            m = h.mean()
        lost = h.exp()
        return (h - m + d).sum() + w[h.argmax()] + lost.long().sum()

    graph = viz.trace(fn, torch.ones(3), torch.ones(3), torch.ones(3))
    nodes = {n.label: n for n in graph.nodes}
    assert nodes["mean"].stop == "no_grad"
    assert nodes["argmax"].stop == "not differentiable"
    assert nodes["exp"].stop == "unused"
    assert nodes["unused"].stop == "unused"
    stops = {e.stop for e in graph.edges if e.source == nodes["relu"].id}
    assert stops == {"", "detach", "no_grad", "not differentiable", "unused"}
    flowing = [e for e in graph.edges if e.gradient]
    assert all(e.stop == "" for e in flowing)
    assert nodes["w"].grad.values == (2.0, 1.0, 1.0)


def test_frozen_parameters_stop_gradients():
    net = MLP().requires_grad_(False)
    net.fc2.requires_grad_(True)
    graph = viz.trace(net, torch.ones(2, 8))
    stops = {(n.module, n.label): n.stop for n in graph.nodes if n.kind == "parameter"}
    assert stops == {("fc1", "weight"): "frozen", ("fc1", "bias"): "frozen",
                     ("fc2", "weight"): "", ("fc2", "bias"): ""}
    first = next(n for n in graph.nodes if n.label == "linear")
    assert first.grad_fn == ""
    assert first.saved == ()


def test_gradients_are_those_of_backward():
    net, x = MLP(), torch.rand(2, 8)
    graph = viz.trace(net, x, target=lambda y: (y * y).sum())
    (net(x) ** 2).sum().backward()
    found = {f"{n.module}.{n.label}": n.grad.norm for n in graph.nodes if n.kind == "parameter"}
    assert found == {name: pytest.approx(p.grad.norm().item(), rel=1e-5)
                     for name, p in net.named_parameters()}
    assert graph.nodes[-1].kind == "loss"
    weight = next(n for n in graph.nodes if n.kind == "parameter")
    (edge,) = [e for e in graph.edges if e.source == weight.id]
    assert edge.grad_norm == pytest.approx(weight.grad.norm, rel=1e-5)


def test_target_names_an_output():
    def fn(x):
        return {"a": (x * 2).sum(), "b": (x * 3).sum()}

    grads = [viz.trace(fn, torch.ones(2), target=t).nodes[0].grad.values for t in ("a", "b", None)]
    assert grads == [(2.0, 2.0), (3.0, 3.0), (5.0, 5.0)]
    with pytest.raises(ValueError, match="'a', 'b'"):
        viz.trace(fn, torch.ones(2), target="c")
    with pytest.raises(TypeError, match="target"):
        viz.trace(fn, torch.ones(2), target=lambda out: 3)


def test_a_whole_training_step():
    net = MLP()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    before = [p.tolist() for p in net.parameters()]

    def step(x):
        loss = net(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    graph = viz.trace(step, torch.ones(2, 8))
    assert [p.tolist() for p in net.parameters()] == before
    assert all(p.grad is None for p in net.parameters())
    assert named(graph)["square"].grad is not None


def test_users_lines_and_rules():
    def fn(x):
        return x.sin()

    op = viz.trace(fn, torch.ones(2)).nodes[1]
    assert op.source.endswith(f"test_trace.py:{fn.__code__.co_firstlineno + 1}")
    assert op.code == "return x.sin()"
    assert op.rules == (("input", "lambda g, input: g * cos(input)"),)
    assert op.grad_fn == "SinBackward0"


def test_buffers_are_read_or_updated():
    bn = nn.BatchNorm1d(3)
    graph = viz.trace(bn, torch.rand(4, 3))
    op = named(graph)["batch_norm"]
    assert {e.target for e in graph.edges if e.kind == "update"} == {
        n.id for n in graph.nodes if n.kind == "buffer"}
    assert all(e.source == op.id for e in graph.edges if e.kind == "update")
    graph = viz.trace(bn.eval(), torch.rand(4, 3))
    read = [e.source for e in graph.edges if e.target == named(graph)["frozen_norm"].id]
    assert [n.label for n in graph.nodes if n.kind == "buffer" and n.id in read] == [
        "running_mean", "running_var"]


def test_a_run_that_fails_forward_is_drawn_up_to_there(tmp_path):
    path = tmp_path / "failed.json"
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
        viz.draw(fails_forward(), torch.ones(2, 8), path=path)
    graph = caught.value.graph
    last = graph.nodes[-1]
    assert (last.kind, last.module, last.phase) == ("error", "2", "forward")
    assert "mat1 and mat2" in last.error
    before = next(n for n in graph.nodes if n.label == "relu" and n.module == "1")
    assert before.id in [e.source for e in graph.edges if e.target == last.id]
    assert [path for path, m in graph.modules.items() if m.error] == ["", "2"]
    assert json.loads(path.read_text())["phase"] == "forward"
    assert 'fillcolor="#f4a6a0"' in graph.dot()


def test_a_run_that_fails_backward_is_drawn_whole():
    with pytest.raises(RuntimeError, match="inplace operation") as caught:
        viz.trace(fails_backward, torch.ones(2, 3))
    graph = caught.value.graph
    failed = [n for n in graph.nodes if n.error]
    assert [(n.label, n.phase) for n in failed] == [("sigmoid", "backward")]
    assert [n.label for n in graph.nodes if n.grad is not None] == ["relu", "sum"]
    assert viz.trace(fails_backward, torch.ones(2, 3), backward=False).error == ""


def test_what_the_users_code_raises():
    def fn(x):
        x = x * 2
        raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        viz.trace(fn, torch.ones(1))
    last = caught.value.graph.nodes[-1]
    assert last.label == "raise KeyError"
    assert last.code == 'raise KeyError("mine")'


def test_a_backward_by_the_user_that_raises():
    class Bad(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ZeroDivisionError("in backward")

    with pytest.raises(ZeroDivisionError) as caught:
        viz.trace(lambda x: Bad.apply(x).sum(), torch.ones(2))
    assert [n.label for n in caught.value.graph.nodes if n.error] == ["Bad"]


def test_an_error_that_the_model_catches_leaves_no_trace():
    def fn(x):
        try:
            return x @ torch.ones(7)
        except RuntimeError:
            return x * 2

    graph = viz.trace(fn, torch.ones(3))
    assert [n.label for n in graph.nodes] == ["x", "mul", "output"]


def test_constants_and_numpy_in_between():
    def fn(x):
        y = x * 2
        back = torch.from_numpy(y.detach().numpy())
        return back + torch.ones(3)

    graph = viz.trace(fn, torch.ones(3))
    assert [n.kind for n in graph.nodes] == ["input", "op", "constant", "op", "output"]
    add, mul = (named(graph)[n].id for n in ("add", "mul"))
    assert (mul, "detach") in [(e.source, e.stop) for e in graph.edges if e.target == add]


def test_graph_of_with_backward_leaves_the_tape():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    graph = viz.graph_of(loss, {"x": x}, backward=True)
    assert graph.nodes[0].grad.values == (2.0, 4.0)
    assert x.grad is None
    loss.backward()
    assert x.grad.tolist() == [2.0, 4.0]
