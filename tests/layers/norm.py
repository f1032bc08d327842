"""Normalisation."""

from __future__ import annotations

from tests.samples import A

from . import M

_IMAGE = A(2, 4, 5, 6)
_LINE = A(3, 7, away=0.1)

LINES = [
    M("nn.BatchNorm1d(4)", A(5, 4)),
    M("nn.BatchNorm1d(4, affine=False)", A(2, 4, 3)),
    M("nn.BatchNorm1d(4, bias=False, eps=0.1)", A(5, 4)),
    M("nn.BatchNorm2d(4)", _IMAGE),
    M("nn.BatchNorm2d(4, momentum=None)", _IMAGE),
    M("nn.BatchNorm2d(4, momentum=0.3, track_running_stats=False)", _IMAGE),
    M("nn.BatchNorm3d(2)", A(2, 2, 2, 3, 2)),
    M("nn.InstanceNorm1d(4)", A(2, 4, 5)),
    M("nn.InstanceNorm1d(4, affine=True, track_running_stats=True)", A(4, 5)),
    M("nn.InstanceNorm2d(4, affine=True)", _IMAGE),
    M("nn.InstanceNorm2d(4, track_running_stats=True, momentum=0.2)", _IMAGE),
    M("nn.InstanceNorm2d(4, affine=True, bias=False)", A(4, 3, 3)),
    M("nn.InstanceNorm3d(2)", A(2, 2, 2, 2, 3)),
    M("nn.LayerNorm(7)", _LINE),
    M("nn.LayerNorm([4, 5, 6])", _IMAGE),
    M("nn.LayerNorm((5, 6), bias=False, eps=0.01)", _IMAGE),
    M("nn.LayerNorm(6, elementwise_affine=False)", _IMAGE),
    M("nn.GroupNorm(2, 4)", _IMAGE),
    M("nn.GroupNorm(1, 4, affine=False)", A(2, 4)),
    M("nn.GroupNorm(4, 4, bias=False)", A(3, 4, 5)),
    M("nn.RMSNorm(7)", _LINE),
    M("nn.RMSNorm([5, 6], eps=0.1, elementwise_affine=False)", _IMAGE),
    M("nn.LocalResponseNorm(3, alpha=0.5, k=2.0)", A(2, 5, 3)),
    M("nn.LocalResponseNorm(2, alpha=0.3, beta=0.5)", _IMAGE),
]
