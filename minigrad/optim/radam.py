"""RAdam, Adam with a rectified start."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ._elementwise import first_step, in_blocks, next_step, zeros_of
from .optimizer import (
    Optimizer,
    Update,
    check_at_least_0,
    check_betas,
    check_lr,
    decay_of,
    number,
    refuse,
)

ndarray = np.ndarray


class RAdam(Optimizer):
    """Adam without its adaptive step as long as the mean square rests on too few gradients.

    r_inf = 2 / (1 - b2) - 1;  r = r_inf - 2 t b2^t / (1 - b2^t);  m, v as in Adam;
    if r > 5:  p = p - lr m / (1 - b1^t) * c * sqrt(1 - b2^t) / (sqrt(v) + eps)  with
    c^2 = (r - 4)(r - 2) r_inf / ((r_inf - 4)(r_inf - 2) r);  else  p = p - lr m / (1 - b1^t).

    Liu et al., "On the variance of the adaptive learning rate and beyond", 2020. Args: params: see
    `Optimizer`; lr 0.001; betas (0.9, 0.999); eps 1e-8; weight_decay 0; decoupled_weight_decay
    False: as in AdamW; maximize, foreach: see SGD. `capturable` and `differentiable` raise
    RuntimeError. ValueError for options out of range.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(1))
    >>> p.grad = torch.tensor([0.5])
    >>> torch.optim.RAdam([p], lr=0.1).step()  # as SGD, at first
    >>> p.data
    tensor([0.9500])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.001,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, decoupled_weight_decay: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False) -> None:
        check_lr(lr)
        check_at_least_0(epsilon=eps, weight_decay=weight_decay)
        check_betas(betas)
        refuse("RAdam", capturable=capturable, differentiable=differentiable)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable})

    def _prepare(self, group: dict[str, Any]) -> Update:
        lr, eps = number(group["lr"]), group["eps"]
        b1, b2 = group["betas"]
        shrink, penalty = decay_of(group, lr)
        sign = -1 if group["maximize"] else 1

        def update(param: Tensor, grad: ndarray) -> None:
            state = self.state[param]
            if not state:
                state.update(step=first_step(), exp_avg=zeros_of(param),
                             exp_avg_sq=zeros_of(param))
            t = next_step(state)
            constants = (b1, b2, eps, lr / (1 - b1**t), _rectified(b2, t), shrink, penalty, sign)
            in_blocks(_radam, constants, param._data, grad, state["exp_avg"]._data,
                      state["exp_avg_sq"]._data)

        return update


def _rectified(b2: float, t: float) -> float:
    """Return c * sqrt(1 - b2^t), or 0 while the step is not adaptive."""
    bias = 1 - b2**t
    last = 2 / (1 - b2) - 1
    now = last - 2 * t * b2**t / bias
    if now <= 5:
        return 0.0
    return math.sqrt((now - 4) * (now - 2) * last / ((last - 4) * (last - 2) * now) * bias)


def _radam(b1: float, b2: float, eps: float, length: float, rectified: float, shrink: float,
           penalty: float, sign: int, p: ndarray, g: ndarray, m: ndarray, v: ndarray) -> None:
    if sign < 0:
        g = -g
    if shrink != 1:
        p *= shrink
    if penalty:
        g = g + p * penalty
    scratch = np.multiply(g, 1 - b1, out=np.empty_like(p))
    m *= b1
    m += scratch
    v *= b2
    np.multiply(g, g, out=scratch)
    scratch *= 1 - b2
    v += scratch
    if rectified:
        np.sqrt(v, out=scratch)
        scratch += eps
        np.divide(m, scratch, out=scratch)
        scratch *= length * rectified
    else:
        np.multiply(m, length, out=scratch)
    p -= scratch
