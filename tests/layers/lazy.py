"""Lazy layers, which are called once before their parameters are set; SyncBatchNorm."""

from __future__ import annotations

from tests.samples import A

from . import M

_IMAGE = A(2, 4, 5, 6)

LINES = [
    M("nn.LazyLinear(3)", A(2, 7)),
    M("nn.Sequential(nn.LazyLinear(3, bias=False), nn.Tanh(), nn.LazyLinear(2))", A(2, 5)),
    M("nn.LazyConv1d(4, 3, padding='same')", A(2, 3, 5)),
    M("nn.LazyConv2d(4, (2, 3), stride=2, groups=2, padding_mode='reflect', padding=1)", _IMAGE),
    M("nn.LazyConv3d(2, 2, bias=False)", A(1, 3, 2, 3, 3)),
    M("nn.LazyConvTranspose1d(4, 3, stride=2, output_padding=1)", A(2, 3, 4)),
    M("nn.LazyConvTranspose2d(4, 3, padding=1, groups=2)", A(4, 3, 3)),
    M("nn.LazyConvTranspose3d(2, 2, 1, 0, 0, 1, False, 2)", A(1, 2, 2, 2, 2)),
    M("nn.LazyBatchNorm1d()", A(5, 4)),
    M("nn.LazyBatchNorm2d(momentum=None, bias=False)", _IMAGE),
    M("nn.LazyBatchNorm3d(affine=False)", A(2, 2, 2, 3, 2)),
    M("nn.LazyInstanceNorm1d()", A(2, 4, 5)),
    M("nn.LazyInstanceNorm2d(1e-3, 0.3, track_running_stats=False)", _IMAGE),
    M("nn.LazyInstanceNorm3d(affine=False)", A(2, 2, 2, 2, 3)),
    M("nn.SyncBatchNorm(4, momentum=0.3)"),
    M("nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm2d(3, affine=False)))"),
]
