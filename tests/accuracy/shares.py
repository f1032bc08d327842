"""Softmax and its relatives on logits that overflow, vanish or are masked.

The references take differences from the maximum in extended precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
LARGE = {"float16": 3e4, "float32": 1e38, "float64": 1e307}
SMALL = {"float16": 1e-7, "float32": 1e-40, "float64": 1e-310}
INF = float("inf")
CLASSES = 5
TARGET = [0, 4, 2, 1, 3, 0, 2, 1, 4, 0, 1, 0, 3, 2]


def logits(dtype: str) -> Array:
    """Return the hard rows: (14, 5)."""
    big, small = LARGE[dtype], SMALL[dtype]
    rows = [[0.3, -1.2, 2.1, 0.0, 0.7], [10, 0, 0, 0, 0], [-10, -30, -20, -60, -40],
            [1e3, 999.5, 998, 990, 900], [-1e4, -1e4, -10010, -10020, -1e4],
            [big, 0, -big, big, 1], [-big, -big, -big, -big, -big], [big, big, big, 0, big],
            [small, -small, 0, 3 * small, small], [0, -INF, 1, -INF, 2],
            [-INF, 5, -INF, -INF, -INF], [88, 89, 90, 100, 104], [709, 710, 745, 700, 0],
            [17, 1, 0, 0, 0.5]]
    return np.array(rows).astype(dtype)


class Share(NamedTuple):
    """How it is called, and the values in extended precision."""

    call: str
    formula: Callable[[Array], Array]


def log_shares(x: Array) -> Array:
    """Return log softmax of the rows, with log1p where one share is nearly 1."""
    shifted = x - x.max(1, keepdims=True)
    powers = np.exp(shifted)
    powers[np.arange(len(x)), x.argmax(1)] = 0
    return shifted - np.log1p(powers.sum(1, keepdims=True))


def _smooth(x: Array) -> Array:
    logs = log_shares(x)
    return -(logs[np.arange(len(x)), TARGET[:len(x)]] * 0.9 + logs.sum(1) * 0.1 / CLASSES)


SHARES = [
    Share("torch.softmax(x, 1)", lambda x: np.exp(log_shares(x))),
    Share("F.softmin(-x, 1)", lambda x: np.exp(log_shares(x))),
    Share("torch.softmax(x.T.contiguous(), 0).T", lambda x: np.exp(log_shares(x))),
    Share("torch.log_softmax(x, 1)", log_shares),
    Share("torch.logsumexp(x, 1)",
          lambda x: x.max(1) + np.log1p(np.exp(x - x.max(1, keepdims=True)).sum(1) - 1)),
    Share("F.cross_entropy(x, target, reduction='none')",
          lambda x: -log_shares(x)[np.arange(len(x)), TARGET]),
    Share("F.cross_entropy(x[:9], target[:9], reduction='none', label_smoothing=0.1)",
          lambda x: _smooth(x[:9])),
]


def evaluate(call: str, torch: Any, dtype: str) -> tuple[Array, Array]:
    """Return the values, and the input's gradient where the result's is 1, 2, 3 ..."""
    x = torch.from_numpy(logits(dtype)).requires_grad_()
    names = {"torch": torch, "F": torch.nn.functional, "x": x, "target": torch.tensor(TARGET)}
    y = eval(call, names)
    count = int(np.prod(tuple(y.shape)))
    g = torch.from_numpy(np.arange(1, count + 1, dtype=dtype).reshape(tuple(y.shape)))
    (dx,) = torch.autograd.grad(y, x, g)
    return y.detach().numpy(), dx.numpy()


def gradient(call: str, dtype: str) -> Array:
    """Return the right gradient in extended precision."""
    x = logits(dtype).astype(np.longdouble)
    p = np.exp(log_shares(x))
    if "softm" in call and "log" not in call:
        g = np.arange(1, x.size + 1, dtype=np.longdouble).reshape(x.shape)
        return p * (g - (p * g).sum(1, keepdims=True))
    if "log_softmax" in call:
        g = np.arange(1, x.size + 1, dtype=np.longdouble).reshape(x.shape)
        return g - p * g.sum(1, keepdims=True)
    g = np.arange(1, len(x) + 1, dtype=np.longdouble)[:, None]
    if "logsumexp" in call:
        return g * p
    wanted = np.eye(CLASSES)[TARGET]
    if "smoothing" in call:
        found = g * (p - (wanted * np.longdouble(0.9) + np.longdouble(0.1) / CLASSES))
        found[9:] = 0
        return found
    return g * (p - wanted)
