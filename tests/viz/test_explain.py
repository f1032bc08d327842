"""`explain`: formulas, numbers and paths; its text against files; nothing is touched."""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import pkgutil

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
from minigrad._explain.formulas import _entries, entry
from minigrad.declare import Op

from .nets import Listed, Tied, cases
from .test_golden import FOLDER, same_as_file


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def sine():
    x, w = leaf(1., 2.), leaf(3., 4.)
    return (x * w).sin().sum() + x[0], {"x": x, "w": w}, ("x", 0)


def classifier():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    with torch.no_grad():
        for k, p in enumerate(net.parameters()):
            p.copy_((torch.arange(p.numel(), dtype=torch.float64) - 2.5).reshape(p.shape) / (k + 2))
    x = torch.tensor([[1., 2.], [-1., .5]], dtype=torch.float64)
    return F.cross_entropy(net(x), torch.tensor([0, 1])), net, ("0.weight", (0, 1))


def normed():
    x, w = leaf(1., 2., 4.), leaf(2., 1., .5)
    y = F.layer_norm(x.view(1, 3), (3,), w)
    return F.mse_loss(y, torch.zeros(1, 3, dtype=torch.float64)), {"x": x, "weight": w}, ("x", 2)


def in_place():
    x = leaf(1., -2., 3.)
    y = x * 2
    y[1:].mul_(x[1:])
    return y.sum(), {"x": x}, ("x", 1)


def large():
    w = torch.linspace(-1, 1, 60, dtype=torch.float64).reshape(6, 10).requires_grad_()
    x = torch.linspace(0, 1, 200, dtype=torch.float64).reshape(20, 10)
    return (F.linear(x, w).tanh() ** 2).mean(), {"w": w}, None


MADE = {"sine": sine, "classifier": classifier, "normed": normed, "in_place": in_place,
        "large": large}


@pytest.mark.parametrize("name", MADE)
def test_golden(name):
    loss, params, why = MADE[name]()
    told = torch.explain(loss, params, why=why)
    same_as_file(f"explain_{name}.txt", f"{told}\n")
    again, params, why = MADE[name]()
    assert str(torch.explain(again, params, why=why)) == str(told)


def test_golden_html():
    loss, params, why = sine()
    same_as_file("explain_sine.html", torch.explain(loss, params, why=why).html() + "\n")


