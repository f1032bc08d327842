"""Bugs that were planted once the tool was finished, in places that the other lists lack."""

from __future__ import annotations

from math import erf

import numpy as np

import minigrad as torch
import minigrad.nn as nn

from .planted_functions import arrays, function
from .planted_layers import CROSS_ENTROPY, layer
from .planted_ops import matrix, on
from .planted_tools import Plant, handed_on, rolled, row, swapped, times, zero_part

ROWS = torch.tensor([3, 0, 4])


def upsampled(x):
    return nn.functional.interpolate(x, scale_factor=2, mode="bilinear")


def unpooled(x):
    return nn.functional.max_unpool2d(x, torch.tensor([[[[0, 3], [9, 14]]]]), 2)


class FromState(nn.Module):
    """An LSTM as a function of its first hidden state."""

    def __init__(self):
        super().__init__()
        self.inner = nn.LSTM(2, 3)

    def forward(self, x, h):
        return self.inner(x, (h, torch.zeros_like(h)))[0]


class Tied(nn.Module):
    """One weight used twice; with the bug the second use is detached."""

    def __init__(self, bug=False):
        super().__init__()
        self.weight, self.bug = nn.Parameter(torch.ones(3, 3)), bug

    def forward(self, x):
        again = self.weight.detach() if self.bug else self.weight
        return (x @ self.weight).tanh() @ again.T


# ---- NumPy
erf_of = np.vectorize(erf, otypes=[float])


def gelu(x):
    return x * (1 + erf_of(x / np.sqrt(2))) / 2


def gelu_grad(x, g):
    return (g * ((1 + erf_of(x / np.sqrt(2))) / 2 + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)),)


def gelu_grad_of_tanh(x, g):
    """The derivative of the approximation by tanh."""
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return (g * ((1 + t) / 2 + x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x) / 2),)


def logsumexp(x):
    top = x.max()
    return top + np.log(np.exp(x - top).sum())


def logsumexp_grad(x, g, top=True):
    e = np.exp(x - (x.max() if top else 0))
    return (g * e / e.sum(),)


def circular(x, w):
    return np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(w), x.size)


def circular_grad(x, w, g, turn=np.conj):
    f = np.fft.rfft(g)
    return (np.fft.irfft(f * turn(np.fft.rfft(w)), x.size),
            np.fft.irfft(f * np.conj(np.fft.rfft(x)), x.size))


def recurrence(w):
    h = np.ones(len(w)) / 2
    for _ in range(4):
        h = np.tanh(w @ h)
    return h


def recurrence_grad(w, g, steps=4):
    hs = [np.ones(len(w)) / 2]
    for _ in range(4):
        hs.append(np.tanh(w @ hs[-1]))
    made = np.zeros_like(w)
    for k in range(4, 4 - steps, -1):
        g = g * (1 - hs[k] ** 2)
        made += np.outer(g, hs[k - 1])
        g = w.T @ g
    return (made,)


STRAIGHT = [function(lambda x: (x * 3).round() / 3, backward)
            for backward in (lambda g, x: g * 0, lambda g, x: g)]

PLANTS = [
    Plant("bilinear upsampling: averaged", on(upsampled, (1, 2, 3, 4)), "mean",
          ("interpolate._resample", "input", times(1 / 4))),
    Plant("cumprod: a row", on(lambda x: x.cumprod(1), (4, 20), low=0.5), "row",
          ("cumulative.cumprod", "input", row(0))),
    Plant("matrix_exp: transposed", matrix(lambda a: torch.linalg.matrix_exp(a / 8)), "transposed",
          ("matrix_functions.matrix_exp", "A", swapped)),
    Plant("index_add: half of the source lost", on(lambda x, s: x.index_add(0, ROWS, s), (6, 2),
                                                   (3, 2)), "part",
          ("scatter.index_add", "source", zero_part(1))),
    Plant("index_copy: overwritten rows kept", on(lambda x, s: x.index_copy(0, ROWS, s), (6, 2),
                                                  (3, 2)), "chain",
          ("scatter.index_copy", "input", handed_on)),
    Plant("LSTM: sign of the first state", layer(FromState, (4, 2, 2), (1, 2, 3)), "sign",
          ("recurrent._recurrent_layer", "hx", times(-1))),
    Plant("label smoothing left out of the scale", layer(
        lambda: nn.CrossEntropyLoss(label_smoothing=0.1), (5, 4), torch.tensor([1, 0, 3, 2, 1])),
          "factor", (CROSS_ENTROPY, "input", times(1 / 0.9))),
    Plant("PReLU: slopes rolled", layer(lambda: nn.PReLU(5), (4, 5, 3)), "permuted",
          ("piecewise._prelu_kernel", "weight", rolled())),
    Plant("max_unpool2d: next place", on(unpooled, (1, 1, 2, 2)), "permuted",
          ("adaptive_pool._unpool", "input", rolled())),
    arrays("gelu with the slope of its approximation", "unknown precision", gelu, gelu_grad,
           gelu_grad_of_tanh, (20,)),
    Plant("NumPy: logsumexp that overflows in backward", lambda rng: (
        logsumexp, np.array([1.0, 2.0, 800.0, 799.5])), "nan",
          grad=(logsumexp_grad, lambda x, g: logsumexp_grad(x, g, False)), kind="nan"),
    arrays("circular convolution without conj", "permuted unknown", circular, circular_grad,
           lambda x, w, g: circular_grad(x, w, g, lambda f: f), (12,), (12,)),
    Plant("Function: straight through", on(lambda x: STRAIGHT[0](x) + x, (9,)), "double sum factor",
          wrong=on(lambda x: STRAIGHT[1](x) + x, (9,))),
    Plant("Module: one of two uses detached", layer(Tied, (4, 3)), "unbroadcast unknown",
          wrong=layer(lambda: Tied(True), (4, 3))),
    arrays("backpropagation through one step only", "unknown unbroadcast", recurrence,
           recurrence_grad, lambda w, g: recurrence_grad(w, g, 1), (5, 5)),
]
