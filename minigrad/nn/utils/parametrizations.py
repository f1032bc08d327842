"""Ready-made parametrizations: orthogonal weights, weight and spectral normalisation."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

import numpy as np

from ... import _random
from ...engine import wrap
from ...modes import no_grad
from ...ops.arrange import tril
from ...ops.decompose import solve
from ...ops.fill import eye, zeros
from ...ops.join import cat
from ...ops.linalg import matmul, mv, vdot
from ...ops.matrix_functions import (
    _weight_norm,
    geqrf,
    householder_product,
    matrix_exp,
    norm_except_dim,
)
from ...ops.response_norm import normalize
from ...tensor import Tensor
from ..modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..modules.module import Module
from . import parametrize

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def _tensor_of(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


# -------------------------------------------------------------------------- orthogonal
def _is_orthogonal(q: Tensor) -> bool:
    """Tell whether the columns are orthonormal, up to the rounding of n products."""
    a = q._data
    n, k = a.shape[-2:]
    if n < k:
        a, n, k = a.swapaxes(-1, -2), k, n
    eps = 10 * n * np.finfo(a.dtype).eps
    return bool(np.allclose(a.swapaxes(-1, -2) @ a, np.eye(k), atol=eps))


def _make_orthogonal(a: Tensor) -> Tensor:
    """Return the Q of A = Q R with a positive diagonal of R."""
    q, r = np.linalg.qr(a._data)
    signs = np.sign(np.diagonal(r, axis1=-2, axis2=-1))
    return wrap(q * signs[..., None, :], None)


class _OrthMaps(Enum):
    matrix_exp = auto()
    cayley = auto()
    householder = auto()


class _Orthogonal(Module):
    """See `orthogonal`. The buffer `base` is there with `use_trivialization` only."""

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: _OrthMaps, *,
                 use_trivialization: bool = True) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        """Return the orthogonal matrices that belong to free ones."""
        wide = X.shape[-2] < X.shape[-1]
        free = X.mT if wide else X
        Q = self._map(free)
        if hasattr(self, "base"):
            Q = matmul(self.base, Q)
        return Q.mT if wide else Q

    def _map(self, X: Tensor) -> Tensor:
        """Map a tall matrix (..., n, k) to one with orthonormal columns."""
        n, k = X.shape[-2:]
        if self.orthogonal_map is _OrthMaps.householder:
            A = tril(X, -1)
            tau = 2.0 / (1.0 + (A * A).sum(-2))
            signs = X.detach().diagonal(dim1=-2, dim2=-1).int().to(X.dtype)
            return householder_product(A, tau) * signs.unsqueeze(-2)
        X = tril(X)  # n k - k (k - 1) / 2 numbers are enough
        if n != k:
            X = cat([X, zeros(*X.shape[:-1], n - k, dtype=X.dtype)], -1)
        A = X - X.mT
        if self.orthogonal_map is _OrthMaps.matrix_exp:
            Q = matrix_exp(A)
        else:
            one = eye(n, dtype=A.dtype)
            Q = solve(one - 0.5 * A, one + 0.5 * A)
        return Q[..., :k] if n != k else Q

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        """Return the free matrices for given ones, which are made orthogonal if they are not."""
        if Q.shape != self.shape:
            raise ValueError(f"Expected a matrix or batch of matrices of shape {self.shape}. Got a "
                             f"tensor of shape {Q.shape}.")
        wide = Q.shape[-2] < Q.shape[-1]
        tall = Q.mT if wide else Q
        n, k = tall.shape[-2:]
        if not hasattr(self, "base"):
            if self.orthogonal_map is not _OrthMaps.householder:
                raise NotImplementedError("It is not possible to assign to the matrix exponential "
                                          "or the Cayley parametrizations when "
                                          "use_trivialization=False.")
            found = _reflections(tall)
            return found.mT if wide else found
        if n != k:  # any orthonormal basis of the rest completes the base
            rest = _random.normal((*tall.shape[:-1], n - k), tall._data.dtype)
            tall = cat([tall, wrap(rest, None)], -1)
        orthogonal = n == k and _is_orthogonal(tall)
        self.base = tall.clone() if orthogonal else _make_orthogonal(tall)
        # every map takes -I to I or, in the base's terms, to the wanted matrix
        minus = np.zeros(Q.shape, Q._data.dtype)
        diagonal = np.arange(min(Q.shape[-2:]))
        minus[..., diagonal, diagonal] = -1
        return wrap(minus, None)


def _reflections(Q: Tensor) -> Tensor:
    """Return reflections below the diagonal, and on it the signs that R's diagonal had."""
    packed, tau = (t._data for t in geqrf(Q))
    at = np.arange(packed.shape[-1])
    signs = np.sign(packed[..., at, at])
    packed[..., at, at] = np.where(tau == 0, -signs, signs)  # tau 0: no reflection, a sign less
    return wrap(packed, None)


