"""Connectionist temporal classification: sums over all alignments, in log space.

A target of S labels is written with blanks around them, b l1 b l2 b ... b: K = 2 S + 1 places. An
alignment walks over the places, one per time step: it stays, goes to the next place, or skips a
blank between two different labels. Graves et al., "Connectionist temporal classification", 2006.
Everything is vectorised over batch and places, with one loop over time, in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ndarray = np.ndarray
NEVER = -np.inf


@dataclass(frozen=True)
class Places:
    """The places of every sample's target, and how long inputs and targets are."""

    classes: ndarray  # (N, K): the class of each place
    skips: ndarray  # (N, K): may it be reached over the blank before it?
    times: ndarray  # (N): lengths of the inputs
    sizes: ndarray  # (N): lengths of the targets

    def index(self, steps: int) -> tuple[ndarray, ndarray, ndarray]:
        """Return the index of log_probs (T, N, C) that gives (T, N, K)."""
        who = np.arange(len(self.sizes))[:, None]
        return np.arange(steps)[:, None, None], who, self.classes

    def inside(self, steps: int) -> ndarray:
        """Tell which times belong to the inputs, (T, N, 1)."""
        return np.arange(steps)[:, None, None] < self.times[:, None]


def places(targets: ndarray, times: ndarray, sizes: ndarray, blank: int) -> Places:
    """Write targets (N, S) with blanks around the labels; what is beyond `sizes` is padding."""
    batch, size = targets.shape
    used = np.arange(size) < sizes[:, None]
    classes = np.full((batch, 2 * size + 1), blank, np.intp)
    classes[:, 1::2] = np.where(used, targets, blank)
    skips = np.zeros(classes.shape, bool)
    skips[:, 2:] = classes[:, 2:] != classes[:, :-2]
    return Places(classes, skips, times, sizes)


def _merge(a: ndarray, b: ndarray, c: ndarray) -> ndarray:
    """Return log(exp(a) + exp(b) + exp(c)), -inf where all are."""
    top = np.maximum(np.maximum(a, b), c)
    top = np.where(top == NEVER, 0.0, top)
    return top + np.log(np.exp(a - top) + np.exp(b - top) + np.exp(c - top))


def _walk(emitted: ndarray, skips: ndarray, start: ndarray) -> Iterator[ndarray]:
    """Yield the sums of all walks to each place, (N, K), for one time step after another."""
    batch, count = skips.shape
    door = np.where(skips, 0.0, NEVER)
    row = np.full((batch, count + 2), NEVER)  # two places to the left that nobody is at
    row[:, 2:] = start
    for step in emitted[1:]:
        yield row[:, 2:]
        row[:, 2:] = step + _merge(row[:, 2:], row[:, 1:-1], row[:, :-2] + door)
    yield row[:, 2:]


def forward(emitted: ndarray, at: Places) -> tuple[ndarray, ndarray]:
    """Return the forward sums, (T, N, K), and the log-likelihoods, (N,).

    emitted (T, N, K): the log-probabilities of the places' classes.
    """
    start = np.full(at.skips.shape, NEVER)
    start[:, :2] = emitted[0, :, :2]
    alpha = np.empty(emitted.shape)
    for t, row in enumerate(_walk(emitted, at.skips, start)):
        alpha[t] = row
    who, end = np.arange(len(at.sizes)), 2 * at.sizes
    last = alpha[np.maximum(at.times, 1) - 1, who]
    label = np.where(at.sizes > 0, last[who, np.maximum(end - 1, 0)], NEVER)
    total = np.logaddexp(last[who, end], label)
    nothing = np.where(at.sizes == 0, 0.0, NEVER)  # no time: only the empty target fits
    return alpha, np.where(at.times == 0, nothing, total)


def backward(emitted: ndarray, at: Places) -> ndarray:
    """Return the backward sums, (T, N, K): of all walks from a place to the end, without it."""
    steps, batch, count = emitted.shape
    k, end = np.arange(count), 2 * at.sizes[:, None]
    goal = np.where((k == end) | (k == end - 1), 0.0, NEVER)
    door = np.full((batch, count), NEVER)
    door[:, :-2] = np.where(at.skips[:, 2:], 0.0, NEVER)
    beta = np.full(emitted.shape, NEVER)
    row = np.full((batch, count + 2), NEVER)
    for t in range(steps - 1, -1, -1):
        if t + 1 < steps:
            row[:, :-2] = beta[t + 1] + emitted[t + 1]
            beta[t] = _merge(row[:, :-2], row[:, 1:-1], row[:, 2:] + door)
        beta[t] = np.where((at.times == t + 1)[:, None], goal, beta[t])
    return beta


def posteriors(alpha: ndarray, beta: ndarray, total: ndarray, at: Places) -> ndarray:
    """Return the share of the alignments that are at each place at each time, (T, N, K).

    It is 0 after a sample's end, and everywhere for a sample that no alignment fits.
    """
    total = np.where(total == NEVER, 0.0, total)
    return np.where(at.inside(len(alpha)), np.exp(alpha + beta - total[:, None]), 0.0)


def by_class(shares: ndarray, classes: ndarray, count: int) -> ndarray:
    """Add up the places' shares by class: (T, N, K) -> (T, N, C)."""
    steps, batch, _ = shares.shape
    at = np.arange(steps * batch).reshape(steps, batch, 1) * count + classes
    sums = np.bincount(at.ravel(), shares.ravel(), steps * batch * count)
    return sums.reshape(steps, batch, count)
