"""Modules and faults: everything is put back, and what the code does wrong is reported."""

from __future__ import annotations

import random

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.autograd import Function, GradcheckError
from minigrad.testing import check_gradients, check_module


def kinds(report):
    return {f.kind for f in report.failures}


def snapshot(module):
    """Return everything that a check must not change, bit for bit."""
    return [(name, id(t), id(t._data), t._data.tobytes(), t.dtype, t._version, t.requires_grad,
             t.grad is None or t.grad._data.tobytes())
            for name, t in [*module.named_parameters(), *module.named_buffers()]] + [
                m.training for m in module.modules()]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.bn = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(12, 2)
        self.fail_at = None
        self.eval_part = nn.BatchNorm1d(2).eval()

    def forward(self, x):
        np.random.seed(1)
        random.seed(2)
        torch.manual_seed(3)
        made = self.drop(self.bn(self.conv(x)).relu()).flatten(1)
        return self.eval_part(self.fc(made))


def test_a_float32_net_is_left_as_it_was():
    net = Net()
    net(torch.randn(4, 2, 4, 4)).sum().backward()
    x = torch.randn(4, 2, 4, 4)
    kept = x.clone()
    random.random()
    before = (snapshot(net), random.getstate(), np.random.get_state()[1].copy(),
              torch.get_rng_state())
    report = check_gradients(net, x)
    assert report.ok, str(report)
    assert set(report.checked) == {"x", *(name for name, _ in net.named_parameters())}
    assert any("float64 copies" in note for note in report.notes)
    assert any("replayed" in note for note in report.notes)
    assert report.not_checked["bn.running_mean"] == "buffer"
    after = (snapshot(net), random.getstate(), np.random.get_state()[1], torch.get_rng_state())
    assert before[0] == after[0] and before[1] == after[1] and (before[2] == after[2]).all()
    assert torch.equal(before[3], after[3]) and torch.equal(x, kept)


