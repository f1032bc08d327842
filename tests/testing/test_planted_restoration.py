"""A check leaves everything bit for bit as it was, whatever the function does, if it raises too."""

from __future__ import annotations

import random

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad.testing import check_gradients


class Busy(nn.Module):
    """A net with norms, dropout, frozen parameters, mixed modes, and a habit."""

    def __init__(self, habit="", dtype=torch.float32):
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 3, padding=1)
        self.norms = nn.Sequential(nn.BatchNorm1d(4), nn.BatchNorm1d(4, momentum=None))
        self.instance = nn.InstanceNorm1d(4, track_running_stats=True)
        self.drop = nn.Dropout(0.4)
        self.head = nn.Linear(4, 3)
        self.head.bias.requires_grad_(False)
        self.norms[1].eval()
        self.habit = habit
        self.to(dtype)

    def forward(self, x):
        made = self.drop(self.instance(self.norms(self.conv(x)).tanh()))
        if self.habit == "seeds":
            np.random.seed(1)
            random.seed(1)
            torch.manual_seed(1)
        if self.habit == "draws":
            torch.rand(3)
        if self.habit == "modes":
            self.eval()
            self.train()
        if self.habit == "freezes":
            self.conv.weight.requires_grad_(False)
            self.conv.weight.requires_grad_(True)
        if self.habit == "raises":
            raise KeyError("on purpose")
        return self.head(made.mean(-1))


def state(net, x):
    """Return everything that must not change."""
    tensors = [*net.named_parameters(), *net.named_buffers(), ("x", x)]
    return {
        "tensors": [(name, id(t), id(t._data), t._data.tobytes(), t.dtype, t._version,
                     t.requires_grad, None if t.grad is None else t.grad._data.tobytes())
                    for name, t in tensors],
        "modes": [m.training for m in net.modules()],
        "torch": torch.get_rng_state()._data.tobytes(),
        "numpy": [np.asarray(part).tobytes() for part in np.random.get_state()[1:]],
        "python": random.getstate(),
        "grad mode": torch.is_grad_enabled(),
        "attributes": sorted(vars(net)),
    }


def trained(habit, dtype, seed):
    """Return a net whose gradients and statistics are not the initial ones, and an input."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    net = Busy("", dtype)
    x = torch.randn(5, 2, 6, dtype=dtype, requires_grad=True)
    net(x).sum().backward()
    net.habit = habit
    torch.rand(seed + 1), np.random.rand(seed + 1), random.random()
    return net, x


@pytest.mark.parametrize("habit", ["", "seeds", "draws", "modes"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_changes(habit, dtype):
    net, x = trained(habit, dtype, 0)
    before = state(net, x)
    check_gradients(net, x)
    assert state(net, x) == before


@pytest.mark.slow
@pytest.mark.parametrize("habit", ["", "seeds", "draws", "modes", "freezes"])
@pytest.mark.parametrize("seed", range(1, 6))
def test_nothing_changes_at_other_seeds(habit, seed):
    net, x = trained(habit, torch.float32, seed)
    before = state(net, x)
    check_gradients(net, x, seed=seed, order=1 + seed % 2)
    assert state(net, x) == before


@pytest.mark.parametrize("order", [1, 2])
def test_nothing_changes_when_the_function_raises(order):
    net, x = trained("raises", torch.float32, 3)
    before = state(net, x)
    with pytest.raises(KeyError):
        check_gradients(net, x, order=order)
    assert state(net, x) == before


def test_nothing_changes_when_someone_interrupts():
    net, x = trained("", torch.float32, 4)
    calls = []

    def later(x):
        calls.append(0)
        made = net(x)
        np.random.seed(0)
        if len(calls) == 6:
            raise KeyboardInterrupt  # other exceptions beside the point are edges of the domain
        return made

    before = state(net, x)
    with pytest.raises(KeyboardInterrupt):
        check_gradients(later, x)
    assert len(calls) == 6 and state(net, x) == before


def test_nothing_changes_when_a_wrong_gradient_raises():
    class Lost(Busy):
        def forward(self, x):
            return super().forward(x) * self.head.weight.detach().sum()

    torch.manual_seed(0)
    net, x = Lost(), torch.randn(5, 2, 6)
    before = state(net, x)
    with pytest.raises(torch.testing.GradcheckError):
        check_gradients(net, x, raise_exception=True)
    assert state(net, x) == before


def test_nothing_changes_under_no_grad():
    net, x = trained("seeds", torch.float32, 5)
    with torch.no_grad():
        before = state(net, x)
        report = check_gradients(net, x)
        assert state(net, x) == before
    assert report.checked["conv.weight"] == 24
    assert "head.bias" in report.not_checked
