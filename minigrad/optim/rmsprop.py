"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ._elementwise import Elementwise
from .optimizer import Optimizer, check_at_least_0, check_lr, number, refuse

ndarray = np.ndarray


class RMSprop(Optimizer):
    """Divide the gradient by the root of a running mean of its square.

    s = alpha s + (1 - alpha) g^2;  with `centered`, s - mean(g)^2 in its place below;
    d = g / (sqrt(s) + eps);  p = p - lr * d,  or, with momentum, b = momentum b + d; p - lr * b.

    Hinton, Coursera lecture 6e, 2012; centered: Graves, "Generating sequences with recurrent
    neural networks", 2013. Args: params: see `Optimizer`; lr 0.01; alpha 0.99; eps 1e-8 (added
    outside of the root); weight_decay 0; momentum 0; centered False; maximize, foreach: see SGD.
    `capturable` and `differentiable` raise RuntimeError. ValueError for options below 0.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(1))
    >>> p.grad = torch.tensor([0.5])
    >>> torch.optim.RMSprop([p], lr=0.01).step()
    >>> p.data
    tensor([0.9000])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.01, alpha: float = 0.99,
                 eps: float = 1e-8, weight_decay: float = 0, momentum: float = 0,
                 centered: bool = False, capturable: bool = False, foreach: bool | None = None,
                 maximize: bool = False, differentiable: bool = False) -> None:
        check_lr(lr)
        if not eps >= 0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_at_least_0(momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        refuse("RMSprop", capturable=capturable, differentiable=differentiable)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable})

    def _prepare(self, group: dict[str, Any]) -> Elementwise:
        sign = -1 if group["maximize"] else 1
        constants = (number(group["lr"]), group["alpha"], group["eps"], group["weight_decay"],
                     group["momentum"], group["centered"], sign)
        names = ["square_avg"]
        if group["momentum"] > 0:
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")

        return Elementwise(_rmsprop, lambda t: constants, names)


def _rmsprop(lr: float, alpha: float, eps: float, decay: float, momentum: float, centered: bool,
             sign: int, p: ndarray, g: ndarray, square: ndarray, *more: ndarray) -> None:
    if sign < 0:
        g = -g
    if decay:
        g = g + p * decay
    scratch = np.empty_like(p)
    square *= alpha
    np.multiply(g, g, out=scratch)
    scratch *= 1 - alpha
    square += scratch
    if centered:
        mean = more[-1]
        mean *= alpha
        mean += np.multiply(g, 1 - alpha, out=scratch)
        np.multiply(mean, mean, out=scratch)
        np.subtract(square, scratch, out=scratch)
        np.sqrt(scratch, out=scratch)
    else:
        np.sqrt(square, out=scratch)
    scratch += eps
    np.divide(g, scratch, out=scratch)
    if momentum > 0:
        more[0][...] *= momentum
        more[0][...] += scratch
        np.multiply(more[0], lr, out=scratch)
    else:
        scratch *= lr
    p -= scratch
