"""CTC loss, adaptive softmax, and the linear layer joined with its cross entropy."""

from __future__ import annotations

import numpy as np

from tests.samples import A, C, I

from . import M

LABELS = C(3, 2, make=lambda rng: np.array([[1, 2], [3, 3], [2, 0]]))
HEAD = "nn.LinearCrossEntropyLoss(3, 4"
PIECES = "options=nn.LinearCrossEntropyOptions"

LINES = [
    M("nn.CTCLoss()", A(6, 3, 4, low=-3.0, high=0.0), LABELS, I(3, low=5, high=6),
      I(3, low=1, high=2), order=1, exact=False),
    M("nn.CTCLoss(blank=3, reduction='sum', zero_infinity=True)", A(6, 3, 4, low=-3.0, high=0.0),
      C(3, 2, make=lambda rng: np.array([[1, 2], [0, 0], [2, 0]])),
      C(3, make=lambda rng: np.array([6, 2, 5])), C(3, make=lambda rng: np.array([2, 2, 1])),
      order=1, exact=False),  # PyTorch's gradient takes log_probs for normalised
    M("nn.AdaptiveLogSoftmaxWithLoss(6, 9, [2, 5], div_value=2.)", A(5, 6), I(5, high=9)),
    M("nn.AdaptiveLogSoftmaxWithLoss(6, 9, [3], head_bias=True)", A(1, 6), I(1, high=9)),
    M(f"{HEAD})", A(5, 3), I(5, high=4)),
    M(f"{HEAD}, bias=True, weight=torch.arange(1., 5.), ignore_index=2)", A(5, 3), I(5, high=4)),
    M(f"{HEAD}, out_features=(2,), bias=True, label_smoothing=0.1, reduction='none')", A(5, 3),
      I(5, 2, high=4)),
    M(f"{HEAD}, reduction='sum')", A(3), C(4, low=0.0, high=1.0)),
    M(f"{HEAD}, bias=True, weight=torch.arange(1., 5.), {PIECES}(batch_chunk_size=2))", A(5, 3),
      I(5, high=4), order=1),
    M(f"{HEAD}, reduction='none', ignore_index=1, {PIECES}())", A(7, 3), I(7, high=4), order=1),
    M(f"{HEAD}, reduction='sum', {PIECES}(allow_retain_graph=True))", A(1, 3), I(1, high=4),
      order=1),
]
