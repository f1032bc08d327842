"""Bugs in Functions in the middle of nets, in Modules that lose gradients, and in NumPy code."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad as torch
import minigrad.nn as nn

from .planted_layers import layer
from .planted_ops import on
from .planted_tools import Plant


def function(forward: Any, backward: Any) -> Any:
    """Return a Function of (forward, backward of (g, *inputs)) as a plain callable."""
    class Made(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return backward(g, *ctx.saved_tensors)

    return Made.apply


def in_a_net(forward: Any, right: Any, wrong: Any, size: tuple[int, ...] = (4, 6)) -> Any:
    """Return makers of a net with the Function in its middle: without and with the bug."""
    def net(backward: Any) -> Any:
        middle = function(forward, backward)
        return on(lambda x: middle(x * 2 - 1).sin(), size)
    return net(right), net(wrong)


def squash(x):
    return x / (1 + x.abs())


def middle(title: str, cause: str, *parts: Any, **size: Any) -> Plant:
    clean, bug = in_a_net(*parts, **size)
    return Plant(f"Function in a net: {title}", clean, cause, wrong=bug)


def lost(made: Any, axis: int = 1) -> Any:
    made = made.clone()
    made[:, made.shape[1] // 2:] = 0
    return made


def nudged(made: Any) -> Any:
    made = made.clone()
    made[1, 2] *= 1.05
    return made


CENTRED = lambda x: x - x.mean(1, keepdim=True)
FUNCTIONS = [
    middle("sign", "sign", lambda x: 1 / (2 + x * x), lambda g, x: -2 * x * g / (2 + x * x) ** 2,
           lambda g, x: 2 * x * g / (2 + x * x) ** 2),
    middle("twice", "double", squash, lambda g, x: g / (1 + x.abs()) ** 2,
           lambda g, x: 2 * g / (1 + x.abs()) ** 2),
    middle("half", "half", lambda x: x * x, lambda g, x: 2 * g * x, lambda g, x: g * x),
    middle("no mean", "offset unknown", CENTRED, lambda g, x: CENTRED(g), lambda g, x: g),
    middle("detached", "detached", squash, lambda g, x: g / (1 + x.abs()) ** 2,
           lambda g, x: None),
    middle("half lost", "part", squash, lambda g, x: g / (1 + x.abs()) ** 2,
           lambda g, x: lost(g / (1 + x.abs()) ** 2)),
    middle("one element", "single", squash, lambda g, x: g / (1 + x.abs()) ** 2,
           lambda g, x: nudged(g / (1 + x.abs()) ** 2)),
    middle("flip", "permuted unknown", lambda x: x.flip(1), lambda g, x: g.flip(1),
           lambda g, x: g),
    middle("sum for mean", "sum", lambda x: x.mean(0, keepdim=True).expand(4, 6).clone(),
           lambda g, x: g.sum(0, keepdim=True).expand(4, 6) / 4,
           lambda g, x: g.sum(0, keepdim=True).expand(4, 6)),
    middle("single precision", "precision", torch.exp, lambda g, x: g * x.exp(),
           lambda g, x: (g * x.exp()).half().double()),
]


class Scaled(nn.Module):
    """A linear layer with a scale, one of whose parameters loses its gradient."""

    def __init__(self, loses: str = "") -> None:
        super().__init__()
        self.inner = nn.Linear(4, 3)
        self.scale = nn.Parameter(torch.ones(3))
        self.loses = loses

    def forward(self, x):
        weight, bias, scale = self.inner.weight, self.inner.bias, self.scale
        if self.loses == "weight":
            weight = weight.detach()
        if self.loses == "bias":
            bias = bias.data
        if self.loses == "scale":
            scale = torch.from_numpy(scale.detach().numpy())
        if self.loses == "twice":
            scale = scale + scale - scale.detach()
        return nn.functional.linear(x, weight, bias).tanh() * scale


def module(loses: str, cause: str = "detached") -> Plant:
    return Plant(f"Module: {loses} lost" if cause == "detached" else f"Module: scale {loses}",
                 layer(Scaled, (5, 4)), cause, wrong=layer(lambda: Scaled(loses), (5, 4)))


MODULES = [module("weight"), module("bias"), module("scale"), module("twice", "double")]


# ---- NumPy: function, right gradient, wrong gradient, shapes
def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_grad(x, g):
    y = softmax(x)
    return (y * (g - (g * y).sum(-1, keepdims=True)),)


def conv(x, w):
    return np.array([(x[i:i + len(w)] * w).sum() for i in range(len(x) - len(w) + 1)])


def conv_grad(x, w, g, kernel=lambda w: w):
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    for i, gi in enumerate(g):
        dx[i:i + len(w)] += gi * kernel(w)
        dw += gi * x[i:i + len(w)]
    return dx, dw


def outer_grad(a, b, g):
    return g @ b, a @ g


def spectrum(x):
    f = np.fft.rfft(x)
    return f.real**2 + f.imag**2


def spectrum_grad(x, g, factor=2):
    f = np.fft.rfft(x) * g
    full = np.zeros(x.size, complex)
    full[:f.size] = f
    return (factor * np.fft.ifft(full).real * x.size,)


def l2(x, y):
    return np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))


def l2_grad(x, y, g, sign=-1):
    d = (g / l2(x, y))[..., None] * (x[:, None] - y[None])
    return d.sum(1), sign * d.sum(0)


def assigned(x, i, g):
    made = np.zeros_like(x)
    made[i] = g
    return made, None


def added(x, i, g):
    return np.bincount(i, g, x.size), None


def arrays(title: str, cause: str, fn: Any, right: Any, wrong: Any, *shapes: Any) -> Plant:
    def make(rng: np.random.Generator) -> tuple[Any, ...]:
        return fn, *(rng.standard_normal(s) if isinstance(s, tuple) else s for s in shapes)
    return Plant(f"NumPy: {title}", make, cause, grad=(right, wrong))


NUMPY = [
    arrays("convolution with the kernel flipped", "permuted unknown", conv, conv_grad,
           lambda x, w, g: conv_grad(x, w, g, lambda w: w[::-1]), (12,), (3,)),
    arrays("softmax without its sum", "offset unknown chain", softmax, softmax_grad,
           lambda x, g: (softmax(x) * g,), (4, 6)),
    arrays("outer product transposed", "transposed", np.outer, outer_grad,
           lambda a, b, g: (g.T @ b, a @ g), (5,), (5,)),
    arrays("spectrum half", "half", spectrum, spectrum_grad,
           lambda x, g: spectrum_grad(x, g, 1), (9,)),
    arrays("distance with the wrong sign", "sign", l2, l2_grad,
           lambda x, y, g: l2_grad(x, y, g, 1), (3, 2), (4, 2)),
    arrays("mean squared error not averaged", "sum", lambda x: (x**2).mean(),
           lambda x, g: (2 * x * g / x.size,), lambda x, g: (2 * x * g,), (6, 7)),
    arrays("bias of the last row", "unbroadcast", lambda x, b: np.tanh(x) + b,
           lambda x, b, g: (g / np.cosh(x) ** 2, g.sum(0)),
           lambda x, b, g: (g / np.cosh(x) ** 2, g[-1]), (7, 3), (3,)),
    arrays("cumulative sum not reversed", "unknown", np.cumsum,
           lambda x, g: (np.cumsum(g[::-1])[::-1],), lambda x, g: (np.cumsum(g),), (20,)),
    arrays("an integer index assigned", "repeated", lambda x, i: x[i], added, assigned,
           (6,), np.array([5, 1, 1, 4, 0, 1])),
]

PLANTS = [*FUNCTIONS, *MODULES, *NUMPY]
