"""The recorded graph: what must hold for every net, and single features."""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
from minigrad import viz

from .nets import MLP, Activated, Clips, Listed, Residual, Tied, Unrolled, cases, shared_block

NAMES = list(cases())
OPS = ("op", "view", "module")


def ops(graph):
    return [n for n in graph.nodes if n.kind in OPS]


def labels(graph, kind):
    return [n.label for n in graph.nodes if n.kind == kind]


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_there_once(name):
    model, inputs, _ = cases()[name]
    graph = viz.trace(model, *inputs)
    drawn = [(f"{n.module}." if n.module else "") + n.label for n in graph.nodes
             if n.kind == "parameter"]
    wanted = [p for p, _ in model.named_parameters()] if isinstance(model, nn.Module) else []
    assert sorted(drawn) == sorted(wanted)
    assert len([n for n in graph.nodes if n.kind == "input"]) == len(inputs)


@pytest.mark.parametrize("name", NAMES)
def test_edges_join_nodes_from_older_to_newer(name):
    model, inputs, count = cases()[name]
    graph = viz.trace(model, *inputs)
    place = {n.id: k for k, n in enumerate(graph.nodes)}
    assert len(place) == len(graph.nodes)
    assert all(place[e.source] < place[e.target] for e in graph.edges)
    assert len(ops(graph)) == count
    used = {e.target for e in graph.edges}
    assert all(n.id in used for n in ops(graph))
    assert all(n.id in used for n in graph.nodes if n.kind == "output")


