"""The SVG pictures in a browser: texts as wide as it draws them stay in their boxes, and apart."""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad import viz

from .browser import browser_path
from .nets import cases, fails_backward, fails_forward

pytestmark = [pytest.mark.slow, pytest.mark.skipif(browser_path() is None, reason=
    "no Chromium or Chrome: text widths are not measured")]

FAULTS = """(() => {
  const faults = [];
  const boxOf = (e) => { const b = e.getBBox(); return { x: b.x, y: b.y, r: b.x + b.width,
    b: b.y + b.height, text: e.textContent }; };
  const all = (from, kinds) => [...from.querySelectorAll(kinds)].map(boxOf);
  const inside = (a, b) => a.x >= b.x - 0.5 && a.r <= b.r + 0.5 && a.y >= b.y - 1.5
    && a.b <= b.b + 1.5;
  const meet = (a, b, by) => Math.min(a.r, b.r) - Math.max(a.x, b.x) > by
    && Math.min(a.b, b.b) - Math.max(a.y, b.y) > by + 4; // lines of one text are set tightly
  const svg = document.querySelector("svg");
  const page = svg.viewBox.baseVal;
  const nodes = [];
  for (const group of svg.querySelectorAll("g.node")) {
    const shapes = all(group, "path, polygon, ellipse, polyline");
    const outer = shapes.reduce((a, b) => ({ x: Math.min(a.x, b.x), y: Math.min(a.y, b.y),
      r: Math.max(a.r, b.r), b: Math.max(a.b, b.b) }), { x: 1e9, y: 1e9, r: -1e9, b: -1e9 });
    nodes.push(outer);
    for (const text of all(group, "text")) {
      const mid = [(text.x + text.r) / 2, (text.y + text.b) / 2];
      const around = shapes.filter((s) => s.x <= mid[0] && s.r >= mid[0] && s.y <= mid[1]
        && s.b >= mid[1]).sort((a, b) => (a.r - a.x) * (a.b - a.y) - (b.r - b.x) * (b.b - b.y));
      if (shapes.length && !(around.length && inside(text, around[0]))) {
        faults.push(`${text.text} runs out of its box`);
      }
    }
  }
  const texts = all(svg, "text");
  texts.forEach((a, k) => texts.slice(k + 1).forEach((b) => {
    if (meet(a, b, 0.5)) faults.push(`${a.text} and ${b.text} overlap`);
  }));
  const shift = svg.querySelector("g.graph").transform.baseVal.consolidate().matrix;
  for (const t of texts) {
    if (t.x + shift.e < 0 || t.r + shift.e > page.width || t.b + shift.f > page.height) {
      faults.push(`${t.text} runs out of the picture`);
    }
  }
  for (const label of all(svg, "g.labels text")) {
    for (const node of nodes) {
      if (meet(label, node, 1)) faults.push(`${label.text} lies on a node`);
    }
  }
  return [texts.length, faults];
})()"""


def graphs(name):
    """Return one net's pictures: plain, with gradients, and painted."""
    if name in ("fails_forward", "fails_backward"):
        model = fails_forward() if name == "fails_forward" else fails_backward
        with pytest.raises(RuntimeError) as caught:
            viz.draw(model, torch.ones(2, 8), backward=True)
        return [caught.value.graph]
    model, inputs, _ = cases()[name]
    whole = viz.trace(model, *inputs)
    return [whole, whole.styled(backward=True), whole.fold(), whole.collapsed(1),
            whole.styled(paint="memory", theme="dark"), whole.styled(direction="LR")]


@pytest.mark.parametrize("name", [*cases(), "fails_forward", "fails_backward"])
def test_texts_stay_in_their_boxes_and_apart(name, chrome, tmp_path):
    for k, graph in enumerate(graphs(name)):
        path = graph.save(tmp_path / f"{k}.svg")
        page = tmp_path / f"{k}.html"
        page.write_text(path.read_text(encoding="utf-8").partition("<svg")[2].join(
            ["<!DOCTYPE html><meta charset='utf-8'><svg", ""]), encoding="utf-8")
        chrome.open(page)
        count, faults = chrome.run(FAULTS)
        assert count >= len([n for n in graph.nodes if n.kind == "op"])
        assert faults == [], k


def test_the_measurement_sees_faults(chrome, tmp_path):
    svg = viz.trace(nn.Linear(2, 3), torch.ones(1, 2)).svg()
    page = tmp_path / "page.html"
    for old, new, fault in (("weight<", f"{'weight' * 9}<", "runs out"),
                            (">3×2<", f">{'3×2' * 30}<", "overlap")):
        assert old in svg
        page.write_text("<!DOCTYPE html><meta charset='utf-8'><svg" + svg.replace(
            old, new, 1).partition("<svg")[2], encoding="utf-8")
        chrome.open(page)
        assert any(fault in found for found in chrome.run(FAULTS)[1])