@pytest.mark.parametrize("name", MADE)
def test_gradients_are_those_of_backward(name):
    loss, params, _ = MADE[name]()
    told = torch.explain(loss, params, elements=10_000)
    tensors = dict(params.named_parameters()) if isinstance(params, nn.Module) else params
    loss.backward()
    assert {part.name for part in told.leaves} == set(tensors)
    for part in told.leaves:
        assert np.allclose(part.gradient.values, tensors[part.name].grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", ["sine", "classifier", "normed", "in_place"])
def test_every_element_is_the_sum_of_its_paths(name):
    loss, params, _ = MADE[name]()
    tensors = dict(params.named_parameters()) if isinstance(params, nn.Module) else params
    for key, tensor in tensors.items():
        for at in np.ndindex(*tensor.shape):
            why = torch.explain(loss, params, why=(key, at)).why
            assert math.isclose(sum(p.product for p in why.paths) + why.rest, why.gradient,
                                rel_tol=1e-9, abs_tol=1e-12)
            assert math.isclose(sum(g for _, g in why.uses), why.gradient, rel_tol=1e-9,
                                abs_tol=1e-12)


def test_paths_join_and_end():
    x = leaf(2.)
    told = torch.explain((x * x * x).sum(), {"x": x}, why=("x", 0))
    assert [p.product for p in told.why.paths] == [4.0, 4.0, 4.0]
    assert told.why.gradient == 12.0
    assert "used 3 times" in str(told)
    dead = torch.explain((-x).relu().sum(), {"x": x}, why=("x", 0))
    assert dead.why.gradient == 0 and not dead.why.paths
    assert "A path ends where the derivative is 0: at step 2 (relu" in str(dead)


def test_local_derivatives():
    a, b = leaf(2., 3.), leaf(5., 7.)
    step = torch.explain((a / b).sum(), {"a": a, "b": b}).steps[1]
    assert [i.local.values for i in step.inputs] == [[0.2, pytest.approx(1 / 7, abs=1e-5)],
                                                     [-0.08, pytest.approx(-3 / 49, abs=1e-5)]]
    product = torch.explain(torch.eye(2, dtype=torch.float64) @ a).steps[0]
    assert product.inputs[0].matrix is False  # the identity: element by element
    mixed = torch.explain(torch.tensor([[1., 2.], [3., 4.]], dtype=torch.float64) @ a).steps[0]
    assert mixed.inputs[0].matrix and mixed.inputs[0].local.values == [[1., 2.], [3., 4.]]


def test_large_tensors_are_summed_up():
    loss, params, _ = large()
    told = torch.explain(loss, params)
    assert told.leaves[0].value.values is None
    assert told.leaves[0].value.low == -1 and told.leaves[0].value.high == 1
    assert "from -1 to 1" in str(told)
    assert torch.explain(loss, params, elements=60).leaves[0].value.values is not None


def test_long_chains_are_cut_and_say_so():
    x = leaf(1.)
    y = x
    for _ in range(5000):
        y = y + 1
    told = torch.explain(y, steps=3)
    assert len(told.steps) == 3 and told.left_out == 4997
    assert "4997 more operations" in str(told) and "4997 more" in told.html()


def test_many_paths_fall_back_to_the_uses():
    x = leaf(*range(30))
    y = torch.outer(x, x).softmax(1)
    why = torch.explain(y.sum(), {"x": x}, why=("x", 3)).why
    assert not why.paths and why.uses
    assert sum(g for _, g in why.uses) == pytest.approx(why.gradient, abs=1e-12)


def test_several_results_functions_and_any_shape():
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    x = leaf(1., 5., 3.)
    told = torch.explain(Twice.apply(x), {"x": x}, why=("x", 2))
    assert told.steps[0].op == "Twice" and told.why.gradient == 2
    low, high = torch.aminmax(x)
    told = torch.explain(high - low, {"x": x})
    assert told.leaves[0].gradient.values == [-1.0, 1.0, 0.0]
    out, _ = nn.LSTM(2, 3)(torch.ones(4, 1, 2))
    assert torch.explain(out.sum()).steps[1].op == "recurrent_layer"


@pytest.mark.parametrize("name", ["residual", "tied", "unrolled", "norms", "clips"])
def test_nets_are_told_and_left_alone(name):
    model, inputs, _ = cases()[name]
    out = model(*inputs)
    out = out["logits"] if isinstance(out, dict) else out
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    called = []
    out.register_hook(lambda g: called.append(g))
    out.retain_grad()
    told = torch.explain(out.sum(), model)
    assert not called and out.grad is None
    assert all(bool((p.grad == 1).all()) for p in model.parameters())
    assert {part.name for part in told.leaves} <= {n for n, _ in model.named_parameters()}
    json.dumps(told.to_dict())
    out.sum().backward()  # the tape is still there
    assert called


def test_lines_of_the_program():
    x = leaf(1.)
    with torch.autograd.detect_anomaly():
        y = x.exp()
    assert "test_explain.py" in torch.explain(y).steps[0].where


def test_errors():
    x = leaf(1., 2.)
    y = (x * x).sum()
    with pytest.raises(TypeError, match="Tensor"):
        torch.explain(3.0)
    with pytest.raises(ValueError, match="no operation"):
        torch.explain(x)
    with pytest.raises(ValueError, match="elements"):
        torch.explain(y, elements=0)
    with pytest.raises(ValueError, match="leaf of this tensor"):
        torch.explain(y, {"x": x}, why="z")
    with pytest.raises(IndexError, match="one index per dimension"):
        torch.explain(y, {"x": x}, why=("x", (0, 0)))
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        torch.explain(y)


def ops():
    """Return every op with a derivative."""
    for found in pkgutil.walk_packages(torch.ops.__path__, "minigrad.ops."):
        importlib.import_module(found.name)
    return [o for o in gc.get_objects() if isinstance(o, Op) and (o.rules or o.backward)
            and o.forward.__module__.startswith("minigrad.ops.")]


def test_which_ops_have_no_formula():
    """The file lists the ops that get a general sentence; a few new ones may be missing in it."""
    missing = {f"{o.forward.__module__.rpartition('.')[2]}.{o.name}" for o in ops()
               if entry(o) is None}
    if os.environ.get("MINIGRAD_UPDATE_GOLDEN"):
        same_as_file("explain_without_formula.txt", "\n".join(sorted(missing)) + "\n")
    listed = set((FOLDER / "explain_without_formula.txt").read_text().split())
    assert listed <= missing
    assert len(missing - listed) <= 8, sorted(missing - listed)


def test_the_table_names_real_ops_and_arguments():
    found = {}
    for o in ops():
        found.setdefault(o.name, set()).update(o.names)
    outside = {"identity", "erased", "relaid", "sized", "as_view", "copy_slices", "reshape"}
    for name, (formula, rules) in _entries().items():
        name = name.rpartition(".")[2]
        assert formula
        if name in outside:
            continue
        assert name in found, f"{name} is no op"
        assert set(rules) <= found[name], f"{name} has no argument {set(rules) - found[name]}"


NAMES = {name: getattr(np, name) for name in (
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "log2", "log10", "log1p", "sqrt",
    "sign", "trunc", "floor")} | {
    "pi": math.pi, "e": math.e, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x))}
