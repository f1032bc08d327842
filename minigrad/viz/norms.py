"""`norm_axes`: the picture of which elements share a mean and variance in each norm."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..nn import Module

MOST = 6  # cubes along an axis; of longer axes the picture shows only as many
BLUE, GREY, LINE = "#3b7dd8", "#e9ecef", "#6c757d"
NEIGHBOURS = ("LocalResponseNorm", "CrossMapLRN2d")
KINDS = {
    "BatchNorm": "channel", "SyncBatchNorm": "channel", "BatchRenorm": "channel",
    "InstanceNorm": "instance", "FilterResponseNorm": "instance",
    "LayerNorm1d": "place", "LayerNorm2d": "place", "LayerNorm3d": "place",
    "GroupNorm": "group", "LayerNorm": "last", "RMSNorm": "last", "SimpleRMSNorm": "last",
    "ScaleNorm": "last", "LocalResponseNorm": "neighbours", "CrossMapLRN2d": "neighbours"}


@dataclass(frozen=True)
class NormAxes:
    """Which elements share the statistics of the first one: `text()`, `svg()`, `plot(axes)`."""

    title: str
    shape: tuple[int, ...]
    names: tuple[str, ...]  # of the axes
    shared: np.ndarray[Any, Any]  # of the shape; True: shares the statistics of element 0, 0, ...
    over: str  # in words
    statistics: int  # how many different means (or squares) there are

    def text(self) -> str:
        """Return the sentence and a drawing in letters: # shares the statistics of the first."""
        lines = [f"{self.title}: {self.over}",
                 f"{int(self.shared.sum())} elements share one; there are {self.statistics}.", ""]
        block = self._block()
        for n in range(block.shape[0]):
            for c in range(block.shape[1]):
                marks = " ".join("#" if on else "." for on in block[n, c])
                lines.append(f"{f'n={n}' if c == 0 else '':5}c={c}  {marks}")
            lines.append("")
        cut = [f"{self._axis(k)} has {size}, {MOST} are drawn" for k, size in
               enumerate(self._sizes()) if size > MOST]
        return "\n".join([*lines, *cut]).rstrip()

    __str__ = text

    def _sizes(self) -> tuple[int, int, int]:
        n, c, *rest = self.shape
        return n, c, math.prod(rest)

    def _block(self) -> np.ndarray[Any, Any]:
        """Return the (N, C, L) block, L all further axes in one, cut to what is drawn.

        Of a long axis the picture keeps the share that is marked, at least one cube of each kind.
        """
        block = self.shared.reshape(self._sizes())
        for axis, size in enumerate(block.shape):
            if size > MOST:
                lines = block.any(axis=tuple(i for i in range(3) if i != axis))
                marked = int(lines.sum())
                kept = MOST if marked == size else min(MOST - 1, max(1, round(
                    MOST * marked / size)))
                picked = [*np.flatnonzero(lines)[:kept], *np.flatnonzero(~lines)[:MOST - kept]]
                block = np.take(block, sorted(picked), axis)
        return block

    def svg(self) -> str:
        """Return the block as SVG, without any other program."""
        block, side = self._block(), 22.0
        n, c, length = block.shape
        deep = side * 0.5
        left, top = 34.0, 46.0 + n * deep
        width = max(left + length * side + n * deep + 24, 7.2 * max(len(self.title), len(
            self.over)) + 24)
        height = top + c * side + 52

        def corner(i: float, j: float, k: float) -> str:
            """Return the place of sample i, channel j, position k; sample 0 is in front."""
            return f"{left + k * side + i * deep:.1f},{top + j * side - i * deep:.1f}"

        def face(points: list[tuple[float, float, float]], on: bool, shade: float) -> str:
            colour = _shaded(BLUE if on else GREY, shade)
            return (f'<polygon points="{" ".join(corner(*p) for p in points)}" fill="{colour}" '
                    f'stroke="{LINE}" stroke-width="0.6"/>')

        faces = []
        for i in range(n):  # only what is seen: the front, the top and the right side
            for k in range(length):
                faces.append(face([(i, 0, k), (i, 0, k + 1), (i + 1, 0, k + 1), (i + 1, 0, k)],
                                  block[i, 0, k], 1.06))
            for j in range(c):
                faces.append(face([(i, j, length), (i + 1, j, length), (i + 1, j + 1, length),
                                   (i, j + 1, length)], block[i, j, -1], 0.85))
        for j in range(c):
            for k in range(length):
                faces.append(face([(0, j, k), (0, j, k + 1), (0, j + 1, k + 1), (0, j + 1, k)],
                                  block[0, j, k], 1.0))
        labels = [(left + length * side / 2, top + c * side + 16, self._axis(2)),
                  (left - 16, top + c * side / 2 + 4, self._axis(1)),
                  (left + n * deep / 2 - 14, top - n * deep / 2 - 2, self._axis(0))]
        words = "".join(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-weight="bold">'
                        f"{html.escape(t)}</text>" for x, y, t in labels)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
                f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
                f'font-family="sans-serif" font-size="12" role="img">'
                f'<rect width="100%" height="100%" fill="white"/>'
                f'<text x="10" y="20" font-size="14" font-weight="bold">'
                f"{html.escape(self.title)}</text>{''.join(faces)}{words}"
                f'<text x="10" y="{height - 10:.0f}">{html.escape(self.over)}</text></svg>\n')

    _repr_svg_ = svg

    def _axis(self, k: int) -> str:
        return "NCL"[k] if len(self.shape) < 4 or k < 2 else "".join(self.names[2:])

    def plot(self, axes: Any = None) -> Any:
        """Draw the block into 3-D axes of matplotlib (made if None); return them."""
        if axes is None:
            from .plots import pyplot

            axes = pyplot("norm_axes(...).plot()").figure().add_subplot(projection="3d")
        block = self._block()
        n, c, length = block.shape
        # matplotlib's x, y, z are L, N and C, the first channel on top
        cubes = block.transpose(2, 0, 1)[:, :, ::-1]
        axes.voxels(np.ones_like(cubes), facecolors=np.where(cubes, BLUE, GREY),
                    edgecolor=LINE, linewidth=0.4)
        axes.set_title(self.title, y=1.0)
        axes.set_axis_off()
        for x, y, z, name in ((length / 2, 0, -0.7, self._axis(2)),
                              (length, n / 2 + 0.4, -0.6, "N"), (-0.6, 0, c / 2, "C")):
            axes.text(x, y, z, name, fontweight="bold", ha="center")
        axes.set_box_aspect((length, n, c), zoom=1.02)
        axes.view_init(elev=24, azim=-58)
        return axes


