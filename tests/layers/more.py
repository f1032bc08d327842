"""Layers that are seldom used: bags of embeddings, fractional pooling, an old norm."""

from __future__ import annotations

import numpy as np

from tests.samples import A, Array, I

from . import M

_STARTS = Array((3,), kind="i", grad=False, make=lambda rng: np.array([0, 2, 2]))
_ENDS = Array((3,), kind="i", grad=False, make=lambda rng: np.array([0, 2, 6]))
_2D = "_random_samples=torch.linspace(0, 0.9, 12).reshape(2, 3, 2)"
_3D = "_random_samples=torch.linspace(0, 0.9, 6).reshape(1, 2, 3)"

LINES = [
    M("nn.EmbeddingBag(10, 3)", I(2, 4)),
    M("nn.EmbeddingBag(10, 3, mode='sum')", I(6), _STARTS),
    M("nn.EmbeddingBag(10, 3, mode='max')", I(6), _STARTS, order=1),
    M("nn.EmbeddingBag(10, 3, include_last_offset=True, padding_idx=-2)", I(6), _ENDS, exact=False),
    M("nn.EmbeddingBag(10, 3, max_norm=1.0, norm_type=1.0, mode='sum', padding_idx=0)", I(2, 3),
      order=1, exact=False),
    M("nn.CrossMapLRN2d(3, alpha=0.5)", A(2, 1, 2, 2), order=1),  # torch is right for one channel
    M(f"nn.FractionalMaxPool2d(2, output_size=(4, 3), {_2D})", A(2, 3, 7, 6, distinct=True)),
    M(f"nn.FractionalMaxPool2d((2, 1), output_ratio=0.5, return_indices=True, {_2D})",
      A(2, 3, 7, 6, distinct=True)),
    M(f"nn.FractionalMaxPool3d(2, output_size=(3, 1, 4), {_3D})", A(1, 2, 5, 4, 6, distinct=True)),
    M("nn.Upsample(scale_factor=1.6, recompute_scale_factor=True, mode='linear')", A(2, 2, 3)),
    M("nn.Upsample(size=2, mode='nearest-exact')", A(2, 2, 3)),
]
