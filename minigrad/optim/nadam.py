"""NAdam, Adam with Nesterov's momentum."""

from __future__ import annotations

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


class NAdam(Optimizer):
    """Adam that looks one step of the momentum ahead, with a momentum that grows.

    mu_t = b1 (1 - 0.96^(t momentum_decay) / 2);  m, v as in Adam;  d = sqrt(v / (1 - b2^t)) + eps;
    p = p - lr ((1 - mu_t) / (1 - mu_1 ... mu_t) g + mu_t+1 / (1 - mu_1 ... mu_t+1) m) / d.

    Dozat, "Incorporating Nesterov momentum into Adam", 2016. Args: params: see `Optimizer`;
    lr 0.002; betas (0.9, 0.999); eps 1e-8; weight_decay 0; momentum_decay 0.004;
    decoupled_weight_decay False: as in AdamW; maximize, foreach: see SGD. `capturable` and
    `differentiable` raise RuntimeError. ValueError for options out of range.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(1))
    >>> p.grad = torch.tensor([0.5])
    >>> torch.optim.NAdam([p], lr=0.1).step()
    >>> p.data
    tensor([0.8944])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.002,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, momentum_decay: float = 0.004,
                 decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False) -> None:
        check_lr(lr)
        check_at_least_0(epsilon=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        check_betas(betas)
        refuse("NAdam", capturable=capturable, differentiable=differentiable)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable})

    def _prepare(self, group: dict[str, Any]) -> Update:
        lr, eps, slow = number(group["lr"]), group["eps"], group["momentum_decay"]
        b1, b2 = group["betas"]
        shrink, penalty = decay_of(group, lr)
        sign = -1 if group["maximize"] else 1

        def update(param: Tensor, grad: ndarray) -> None:
            state = self.state[param]
            if not state:
                product = first_step()
                product._data.fill(1)
                state.update(step=first_step(), mu_product=product, exp_avg=zeros_of(param),
                             exp_avg_sq=zeros_of(param))
            t = next_step(state)
            mu, ahead = (b1 * (1 - 0.5 * 0.96 ** (k * slow)) for k in (t, t + 1))
            product = state["mu_product"]._data
            product *= mu
            constants = (b1, b2, eps, 1 - b2**t, lr * (1 - mu) / (1 - product.item()),
                         lr * ahead / (1 - product.item() * ahead), shrink, penalty, sign)
            in_blocks(_nadam, constants, param._data, grad, state["exp_avg"]._data,
                      state["exp_avg_sq"]._data)

        return update


def _nadam(b1: float, b2: float, eps: float, bias: float, by_grad: float, by_mean: float,
           shrink: float, penalty: float, sign: int, p: ndarray, g: ndarray, m: ndarray,
           v: ndarray) -> None:
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
    step = np.multiply(g, by_grad, out=np.empty_like(p))
    step += np.multiply(m, by_mean, out=scratch)
    np.divide(v, bias, out=scratch)
    np.sqrt(scratch, out=scratch)
    scratch += eps
    step /= scratch
    p -= step