def norm_axes(norm: Any, shape: Any, *, num_groups: int | None = None, normalized_shape: Any = None,
              size: int | None = None, title: str | None = None) -> NormAxes:
    """Show which elements of an (N, C, ...) input a norm averages for its first element.

    Args: `norm`: a norm layer, or the name of its class ("BatchNorm2d", "LayerNorm"); `shape` of
    the input; of names: `num_groups` (GroupNorm; default: the smallest divisor of the channels
    above 1), `normalized_shape` (LayerNorm, RMSNorm; default: all but the first axis), `size` of
    the channel window (LocalResponseNorm, default 5). ValueError for an unknown norm or options
    that do not fit.

    >>> import minigrad as torch
    >>> print(torch.viz.norm_axes("GroupNorm", (2, 4, 3), num_groups=2).text())
    GroupNorm(2, 4): the statistics are over C / 2, L of each sample
    6 elements share one; there are 4.
    <BLANKLINE>
    n=0  c=0  # # #
         c=1  # # #
         c=2  . . .
         c=3  . . .
    <BLANKLINE>
    n=1  c=0  . . .
         c=1  . . .
         c=2  . . .
         c=3  . . .
    """
    shape = tuple(shape)
    if len(shape) < 2 or any(not isinstance(n, int) or n < 1 for n in shape):
        raise ValueError(f"shape: expected (N, C, ...) of positive ints, got {shape}")
    if isinstance(norm, Module):
        name = type(norm).__name__
        num_groups = getattr(norm, "num_groups", num_groups)
        normalized_shape = getattr(norm, "normalized_shape", normalized_shape)
        size = getattr(norm, "size", size)
    else:
        name = norm
    kind = _kind(name)
    return _Drawn(name, kind, shape, num_groups, normalized_shape, size).made(title)


