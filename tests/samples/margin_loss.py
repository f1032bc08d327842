"""Samples of minigrad/ops/margin_loss.py."""

import numpy as np

from . import A, Array, C, I, S, numbered

F = "nn.functional."
REDUCTIONS = ("mean", "sum", "none")
ABOVE = {"low": 0.2, "high": 1.5}
APART = {"low": 3.0, "high": 4.0}


def signs(*shape):
    """A float64 tensor of 1 and -1."""
    return Array(shape, grad=False, make=lambda rng: np.where(rng.random(shape) < 0.5, -1.0, 1.0))


LABELS = Array((2, 4), kind="i", grad=False, make=lambda rng: np.array([[0, 3, -1, 2],
                                                                         [1, -1, 0, 0]]))

SAMPLES = numbered([
    *[S(F + "poisson_nll_loss", A(2, 3), A(2, 3, **ABOVE), reduction=r, covers="exp")
      for r in REDUCTIONS],
    *[S(F + "gaussian_nll_loss", A(2, 3), A(2, 3), A(2, 3, **ABOVE), reduction=r, covers="log")
      for r in REDUCTIONS],
    S(F + "gaussian_nll_loss", A(2, 3), A(2, 3), A(2, 1, **ABOVE), covers="log"),
    S(F + "gaussian_nll_loss", A(2, 3), A(2, 3), A(2, **ABOVE), covers="log"),
    *[S(F + "soft_margin_loss", A(2, 3), signs(2, 3), reduction=r, covers="labelled")
      for r in REDUCTIONS],
    *[S(F + "hinge_embedding_loss", A(2, 3, **ABOVE), signs(2, 3), 1.7, reduction=r,
        covers="clamp_min") for r in REDUCTIONS],
    *[S(F + "margin_ranking_loss", A(2, 3), A(2, 3, **APART), signs(2, 3), 0.3, reduction=r,
        covers="clamp_min") for r in REDUCTIONS],
    *[S(F + "cosine_embedding_loss", A(4, 3, **ABOVE), A(4, 3, **ABOVE), signs(4), 0.1,
        reduction=r, covers="sqrt") for r in REDUCTIONS],
    S(F + "cosine_embedding_loss", A(3), A(3), signs(), -0.9, covers="sqrt"),
    *[S(F + "triplet_margin_loss", A(2, 3), A(2, 3, **APART), A(2, 3), reduction=r,
        covers="vector_norm") for r in REDUCTIONS],
    S(F + "triplet_margin_loss", A(2, 3), A(2, 3, **APART), A(2, 3), 9.0, 3.0, swap=True,
      covers="minimum"),
    *[S(F + "multi_margin_loss", A(3, 4), I(3, high=4), margin=9.0, reduction=r, torch_order=1,
        covers="labelled") for r in REDUCTIONS],
    S(F + "multi_margin_loss", A(3, 4), I(3, high=4), 2, 9.0, C(4, **ABOVE), torch_order=1,
      covers="labelled"),
    S(F + "multi_margin_loss", A(4), I(high=4), margin=9.0, torch_order=1, covers="labelled"),
    *[S(F + "multilabel_margin_loss", A(2, 4, low=-0.4, high=0.4), LABELS, reduction=r,
        torch_order=1, covers="labelled") for r in REDUCTIONS],
    *[S(F + "multilabel_soft_margin_loss", A(2, 3), A(2, 3, **ABOVE), reduction=r,
        covers="logsigmoid") for r in REDUCTIONS],
    S(F + "multilabel_soft_margin_loss", A(2, 3), A(2, 3, **ABOVE), A(3), covers="logsigmoid"),
])
