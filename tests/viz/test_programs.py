"""What other programs make of the files, and that every process writes the same bytes."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys

import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad import viz

from .nets import cases
from .test_golden import NETS, recorded

FORMATS = ("dot", "svg", "mermaid", "json", "text", "html", "graphml")
PROGRAM = """
import sys
from tests.viz.test_programs import fingerprints
print(fingerprints())
"""


def fingerprints():
    """Return a hash of every format of several graphs, whole, folded and painted."""
    found = []
    for name in ("residual", "transformer", "tied", "unrolled", "listed", "function"):
        graph = recorded(name)
        for form in (graph, graph.fold(), graph.collapsed(1), graph.limited(6),
                     graph.styled(paint="memory", theme="dark", backward=True)):
            found += [getattr(form, kind)() for kind in FORMATS]
    return hashlib.sha256("\0".join(found).encode()).hexdigest()


@pytest.mark.slow
def test_every_process_writes_the_same_bytes():
    """The order in sets and of addresses differs from process to process, the files do not."""
    seen = {subprocess.run([sys.executable, "-c", PROGRAM], check=True, text=True,
                           capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}).stdout
            for seed in ("1", "2")}
    assert seen == {fingerprints() + "\n"}


@pytest.mark.parametrize("name", NETS)
def test_graphviz_reads_every_node_and_edge(name, capfd):
    pygraphviz = pytest.importorskip("pygraphviz")
    graph = recorded(name)
    read = pygraphviz.AGraph(string=graph.dot())
    inside = {n.id for n in graph.nodes if n.kind in ("parameter", "buffer")}
    assert {n.id for n in graph.nodes} - inside <= set(read.nodes()) <= {n.id for n in graph.nodes}
    drawn = {(e.source, e.target) for e in graph.edges if e.kind == "data"}
    assert {(str(a), str(b)) for a, b in read.edges()} <= drawn
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", NETS)
def test_networkx_reads_graphml_and_takes_the_graph(name, tmp_path):
    networkx = pytest.importorskip("networkx")
    graph = recorded(name)
    read = networkx.read_graphml(graph.save(tmp_path / "graph.graphml"), force_multigraph=True)
    made = graph.to_networkx()
    wanted = sorted((e.source, e.target) for e in graph.edges)
    for found in (read, made):
        assert list(found.nodes) == [n.id for n in graph.nodes]
        assert sorted((a, b) for a, b, _ in found.edges) == wanted
        assert all(found.nodes[n.id]["label"] == n.label for n in graph.nodes)
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(
        (e.source, e.target) for e in graph.edges if e.kind == "data"))
    ops = [n.id for n in graph.nodes if n.kind in ("op", "view", "error")]
    assert networkx.is_weakly_connected(made.subgraph(
        {*ops, *(e.source for e in graph.edges), *(e.target for e in graph.edges)}))


class Wild(nn.Module):
    """Random layers, some of them stateful; it may fail at the end, in either direction."""

    def __init__(self, seed: int, fails: str) -> None:
        super().__init__()
        rng = random.Random(seed)
        kinds = [lambda: nn.Linear(4, 4), lambda: nn.BatchNorm1d(4), lambda: nn.Dropout(0.5),
                 lambda: nn.ReLU(inplace=True), lambda: nn.PReLU(), lambda: nn.LayerNorm(4),
                 lambda: nn.BatchNorm1d(4).eval(), lambda: nn.RReLU(), nn.Tanh,
                 lambda: nn.Linear(4, 4).requires_grad_(False), lambda: nn.AlphaDropout(0.2)]
        self.layers = nn.ModuleList([nn.Linear(4, 4)] + [
            rng.choice(kinds)() for _ in range(rng.randint(1, 8))])
        self.register_buffer("calls", torch.zeros(()))
        self.fails = fails

    def forward(self, x):
        self.calls += 1
        y = x * 1
        for k, layer in enumerate(self.layers):
            y = layer(y) + (y if k % 2 else 0)
        if self.fails == "forward":
            raise ValueError("not today")
        if self.fails == "backward":
            y = y.sigmoid()
            y.mul_(2)
        return y


@pytest.mark.parametrize("fails", ["", "forward", "backward"])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow)
                                         for seed in range(2, 8))])
@pytest.mark.parametrize("show", [
    lambda net, x: viz.trace(net, x),
    lambda net, x: viz.draw(net, x, paint="time", fold=True).svg(),
    lambda net, x: torch.summary(net, inputs=(x,), memory=True, time=True, repeats=1)])
def test_tracing_random_nets_leaves_everything(show, seed, fails):
    torch.manual_seed(seed)
    net, x = Wild(seed, fails), torch.randn(6, 4)
    trained = [p for p in net.parameters() if p.requires_grad]
    for p in trained[: seed % 3]:
        p.grad = torch.randn(p.shape)
    grads = [p.grad for p in net.parameters()]

    def state():
        arrays = [t.numpy() if not t.requires_grad else t.detach().numpy()
                  for t in [*net.state_dict().values(), x, *(g for g in grads if g is not None)]]
        flags = [m.training for m in net.modules()]
        return [a.tobytes() for a in arrays], flags, torch.get_rng_state().numpy().tobytes()

    before = state()
    if fails:
        with pytest.raises((ValueError, RuntimeError)) as caught:
            show(net, x)
        assert fails != "forward" or str(caught.value) == "not today"
    else:
        show(net, x)
    assert state() == before
    assert all(p.grad is g for p, g in zip(net.parameters(), grads, strict=True))
    assert x.grad is None and not x.requires_grad


def test_every_case_is_a_golden_file_or_tested_elsewhere():
    assert set(cases()) - set(NETS) == {"linear", "shared_block"}
