"""The interactive page as text: self-contained, deterministic, small, whole; see test_browser."""

from __future__ import annotations

import html
import importlib
import json
import pkgutil
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad import engine, ops, viz
from minigrad.viz import html as page
from minigrad.viz._html_rules import FORMULAS

from .nets import cases
from .pages import LeNet, lenet

ASSETS = Path(page.__file__).parent / "assets"


class Reader(HTMLParser):
    """Collects elements, what they refer to, and the embedded data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.links += [given[k] for k in ("src", "href") if k in given]
        self.ids += [given["id"]] if "id" in given else []
        if tag not in ("meta", "link", "input", "br"):
            self.open.append(given.get("id", tag) or tag)

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "graph":
            self.data += data


def small(numbers: bool = False) -> viz.Graph:
    net, inputs, _ = cases()["mlp"]
    return viz.trace(net, *inputs, numbers=numbers)


def test_the_page_loads_nothing_from_elsewhere():
    text = small().html()
    read = Reader(text)
    assert read.links == ["data:,"]
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    assert "default-src 'none'" in text
    for word in ("@import", "url(", "https:", "fetch(", "XMLHttp", "import("):
        assert word not in text, word
    assert {part.split('"')[0] for part in text.split("http:")[1:]} == {"//www.w3.org/2000/svg"}


def test_the_same_graph_gives_the_same_bytes(tmp_path):
    first, second = small(), small()
    assert first.html() == second.html()
    assert first.save(tmp_path / "a.html").read_text() == second.html()
    assert small(numbers=True).html() != first.html()


def test_lenet_with_backward_is_far_below_a_megabyte():
    assert len(lenet().html().encode()) < 300_000


def test_the_page_holds_the_json():
    graph = lenet()
    held = json.loads(Reader(graph.html()).data)
    formulas = held.pop("formulas")
    options = [held.pop(name) for name in ("paint", "gradients", "shapes")]
    assert options == ["kind", False, True]
    assert held == json.loads(graph.json())
    assert set(formulas) == {"convolution", "linear", "relu", "max_pool", "row_cross_entropy"}


def test_draw_makes_a_page_with_backward_and_every_node(tmp_path):
    path = tmp_path / "net.html"

    def chain(x, w):
        for _ in range(100):
            x = x * w
        return x.sum()

    graph = viz.draw(chain, torch.ones(2), torch.ones(2), path=path)
    held = json.loads(Reader(path.read_text()).data)
    assert len(held["nodes"]) == len(graph.nodes) == 104
    assert "grad" in held["nodes"][0]
    folded = viz.draw(chain, torch.ones(2), torch.ones(2), path=path, fold=True)
    assert len(folded.nodes) < 20


def test_draw_makes_a_page_of_a_tape_that_backward_has_freed(tmp_path):
    x = torch.ones(2, requires_grad=True)
    loss = (x.exp() * x).sum()
    loss.backward()
    viz.draw(loss, path=tmp_path / "loss.html")
    held = json.loads(Reader((tmp_path / "loss.html").read_text()).data)
    assert [n["label"] for n in held["nodes"] if n["kind"] == "op"] == ["exp", "mul", "sum"]


def test_no_name_ends_the_script():
    def spoiled(x):
        raise ValueError("</script><b>&amp;<!--")

    with pytest.raises(ValueError, match="script") as caught:
        viz.trace(lambda x: spoiled(x.exp()), torch.ones(2))
    read = Reader(caught.value.graph.html())
    assert read.open == []
    assert json.loads(read.data)["error"].endswith("</script><b>&amp;<!--")


def test_large_graphs_leave_out_heat_maps_and_say_so():
    def chain(x):
        for _ in range(1100):
            x = x * 0.999
        return x

    graph = viz.trace(chain, torch.ones(9, 9))
    held = json.loads(Reader(graph.html()).data)
    assert "picture" in graph.nodes[5].stats.__slots__
    assert graph.nodes[5].stats.picture is not None
    assert all("picture" not in n.get("stats", {}) for n in held["nodes"])
    assert len(held["nodes"]) == len(graph.nodes)
    assert "1,000 nodes" in held["notes"][-1]


def test_huge_graphs_are_folded_first(monkeypatch):
    monkeypatch.setattr(page, "MOST", 50)

    def chain(x):
        for _ in range(300):
            x = x * 0.999
        return x

    held = json.loads(Reader(viz.trace(chain, torch.ones(2)).html()).data)
    assert len(held["nodes"]) <= 50
    assert held["notes"]


@pytest.mark.parametrize(("options", "theme"), [({}, "auto"), ({"theme": "light"}, "light"),
                                                ({"theme": "dark"}, "dark"),
                                                ({"theme": "print"}, "print")])
def test_theme(options, theme):
    graph = small()
    graph.options = options
    assert f'<html lang="en" data-theme="{theme}">' in graph.html()


def test_title_names_the_model():
    assert "<title>Computation graph: MLP</title>" in small().html()
    graph = viz.trace(lambda x: x.exp(), torch.ones(2))
    assert "<title>Computation graph: minigrad</title>" in graph.html()


def test_notebooks_show_the_page_in_a_frame():
    frame = page.to_iframe(small(), height=300)
    assert frame.startswith('<iframe srcdoc="') and 'height="300"' in frame

    class Frame(HTMLParser):
        def handle_starttag(self, tag, attrs):
            self.page = dict(attrs)["srcdoc"]

    reader = Frame()
    reader.feed(frame)
    assert reader.page == small().html()
    assert html.unescape(frame).count("<!DOCTYPE html>") == 1


def test_assets_are_small_files():
    names = {p.name for p in ASSETS.iterdir()}
    assert names == {f"{name}.js" for name in page.SCRIPTS} | {"page.html", "viewer.css"}
    for path in ASSETS.iterdir():
        lines = path.read_text().splitlines()
        assert len(lines) <= 400, path.name
        if path.suffix != ".html":
            assert max(map(len, lines)) <= 100, path.name


def test_formulas_are_those_of_ops():
    found = {}
    for module in pkgutil.iter_modules(ops.__path__):
        for value in vars(importlib.import_module(f"minigrad.ops.{module.name}")).values():
            if isinstance(getattr(value, "op", None), engine.Op):
                found[value.op.name] = value.op
    for name, formulas in FORMULAS.items():
        assert set(formulas) <= set(found[name].names), name


def luminance(colour):
    """WCAG's relative luminance."""
    colour = colour if len(colour) == 7 else "#" + "".join(c * 2 for c in colour[1:])
    parts = [int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [":root {", ':root[data-theme="dark"] {',
                                   ':root[data-theme="print"] {'])
