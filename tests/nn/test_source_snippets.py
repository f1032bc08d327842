"""The nets and tables of articles on PyTorch run verbatim, and print what they print there."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad.nn import functional as F
from tests.nn.source_snippets import NETS, TABLES
from tests.record_articles import printed

FACTS = json.loads(gzip.decompress(
    (Path(__file__).parent.parent / "data" / "articles.json.gz").read_bytes()))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_printed_tables(table):
    """Character for character what PyTorch prints."""
    assert printed(table) == FACTS[table.__name__]


PAGES = {"norms": ("batchnorm", "instancenorm", "normalization"), "dropout": ("dropout",),
         "activations": ("activation",)}
ELSEWHERE = {"MultiheadAttention"}  # attention.md


def members(page):
    """Return the layers that a page is about."""
    names = [name for module in PAGES[page] for name in getattr(torch.nn.modules, module).__all__]
    return sorted(name for name in names
                  if name not in ELSEWHERE and not name.startswith(("Sync", "Lazy")))


@pytest.mark.parametrize("page", PAGES)
def test_pages_link_every_layer_at_the_top(page):
    """The table before the first section names each layer and links to a section that exists."""
    text = (Path(__file__).parent.parent.parent / "docs" / f"{page}.md").read_text()
    top, *sections = re.split(r"^## ", text, flags=re.M)
    anchors = {re.sub(r"[^\w -]", "", section.split("\n")[0].lower()).replace(" ", "-")
               for section in sections}
    links = re.findall(r"\[([^\]]*)\]\(#([^)]*)\)", top)
    assert {anchor for _, anchor in links} <= anchors
    linked = " ".join(label for label, _ in links)
    for name in members(page):
        family, digit = re.fullmatch(r"(.*?)(\dd)?", name).groups()
        assert re.search(rf"\b{family}\b|\b{family}\d", linked), name
        assert not digit or digit in linked, name


def outputs(net, x):
    out = net(x)
    return out if isinstance(out, tuple) else (out,)


@pytest.mark.parametrize("name", NETS)
def test_structure(name):
    make, shape = NETS[name]
    net, facts = make(), FACTS[name]
    outs = outputs(net, torch.ones(shape))
    assert repr(net) == facts["repr"]
    assert [list(o.shape) for o in outs] == facts["shapes"]
    assert [o.grad_fn.name() for o in outs] == facts["grad_fn"]
    assert {k: list(v.shape) for k, v in net.state_dict().items()} == facts["state_dict"]


@pytest.mark.parametrize("name", NETS)
def test_nets_learn(name):
    """Some steps on fixed targets lower the loss; every parameter receives a gradient."""
    make, shape = NETS[name]
    net, x = make(), torch.randn(shape)
    targets = [torch.rand(o.shape) for o in outputs(net, x)]
    opt = torch.optim.Adam(net.parameters(), lr=0.01)

    def loss():
        return sum(F.mse_loss(o, t) for o, t in zip(outputs(net, x), targets, strict=True))

    with net.evaluating():
        before = loss().item()
    for _ in range(15):
        opt.zero_grad()
        loss().backward()
        opt.step()
    assert all(p.grad is not None for p in net.parameters())
    with net.evaluating():
        assert loss().item() < before
        assert loss().item() == loss().item()


def test_self_normalisation():
    """Deep SELU nets keep mean 0 and variance 1 with LeCun-normal weights, and only with them."""
    def spread(lecun):
        x = torch.randn(512, 256)
        for _ in range(10):
            layer = torch.nn.Linear(256, 256, bias=False)
            if lecun:
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            x = torch.nn.SELU()(layer(x)).detach()
        return x.std().item()

    assert spread(True) == pytest.approx(1.0, abs=0.15)
    assert spread(False) < 0.2


@pytest.mark.parametrize(("p", "dropped"), [(0.1, -1.4577), (0.3, -1.0595), (0.5, -0.7792)])
def test_alpha_dropout(p, dropped):
    """Dropped values become a * alpha' + b; mean and variance of N(0, 1) input are kept."""
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(1))
    y = torch.nn.AlphaDropout(p)(x).numpy()
    values, counts = np.unique(y.round(4), return_counts=True)
    assert values[counts.argmax()] == pytest.approx(dropped, abs=1e-4)
    assert y.mean() == pytest.approx(0, abs=0.02)
    assert y.std() == pytest.approx(1, abs=0.02)
