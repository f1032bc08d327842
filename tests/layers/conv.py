"""Convolutions."""

from __future__ import annotations

from tests.samples import A

from . import M

_IMAGE = A(2, 4, 5, 6)

LINES = [
    M("nn.Conv1d(4, 6, 3)", A(2, 4, 9)),
    M("nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2)", A(2, 4, 9)),
    M("nn.Conv1d(4, 2, 4, padding='same', bias=False)", A(4, 9)),
    M("nn.Conv1d(4, 2, 3, padding=2, padding_mode='circular')", A(2, 4, 6)),
    M("nn.Conv2d(4, 6, 3, padding=1)", _IMAGE),
    M("nn.Conv2d(4, 2, (2, 3), stride=(1, 2), padding=(0, 1), dilation=(2, 1))", _IMAGE),
    M("nn.Conv2d(4, 4, 3, groups=4, bias=False, padding='valid')", _IMAGE),
    M("nn.Conv2d(4, 2, 3, padding='same', padding_mode='reflect', dilation=(1, 2))", _IMAGE),
    M("nn.Conv2d(4, 2, 3, stride=2, padding=1, padding_mode='replicate')", A(4, 5, 6)),
    M("nn.Conv2d(4, 2, 1)", _IMAGE),
    M("nn.Conv3d(2, 3, 2, stride=2, padding=1)", A(2, 2, 4, 3, 4)),
    M("nn.Conv3d(2, 4, (1, 2, 3), groups=2, padding='same')", A(2, 3, 3, 4)),
    M("nn.ConvTranspose1d(4, 3, 3, stride=2, padding=1, output_padding=1)", A(2, 4, 5)),
    M("nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, dilation=(1, 2))", A(2, 4, 3, 3)),
    M("nn.ConvTranspose2d(4, 2, (2, 3), bias=False)", A(4, 3, 2)),
    M("nn.ConvTranspose3d(2, 2, 2, stride=(1, 2, 1), padding=(0, 1, 0))", A(1, 2, 2, 3, 2)),
]
