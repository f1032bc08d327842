"""Make the pictures of norms.md, dropout.md, activations.md and extra.md.

    pip install -e ".[examples]" && python docs/make_figures.py

Every run gives the same pictures: the random numbers are seeded, the files carry no date.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

import minigrad as torch
import minigrad.nn as nn
from minigrad.nn import extra

IMAGES = Path(__file__).parent / "images"
BLUE, ORANGE = "#3b7dd8", "#e07b39"
SHAPE = N, C, L = 3, 4, 5
NORMS = [  # title, name, options
    ("BatchNorm1d(C)", "BatchNorm1d", {}),
    ("LayerNorm([C, L]), RMSNorm([C, L])", "LayerNorm", {}),
    ("LayerNorm(L), RMSNorm(L)", "LayerNorm", {"normalized_shape": L}),
    ("InstanceNorm1d(C)", "InstanceNorm1d", {}),
    ("GroupNorm(2, C)", "GroupNorm", {"num_groups": 2}),
    ("GroupNorm(1, C)", "GroupNorm", {"num_groups": 1}),
]
ACTIVATIONS = [
    nn.ReLU(), nn.LeakyReLU(0.1), nn.PReLU(), nn.RReLU(0.2, 0.4), nn.ReLU6(),
    nn.Threshold(1.0, -1.0),
    nn.ELU(), nn.CELU(2.0), nn.SELU(), nn.GELU(), nn.SiLU(), nn.Mish(),
    nn.Sigmoid(), nn.Tanh(), nn.Softsign(), nn.Softplus(), nn.LogSigmoid(), nn.Tanhshrink(),
    nn.Hardsigmoid(), nn.Hardtanh(), nn.Hardswish(), nn.Hardshrink(1.0), nn.Softshrink(1.0),
]


def save(figure: Any, name: str) -> None:
    """Write a picture without the date and the version of the program."""
    figure.savefig(IMAGES / name, dpi=110, metadata={"Software": None})
    plt.close(figure)


def norm_axes() -> None:
    """Draw the (N, C, L) block once per norm, with the elements of one mean in colour."""
    figure = plt.figure(figsize=(9, 5.4), layout="constrained")
    for place, (title, name, options) in enumerate(NORMS, 1):
        axes = figure.add_subplot(2, 3, place, projection="3d")
        torch.viz.norm_axes(name, SHAPE, title=title, **options).plot(axes)
    save(figure, "norm_axes.png")


def dropout_masks(layers: list[Any], name: str) -> None:
    """Show what the layers leave of ones: two samples of eight channels of 6 x 6 pixels."""
    torch.manual_seed(0)
    figure, panels = plt.subplots(2, 2, figsize=(9, 3.2), layout="constrained")
    for axes, layer in zip(panels.flat, layers, strict=True):
        y = layer(torch.ones(2, 8, 6, 6)).numpy()
        tiles = np.full((2, 7, 8, 7), np.nan)
        tiles[:, :6, :, :6] = y.transpose(0, 2, 1, 3)
        axes.imshow(tiles.reshape(14, 56)[:-1, :-1], cmap="coolwarm", vmin=-2, vmax=2)
        found = np.unique(y)
        values = ", ".join(f"{value:.4g}" for value in found) if found.size < 9 else "any value"
        axes.set(title=f"{named(layer)} of ones: {values}", xticks=[],
                 yticks=[2.5, 9.5], yticklabels=["n = 0", "n = 1"], xlabel="channels 0 ... 7")
    save(figure, name)


def named(layer: nn.Module) -> str:
    """Return the class and its options, without `inplace`."""
    options = layer.extra_repr().replace(", inplace=False", "")
    return f"{type(layer).__name__}({options})"


def curve(function: Callable[[Any], Any], low: float, high: float) -> tuple[Any, Any, Any]:
    """Return points, values and derivatives."""
    x = torch.linspace(low, high, 1201, requires_grad=True)
    y = function(x)
    y.sum().backward()
    return x.detach().numpy(), y.detach().numpy(), x.grad.numpy()


def broken(x: Any, y: Any) -> Any:
    """Put a gap where a curve jumps, so that no vertical line joins the two sides."""
    return np.where(np.abs(np.diff(y, append=y[-1])) > 20 * (x[1] - x[0]), np.nan, y)


def label(layer: nn.Module) -> str:
    """Return the class and the bare values of its options."""
    values = [part.rsplit("=", 1)[-1] for part in layer.extra_repr().split(", ") if part]
    return type(layer).__name__ + (f"({', '.join(values)})" if values else "")


def function_and_slope(axes: Any, layer: nn.Module, reach: float) -> None:
    """Draw a function of one variable and its derivative."""
    x, y, slope = curve(layer.eval(), -reach, reach)
    axes.axhline(0, color="#adb5bd", linewidth=0.6)
    axes.axvline(0, color="#adb5bd", linewidth=0.6)
    axes.plot(x, broken(x, y), color=BLUE, linewidth=1.8, label="f(x)")
    axes.plot(x, broken(x, slope), color=ORANGE, linewidth=1.3, label="f'(x)")
    axes.set_title(label(layer), fontsize=8)
    axes.tick_params(labelsize=7)
    both = np.stack([y, slope])
    axes.set_ylim(max(-4.2, both.min() - 0.2), min(6.2, both.max() + 0.2))


def activations() -> None:
    """Draw every activation of one variable with its derivative, by backward."""
    figure, panels = plt.subplots(6, 4, figsize=(10, 12), layout="constrained")
    for axes, layer in zip(panels.flat, ACTIVATIONS, strict=False):
        reach = 7.0 if isinstance(layer, nn.ReLU6) else 4.0
        function_and_slope(axes, layer, reach)
    for axes in panels.flat[len(ACTIVATIONS):]:
        axes.axis("off")
        axes.legend(*panels[0, 0].get_legend_handles_labels(), loc="center")
    save(figure, "activations.png")


def extra_activations() -> None:
    """Draw those of nn.extra, and the first share of (t, 0) by softmax and its sparse relatives."""
    figure, panels = plt.subplots(1, 5, figsize=(12, 2.5), layout="constrained")
    layers = [extra.SquaredReLU(), extra.StarReLU(), extra.Snake(1), extra.Squareplus()]
    for axes, layer in zip(panels, layers, strict=False):
        function_and_slope(axes, layer, 4.0)
    panels[0].legend(fontsize=7)
    t = torch.linspace(-4, 4, 801)
    scores = torch.stack([t, torch.zeros(801)], 1)
    for function, colour, name in ((torch.softmax, "#868e96", "softmax"),
                                   (extra.functional.entmax15, ORANGE, "entmax15"),
                                   (extra.functional.sparsemax, BLUE, "sparsemax")):
        panels[4].plot(t.numpy(), function(scores, 1)[:, 0].numpy(), color=colour, label=name)
    panels[4].set_title("share of t in (t, 0)", fontsize=8)
    panels[4].legend(fontsize=7)
    panels[4].tick_params(labelsize=7)
    save(figure, "extra_activations.png")


def main() -> None:
    """Make all pictures."""
    norm_axes()
    dropout_masks([nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout(), nn.FeatureAlphaDropout()],
                  "dropout_masks.png")
    activations()
    dropout_masks([extra.DropPath(0.5), extra.DropBlock2d(0.3, 3), extra.GaussianDropout(0.3),
                   extra.GaussianNoise(0.5)], "extra_masks.png")
    extra_activations()


if __name__ == "__main__":
    matplotlib.use("Agg")
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 9.5})
    IMAGES.mkdir(exist_ok=True)
    main()
