"""Containers, linear layers, shapes and tables."""

from __future__ import annotations

from tests.samples import A, I

from . import M

_IMAGE = A(2, 4, 5, 6)
_LINE = A(3, 7, away=0.1)

LINES = [
    M("nn.Module()"),
    M("nn.Sequential(nn.Linear(7, 3), nn.Tanh())", _LINE),
    M("nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 3), nn.Linear(2, 4)])"),
    M("nn.ModuleDict([('b', nn.Linear(2, 3)), ('a', nn.PReLU())])"),
    M("nn.ParameterList([torch.ones(2), torch.ones(2, 3)])"),
    M("nn.ParameterDict({'b': torch.ones(2), 'a': torch.ones(())})"),
    M("nn.Identity(3, any=4)", _LINE),
    M("nn.Linear(7, 3)", _LINE),
    M("nn.Linear(7, 3, bias=False)", A(2, 3, 7)),
    M("nn.Linear(7, 1)", A(7)),
    M("nn.Bilinear(3, 4, 5)", A(2, 3), A(2, 4)),
    M("nn.Bilinear(3, 4, 2, bias=False)", A(2, 6, 3), A(2, 6, 4)),
    M("nn.Flatten()", _IMAGE),
    M("nn.Flatten(0, 1)", _IMAGE),
    M("nn.Unflatten(1, (2, 2))", _IMAGE),
    M("nn.Fold((4, 5), (2, 3), padding=1, stride=2)", A(2, 12, 9)),
    M("nn.Unfold(2, dilation=(1, 2), padding=1)", A(2, 3, 4, 3)),
    M("nn.Upsample(scale_factor=2)", A(2, 2, 3)),
    M("nn.Upsample(size=(5, 4), mode='bilinear')", A(1, 2, 3, 2)),
    M("nn.Upsample(scale_factor=(1.5, 2), mode='bicubic', align_corners=True)", A(1, 1, 4, 3)),
    M("nn.UpsamplingNearest2d(size=3)", A(1, 2, 2, 2)),
    M("nn.UpsamplingBilinear2d(scale_factor=2)", A(1, 2, 2, 3)),
    M("nn.PixelShuffle(2)", A(2, 8, 2, 3)),
    M("nn.PixelUnshuffle(2)", A(2, 1, 4, 6)),
    M("nn.ChannelShuffle(3)", A(2, 6, 2)),
    M("nn.ConstantPad1d((1, 2), 3.5)", A(2, 3, 4)),
    M("nn.ConstantPad2d(1, -1.0)", A(2, 3, 4)),
    M("nn.ConstantPad3d((0, 1, 1, 0, 0, 2), 0.5)", A(1, 2, 2, 2, 2)),
    M("nn.ZeroPad1d(2)", A(2, 3, 4)),
    M("nn.ZeroPad2d((1, -1, 0, 2))", A(1, 2, 3, 3)),
    M("nn.ZeroPad3d(1)", A(2, 2, 2, 2)),
    M("nn.ReflectionPad1d((2, 1))", A(2, 3, 4)),
    M("nn.ReflectionPad2d(1)", A(1, 2, 3, 3)),
    M("nn.ReflectionPad3d((1, 0, 0, 1, 1, 1))", A(1, 2, 2, 2, 3)),
    M("nn.ReplicationPad1d(2)", A(2, 3, 4)),
    M("nn.ReplicationPad2d((1, 0, 2, 1))", A(2, 3, 3)),
    M("nn.ReplicationPad3d(1)", A(1, 2, 2, 1, 2)),
    M("nn.CircularPad1d(2)", A(2, 3, 4)),
    M("nn.CircularPad2d((1, 0, 2, 1))", A(1, 2, 3, 3)),
    M("nn.CircularPad3d(1)", A(1, 2, 2, 2, 2)),
    M("nn.Embedding(10, 3)", I(2, 4)),
    M("nn.Embedding(10, 3, padding_idx=-1)", I(6, low=7, high=10), exact=False),
    M("nn.Embedding(10, 3, max_norm=1.0, norm_type=1.0)", I(5), order=1, exact=False),
    M("nn.Embedding(4, 2, scale_grad_by_freq=True)", I(7, high=4), order=1, exact=False),
]
