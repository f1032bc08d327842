"""compare_with_torch: another copy of minigrad with one thing broken stands for PyTorch."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad.testing import compare_with_torch

PACKAGE = Path(minigrad.__file__).parent


@pytest.fixture(scope="module")
def copy():
    """Import minigrad a second time under another name."""
    spec = importlib.util.spec_from_file_location("othergrad", PACKAGE / "__init__.py",
                                                  submodule_search_locations=[str(PACKAGE)])
    module = importlib.util.module_from_spec(spec)
    sys.modules["othergrad"] = module
    spec.loader.exec_module(module)
    assert module.Tensor is not minigrad.Tensor
    yield module
    for name in [n for n in sys.modules if n.partition(".")[0] == "othergrad"]:
        del sys.modules[name]


def rng(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def chain(torch, x, w):
    h = torch.relu(x @ w)
    h = h * 2 + 1
    p = torch.softmax(h, dim=-1)
    return p.log().sum(), h[0]


def training(torch, x):
    nn = torch.nn
    torch.manual_seed(3)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
            self.last = nn.Linear(8, 2)

        def forward(self, x):
            return self.last(nn.functional.relu(self.first(x)))

    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    target = torch.randn(4, 2)
    for _ in range(3):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x), target)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
    return loss


def test_equal_libraries(copy):
    report = compare_with_torch(chain, rng(4, 3), rng(3, 5), library=copy)
    assert report.ok and report and str(report).startswith("minigrad and othergrad same  chain")
    # @, relu, *, +, softmax, log, sum and [0]; gradients of x, w and of six results that are used
    assert (report.calls, report.gradients) == (8, 2 + 6)
    report = compare_with_torch(training, rng(4, 3), library=copy)
    assert report.ok, report
    assert report.calls > 30 and report.gradients > 30 and report.notes == []


def line_of(function, text):
    source = Path(__file__).read_text().splitlines()
    start = next(k for k, s in enumerate(source) if s.startswith(f"def {function}("))
    return next(k for k, s in enumerate(source) if k > start and text in s) + 1


def broken(lib, of, factor=1.0, gradient=1.0):
    """Return a function with a wrong value or a wrong gradient."""

    class Wrong(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * factor

        @staticmethod
        def backward(ctx, g):
            return g * factor * gradient

    return lambda *args, **kwargs: Wrong.apply(of(*args, **kwargs))


def test_the_first_wrong_value_is_named_with_its_line(copy, monkeypatch):
    monkeypatch.setattr(copy, "softmax", broken(copy, copy.softmax, factor=1.01))
    report = compare_with_torch(chain, rng(4, 3), rng(3, 5), library=copy)
    first = report.first_difference
    assert not report.ok and (first.kind, first.op) == ("value", "softmax")
    assert (first.file, first.line) == (__file__, line_of("chain", "softmax"))
    assert first.source == "p = torch.softmax(h, dim=-1)"
    assert (first.shape, first.dtype, first.size) == ((4, 5), "float32", 20)
    assert first.wrong >= 15
    assert first.max_rel_error == pytest.approx(0.0099, rel=0.01)
    assert first.max_ulp > 1e4 and first.input_error == 0
    assert abs(first.actual - first.expected) == pytest.approx(first.max_abs_error, rel=1e-3)
    text = str(report)
    assert "DIFFERENT" in text and "first difference: the value of softmax" in text
    assert f"{first.wrong} of 20 elements differ" in text
    told = json.loads(json.dumps(report.to_dict()))
    assert told["first_difference"]["op"] == "softmax" and told["ok"] is False


@pytest.mark.parametrize(("name", "factor"), [("relu", 2.0), ("softmax", 1.001)])
def test_the_first_wrong_gradient_is_that_nearest_to_the_output(copy, monkeypatch, name, factor):
    monkeypatch.setattr(copy, name, broken(copy, getattr(copy, name), gradient=factor))
    report = compare_with_torch(chain, rng(4, 3), rng(3, 5), library=copy)
    first = report.first_difference
    assert (first.kind, first.op) == ("gradient", name), report
    assert first.line == line_of("chain", name)
    made = "Tensor.__matmul__" if name == "relu" else "Tensor.__add__"
    assert first.of == f"the result of {made}"
    assert "which softmax passes back" in str(report) or name == "relu"
    assert compare_with_torch(chain, rng(4, 3), rng(3, 5), library=copy, gradients=False).ok


def test_methods_operators_and_in_place_writes(copy, monkeypatch):
    def program(torch, x):
        y = x.clone()
        y[0] = 3.0
        y.mul_(2)
        y += 1
        return (y.sigmoid() - x).mean()

    assert compare_with_torch(program, rng(4), library=copy).ok
    for name, wrong in (("__setitem__", lambda t, i, v: t.fill_(v)),
                        ("mul_", lambda t, v: t.add_(v)), ("__iadd__", lambda t, v: t.add_(2)),
                        ("sigmoid", lambda t: t.tanh()), ("__sub__", lambda t, o: t.add(o))):
        with monkeypatch.context() as patch:
            patch.setattr(copy.Tensor, name, wrong)
            first = compare_with_torch(program, rng(4), library=copy).first_difference
            assert (first.kind, first.op) == ("value", f"Tensor.{name}")


def test_a_layer_a_loss_or_an_optimiser_that_is_wrong(copy, monkeypatch):
    cases = [(copy.nn.BatchNorm1d, "forward", lambda self, x: x * 1.5, "module BatchNorm1d "
              "(first.1)", "value"),
             (copy.nn.functional, "mse_loss", broken(copy, copy.nn.functional.mse_loss,
                                                     gradient=3.0), "mse_loss", "gradient"),
             (copy.nn.functional, "relu", lambda x: x.clamp(min=0.01), "relu", "value"),
             (copy.nn.utils, "clip_grad_norm_", lambda p, n: copy.tensor(1.0),
              "nn.utils.clip_grad_norm_", "value")]
    for owner, name, wrong, op, kind in cases:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, wrong)
            first = compare_with_torch(training, rng(4, 3), library=copy).first_difference
            assert first.kind == kind and first.op.endswith(op), first
    step = copy.optim.Adam.step

    def twice(self, closure=None):
        step(self)
        step(self)

    monkeypatch.setattr(copy.optim.Adam, "step", twice)
    first = compare_with_torch(training, rng(4, 3), library=copy).first_difference
    assert (first.kind, first.op) == ("value", "Adam.step"), first


def test_a_parameter_that_gets_no_gradient(copy, monkeypatch):
    def forward(self, x):
        return copy.nn.functional.linear(x, self.weight.detach(), self.bias)

    monkeypatch.setattr(copy.nn.Linear, "forward", forward)
    first = compare_with_torch(training, rng(4, 3), library=copy).first_difference
    assert (first.kind, first.of) == ("gradient", "last.weight")
    assert first.op == "module Linear (last)" and "arrives in minigrad, but not in" in first.what


def test_shape_dtype_and_exceptions(copy, monkeypatch):
    for wrong, kind in ((lambda x: x[:2], "shape"), (lambda x: x.double(), "dtype")):
        with monkeypatch.context() as patch:
            patch.setattr(copy, "relu", wrong)
            first = compare_with_torch(chain, rng(4, 3), rng(3, 5), library=copy).first_difference
            assert (first.kind, first.op) == (kind, "relu")
    monkeypatch.setattr(copy.Tensor, "log", lambda x: x.no_such_method())
    first = compare_with_torch(chain, rng(4, 3), rng(3, 5), library=copy).first_difference
    assert (first.kind, first.op) == ("exception", "Tensor.log")
    assert "minigrad returns; othergrad raises AttributeError" in first.what


def test_programs_that_go_different_ways(copy, monkeypatch):
    def program(torch, x):
        y = x.exp()
        if torch.is_grad_enabled():
            y = y.sin()
        return y.cos()

    monkeypatch.setattr(copy, "is_grad_enabled", lambda: False)
    first = compare_with_torch(program, rng(3), library=copy).first_difference
    assert (first.kind, first.op) == ("flow", "Tensor.sin")
    assert first.what.startswith("minigrad makes this call, othergrad does not")


def test_an_error_of_the_program_itself_is_raised(copy):
    with pytest.raises(ZeroDivisionError):
        compare_with_torch(lambda torch, x: 1 // 0, rng(2), library=copy)
    with pytest.raises(RuntimeError, match="shape"):
        compare_with_torch(lambda torch, x: x.view(17), rng(2), library=copy)


def test_random_numbers_are_replayed(copy):
    def program(torch, x):
        copies = "othergrad" in torch.__name__
        torch.manual_seed(5 if copies else 6)
        noise = torch.rand(3) + torch.empty(3).uniform_() + torch.randn_like(x)
        order = torch.randperm(3)
        return torch.nn.functional.dropout(x * noise, 0.5)[order].sum()

    assert compare_with_torch(program, rng(3), library=copy).ok


def test_draws_inside_an_op_are_said_to_be_random(copy):
    def program(torch, x):
        torch.manual_seed(5 if "othergrad" in torch.__name__ else 6)
        return torch.nn.functional.rrelu(x, training=True).sum()

    first = compare_with_torch(program, -np.ones(5, np.float32), library=copy).first_difference
    assert (first.kind, first.op) == ("random", "nn.functional.rrelu")


def test_first_values_of_parameters_are_copied(copy):
    def program(torch, x):
        layer = torch.nn.Linear(3, 2)
        with torch.no_grad():
            if "othergrad" in torch.__name__:
                layer.weight._data[...] = 7  # as another way to draw them would
        return layer(x)

    report = compare_with_torch(program, rng(2, 3), library=copy)
    assert report.ok and "Linear: first values copied" in report.notes[0]


SCRIPT = """
import torch
import torch.nn as nn
from torch import optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
data = TensorDataset(torch.randn(8, 3), torch.randn(8, 1))
opt = optim.SGD(net.parameters(), lr=0.1)
for x, y in DataLoader(data, batch_size=4, shuffle=True):
    opt.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    opt.step()