OPTIONS = {"value": 0.5, "alpha": 1.0, "beta": 1.0, "exponent": 0.3, "weight": 0.25}


def formulas():
    """Return (op, argument, formula, derivative) where both sides are expressions of Python."""
    found = []
    for name, (formula, rules) in _entries().items():
        for argument, text in rules.items():
            sides = [formula.removeprefix("y = "), text.removeprefix(f"dy/d{argument} = ")]
            if text == sides[1] or name in ("copy", "clone", "identity"):
                continue
            try:
                sides = [compile(side.replace("^", "**"), name, "eval") for side in sides]
            except SyntaxError:
                continue
            used = {n for side in sides for n in side.co_names} - {"y", *NAMES, *OPTIONS}
            if used <= {"input", "other", "tensor1", "tensor2", "end"} and used:
                found.append((name, argument, *sides))
    return found


def test_most_elementwise_formulas_are_expressions():
    assert len(formulas()) >= 40


@pytest.mark.parametrize(("name", "argument", "formula", "slope"), formulas(),
                         ids=lambda v: v if isinstance(v, str) else "")
def test_formulas_against_finite_differences(name, argument, formula, slope):
    given = {"input": 0.3, "other": 0.7, "tensor1": 0.4, "tensor2": 0.9, "end": 0.8, **OPTIONS}
    if name == "acosh":
        given["input"] = 1.3

    def y(at):
        return eval(formula, NAMES, given | {argument: at})

    at, h = given[argument], 1e-6
    try:
        numeric = (y(at + h) - y(at - h)) / (2 * h)
    except NameError:
        pytest.skip("y is described by its own name")
    exact = eval(slope, NAMES, given | {"y": y(at)})
    assert exact == pytest.approx(numeric, rel=1e-6, abs=1e-9)


def test_unknown_ops_get_a_general_sentence():
    x = torch.eye(2, dtype=torch.float64).requires_grad_()
    told = torch.explain(torch.linalg.qr(x)[1].sum())
    step = next(s for s in told.steps if s.op == "qr")
    assert not step.known
    assert step.inputs[0].derivative == "g times the derivative of y with respect to A"


def test_models_with_unused_parameters():
    model = Listed()
    told = torch.explain(model(torch.ones(2, 3))["a"].sum(), model)
    assert "unused" not in {part.name for part in told.leaves}
    ids = torch.tensor([[1, 2]])
    tied = Tied()
    part = torch.explain(tied(ids).sum(), tied).leaves[0]
    assert len(part.uses) == 2 or any(len(p.uses) == 2 for p in
                                      torch.explain(tied(ids).sum(), tied).leaves)
    assert FOLDER.exists()
