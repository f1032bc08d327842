"""The interactive page in a browser: stepping shows the engine's numbers, paint shows the costs."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad import viz

from .browser import browser_path
from .pages import PAGES, LeNet, images

pytestmark = [pytest.mark.slow, pytest.mark.skipif(browser_path() is None, reason=
    "no Chromium or Chrome: the page is not tested in a browser")]


def numbers_in(text):
    return [float(v) for v in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text.replace("−", "-"))]


def go_to(page, phase, title, kind=None):
    """Step to the step of a node; return the panel's text."""
    found = page.run(f"app.steps.findIndex((s) => s.phase === {json.dumps(phase)} && "
                     f"titleOf(s.node) === {json.dumps(title)} && "
                     f"({json.dumps(kind)} === null || s.kind === {json.dumps(kind)}))")
    assert found >= 0, title
    page.run(f"app.goTo({found})")
    return page.run("app.panel.innerText")


@pytest.mark.parametrize("name", PAGES)
def test_every_step_and_every_panel_can_be_shown(load, name):
    page = load(name)
    seen = page.run("""(() => {
      const texts = app.steps.slice(0, 300).map((step, k) => {
        app.goTo(k);
        return app.panel.innerText;
      });
      for (const item of [...app.model.nodes.values(), ...app.model.boxes.values()].slice(0, 300)) {
        app.select(item.id);
        texts.push(app.panel.innerText, ...brief(app, item));
      }
      return texts; })()""")
    assert all(seen)
    assert not [text for text in seen if "undefined" in text or "[object" in text]
    if name != "nan":
        assert not [text for text in seen if "NaN" in text]


def test_backward_stops_where_it_failed(load):
    page = load("fails_backward")
    steps = page.run("app.steps.filter((s) => s.phase === 'backward').map((s) => s.node.label)")
    assert steps == ["output", "sum", "Wrong"]
    page.run("app.goTo(app.steps.length - 1)")
    assert "RuntimeError: no derivative today" in page.run("app.panel.innerText")


def test_stepping_shows_the_numbers_of_the_engine(load):
    page = load("used_twice")
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    y = x * w
    s = y.sin()
    p = y * y
    loss = (s + p).sum()
    gx, gw, gy = torch.autograd.grad(loss, (x, w, y))
    cells = ("[...app.panel.querySelectorAll('table.values')].map((t) => [...t.querySelectorAll"
             "('td')].map((c) => c.innerText))")

    def table(k):
        return [numbers_in(c)[0] for c in page.run(cells)[k]]

    text = go_to(page, "forward", "sin")
    assert text.startswith("Forward 4 of 8: sin") and "sin(input)" in text
    np.testing.assert_allclose(table(0), y.tolist(), rtol=1e-3)
    np.testing.assert_allclose(table(1), s.tolist(), rtol=1e-3)
    text = go_to(page, "backward", "sin", "op")
    assert "g * cos(input)" in text and "∂L/∂input" in text
    np.testing.assert_allclose(table(0), [1, 1])
    np.testing.assert_allclose(table(1), y.tolist(), rtol=1e-3)
    np.testing.assert_allclose(table(2), y.cos().tolist(), rtol=1e-3)
    page.run("app.goTo(app.steps.findIndex((s) => s.kind === 'op' && s.node.id === 'n2'))")
    text = page.run("app.panel.innerText")
    assert "sum of 3 contributions" in text and "g * other" in text
    tables = page.run(cells)
    np.testing.assert_allclose(table(0), gy.tolist(), rtol=1e-3)
    parts = np.array([table(k) for k in (1, 2, 3)])
    np.testing.assert_allclose(parts.sum(0), gy.tolist(), rtol=2e-3)
    np.testing.assert_allclose(table(len(tables) - 2), gx.tolist(), rtol=1e-3)
    np.testing.assert_allclose(table(len(tables) - 1), gw.tolist(), rtol=1e-3)


