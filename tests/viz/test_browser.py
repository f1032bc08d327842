"""The interactive page in a real headless Chromium: it loads, lays out, folds, finds, steps."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad import viz
from minigrad.viz.html import to_iframe

from .browser import browser, browser_path
from .pages import PAGES, LeNet, images

pytestmark = pytest.mark.skipif(browser_path() is None,
                                reason="no Chromium or Chrome: the page is not tested in a browser")

LAYOUT = r"""(() => {
  const faults = [];
  const cards = [...app.scene.cards.values()].map((c) => ({ c, x: c.x + c.ox, y: c.y + c.oy }));
  const apart = (a, b) => a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y
    || b.y + b.h <= a.y;
  const slots = cards.map(({ c }) => ({ x: c.x, y: c.y, w: c.w, h: c.h, name: c.title }));
  slots.forEach((a, k) => slots.slice(k + 1).forEach((b) => {
    if (!apart(a, b)) faults.push(`${a.name} overlaps ${b.name}`);
  }));
  const frames = [...app.scene.frames.values()].filter((f) => f.box.parent);
  for (const f of frames) {
    for (const item of f.items) {
      const inside = item.x >= f.x && item.y >= f.y + 20 && item.x + item.w <= f.x + f.w
        && item.y + item.h <= f.y + f.h;
      if (!inside) faults.push(`${item.title} sticks out of ${f.title}`);
    }
    f.items.forEach((a, k) => f.items.slice(k + 1).forEach((b) => {
      if (!apart(a, b)) faults.push(`${a.title} overlaps ${b.title} in ${f.title}`);
    }));
    const title = app.svg.querySelector(`.boxtitle[data-id="${CSS.escape(f.id)}"]`).getBBox();
    if (title.x + title.width > f.x + f.w) faults.push(`title of ${f.title} is too long`);
  }
  for (const { c, x, y } of cards) {
    for (const text of c.group.querySelectorAll("text:not(.label)")) {
      const box = text.getBBox();
      if (box.x < x || box.x + box.width > x + c.cw) faults.push(`${text.textContent} runs out`);
    }
    const label = c.group.querySelector(".label");
    if (label) {
      const box = label.getBBox();
      for (const { c: other, x: ox, y: oy } of cards) {
        if (!apart({ x: box.x, y: box.y, w: box.width, h: box.height },
          { x: ox, y: oy, w: other.cw, h: other.ch })) faults.push(`label ${c.label} overlaps`);
      }
    }
  }
  for (const line of app.scene.connections) {
    const path = line.group.querySelector(".stroke");
    const length = path.getTotalLength();
    for (let at = 0; at <= length; at += 5) {
      const p = path.getPointAtLength(at);
      for (const { c, x, y } of cards) {
        if (c.item === line.from || c.item === line.to) continue;
        if (p.x > x + 1 && p.x < x + c.cw - 1 && p.y > y + 1 && p.y < y + c.ch - 1) {
          faults.push(`the line ${line.from.id} to ${line.to.id} crosses ${c.title}`);
          at = length;
        }
      }
    }
  }
  return [...new Set(faults)];
})()"""


@pytest.fixture(scope="module")
def chrome():
    with browser() as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture
def load(chrome, folder):
    """Open a page by its name; at the end nothing may have been complained about or requested."""
    def opened(name):
        path = folder / f"{name}.html"
        if not path.exists():
            PAGES[name]().save(path)
        chrome.open(path)
        return chrome

    yield opened
    assert chrome.complaints() == []


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
def test_nothing_overlaps_and_all_labels_fit(load, name):
    page = load(name)
    assert page.run(LAYOUT) == []
    page.run("turn()")
    assert page.run(LAYOUT) == []
    if name != "chain":
        page.run("app.openAll(); toggleGradients()")
        assert page.run(LAYOUT) == []
    page.run("app.closeAll()")
    assert page.run(LAYOUT) == []


def test_the_test_of_the_layout_sees_faults(load):
    page = load("transformer")
    page.run("var card = [...app.scene.cards.values()].find((c) => c.title === 'softmax')")
    page.run("card.y += 30")
    assert any("overlaps" in fault for fault in page.run(LAYOUT))
    page.run("card.y -= 30; card.cw -= 30")
    assert any("runs out" in fault for fault in page.run(LAYOUT))
    page.run("card.cw += 30; card.x += 3000")
    assert any("sticks out" in fault for fault in page.run(LAYOUT))


@pytest.mark.parametrize("name", ["lenet", "transformer", "tied", "unrolled"])
def test_every_node_and_edge_is_there(load, name):
    page = load(name)
    page.run("app.openAll()")
    graph = json.loads(page.run("document.getElementById('graph').textContent"))
    shown = page.run("[...app.svg.querySelectorAll('.card, .row')].map((g) => g.dataset.id)")
    assert sorted(shown) == sorted(n["id"] for n in graph["nodes"])
    drawn = {tuple(e) for e in page.run("app.scene.connections.map((c) => [c.from.id, c.to.id])")}
    rows = dict(page.run("[...app.svg.querySelectorAll('.row')].map((r) => [r.dataset.id, "
                         "r.closest('.card').dataset.id])"))
    for edge in graph["edges"]:
        a, b = (rows.get(edge[end], edge[end]) for end in ("source", "target"))
        assert a == b or (a, b) in drawn or edge.get("kind") == "update"


def test_clicking_a_module_collapses_and_opens_it(load):
    page = load("residual")
    cards = "app.svg.querySelectorAll('.card').length"
    before = page.run(cards)
    block = page.run("[...app.model.boxes.values()].find((b) => b.title.startsWith('block')).id")
    box = f'[data-id="{block}"]'
    page.click(f".boxtitle{box}")
    assert page.run(cards) == before - 2
    card = f"document.querySelector('.card{box}')"
    assert page.run(f"{card}.textContent").startswith("▸ block: Conv")
    assert page.run(f"{card}.getAttribute('aria-expanded')") == "false"
    assert page.run(f"document.activeElement === {card}")
    legend = page.run("document.getElementById('legend').innerText")
    assert "collapsed box" in legend and "dotted line: no gradient" in legend
    assert "1 collapsed box" in page.run("document.getElementById('notice').innerText")
    assert page.run(LAYOUT) == []
    page.click(f".card{box} .title")
    assert page.run(cards) == before
    page.run("app.closeAll()")
    assert page.run(cards) == 3
    page.run("app.openAll()")
    assert page.run(cards) == before


def test_search_finds_opens_and_selects(load):
    page = load("lenet")
    page.run("app.closeAll()")
    page.press("/")
    page.call("Input.insertText", text="fc2.weight")
    assert page.run("document.getElementById('found').value") == "1 found"
    assert page.run("app.svg.querySelectorAll('.found').length") == 1
    page.press("Enter")
    chosen = page.run("app.svg.querySelector('.row.chosen').textContent")
    assert chosen.startswith("weight  84×120")
    assert page.run("app.panel.querySelector('h2').innerText") == "weight"
    page.run("document.getElementById('search').value = ''; search('conv2d')")
    assert page.run("app.matches.length") == 2
    page.run("search('no such thing')")
    assert page.run("document.getElementById('found').value") == "0 found"


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
    text = go_to(page, "forward", "class_cross_entropy")
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


@pytest.mark.parametrize("phase", ["forward", "backward"])
def test_failed_runs_are_red_and_say_why(load, phase):
    page = load(f"fails_{phase}")
    notice = page.run("document.getElementById('notice').innerText")
    assert notice.startswith(f"The run failed in {phase}: RuntimeError")
    card = page.run("app.svg.querySelector('.card.failed').textContent")
    assert ("fc1: Linear" if phase == "forward" else "Wrong") in card and "RuntimeError" in card


def test_the_export_is_a_drawing_of_its_own(load):
    page = load("transformer")
    picture = ET.fromstring(page.run("exportSvg(app)"))
    ns = "{http://www.w3.org/2000/svg}"
    words = {t.text for t in picture.iter(f"{ns}text")}
    assert {"linear1: Linear", "softmax", "3×2×8"} <= words
    assert not [e for e in picture.iter() if "class" in e.attrib or "tabindex" in e.attrib]
    text = next(t for t in picture.iter(f"{ns}text") if t.text == "softmax")
    assert text.get("font-size") == "13px" and text.get("fill").startswith("rgb")
    assert next(t for t in picture.iter(f"{ns}text") if t.text == "3×2×8").get(
        "paint-order") == "stroke"
    assert "var(" not in page.run("exportSvg(app)")
    _, _, w, h = map(float, picture.get("viewBox").split())
    assert [w, h] == page.run("app.camera.size()")


def test_keys(load):
    page = load("residual")
    page.press("?")
    assert page.run("document.getElementById('help').open")
    page.press("Escape")
    assert not page.run("document.getElementById('help').open")
    before = page.run("app.camera.k")
    page.press("+")
    assert page.run("app.camera.k") == pytest.approx(before * 1.25)
    page.press("0")
    page.run("app.svg.focus()")
    page.press("ArrowDown")
    first = page.run("document.activeElement.getAttribute('aria-label')")
    assert first.startswith("input, x, 2×4×5×5")
    page.press("ArrowDown")
    assert "conv: Conv2d" in page.run("document.activeElement.getAttribute('aria-label')")
    assert page.run("getComputedStyle(document.activeElement.querySelector('.body')).strokeWidth"
                    ) == "4px"
    page.press("Enter")
    assert page.run("app.panel.querySelector('h2').innerText") == "conv: Conv2d"
    page.press("Backspace")
    assert "block: ConvBNReLU, collapsed" in page.run(
        "document.activeElement.getAttribute('aria-label')")
    page.press("Enter")
    assert page.run("app.view.collapsed.size") == 0
    page.press("n")
    page.press("n")
    page.press("p")
    assert page.run("app.step") == 0
    page.press("b")
    assert page.run("app.steps[app.step].kind") == "start"
    page.press("Escape")
    assert page.run("app.step") == -1
    page.press("d")
    assert page.run("app.view.direction") == "LR"
    page.press("t")
    assert page.run("document.documentElement.dataset.theme") == "light"


def test_a_selected_value_is_followed(load):
    page = load("residual")
    page.run("app.select([...app.model.nodes.values()].find((n) => n.label === 'add').id)")
    lit = "[...app.svg.querySelectorAll('.card:not(.dim)')].map((c) => c.dataset.id).length"
    assert page.run(lit) == 4  # the two that are added, the sum, its user
    page.press("f")
    assert page.run(lit) == page.run("app.svg.querySelectorAll('.card').length")
    assert page.run("document.getElementById('follow').getAttribute('aria-pressed')") == "true"
    assert "Made from" in page.run("app.panel.innerText")
    tips = page.run("[...app.svg.querySelectorAll('.line.lit .tip')].map((t) => "
                    "[t.classList.contains('up'), getComputedStyle(t).fill === 'none'])")
    assert all(up == hidden for up, hidden in tips)  # a forward line has one arrowhead


def test_pointer(load):
    page = load("lenet")
    x, y = page.run("(() => { const b = app.svg.querySelector('[data-id] .title')"
                    ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + 4]; })()")
    page.mouse("mouseMoved", x, y)
    tip = page.run("document.getElementById('tip').innerText")
    assert not page.run("document.getElementById('tip').hidden") and "2×1×28×28" in tip
    before = page.run("app.camera.k")
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-200)
    assert page.run("app.camera.k") > before
    at = page.run("[app.camera.x, app.camera.y]")
    page.mouse("mousePressed", 60, 500, button="left", buttons=1, clickCount=1)
    page.mouse("mouseMoved", 90, 540, button="left", buttons=1)
    page.mouse("mouseReleased", 90, 540, button="left", clickCount=1)
    assert page.run("[app.camera.x, app.camera.y]") == pytest.approx([at[0] + 30, at[1] + 40])


def test_large_graphs_begin_collapsed_and_say_so(load):
    page = load("chain")
    assert page.run("app.items.length") <= 150
    assert "3,003 nodes" in page.run("document.getElementById('notice').innerText")
    page.run("app.toggle(app.items.find(isBox))")
    assert "mul" in page.run("[...app.svg.querySelectorAll('.title')].map((t) => t.textContent)")
    page.run("app.reveal('n2900', true)")
    assert page.run("app.scene.cards.has('n2900')")
    page.run("app.openAll()")
    assert page.run("app.items.length") <= 1500


def test_options_of_the_graph(chrome, folder):
    graph = viz.trace(lambda x: x.exp().sum(), torch.ones(2, 2))
    graph.options = {"paint": "flops", "backward": True, "shapes": False, "direction": "LR"}
    chrome.open(graph.save(folder / "options.html"))
    assert chrome.run("[app.mode.id, byId('mode').value, app.scene.flip]") == [
        "flops", "flops", True]
    labels = chrome.run("[...app.svg.querySelectorAll('.label')].map((t) => t.textContent)")
    assert labels == ["∇ 5.437", "∇ 2", "∇ 1"]
    assert chrome.run(LAYOUT) == []


def test_themes_of_the_system_and_paper(load):
    page = load("residual")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.run(colour) == "rgb(255, 255, 255)"
    page.call("Emulation.setEmulatedMedia",
              features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert page.run(colour) == "rgb(22, 25, 29)"
    page.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert page.run("getComputedStyle(document.querySelector('header')).display") == "none"
    page.call("Emulation.setEmulatedMedia", media="", features=[])


def test_the_frame_of_a_notebook_works(chrome, folder):
    path = folder / "frame.html"
    graph = viz.trace(lambda x: x.exp().sum(), torch.ones(2))
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{to_iframe(graph)}")
    chrome.open(path)
    assert chrome.run("document.querySelector('iframe').contentDocument"
                      ".querySelectorAll('.card').length") == 4
    assert chrome.complaints() == []
