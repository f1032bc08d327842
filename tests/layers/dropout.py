"""Dropout: the draws are not torch's, so only what does not depend on them."""

from __future__ import annotations

from tests.samples import A

from . import M

_LINE = A(3, 7, away=0.1)

LINES = [
    M("nn.Dropout(0.3)", _LINE, modes="eval"),
    M("nn.Dropout(0.0)", _LINE),
    M("nn.Dropout(1.0)", _LINE),
    M("nn.Dropout1d(1.0)", A(2, 3, 4)),
    M("nn.Dropout1d()", A(3, 4), modes="eval"),
    M("nn.Dropout2d(1.0)", A(2, 3, 2, 2)),
    M("nn.Dropout3d(0.0)", A(2, 3, 2, 2, 1)),
    M("nn.AlphaDropout(1.0)", _LINE),
    M("nn.AlphaDropout(0.2)", _LINE, modes="eval"),
    M("nn.FeatureAlphaDropout(0.0)", A(2, 3, 4)),
]