def _kind(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"norm: expected a layer or the name of its class, got "
                        f"{type(name).__name__}")
    plain = name.removeprefix("Lazy")
    for known in (plain, plain[:-2] if plain[-1:] == "d" and plain[-2:-1].isdigit() else plain):
        if known in KINDS:
            return KINDS[known]
    raise ValueError(f"norm: {name!r} is not known; choose from {', '.join(sorted(KINDS))}")


class _Drawn:
    def __init__(self, name: str, kind: str, shape: tuple[int, ...], num_groups: int | None,
                 normalized_shape: Any, size: int | None) -> None:
        self.name, self.kind, self.shape = name, kind, shape
        names = {2: ("N", "C"), 3: ("N", "C", "L"), 4: ("N", "C", "H", "W"),
                 5: ("N", "C", "D", "H", "W")}
        self.names = names.get(len(shape), ("N", "C", *(f"L{k}" for k in range(len(shape) - 2))))
        self.groups, self.size = num_groups, size
        self.last = normalized_shape
        self.shared = np.zeros(shape, bool)

    def made(self, title: str | None) -> NormAxes:
        arguments, over = getattr(self, f"_{self.kind}")()
        share = int(self.shared.sum())
        count = (math.prod(self.shape) if self.kind == "neighbours"
                 else math.prod(self.shape) // share)
        return NormAxes(title or f"{self.name}({arguments})", self.shape, self.names, self.shared,
                        over, count)

    def _rest(self) -> str:
        return ", ".join(self.names[2:])

    def _channel(self) -> tuple[str, str]:
        self.shared[:, 0] = True
        axes = ", ".join(("N", *self.names[2:]))
        return str(self.shape[1]), f"the statistics are over {axes}, per channel"

    def _instance(self) -> tuple[str, str]:
        if len(self.shape) < 3:
            raise ValueError(f"shape: {self.name} needs (N, C, ...) with an axis to average over, "
                             f"got {self.shape}")
        self.shared[0, 0] = True
        return str(self.shape[1]), (f"the statistics are over {self._rest()}, per sample and "
                                    f"channel")

    def _place(self) -> tuple[str, str]:
        self.shared.reshape(*self.shape[:2], -1)[0, :, 0] = True
        return str(self.shape[1]), "the statistics are over C, at each place of each sample"

    def _group(self) -> tuple[str, str]:
        channels = self.shape[1]
        groups = self.groups if self.groups is not None else next(
            (k for k in range(2, channels + 1) if channels % k == 0), 1)
        if groups < 1 or channels % groups:
            raise ValueError(f"num_groups: GroupNorm needs a divisor of the {channels} channels, "
                             f"got {groups}")
        self.shared[0, :channels // groups] = True
        part = "C" if groups == 1 else f"C / {groups}"
        axes = ", ".join((part, *self.names[2:]))
        return f"{groups}, {channels}", f"the statistics are over {axes} of each sample"

    def _last(self) -> tuple[str, str]:
        last = self.last if self.last is not None else (
            self.shape[-1:] if self.name in ("ScaleNorm", "SimpleRMSNorm") else self.shape[1:])
        last = (last,) if isinstance(last, int) else tuple(last)
        if not last or len(last) > len(self.shape) or self.shape[-len(last):] != last:
            raise ValueError(f"normalized_shape: {last} is not the end of the shape {self.shape}")
        lead = len(self.shape) - len(last)
        self.shared[(0,) * lead] = True
        axes = ", ".join(self.names[lead:])
        written = ", ".join(map(str, last))
        what = "the mean square is" if "RMS" in self.name or self.name == "ScaleNorm" else (
            "the statistics are")
        return (f"[{written}]" if len(last) > 1 else written), f"{what} over {axes}"

    def _neighbours(self) -> tuple[str, str]:
        size = 5 if self.size is None else self.size
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        ahead = size - size // 2  # channels c - size // 2 ... c + (size - 1) // 2
        self.shared.reshape(*self.shape[:2], -1)[0, :ahead, 0] = True
        return str(size), f"the squares are summed over {size} neighbouring channels of each place"


def _shaded(colour: str, factor: float) -> str:
    parts = [min(255, round(int(colour[k:k + 2], 16) * factor)) for k in (1, 3, 5)]
    return "#" + "".join(f"{p:02x}" for p in parts)
