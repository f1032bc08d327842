"""GraphML, networkx, finding, cutting, comparing, folding of repeats, notebooks, the command."""

from __future__ import annotations

import subprocess
import sys
import webbrowser
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad import viz
from minigrad.viz.__main__ import main

from .nets import MLP, ConvBNReLU, Residual, Unrolled, cases, fails_forward

ROOT = Path(__file__).parent.parent.parent
MARK = "{http://graphml.graphdrawing.org/xmlns}"


@pytest.mark.parametrize("name", cases())
def test_graphml_can_be_read(name):
    model, inputs, _ = cases()[name]
    graph = viz.trace(model, *inputs)
    root = ElementTree.fromstring(graph.graphml())
    keys = {k.get("id"): k.get("attr.type") for k in root.iter(f"{MARK}key")}
    nodes = list(root.iter(f"{MARK}node"))
    assert [n.get("id") for n in nodes] == [n.id for n in graph.nodes]
    edges = list(root.iter(f"{MARK}edge"))
    assert [(e.get("source"), e.get("target")) for e in edges] == [
        (e.source, e.target) for e in graph.edges]
    for data in root.iter(f"{MARK}data"):
        if keys[data.get("key")] == "double":
            float(data.text)


def test_networkx():
    networkx = pytest.importorskip("networkx")
    graph = viz.trace(MLP(), torch.ones(1, 8))
    made = graph.to_networkx()
    assert networkx.is_directed_acyclic_graph(made)
    assert made.nodes["n0"]["kind"] == "input"
    assert made.number_of_edges() == len(graph.edges)


def test_without_networkx_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(ImportError, match="pip install networkx"):
        viz.trace(MLP(), torch.ones(1, 8)).to_networkx()


def test_find():
    graph = viz.trace(Residual(), torch.ones(1, 4, 5, 5))
    assert [n.label for n in graph.find("Conv2d") if n.kind == "op"] == ["convolution"] * 2
    assert {n.label for n in graph.find("block.conv")} == {"weight", "convolution"}
    assert [n.label for n in graph.find("block.bn.w*")] == ["weight"]
    assert graph.find("nothing") == []
    with pytest.raises(TypeError, match="pattern"):
        graph.find(3)


def test_subgraph():
    graph = viz.trace(Residual(), torch.ones(1, 4, 5, 5))
    block = graph.subgraph("block")
    assert {n.module.split(".")[0] for n in block.nodes} == {"block"}
    assert "relu" in [n.label for n in block.nodes]
    assert "other nodes are left out" in block.notes[-1]
    assert block.svg()
    add = graph.find("add")
    around = graph.subgraph(add, around=1)
    assert {n.label for n in around.nodes} == {"add", "x", "convolution", "relu"}
    assert graph.subgraph(lambda n: n.kind == "op").nodes == [
        n for n in graph.nodes if n.kind == "op"]
    for wrong in ("zzz", ["n999"], lambda n: False):
        with pytest.raises(ValueError, match="subgraph"):
            graph.subgraph(wrong)


def test_compare():
    first = viz.trace(ConvBNReLU(3, 4), torch.ones(1, 3, 6, 6))
    assert not first.compare(viz.trace(ConvBNReLU(3, 4), torch.ones(1, 3, 6, 6)))
    wider = first.compare(viz.trace(ConvBNReLU(3, 5), torch.ones(1, 3, 6, 6)))
    assert ("conv: weight", "shape", (4, 3, 3, 3), (5, 3, 3, 3)) in wider.changed
    assert "~ conv: weight: shape 4×3×3×3 -> 5×3×3×3" in str(wider)
    other = ConvBNReLU(3, 4)
    other.relu = nn.Sequential(nn.Tanh(), nn.Flatten())
    changed = first.compare(viz.trace(other, torch.ones(1, 3, 6, 6)))
    assert "relu: relu" in changed.removed
    assert {"relu.0: tanh", "relu.1: view", "module relu.0"} <= set(changed.added)
    with pytest.raises(TypeError, match="Graph"):
        first.compare(3)


class Plus(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)

    def forward(self, x):
        return x + self.norm(self.fc(x)).relu()


