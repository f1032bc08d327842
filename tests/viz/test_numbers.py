"""FLOPs against formulas by hand, memory against the tape, properties over random nets."""

from __future__ import annotations

import math
import random

import pytest

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
from minigrad import viz
from minigrad.engine import Leaf, Pick
from minigrad.viz.assemble import saved_arrays
from minigrad.viz.state import tensors_in
from minigrad.viz.watch import memory_of

from .nets import cases

A = torch.ones(4, 5)


@pytest.mark.parametrize(("fn", "inputs", "flops"), [
    (lambda a: a + 1, (A,), 20),
    (lambda a: a.exp(), (A,), 20),
    (lambda a: a.T.reshape(20), (A,), 0),
    (lambda a: torch.cat([a, a]), (A,), 0),
    (lambda a: a.sum(), (A,), 20),
    (lambda a: a.mean(0), (A,), 20),
    (lambda a: a.var(1), (A,), 4 * 20),
    (lambda a, b: a @ b, (A, torch.ones(5, 7)), 2 * 4 * 7 * 5),
    (lambda a, b: torch.bmm(a, b), (torch.ones(3, 4, 5), torch.ones(3, 5, 2)), 3 * 2 * 4 * 2 * 5),
    (lambda a, b, c: torch.addmm(a, b, c), (torch.ones(4, 7), A, torch.ones(5, 7)),
     4 * 7 * (2 * 5 + 1)),
    (lambda a: F.softmax(a, 1), (A,), 5 * 20),
    (lambda a: F.gelu(a), (A,), 4 * 20),
    (lambda a: F.leaky_relu(a), (A,), 2 * 20),
    (nn.Linear(5, 7), (A,), 4 * 7 * (2 * 5 + 1)),
    (nn.Linear(5, 7, bias=False), (A,), 4 * 7 * 2 * 5),
    (nn.Conv2d(4, 6, 3, padding=1, groups=2), (torch.ones(2, 4, 8, 8),),
     2 * 6 * 64 * (2 * 2 * 9 + 1)),
    (nn.ConvTranspose2d(4, 6, 2, stride=2), (torch.ones(1, 4, 5, 5),),
     2 * 4 * 25 * 6 * 4 + 6 * 100),
    (nn.BatchNorm2d(3), (torch.rand(2, 3, 4, 4),), 96 * 7),
    (nn.BatchNorm2d(3).eval(), (torch.rand(2, 3, 4, 4),), 96 * 4),
    (nn.LayerNorm(5, bias=False), (A,), 20 * 6),
    (nn.RMSNorm(5), (A,), 20 * 4),
    (nn.MaxPool2d(2), (torch.ones(1, 3, 8, 8),), 3 * 16 * 3),
    (nn.AvgPool2d(2), (torch.ones(1, 3, 8, 8),), 3 * 16 * 4),
    (nn.LSTM(3, 4), (torch.ones(5, 2, 3),), 10 * (2 * 16 * 3 + 2 * 16 * 4 + 16 * 3 + 9 * 4)),
    (nn.GRU(3, 4, bias=False), (torch.ones(5, 2, 3),),
     10 * (2 * 12 * 3 + 2 * 12 * 4 + 12 + 8 * 4)),
])
def test_flops(fn, inputs, flops):
    graph = viz.trace(fn, *inputs, backward=False)
    assert graph.flops == flops
    assert all(n.flops is not None for n in graph.nodes if n.kind in ("op", "view"))


def test_attention():
    q = torch.ones(1, 2, 5, 4)
    graph = viz.trace(lambda q: F.scaled_dot_product_attention(q, q, q), q, backward=False)
    assert graph.flops == 2 * 5 * 5 * (2 * 4 + 6 + 2 * 4)


def test_an_op_without_a_formula_has_no_number():
    graph = viz.trace(lambda a: torch.linalg.inv(a), torch.eye(3))
    assert [n.flops for n in graph.nodes if n.kind == "op"] == [None]


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
                owner = memory_of(array)
                blocks[id(owner)] = max(blocks.get(id(owner), 0), array.nbytes)
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
