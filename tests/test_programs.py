"""Random small programs of ops, views and in-place writes, against NumPy and finite differences."""

from __future__ import annotations

import random

import numpy as np
import pytest

import minigrad as torch

# name: (for tensors, for arrays); the arguments are the value and another one of the same shape
OPS = {
    "sin": (lambda x, y: x.sin(), lambda x, y: np.sin(x)),
    "mul": (lambda x, y: x * y, lambda x, y: x * y),
    "sub": (lambda x, y: x * 0.5 - y, lambda x, y: x * 0.5 - y),
    "tanh": (lambda x, y: x.tanh(), lambda x, y: np.tanh(x)),
    "sum": (lambda x, y: x.sum(0, keepdim=True), lambda x, y: x.sum(0, keepdims=True)),
    "outer": (lambda x, y: x.reshape(-1, 1) @ y.reshape(1, -1), lambda x, y: np.outer(x, y)),
    "cumsum": (lambda x, y: x.cumsum(0), lambda x, y: x.cumsum(0)),
    "softplus": (lambda x, y: x.exp().log1p(), lambda x, y: np.log1p(np.exp(x))),
}
VIEWS = {
    "tail": (lambda x: x[1:], lambda x: x[1:]),
    "row": (lambda x: x[0], lambda x: x[0, ...]),
    "even": (lambda x: x[..., ::2], lambda x: x[..., ::2]),
    "turned": (lambda x: x.transpose(0, -1), lambda x: x.swapaxes(0, -1)),
    "nested": (lambda x: x.unsqueeze(1), lambda x: x[:, None]),
    "same": (lambda x: x.view(x.shape), lambda x: x[...]),
    "diagonal": (lambda x: x.diagonal(), lambda x: np.einsum("ii...->...i", x[:2, :2])),
}
WRITES = {
    "mul_": (lambda x, y: x.mul_(y), lambda x, y: np.multiply(x, y, out=x)),
    "sin_": (lambda x, y: x.sin_(), lambda x, y: np.sin(x, out=x)),
    "copy_": (lambda x, y: x.copy_(y * 0.7), lambda x, y: np.copyto(x, y * 0.7)),
    "zero_": (lambda x, y: x.zero_(), lambda x, y: x.fill(0)),
    "set": (lambda x, y: x.__setitem__(0, y[-1]), lambda x, y: x.__setitem__(0, y[-1])),
    "put": (lambda x, y: x.__setitem__([0, -1], y[[-1, 0]] * 2),
            lambda x, y: x.__setitem__([0, -1], y[[-1, 0]] * 2)),
    "add part": (lambda x, y: x[:1].add_(y[:1]), lambda x, y: x[:1].__iadd__(y[:1])),
}


def allowed(name, shape):
    """Return True if a step can be done to a value of this shape."""
    if not shape or 0 in shape or np.prod(shape) > 40:
        return False
    if name == "diagonal":
        return len(shape) == 2 and shape[0] == shape[1] == 2
    if name == "put":  # the same place twice would have no defined value
        return shape[0] > 1
    return name != "outer" or len(shape) == 1


def run(seed, start, lib):
    """Run program number `seed` on tensors (lib 0) or arrays (lib 1); return one number."""
    choose = random.Random(seed)
    copy = (lambda t: t.clone()) if lib == 0 else (lambda a: a.copy())
    pool = [start * 0.9]
    for _ in range(12):
        kind = choose.choice(["ops", "views", "views", "writes", "writes", "t_"])
        at = choose.randrange(len(pool))
        x = pool[at]
        shape = tuple(x.shape)
        # copies, so that no saved value is overwritten later: that would be refused
        y = copy(choose.choice([p for p in pool if tuple(p.shape) == shape]))
        if kind == "t_":
            if len(shape) == 2:
                pool[at] = x.t_() if lib == 0 else x.T
            continue
        table = {"ops": OPS, "views": VIEWS, "writes": WRITES}[kind]
        name = choose.choice(sorted(table))
        if not allowed(name, shape):
            continue
        if kind == "ops":
            pool.append(copy(table[name][lib](copy(x), y)))
        elif kind == "views":
            pool.append(table[name][lib](x))
        else:
            table[name][lib](x, y)
    total = 0.0
    for k, value in enumerate(pool):
        total = total + (copy(value) * (1 + 0.3 * k) + copy(value) ** 2).sum()
    return total


def differences(function, at, step=1e-6):
    """Return the central differences of `function` (a number or an array) along every element."""
    found = []
    for k in range(at.size):
        bump = np.zeros(at.size)
        bump[k] = step
        bump = bump.reshape(at.shape)
        found.append((function(at + bump) - function(at - bump)) / (2 * step))
    return np.stack(found)


def gradient(seed, at):
    x = torch.tensor(at, requires_grad=True)
    run(seed, x, 0).backward()
    return x.grad.numpy()


def close(found, wanted, seed):
    scale = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found / scale, wanted / scale, atol=1e-5, err_msg=f"seed {seed}")


@pytest.mark.parametrize("block", range(4))
def test_random_programs_agree_with_numpy_and_differences(block):
    for seed in range(block * 40, block * 40 + 40):
        shape = random.Random(-seed).choice([(2, 3), (2, 2), (3,), (1, 3), (2, 1, 2)])
        at = np.random.default_rng(seed).uniform(-1.2, 1.2, shape)
        x = torch.tensor(at, requires_grad=True)
        y = run(seed, x, 0)
        assert y.item() == pytest.approx(float(run(seed, at, 1)), rel=1e-12), seed
        (g,) = torch.autograd.grad(y, x, create_graph=True)
        first = differences(lambda a, s=seed: run(s, a, 1), at)
        close(g.detach().numpy().ravel(), first, seed)
        close(gradient(seed, at), g.detach().numpy(), seed)
        w = np.cos(np.arange(at.size)).reshape(shape)
        (h,) = torch.autograd.grad((g * torch.tensor(w)).sum(), x, materialize_grads=True)
        second = differences(lambda a, s=seed, w=w: (gradient(s, a) * w).sum(), at)
        close(h.numpy().ravel(), second, seed)
