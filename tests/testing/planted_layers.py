"""Bugs in layers: norms, dropout, convolutions, pooling, attention, recurrent nets, losses."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad as torch
import minigrad.nn as nn

from .planted_tools import (
    Plant,
    flipped,
    half_precision,
    one,
    rolled,
    row,
    swapped,
    times,
    varying,
    zero,
    zero_part,
)

CONVOLUTION = "conv.convolution conv._convolution"  # the second where both gradients are needed
CROSS_ENTROPY = "cross_entropy._class_cross_entropy cross_entropy._row_cross_entropy"


def layer(make: Any, *shapes: Any, train: bool = True) -> Any:
    """Return a maker of a float64 layer with random parameters, and its inputs."""
    def build(rng: np.random.Generator) -> tuple[Any, ...]:
        module = make().double().train(train)
        with torch.no_grad():
            for p in module.parameters():
                p.copy_(torch.from_numpy(rng.standard_normal(tuple(p.shape))))
        return module, *(torch.from_numpy(rng.standard_normal(s)).requires_grad_()
                         if isinstance(s, tuple) else s for s in shapes)
    return build


def no_mean(axes: tuple[int, ...]) -> Any:
    """The gradient of a norm without the term of the mean: off by a constant along the axes."""
    def change(made: Any, g: Any, rng: Any) -> Any:
        return made + 0.3 * np.broadcast_to(g.mean(axes, keepdims=True) + 0.1, made.shape)
    return change


NORMS = [
    Plant("BatchNorm2d: no mean term", layer(lambda: nn.BatchNorm2d(3), (4, 3, 2, 3)), "offset",
          ("norm._batch_norm", "input", no_mean((0, 2, 3)))),
    Plant("BatchNorm1d: weight twice", layer(lambda: nn.BatchNorm1d(5), (6, 5)), "double",
          ("norm._batch_norm", "weight", times(2))),
    Plant("BatchNorm3d: bias averaged", layer(lambda: nn.BatchNorm3d(2), (2, 2, 2, 3, 2)), "mean",
          ("norm._batch_norm", "bias", times(1 / 24))),
    Plant("BatchNorm2d in eval: a channel", layer(lambda: nn.BatchNorm2d(4), (3, 4, 3, 3),
                                                  train=False), "row",
          ("norm._frozen_norm", "input", row(1))),
    Plant("LayerNorm: no mean term", layer(lambda: nn.LayerNorm(6), (4, 6)), "offset",
          ("row_norm._layer_norm", "input", no_mean((-1,)))),
    Plant("LayerNorm: one weight", layer(lambda: nn.LayerNorm([4, 6]), (3, 4, 6)), "single",
          ("row_norm._layer_norm", "weight", one(1.05))),
    Plant("RMSNorm: varying", layer(lambda: nn.RMSNorm(40), (3, 40)), "unknown",
          ("row_norm._rms_norm", "input", varying)),
    Plant("RMSNorm: weight detached", layer(lambda: nn.RMSNorm(7), (3, 7)), "detached",
          ("row_norm._rms_norm", "weight", zero)),
    Plant("GroupNorm: a sample", layer(lambda: nn.GroupNorm(2, 6), (5, 6, 4)), "row",
          ("norm._group_norm", "input", row(0))),
    Plant("GroupNorm: weights rolled", layer(lambda: nn.GroupNorm(3, 6), (2, 6, 3)), "permuted",
          ("norm._group_norm", "weight", rolled())),
    Plant("InstanceNorm2d: bias lost", layer(lambda: nn.InstanceNorm2d(3, affine=True),
                                             (2, 3, 4, 4)), "detached",
          ("norm._group_norm", "bias", zero)),
    Plant("weight_norm: magnitude half", layer(
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), (5, 4)), "half",
          ("matrix_functions._scaled_direction", "magnitude", times(0.5))),
    Plant("LocalResponseNorm: average", layer(lambda: nn.LocalResponseNorm(3), (2, 5, 3)),
          "unknown single row offset", ("pool._avg_pool", "input", times(1e5))),
]

DROPOUTS = [
    Plant("Dropout: scale lost", layer(lambda: nn.Dropout(0.3), (8, 8)), "dropout",
          ("dropout._dropout", "input", times(0.7))),
    Plant("Dropout2d: scale twice", layer(lambda: nn.Dropout2d(0.25), (4, 6, 2, 2)), "dropout",
          ("dropout._feature_dropout", "input", times(1 / 0.75))),
    Plant("AlphaDropout: sign", layer(lambda: nn.AlphaDropout(0.2), (7, 7)), "sign",
          ("dropout._alpha_dropout", "input", times(-1))),
]

CONVOLUTIONS = [
    Plant("Conv1d: bias averaged", layer(lambda: nn.Conv1d(2, 3, 3), (2, 2, 9)), "mean",
          (CONVOLUTION, "bias", times(1 / 14))),
    Plant("Conv2d: kernel flipped", layer(lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 2, 5, 5)),
          "permuted", (CONVOLUTION, "weight", flipped())),
    Plant("Conv2d: kernel transposed", layer(lambda: nn.Conv2d(2, 2, 3), (1, 2, 6, 6)),
          "transposed", (CONVOLUTION, "weight", swapped)),
    Plant("Conv2d: input shifted", layer(lambda: nn.Conv2d(1, 2, 3, padding=1), (2, 1, 6, 6)),
          "permuted", (CONVOLUTION, "input", rolled())),
    Plant("Conv2d: one input element", layer(lambda: nn.Conv2d(2, 2, 3, stride=2), (2, 2, 7, 7)),
          "single", (CONVOLUTION, "input", one(1.2))),
    Plant("Conv3d: half of the outputs lost", layer(lambda: nn.Conv3d(2, 4, 2), (1, 2, 3, 3, 3)),
          "part", (CONVOLUTION, "weight", zero_part())),
    Plant("grouped Conv2d: a group", layer(lambda: nn.Conv2d(4, 4, 3, groups=4), (2, 4, 5, 5)),
          "row", (CONVOLUTION, "weight", row(0))),
    Plant("ConvTranspose2d: kernel flipped", layer(lambda: nn.ConvTranspose2d(2, 2, 3),
                                                   (1, 2, 4, 4)), "permuted",
          ("conv.transposed", "weight", flipped(-2))),
    Plant("ConvTranspose1d: input sign", layer(lambda: nn.ConvTranspose1d(2, 2, 3, stride=2),
                                               (2, 2, 5)), "sign",
          ("conv.transposed", "input", times(-1))),
]

POOLING = [
    Plant("MaxPool2d: next place", layer(lambda: nn.MaxPool2d(2), (2, 2, 6, 6)),
          "permuted", ("pool._max_pool", "input", rolled())),
    Plant("AvgPool2d: not divided", layer(lambda: nn.AvgPool2d(2), (2, 3, 4, 4)), "sum",
          ("pool._avg_pool", "input", times(4))),
    Plant("AvgPool1d: a channel", layer(lambda: nn.AvgPool1d(3, 1), (2, 4, 12)), "row",
          ("pool._avg_pool", "input", row(1))),
    Plant("AdaptiveAvgPool2d: counted twice", layer(lambda: nn.AdaptiveAvgPool2d(2), (2, 2, 5, 5)),
          "double", ("adaptive_pool._average", "input", times(2))),
    Plant("AdaptiveMaxPool1d: sign", layer(lambda: nn.AdaptiveMaxPool1d(3), (2, 3, 10)), "sign",
          ("adaptive_pool._maximum", "input", times(-1))),
    Plant("Upsample: half lost", layer(lambda: nn.Upsample(scale_factor=2), (1, 2, 4, 4)), "part",
          ("interpolate._resample", "input", zero_part(-1))),
]


class Attention(nn.Module):
    """Scaled dot-product attention with its three inputs."""

    def forward(self, query, key, value):
        return nn.functional.scaled_dot_product_attention(query, key, value)


class First(nn.Module):
    """The first output of a recurrent net."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class Spoken(nn.Module):
    """CTC loss of scores."""

    def forward(self, scores):
        labels, length = torch.tensor([[1, 2], [3, 4]]), torch.tensor([len(scores)] * 2)
        return nn.functional.ctc_loss(scores.log_softmax(2), labels, length,
                                      torch.tensor([2, 2]), reduction="sum")


