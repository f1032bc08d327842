"""Normalisation without statistics of a batch: by neighbouring channels, or to length 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..engine import wrap
from .choose import clamp_min
from .elementwise import div
from .linalg import matmul
from .margin_loss import labelled
from .pad import constant_pad
from .pool import avg_pool2d, avg_pool3d
from .shape import reshape, squeeze, unsqueeze
from .vector_norm import norm


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75,
                        k: float = 1.0) -> Any:
    """Return input / (k + alpha * mean of the squares over `size` neighbouring channels) ** beta.

    Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks, 2012, but
    with the mean instead of the sum, zeros beyond the ends. ValueError below 3 dimensions.

    >>> import minigrad as torch
    >>> torch.nn.functional.local_response_norm(torch.ones(1, 3, 1), 3, alpha=3.0, beta=1.0)
    tensor([[[0.3333],
             [0.2500],
             [0.3333]]])
    """
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: Expected 3D or higher dimensionality, (N, C, ...), "
                         f"got input shape {tuple(input.shape)}")
    if not input._data.size:
        return input
    if _check.integer(size, "size") < 1:
        raise RuntimeError(f"local_response_norm: size is the number of neighbouring channels and "
                           f"must be at least 1, got {size}")
    square = input * input
    before, after = size // 2, (size - 1) // 2
    if input.ndim == 3:
        square = constant_pad(unsqueeze(square, 1), (0, 0, before, after), 0)
        mean = squeeze(avg_pool2d(square, (size, 1), 1), 1)
    else:
        square = reshape(square, (input.shape[0], 1, *input.shape[1:3], -1))
        square = constant_pad(square, (0, 0, 0, 0, before, after), 0)
        mean = reshape(avg_pool3d(square, (size, 1, 1), 1), tuple(input.shape))
    return input / (mean * alpha + k) ** beta


def cross_map_lrn(input: Any, size: int, alpha: float, beta: float, k: float) -> Any:
    """Return input / (k + alpha / size * sum of squares over neighbouring channels) ** beta.

    As in PyTorch's CrossMapLRN2d the first channel counts for every channel. (N, C, H, W) only.
    """
    if input.ndim != 4:
        raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, (N, C, H, W), got shape "
                         f"{tuple(input.shape)}")
    channel = np.arange(input.shape[1])
    reach = int((size - 1) / 2 + 1)
    near = (abs(channel[:, None] - channel) < reach) | (channel == 0)
    flat = reshape(input, (*input.shape[:2], input.shape[2] * input.shape[3]))
    total = matmul(wrap(near.astype(input._data.dtype), None), flat * flat)
    y = flat * (total * (alpha / size) + k) ** -beta
    return labelled(reshape(y, tuple(input.shape)), "CrossMapLRN2dBackward")


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """Return input / max(p-norm along `dim`, eps): vectors of length 1.

    >>> import minigrad as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3., 4.]]))
    tensor([[0.6000, 0.8000]])
    """
    length = clamp_min(norm(input, p, dim, keepdim=True), eps)
    return div(input, length) if out is None else div(input, length, out=out)