def orthogonal(module: Module, name: str = "weight", orthogonal_map: str | None = None, *,
               use_trivialization: bool = True) -> Module:
    """Keep a weight's columns orthonormal (its rows, if it is wide); return the module.

    matrix_exp: exp(A); cayley: (I - A/2)^-1 (I + A/2), A = X.tril() - X.tril()^T;
    householder: a product of reflections. With `use_trivialization` a fixed orthogonal `base`
    stands before it, and the present weight, made orthogonal, is the start (Lezcano-Casado,
    "Trivializations for gradient-based optimization on manifolds", 2019); without it, weights can
    be assigned with 'householder' only. Args: orthogonal_map: default matrix_exp for square
    matrices, else householder. ValueError for vectors and unknown names.

    >>> import minigrad as torch
    >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(3, 5))
    >>> torch.allclose(layer.weight.T @ layer.weight, torch.eye(3), atol=1e-6)
    True
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} "
                         f"dimensions.")
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in _OrthMaps.__members__:
        raise ValueError(f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
                         f"Got: {orthogonal_map}")
    made = _Orthogonal(weight, _OrthMaps[orthogonal_map], use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, made, unsafe=True)


# -------------------------------------------------------------------------- weight norm
class _WeightNorm(Module):
    """See `weight_norm`."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Return g * v / |v|."""
        return _weight_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return |weight| and the weight itself."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Split a weight into length and direction: w = g * v / |v|; return the module.

    Salimans & Kingma, "Weight normalization", 2016. g is `parametrizations.<name>.original0`, v
    `original1`. Args: dim: the dimension that has a length per index, default 0 (the outputs);
    None: one length for all. State dicts of the older `nn.utils.weight_norm` load, too.

    >>> import minigrad as torch
    >>> layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(20, 40))
    >>> layer.parametrizations.weight.original0.shape
    torch.Size([40, 1])
    """
    _ = _tensor_of(module, name).shape  # RuntimeError for the parameter of a lazy module
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                new = f"{prefix}parametrizations.{name}.original{i}"
                state_dict[new] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(rename)
    return module


# -------------------------------------------------------------------------- spectral norm
def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """Return a weight as a matrix whose rows belong to one of its dimensions."""
    if dim:
        weight = weight.permute(dim, *(d for d in range(weight.ndim) if d != dim))
    return weight.flatten(1)


def output_dim(module: Module) -> int:
    """Return which dimension of a layer's weight counts its outputs."""
    return int(isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)))


def random_unit(size: int, like: Tensor, eps: float) -> Tensor:
    """Draw a vector of length 1 from all directions."""
    return normalize(wrap(_random.normal((size,), like._data.dtype), None), dim=0, eps=eps)


class _SpectralNorm(Module):
    """See `spectral_norm`. Buffers: `_u`, `_v`, the estimated singular vectors."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0,
                 eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, "
                             f"{ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(f"Expected n_power_iterations to be positive, but got "
                             f"n_power_iterations={n_power_iterations}")
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight, self.dim)
            self.register_buffer("_u", random_unit(matrix.shape[0], weight, eps))
            self.register_buffer("_v", random_unit(matrix.shape[1], weight, eps))
            self._power_method(matrix, 15)

    @no_grad()
    def _power_method(self, matrix: Tensor, n_power_iterations: int) -> None:
        """Update the singular vectors in place: u = Wv / |Wv|, v = W^T u / |W^T u|."""
        for _ in range(n_power_iterations):
            self._u.copy_(normalize(mv(matrix, self._v), dim=0, eps=self.eps))
            self._v.copy_(normalize(mv(matrix.mT, self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        """Return weight / sigma; in training the estimate of sigma is improved first."""
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # copies: a second forward before this one's backward changes the buffers
        u, v = self._u.clone(), self._v.clone()
        return weight / vdot(u, mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return the value: it is assumed to be normalised."""
        return value


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1,
                  eps: float = 1e-12, dim: int | None = None) -> Module:
    """Divide a weight by its largest singular value, so that the layer's slope is at most 1.

    sigma = u^T W v with u, v from the power method, one step each time the weight is read in
    training mode; in eval mode they stay. Miyato et al., "Spectral normalization for generative
    adversarial networks", 2018. Args: n_power_iterations 1, at least 1 (ValueError); eps 1e-12;
    dim: the dimension of the outputs, default 0 (1 for transposed convolutions); the others are
    joined. A vector is divided by its length.

    >>> import minigrad as torch
    >>> layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 2), "weight", 20)
    >>> round(torch.linalg.matrix_norm(layer.weight, 2).item(), 3)
    1.0
    """
    weight = _tensor_of(module, name)
    _ = weight.shape  # RuntimeError for the parameter of a lazy module
    norm = _SpectralNorm(weight, n_power_iterations, output_dim(module) if dim is None else dim,
                         eps)
    return parametrize.register_parametrization(module, name, norm)
