"""Samples of minigrad/ops/matrix_functions.py."""

import numpy as np

from . import A, Array, C, S, numbered


def skew(n: int) -> Array:
    """A skew-symmetric matrix: its exponential is orthogonal."""
    def make(rng: np.random.Generator) -> np.ndarray:
        x = rng.random((n, n)) * 3
        return x - x.T

    return Array((), make=make)


SAMPLES = numbered([
    S("matrix_exp", A(3, 3)),
    S("linalg.matrix_exp", skew(4), covers="matrix_exp"),
    S("matrix_exp", A(2, 2, 2, low=-6, high=6), tol=1e-8),
    S("Tensor.matrix_exp", A(2, 1, 1)),
    S("linalg.householder_product", A(4, 3), A(3, low=0.2, high=0.9)),
    S("linalg.householder_product", A(2, 3, 3), A(2, 2, low=0.2, high=0.9)),
    S("orgqr", A(5, 2), A(1, low=0.2, high=0.9), covers="householder_product"),
    S("geqrf", C(4, 3)),
    S("Tensor.geqrf", C(2, 2, 3)),
    S("norm_except_dim", A(2, 3, 4)),
    S("norm_except_dim", A(2, 3, 4), 1, 2),
    S("norm_except_dim", A(2, 3), 2, -1),
    S("_weight_norm", A(2, 3), A(2, 1), covers="scaled_direction",
      torch_order=1),  # its second derivative is wrong there
    S("_weight_norm", A(4), A(4), covers="scaled_direction", torch_order=1),
    S("norm_except_dim", A(4)),
    S("_weight_norm", A(2, 3), A(), -1, covers="scaled_direction"),
    S("_weight_norm", A(2, 3, 2), A(1, 3, 1), 1, covers="scaled_direction"),
])
