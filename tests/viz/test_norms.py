"""`norm_axes`: what is marked is what the layer's output depends on; text, SVG, matplotlib."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad.nn import extra

LAYERS = [
    (nn.BatchNorm1d(4), (3, 4, 5)), (nn.BatchNorm1d(4), (6, 4)), (nn.BatchNorm2d(4), (2, 4, 3, 3)),
    (nn.BatchNorm3d(2), (2, 2, 2, 2, 2)), (nn.InstanceNorm1d(4), (3, 4, 5)),
    (nn.InstanceNorm2d(3), (2, 3, 4, 2)), (nn.GroupNorm(2, 4), (3, 4, 5)),
    (nn.GroupNorm(1, 4), (3, 4, 5)), (nn.GroupNorm(4, 4), (3, 4, 5)),
    (nn.LayerNorm(5), (3, 4, 5)), (nn.LayerNorm([4, 5]), (3, 4, 5)), (nn.RMSNorm(5), (3, 4, 5)),
    (nn.LocalResponseNorm(3), (2, 6, 4)), (nn.LocalResponseNorm(4), (2, 6, 4)),
    (nn.CrossMapLRN2d(3), (2, 6, 2, 2)), (extra.LayerNorm2d(4), (2, 4, 3, 3)),
    (extra.FilterResponseNorm(4), (2, 4, 3, 3)), (extra.ScaleNorm(5), (3, 4, 5)),
    (extra.SimpleRMSNorm(5), (3, 4, 5)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda v: str(v)[:40])
def test_marked_elements_are_those_the_output_depends_on(layer, shape):
    torch.manual_seed(0)
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    y = layer.double()(x)
    (g,) = torch.autograd.grad(y[(0,) * len(shape)], x)
    drawn = torch.viz.norm_axes(layer, shape)
    assert np.array_equal(g.numpy() != 0, drawn.shared)


def test_how_many_statistics_there_are():
    count = {name: torch.viz.norm_axes(name, (3, 4, 5), **options).statistics
             for name, options in (("BatchNorm1d", {}), ("InstanceNorm1d", {}), ("LayerNorm", {}),
                                   ("GroupNorm", {"num_groups": 2}))}
    assert count == {"BatchNorm1d": 4, "InstanceNorm1d": 12, "LayerNorm": 3, "GroupNorm": 6}
    assert torch.viz.norm_axes("LazyBatchNorm2d", (2, 3, 4, 4)).statistics == 3


@pytest.mark.parametrize("shape", [(3, 4, 5), (64, 3, 224, 224), (2, 8), (1, 1, 1)])
def test_svg_is_whole_and_its_labels_fit(shape):
    drawn = torch.viz.norm_axes("BatchNorm", shape)
    tree = ET.fromstring(drawn.svg())
    width, height = float(tree.get("width")), float(tree.get("height"))
    assert drawn._repr_svg_() == drawn.svg()
    for item in tree.iter("{http://www.w3.org/2000/svg}polygon"):
        for point in item.get("points").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width and 0 <= y <= height
    for item in tree.iter("{http://www.w3.org/2000/svg}text"):
        x, size = float(item.get("x")), float(item.get("font-size", 12))
        half = 0.55 * size * len(item.text)
        left = x - half / 2 if item.get("text-anchor") else x
        assert left >= 0 and left + half <= width, item.text


def test_long_axes_are_cut():
    text = torch.viz.norm_axes("GroupNorm", (32, 64, 28, 28), num_groups=8).text()
    assert "C has 64, 6 are drawn" in text
    assert "6272 elements share one; there are 256." in text
    assert "#" in text and "." in text.split("\n\n")[1]


def test_matplotlib():
    pytest.importorskip("matplotlib").use("Agg")
    axes = torch.viz.norm_axes("LayerNorm", (2, 3, 4), normalized_shape=4, title="mine").plot()
    assert axes.get_title() == "mine"


def test_wrong_arguments_are_refused():
    draw = torch.viz.norm_axes
    with pytest.raises(ValueError, match="not known"):
        draw("BatchNorm9", (2, 3))
    with pytest.raises(TypeError, match="name of its class"):
        draw(3, (2, 3))
    with pytest.raises(ValueError, match="num_groups"):
        draw("GroupNorm", (2, 3, 4), num_groups=2)
    with pytest.raises(ValueError, match="normalized_shape"):
        draw("LayerNorm", (2, 3, 4), normalized_shape=3)
    with pytest.raises(ValueError, match="axis to average"):
        draw("InstanceNorm1d", (2, 3))
    with pytest.raises(ValueError, match="positive"):
        draw("BatchNorm1d", (2,))
    with pytest.raises(ValueError, match="size"):
        draw("LocalResponseNorm", (2, 3, 4), size=0)


@pytest.mark.parametrize(("channels", "groups"), [(4, 2), (9, 3), (5, 5), (1, 1)])
def test_the_name_and_the_shape_are_enough(channels, groups):
    picture = torch.viz.norm_axes("GroupNorm", (2, channels, 3))
    given = torch.viz.norm_axes("GroupNorm", (2, channels, 3), num_groups=groups)
    assert picture.text() == given.text()
