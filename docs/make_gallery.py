"""Write gallery.md and its pictures: `python docs/make_gallery.py`.

Needs the `viz` extra. The pictures in the repository are this script's output; the numbers in them
are seeded, and no picture shows a time.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from make_images import ConvBNReLU  # the script beside this one

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
from minigrad import viz
from minigrad.testing import check_gradients

DOCS = Path(__file__).parent
OUT = DOCS / "images" / "gallery"


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


class Tied(nn.Module):
    """An embedding whose weight is the output layer's as well, and a layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 6)
        self.mix = nn.Linear(6, 6)
        self.out = nn.Linear(6, 10, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(torch.tanh(self.mix(torch.tanh(self.mix(self.embed(ids))))))


class Unrolled(nn.Module):
    """A recurrent cell that is called once for each time step."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.RNNCell(3, 5)
        self.head = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.zeros(x.shape[0], 5)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return self.head(state)


def stepwise(x: torch.Tensor) -> torch.Tensor:
    """Write into a tensor and into a view of it."""
    y = (x * 2).add_(1)
    y[0] += y[1]
    return y.sum()


def sick() -> nn.Module:
    """Two layers, of which half the units are dead."""
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh())
    with torch.no_grad():
        net[0].bias[:4] = -9
        net[2].weight *= 9
    return net


def checked(path: Path) -> object:
    """Check the gradients of a net of which one layer's backward is wrong."""
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            return x.tanh()

        @staticmethod
        def backward(ctx, g):  # type: ignore[no-untyped-def]
            return g

    class Layer(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return Wrong.apply(x)

    net, x = nn.Sequential(nn.Linear(3, 4), Layer(), nn.Linear(4, 2)), torch.randn(2, 3)
    return viz.draw(net, x, paint="gradcheck", report=check_gradients(net, x), path=path)


def entropy(y: torch.Tensor) -> torch.Tensor:
    """Return the loss of the classifier's result."""
    return F.cross_entropy(y, torch.tensor([0, 1]))


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
    ("residual_backward", "The same of a residual block with a loss, and what each op keeps.",
     lambda path: viz.draw(Residual(4), torch.rand(2, 4, 5, 5), backward=True,
                           target=lambda y: y.square().mean(), path=path)),
    ("shared", "A weight in two places and a layer that is called twice, drawn once and marked.",
     lambda path: viz.draw(Tied(), torch.tensor([[1, 2, 3]]), backward=True, path=path)),
    ("inplace", "In-place ops, and views (dashed) that share memory.",
     lambda path: viz.draw(stepwise, torch.ones(2, 3), path=path)),
    ("lstm", "An LSTM layer, from left to right (`direction=\"LR\"`).",
     lambda path: viz.draw(nn.LSTM(3, 4), torch.ones(5, 2, 3), direction="LR", path=path)),
    ("unrolled", "A cell that is called at each time step: equal calls once (`fold=True`).",
     lambda path: viz.draw(Unrolled(), torch.ones(2, 12, 3), fold=True, path=path)),
    ("transformer", "A layer of a transformer.",
     lambda path: viz.draw(nn.TransformerEncoderLayer(8, 2, 16, 0.0), torch.ones(5, 1, 8),
                           path=path)),
    ("collapsed", "The same with its modules as one node each (`depth=1`).",
     lambda path: viz.draw(nn.TransformerEncoderLayer(8, 2, 16, 0.0), torch.ones(5, 1, 8),
                           depth=1, path=path)),
    ("parameters", "Painted by parameters (`paint=\"parameters\"`).",
     lambda path: viz.draw(classifier(), torch.rand(2, 3, 8, 8), paint="parameters", path=path)),
    ("gradient", "Painted by the norms of gradients (`paint=\"gradient\"`).",
     lambda path: viz.draw(classifier(), torch.rand(2, 3, 8, 8), paint="gradient", path=path)),
    ("dead", "Painted by dead and saturated units (`paint=\"dead\"`).",
     lambda path: viz.draw(sick(), torch.randn(16, 4), paint="dead", path=path)),
    ("gradcheck", "Painted by the verdicts of a gradient check (`paint=\"gradcheck\"`): a wrong "
     "backward.", checked),
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


SCREENS = {
    "interactive": ("The interactive page: search, collapse, paint, step, export.", ""),
    "step": ("The same, dark, stepping backward: the rule of a layer and its numbers.",
             "app.goTo(app.steps.findIndex((s) => s.phase === 'backward' && "
             "titleOf(s.node) === '3: Linear'))"),
}


def pages() -> list[str]:
    """Take pictures of the interactive page, if there is a browser; else keep the old ones."""
    lines: list[str] = []
    for name, (text, _) in SCREENS.items():
        lines += ["", f"## {name}", "", text, "", f"![{text}](images/gallery/{name}.png)"]
    sys.path.insert(0, str(DOCS.parent))
    from tests.viz.browser import browser, browser_path

    if browser_path() is None:
        print("no browser: the pictures of the page are not made anew")
        return lines
    torch.manual_seed(0)
    with browser() as made, tempfile.TemporaryDirectory() as folder:
        for name, (_, script) in SCREENS.items():
            path = Path(folder) / "page.html"
            graph = viz.trace(classifier(), torch.rand(2, 3, 8, 8), numbers=bool(script),
                              target=entropy)
            graph.styled(theme="dark" if script else "light").save(path)
            made.open(path, 1100, 760)
            if script:
                made.run(script)
            made.screenshot(OUT / f"{name}.png")
    return lines


def other_formats() -> list[str]:
    """Show the formats that are text."""
    graph = viz.trace(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)),
                      torch.ones(5, 8), numbers=False)
    return ["", "## mermaid", "", "What code-hosting pages draw by themselves (`.mermaid()`).", "",
            "```mermaid", graph.mermaid().strip(), "```", "", "## text", "", "`.text()`, which "
            "tests can compare.", "", "```text", graph.text().strip(), "```"]


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
    lines += pages() + other_formats()
    (DOCS / "gallery.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