QKV = [(1, 2, 5, 4)] * 3
SEQUENCES = [
    Plant("attention: scale left out", layer(Attention, *QKV), "double", (
        "attention._attention", "query", times(2))),
    Plant("attention: keys rolled", layer(Attention, *QKV), "permuted", (
        "attention._attention", "key", rolled(-2))),
    Plant("attention: value of one head", layer(Attention, *QKV), "row", (
        "attention._attention", "value", row(1))),
    Plant("attention: in half precision", layer(Attention, *QKV), "precision", (
        "attention._attention", "value", half_precision)),
    Plant("RNN: recurrent weight transposed", layer(lambda: First(nn.RNN(3, 4)), (5, 2, 3)),
          "transposed", ("recurrent._recurrent_layer", "w_hh", swapped)),
    Plant("LSTM: gates exchanged", layer(lambda: First(nn.LSTM(3, 2)), (4, 2, 3)), "permuted",
          ("recurrent._recurrent_layer", "w_ih", rolled(0, 2))),
    Plant("LSTM: half of the bias lost", layer(lambda: First(nn.LSTM(3, 2)), (4, 2, 3)), "part",
          ("recurrent._recurrent_layer", "b_hh", zero_part())),
    Plant("GRU: a step of the input", layer(lambda: First(nn.GRU(30, 2)), (6, 1, 30)), "row",
          ("recurrent._recurrent_layer", "input", row(0))),
    Plant("GRU: one recurrent weight", layer(lambda: First(nn.GRU(3, 5)), (4, 2, 3)), "single",
          ("recurrent._recurrent_layer", "w_hh", one(1.01))),
    Plant("Embedding: rows rolled", layer(lambda: nn.Embedding(6, 3), torch.tensor([0, 2, 5])),
          "permuted", ("embedding._embedding", "weight", rolled(0))),
    Plant("Embedding: mean of repeats", layer(lambda: nn.Embedding(6, 3),
                                              torch.tensor([[1, 2], [2, 1]])), "half",
          ("embedding._embedding", "weight", times(0.5))),
]

