"""The graphs whose pages are tested: LeNet, blocks, failing runs, NaN, a long chain."""

from __future__ import annotations

from collections.abc import Callable

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
from minigrad import viz

from .nets import LeNet, cases


class Mismatched(LeNet):
    def forward(self, x):
        return self.fc1(torch.flatten(F.max_pool2d(F.relu(self.conv1(x)), 2), 1))


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        raise RuntimeError("no derivative today")


def images() -> torch.Tensor:
    return torch.linspace(-1, 1, 2 * 28 * 28).reshape(2, 1, 28, 28).sin()


def lenet() -> viz.Graph:
    torch.manual_seed(0)
    return viz.trace(LeNet(), images(), target=lambda y: F.cross_entropy(y, torch.tensor([1, 2])))


def net(name: str) -> Callable[[], viz.Graph]:
    def traced() -> viz.Graph:
        model, inputs, _ = cases()[name]
        return viz.trace(model, *inputs)

    return traced


def transformer() -> viz.Graph:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16)
    return viz.trace(layer, torch.rand(3, 2, 8), target=lambda y: y.square().mean())


def lstm() -> viz.Graph:
    torch.manual_seed(0)
    return viz.trace(nn.LSTM(3, 4, 2), torch.rand(3, 2, 3))


def failed(run: Callable[[], object]) -> viz.Graph:
    try:
        run()
    except RuntimeError as error:
        return error.graph  # type: ignore[attr-defined]
    raise AssertionError("the run was to fail")


def used_twice() -> viz.Graph:
    def f(x, w):
        y = x * w
        return (y.sin() + y * y).sum()

    return viz.trace(f, torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))


def bare() -> viz.Graph:
    """No numbers at all: neither values nor gradients nor times."""
    return viz.trace(LeNet(), images(), backward=False, numbers=False)


def nan() -> viz.Graph:
    return viz.trace(lambda x: ((x - 2).log() * 3).sum(), torch.tensor([1.0, 4.0]))


def chain() -> viz.Graph:
    def f(x):
        for _ in range(3000):
            x = x * 1.0001
        return x.sum()

    return viz.trace(f, torch.ones(2))


PAGES: dict[str, Callable[[], viz.Graph]] = {
    "lenet": lenet, "residual": net("residual"), "transformer": transformer, "lstm": lstm,
    "unrolled": net("unrolled"), "tied": net("tied"), "shared_block": net("shared_block"),
    "norms": net("norms"), "listed": net("listed"), "used_twice": used_twice, "nan": nan,
    "bare": bare,
    "fails_forward": lambda: failed(lambda: viz.trace(Mismatched(), images())),
    "fails_backward": lambda: failed(lambda: viz.trace(
        lambda x: Wrong.apply(x.exp()).sum(), torch.ones(3))),
    "chain": chain,
}
