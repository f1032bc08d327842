"""Pooling and unpooling."""

from __future__ import annotations

import numpy as np

from tests.samples import A, C

from . import M

_WELL_APART = A(2, 3, 6, 5, distinct=True)
PLACES = C(2, 3, 4, make=lambda rng: np.tile(np.array([1, 2, 5, 6]), (2, 3, 1)))
PLACES_2D = C(make=lambda rng: np.arange(1, 16, 4).reshape(1, 1, 2, 2).repeat(2, 0))
PLACES_3D = C(make=lambda rng: np.arange(1, 16, 4).reshape(1, 1, 1, 2, 2).repeat(2, 0))

LINES = [
    M("nn.MaxPool1d(3, stride=2, padding=1)", A(2, 3, 8, distinct=True)),
    M("nn.MaxPool2d(2)", _WELL_APART),
    M("nn.MaxPool2d((3, 2), stride=(1, 2), padding=(1, 0), dilation=(2, 1), ceil_mode=True)",
      _WELL_APART),
    M("nn.MaxPool2d(2, return_indices=True)", _WELL_APART),
    M("nn.MaxPool3d(2, stride=1)", A(1, 2, 3, 3, 3, distinct=True)),
    M("nn.AvgPool1d(3, stride=2, padding=1)", A(2, 3, 8)),
    M("nn.AvgPool2d(2, ceil_mode=True)", A(2, 3, 5, 5)),
    M("nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)", A(3, 5, 5)),
    M("nn.AvgPool2d((2, 3), divisor_override=4)", A(2, 3, 5, 5)),
    M("nn.AvgPool3d(2)", A(1, 2, 4, 2, 3)),
    M("nn.LPPool1d(2, 3)", A(2, 3, 8, low=0.2)),
    M("nn.LPPool2d(3, 2, stride=1, ceil_mode=True)", A(2, 2, 4, 4, low=0.2)),
    M("nn.LPPool3d(2, 2)", A(1, 2, 2, 4, 2, low=0.2)),
    M("nn.AdaptiveAvgPool1d(3)", A(2, 3, 8)),
    M("nn.AdaptiveAvgPool2d((3, None))", A(2, 2, 5, 4)),
    M("nn.AdaptiveAvgPool2d(1)", A(2, 5, 4)),
    M("nn.AdaptiveAvgPool3d((1, 2, 2))", A(1, 2, 3, 4, 3)),
    M("nn.AdaptiveMaxPool1d(3)", A(2, 3, 8, distinct=True)),
    M("nn.AdaptiveMaxPool2d((2, 3), return_indices=True)", _WELL_APART),
    M("nn.AdaptiveMaxPool3d(2)", A(1, 2, 3, 4, 3, distinct=True)),
    M("nn.MaxUnpool1d(2)", A(2, 3, 4), PLACES),
    M("nn.MaxUnpool2d(2)", A(2, 1, 2, 2), PLACES_2D),
    M("nn.MaxUnpool3d((1, 2, 2))", A(2, 1, 1, 2, 2), PLACES_3D),
]
