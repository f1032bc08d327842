"""Values and three orders of derivatives of norms and of softmax against hyper-dual arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as torch
from tests.hyperdual import Number, derivatives, exp, log

F = torch.nn.functional
EPS = 0.03
MEAN, VAR = np.array([0.3, -0.2, 0.1, 0.5]), np.array([0.5, 1.5, 1.0, 2.0])


def standard(x, axes, eps=EPS):
    centred = x - x.mean(axes)
    return centred * ((centred * centred).mean(axes) + eps) ** -0.5


def channel(value):
    return value.reshape(-1, 1) if isinstance(value, Number) else value[:, None]


def scaled(y, w, b):
    return y * channel(w) + channel(b)


def grouped(groups):
    def function(x, w, b):
        split = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
        axes = tuple(range(2, len(split.shape)))
        return scaled(standard(split, axes).reshape(x.shape[0], x.shape[1], -1), w, b)
    return function


def volume(x, w, b):
    flat = x.reshape(*x.shape[:2], -1)
    return scaled(standard(flat, (0, 2)), w, b).reshape(*x.shape)


def neighbours(x, size=3, alpha=0.7, beta=0.75, k=1.3):
    parts = x.parts
    square = x * x
    total = 0 * x
    for c in range(x.shape[1]):
        near = square[:, max(0, c - size // 2):c + (size - 1) // 2 + 1].sum((1,))
        total.parts[:, :, c] = near.parts[:, :, 0]
    assert parts is x.parts
    return x * (total * (alpha / size) + k) ** -beta


def shares(x):
    powers = exp(x)
    return powers / powers.sum((1,))


def log_shares(x):
    return x - log(exp(x).sum((1,)))


def entropy(x):
    logs = log_shares(x)
    return (logs[0, 1] + logs[1, 3] + logs[2, 0]) * (-1 / 3)


def gate(x):
    half = x.shape[1] // 2
    return x[:, :half] / (1 + exp(-1 * x[:, half:]))


CUBE, TABLE = (3, 4, 3), (3, 4)
CASES = {
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=EPS),
                   lambda x, w, b: scaled(standard(x, (0, 2)), w, b), (CUBE, (4,), (4,))),
    "batch_norm of a table": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=EPS),
                              lambda x, w, b: standard(x, (0,)) * w + b, (TABLE, (4,), (4,))),
    "batch_norm of images": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=EPS),
                             volume, ((2, 3, 2, 2), (3,), (3,))),
    "batch_norm of volumes": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=EPS),
                              volume, ((2, 2, 2, 1, 3), (2,), (2,))),
    "batch_norm in eval": (
        lambda x, w, b: F.batch_norm(x, torch.from_numpy(MEAN), torch.from_numpy(VAR), w, b,
                                     eps=EPS),
        lambda x, w, b: scaled((x - channel(MEAN)) / channel((VAR + EPS) ** 0.5), w, b),
        (CUBE, (4,), (4,))),
    "instance_norm": (lambda x, w, b: F.instance_norm(x, None, None, w, b, eps=EPS),
                      lambda x, w, b: scaled(standard(x, (2,)), w, b), (CUBE, (4,), (4,))),
    "instance_norm of images": (
        lambda x, w, b: F.instance_norm(x.reshape(3, 4, 2, 2), None, None, w, b, eps=EPS),
        lambda x, w, b: scaled(standard(x, (2,)), w, b).reshape(3, 4, 2, 2),
        ((3, 4, 4), (4,), (4,))),
    "group_norm": (lambda x, w, b: F.group_norm(x, 2, w, b, EPS), grouped(2), (CUBE, (4,), (4,))),
    "group_norm of one group": (lambda x, w, b: F.group_norm(x, 1, w, b, EPS), grouped(1),
                                (CUBE, (4,), (4,))),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (3,), w, b, EPS),
                   lambda x, w, b: standard(x, (2,)) * w + b, (CUBE, (3,), (3,))),
    "layer_norm over two": (lambda x, w, b: F.layer_norm(x, (4, 3), w, b, EPS),
                            lambda x, w, b: standard(x, (1, 2)) * w + b, (CUBE, (4, 3), (4, 3))),
    "rms_norm": (lambda x, w: F.rms_norm(x, (4, 3), w, EPS),
                 lambda x, w: x * ((x * x).mean((1, 2)) + EPS) ** -0.5 * w, (CUBE, (4, 3))),
    "local_response_norm": (lambda x: F.local_response_norm(x, 3, 0.7, 0.75, 1.3), neighbours,
                            ((2, 5, 3),)),
    "softmax": (lambda x: F.softmax(x, 1), shares, (TABLE,)),
    "log_softmax": (lambda x: F.log_softmax(x, 1), log_shares, (TABLE,)),
    "softmin": (lambda x: F.softmin(x, 1), lambda x: shares(-1 * x), (TABLE,)),
    "logsumexp": (lambda x: torch.logsumexp(x, 1), lambda x: log(exp(x).sum((1,)))[:, 0],
                  (TABLE,)),
    "cross_entropy": (lambda x: F.cross_entropy(x, torch.tensor([1, 3, 0])), entropy, (TABLE,)),
    "glu": (lambda x: F.glu(x, 1), gate, (TABLE,)),
}


def gradients(function, inputs, directions, weight):
    """Return the gradients of the weighted sum and of its first two directional derivatives."""
    leaves = [torch.from_numpy(x.copy()).requires_grad_() for x in inputs]
    along = [[torch.from_numpy(v) for v in direction] for direction in directions]
    y = function(*leaves)
    value = (y * torch.from_numpy(weight)).sum()
    found = []
    for order in range(3):
        grads = torch.autograd.grad(value, leaves, create_graph=order < 2,
                                    materialize_grads=True)
        found.append([g.detach().numpy() for g in grads])
        if order < 2:
            value = sum((g * v).sum() for g, v in zip(grads, along[order], strict=True))
    return y.detach().numpy(), found


@pytest.mark.parametrize("name", CASES)
def test_three_orders(name):
    """Each gradient to 1e-10 of its largest element; torch's norms are wrong at third order."""
    function, formula, shapes = CASES[name]
    random = np.random.Generator(np.random.PCG64(7)).random
    inputs = [random(shape) * 2 - 1 for shape in shapes]
    directions = [[random(shape) * 2 - 1 for shape in shapes] for _ in range(2)]
    right = formula(*(Number(np.stack([x, *[np.zeros_like(x)] * 7])) for x in inputs)).parts[0]
    weight = np.asarray(random(right.shape) * 2 - 1)
    y, found = gradients(function, inputs, directions, weight)
    np.testing.assert_allclose(y, right, rtol=1e-13, atol=1e-14)
    wanted = derivatives(formula, inputs, directions, weight)
    for order in range(3):
        for got, grad in zip(found[order], wanted[order], strict=True):
            scale = max(np.abs(g).max() for g in wanted[order])
            assert np.abs(got - grad).max() <= 1e-10 * scale, f"order {order + 1}"


def test_hyperdual_numbers():
    """The judge itself: derivatives of x^3 y and exp(x y) at a point, by hand."""
    x, y = np.array([1.5]), np.array([0.5])
    ones = [[np.ones(1)] * 2] * 2
    first, second, third = derivatives(lambda a, b: a**3 * b, [x, y], ones, np.ones(1))
    assert [g.item() for g in first] == pytest.approx([3 * 1.5**2 * 0.5, 1.5**3])
    assert [g.item() for g in second] == pytest.approx([6 * 1.5 * 0.5 + 3 * 1.5**2, 3 * 1.5**2])
    assert [g.item() for g in third] == pytest.approx([6 * 0.5 + 2 * 6 * 1.5, 6 * 1.5])
    _, _, third = derivatives(lambda a: exp(a * a), [x], [[np.ones(1)]] * 2, np.ones(1))
    assert third[0].item() == pytest.approx((12 * 1.5 + 8 * 1.5**3) * math.exp(2.25))
    _, _, third = derivatives(lambda a: log(a) / a, [x], [[np.ones(1)]] * 2, np.ones(1))
    assert third[0].item() == pytest.approx((11 - 6 * math.log(1.5)) / 1.5**4)
