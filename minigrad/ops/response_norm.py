"""Normalisation without statistics of a batch: by neighbouring channels, or to length 1."""

from __future__ import annotations

from typing import Any

from .choose import clamp_min
from .elementwise import div
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


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """Return input / max(p-norm along `dim`, eps): vectors of length 1.

    >>> import minigrad as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3., 4.]]))
    tensor([[0.6000, 0.8000]])
    """
    length = clamp_min(norm(input, p, dim, keepdim=True), eps)
    return div(input, length) if out is None else div(input, length, out=out)
