"""Samples of minigrad/ops/decompose.py and minigrad/linalg.py."""

import numpy as np

from . import A, Array, S, numbered


def square(n: int, *batch: int) -> Array:
    """Well-conditioned matrices: close to a multiple of the identity."""
    return Array((), make=lambda rng: rng.random((*batch, n, n)) + 2 * np.eye(n))


def positive(n: int, *batch: int) -> Array:
    """Symmetric positive-definite matrices."""
    def make(rng: np.random.Generator) -> np.ndarray:
        x = rng.random((*batch, n, n))
        return x @ x.swapaxes(-1, -2) + np.diag(1.0 + np.arange(n))

    return Array((), make=make)


def singular(n: int) -> Array:
    """A matrix of rank n - 1."""
    def make(rng: np.random.Generator) -> np.ndarray:
        x = rng.random((n, n))
        x[-1] = 2 * x[0]
        return x

    return Array((), make=make)


SAMPLES = numbered([
    S("linalg.inv", square(3)),
    S("inverse", square(2, 2), covers="inv"),
    S("linalg.solve", square(3), A(3, 2)),
    S("linalg.solve", square(3), A(3), covers="solve"),
    S("linalg.solve", square(2, 3), A(3, 2, 1), covers="solve"),
    S("linalg.det", square(3), covers="det cofactor"),
    S("det", square(2, 2), covers="det cofactor"),
    S("linalg.det", singular(3), order=1, torch_order=0),
    S("linalg.slogdet", square(3), pick=1, covers="logabsdet"),
    S("logdet", positive(3), covers="logabsdet"),
    S("matrix_power", square(2), 3, covers="matmul"),
    S("matrix_power", square(2), -2, covers="matmul"),
    S("linalg.cholesky", positive(3), order=0),  # derivatives: tests/ops/test_decompose.py, as
    S("linalg.cholesky", positive(2, 2), order=0),  # differences would need symmetric changes
    S("linalg.qr", square(3)),
    S("linalg.qr", A(4, 2)),
    S("linalg.qr", A(2, 4), covers="qr upper"),
    S("linalg.eigh", positive(3), pick=0, order=0),
    S("linalg.eigvalsh", positive(2, 2), covers="eigh", order=0),
    S("linalg.svd", A(2, 3), full_matrices=False, pick=1),
    S("linalg.svd", A(3, 2), pick=1),
    S("linalg.svdvals", A(3, 2), covers="svd"),
    S("linalg.pinv", A(3, 2), tol=1e-7),
    S("linalg.multi_dot", [A(2, 3), A(3, 4), A(4)], covers="mm"),
    S("linalg.matrix_norm", A(2, 3), covers="linalg_vector_norm"),
    S("linalg.matrix_norm", A(2, 3), 1, covers="amax"),
    S("linalg.matrix_norm", A(2, 3), -2, covers="amin"),
    S("linalg.norm", A(2, 3), "nuc", covers="sum"),
    S("linalg.norm", A(2, 3), 3, 1, covers="linalg_vector_norm"),
    S("linalg.vecdot", A(2, 3), A(3), covers="mul"),
])
