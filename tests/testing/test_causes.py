"""Each planted bug is found and gets the sentence of its cause; without the bug nothing is said."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minigrad as torch
from minigrad.autograd import Function
from minigrad.testing import check_gradients
from minigrad.testing.sentences import ADVICE, SENTENCE

from .bugs import BUGS

each = pytest.mark.parametrize("bug", BUGS, ids=[f"{b.key}-{k}" for k, b in enumerate(BUGS)])


def says(key, cause):
    """Whether a cause is the sentence of a key, filled in."""
    pattern = re.sub(r"\\\{.*?\\\}", ".*", re.escape(SENTENCE[key]))
    return re.match(pattern, cause) is not None


@each
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_the_bug_is_named(bug, seed):
    report = check_gradients(bug.function, *bug.inputs(seed), grad=bug.wrong, seed=seed)
    assert report.failures, "not found"
    first = report.failures[0]
    assert first.kind == bug.kind
    assert says(bug.key, first.cause), f"{first.cause}\n{report}"
    assert first.advice == ADVICE[bug.key] and first.advice in str(report)


@each
def test_without_the_bug_nothing_is_said(bug):
    for seed in range(3):
        report = check_gradients(bug.function, *bug.inputs(seed), grad=bug.right, seed=seed)
        assert report.ok, str(report)


def test_a_stale_value_is_named():
    class Stale(Function):
        @staticmethod
        def forward(ctx, x, scale):
            ctx.values = x.clone()
            y = ctx.values**2
            ctx.values.data.mul_(scale)
            return y

        @staticmethod
        def backward(ctx, g):
            return 2 * g * ctx.values, None

    def later(x):
        class Keeps(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.values = work
                work[...] = x.detach().numpy()
                return torch.from_numpy(work**2 + 0 * work)

            @staticmethod
            def backward(ctx, g):
                return 2 * g * torch.from_numpy(ctx.values)

        work = np.zeros(tuple(x.shape))
        y = Keeps.apply(x)
        work *= 3
        return y

    report = check_gradients(later, torch.randn(4, 3))
    assert "stale" in report.failures[0].cause and "ctx.values" in report.failures[0].cause
    assert not check_gradients(Stale.apply, torch.randn(3), 2.0).ok


def test_a_gradient_that_differs_between_calls():
    class Noisy(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2 * float(np.random.rand())

    report = check_gradients(Noisy.apply, torch.randn(4))
    assert report.failures[0].kind == "nondeterministic"
    assert says("random", report.failures[0].cause)


def test_dropout_with_its_scale_lost():
    class Drop(torch.nn.Module):
        p = 0.5

        def __init__(self):
            super().__init__()
            self.p = 0.5

        def forward(self, x):
            mask = torch.bernoulli(torch.full_like(x, 1 - self.p))
            return Masked.apply(x, mask, self.p)

    class Masked(Function):
        @staticmethod
        def forward(ctx, x, mask, p):
            ctx.save_for_backward(mask)
            return x * mask / (1 - p)

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0], None, None

    report = check_gradients(Drop(), torch.randn(6, 6))
    assert says("dropout", report.failures[0].cause) and "0.5" in report.failures[0].cause
    assert any("replayed" in note for note in report.notes)


def test_one_output_only():
    class Last(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.stack([x.sum(), (x * x).sum(), x.sin().sum()])

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            made = g[0] + g[1] * 2 * x + g[2] * x.cos()
            made[2] += g[1] * 0.1
            return made

    report = check_gradients(Last.apply, torch.randn(5))
    (failure,) = report.failures
    assert failure.index == (2,) and failure.output == (1,)
    assert says("output", failure.cause)
