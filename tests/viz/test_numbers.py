"""Memory against the tape, properties over random nets, what is known of a value."""

from __future__ import annotations

import math
import random

import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad import viz
from minigrad.engine import Leaf, Pick
from minigrad.storage import owner
from minigrad.viz.assemble import saved_arrays
from minigrad.viz.state import tensors_in

from .nets import cases


def kept_by_the_tape(*outputs):
    """Return the bytes of the different blocks of memory that the nodes below tensors keep."""
    blocks, seen, stack = {}, set(), [out._node for out in outputs]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        stack += node.parents
        if type(node) not in (Leaf, Pick):
            for _, array in saved_arrays(node):
                whole = owner(array)
                blocks[id(whole)] = max(blocks.get(id(whole), 0), array.nbytes)
    return sum(blocks.values())


@pytest.mark.parametrize("name", [n for n, case in cases().items()
                                  if isinstance(case[0], nn.Module)])
def test_memory_is_what_the_tape_holds(name):
    model, inputs, _ = cases()[name]
    outputs = [t for _, t in tensors_in(model(*inputs), inside="output")]
    assert viz.trace(model, *inputs).saved_bytes == kept_by_the_tape(*outputs)


def random_net(seed):
    """Return a net of random layers and its input, with the number of ops and FLOPs by hand."""
    rng = random.Random(seed)
    width, layers, ops, flops = rng.randint(2, 6), [], 0, 0
    size = width
    for _ in range(rng.randint(1, 12)):
        kind = rng.choice(["linear", "relu", "tanh", "norm", "residual"])
        if kind == "linear":
            new = rng.randint(2, 6)
            layers.append(nn.Linear(size, new))
            ops, flops, size = ops + 1, flops + 3 * new * (2 * size + 1), new
        elif kind == "norm":
            layers.append(nn.LayerNorm(size))
            ops, flops = ops + 1, flops + 3 * size * 7
        elif kind == "residual":
            layers.append(Plus(nn.Linear(size, size)))
            ops, flops = ops + 2, flops + 3 * size * (2 * size + 2)
        else:
            layers.append(nn.ReLU() if kind == "relu" else nn.Tanh())
            ops, flops = ops + 1, flops + 3 * size
    return nn.Sequential(*layers), torch.rand(3, width), ops, flops


class Plus(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


@pytest.mark.parametrize("seed", range(25))
def test_random_nets(seed):
    net, x, ops, flops = random_net(seed)
    graph = viz.trace(net, x)
    made = [n for n in graph.nodes if n.kind in ("op", "view")]
    assert len(made) == ops
    assert graph.flops == flops
    assert graph.parameters == sum(p.numel() for p in net.parameters())
    if graph.parameters:
        assert graph.saved_bytes == kept_by_the_tape(net(x))
    for small in (graph, graph.fold(), graph.collapsed(1), graph.limited(8)):
        ids = {n.id for n in small.nodes}
        assert len(ids) == len(small.nodes)
        assert all(e.source in ids and e.target in ids for e in small.edges)
        assert connected(small)
        assert (small.flops, small.parameters) == (flops, graph.parameters)
    folded = graph.fold()
    assert sum(n.count for n in folded.nodes if n.kind in ("op", "view")) == ops
    assert sum((n.flops or 0) * n.count for n in folded.nodes) == flops
    assert sum(n.elements * n.count for n in folded.nodes) == graph.parameters


def connected(graph):
    near = {n.id: set() for n in graph.nodes}
    for edge in graph.edges:
        near[edge.source].add(edge.target)
        near[edge.target].add(edge.source)
    seen, stack = set(), [graph.nodes[0].id]
    while stack:
        at = stack.pop()
        if at not in seen:
            seen.add(at)
            stack += near[at]
    return len(seen) == len(near)


def test_stats():
    x = torch.tensor([[1.0, 0.0, math.nan], [-2.0, 0.0, math.inf]])
    stats = viz.trace(lambda x: x, x).nodes[0].stats
    assert (stats.min, stats.max, stats.zeros, stats.nan, stats.inf) == (-2.0, 1.0, 2, 1, 1)
    assert stats.mean == pytest.approx(-0.25)
    assert stats.norm == pytest.approx(math.sqrt(5))
    assert stats.dead == pytest.approx(1 / 3)
    assert stats.values[:2] == (1.0, 0.0)
    large = viz.trace(lambda x: x.tanh(), torch.full((2, 3, 20, 30), 9.0)).nodes[1].stats
    assert large.values is None
    assert (len(large.picture), len(large.picture[0])) == (16, 16)
    assert large.saturated == 1.0
    empty = viz.trace(lambda x: x * 2, torch.ones(0, 3)).nodes[1].stats
    assert (empty.min, empty.values) == (None, ())
