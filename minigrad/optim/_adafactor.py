"""Adafactor."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine import wrap
from ..kernels._product import dot
from ..tensor import Tensor
from ._elementwise import first_step, next_step, zeros_of
from .optimizer import Optimizer, Update, check_lr, number

ndarray = np.ndarray


class Adafactor(Optimizer):
    """Adam's scaling with the mean squares of a matrix kept as a row and a column only.

    r_t = t^beta2_decay;  R, C: running means of g^2 over the columns and rows, with weight r_t for
    the new one;  V = R C / mean(R);  u = g / sqrt(V), shortened so that its root mean square is at
    most d;  p = p - max(eps2, rms(p)) min(lr, 1 / sqrt(t)) u.  Vectors keep V itself.

    Shazeer & Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018; as in
    PyTorch without momentum, with min(lr, 1 / sqrt(t)). Args: params: see `Optimizer`; lr 0.01, the
    largest relative step; beta2_decay -0.8; eps (None, 1e-3): eps1^2 is the least V, None the
    smallest step of the dtype; d 1; weight_decay 0, decoupled; maximize, foreach: see SGD.
    ValueError for options out of range.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(2, 2))
    >>> p.grad = torch.full((2, 2), 0.5)
    >>> torch.optim.Adafactor([p], lr=0.1).step()
    >>> p.data[0]
    tensor([0.9000, 0.9000])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.01,
                 beta2_decay: float = -0.8, eps: tuple[float | None, float] = (None, 0.001),
                 d: float = 1.0, weight_decay: float = 0.0, *, foreach: bool | None = None,
                 maximize: bool = False) -> None:
        if isinstance(lr, Tensor):
            check_lr(lr)
        eps1 = 0 if eps[0] is None else eps[0]
        for name, good, rule, value in (
                ("Learning rate", number(lr) >= 0, ">= 0", number(lr)),
                ("beta2_decay", beta2_decay <= 0, "<= 0", beta2_decay),
                ("epsilon1", eps1 >= 0, ">= 0", eps1),
                ("epsilon2", eps[1] >= 0, ">= 0", eps[1]),
                ("Clipping threshold d", d >= 1, ">= 1", d),
                ("weight_decay", weight_decay >= 0, ">= 0", weight_decay)):
            if not good:
                raise ValueError(f"{name} should be {rule} but is: {value}")
        super().__init__(params, {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
            "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize})

    def _prepare(self, group: dict[str, Any]) -> Update:
        lr, decay, d = number(group["lr"]), group["weight_decay"], group["d"]
        given, least = group["eps"]
        sign = -1 if group["maximize"] else 1

        def update(param: Tensor, grad: ndarray) -> None:
            p = param._data
            state = self.state[param]
            if not state:
                state["step"] = first_step()
                if grad.ndim > 1:
                    state["row_var"] = _zeros((*grad.shape[:-1], 1), grad)
                    state["col_var"] = _zeros((*grad.shape[:-2], 1, grad.shape[-1]), grad)
                else:
                    state["variance"] = zeros_of(param)
            t = next_step(state)
            if not p.size:
                return
            eps = float(np.finfo(p.dtype).eps) if given is None else given
            share = t ** group["beta2_decay"]
            length = max(least, _rms(p)) * min(lr, 1 / math.sqrt(t))
            if decay:
                p *= 1 - lr * decay
            step = _mean_squares(state, grad, share, eps)
            np.maximum(step, eps * eps, out=step)
            np.sqrt(step, out=step)
            np.divide(grad, step, out=step)
            step *= sign * length / max(1.0, _rms(step) / d)
            p -= step

        return update


def _zeros(shape: tuple[int, ...], like: ndarray) -> Tensor:
    return wrap(np.zeros(shape, like.dtype), None)


def _rms(x: ndarray) -> float:
    """Return the root of the mean square."""
    flat = x.ravel() if x.itemsize > 2 else x.ravel().astype(np.float32)
    return math.sqrt(dot(flat, flat) / x.size) if x.size else 0.0


def _mean_squares(state: dict[str, Any], g: ndarray, share: float, eps: float) -> ndarray:
    """Update the running means of g^2; return a new array, the estimate of each element's."""
    if g.ndim <= 1:
        v: ndarray = state["variance"]._data
        v += (g * g - v) * share
        return v.copy()
    row, column = state["row_var"]._data, state["col_var"]._data
    square = g * g
    row += (square.mean(-1, keepdims=True) - row) * share
    column += (square.mean(-2, keepdims=True) - column) * share
    scaled = column / np.maximum(row.mean(-2, keepdims=True), eps)
    return np.multiply(row, scaled, out=square)
