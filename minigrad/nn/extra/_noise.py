"""Random functions (part of functional.py): dropped samples and blocks, Gaussian noise."""

from __future__ import annotations

import math

import numpy as np

from ... import _random
from ..._random import Generator
from ...engine import wrap
from ...tensor import Tensor
from ._common import floats


def probability(name: str, argument: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: {argument} must be a probability from 0 to 1, but got {p}")


def stochastic_depth(input: Tensor, p: float, mode: str = "row", training: bool = True, *,
                     generator: Generator | None = None) -> Tensor:
    """Zero whole samples (mode 'row') or the whole batch ('batch') with probability p.

    The others are divided by 1 - p. Huang et al., "Deep networks with stochastic depth", 2016. For
    the branch of a residual block. Samples are dim 0. ValueError for other modes and p.

    >>> import minigrad as torch
    >>> stochastic_depth(torch.ones(2, 2), 1.0)
    tensor([[0., 0.],
            [0., 0.]])
    """
    probability("stochastic_depth", "p", p)
    if mode not in ("row", "batch"):
        raise ValueError(f"stochastic_depth: mode must be 'row' or 'batch', but got {mode!r}")
    return _drop_samples("stochastic_depth", input, p, mode, training, True, generator)


def drop_path(input: Tensor, drop_prob: float = 0.0, training: bool = False,
              scale_by_keep: bool = True, *, generator: Generator | None = None) -> Tensor:
    """Zero whole samples with probability drop_prob: `stochastic_depth` by row, timm's signature.

    scale_by_keep False: the kept ones are not divided by 1 - drop_prob.

    >>> import minigrad as torch
    >>> drop_path(torch.ones(3), 0.5)
    tensor([1., 1., 1.])
    """
    probability("drop_path", "drop_prob", drop_prob)
    return _drop_samples("drop_path", input, drop_prob, "row", training, scale_by_keep, generator)


def _drop_samples(name: str, input: Tensor, p: float, mode: str, training: bool, scale: bool,
                  generator: Generator | None) -> Tensor:
    floats(name, input)
    if not training or p == 0:
        return input
    shape = (*input.shape[:1], *(1,) * (input.ndim - 1)) if mode == "row" else (1,) * input.ndim
    noise = _random.bernoulli(shape, 1 - p, generator).astype(input._data.dtype)
    if scale and p < 1:
        noise /= 1 - p
    return input * wrap(noise, None)


def drop_block(dims: int, input: Tensor, p: float, block_size: int, inplace: bool, eps: float,
                training: bool, generator: Generator | None) -> Tensor:
    name = f"drop_block{dims}d"
    probability(name, "p", p)
    floats(name, input)
    if input.ndim not in (dims + 1, dims + 2):
        raise ValueError(f"{name}: expected {dims + 2}D (N, C, ...) or {dims + 1}D (C, ...) input, "
                         f"got {input.ndim}D of the shape {tuple(input.shape)}")
    if block_size < 1:
        raise ValueError(f"{name}: block_size must be at least 1, but got {block_size}")
    if not training or p == 0 or not input._data.size:
        return input
    space = tuple(input.shape[-dims:])
    block = min(block_size, *space)
    corners = [size - block + 1 for size in space]
    chance = p * math.prod(space) / (block ** dims * math.prod(corners))
    shape = (*input.shape[:-dims], *corners)
    kept = ~_spread(_random.bernoulli(shape, min(chance, 1.0), generator), dims, block)
    noise = kept.astype(input._data.dtype)
    noise *= kept.size / (eps + np.count_nonzero(kept)) if kept.any() else 0
    return input.mul_(wrap(noise, None)) if inplace else input * wrap(noise, None)


def _spread(corners: np.ndarray, dims: int, block: int) -> np.ndarray:
    """Return True wherever a block starts at a corner: one dimension after the other."""
    for axis in range(corners.ndim - dims, corners.ndim):
        length = corners.shape[axis]
        shape = list(corners.shape)
        shape[axis] += block - 1
        covered = np.zeros(shape, bool)
        for k in range(block):
            covered[(slice(None),) * axis + (slice(k, k + length),)] |= corners
        corners = covered
    return corners


def drop_block1d(input: Tensor, p: float, block_size: int, inplace: bool = False,
                 eps: float = 1e-6, training: bool = True, *,
                 generator: Generator | None = None) -> Tensor:
    """Zero random stretches of (N, C, L) or (C, L); see `drop_block2d`.

    >>> import minigrad as torch
    >>> drop_block1d(torch.ones(1, 1, 2), 1.0, block_size=2)
    tensor([[[0., 0.]]])
    """
    return drop_block(1, input, p, block_size, inplace, eps, training, generator)


def drop_block2d(input: Tensor, p: float, block_size: int, inplace: bool = False,
                 eps: float = 1e-6, training: bool = True, *,
                 generator: Generator | None = None) -> Tensor:
    """Zero random squares of (N, C, H, W) or (C, H, W), so that about a share p is dropped.

    The rest is multiplied by elements / (eps + kept elements), counted over the whole input.
    Ghiasi, Lin & Le, "DropBlock", 2018. A square may lie anywhere inside; a block_size above H or
    W is cut to it. Squares overlap, so p near 1 leaves some elements.

    >>> import minigrad as torch
    >>> drop_block2d(torch.ones(1, 1, 2, 2), 1.0, block_size=2)
    tensor([[[[0., 0.],
              [0., 0.]]]])
    """
    return drop_block(2, input, p, block_size, inplace, eps, training, generator)


def drop_block3d(input: Tensor, p: float, block_size: int, inplace: bool = False,
                 eps: float = 1e-6, training: bool = True, *,
                 generator: Generator | None = None) -> Tensor:
    """Zero random cubes of (N, C, D, H, W) or (C, D, H, W); see `drop_block2d`.

    >>> import minigrad as torch
    >>> drop_block3d(torch.ones(1, 2, 2, 2), 1.0, block_size=2).sum()
    tensor(0.)
    """
    return drop_block(3, input, p, block_size, inplace, eps, training, generator)


def gaussian_dropout(input: Tensor, rate: float, training: bool = True, *,
                     generator: Generator | None = None) -> Tensor:
    """Multiply each element by a draw of N(1, rate / (1 - rate)).

    Srivastava et al., "Dropout", 2014, section 10: mean and variance are those of dropout with
    p = rate, but nothing is exactly 0. ValueError unless 0 <= rate < 1.

    >>> import minigrad as torch
    >>> gaussian_dropout(torch.zeros(2), 0.5)
    tensor([0., 0.])
    """
    if not 0 <= rate < 1:
        raise ValueError(f"gaussian_dropout: rate must be at least 0 and below 1, but got {rate}: "
                         f"the variance is rate / (1 - rate)")
    floats("gaussian_dropout", input)
    if not training or rate == 0:
        return input
    noise = _random.normal(tuple(input.shape), input._data.dtype, generator)
    return input * wrap(1 + noise * noise.dtype.type(math.sqrt(rate / (1 - rate))), None)


def gaussian_noise(input: Tensor, stddev: float, training: bool = True, *,
                   generator: Generator | None = None) -> Tensor:
    """Add a draw of N(0, stddev^2) to each element. ValueError for a negative stddev.

    >>> import minigrad as torch
    >>> gaussian_noise(torch.ones(2), 0.1, training=False)
    tensor([1., 1.])
    """
    if not 0 <= stddev < math.inf:
        raise ValueError(f"gaussian_noise: stddev must be at least 0 and finite, but got {stddev}")
    floats("gaussian_noise", input)
    if not training or stddev == 0:
        return input
    noise = _random.normal(tuple(input.shape), input._data.dtype, generator)
    return input + wrap(noise * noise.dtype.type(stddev), None)
