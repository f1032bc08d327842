"""A drawing or a summary leaves everything bit for bit as it was, also when the model raises."""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad import viz
from minigrad.versions import storage_of


class Careless(nn.Module):
    """A model that changes whatever it can reach, and raises if asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.bn = nn.BatchNorm2d(3)
        self.generator = torch.Generator().manual_seed(3)
        self.drop = nn.Dropout(0.5, generator=self.generator)
        self.frozen = nn.Parameter(torch.ones(3, 1, 1), requires_grad=False)
        self.register_buffer("steps", torch.zeros(()))
        self.fails = False

    def forward(self, x):
        self.steps += 1
        self.steps = self.steps + 1
        with torch.no_grad():
            self.conv.weight.mul_(2)
            self.conv.weight.data = self.conv.weight.data * 3
        if self.conv.weight.grad is not None:
            self.conv.weight.grad.add_(1)
        self.conv.bias.grad = torch.ones(3)
        torch.rand(3)
        y = self.drop(self.bn(self.conv(x)) * self.frozen)
        self.bn.eval()
        self.bn.register_forward_hook(lambda *args: None)
        if self.fails:
            raise RuntimeError("on purpose")
        return y


def everything(net):
    tensors = [*net.named_parameters(), *net.named_buffers()]
    grads = [(f"{n}.grad", p.grad) for n, p in net.named_parameters() if p.grad is not None]
    return {
        "values": {n: (id(t), id(t._data), t._data.tobytes(), storage_of(t).count, id(t._storage),
                       t.requires_grad, id(t._node)) for n, t in tensors + grads},
        "flags": [m.training for m in net.modules()],
        "hooks": [dict(m._forward_hooks) for m in net.modules()],
        "random": torch.get_rng_state().tolist(),
        "generator": net.generator.get_state().tolist(),
        "grad mode": torch.is_grad_enabled(),
    }


@pytest.fixture
def net():
    net = Careless()
    nn.Sequential(net.conv, net.bn)(torch.ones(1, 2, 4, 4)).sum().backward()
    net.conv.bias.grad = None
    return net


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("run", [
    lambda net, x: viz.trace(net, x),
    lambda net, x: viz.draw(lambda y: net(y).sum(), x),
    lambda net, x: torch.summary(net, inputs=(x,)),
], ids=["trace", "draw a function", "summary"])
def test_nothing_is_changed(net, run, fails):
    net.fails = fails
    x = torch.ones(2, 2, 4, 4)
    before, given = everything(net), x._data.tobytes()
    if fails:
        with pytest.raises(RuntimeError, match="on purpose"):
            run(net, x)
    else:
        run(net, x)
    assert everything(net) == before
    assert x._data.tobytes() == given
    assert not x.requires_grad


def test_no_hook_stays_behind(net):
    from minigrad.nn.modules.module import everywhere

    viz.trace(net, torch.ones(1, 2, 4, 4))
    torch.summary(net, (1, 2, 4, 4))
    assert not everywhere.calls
    assert not everywhere.always


def test_a_graph_that_was_recorded_before_still_goes_backward(net):
    loss = net.bn(net.conv(torch.ones(2, 2, 4, 4))).sum()
    viz.trace(net, torch.ones(2, 2, 4, 4))
    loss.backward()
    assert net.conv.bias.grad is not None


def test_inputs_are_not_written_into():
    ids = torch.tensor([1, 2])
    x = torch.ones(2)
    viz.trace(lambda a, i: a.mul_(2) + i.add_(1), x, ids)
    assert x.tolist() == [1, 1]
    assert ids.tolist() == [1, 2]


def test_generators_among_the_arguments():
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state().tolist()
    viz.trace(lambda x, g: x * torch.rand(2, generator=g), torch.ones(2), generator)
    assert generator.get_state().tolist() == before
