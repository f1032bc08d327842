"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from ..tensor import Tensor
from ._elementwise import Elementwise, constant
from .optimizer import (
    Optimizer,
    check_at_least_0,
    check_betas,
    check_lr,
    decay_of,
    number,
    refuse,
)

ndarray = np.ndarray


class Adam(Optimizer):
    """Step by the running mean of the gradient over the root of that of its square.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
    p = p - lr * m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps).

    Kingma & Ba, "Adam: a method for stochastic optimization", 2015; `amsgrad` (v never falls):
    Reddi et al., "On the convergence of Adam and beyond", 2018.
    Args: params: see `Optimizer`; lr 0.001; betas (0.9, 0.999); eps 1e-8; weight_decay 0, added to
    the gradient unless `decoupled_weight_decay` (then it is AdamW); amsgrad False; maximize: go
    uphill; foreach: accepted, means the same here. `capturable`, `differentiable` and `fused`
    raise RuntimeError. ValueError for options out of range.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> p.grad = torch.tensor([0.5, -0.1])
    >>> torch.optim.Adam([p], lr=0.1).step()  # the first step is lr long, whatever the gradient
    >>> p.data
    tensor([0.9000, 2.1000])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.001,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None, decoupled_weight_decay: bool = False) -> None:
        check_lr(lr)
        if not eps >= 0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        check_at_least_0(weight_decay=weight_decay)
        refuse(type(self).__name__, capturable=capturable, differentiable=differentiable,
               fused=fused)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay})

    def _prepare(self, group: dict[str, Any]) -> Elementwise:
        lr, eps = number(group["lr"]), group["eps"]
        b1, b2 = map(number, group["betas"])
        shrink, penalty = decay_of(group, lr)
        sign = -1 if group["maximize"] else 1

        names = ["exp_avg", "exp_avg_sq"]
        if group["amsgrad"]:
            names.append("max_exp_avg_sq")

        def constants(t: float) -> tuple[Any, ...]:
            root = math.sqrt(1 - b2**t)  # folded into eps and the length: saves a pass
            return b1, b2, eps * root, lr / (1 - b1**t) * root

        if shrink == 1 and not penalty and sign > 0:
            return Elementwise(_adam, constants, names, change=_change)
        return Elementwise(partial(_adam_with, shrink, penalty, sign), constants, names)


def _adam(b1: float, b2: float, eps: float, length: float, p: ndarray, g: ndarray,
          *state: ndarray) -> None:
    change = np.empty_like(p)
    _change(b1, b2, eps, length, change, g, *state)
    np.subtract(p, change, p)


def _adam_with(shrink: float, penalty: float, sign: int, b1: float, b2: float, eps: float,
               length: float, p: ndarray, g: ndarray, *state: ndarray) -> None:
    if sign < 0:
        g = -g
    if shrink != 1:
        p *= shrink
    if penalty:
        g = g + p * penalty
    _adam(b1, b2, eps, length, p, g, *state)


def _change(b1: float, b2: float, eps: float, length: float, out: ndarray, g: ndarray, m: ndarray,
            v: ndarray, largest: ndarray | None = None) -> None:
    """Write what a step takes off the parameter to `out`."""
    kind = out.dtype  # numbers as arrays: NumPy converts them more slowly
    np.multiply(m, constant(b1, kind), m)
    np.multiply(g, constant(1 - b1, kind), out)
    np.add(m, out, m)
    np.multiply(v, constant(b2, kind), v)
    np.multiply(g, g, out)
    np.multiply(out, constant(1 - b2, kind), out)
    np.add(v, out, v)
    if largest is not None:
        v = np.maximum(largest, v, out=largest)
    np.sqrt(v, out)
    np.add(out, np.array(eps, kind), out)
    np.divide(m, out, out)
    np.multiply(out, np.array(length, kind), out)


class AdamW(Adam):
    """Adam with decoupled weight decay: p = p * (1 - lr * weight_decay) before the step.

    Loshchilov & Hutter, "Decoupled weight decay regularization", 2019. The arguments are Adam's,
    with weight_decay 0.01; unlike there, the decay does not pass through the moments.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(1))
    >>> p.grad = torch.zeros(1)
    >>> torch.optim.AdamW([p], lr=0.1, weight_decay=0.5).step()
    >>> p.data
    tensor([0.9500])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.001,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.01, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, capturable: bool = False,
                 differentiable: bool = False, fused: bool | None = None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach,
                         maximize=maximize, capturable=capturable, differentiable=differentiable,
                         fused=fused, decoupled_weight_decay=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