@pytest.mark.parametrize("name", NAMES)
def test_modules_are_nested_and_not_empty(name):
    model, inputs, _ = cases()[name]
    graph = viz.trace(model, *inputs)
    homes = {n.module for n in graph.nodes if n.module is not None}
    assert homes <= set(graph.modules)
    for path, module in graph.modules.items():
        assert module.parent is None or module.parent in graph.modules
        assert any(h == path or path == "" or h.startswith(path + ".") for h in homes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_collapsed_graphs_join_existing_nodes_too(name, depth):
    model, inputs, _ = cases()[name]
    whole = viz.trace(model, *inputs)
    graph = whole.collapsed(depth)
    ids = {n.id for n in graph.nodes}
    assert {e.source for e in graph.edges} | {e.target for e in graph.edges} <= ids
    assert len(graph.nodes) <= len(whole.nodes)
    assert [n.id for n in graph.nodes if n.kind == "output"] == [
        n.id for n in whole.nodes if n.kind == "output"]
    if isinstance(model, nn.Module) and depth == 0:
        assert len(ops(graph)) == 1


def test_shapes_stand_on_the_edges():
    graph = viz.trace(MLP(), torch.ones(5, 8))
    into = {n.label: [e.label for e in graph.edges if e.target == n.id] for n in ops(graph)}
    assert into["relu"] == ["5×16"]
    assert into["linear"] == ["5×16", "4×16", "4"]


def test_an_op_with_several_outputs_is_one_node():
    graph = viz.trace(lambda x: torch.cat([a * 2 for a in x.split(2)]), torch.ones(6))
    assert [n.label for n in ops(graph)] == ["split", "mul", "mul", "mul", "cat"]
    split = ops(graph)[0].id
    assert [e.label for e in graph.edges if e.source == split] == ["2", "2", "2"]


def test_frozen_parameters_are_drawn_and_noted():
    net = MLP()
    net.fc1.requires_grad_(False)
    graph = viz.trace(net, torch.ones(2, 8))
    notes = {(n.module, n.label): n.note for n in graph.nodes if n.kind == "parameter"}
    assert notes == {("fc1", "weight"): "frozen", ("fc1", "bias"): "frozen",
                     ("fc2", "weight"): "", ("fc2", "bias"): ""}
    assert not net.fc1.weight.requires_grad


def test_what_gets_no_gradient_is_noted():
    graph = viz.trace(Listed(), torch.ones(2, 3))
    assert [(n.label, n.note) for n in graph.nodes if n.note] == [
        ("unused", "gets no gradient")]
    graph = viz.trace(lambda x, y: (x * 2, y.argmax()), torch.ones(3), torch.ones(2))
    assert [(n.label, n.note, n.stop) for n in graph.nodes if n.note] == [
        ("y", "gets no gradient", "unused"), ("argmax", "not differentiable", "not differentiable"),
        ("output[1]", "no gradient", "")]


def test_shared_parameters_and_integer_inputs():
    graph = viz.trace(Tied(), torch.tensor([[1, 2, 3]]))
    weight = next(n for n in graph.nodes if n.module == "embed" and n.kind == "parameter")
    assert weight.note == "also out.weight"
    by_id = {n.id: n.label for n in graph.nodes}
    assert [by_id[e.target] for e in graph.edges if e.source == weight.id] == [
        "embedding", "linear"]
    assert [by_id[e.target] for e in graph.edges if by_id[e.source] == "ids"] == ["embedding"]


def test_labels_of_a_loss_are_joined_to_it():
    net = MLP()
    graph = viz.trace(lambda x, y: F.cross_entropy(net(x), y), torch.ones(2, 8),
                      torch.tensor([0, 1]))
    assert labels(graph, "input") == ["x", "y"]
    assert list(graph.modules) == ["net", "net.fc1", "net.fc2"]
    target = next(n.id for n in graph.nodes if n.label == "y")
    assert [e.dtype for e in graph.edges if e.source == target] == ["int64"]


def test_calls_of_one_module_are_told_apart():
    graph = viz.trace(Unrolled(), torch.ones(2, 3, 3))
    assert graph.modules["cell"].calls == 3
    assert {n.call for n in ops(graph) if n.module == "cell"} == {
        (("cell", 1),), (("cell", 2),), (("cell", 3),)}
    folded = graph.collapsed(1)
    assert [n.note for n in ops(folded) if n.label == "cell"] == [
        f"Cell, 200 parameters, call {k} of 3" for k in (1, 2, 3)]


def test_a_module_in_two_places_is_drawn_in_both_and_marked():
    act = nn.PReLU()
    graph = viz.trace(nn.Sequential(Activated(act), Activated(act)), torch.ones(1, 3))
    assert graph.modules["1.act"].same_as == "0.act"
    assert list(dict.fromkeys(n.module for n in ops(graph))) == ["0.fc", "0.act", "1.fc", "1.act"]
    slope = next(n for n in graph.nodes if n.module == "0.act" and n.kind == "parameter")
    assert slope.note == "also 1.act.weight"
    assert len([e for e in graph.edges if e.source == slope.id]) == 2


def test_a_module_that_is_called_twice_has_numbered_calls():
    graph = viz.trace(shared_block(), torch.ones(1, 3))
    assert [(n.module, n.call) for n in ops(graph)] == [
        ("0.0", (("0", 1),)), ("0.1", (("0", 1),)), ("1", ()), ("0.0", (("0", 2),)),
        ("0.1", (("0", 2),))]
    assert labels(graph, "parameter") == ["weight", "bias"]


def test_a_layer_whose_error_the_model_catches():
    class Tries(nn.Module):
        def __init__(self):
            super().__init__()
            self.wrong, self.right = nn.Linear(9, 9), nn.Linear(3, 2)

        def forward(self, x):
            try:
                return self.wrong(x)
            except RuntimeError:
                return self.right(x).relu()

    graph = viz.trace(nn.Sequential(Tries()), torch.ones(1, 3))
    assert [(n.module, n.label) for n in ops(graph)] == [("0.right", "linear"), ("0", "relu")]


def test_modules_that_are_registered_nowhere_are_named_by_their_class():
    hidden = [nn.Linear(3, 3), nn.Linear(3, 3)]
    graph = viz.trace(lambda x: hidden[1](hidden[0](x)), torch.ones(1, 3))
    assert list(graph.modules) == ["Linear", "Linear 2"]
    assert labels(graph, "parameter") == ["weight", "bias", "weight", "bias"]


def test_in_place_writes_and_views_are_marked():
    def write(x):
        y = x * 2
        y[0] += 1
        return y.view(-1).sum()

    graph = viz.trace(write, torch.ones(2, 3))
    assert [(n.kind, n.label, n.note) for n in ops(graph)] == [
        ("op", "mul", ""), ("view", "select_index", ""), ("op", "add", "in place"),
        ("op", "copy_slices", "in place"), ("view", "view", ""), ("op", "sum", "")]
    first = viz.trace(nn.ReLU(inplace=True), torch.ones(2))
    assert ops(first)[0].note == "in place"


def test_functions_written_by_the_user():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x ** 3

        @staticmethod
        def backward(ctx, g):
            x, = ctx.saved_tensors
            return g * 3 * x * x

    graph = viz.trace(lambda x: Cube.apply(x).sum(), torch.ones(3))
    assert [n.label for n in ops(graph)] == ["Cube", "sum"]


def test_saved_values_have_names():
    graph = viz.trace(lambda x: x.exp() + x.log(), torch.ones(3))
    assert {n.label: [s.name for s in n.saved] for n in ops(graph)} == {
        "exp": ["y"], "log": ["input"], "add": []}


def test_structures_of_inputs_and_outputs():
    graph = viz.trace(lambda d, k=None: {"sum": d["a"] + d["b"][0], "rest": (d["a"] * k, 3)},
                      {"a": torch.ones(2), "b": [torch.ones(2)]}, kwargs={"k": torch.ones(1)})
    assert labels(graph, "input") == ["d['a']", "d['b'][0]", "k"]
    assert labels(graph, "output") == ["sum", "rest[0]"]


def test_an_output_may_be_an_input():
    graph = viz.trace(lambda x: x, torch.ones(2))
    assert [(e.source, e.target) for e in graph.edges] == [("n0", "out0")]


def test_the_graph_of_a_gradient():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    g, = torch.autograd.grad((x * x).sin().sum(), x, create_graph=True)
    graph = viz.graph_of(g, {"x": x})
    assert labels(graph, "input") == ["x"]
    assert [n.label for n in ops(graph)].count("cos") == 1


def test_the_graph_of_a_loss_names_leaves_from_a_model_or_a_dict():
    net = MLP()
    loss = F.cross_entropy(net(torch.ones(2, 8)), torch.tensor([0, 1]))
    wanted = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert labels(viz.graph_of(loss, net), "parameter") == wanted
    assert labels(viz.draw(loss, params=dict(net.named_parameters())), "parameter") == wanted
    assert labels(viz.graph_of(loss), "parameter") == ["leaf"] * 4


def test_deep_nesting_is_folded():
    deep = nn.Linear(2, 2)
    for _ in range(300):
        deep = nn.Sequential(deep)
    assert len(viz.trace(deep, torch.ones(1, 2)).modules) == 301
    graph = viz.draw(deep, torch.ones(1, 2))
    assert len(graph.modules) == 12
    assert graph.notes == ["modules below level 12 are folded"]


@pytest.mark.slow
def test_long_chains_are_folded_without_recursion():
    x = torch.ones(2, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y + 1
    graph = viz.draw(y, params={"x": x})
    assert [(n.label, n.count) for n in graph.nodes] == [("x", 1), ("add", 20_000), ("output", 1)]
    assert "× 20000" in graph.dot()
    folded = viz.graph_of(y, {"x": x}).runs_folded()
    assert [(n.label, n.note) for n in folded.nodes][1] == ("add", "20,000 ops")


@pytest.mark.parametrize("leaves", [1, 700])
def test_branching_graphs_are_folded_to_400_nodes(leaves):
    xs = [torch.ones(2, requires_grad=True) for _ in range(leaves)]
    y = xs[0]
    for k in range(700):
        y = y.sin() + y.cos() * xs[k % leaves]
    graph = viz.draw(y)
    assert len(graph.nodes) <= 400
    assert graph.notes
    place = {n.id: k for k, n in enumerate(graph.nodes)}
    assert all(place[e.source] < place[e.target] for e in graph.edges)


def test_many_layers_are_folded():
    net = nn.Sequential(*[nn.Sequential(nn.Linear(2, 2), nn.ReLU()) for _ in range(250)])
    graph = viz.draw(net, torch.ones(1, 2))
    assert [(n.label, n.count) for n in ops(graph)] == [("linear", 250), ("relu", 250)]
    graph = viz.draw(net, torch.ones(1, 2), fold=False)
    assert len(ops(graph)) == 250
    assert {n.note for n in ops(graph)} == {"Sequential, 6 parameters"}
    assert graph.notes == ["modules below level 1 are folded"]
    assert graph.parameters == 1500


def test_depth_of_draw():
    graph = viz.draw(Residual(), torch.ones(1, 4, 5, 5), depth=1)
    assert [n.label for n in ops(graph)] == ["block", "act", "conv", "add", "act"]


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda: viz.trace(lambda x: 3, torch.ones(1)), TypeError, "got int"),
    (lambda: viz.graph_of(3), TypeError, "got int"),
    (lambda: viz.graph_of(torch.ones(2)), ValueError, "requires grad"),
    (lambda: viz.draw(3), TypeError, "got int"),
    (lambda: viz.draw(torch.ones(2, requires_grad=True), torch.ones(2)), TypeError, "no inputs"),
    (lambda: viz.draw(MLP(), torch.ones(1, 8), params={}), TypeError, "params"),
    (lambda: viz.draw(MLP(), torch.ones(1, 8), colour=1), TypeError, "colour"),
    (lambda: viz.draw(MLP(), torch.ones(1, 8), theme="blue"), ValueError, "theme"),
    (lambda: viz.draw(MLP(), torch.ones(1, 8), direction="RL"), ValueError, "direction"),
    (lambda: viz.draw(MLP(), torch.ones(1, 8), depth=-1), ValueError, "depth"),
    (lambda: viz.draw(MLP(), torch.ones(1, 8), path="graph.gif"), ValueError, "gif"),
    (lambda: viz.trace(MLP(), torch.ones(1, 8)).save("graph"), ValueError, "suffix"),
])
def test_wrong_arguments_are_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_grad_mode_does_not_matter():
    with torch.no_grad():
        graph = viz.trace(Clips(), torch.ones(1, 1, 6, 6, 6))
        assert not torch.is_grad_enabled()
    assert len(ops(graph)) == 6
