"""The exact text of every format, against files; MINIGRAD_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

import minigrad as torch
from minigrad import viz

from .nets import cases, fails_backward, fails_forward

FOLDER = Path(__file__).parent.parent / "data" / "viz"
NETS = ("mlp", "conv_bn_relu", "clips", "selu", "norms", "lenet", "residual", "unrolled", "lstm",
        "transformer", "tied", "listed", "inplace", "function", "nan", "fails_forward",
        "fails_backward")
SUMMARIES = ("conv_bn_relu", "residual", "tied", "unrolled", "listed")
FAILING = {"fails_forward": (fails_forward, (2, 8)), "fails_backward": (fails_backward, (2, 3))}


def same_as_file(name: str, text: str) -> None:
    path = FOLDER / name
    if os.environ.get("MINIGRAD_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} has changed"


def recorded(name: str) -> viz.Graph:
    """Return the graph of a net without lines of this file and what the engine decides by itself.

    That is the text of rules, and which kept values share a block of memory (see test_numbers).
    """
    if name in FAILING:
        model, size = FAILING[name]
        with pytest.raises(RuntimeError) as caught:
            viz.trace(model() if name == "fails_forward" else model, torch.ones(size),
                      numbers=False)
        graph = caught.value.graph
    else:
        model, inputs, _ = cases()[name]
        graph = viz.trace(model, *inputs, numbers=False)
    graph.nodes = [replace(n, source="", code="", rules=(), saved=tuple(
        replace(v, memory=-1) for v in n.saved)) for n in graph.nodes]
    kept = sum(v.bytes for n in graph.nodes for v in n.saved)
    graph.totals = {**graph.sums, "saved_bytes": kept}
    return graph


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("suffix", ["dot", "mmd", "txt", "json"])
def test_renderings(name, suffix, tmp_path):
    graph = recorded(name)
    graph.save(tmp_path / f"graph.{suffix}")
    text = (tmp_path / f"graph.{suffix}").read_text(encoding="utf-8")
    assert text == {"dot": graph.dot, "mmd": graph.mermaid, "txt": graph.text,
                    "json": graph.json}[suffix]()
    same_as_file(f"{name}.{suffix}", text)


@pytest.mark.parametrize("name", SUMMARIES)
def test_summaries(name):
    model, inputs, _ = cases()[name]
    columns = ("input_size", "output_size", "num_params", "mult_adds", "trainable")
    same_as_file(f"{name}.summary", f"{torch.summary(model, inputs=inputs, columns=columns)}\n")


def test_options_are_in_the_text():
    model, inputs, _ = cases()["mlp"]
    graph = viz.draw(model, *inputs, direction="LR", theme="dark", shapes=False)
    assert "rankdir=LR" in graph.dot()
    assert "5×16" not in graph.dot()
    assert graph.dot() != viz.draw(model, *inputs).dot()
    assert graph.mermaid().startswith("flowchart LR\n")
    assert "-->|" not in graph.mermaid()


@pytest.mark.parametrize("name", NETS)
def test_json_can_be_read_back(name):
    graph = recorded(name)
    content = json.loads(graph.json())
    assert [n["id"] for n in content["nodes"]] == [n.id for n in graph.nodes]
    assert len(content["edges"]) == len(graph.edges)
    assert [m["path"] for m in content["modules"]] == list(graph.modules)


def test_the_same_run_gives_the_same_text():
    for name in NETS:
        first, second = recorded(name), recorded(name)
        assert first.dot() == second.dot()
        assert first.json() == second.json()
