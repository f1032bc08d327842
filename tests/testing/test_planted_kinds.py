"""Planted bugs of every other kind: variants, state, dtype, writes, randomness, second order."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad.autograd import Function
from minigrad.testing import check_gradients

from .planted_tools import says


def kinds(report):
    return {(f.input, f.kind) for f in report.failures}


def double(rng, *shape):
    return torch.from_numpy(np.asarray(rng.standard_normal(shape)))


@pytest.fixture(params=[0, 1, *(pytest.param(s, marks=pytest.mark.slow) for s in range(2, 6))])
def rng(request):
    return np.random.default_rng(request.param)


# ---- many and few elements
@pytest.mark.parametrize("n, seeds", [(5000, 3), pytest.param(50000, 20, marks=pytest.mark.slow)])
def test_one_percent_of_one_element_among_many(n, seeds):
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x, i = rng.standard_normal((n // 50, 50)), int(rng.integers(n))

        def wrong(x, g, i=i):
            made = g / np.cosh(x) ** 2
            if made.size > i:
                made.reshape(-1)[i] *= 1.01
            return (made,)

        report = check_gradients(np.tanh, x, grad=wrong, seed=seed)
        if 1 / np.cosh(x.flat[i]) ** 2 > 1e-3:
            assert [f.index for f in report.failures] == [np.unravel_index(i, x.shape)]
            assert says("single", report.failures[0].cause)


@pytest.mark.parametrize("count", [2, 5, 8])
def test_several_wrong_elements_are_all_named(rng, count):
    x = rng.standard_normal((30, 40))
    places = rng.permutation(x.size)[:count]
    factors = 1.02 + rng.random(count)

    def wrong(x, g):
        made = g * np.exp(x)
        if made.size == 1200:
            made.reshape(-1)[places] *= factors
        return (made,)

    report = check_gradients(np.exp, x, grad=wrong)
    named = {int(np.ravel_multi_index(f.index, x.shape)) for f in report.failures}
    assert named == set(places.tolist()), str(report)
    assert all(says("single", f.cause) and "more than" not in f.cause for f in report.failures)


@pytest.mark.parametrize("index", [(slice(None), 2, slice(None)), (1, slice(None), slice(None)),
                                   (0, 3, slice(None)), (slice(None),) * 3])
def test_an_axis_that_is_wrong_as_a_whole(rng, index):
    x = rng.standard_normal((6, 9, 12))
    factor = 1.2 + rng.random(x.shape)

    def wrong(x, g):
        made = g * np.cos(x)
        if made.shape == factor.shape:
            made[index] *= factor[index]
        return (made,)

    report = check_gradients(np.sin, x, grad=wrong)
    assert [f.index for f in report.failures] == [index], str(report)


def test_one_output_only(rng):
    matrix = rng.standard_normal((9, 7))
    jacobian, k, i = matrix.copy(), int(rng.integers(9)), int(rng.integers(7))
    jacobian[k, i] *= 1.03
    report = check_gradients(lambda x: matrix @ x, rng.standard_normal(7),
                             grad=lambda x, g: (jacobian.T @ g if x.size else x,))
    (failure,) = report.failures
    assert failure.index == (i,) and failure.output == (k,)


# ---- second order
class Slope(Function):
    """The derivative of x**3, whose own derivative may be wrong."""

    @staticmethod
    def forward(ctx, x, g, bug):
        ctx.save_for_backward(x, g)
        ctx.bug = bug
        return g * 3 * x * x

    @staticmethod
    def backward(ctx, v):
        x, g = ctx.saved_tensors
        made = v * g * 6 * x
        return ctx.bug(made), v * 3 * x * x, None


class Cube(Function):
    @staticmethod
    def forward(ctx, x, bug):
        ctx.save_for_backward(x)
        ctx.bug = bug
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        return Slope.apply(ctx.saved_tensors[0], g, ctx.bug), None


def one_lost(made):
    made = made.clone()
    if made.numel():
        made.view(-1)[3] = 0
    return made


@pytest.mark.parametrize("bug, cause", [
    (lambda made: made * 2, "double"), (lambda made: made / 2, "half"),
    (lambda made: -made, "sign"),
    (lambda made: made * 0, "detached"), (one_lost, "single part"), (lambda made: made * 1.1,
                                                                      "factor")])
def test_second_derivatives(rng, bug, cause):
    x = double(rng, 3, 4)
    assert check_gradients(lambda x: Cube.apply(x, lambda made: made), x, order=2).ok
    assert check_gradients(lambda x: Cube.apply(x, bug), x).ok
    report = check_gradients(lambda x: Cube.apply(x, bug), x, order=2)
    first = report.failures[0]
    assert first.input == "x" and report.order == 2
    assert any(says(key, first.cause) for key in cause.split()), str(report)
    if bug is one_lost:
        assert [f.index for f in report.failures] == [(0, 3)]


# ---- inputs of another layout
def as_if_contiguous(x):
    """Read the memory behind a tensor as if it had no gaps."""
    array = x.detach().numpy()
    flat = np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,))
    return torch.from_numpy(flat.reshape(array.shape).copy())


class Strided(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.factor = 2 * as_if_contiguous(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor


class SharedRows(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.shared = x.stride(0) == 0
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * (0 if ctx.shared else 2)


class Empty(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return torch.zeros(3, 5).double() if g.numel() == 0 else g * 2


def same_object(a, b):
    return a * b.detach() if a is b else a * b


@pytest.mark.parametrize("function, variant", [
    (Strided.apply, "non-contiguous"), (SharedRows.apply, "broadcast")])
def test_bugs_of_one_layout(rng, function, variant):
    report = check_gradients(function, double(rng, 4, 3))
    assert report.status.variants[variant] == "FAILS"
    assert any(f.cause.startswith(variant) for f in report.failures), str(report)


def test_a_bug_of_one_tensor_given_twice(rng):
    report = check_gradients(same_object, double(rng, 4), double(rng, 4))
    assert [f.cause.split()[0] for f in report.failures] == ["aliased"], str(report)


def test_a_bug_of_empty_inputs(rng):
    report = check_gradients(Empty.apply, double(rng, 4, 5))
    assert [f.kind for f in report.failures] == ["shape"], str(report)
    assert "zero-size" in report.failures[0].cause


# ---- what a call does besides returning values
class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.seen = nn.Parameter(torch.ones(3)), 0

    def forward(self, x):
        self.seen += 1
        return x * self.weight


def test_state(rng):
    net = Counts()
    report = check_gradients(net, double(rng, 4, 3))
    assert kinds(report) == {("seen", "state")} and net.seen == 0
    assert says("state", report.failures[0].cause)


def overwrite(x):
    y = x * 1
    x.data[0] = 0
    return y * y


def scribble(x):
    out = np.sin(x)
    x[0] = 7.0
    return out


def test_a_written_input(rng):
    x = double(rng, 4)
    kept = x.clone()
    report = check_gradients(overwrite, x)
    assert ("x", "mutated-input") in kinds(report) and torch.equal(x, kept)
    y = rng.standard_normal(4)
    kept = y.copy()
    report = check_gradients(scribble, y, grad=lambda x, g: (g * np.cos(x),))
    assert ("x", "mutated-input") in kinds(report) and (y == kept).all()


def test_a_gradient_of_lower_precision(rng):
    report = check_gradients(np.sin, rng.standard_normal(6),
                             grad=lambda x, g: ((g * np.cos(x)).astype(np.float32),))
    assert ("x", "dtype") in kinds(report)


@pytest.mark.parametrize("draw", [np.random.rand, __import__("random").random])
def test_foreign_randomness(rng, draw):
    report = check_gradients(lambda x: x * draw(), double(rng, 4))
    assert kinds(report) == {("", "nondeterministic")}


@pytest.mark.parametrize("gradient, kind", [
    (lambda x, g: (g[:2],), "shape"), (lambda x, g: (g.sum(),), "shape"),
    (lambda x, g: (g, g), "shape"), (lambda x, g: (g.no_such_attribute,), "undefined")])
def test_faults_of_backward(rng, gradient, kind):
    report = check_gradients(np.sin, rng.standard_normal(4), grad=gradient)
    assert ("x", kind) in kinds(report), str(report)


# ---- which op
@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow)
                                       for s in range(1, 5))])
def test_blame_names_the_planted_op(seed):
    from . import planted_layers, planted_ops

    plants = [p for p in (*planted_ops.PLANTS, *planted_layers.PLANTS) if p.op is not None]
    chosen = np.random.default_rng(seed).permutation(len(plants))[:5]
    for k in chosen:
        plant = plants[k]
        fn, inputs, _ = plant.subject(seed, True)
        with plant.bug(seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            blamed = check_gradients(fn, *inputs, seed=seed).blame()
        assert blamed.op is not None, f"{plant.title}\n{blamed}"
