"""FLOPs against formulas by hand; every op there is has a formula, or is known to have none."""

from __future__ import annotations

import gc
import importlib
import pkgutil

import pytest

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
from minigrad import viz
from minigrad.declare import Op
from minigrad.viz import flops as table

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
    (lambda a: a.logsumexp(0), (A,), 4 * 20),
    (lambda a: torch.special.i0(a), (A,), 20),
    (lambda a: a.sort(1)[0], (A,), 20 * 3),
    (lambda a: a.median(), (A,), 20 * 5),
    (lambda a: torch.searchsorted(a, torch.ones(4, 2)), (A,), 8 * 3),
    (lambda a: a.index_add(0, torch.tensor([1, 1]), torch.ones(2, 5)), (A,), 10),
    (lambda a: torch.cross(a, a, dim=1), (torch.ones(4, 3),), 3 * 12),
    (lambda a: torch.linalg.inv(a), (torch.eye(3).expand(2, 3, 3),), 2 * 2 * 27),
    (lambda a: torch.linalg.cholesky(a), (torch.eye(6),), 72),
    (lambda a: torch.linalg.det(a), (torch.eye(3),), 18),
    (lambda a, b: torch.linalg.solve(a, b), (torch.eye(3), torch.ones(3, 2)), 18 + 2 * 6 * 3),
    (lambda a, b: torch.linalg.solve_triangular(a, b, upper=True),
     (torch.eye(3), torch.ones(3, 2)), 6 * 3),
    (lambda a: torch.linalg.qr(a)[0], (torch.rand(6, 3),), 2 * 9 * 5 + 4 * 54 - 2 * 81 + 36),
    (lambda a: F.interpolate(a, size=(4, 6), mode="bilinear"), (torch.ones(1, 1, 2, 3),),
     2 * 2 * (4 * 3) + 2 * 2 * (4 * 6)),
    (lambda a: F.interpolate(a, scale_factor=2), (torch.ones(1, 1, 2, 3),), 0),
    (lambda a: F.adaptive_avg_pool1d(a, 5), (torch.ones(1, 1, 10),), 10 + 5),
    (lambda a: F.cross_entropy(a, torch.tensor([0, 1, 2, 3])), (A,), 5 * 20),
    (lambda a, b: torch.addr(torch.ones(4, 5), a, b), (torch.ones(4), torch.ones(5)), 3 * 20),
])
def test_flops(fn, inputs, flops):
    graph = viz.trace(fn, *inputs, backward=False)
    assert graph.flops == flops
    assert all(n.flops is not None for n in graph.nodes if n.kind in ("op", "view"))


def test_attention():
    q = torch.ones(1, 2, 5, 4)
    graph = viz.trace(lambda q: F.scaled_dot_product_attention(q, q, q), q, backward=False)
    assert graph.flops == 2 * 5 * 5 * (2 * 4 + 6 + 2 * 4)


@pytest.mark.parametrize("fn", [lambda a: torch.linalg.svdvals(a), lambda a: torch.poisson(a)])
def test_what_is_not_counted_says_so(fn):
    graph = viz.trace(lambda a: fn(a).sum() + a.sum(), torch.eye(3) + 1, backward=False)
    counts = [n.flops for n in graph.nodes if n.kind == "op"]
    assert counts[0] is None and None not in counts[1:]
    assert graph.flops == sum(counts[1:])
    picture = graph.styled(paint="flops").dot()
    assert picture.count("not counted") == 2  # on the op, and in the legend
    assert "not counted" not in viz.trace(nn.Linear(2, 2), torch.ones(1, 2)).styled(
        paint="flops").dot()


def ops():
    """Return every op of the package by name."""
    for module in pkgutil.walk_packages(torch.__path__, "minigrad."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {o.name: o for o in gc.get_objects()
            if isinstance(o, Op) and o.forward.__module__.startswith("minigrad.")}


def test_every_op_is_in_one_of_the_tables():
    """An op that is added later counts as unknown; the tables hold no name that is none."""
    counted = [table.FREE, table.ELEMENTWISE, table.PER_INPUT, table.SORTS, table.PRODUCTS,
               table.OTHERS]
    names = [name for names in counted for name in names] + list(table.UNCOUNTED)
    assert len(names) == len(set(names))
    assert set(table.BESIDE) <= set(table.PRODUCTS)
    there = set(ops())
    assert set(names) <= there and set(table.NORMS) <= there
    assert len(there - set(names)) <= 8, sorted(there - set(names))