print(f"loss {loss.item():.3f}")
"""


def test_scripts(copy, tmp_path, monkeypatch):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    report = compare_with_torch(path, library=copy)
    assert report.ok, report
    assert report.title == "train.py" and report.calls > 15 and report.gradients > 15
    assert re.fullmatch(r"loss \d\.\d+\n", report.printed["minigrad"])
    assert report.printed["minigrad"] == report.printed["othergrad"]
    assert "torch" not in sys.modules or sys.modules["torch"] is not minigrad
    monkeypatch.setattr(copy.nn.Tanh, "forward", lambda self, x: x)
    first = compare_with_torch(str(path), library=copy).first_difference
    assert first.op == "module Tanh (1)" and first.source == "loss = ((net(x) - y) ** 2).mean()"


def test_everything_is_put_back(copy):
    places = [minigrad, minigrad.Tensor, minigrad.nn.functional, minigrad.nn.init,
              minigrad.nn.Module, minigrad.optim.SGD, minigrad.optim.Optimizer]
    before = [dict(vars(p)) for p in places]
    with pytest.raises(RuntimeError):
        compare_with_torch(lambda torch, x: x.view(17), rng(2), library=copy)
    assert compare_with_torch(chain, rng(4, 3), rng(3, 5), library=minigrad).ok
    assert [dict(vars(p)) for p in places] == before


def test_arguments(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="pip install torch"):
        compare_with_torch(chain, rng(4, 3), rng(3, 5))
    with pytest.raises(FileNotFoundError):
        compare_with_torch(tmp_path / "none.py", library=minigrad)
    with pytest.raises(TypeError, match="a script takes none"):
        compare_with_torch(tmp_path / "none.py", rng(2), library=minigrad)


def views(torch, x):
    y = x * 1
    part = y[1:3]
    part.mul_(2)
    y[:, 0] = 5
    z = y.t().contiguous().view(-1)[::2]
    y.add_(z.clamp_(-1, 1).sum())
    a, b = y.chunk(2)
    return torch.cat([a, b.exp()], 1).sort(dim=0)[0].cumsum(0)


def own_function(torch, x):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    w = torch.nn.Parameter(torch.ones(3))
    (Square.apply(x) @ w).sum().backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.grad.zero_()
    (Square.apply(x) * w).log1p().sum().backward()


def transforms(torch, x):
    slope = torch.func.vmap(torch.func.grad(lambda row: row.sin().sum()))(x)
    return torch.func.vmap(lambda row: (row * row).sum())(x) + slope.sum()


def penalty(torch, x):
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    y = net(x).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (g.pow(2).sum() + y).backward()


def layers(torch, x):
    rnn = torch.nn.GRU(3, 4, 2, bidirectional=True)
    block = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    y, h = rnn(x[None])
    return block(y).std(), h.mean()


PROGRAMS = [chain, training, views, own_function, transforms, penalty, layers]


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_false_alarm(copy, program):
    inputs = (rng(4, 3), rng(3, 5)) if program is chain else (rng(4, 3),)
    report = compare_with_torch(program, *inputs, library=copy)
    assert report.ok and report.calls > 2 and report.gradients > 2, report
    assert set(report.largest_ulp.values()) == {0.0}


@pytest.mark.parametrize("program", PROGRAMS)
def test_with_pytorch_itself(program):
    pytest.importorskip("torch")
    inputs = (rng(4, 3), rng(3, 5)) if program is chain else (rng(4, 3),)
    report = compare_with_torch(program, *inputs)
    assert report.ok and report.libraries == ("minigrad", "torch"), report
    assert report.calls > 2 and report.gradients > 2


def test_a_difference_from_pytorch_itself():
    torch = pytest.importorskip("torch")
    assert torch is not minigrad

    def wrong(torch, x):
        return torch.relu(x.clamp(min=-0.1 if torch is minigrad else -0.2))

    first = compare_with_torch(wrong, -np.ones(3, np.float32)).first_difference
    assert (first.kind, first.op) == ("value", "Tensor.clamp")