def test_text_can_be_read_in_every_theme(theme):
    text = (ASSETS / "viewer.css").read_text()
    start = text.index(f"\n{theme}" if theme != ":root {" else theme)
    block = text[start:text.index("}", start)]
    colours = dict(re.findall(r"--(\w+): (#\w+);", block))
    for ink, grounds in {"ink": ("page", "side", "box0", "box1", "op", "input", "parameter",
                                 "buffer", "constant", "output", "module", "error"),
                         "muted": ("page", "side", "box0", "box1"), "accent": ("page", "side"),
                         "errorink": ("page", "error"), "back": ("page", "side")}.items():
        for ground in grounds:
            low, high = sorted((luminance(colours[ink]), luminance(colours[ground])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


def test_every_control_has_a_name():
    text = (ASSETS / "page.html").read_text()
    for tag, attributes, content in re.findall(r"<(button|input|select)([^>]*)>([^<]*)", text):
        assert "aria-label" in attributes or content.strip() or tag == "select", attributes


def gradients(f, *inputs):
    """Return a weighting of f's result and the gradients that it gives."""
    leaves = [torch.tensor(x).double().requires_grad_() for x in inputs]
    y = f(*leaves)
    g = torch.linspace(-1, 1, y.numel()).double().reshape(y.shape)
    return leaves, y.detach(), g, torch.autograd.grad(y, leaves, g)


@pytest.mark.parametrize("name", ["linear", "softmax", "log_softmax", "rms_norm", "layer_norm"])
def test_formulas_for_readers_are_right(name):
    """The formulas that are more than words, written out, against the engine."""
    x0 = [[0.3, -1.2, 0.7], [2.0, 0.1, -0.4]]
    w0 = [0.5, -1.5, 2.0]
    if name == "linear":
        (x, w), y, g, found = gradients(F.linear, x0, [w0, w0[::-1]])
        expected = (g @ w, g.T @ x)
    elif name in ("softmax", "log_softmax"):
        (x,), y, g, found = gradients(lambda x: getattr(F, name)(x, -1), x0)
        total = (g * y).sum(-1, keepdim=True)
        expected = (y * (g - total),) if name == "softmax" else (
            g - y.exp() * g.sum(-1, keepdim=True),)
    elif name == "rms_norm":
        (x, w), y, g, found = gradients(lambda x, w: F.rms_norm(x, (3,), w, 0.1), x0, w0)
        rms = (x.square().mean(-1, keepdim=True) + 0.1).sqrt()
        h = x / rms
        expected = ((g * w - h * (g * w * h).mean(-1, keepdim=True)) / rms, (g * h).sum(0))
    else:
        (x, w), y, g, found = gradients(lambda x, w: F.layer_norm(x, (3,), w), x0, w0)
        h = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
        inner = g * w
        invstd = (x.var(-1, correction=0, keepdim=True) + 1e-5).rsqrt()
        expected = (invstd * (inner - inner.mean(-1, keepdim=True)
                              - h * (inner * h).mean(-1, keepdim=True)), (g * h).sum(0))
    assert name in FORMULAS
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_lenet_is_the_net_of_the_docs():
    assert sum(p.numel() for p in LeNet().parameters()) == 61_706
