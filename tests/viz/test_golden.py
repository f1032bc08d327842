"""The exact text of every format, against files; MINIGRAD_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

import minigrad as torch
from minigrad import viz

from .nets import cases

FOLDER = Path(__file__).parent.parent / "data" / "viz"
NETS = ("conv_bn_relu", "residual", "tied", "unrolled", "listed", "function")


def same_as_file(name: str, text: str) -> None:
    path = FOLDER / name
    if os.environ.get("MINIGRAD_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} has changed"


def recorded(name: str) -> viz.Graph:
    """Return the graph of a net without what differs between machines or moves in this file."""
    model, inputs, _ = cases()[name]
    graph = viz.trace(model, *inputs, numbers=False)
    graph.nodes = [replace(n, source="", code="") for n in graph.nodes]
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


@pytest.mark.parametrize("name", [n for n in NETS if n != "function"])
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
    model, inputs, _ = cases()[name]
    graph = viz.trace(model, *inputs)
    content = json.loads(graph.json())
    assert [n["id"] for n in content["nodes"]] == [n.id for n in graph.nodes]
    assert len(content["edges"]) == len(graph.edges)
    assert [m["path"] for m in content["modules"]] == list(graph.modules)


def test_the_same_run_gives_the_same_text():
    for name in NETS:
        first, second = recorded(name), recorded(name)
        assert first.dot() == second.dot()
        assert first.json() == second.json()
