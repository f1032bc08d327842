"""The interactive page in a real headless Chromium: it loads, lays out, folds, finds."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

import minigrad as torch
from minigrad import viz
from minigrad.viz.html import to_iframe

from .browser import browser_path
from .layout import LAYOUT
from .pages import PAGES

pytestmark = [pytest.mark.slow, pytest.mark.skipif(browser_path() is None, reason=
    "no Chromium or Chrome: the page is not tested in a browser")]

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
