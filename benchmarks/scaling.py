"""How the time of a training step grows with batch, width, depth, image and sequence length.

Each series trains one kind of net and varies one size. The *slope* is the exponent of the growth:
the straight line through log(time) over log(size) by least squares, over the larger half of the
sizes. Below 1 a step still has costs that do not grow with the size; attention has slope 2 where
the products of all pairs of tokens dominate.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from benchmarks.measure import Case
from benchmarks.workloads import conv_bn_relu, lstm, mlp, numbers


def attention(torch, tokens):
    """Return forward and backward of scaled_dot_product_attention, 4 heads of width 16, batch 2."""
    q, k, v = (numbers(torch, 2, 4, tokens, 16).requires_grad_() for _ in range(3))
    gradient = torch.ones_like(q)

    def call():
        torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).backward(gradient)
        q.grad = k.grad = v.grad = None

    return call


SERIES = {  # name: (what is trained, the sizes, the step as a function of (torch, size))
    "batch": ("MLP 64-128-128-10, SGD", (1, 4, 16, 64, 256, 1024, 4096),
              lambda t, size: mlp(t, (64, 128, 128, 10), size)),
    "width": ("MLP 32-w-w-10, batch 32, SGD", (8, 32, 128, 512, 2048),
              lambda t, size: mlp(t, (32, size, size, 10), 32)),
    "depth": ("MLP of d layers of width 32, batch 32, SGD", (1, 4, 16, 64, 256),
              lambda t, size: mlp(t, (32,) * (size + 1), 32)),
    "image": ("ConvBNReLU 3-8-16, s x s images, batch 16, Adam", (8, 16, 32, 64),
              lambda t, size: conv_bn_relu(t, (3, 8, 16), size, 16)),
    "steps": ("LSTM 8-16, batch 16, Adam", (5, 20, 80, 320),
              lambda t, size: lstm(t, 8, 16, size, 16)),
    "tokens": ("causal attention, 4 heads of 16, batch 2", (16, 64, 256, 1024), attention),
}


class Point(NamedTuple):
    """One case of a series."""

    series: str
    size: int


POINTS = {f"{series} {size}": Point(series, size)
          for series, (_, sizes, _) in SERIES.items() for size in sizes}
CASES = [Case(name, lambda t, make=SERIES[point.series][2], size=point.size: make(t, size),
              about=SERIES[point.series][0])
         for name, point in POINTS.items()]


def lines(results: dict) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return {series: {side: [(size, seconds)]}} of what was measured without failing."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for name, result in results.items():
        if "error" not in result:
            series, size = POINTS[name]
            for side, seconds in result["seconds"].items():
                found.setdefault(series, {}).setdefault(side, []).append((size, seconds))
    return found


def slope(points: list[tuple[int, float]]) -> float:
    """Return the exponent of growth over the larger half of the sizes; NaN for a single one."""
    upper = sorted(points)[len(points) // 2 - 1 if len(points) > 2 else 0:]
    if len(upper) < 2:
        return math.nan
    sizes, seconds = np.log(np.array(upper, float).T)
    return float(np.polyfit(sizes, seconds, 1)[0])


def slope_rows(results: dict) -> list[list[str]]:
    """Return the table of slopes: one row a series, one column a side."""
    found = lines(results)
    sides = list(next(iter(found.values()))) if found else []
    rows = [["slope", *sides]]
    for series, by_side in found.items():
        if max(map(len, by_side.values())) > 1:
            rows.append([f"{series}: {SERIES[series][0]}",
                         *(f"{slope(by_side[side]):.2f}" for side in sides)])
    return rows
