"""Wrong calls of layers and functions, as text: torch's exception classes are recorded for them.

Recorded by tests/record_programs.py into tests/data/refusals.json.
"""

from __future__ import annotations

import importlib
from typing import Any

CALLS = """
F.conv1d('x', torch.ones(4, 3, 2))
F.conv2d(torch.ones(1, 2, 4, 4), None)
F.conv2d(torch.ones(1, 2, 4, 4), torch.ones(3, 2, 2, 2), 'x')
F.conv_transpose2d(torch.ones(1, 2, 4, 4), 3)
F.linear([1.], torch.ones(2, 2))
F.linear(torch.ones(2, 2), 'x')
F.bilinear(torch.ones(2, 3), None, torch.ones(1, 3, 3))
F.max_pool2d('x', 2)
F.avg_pool1d(None, 2)
F.avg_pool2d(torch.ones(1, 4, 4), 2, divisor_override='x')
F.adaptive_avg_pool1d(3, 2)
F.adaptive_avg_pool2d(3, 2)
F.fold([1], 2, 2)
F.unfold('x', 2)
F.pad('x', (1, 1))
F.pixel_shuffle(None, 2)
F.pixel_shuffle(torch.ones(4, 2, 2), 'x')
F.channel_shuffle(torch.ones(1, 4, 2, 2), 'x')
F.cosine_similarity(torch.ones(2, 3), 'x')
F.cosine_similarity(torch.ones(2, 3), torch.ones(2, 3), dim='x')
F.pairwise_distance(2.5, torch.ones(2, 3))
F.pdist(None)
F.one_hot([1, 2])
F.prelu(2., torch.ones(1))
F.relu_('x')
F.cross_entropy('x', torch.tensor([1]))
F.cross_entropy(torch.ones(1, 3), [1])
F.nll_loss(torch.ones(1, 3), 1)
F.kl_div('x', torch.ones(2), reduction='sum')
F.hinge_embedding_loss(torch.ones(2), 'x')
F.soft_margin_loss(torch.ones(2), 1.)
F.cosine_embedding_loss(torch.ones(2, 3), 'x', torch.ones(2))
F.multi_margin_loss(torch.ones(2, 3), 'x')
F.multi_margin_loss(torch.ones(2, 3), torch.tensor([0, 1]), weight=torch.ones(1, 3))
F.multi_margin_loss(torch.ones(3), torch.tensor([0, 1]))
F.multilabel_margin_loss(torch.ones(2, 0), torch.zeros(2, 0, dtype=torch.int64))
F.triplet_margin_loss('x', torch.ones(2, 3), torch.ones(2, 3))
nn.Linear('x', 2)
nn.Linear(2.5, 2)
nn.Linear(torch.ones(2, 3), 2)
nn.Linear(-1, 2)
nn.Bilinear(-1, 2, 3)
nn.Bilinear(0, 2, 3)
nn.BatchNorm1d(2.5)
nn.BatchNorm1d('x')
nn.Dropout('x')
nn.Dropout(None)
nn.Conv2d('x', 3, 2)
nn.Conv2d(2, None, 2)
nn.Conv2d(2, 3, 2.5)
nn.Conv2d(2, 3, 2, padding_mode=['zeros'])
nn.Embedding('x', 3)
nn.GroupNorm('x', 2)
nn.Hardtanh('x', 1)
nn.HuberLoss(delta='x')
nn.MultiMarginLoss(weight='x')
nn.MultiheadAttention('x', 2)
nn.PReLU(2, 'x')
nn.FractionalMaxPool3d(-1, 2)
nn.AdaptiveLogSoftmaxWithLoss(3, 5, ['x'])
nn.init.normal_(torch.ones(2), 'x', 1)
nn.init.constant_(torch.ones(2), 'x')
parametrizations.weight_norm(nn.LazyLinear(3))
parametrizations.spectral_norm(nn.LazyLinear(3))
parametrizations.orthogonal(nn.LazyLinear(3))
prune.l1_unstructured(nn.LazyLinear(3), 'weight', 0.5)
prune.identity(nn.LazyLinear(3), 'weight')
""".strip().splitlines()


def outcome(call: str, lib: Any) -> tuple[str | None, str]:
    """Return the name of the exception class of a call, None if it succeeds, and the sentence."""
    names = {"torch": lib, "nn": lib.nn, "F": lib.nn.functional}
    for tool in ("parametrizations", "prune"):
        names[tool] = importlib.import_module(f"{lib.__name__}.nn.utils.{tool}")
    try:
        eval(call, names)
    except Exception as error:
        return type(error).__name__, str(error)
    return None, ""
