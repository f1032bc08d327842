"""Samples of minigrad/ops/conv.py and pad.py."""

from . import A, I, S, numbered

F = "nn.functional."
THREE = "convolution transposed weight_gradient"

SAMPLES = numbered([
    S(F + "conv1d", A(2, 2, 6), A(3, 2, 3), A(3), covers=THREE),
    S(F + "conv1d", A(2, 4, 7), A(6, 2, 2), A(6), 2, 1, 2, 2, covers=THREE),
    S(F + "conv1d", A(2, 5), A(3, 2, 4), padding="same", covers="convolution"),
    S(F + "conv1d", A(1, 2, 5), A(3, 2, 3), padding="valid", covers="convolution"),
    S(F + "conv2d", A(2, 2, 4, 5), A(3, 2, 3, 2), A(3), covers=THREE),
    S(F + "conv2d", A(1, 4, 6, 5), A(4, 1, 2, 3), A(4), (2, 1), (1, 2), (1, 2), 4, covers=THREE),
    S(F + "conv2d", A(2, 2, 4, 4), A(2, 2, 3, 3), padding="same", covers="convolution"),
    S(F + "conv2d", A(1, 2, 4, 4), A(2, 2, 2, 3), padding="same", covers="convolution"),
    S(F + "conv2d", A(2, 4, 4), A(3, 2, 1, 1), covers="convolution"),
    S(F + "conv2d", I(1, 2, 3, 3), I(2, 2, 2, 2), covers="convolution"),
    S(F + "conv3d", A(1, 2, 3, 3, 4), A(2, 2, 2, 2, 2), A(2), covers=THREE),
    S(F + "conv3d", A(2, 4, 4, 3), A(2, 1, 2, 2, 2), None, (2, 1, 1), 1, 1, 2, covers=THREE),
    S(F + "conv_transpose1d", A(2, 3, 4), A(3, 2, 3), A(2), covers=THREE),
    S(F + "conv_transpose1d", A(4, 4), A(4, 1, 3), A(2), 2, 1, 1, 2, covers=THREE),
    S(F + "conv_transpose1d", A(1, 2, 4), A(2, 1, 3), A(1), 1, 1, 1, 1, 2, covers=THREE),
    S(F + "conv_transpose2d", A(1, 2, 3, 3), A(2, 2, 2, 3), A(2), covers=THREE),
    S(F + "conv_transpose2d", A(1, 4, 3, 2), A(4, 1, 2, 2), None, (2, 3), 1, (1, 0), 2,
      covers=THREE),
    S(F + "conv_transpose3d", A(1, 2, 2, 3, 2), A(2, 1, 2, 2, 2), A(1), 2, covers=THREE),
    *[S(F + "pad", A(2, 3), pad, value=1.5, covers="constant_pad")
      for pad in ((1, 2), (0, 1, 2, 0), (-1, 1), ())],
    S(F + "pad", I(3), (1, 1), value=7, covers="constant_pad"),
    *[S(F + "pad", A(2, 3, 4), (2, 1), mode, covers="index_pad unpad")
      for mode in ("reflect", "replicate", "circular")],
    *[S(F + "pad", A(1, 3, 4), (2, 1, 0, 2), mode, covers="index_pad unpad")
      for mode in ("reflect", "replicate", "circular")],
    *[S(F + "pad", A(1, 3, 3, 2), (1, 1, 2, 0, 0, 1), mode, covers="index_pad unpad")
      for mode in ("reflect", "replicate", "circular")],
    *[S(F + "pad", A(3, 4), (-1, 2), mode, covers="index_pad")
      for mode in ("reflect", "replicate", "circular")],
])
