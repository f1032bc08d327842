"""Losses and distances."""

from __future__ import annotations

import numpy as np

from tests.samples import A, C, I

from . import M

SIGNS = C(3, 4, make=lambda rng: np.where(rng.random((3, 4)) < 0.5, -1.0, 1.0))

LINES = [
    M("nn.L1Loss()", A(3, 4), A(3, 4)),
    M("nn.L1Loss(reduction='none')", A(3, 4), A(3, 4)),
    M("nn.MSELoss()", A(3, 4), A(3, 4)),
    M("nn.MSELoss(reduction='sum')", A(3, 4), A(3, 4)),
    M("nn.NLLLoss()", A(3, 4), I(3, high=4)),
    M("nn.NLLLoss(torch.ones(4), ignore_index=2)", A(6, 4, 2), I(6, 2, high=4)),
    M("nn.CrossEntropyLoss()", A(3, 4), I(3, high=4)),
    M("nn.CrossEntropyLoss(weight=torch.ones(4) / 3, label_smoothing=0.1)", A(3, 4),
      I(3, high=4)),
    M("nn.CrossEntropyLoss(reduction='none', ignore_index=1)", A(3, 4, 2), I(3, 2, high=4)),
    M("nn.CrossEntropyLoss(reduction='sum')", A(3, 4), A(3, 4, low=0.0, high=1.0)),
    M("nn.BCELoss()", A(3, 4, low=0.1, high=0.9), C(3, 4, low=0.0, high=1.0)),
    M("nn.BCELoss(weight=torch.ones(4), reduction='none')", A(3, 4, low=0.1, high=0.9),
      C(3, 4, low=0.0, high=1.0)),
    M("nn.BCEWithLogitsLoss()", A(3, 4), C(3, 4, low=0.0, high=1.0)),
    M("nn.SmoothL1Loss(beta=0.7)", A(3, 4), A(3, 4)),
    M("nn.HuberLoss(reduction='sum', delta=0.6)", A(3, 4), A(3, 4)),
    M("nn.KLDivLoss(reduction='batchmean')", A(3, 4), A(3, 4, low=0.1, high=0.9)),
    M("nn.KLDivLoss(reduction='sum', log_target=True)", A(3, 4), A(3, 4)),
    M("nn.HingeEmbeddingLoss(margin=0.7)", A(3, 4), SIGNS),
    M("nn.CosineEmbeddingLoss(0.1)", A(3, 4), A(3, 4), I(3, low=1, high=2)),
    M("nn.MarginRankingLoss(margin=0.3)", A(3, 4), A(3, 4), SIGNS),
    M("nn.SoftMarginLoss(reduction='sum')", A(3, 4), SIGNS),
    M("nn.MultiLabelMarginLoss()", A(3, 4), I(3, 4, low=-1, high=4), order=1),
    M("nn.MultiLabelSoftMarginLoss(torch.ones(4))", A(3, 4), C(3, 4, low=0.0, high=1.0)),
    M("nn.MultiMarginLoss(p=2, margin=0.5)", A(3, 4), I(3, high=4), order=1),
    M("nn.TripletMarginLoss(swap=True)", A(3, 4), A(3, 4), A(3, 4)),
    M("nn.TripletMarginWithDistanceLoss(distance_function=nn.CosineSimilarity(), margin=0.4)",
      A(3, 4), A(3, 4), A(3, 4)),
    M("nn.PoissonNLLLoss(full=True)", A(3, 4), C(3, 4, low=0.0, high=9.0)),
    M("nn.PoissonNLLLoss(log_input=False, eps=0.1)", A(3, 4, low=0.1), C(3, 4, low=0.0)),
    M("nn.GaussianNLLLoss(full=True)", A(3, 4), A(3, 4), A(3, 4, low=0.1)),
    M("nn.CosineSimilarity()", A(3, 4), A(3, 4)),
    M("nn.CosineSimilarity(dim=0, eps=1e-3)", A(3, 2), A(3, 2)),
    M("nn.PairwiseDistance()", A(3, 4), A(3, 4)),
    M("nn.PairwiseDistance(p=1.0, keepdim=True)", A(3, 4), A(3, 4)),
    M("nn.BCEWithLogitsLoss(pos_weight=torch.ones(4), reduction='sum')", A(3, 4),
      C(3, 4, low=0.0, high=1.0)),
]
