"""Samples of minigrad/ops/lu.py, triangular.py, rank.py, spectral.py, tensorsolve.py, cross.py."""

import numpy as np

from . import A, Array, C, S, numbered
from .decompose import positive, square


def triangle(n: int, *batch: int) -> Array:
    """Full matrices with a large diagonal: either triangle is well-conditioned."""
    return Array((), make=lambda rng: rng.random((*batch, n, n)) - 0.5 + 2 * np.eye(n))


def rows_out_of_order(m: int, n: int) -> Array:
    """Matrices whose pivots are clear and not on the diagonal."""
    def make(rng: np.random.Generator) -> np.ndarray:
        x = rng.random((m, n)) - 0.5
        for k in range(min(m, n)):
            x[(k + 1) % m, k] += 3.0
        return x

    return Array((), make=make)


SAMPLES = numbered([
    S("linalg.lu", rows_out_of_order(3, 3), pick=(1, 2), covers="lu"),
    S("linalg.lu", rows_out_of_order(4, 2), pick=(1, 2), covers="lu"),
    S("linalg.lu", rows_out_of_order(2, 4), pick=(1, 2), covers="lu unpacked"),
    S("linalg.lu_factor", square(3, 2), pick=0, covers="lu"),
    S("linalg.solve_triangular", triangle(3), A(3, 2), upper=True, covers="triangular"),
    S("linalg.solve_triangular", triangle(3), A(2, 3, 1), upper=False, covers="triangular"),
    S("linalg.solve_triangular", triangle(3), A(2, 3), upper=True, left=False,
      unitriangular=True, named=False, covers="triangular"),
    S("triangular_solve", A(3, 2), triangle(3), pick=0, named=False, covers="triangular"),
    S("triangular_solve", A(3, 2), triangle(3), False, True, True, pick=0, named=False,
      covers="triangular"),
    # torch counts the triangle that is not read, too: order 0 for the factors
    S("cholesky_solve", A(3, 2), C(make=triangle(3).make), named=False, covers="triangular"),
    S("cholesky_solve", A(3, 2), C(make=triangle(3).make), True, named=False, covers="triangular"),
    S("cholesky_inverse", triangle(3), named=False, covers="triangular", torch_order=0),
    S("cholesky_inverse", triangle(3), True, named=False, covers="triangular", torch_order=0),
    S("cholesky", positive(3), True, order=0, named=False, covers="cholesky"),
    S("qr", A(4, 2), covers="qr"),
    S("linalg.qr", A(2, 4), "complete", covers="qr"),
    S("linalg.qr", C(4, 2), "complete", covers="qr_complete"),
    S("linalg.svdvals", A(3, 4), covers="svdvals"),
    S("linalg.eigvalsh", positive(3), order=0, covers="eigvalsh"),
    S("linalg.matrix_rank", C(3, 4), covers="svdvals"),
    S("linalg.cond", square(3), named=False, covers="svdvals"),
    S("linalg.cond", square(3), -2, named=False, covers="svdvals"),
    S("linalg.cond", square(3), "fro", named=False, covers="inv", torch_order=0),
    S("linalg.lstsq", A(4, 2), A(4, 3), pick=0, named=False, covers="pinv"),
    S("linalg.lstsq", A(2, 4), A(2), pick=0, named=False, covers="pinv"),
    S("linalg.pinv", A(3, 2), atol=1e-3, covers="pinv"),
    S("linalg.tensorinv", Array((), make=lambda rng: (rng.random((6, 6)) + 3 * np.eye(6)).reshape(
        2, 3, 6)), named=False, covers="inv"),
    S("linalg.tensorsolve", Array((), make=lambda rng: (
        rng.random((6, 6)) + 3 * np.eye(6)).reshape(2, 3, 6)), A(2, 3), covers="solve"),
    S("linalg.inv_ex", square(3), pick=0, covers="inv"),
    S("linalg.solve_ex", square(3), A(3, 2), pick=0, covers="solve"),
    S("linalg.cholesky_ex", positive(3), pick=0, order=0, covers="cholesky"),
    S("linalg.cross", A(2, 3), A(1, 3), covers="cross"),
    S("cross", A(3, 2), A(3, 2), covers="cross"),
    S("linalg.vander", A(2, 3), N=4, covers="cumprod"),
    S("vander", A(3), covers="cumprod", torch_order=0),
    S("vander", A(3), 4, True, named=False, covers="cumprod", torch_order=0),
])
