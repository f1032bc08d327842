"""Draw results: the ratios of nets, ops and layers as bars, the growth with size as lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import scaling
from benchmarks.report import TITLES

COLOURS = {"minigrad": "#0072b2", "torch 1 thread": "#e69f00", "torch 2 threads": "#d55e00"}
MARKERS = {"minigrad": "o", "torch 1 thread": "s", "torch 2 threads": "^"}
COLUMNS = 3  # of the panels of growth


def save(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write one PNG for each suite of `results` that can be drawn, and return their paths.

    Bars need ratios, so torch; the lines of growth are drawn for minigrad alone as well. Raises
    ModuleNotFoundError if Matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for suite, title in TITLES.items():
        figure = None
        if suite == "scaling" and results.get(suite):
            figure = growth(scaling.lines(results[suite]))
        elif any("ratio" in result for result in results.get(suite, {}).values()):
            figure = ratios(results[suite], title)
        if figure is not None:
            paths.append(folder / f"{suite}.png")
            figure.savefig(paths[-1], dpi=110)
    return paths


def ratios(results: dict[str, Any], title: str) -> Any:
    """Return a figure with a bar for each case: its ratio, on a logarithmic axis from 1."""
    from matplotlib.figure import Figure

    found = {name: result for name, result in results.items() if "ratio" in result}
    names = [result["about"] if "memory" in result else f"{name} {result['about']}".strip()
             for name, result in found.items()]
    values = [result["ratio"] for result in found.values()]
    figure = Figure(figsize=(10, 1.2 + 0.24 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, [value - 1 for value in values], left=1,
                     color=["#0072b2" if value <= 1 else "#e69f00" for value in values])
    for bar, value, (low, high) in zip(bars, values, (r["spread"] for r in found.values()),
                                       strict=True):
        height = bar.get_y() + bar.get_height() / 2
        axes.plot([low, high], [height, height], color="black", linewidth=1)
        axes.annotate(f"{value:.2f}", (max(value, high, 1), height), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=8)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, *values) / 1.2, max(2.0, *values) * 1.4)
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if axes.get_xlim()[0] < t
             < axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.margins(y=0.01)
    figure.suptitle(f"{title}: minigrad's time by torch's (left of 1: minigrad is faster)",
                    fontsize=10)
    return figure


def growth(found: dict[str, dict[str, list[tuple[int, float]]]]) -> Any:
    """Return a figure with a panel for each series: time over size, both logarithmic."""
    from matplotlib.figure import Figure

    across = min(COLUMNS, len(found))
    down = -(-len(found) // across)
    figure = Figure(figsize=(4.4 * across, 3.4 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).flat
    for axes, (series, by_side) in zip(panels, found.items(), strict=False):
        for side, points in by_side.items():
            label = f"{side} (slope {scaling.slope(points):.2f})"
            axes.loglog(*zip(*[(size, 1e3 * seconds) for size, seconds in points], strict=True),
                        color=COLOURS[side], marker=MARKERS[side], markersize=4, label=label)
        axes.set_title(scaling.SERIES[series][0], fontsize=9)
        axes.set_xlabel(series)
        axes.set_ylabel("ms a step")
        sizes = [size for size, _ in next(iter(by_side.values()))]
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    for axes in list(figure.axes)[len(found):]:
        axes.set_visible(False)
    return figure
