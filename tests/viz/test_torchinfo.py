"""The table of layers beside torchinfo 1.8.0's, whose numbers were recorded once.

torchinfo counts multiply-adds as parameters times places: a bias is one for each result, a norm has
its parameters alone (not the elements), of an input (S, N, C) only S counts for a Linear layer, and
products without parameters (attention) count nothing. Parameters, rows and their order are equal.
"""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn as nn

from .nets import LeNet


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(x + self.conv2(self.act(self.bn1(self.conv1(x)))))


def residual() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), Block(), Block())


# rows: path, parameters, multiply-adds of torchinfo, and how many fewer are counted here
BLOCK = [("conv1", 144, 18432, 0), ("bn1", 8, 16, 16 - 3 * 512), ("act", 0, 0, 0),
         ("conv2", 148, 18944, 512), ("act", 0, 0, 0)]
CASES = {
    "lenet": (LeNet, (2, 1, 28, 28), [
        ("", 61706, 0, 0), ("conv1", 156, 244608, 2 * 6 * 28 * 28), ("conv2", 2416, 483200, 3200),
        ("fc1", 48120, 96240, 240), ("fc2", 10164, 20328, 168), ("fc3", 850, 1700, 20)]),
    "residual": (residual, (2, 3, 8, 8), [
        ("", 616, 0, 0), ("0", 16, 2048, 512),
        *[(f"{k}{'.' + path if path else ''}", count, work, bias) for k in (1, 2)
          for path, count, work, bias in [("", 300, 0, 0), *BLOCK]]]),
    "lstm": (lambda: nn.LSTM(3, 4, 2), (5, 2, 3), [("", 304, 3040, 10 * 4 * 16)]),
    "gru": (lambda: nn.GRU(3, 4), (5, 2, 3), [("", 108, 1080, 10 * 2 * 12)]),
    "transformer": (lambda: nn.TransformerEncoderLayer(8, 2, 16), (5, 2, 8), [
        ("", 600, 0, 0),
        # projections of 10 rows (8 by 24, 8 by 8) and the two products of 2 x 2 heads of 5 x 5
        ("self_attn", 288, 0, -(10 * (8 * 24 + 8 * 8) + 2 * 2 * 25 * 8)),
        ("self_attn.out_proj", 72, 0, 0), ("dropout1", 0, 0, 0), ("norm1", 16, 80, 80 - 3 * 80),
        ("linear1", 144, 720, 720 - 10 * 8 * 16), ("dropout", 0, 0, 0),
        ("linear2", 136, 680, 680 - 10 * 16 * 8), ("dropout2", 0, 0, 0),
        ("norm2", 16, 80, 80 - 3 * 80)]),
}


@pytest.mark.parametrize("name", CASES)
def test_every_difference_from_torchinfo_is_explained(name):
    make, size, rows = CASES[name]
    table = torch.summary(make(), size, mode="train")
    assert [(row.path, row.num_params) for row in table.rows] == [row[:2] for row in rows]
    assert [row.mult_adds for row in table.rows] == [work - more for _, _, work, more in rows]
    assert table.total_params == rows[0][1]
