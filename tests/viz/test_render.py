"""Pictures: well-formed, complete, quiet; both ways to Graphviz, and none."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ElementTree

import pytest

import minigrad as torch
from minigrad import viz

from .nets import MLP, cases

SVG = "{http://www.w3.org/2000/svg}"
NAMES = list(cases())


def elements(svg, kind):
    root = ElementTree.fromstring(svg)
    return [g for g in root.iter(f"{SVG}g") if g.get("class") == kind]


def texts(element):
    return ["".join(t.itertext()) for t in element.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", NAMES)
def test_svg_shows_everything(name, capfd):
    model, inputs, _ = cases()[name]
    graph = viz.draw(model, *inputs)
    svg = graph.svg()
    titles = {g.find(f"{SVG}title").text for g in elements(svg, "node")}
    assert titles <= {n.id for n in graph.nodes}
    ops = {n.id for n in graph.nodes if n.kind not in ("parameter", "buffer")}
    assert ops <= titles
    for edge in elements(svg, "edge"):
        source, target = edge.find(f"{SVG}title").text.split("->")
        assert {source, target} <= titles
    words = texts(ElementTree.fromstring(svg))
    for node in graph.nodes:
        if node.kind == "parameter":
            assert any(w == node.label or w.endswith("." + node.label) for w in words)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", NAMES)
def test_labels_stay_inside_their_boxes(name):
    """Text, taken as half an em wide per letter, does not run out of its node."""
    model, inputs, _ = cases()[name]
    for group in elements(viz.draw(model, *inputs).svg(), "node"):
        xs = []
        for shape in group:
            if shape.tag == f"{SVG}polygon":
                xs += [float(p.split(",")[0]) for p in shape.get("points").split()]
            elif shape.tag == f"{SVG}ellipse":
                half, centre = float(shape.get("rx")), float(shape.get("cx"))
                xs += [centre - half, centre + half]
            elif shape.tag == f"{SVG}path":
                pairs = shape.get("d").replace("M", " ").replace("C", " ").split()
                xs += [float(p.split(",")[0]) for p in pairs]
        for text in group.iter(f"{SVG}text"):
            size = float(text.get("font-size"))
            width = 0.5 * size * len("".join(text.itertext()))
            at = float(text.get("x"))
            left = {"middle": at - width / 2, "start": at}[text.get("text-anchor", "start")]
            assert min(xs) <= left
            assert left + width <= max(xs)


def test_pictures_are_the_same_every_time():
    model, inputs, _ = cases()["residual"]
    first, second = (viz.draw(model, *inputs).svg() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("suffix", "start"), [
    ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml"), ("gv", b"digraph")])
def test_save_chooses_by_the_suffix(suffix, start, tmp_path, capfd):
    path = tmp_path / "new" / f"graph.{suffix}"
    graph = viz.draw(MLP(), torch.ones(1, 8), path=path, theme="dark")
    assert path.read_bytes().startswith(start)
    assert graph.save(str(path)) == path
    assert capfd.readouterr().err == ""


def test_notebooks_show_the_picture():
    graph = viz.trace(MLP(), torch.ones(1, 8))
    assert graph._repr_svg_() == graph.svg()


def test_the_dot_program_comes_first(monkeypatch):
    import graphviz

    asked = []

    class Source:
        def __init__(self, source):
            self.source = source

        def pipe(self, format, quiet):
            asked.append((self.source, format, quiet))
            return b"<svg/>"

    monkeypatch.setattr(shutil, "which", lambda name: "/somewhere/dot" if name == "dot" else None)
    monkeypatch.setattr(graphviz, "Source", Source)
    graph = viz.trace(MLP(), torch.ones(1, 8))
    assert graph.svg() == "<svg/>"
    assert asked == [(graph.dot(), "svg", True)]


def test_without_graphviz_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    graph = viz.trace(MLP(), torch.ones(1, 8))
    with pytest.raises(RuntimeError, match="pip install pygraphviz"):
        graph.png()
    assert graph.mermaid().startswith("flowchart")
    assert graph.dot().startswith("digraph")


def test_what_graphviz_refuses_is_an_error_with_its_message(capfd):
    from minigrad.viz.render import render

    with pytest.raises(RuntimeError, match="syntax error"):
        render("digraph {", "svg")
    assert capfd.readouterr().err == ""


def test_names_with_signs_are_escaped():
    graph = viz.trace(lambda d: d['a<b>&"c"|#'] * 2, {'a<b>&"c"|#': torch.ones(1)})
    assert "d['a<b>&\"c\"|#']" in texts(ElementTree.fromstring(graph.svg()))
    assert "a#lt;b#gt;&#quot;c#quot;#124;#35;" in graph.mermaid()


def test_a_weight_with_very_many_uses_is_named_instead_of_joined():
    x, w = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    y = x
    for _ in range(8):
        y = y * w
    graph = viz.graph_of(y, {"x": x, "w": w})
    source = next(n.id for n in graph.nodes if n.label == "w")
    assert len([e for e in graph.edges if e.source == source]) == 8
    assert graph.dot().count(f'"{source}" ->') == 1
    assert graph.dot().count("<I>w</I>") == 7


def test_a_png_that_would_be_too_large_is_folded(monkeypatch):
    from minigrad.viz import render

    def fn(x):
        for _ in range(12):
            x = x.sin() + x.cos()
        return x

    graph = viz.trace(fn, torch.ones(3))
    width, height = render.png_size(graph.png())
    monkeypatch.setattr(render, "SIDE", height - 100)
    small = render.png_size(graph.png())
    assert max(small) < height - 100
    assert width > 0