CLASSES = torch.tensor([1, 0, 3, 2, 1])
TARGET = torch.from_numpy(np.random.default_rng(8).random((5, 4)))
LOSSES = [
    Plant("CrossEntropyLoss: not averaged", layer(nn.CrossEntropyLoss, (5, 4), CLASSES), "sum", (
        CROSS_ENTROPY, "input", times(5))),
    Plant("NLLLoss: classes rolled", layer(nn.NLLLoss, (5, 4), CLASSES), "permuted", (
        "cross_entropy._nll_loss", "input", rolled(1))),
    Plant("MSELoss: half", layer(nn.MSELoss, (5, 4), TARGET), "half", (
        "loss._mse_loss", "input", times(0.5))),
    Plant("BCEWithLogitsLoss: sign", layer(nn.BCEWithLogitsLoss, (5, 4), TARGET), "sign", (
        "loss._logits_loss", "input", times(-1))),
    Plant("HuberLoss: a row", layer(lambda: nn.HuberLoss(reduction="sum"), (6, 30),
                                    torch.zeros(6, 30).double()), "row",
          ("loss._huber_loss", "input", row(0))),
    Plant("SmoothL1Loss: one element", layer(lambda: nn.SmoothL1Loss(reduction="none"), (5, 4),
                                             TARGET), "single double",
          ("loss._smooth_l1_loss", "input", one(2))),
    Plant("CTCLoss: a step", layer(Spoken, (7, 2, 5)), "row unknown",
          ("ctc._ctc_loss", "log_probs", row(0))),
]

PLANTS = [*NORMS, *DROPOUTS, *CONVOLUTIONS, *POOLING, *SEQUENCES, *LOSSES]