def test_stepping_through_lenet(load):
    page = load("lenet")
    torch.manual_seed(0)
    net = LeNet()
    loss = F.cross_entropy(net(images()), torch.tensor([1, 2]))
    loss.backward()
    text = go_to(page, "backward", "weight", "leaf")
    norm = float(net.conv1.weight.grad.norm())
    assert numbers_in(text.split("norm ")[1])[0] == pytest.approx(norm, rel=1e-3)
    assert ".grad" in text and page.run("app.panel.querySelectorAll('.heat rect').length") == 25
    text = go_to(page, "forward", "row_cross_entropy")
    assert page.run("app.panel.querySelectorAll('.heat, .values').length") >= 2
    assert f"{loss.item():.4g}" in text
    text = go_to(page, "backward", "fc1: Linear")
    for formula in ("g @ weight", "gᵀ @ input", "Σ g over the rows"):
        assert formula in text
    sent = page.run("[...document.querySelectorAll('.line.reverse')].map((l) => l.dataset.from)")
    view = next(n for n in viz_nodes(page) if n["label"] == "view")
    assert sent == [view["id"]]
    page.run("app.goTo(0)")
    page.click("#next")
    page.click("#next")
    assert page.run("document.getElementById('stepname').value").startswith("Forward 3 of")
    page.click("#backward")
    assert "Backward 1 of" in page.run("document.getElementById('stepname').value")
    assert "is 1." in page.run("app.panel.innerText")


def viz_nodes(page):
    return json.loads(page.run("document.getElementById('graph').textContent"))["nodes"]


def test_paint_modes_have_legends_and_readable_text(load):
    contrast = """[...app.svg.querySelectorAll('.card')].map((card) => {
      const lum = (c) => c.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255).map((v) =>
        (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
      const light = (c) => lum(c).reduce((s, v, k) => s + v * [0.2126, 0.7152, 0.0722][k], 0);
      const bodies = [...card.querySelectorAll(':scope > .body')];
      const a = light(getComputedStyle(bodies[bodies.length - 1]).fill);
      const b = light(getComputedStyle(card.querySelector('.title')).fill);
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); })"""
    page = load("lenet")
    modes = page.run("[...document.getElementById('mode').options].filter((o) => !o.disabled)"
                     ".map((o) => o.value)")
    assert {"kind", "parameters", "memory", "activations", "saved", "gradients", "flops", "time",
            "forward", "backward", "gradient", "parameter_norm", "dead", "nan"} <= set(modes)
    for theme in ("light", "dark", "print"):
        page.run(f"document.documentElement.dataset.theme = '{theme}'")
        for mode in modes:
            page.run(f"app.setMode('{mode}')")
            assert page.run("document.getElementById('legend').innerText").strip()
            assert min(page.run(contrast)) >= 4.5, (theme, mode)
    page.run("app.setMode('parameters')")
    assert "61,706" not in page.run("document.getElementById('legend').innerText")
    assert "48,120" in page.run("document.getElementById('legend').innerText")
    page.press("m")
    assert page.run("app.mode.id") == "memory"


def test_verdicts_and_saturation_are_painted(chrome, folder):
    graph = viz.trace(lambda x: x.tanh().exp().sum(), torch.tensor([30.0, 0.1]))
    verdicts = {"tanh": "wrong: sign", "exp": "ok", "sum": "not checked"}
    graph.nodes = [replace(n, verdict=verdicts.get(n.label, "")) for n in graph.nodes]
    chrome.open(graph.save(folder / "verdicts.html"))
    for mode, expected in (("gradcheck", ["#b30000", "#a6dba0", "#e0e0e0"]),
                           ("saturated", ["#41b6c4", None, None])):
        chrome.run(f"app.setMode('{mode}')")
        colours = chrome.run("app.items.filter((n) => n.kind === 'op').map((n) => "
                             "app.paint.colour(n))")
        assert colours == expected
    assert "wrong" in chrome.run("(app.select('n1'), app.panel.innerText)")
    assert chrome.complaints() == []


def test_the_origin_of_nan_is_found(load):
    page = load("nan")
    page.run("app.setMode('nan')")
    origins = page.run("[...nanOrigins(app.model)].map((id) => app.model.nodes.get(id).label)")
    assert origins == ["log"]
    assert page.run("app.svg.querySelector('[data-id=\"n2\"] .body').style.fill") == (
        "rgb(179, 0, 0)")