def test_repeated_blocks_are_drawn_once():
    net = nn.Sequential(nn.Linear(3, 4), *[Plus() for _ in range(12)], nn.Linear(4, 2))
    graph = viz.trace(net, torch.rand(5, 3)).fold()
    assert [(n.label, n.count) for n in graph.nodes if n.kind == "op"] == [
        ("linear", 1), ("linear", 12), ("batch_norm", 12), ("relu", 12), ("add", 12),
        ("linear", 1)]
    ids = {(n.module, n.label): n.id for n in graph.nodes}
    ends = {(e.source, e.target) for e in graph.edges if e.kind == "data"}
    assert (ids["0", "linear"], ids["1.fc", "linear"]) in ends
    assert (ids["0", "linear"], ids["1", "add"]) in ends
    assert (ids["1", "add"], ids["13", "linear"]) in ends
    assert [m.kind for m in graph.modules.values() if m.count == 12] == ["× 12"]
    assert "× 12" in graph.dot()
    assert "× 12" in graph.mermaid()
    assert "× 12" in graph.text()


def test_blocks_that_differ_are_not_folded():
    same = nn.Sequential(*[nn.Linear(4, 4) for _ in range(3)], nn.Linear(4, 5))
    graph = viz.trace(same, torch.rand(1, 4)).fold()
    assert [n.count for n in graph.nodes if n.kind == "op"] == [3, 1]

    def taps(x):
        first = (x + 1).relu()
        second = (first + 1).relu()
        third = (second + 1).relu()
        return first * third

    graph = viz.trace(taps, torch.rand(3))
    assert [n.count for n in graph.fold().nodes] == [1] * len(graph.fold().nodes)


def test_steps_of_a_recurrent_net_are_folded():
    graph = viz.trace(Unrolled(), torch.ones(2, 12, 3))
    small = graph.fold()
    assert {n.count for n in small.nodes if n.module == "cell"} == {1, 12}
    assert len(small.nodes) < 30
    assert small.flops == graph.flops


def test_notebooks(monkeypatch):
    graph = viz.trace(MLP(), torch.ones(1, 8))
    assert set(graph._repr_mimebundle_()) == {"text/plain", "text/html", "image/svg+xml"}
    assert list(graph._repr_mimebundle_(include=["text/plain"])) == ["text/plain"]
    assert graph._repr_html_().startswith("<iframe srcdoc=")
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    path = graph.show()
    assert opened == [path.as_uri()]
    assert path.read_text() == graph.html()
    path.unlink()
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert set(graph._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert "linear" in graph._repr_html_()


SCRIPT = """
import minigrad as torch
import minigrad.nn as nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4 * 26 * 26, 5)

    def forward(self, x):
        return self.fc(self.conv(x).relu().flatten(1))

{made}
if __name__ == "__main__":
    raise SystemExit("training starts")
"""


@pytest.mark.parametrize("made", ["", "net = Net()\nloss = nn.MSELoss()"])
def test_the_command_draws_the_model_of_a_script(made, tmp_path, capsys):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(made=made))
    out = tmp_path / "graph.json"
    assert main([str(script), "--out", str(out)]) == 0
    assert '"convolution"' in out.read_text()
    assert "ops" in capsys.readouterr().out
    assert main([str(script), "--out", str(out), "--input-size", "1,3,28,28", "--depth", "0",
                 "--backward", "--paint", "flops"]) == 0
    assert '"module"' in out.read_text()


def test_the_command_writes_the_picture_of_a_failing_run(tmp_path):
    script, out = tmp_path / "script.py", tmp_path / "graph.svg"
    script.write_text(SCRIPT.format(made=""))
    done = subprocess.run([sys.executable, "-m", "minigrad.viz", str(script), "--out", str(out),
                           "--input-size", "1,3,20,20"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "mat1 and mat2" in done.stderr
    assert "failed in forward" in out.read_text()


@pytest.mark.parametrize(("text", "options", "message"), [
    ("x = 3", [], "no nn.Module"),
    ("import minigrad.nn as nn\na, b = nn.Linear(2, 2), nn.ReLU()", [], "--model"),
    ("import minigrad.nn as nn\na = nn.ReLU()", [], "--input-size"),
    ("import minigrad.nn as nn\na = nn.ReLU()", ["--input-size", "2,q"], "2,q"),
    ("x = 3", ["--model", "x"], "int"),
    ("x = 3", ["--model", "y"], "no variable"),
])
def test_what_the_command_refuses(text, options, message, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(text)
    with pytest.raises(SystemExit, match=message):
        main([str(script), "--out", str(tmp_path / "graph.txt"), *options])


def test_a_picture_that_cannot_be_written_does_not_hide_the_error(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        viz.draw(fails_forward(), torch.ones(2, 8), path=tmp_path / "graph.svg")
