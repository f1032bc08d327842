"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ._elementwise import first_step, in_blocks, next_step, zeros_of
from .optimizer import Optimizer, Update, check_at_least_0, check_lr, number, refuse

ndarray = np.ndarray


class Adadelta(Optimizer):
    """Divide the gradient by a running root mean square; multiply by that of past updates.

    s = rho s + (1 - rho) g^2;  d = sqrt(u + eps) / sqrt(s + eps) * g;
    u = rho u + (1 - rho) d^2;  p = p - lr d.

    Zeiler, "Adadelta: an adaptive learning rate method", 2012. Args: params: see `Optimizer`;
    lr 1; rho 0.9; eps 1e-6; weight_decay 0, added to the gradient; maximize, foreach: see SGD.
    `capturable` and `differentiable` raise RuntimeError. ValueError for options out of range.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(1))
    >>> p.grad = torch.tensor([0.5])
    >>> torch.optim.Adadelta([p]).step()
    >>> p.data
    tensor([0.9968])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 1.0, rho: float = 0.9,
                 eps: float = 1e-6, weight_decay: float = 0, foreach: bool | None = None, *,
                 capturable: bool = False, maximize: bool = False,
                 differentiable: bool = False) -> None:
        check_lr(lr)
        if not 0 <= rho <= 1:
            raise ValueError(f"Invalid rho value: {rho}")
        check_at_least_0(epsilon=eps, weight_decay=weight_decay)
        refuse("Adadelta", capturable=capturable, differentiable=differentiable)
        super().__init__(params, {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable})

    def _prepare(self, group: dict[str, Any]) -> Update:
        constants = (number(group["lr"]), group["rho"], group["eps"], group["weight_decay"],
                     -1 if group["maximize"] else 1)

        def update(param: Tensor, grad: ndarray) -> None:
            state = self.state[param]
            if not state:
                state.update(step=first_step(), square_avg=zeros_of(param),
                             acc_delta=zeros_of(param))
            next_step(state)
            in_blocks(_adadelta, constants, param._data, grad, state["square_avg"]._data,
                      state["acc_delta"]._data)

        return update


def _adadelta(lr: float, rho: float, eps: float, decay: float, sign: int, p: ndarray, g: ndarray,
              square: ndarray, past: ndarray) -> None:
    if sign < 0:
        g = -g
    if decay:
        g = g + p * decay
    scratch = np.multiply(g, g, out=np.empty_like(p))
    square *= rho
    scratch *= 1 - rho
    square += scratch
    delta = np.add(past, eps, out=np.empty_like(p))
    np.sqrt(delta, out=delta)
    np.add(square, eps, out=scratch)
    np.sqrt(scratch, out=scratch)
    delta /= scratch
    delta *= g
    past *= rho
    np.multiply(delta, delta, out=scratch)
    scratch *= 1 - rho
    past += scratch
    delta *= lr
    p -= delta
