"""The nets that the drawing tests share: (name, model or function, inputs, ops on the tape)."""

from __future__ import annotations

from typing import Any

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.fc2 = nn.Linear(16, 4)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class ConvBNReLU(nn.Module):
    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = ConvBNReLU(4, 4)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(x + self.conv(self.act(self.block(x))))


class Tied(nn.Module):
    """An embedding whose weight is the output layer's as well, and a layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 6)
        self.mix = nn.Linear(6, 6)
        self.out = nn.Linear(6, 10, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, ids):
        return self.out(torch.tanh(self.mix(torch.tanh(self.mix(self.embed(ids))))))


class Cell(nn.Module):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.x = nn.Linear(inputs, 4 * hidden)
        self.h = nn.Linear(hidden, 4 * hidden)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (self.x(x) + self.h(h)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class Unrolled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = Cell(3, 5)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        state = (torch.zeros(2, 5), torch.zeros(2, 5))
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return {"logits": self.head(state[0]), "state": state}


class Clips(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 4, 3)
        self.drop = nn.Dropout3d(0.3)
        self.pool = nn.MaxPool3d(2)
        self.fc = nn.Linear(4 * 8, 3)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.drop(F.relu(self.conv(x)))), 1))


class Listed(nn.Module):
    """Layers in lists and dicts, a parameter of its own, one that is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 1), "b": nn.Linear(3, 2)})
        self.scale = nn.Parameter(torch.ones(3))
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x) * self.scale
        return {name: head(x) for name, head in self.heads.items()}


def classifier() -> nn.Module:
    return nn.Sequential(ConvBNReLU(3, 4), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 6))


def selu() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.SELU(), nn.AlphaDropout(0.1), nn.Linear(4, 2))


def shared_block() -> nn.Module:
    block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    return nn.Sequential(block, nn.Tanh(), block)


class Activated(nn.Module):
    """A layer with an activation that may belong to others, too."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.act = act

    def forward(self, x):
        return self.act(self.fc(x))


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


def written(x):
    """Write into a whole tensor, into a view of one, and into one that is off the tape."""
    y = (x * 2).add_(1)
    y[0] += y[1]
    mask = (x > 0).float()
    mask.mul_(3)
    return (y * mask).sum()


def fails_forward() -> nn.Module:
    return nn.Sequential(MLP(), nn.ReLU(), nn.Linear(3, 2))


def fails_backward(x):
    """Overwrite what sigmoid keeps."""
    return (x * 2).sigmoid().relu_().sum()


def nans(x):
    """Make NaN in forward, and in backward alone: the slope of sqrt at 0 is infinite."""
    return (x - 2).log().sum() + ((x - x).sqrt() * 0).sum()


def norms() -> nn.Module:
    return nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True),
                         nn.LayerNorm([4, 3, 3]))


def cases() -> dict[str, tuple[Any, tuple[Any, ...], int]]:
    """Return fresh nets by name: the model, its inputs, the number of ops that it records."""
    torch.manual_seed(0)
    return {
        "mlp": (MLP(), (torch.ones(5, 8),), 3),
        "conv_bn_relu": (classifier(), (torch.ones(2, 3, 8, 8),), 6),
        "residual": (Residual(), (torch.ones(2, 4, 5, 5),), 7),
        "tied": (Tied(), (torch.tensor([[1, 2, 3]]),), 6),
        "unrolled": (Unrolled(), (torch.ones(2, 3, 3),), 3 * 14 + 1),
        "clips": (Clips(), (torch.ones(2, 1, 6, 6, 6),), 6),
        "listed": (Listed(), (torch.ones(2, 3),), 6),
        "selu": (selu(), (torch.ones(2, 4),), 4),
        "shared_block": (shared_block(), (torch.ones(1, 3),), 5),
        "norms": (norms(), (torch.rand(2, 4, 3, 3),), 3),
        "linear": (nn.Linear(2, 3), (torch.ones(4, 2),), 1),
        "lenet": (LeNet(), (torch.ones(1, 1, 28, 28),), 12),
        "lstm": (nn.LSTM(3, 4), (torch.ones(5, 2, 3),), 1),
        "transformer": (nn.TransformerEncoderLayer(8, 2, 16, 0.0), (torch.ones(5, 1, 8),), 26),
        "inplace": (written, (torch.ones(2, 3),), 11),
        "nan": (nans, (torch.ones(3),), 8),
        "function": (lambda x, w: (x * w).sin().sum(), (torch.ones(3), torch.ones(3)), 3),
    }
