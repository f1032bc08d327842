"""One element of a gradient of a layer is made wrong: which one is found, within the budget."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import minigrad as torch
from minigrad.autograd import Function
from minigrad.testing import check_gradients
from tests.layers import arguments, build, families, lines_of
from tests.samples.evaluate import flatten

LINES = [line for family in families() for line in lines_of(family) if line.inputs and line.exact]


class Tweak(Function):
    """The identity, with a gradient that is wrong at one element."""

    @staticmethod
    def forward(ctx, x, i, factor):
        ctx.i, ctx.factor, ctx.size = i, factor, x.numel()
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        made = np.array(g.numpy(), order="C")
        if made.size == ctx.size:
            made.reshape(-1)[ctx.i] *= ctx.factor
        return torch.from_numpy(made), None, None


class Planted(torch.nn.Module):
    """A layer one of whose inputs (a number) or parameters (a path) has a wrong gradient."""

    def __init__(self, inner, where, i, factor):
        super().__init__()
        self.inner, self.where, self.i, self.factor = inner, where, i, factor

    def forward(self, *args):
        if isinstance(self.where, int):
            args = list(args)
            args[self.where] = Tweak.apply(args[self.where], self.i, self.factor)
            return self.inner(*args)
        path, _, name = self.where.rpartition(".")
        own = self.inner.get_submodule(path)._parameters
        kept = own[name]
        try:
            own[name] = Tweak.apply(kept, self.i, self.factor)
            return self.inner(*args)
        finally:
            own[name] = kept


def plant(line, seed):
    """Return the layer with the bug, its inputs, the input's name and the index; None if none."""
    rng = np.random.default_rng([seed, len(line.make), *line.make.encode()])
    module = build(line, torch).train(line.modes[0] == "train")
    inputs = arguments(line, torch)
    outs = [t for t in flatten(module(*inputs), torch) if t.requires_grad]
    leaves = {k: t for k, t in enumerate(inputs) if t.requires_grad}
    leaves |= dict(module.named_parameters())
    if not outs or not leaves:
        return None
    where = list(leaves)[int(rng.integers(len(leaves)))]
    weights = [torch.from_numpy(np.asarray(rng.standard_normal(t.shape))) for t in outs]
    (g,) = torch.autograd.grad(outs, [leaves[where]], weights, allow_unused=True)
    if g is None:
        return None
    size = np.abs(g.numpy()).ravel()
    large = np.flatnonzero(size >= 1e-2 * np.sqrt((size**2).mean()))
    if not size.any() or size.max() < 1e-8:
        return None
    i = int(rng.choice(large))
    module = build(line, torch).train(line.modes[0] == "train")
    wrong = Planted(module, where, i, 1 + (0.01, 0.1, 1.0)[seed % 3])
    name = f"args[{where}]" if isinstance(where, int) else f"inner.{where}"
    return wrong, arguments(line, torch), name, tuple(np.unravel_index(i, g.shape))


def find(line, seed):
    """Plant a bug and look for it; return whether there was one."""
    planted = plant(line, seed)
    if planted is None:
        return False
    module, inputs, name, index = planted
    report = check_gradients(module, *inputs, seed=seed)
    found = [(f.input, f.index) for f in report.failures]
    assert found == [(name, index)], f"{line.make}\n{report}"
    n, count = sum(report.checked.values()), len(report.checked)
    kinks = sum("kink" in note for note in report.notes)
    bar = (40 + 6 * math.log2(n)) * (1.25 if count > 1 else 1) * (1 + kinks)
    assert report.evaluations <= bar + 6 * max(0, count - 4), line.make
    return True


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("part", range(4))
def test_in_a_fifth_of_the_layers(part):
    assert sum(find(line, seed) for seed, line in enumerate(LINES[part::4][::5])) > 3


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES, ids=lambda line: line.make)
def test_in_every_layer(line):
    for seed in range(6):
        find(line, seed)
