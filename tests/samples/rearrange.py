"""Samples of minigrad/ops/rearrange.py, bilinear.py and unpooling."""

import numpy as np

from . import A, Array, S, numbered

F = "nn.functional."


def places(*shape, size):
    """Different indices into each row of `size` places, as an int64 tensor."""
    count = int(np.prod(shape[1:]))
    return Array(shape, kind="i", grad=False, make=lambda rng: np.argsort(
        rng.random((shape[0], size)), 1)[:, :count].reshape(shape))


SAMPLES = numbered([
    S(F + "unfold", A(2, 2, 4, 5), 2, covers="unfold fold"),
    S(F + "unfold", A(2, 6, 5), (3, 2), (1, 2), (2, 1), (2, 1), covers="unfold fold"),
    S(F + "fold", A(2, 8, 6), (3, 4), 2, covers="unfold fold"),
    S(F + "fold", A(6, 9), (6, 5), (3, 2), (1, 2), (1, 0), (2, 1), covers="unfold fold"),
    S(F + "pixel_shuffle", A(2, 8, 2, 3), 2, covers="to_space to_channels"),
    S(F + "pixel_shuffle", A(9, 1, 2), 3, covers="to_space to_channels"),
    S(F + "pixel_unshuffle", A(1, 2, 4, 6), 2, covers="to_space to_channels"),
    S(F + "channel_shuffle", A(2, 6, 3), 2, covers="shuffled"),
    S(F + "channel_shuffle", A(1, 6, 2, 2), 3, covers="shuffled"),
    S(F + "bilinear", A(4, 2), A(4, 3), A(2, 2, 3), A(2), covers="matmul"),
    S(F + "bilinear", A(4, 2), A(4, 3), A(1, 2, 3), covers="matmul"),
    S(F + "bilinear", A(2, 2, 2), A(2, 2, 3), A(4, 2, 3), covers="matmul"),
    S(F + "max_unpool1d", A(2, 3), places(2, 3, size=6), 2, covers="unpool"),
    S(F + "max_unpool2d", A(2, 2, 2), places(2, 2, 2, size=20), 2, 2, 0, (5, 4), covers="unpool"),
    S(F + "max_unpool2d", A(1, 2, 2, 2), places(1, 2, 2, 2, size=9), 3, 2, 1, covers="unpool"),
    S(F + "max_unpool3d", A(2, 2, 1, 2), places(2, 2, 1, 2, size=32), 2, covers="unpool"),
])
