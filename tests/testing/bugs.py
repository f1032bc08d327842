"""Planted bugs: for each likely cause a function, its right and its wrong gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Bug:
    """A function of arrays with two gradients."""

    key: str  # of the sentence that it must get
    function: Callable[..., Any]
    right: Callable[..., Any]
    wrong: Callable[..., Any]
    shapes: tuple[Any, ...]  # of the inputs; an array stands for itself
    kind: str = "mismatch"

    def inputs(self, seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [rng.standard_normal(s) if isinstance(s, tuple) else s.copy() for s in self.shapes]


def _norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def _norm_grad(x, g, mean=True):
    std = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    h = _norm(x)
    made = g - h * (g * h).mean(-1, keepdims=True)
    return ((made - g.mean(-1, keepdims=True) if mean else made) / std,)


def _softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _scattered(x, index, g, add):
    made = np.zeros_like(x)
    if add:
        np.add.at(made, index, g)
    else:
        made[index] = g
    return made, None


def _masked_row(x, g, row):
    made = g * np.cos(x)
    made[row] *= 1 + np.arange(made.shape[1]) / 3 + 0.5
    return (made,)


def _half_lost(x, g):
    made = g * 2 * x
    made[:, : x.shape[1] // 2] = 0
    return (made,)


def _rounded(x, g):
    return ((g * np.cos(x)).astype(np.float16).astype(np.float64),)


def _kink(x, g, value):
    return (g * np.where(x == 0, value, x > 0),)


def _one(x, g, factor):
    made = g * np.cos(x)
    made[1, 2] *= factor
    return (made,)


_MASK = np.random.default_rng(5).random((6, 5)) < 0.7
_ORDER = np.random.default_rng(5).permutation(12)
_ZEROS = np.array([1.0, 0.0, -2.0, 3.0])

BUGS = [
    Bug("double", lambda x: x**2, lambda x, g: (2 * x * g,), lambda x, g: (4 * x * g,), ((4, 5),)),
    Bug("double", lambda x: np.tanh(x), lambda x, g: (g * (1 - np.tanh(x) ** 2),),
        lambda x, g: (2 * g * (1 - np.tanh(x) ** 2),), ((3,),)),
    Bug("half", lambda x: (x**2).sum(), lambda x, g: (2 * x * g,), lambda x, g: (x * g,),
        ((4, 5),)),
    Bug("sign", lambda x: 1 / (2 + x**2), lambda x, g: (-2 * x * g / (2 + x**2) ** 2,),
        lambda x, g: (2 * x * g / (2 + x**2) ** 2,), ((7,),)),
    Bug("sum", lambda x: x.mean(), lambda x, g: (np.full_like(x, g / x.size),),
        lambda x, g: (np.full_like(x, g),), ((4, 5),)),
    Bug("sum", lambda x: (x**2).mean(0), lambda x, g: (2 * x * g / len(x),),
        lambda x, g: (2 * x * g,), ((7, 5),)),
    Bug("mean", lambda x: x.sum(1), lambda x, g: (np.repeat(g[:, None], x.shape[1], 1),),
        lambda x, g: (np.repeat(g[:, None], x.shape[1], 1) / x.shape[1],), ((4, 9),)),
    Bug("dropout", lambda x: x * _MASK / 0.7, lambda x, g: (g * _MASK / 0.7,),
        lambda x, g: (g * _MASK,), ((6, 5),)),
    Bug("factor", lambda x: 0.3 * x**3, lambda x, g: (0.9 * x**2 * g,),
        lambda x, g: (1.17 * x**2 * g,), ((12,),)),
    Bug("offset", _norm, _norm_grad, lambda x, g: _norm_grad(x, g, False), ((4, 6),)),
    Bug("transposed", lambda a: a @ np.arange(25.0).reshape(5, 5),
        lambda a, g: (g @ np.arange(25.0).reshape(5, 5).T,),
        lambda a, g: ((g @ np.arange(25.0).reshape(5, 5).T).T,), ((5, 5),)),
    Bug("transposed", lambda a: np.sin(a).T, lambda a, g: (g.T * np.cos(a),),
        lambda a, g: ((g * np.cos(a).T).reshape(a.shape),), ((4, 6),)),
    Bug("permuted", lambda x: x[_ORDER] ** 2, lambda x, g: (2 * x * g[np.argsort(_ORDER)],),
        lambda x, g: ((2 * x[_ORDER] * g),), ((12,),)),
    Bug("permuted", lambda x: x[::-1] ** 3, lambda x, g: (3 * x**2 * g[::-1],),
        lambda x, g: (3 * x[::-1] ** 2 * g,), ((20,),)),
    Bug("detached", lambda x, w: x * w, lambda x, w, g: (g * w, g * x),
        lambda x, w, g: (g * w, None), ((3, 4), (3, 4))),
    Bug("part", lambda x: x**2, lambda x, g: (2 * x * g,), _half_lost, ((6, 8),)),
    Bug("unbroadcast", lambda x, b: x + b, lambda x, b, g: (g, g.sum(0)),
        lambda x, b, g: (g, g[0]), ((6, 5), (5,))),
    Bug("repeated", lambda x, i: x[i], lambda x, i, g: _scattered(x, i, g, True),
        lambda x, i, g: _scattered(x, i, g, False), ((6,), np.array([0, 1, 1, 4, 0, 1]))),
    Bug("repeated", lambda w, i: w[i], lambda w, i, g: _scattered(w, i, g, True),
        lambda w, i, g: _scattered(w, i, g, False), ((6, 3), np.array([[0, 2], [2, 5]]))),
    Bug("row", np.sin, lambda x, g: (g * np.cos(x),), lambda x, g: _masked_row(x, g, 2),
        ((8, 30),)),
    Bug("chain", np.tanh, lambda x, g: (g * (1 - np.tanh(x) ** 2),), lambda x, g: (g,),
        ((5, 5),)),
    Bug("precision", np.sin, lambda x, g: (g * np.cos(x),), _rounded, ((6, 7),)),
    Bug("kink", lambda x: np.maximum(x, 0), lambda x, g: _kink(x, g, 0.5),
        lambda x, g: _kink(x, g, 2.5), (_ZEROS,), kind="kink"),
    Bug("nan", np.abs, lambda x, g: (g * np.sign(x),), lambda x, g: (g * x / np.abs(x),),
        (_ZEROS,), kind="nan"),
    Bug("single", np.sin, lambda x, g: _one(x, g, 1.0), lambda x, g: _one(x, g, 1.3), ((4, 5),)),
    Bug("unknown", lambda x: np.exp(x), lambda x, g: (g * np.exp(x),),
        lambda x, g: (g * np.cosh(x),), ((40,),)),
]
