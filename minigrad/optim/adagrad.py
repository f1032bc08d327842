"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ._elementwise import Elementwise, first_step, zeros_of
from .optimizer import Optimizer, check_at_least_0, check_lr, number, refuse

ndarray = np.ndarray


class Adagrad(Optimizer):
    """Divide the gradient by the root of the sum of all its squares so far.

    s = s + g^2;  p = p - lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps).

    Duchi et al., "Adaptive subgradient methods", 2011. Args: params: see `Optimizer`; lr 0.01;
    lr_decay 0; weight_decay 0; initial_accumulator_value 0, what s starts from; eps 1e-10;
    maximize, foreach: see SGD. `differentiable` and `fused` raise RuntimeError. ValueError for
    options below 0.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(1))
    >>> p.grad = torch.tensor([0.5])
    >>> torch.optim.Adagrad([p], lr=0.1).step()
    >>> p.data
    tensor([0.9000])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.01, lr_decay: float = 0,
                 weight_decay: float = 0, initial_accumulator_value: float = 0,
                 eps: float = 1e-10, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, fused: bool | None = None) -> None:
        check_lr(lr)
        check_at_least_0(lr_decay=lr_decay, weight_decay=weight_decay, epsilon=eps,
                         initial_accumulator_value=initial_accumulator_value)
        refuse("Adagrad", differentiable=differentiable, fused=fused)
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; their sums of squares start from `initial_accumulator_value`."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for param in group["params"]:
            total = zeros_of(param)
            total._data.fill(group["initial_accumulator_value"])
            self.state[param].update(step=first_step(), sum=total)

    def _prepare(self, group: dict[str, Any]) -> Elementwise:
        lr, fall = number(group["lr"]), group["lr_decay"]
        decay, eps = group["weight_decay"], group["eps"]
        sign = -1 if group["maximize"] else 1

        return Elementwise(
            _adagrad, lambda t: (lr / (1 + (t - 1) * fall), eps, decay, sign), ["sum"])


def _adagrad(lr: float, eps: float, decay: float, sign: int, p: ndarray, g: ndarray,
             total: ndarray) -> None:
    if sign < 0:
        g = -g
    if decay:
        g = g + p * decay
    scratch = np.multiply(g, g, out=np.empty_like(p))
    total += scratch
    np.sqrt(total, out=scratch)
    scratch += eps
    np.divide(g, scratch, out=scratch)
    scratch *= lr
    p -= scratch
