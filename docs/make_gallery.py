"""Write gallery.md and its pictures: `python docs/make_gallery.py`.

Needs the `viz` extra. The pictures in the repository are this script's output; the numbers in them
are seeded, and no picture shows a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
from minigrad import viz

DOCS = Path(__file__).parent
OUT = DOCS / "images" / "gallery"


class ConvBNReLU(nn.Module):
    """A convolution, batch normalisation and ReLU."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.bn(self.conv(x)))


class Residual(nn.Module):
    """Two convolutions with a connection past them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = ConvBNReLU(channels, channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.conv(self.block(x)))


def stops(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Lose gradients in three ways."""
    h = (x * w).relu()
    with torch.no_grad():
        mean = h.mean()
    return (h - mean + h.detach() * 2).sum() + w[h.argmax()]


def nans(x: torch.Tensor) -> torch.Tensor:
    """Make NaN forward in one place and backward in another."""
    return (x - 2).log().sum() + ((x - x).sqrt() * 0).sum()


def overwritten(x: torch.Tensor) -> torch.Tensor:
    """Overwrite what sigmoid keeps for backward."""
    return (x * 2).sigmoid().relu_().sum()


def classifier() -> nn.Module:
    return nn.Sequential(ConvBNReLU(3, 8), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 6))


def failing() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(12, 4))


PICTURES: list[tuple[str, str, Callable[[Path], object]]] = [
    ("classifier", "Modules as boxes, parameters and buffers inside the op that uses them.",
     lambda path: viz.draw(classifier(), torch.rand(2, 3, 8, 8), path=path)),
    ("repeats", "Twelve equal blocks are drawn once (`fold=True`).",
     lambda path: viz.draw(nn.Sequential(nn.Conv2d(3, 4, 1), *[Residual(4) for _ in range(12)]),
                           torch.rand(1, 3, 8, 8), fold=True, path=path)),
    ("backward", "Where gradients flow, their norms, and why they stop (`backward=True`).",
     lambda path: viz.draw(stops, torch.ones(3), torch.ones(3), backward=True, path=path)),
    ("flops", "Painted by FLOPs (`paint=\"flops\"`).",
     lambda path: viz.draw(classifier(), torch.rand(2, 3, 8, 8), paint="flops", path=path)),
    ("memory", "Painted by memory, dark (`paint=\"memory\", theme=\"dark\"`).",
     lambda path: viz.draw(classifier(), torch.rand(2, 3, 8, 8), paint="memory", theme="dark",
                           path=path)),
    ("nan", "Where NaN begins, forward and backward (`paint=\"nan\"`).",
     lambda path: viz.draw(nans, torch.ones(3), paint="nan", path=path)),
    ("failed_forward", "A run that raises is drawn up to the op that raised.",
     lambda path: viz.draw(failing(), torch.ones(2, 8), path=path)),
    ("failed_backward", "The same in backward (`backward=True`).",
     lambda path: viz.draw(overwritten, torch.ones(2, 3), backward=True, path=path)),
    ("print", "For printing: grey, told apart by shape (`theme=\"print\"`).",
     lambda path: viz.draw(Residual(4), torch.rand(1, 4, 8, 8), theme="print", path=path)),
]


def main() -> None:
    """Draw everything and write the page."""
    lines = ["# Gallery", "", "Made by `python docs/make_gallery.py`; the code of each picture is "
             "there. See [drawing](drawing.md)."]
    for name, text, draw in PICTURES:
        torch.manual_seed(0)
        with contextlib.suppress(RuntimeError):  # the failing runs: their picture is written
            draw(OUT / f"{name}.svg")
        lines += ["", f"## {name.replace('_', ' ')}", "", text, "",
                  f"![{text}](images/gallery/{name}.svg)"]
    (DOCS / "gallery.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
