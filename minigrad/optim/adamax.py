"""Adamax, Adam with the largest gradient in the place of the mean square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ._elementwise import first_step, in_blocks, next_step, zeros_of
from .optimizer import Optimizer, Update, check_at_least_0, check_betas, check_lr, number, refuse

ndarray = np.ndarray


class Adamax(Optimizer):
    """Step by the running mean of the gradient over a fading maximum of its size.

    m = b1 m + (1 - b1) g;  u = max(b2 u, |g| + eps);  p = p - lr / (1 - b1^t) * m / u.

    Kingma & Ba, "Adam: a method for stochastic optimization", 2015, section 7. Args: params: see
    `Optimizer`; lr 0.002; betas (0.9, 0.999); eps 1e-8; weight_decay 0, added to the gradient;
    maximize, foreach: see SGD. `capturable` and `differentiable` raise RuntimeError. ValueError
    for options out of range.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(1))
    >>> p.grad = torch.tensor([0.5])
    >>> torch.optim.Adamax([p], lr=0.1).step()
    >>> p.data
    tensor([0.9000])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.002,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False) -> None:
        check_lr(lr)
        check_at_least_0(epsilon=eps, weight_decay=weight_decay)
        check_betas(betas)
        refuse("Adamax", capturable=capturable, differentiable=differentiable)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def _prepare(self, group: dict[str, Any]) -> Update:
        lr, eps, decay = number(group["lr"]), group["eps"], group["weight_decay"]
        b1, b2 = group["betas"]
        sign = -1 if group["maximize"] else 1

        def update(param: Tensor, grad: ndarray) -> None:
            state = self.state[param]
            if not state:
                state.update(step=first_step(), exp_avg=zeros_of(param), exp_inf=zeros_of(param))
            t = next_step(state)
            in_blocks(_adamax, (b1, b2, eps, lr / (1 - b1**t), decay, sign), param._data, grad,
                      state["exp_avg"]._data, state["exp_inf"]._data)

        return update


def _adamax(b1: float, b2: float, eps: float, length: float, decay: float, sign: int, p: ndarray,
            g: ndarray, m: ndarray, largest: ndarray) -> None:
    if sign < 0:
        g = -g
    if decay:
        g = g + p * decay
    m *= b1
    scratch = np.multiply(g, 1 - b1, out=np.empty_like(p))
    m += scratch
    np.abs(g, out=scratch)
    scratch += eps
    largest *= b2
    np.maximum(largest, scratch, out=largest)
    np.divide(m, largest, out=scratch)
    scratch *= length
    p -= scratch
