"""Painted pictures: fills, scales, legends, the backward overlay, verdicts, themes."""

from __future__ import annotations

import re

import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad import viz
from minigrad.testing import check_gradients
from minigrad.viz.options import CHOICES
from minigrad.viz.paint import PAINTS, count_text, painting, size_text, time_text
from minigrad.viz.themes import LIGHT, SHAPES, THEMES

from .nets import MLP, classifier, nans

PLAIN = [p for p in PAINTS if p not in ("kind", "gradcheck")]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("paint", PLAIN)
def test_every_paint_has_a_legend_and_fills(paint, theme):
    graph = viz.draw(classifier(), torch.rand(2, 3, 8, 8), paint=paint, theme=theme)
    made = painting(graph, paint, THEMES[theme])
    source = graph.dot()
    assert made.title in source
    for colour, text in made.legend:
        assert f'BGCOLOR="{colour}">  {text}  <' in source
    assert made.fills
    assert set(made.fills) <= {n.id for n in graph.nodes}
    assert graph.svg().count("<polygon") > 3


def test_the_most_expensive_op_is_the_darkest():
    graph = viz.draw(classifier(), torch.rand(2, 3, 8, 8), paint="flops")
    made = painting(graph, "flops", THEMES["light"])
    convolution = graph.find("convolution")[0]
    assert made.fills[convolution.id] == THEMES["light"].scale[-1]
    assert made.lines[convolution.id] == "27.6 k FLOP"


def test_where_nan_begins():
    graph = viz.draw(nans, torch.ones(3), paint="nan")
    fills = painting(graph, "nan", THEMES["light"]).fills
    by_fill = {n.label: fills.get(n.id) for n in graph.nodes}
    assert by_fill["log"] == by_fill["sqrt"] == THEMES["light"].bad
    assert by_fill["output"] == THEMES["light"].doubtful
    assert [n.label for n in graph.nodes if fills.get(n.id) == THEMES["light"].bad] == [
        "log", "sqrt"]


def test_dead_units():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh())
    with torch.no_grad():
        net[0].bias.copy_(torch.tensor([-9.0, -9, 9, 9]))
        net[2].bias.fill_(50.0)
    graph = viz.draw(net, torch.rand(5, 3), paint="dead")
    lines = painting(graph, "dead", THEMES["light"]).lines
    assert {n.label: lines[n.id] for n in graph.nodes if n.id in lines} == {
        "relu": "50 %", "tanh": "100 %"}


def test_verdicts_of_a_gradient_check():
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    def fn(x, w):
        return (Wrong.apply(x) * w).sum()

    given = [torch.rand(3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    report = check_gradients(fn, *given)
    graph = viz.draw(fn, *given, paint="gradcheck", report=report)
    verdicts = {n.label: n.verdict for n in graph.nodes}
    assert verdicts["Wrong"] == "wrong: its own rule"
    assert verdicts["x"].startswith("wrong: ")
    assert (verdicts["w"], verdicts["mul"]) == ("ok", "ok")
    assert "FAILED" in graph.notes[-1]
    assert f'fillcolor="{THEMES["light"].bad}"' in graph.dot()
    with pytest.raises(ValueError, match="report"):
        viz.draw(fn, *given, paint="gradcheck")
    with pytest.raises(TypeError, match="check_gradients"):
        viz.trace(fn, *given).judged(3)


def test_verdicts_on_a_module():
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    graph = viz.trace(net, torch.rand(3, 2)).judged(check_gradients(net, torch.rand(3, 2)))
    assert {n.verdict for n in graph.nodes if n.kind in ("parameter", "op")} == {"ok"}


def test_the_backward_overlay():
    def fn(x, w):
        h = (x * w).relu()
        return (h + h.detach() * 2).sum()

    graph = viz.draw(fn, torch.ones(3), torch.ones(3), backward=True)
    source = graph.dot()
    back = re.findall(r'"(\w+)" -> "(\w+)" \[style=dashed', source)
    assert sorted((s, t) for t, s in back) == sorted(
        (e.source, e.target) for e in graph.edges if e.gradient and e.target != "out0")
    assert '|g| 1.73' in source
    assert 'arrowhead=tee, label=" detach "' in source
    assert "keeps other, input (24 B)" in source
    assert "gradient norm 1.73" in source
    assert "style=dashed, constraint" not in viz.draw(fn, torch.ones(3), torch.ones(3)).dot()


def test_kinds_differ_in_colour_and_in_shape():
    kinds = ("input", "parameter", "buffer", "op", "output", "loss")
    assert len({SHAPES[k] for k in kinds}) == len(kinds)
    assert len({LIGHT[k] for k in kinds}) == len(kinds)


@pytest.mark.parametrize("theme", THEMES)
def test_scales_become_steadily_darker_or_lighter(theme):
    def light(colour):
        red, green, blue = (int(colour[k:k + 2], 16) for k in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    steps = [light(c) for c in THEMES[theme].scale]
    assert steps in (sorted(steps), sorted(steps, reverse=True))
    for fill in [*THEMES[theme].scale, *THEMES[theme].kinds.values()]:
        assert abs(light(fill) - light(THEMES[theme].ink)) > 90


@pytest.mark.parametrize("option", CHOICES)
def test_options_of_styled(option):
    graph = viz.trace(MLP(), torch.ones(1, 8))
    for value in CHOICES[option]:
        assert graph.styled(**{option: value}).options[option] == value
    with pytest.raises(ValueError, match=option):
        graph.styled(**{option: "none of these"})


def test_units():
    assert [size_text(v) for v in (12, 3456, 7.8e6, 9e9)] == ["12 B", "3.46 KB", "7.8 MB", "9 GB"]
    assert [count_text(v) for v in (12, 3456, 7.8e6)] == ["12", "3.46 k", "7.8 M"]
    assert [time_text(v) for v in (2e-6, 0.003, 4.5)] == ["2 µs", "3 ms", "4.5 s"]
