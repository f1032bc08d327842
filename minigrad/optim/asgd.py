"""Averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ._elementwise import first_step, in_blocks, next_step, zeros_of
from .optimizer import Optimizer, Update, check_at_least_0, check_lr, number, refuse

ndarray = np.ndarray


class ASGD(Optimizer):
    """Gradient descent with falling steps; `state[p]["ax"]` is the average of the parameters.

    p = (1 - lambd eta) p - eta g;  ax = ax + mu (p - ax);  then
    eta = lr / (1 + lambd lr t)^alpha,  mu = 1 / max(1, t - t0).

    Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", 1992. The average
    is not used for the step: read it after training. It begins after step t0; before, ax is p.
    Args: params: see `Optimizer`; lr 0.01; lambd 1e-4; alpha 0.75; t0 1e6; weight_decay 0;
    maximize, foreach: see SGD. `capturable` and `differentiable` raise RuntimeError. ValueError
    for options below 0.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(1))
    >>> p.grad = torch.tensor([0.5])
    >>> torch.optim.ASGD([p], lr=0.1, lambd=0).step()
    >>> p.data
    tensor([0.9500])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.01, lambd: float = 1e-4,
                 alpha: float = 0.75, t0: float = 1e6, weight_decay: float = 0,
                 foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False) -> None:
        check_lr(lr)
        check_at_least_0(weight_decay=weight_decay)
        refuse("ASGD", capturable=capturable, differentiable=differentiable)
        super().__init__(params, {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable})

    def _prepare(self, group: dict[str, Any]) -> Update:
        lr, lambd, decay = number(group["lr"]), group["lambd"], group["weight_decay"]
        sign = -1 if group["maximize"] else 1

        def update(param: Tensor, grad: ndarray) -> None:
            state = self.state[param]
            if not state:
                state.update(step=first_step(), eta=first_step(), mu=first_step(),
                             ax=zeros_of(param))
                state["eta"]._data.fill(lr)
                state["mu"]._data.fill(1)
            t = next_step(state)
            eta, mu = state["eta"]._data, state["mu"]._data
            in_blocks(_asgd, (eta.item(), mu.item(), lambd, decay, sign), param._data, grad,
                      state["ax"]._data)
            eta.fill(lr / (1 + lambd * lr * t) ** group["alpha"])
            mu.fill(1 / max(1, t - group["t0"]))

        return update


def _asgd(eta: float, mu: float, lambd: float, decay: float, sign: int, p: ndarray, g: ndarray,
          mean: ndarray) -> None:
    if sign < 0:
        g = -g
    if decay:
        g = g + p * decay
    p *= 1 - lambd * eta
    scratch = np.multiply(g, eta, out=np.empty_like(p))
    p -= scratch
    if mu == 1:
        mean[...] = p
    else:
        np.subtract(p, mean, out=scratch)
        scratch *= mu
        mean += scratch