def test_everything_is_put_back_when_the_check_raises():
    class Raises(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn = nn.BatchNorm1d(3)
            self.calls = 0

        def forward(self, x):
            np.random.seed(1)
            self.bn(x)
            self.calls += 1
            raise KeyError("no")

    net = Raises()
    before, state = snapshot(net), np.random.get_state()[1].copy()
    with pytest.raises(KeyError):
        check_gradients(net, torch.randn(4, 3))
    assert snapshot(net) == before and net.calls == 0
    assert (np.random.get_state()[1] == state).all()
    with pytest.raises(GradcheckError) as caught:
        check_gradients(Lost(), torch.randn(2, 3), raise_exception=True)
    assert caught.value.report.failures[0].input == "weight"


class Lost(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x * self.weight.detach()


def test_a_lost_weight_gradient_is_named():
    report = check_gradients(Lost(), torch.randn(2, 3))
    assert {f.input for f in report.failures} == {"weight"}
    assert "detached" in report.failures[0].cause


def test_modules_that_a_function_refers_to_are_put_back():
    bn = nn.BatchNorm1d(3)
    before = snapshot(bn)
    report = check_gradients(lambda x: bn(x).sin(), torch.randn(5, 3))
    assert report.ok and snapshot(bn) == before


def test_changed_attributes_are_reported_and_put_back():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.count, self.seen = 0, []

        def forward(self, x):
            self.count += 1
            self.seen.append(x)
            self.latest = x
            return x * 2

    net = Counts()
    report = check_gradients(net, torch.randn(3))
    assert kinds(report) == {"state"}
    assert {f.input for f in report.failures} == {"count", "seen", "latest"}
    assert net.count == 0 and net.seen == [] and not hasattr(net, "latest")


def test_dropout_and_generators():
    g = torch.Generator().manual_seed(4)
    state = g.get_state()
    report = check_gradients(nn.Dropout(0.4, generator=g), torch.randn(5, 4))
    assert report.ok and torch.equal(g.get_state(), state)
    report = check_gradients(lambda x: x * np.random.rand(), torch.randn(3))
    assert kinds(report) == {"nondeterministic"} and not report.status.deterministic


class Backward(Function):
    rule = None

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return Backward.rule(g)


def _raises(g):
    raise KeyError("missing")


@pytest.mark.parametrize(("rule", "kind"), [
    (_raises, "undefined"), (lambda g: g[:1] * 2, "shape"), (lambda g: (g, g), "shape"),
    (lambda g: g * float("nan"), "nan"), (lambda g: None, "mismatch")])
def test_faults_of_backward(monkeypatch, rule, kind):
    monkeypatch.setattr(Backward, "rule", staticmethod(rule))
    report = check_gradients(Backward.apply, torch.randn(3, dtype=torch.float64))
    assert kinds(report) == {kind}, str(report)
    assert report.failures[0].advice


@pytest.mark.parametrize(("function", "gradient", "kind"), [
    (lambda x: x * 2, lambda x, g: (g.T * 2,), "shape"),
    (lambda x: x * 2, lambda x, g: (g * 2, g), "shape"),
    (lambda x: x * 2, lambda x, g: ((g * 2).astype(np.float32),), "dtype"),
    (lambda x: x * 2, lambda x, g: (g * 2 + 0j,), "dtype"),
    (lambda x: np.multiply(x, 2, out=x) * 1, lambda x, g: (g * 2,), "mutated-input"),
    (lambda x: x * 2, lambda x, g: (np.multiply(g, 2, out=x),), "mutated-input"),
])
def test_faults_of_functions_of_arrays(function, gradient, kind):
    x = np.random.default_rng(0).standard_normal((2, 3))
    kept = x.copy()
    report = check_gradients(function, x, grad=gradient)
    assert kinds(report) == {kind}, str(report)
    assert (x == kept).all()


def test_a_write_behind_the_back_of_autograd():
    def writes(x):
        x.data.add_(1)
        return x * 1

    report = check_gradients(writes, torch.randn(3))
    assert "mutated-input" in kinds(report)
    fine = check_gradients(nn.ReLU(inplace=True), torch.randn(3, 4))
    assert fine.ok and any("written in place" in note for note in fine.notes)


def test_variants_that_the_function_rejects_are_not_failures():
    def picky(x):
        if not x.is_contiguous() or not x.numel():
            raise ValueError("contiguous input only")
        return x * 2

    report = check_gradients(picky, torch.randn(3, 4))
    assert report.ok
    assert {"non-contiguous input", "zero-size input"} <= set(report.not_checked)


def test_code_that_ignores_strides_is_found():
    class Ravels(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    def reads_memory(x):
        array = x.detach().numpy()
        whole = array.base if array.base is not None and array.base.size > array.size else array
        return x * 2 + torch.from_numpy(whole.reshape(-1)[:array.size].reshape(array.shape) * 0
                                        + whole.reshape(-1)[1])

    report = check_gradients(reads_memory, torch.randn(3, 4, dtype=torch.float64), wrt=["x"])
    assert report.status.variants.get("non-contiguous") == "FAILS"


def test_nested_inputs_have_names():
    def function(params, pair, *rest):
        return params["w"] * pair[0] + params["deep"][1] * rest[0] + pair[1]

    w = torch.randn(3)
    report = check_gradients(function, {"w": w, "deep": (torch.arange(3), w * 2)}, [w, w], w)
    assert report.ok
    assert set(report.checked) == {"params['w']", "params['deep'][1]", "pair[0]", "pair[1]",
                                   "rest[0]"}
    assert report.not_checked["params['deep'][0]"].startswith("torch.int64") or (
        "int64" in report.not_checked["params['deep'][0]"])
    some = check_gradients(function, {"w": w, "deep": (torch.arange(3), w * 2)}, [w, w], w,
                           wrt=["pair[1]"])
    assert list(some.checked) == ["pair[1]"]


def test_nested_arrays():
    def function(params, x, labels):
        return {"loss": np.sum(params["w"] * x), "parts": [x**2, labels]}

    def gradient(params, x, labels, g):
        return {"w": g["loss"] * x}, g["loss"] * params["w"] + 2 * x * g["parts"][0], None

    rng = np.random.default_rng(0)
    inputs = {"w": rng.standard_normal(4)}, rng.standard_normal(4), np.arange(4)
    report = check_gradients(function, *inputs, grad=gradient)
    assert report.ok, str(report)
    assert set(report.checked) == {"params['w']", "x"}
    wrong = check_gradients(function, *inputs, grad=lambda p, x, t, g: (
        gradient(p, x, t, g)[0], g["loss"] * p["w"] + 3 * x * g["parts"][0], None))
    assert {f.input for f in wrong.failures} == {"x"}
    assert wrong.failures[0].output[0] == 1


def test_a_gradient_may_reuse_what_its_function_left_behind():
    buffer = np.zeros(5)

    def function(x):
        np.tanh(x, out=buffer)
        return buffer

    x = np.random.default_rng(0).standard_normal(5)
    assert check_gradients(function, x, grad=lambda x, g: (g * (1 - buffer**2),)).ok


def test_check_module():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.2))
    reports = check_module(net, (6, 3))
    assert [r.ok for r in reports] == [True, True] and net.training
    assert "eval mode" in reports[1].title
    assert check_module(nn.Bilinear(2, 3, 4), [(5, 2), (5, 3)], modes=["eval"])[0].ok
    with pytest.raises(GradcheckError):
        check_module(Lost(), (2, 3))
    with pytest.raises(TypeError, match="expected a Module"):
        check_module(torch.tanh, (2, 3))
    with pytest.raises(ValueError, match="'train' and 'eval'"):
        check_module(net, (6, 3), modes=["test"])


def test_refusals():
    x = torch.randn(3)
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        check_gradients(torch.tanh, x, order=3)
    with pytest.raises(ValueError, match="written by hand"):
        check_gradients(np.sin, np.ones(3), grad=lambda x, g: (g,), order=2)
    with pytest.raises(ValueError, match="directions"):
        check_gradients(torch.tanh, x, directions=0)
    with pytest.raises(ValueError, match="wrt names"):
        check_gradients(torch.tanh, x, wrt=["y"])
    with pytest.raises(ValueError, match="only names"):
        check_gradients(torch.tanh, x, only=("y", (0,)))
    with pytest.raises(ValueError, match="at least one floating point input"):
        check_gradients(torch.tanh, torch.arange(3))
    with pytest.raises(ValueError, match="no floating point tensor"):
        check_gradients(lambda x: x > 0, x)
