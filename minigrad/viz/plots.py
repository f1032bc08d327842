"""Histograms of activations, gradients and weights over training steps, with the numbers.

Needs matplotlib for the pictures only; it is imported when the first one is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import engine
from .state import tensors_in

Array = np.ndarray[Any, Any]
BINS = 40
# outputs beyond these are on the flat part: |f'| is below 0.01 there (ReLU6 and its kin: 0)
FLAT = {"Sigmoid": (0.01, 0.99), "Tanh": (-0.995, 0.995), "Softsign": (-0.9, 0.9),
        "Hardsigmoid": (0.0, 1.0), "Hardtanh": (-1.0, 1.0), "ReLU6": (0.0, 6.0)}
RECTIFIERS = ("ReLU", "ReLU6", "SquaredReLU", "RReLU", "Threshold", "Hardswish")


@dataclass
class Layer:
    """The numbers of one layer (or parameter): one entry per step in each list."""

    name: str
    kind: str
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    norm: list[float] = field(default_factory=list)
    zero: list[float] = field(default_factory=list)  # share of elements that are 0
    dead: list[float] = field(default_factory=list)  # share of units that are 0 for all samples
    saturated: list[float | None] = field(default_factory=list)  # share on a flat part, if any is
    not_finite: list[int] = field(default_factory=list)
    counts: list[list[int]] = field(default_factory=list)  # of the histogram
    edges: list[list[float]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)  # a layer that is skipped has fewer


@dataclass
class Picture:
    """What a plot function returns: `figure` of matplotlib, and the numbers by layer."""

    figure: Any
    layers: dict[str, Layer]
    steps: list[int]

    def save(self, path: Any) -> None:
        """Write the figure; the suffix chooses the format."""
        self.figure.savefig(path)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        return {"steps": self.steps, "layers": {k: dict(vars(v)) for k, v in self.layers.items()}}


class Recorder:
    """Collect histograms of a model's activations, gradients and weights over training steps.

    Use it as a context manager around training and call `step()` after each backward (before or
    after the optimizer's step; weights are taken as they are then). `every=n` keeps each nth step,
    `bins` are at most so many (fewer where there are few elements).
    Outputs of layers without children are activations; `layers` chooses by path or class name.
    Forward hooks look and never change anything; they are gone after the block.

    >>> import minigrad as torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
    >>> with torch.viz.Recorder(net) as recorder:
    ...     for _ in range(3):
    ...         net(torch.randn(8, 4)).sum().backward()
    ...         recorder.step()
    >>> sorted(recorder.activations), len(recorder.gradients["0.weight"].mean)
    (['0', '1'], 3)
    """

    def __init__(self, model: Any, *, every: int = 1, bins: int = BINS,
                 layers: tuple[str, ...] | None = None) -> None:
        for name, value in (("every", every), ("bins", bins)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an int of at least 1, got {value!r}")
        self.model, self.every, self.bins = model, every, bins
        self.activations: dict[str, Layer] = {}
        self.gradients: dict[str, Layer] = {}
        self.weights: dict[str, Layer] = {}
        self.steps: list[int] = []
        self.count = 0
        self._handles: list[Any] = []
        self._latest: dict[str, list[Array]] = {}
        self._watched = [(path, m) for path, m in model.named_modules()
                         if not m._modules and (layers is None or path in layers
                                                or type(m).__name__ in layers)]
        if not self._watched:
            raise ValueError(f"layers: none of {layers} is a layer of this model; give paths such "
                             f"as '0' or class names such as 'ReLU'")

    def __enter__(self) -> Recorder:
        self._handles = [m.register_forward_hook(self._hook(path)) for path, m in self._watched]
        return self

    def __exit__(self, *exc: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _hook(self, path: str) -> Callable[..., None]:
        def look(module: Any, inputs: Any, output: Any) -> None:
            if self.count % self.every == 0:
                found = [t._data.copy() for _, t in tensors_in(output)[:1]]
                self._latest.setdefault(path, []).extend(a for a in found if a.dtype.kind == "f")

        return look

    def step(self) -> None:
        """Take the numbers of this step: outputs since the last one, gradients, weights."""
        if not self._handles:
            raise RuntimeError("step(): the recorder is not active; use it as a context manager: "
                               "with Recorder(model) as recorder")
        keep = self.count % self.every == 0
        if keep:
            self.steps.append(self.count)
            kinds = {path: type(m).__name__ for path, m in self._watched}
            for path, arrays in self._latest.items():
                layer = self.activations.setdefault(path, Layer(path, kinds[path]))
                self._add(layer, arrays)
            for name, p in self.model.named_parameters():
                self._add(self.weights.setdefault(name, Layer(name, "weight")), [p._data])
                if p.grad is not None:
                    self._add(self.gradients.setdefault(name, Layer(name, "gradient")),
                              [p.grad._data])
        self._latest = {}
        self.count += 1

    def _add(self, layer: Layer, arrays: list[Array]) -> None:
        """Add one step: arrays of several calls count together."""
        flat = np.concatenate([a.reshape(-1) for a in arrays]).astype(np.float64)
        real = flat[np.isfinite(flat)]
        layer.not_finite.append(int(flat.size - real.size))
        some = real if real.size else np.zeros(1)
        for key, value in (("mean", some.mean()), ("std", some.std()), ("low", some.min()),
                           ("high", some.max()), ("norm", np.sqrt(real @ real)),
                           ("zero", float((flat == 0).mean()) if flat.size else 0.0)):
            getattr(layer, key).append(float(value))
        layer.dead.append(_dead(arrays))
        layer.saturated.append(_saturated(layer.kind, flat))
        layer.steps.append(self.count)
        bins = min(self.bins, max(4, math.ceil(2 * math.sqrt(real.size))))
        counts, edges = np.histogram(real, bins)
        layer.counts.append(counts.tolist())
        layer.edges.append(edges.tolist())


def _dead(arrays: list[Array]) -> float:
    """Return the share of units (dim 1; of 1-D values each element) that are 0 for all samples."""
    if arrays[0].ndim < 2 or any(a.shape[1] != arrays[0].shape[1] for a in arrays):
        return float(np.mean([(a == 0).mean() for a in arrays]))
    alive = np.zeros(arrays[0].shape[1], bool)
    for a in arrays:
        alive |= a.any(axis=(0, *range(2, a.ndim)))
    return float((~alive).mean())


def _saturated(kind: str, flat: Array) -> float | None:
    if kind not in FLAT or not flat.size:
        return None
    low, high = FLAT[kind]
    return float(((flat <= low) | (flat >= high)).mean())


def pyplot(what: str) -> Any:
    """Return matplotlib.pyplot, or say how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError(f"{what} draws with matplotlib, which is not installed; run "
                          f"pip install 'minigrad-numpy[examples]' or pip install matplotlib"
                          ) from None
    return plt


def plot_activations(recorded: Any, *inputs: Any, layers: tuple[str, ...] | None = None) -> Picture:
    """Draw the histograms of layers' outputs over the steps of a `Recorder`, or of one run.

    Args: `recorded`: a Recorder, or a model that is run once on `inputs` (and left as it was);
    `layers`: paths or class names, default all. Titles show the share of dead units (0 for all
    samples) of rectifiers and the saturated share of sigmoid, tanh and their kin at the last step.
    Returns a `Picture`: `figure`, `layers` with the numbers, `steps`.

    >>> import minigrad as torch
    >>> torch.viz.plot_activations(torch.nn.ReLU(), -torch.ones(4, 2)).layers[""].dead
    [1.0]
    """
    recorder = recorded if isinstance(recorded, Recorder) else _one_run(recorded, inputs, False)
    return _drawn(recorder.activations, recorder.steps, layers, "plot_activations", "Activations")


def plot_gradients(recorded: Any, *inputs: Any, loss: Callable[[Any], Any] | None = None,
                   layers: tuple[str, ...] | None = None) -> Picture:
    """Draw the histograms of the parameters' gradients over the steps of a `Recorder`.

    A model instead of a Recorder is run once, forward and backward from `loss(output)` (default:
    the sum of its output), and left as it was, `.grad` included.

    >>> import minigrad as torch
    >>> net = torch.nn.Linear(2, 1)
    >>> torch.viz.plot_gradients(net, torch.ones(4, 2)).layers["bias"].mean, net.bias.grad
    ([4.0], None)
    """
    recorder = recorded if isinstance(recorded, Recorder) else _one_run(recorded, inputs, True,
                                                                        loss)
    return _drawn(recorder.gradients, recorder.steps, layers, "plot_gradients", "Gradients")


def plot_weights(recorded: Any, *, layers: tuple[str, ...] | None = None) -> Picture:
    """Draw the histograms of the parameters over the steps of a `Recorder`, or as they are now.

    >>> import minigrad as torch
    >>> net = torch.nn.BatchNorm1d(3)
    >>> torch.viz.plot_weights(net).layers["weight"].mean
    [1.0]
    """
    recorder = recorded
    if not isinstance(recorded, Recorder):
        recorder = Recorder(recorded)
        with recorder:
            recorder.step()
    return _drawn(recorder.weights, recorder.steps, layers, "plot_weights", "Weights")


def _one_run(model: Any, inputs: tuple[Any, ...], backward: bool, loss: Any = None) -> Recorder:
    from ..modes import enable_grad
    from .state import untouched

    if not inputs:
        raise TypeError("inputs: expected a Recorder, or a model and the inputs to run it on")
    recorder = Recorder(model)
    with untouched(model, inputs), recorder, enable_grad():
        for p in model.parameters():
            p.grad = None
        out = model(*(v.detach().clone() if isinstance(v, engine.Tensor) else v for v in inputs))
        if backward:
            end = loss(out) if loss is not None else out
            if not isinstance(end, engine.Tensor):
                raise TypeError(f"loss: the model returns a {type(end).__name__}; give "
                                f"loss=lambda output: ... that makes one tensor of it")
            end.sum().backward()
        recorder.step()
    return recorder


def _drawn(found: dict[str, Layer], steps: list[int], wanted: tuple[str, ...] | None, name: str,
           title: str) -> Picture:
    chosen = {k: v for k, v in found.items()
              if wanted is None or k in wanted or v.kind in wanted}
    if not chosen:
        raise ValueError(f"layers: nothing was recorded for {wanted}; there is "
                         f"{', '.join(found) or 'nothing at all: call step() in the block'}")
    plt = pyplot(name)
    columns = min(4, len(chosen))
    rows = -(-len(chosen) // columns)
    figure, panels = plt.subplots(rows, columns, figsize=(3.1 * columns, 2.5 * rows + 0.4),
                                  squeeze=False, layout="constrained")
    for axes, layer in zip(panels.flat, chosen.values(), strict=False):
        _panel(axes, layer)
    for axes in panels.flat[len(chosen):]:
        axes.set_axis_off()
    figure.suptitle(f"{title} at step {steps[0]}" if len(steps) == 1 else
                    f"{title} over {len(steps)} steps (the first one behind)")
    plt.close(figure)  # a notebook shows the returned figure, not a second one
    return Picture(figure, chosen, steps)


def _panel(axes: Any, layer: Layer) -> None:
    """Draw up to 12 histograms, each a step nearer: the first one behind and light."""
    count = len(layer.counts)
    shown = np.unique(np.linspace(0, count - 1, min(count, 12)).round().astype(int))
    heights = [np.asarray(layer.counts[at]) / max(1, sum(layer.counts[at])) for at in shown]
    raised = 0.35 * max(float(h.max()) for h in heights)
    for row, (at, height) in enumerate(zip(shown, heights, strict=True)):
        base = raised * (len(shown) - 1 - row)
        share = (row + 1) / len(shown)
        colour = tuple(1 - share * (1 - c) for c in (0.23, 0.49, 0.85))
        axes.stairs(height + base, layer.edges[at], baseline=base, fill=True, color=colour,
                    zorder=row)
        axes.stairs(height + base, layer.edges[at], baseline=base, color="white", linewidth=0.5,
                    zorder=row + 0.5)
    axes.set_title("\n".join([f"{layer.name or 'model'}: {layer.kind}" if layer.kind not in (
        "weight", "gradient") else layer.name, _facts(layer)]), fontsize=8)
    axes.tick_params(labelsize=7)
    if len(shown) == 1:
        axes.set_ylabel("share", fontsize=7)
        return
    ends = [0, len(shown) - 1]
    axes.set_yticks([raised * (len(shown) - 1 - row) for row in ends],
                    [f"step {layer.steps[shown[row]]}" for row in ends])


def _facts(layer: Layer) -> str:
    facts = [f"mean {layer.mean[-1]:.2g}, std {layer.std[-1]:.2g}"]
    if layer.kind in RECTIFIERS:
        facts.append(f"dead {layer.dead[-1]:.0%}")
    saturated = layer.saturated[-1]
    if saturated is not None:
        facts.append(f"saturated {saturated:.0%}")
    if layer.not_finite[-1]:
        facts.append(f"{layer.not_finite[-1]} not finite")
    return ", ".join(facts)
