"""The report: its table, its parts, the line to paste, blame and the drawing."""

from __future__ import annotations

import json

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.autograd import Function
from minigrad.testing import check_gradients


class Doubled(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos() * 2


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        hidden = self.first(x).tanh()
        hidden = Doubled.apply(hidden)
        return self.last(hidden).sigmoid()


def one_wrong(x, g):
    made = g * np.cos(x)
    made[1, 2] *= 2
    return (made,)


@pytest.fixture
def report():
    x = np.random.default_rng(0).standard_normal((3, 4))
    return check_gradients(np.sin, x, grad=one_wrong)


def test_the_table(report):
    lines = str(report).splitlines()
    assert lines[0].startswith("gradcheck FAILED  sin   (float64, 2 directions, ")
    assert f"{report.evaluations} evaluations" in lines[0]
    assert lines[1].split() == ["input", "element", "output", "analytic", "numeric", "abs", "err",
                                "rel", "err", "verdict"]
    assert lines[2].split()[:3] == ["x", "[1,2]", "[1,2]"] and "x2.000: " in lines[2]
    text = str(report)
    assert " advice: " in text and " checked: x (12)" in text
    assert "forward deterministic: yes | gradient dtype: ok | non-contiguous input: same" in text
    assert "state (buffers, RNG) restored: yes" in text


def test_attributes(report):
    (failure,) = report.failures
    assert not report.ok and not report and report.checked == {"x": 12}
    assert (failure.input, failure.index, failure.output) == ("x", (1, 2), (1, 2))
    assert failure.rel_error == pytest.approx(1.0)
    assert failure.abs_error == pytest.approx(abs(failure.numeric))
    assert report.seconds > 0 and report.evaluations > 10
    fine = check_gradients(np.sin, np.ones(3), grad=lambda x, g: (g * np.cos(x),))
    assert fine.ok and fine and str(fine).startswith("gradcheck ok  sin")


def test_export(report):
    content = json.loads(json.dumps(report.to_dict()))
    assert content["ok"] is False and content["failures"][0]["index"] == [1, 2]
    assert content["failures"][0]["cause"] == report.failures[0].cause
    page = report._repr_html_()
    assert "<table " in page and ">[1,2]</td>" in page
    assert "<table>" not in check_gradients(torch.tanh, torch.ones(2))._repr_html_()


def test_the_line_to_paste_works():
    x = np.random.default_rng(0).standard_normal((3, 4))
    report = check_gradients(np.sin, x, seed=3,
                             grad=one_wrong)
    assert report.reproduce == (
        "check_gradients(np.sin, x, grad=one_wrong, seed=3, only=('x', (1, 2)))")
    again = eval(report.reproduce)
    assert [f.index for f in again.failures] == [(1, 2)]
    assert again.failures[0].numeric == pytest.approx(report.failures[0].numeric)
    assert again.evaluations < report.evaluations
    right = check_gradients(np.sin, x, grad=one_wrong, only=[("x", (0, 0)), ("x", (2,))])
    assert right.ok


def test_without_source_the_names_of_variables_are_taken():
    x = np.random.default_rng(0).standard_normal((3, 4))
    names = {"check_gradients": check_gradients, "sine": np.sin, "x": x, "one_wrong": one_wrong}
    exec("report = check_gradients(sine, x, grad=one_wrong)", names)
    assert names["report"].reproduce.startswith("minigrad.testing.check_gradients(sine, x, seed=0")


def test_blame_names_the_op_and_the_line():
    net, x = Net(), torch.randn(5, 3)
    report = check_gradients(net, x)
    assert not report.ok
    blame = report.blame()
    assert blame.op == "Doubled" and "hidden = Doubled.apply(hidden)" in blame.where
    assert __file__ in blame.where and not blame.report.ok and blame.checked >= 5
    assert "the rule of Doubled is wrong" in str(blame)
    assert not blame.others


def test_blame_of_a_detached_value_says_that_the_rules_are_right():
    report = check_gradients(lambda x: x.exp() * x.detach(), torch.randn(4))
    blame = report.blame()
    assert blame.op is None and "rules of all" in str(blame)


def test_blame_of_an_op_of_the_package(monkeypatch):
    from minigrad.ops import special

    op = special.sinh.op
    rule, names = op.rules[0]
    monkeypatch.setitem(op.rules, 0, (lambda *args: rule(*args) * 3, names))
    monkeypatch.setattr(op, "plans", {})
    monkeypatch.setattr(op, "run", op.begin)
    report = check_gradients(lambda x: (x * 2).sinh().sum(), torch.randn(4))
    assert report.blame().op == "sinh"


def test_the_drawing_paints_the_op():
    report = check_gradients(Net(), torch.randn(5, 3))
    graph = report.draw()
    (painted,) = [n for n in graph.nodes if "gradient is wrong" in n.note]
    assert painted.label == "Doubled" and painted.id == graph.painted
    assert sum("#f4a6a0" in line for line in graph.dot().split("\n")) == 1
    fine = check_gradients(torch.tanh, torch.ones(2)).draw()
    assert "#f4a6a0" not in fine.dot() and "ok" in fine.notes[-1]


def test_arrays_have_neither_blame_nor_drawing(report):
    with pytest.raises(ValueError, match="only functions of tensors"):
        report.blame()
    with pytest.raises(ValueError, match="only functions of tensors"):
        report.draw()
