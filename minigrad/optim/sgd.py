"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from ..engine import Leaf
from ..tensor import Tensor
from ..versions import storage_of
from ._elementwise import BLOCK, Elementwise, constant, do_jobs
from .optimizer import Optimizer, check_at_least_0, check_lr, number, refuse

ndarray = np.ndarray
float32 = np.dtype(np.float32)


class SGD(Optimizer):
    """Step along the negative gradient, with momentum if wanted.

    g = grad + weight_decay * p;  v = momentum * v + (1 - dampening) * g  (v = g at first);
    p = p - lr * v,  or, with `nesterov`, p - lr * (g + momentum * v).

    Polyak 1964; Sutskever et al., "On the importance of initialization and momentum", 2013.
    Args: params: see `Optimizer`; lr 0.001; momentum 0; dampening 0; weight_decay 0 (an L2
    penalty); nesterov False (needs momentum and no dampening, ValueError); maximize: go uphill;
    foreach: accepted, means the same here. `differentiable` and `fused` raise RuntimeError.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> p.grad = torch.tensor([0.5, -0.5])
    >>> torch.optim.SGD([p], lr=0.1).step()
    >>> p.data
    tensor([0.9500, 2.0500])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.001, momentum: float = 0,
                 dampening: float = 0, weight_decay: float = 0, nesterov: bool = False, *,
                 maximize: bool = False, foreach: bool | None = None,
                 differentiable: bool = False, fused: bool | None = None) -> None:
        check_lr(lr)
        check_at_least_0(momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        refuse("SGD", differentiable=differentiable, fused=fused)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
            "differentiable": differentiable, "fused": fused})

    def _prepare(self, group: dict[str, Any]) -> Elementwise:
        lr, momentum = number(group["lr"]), number(group["momentum"])
        decay = number(group["weight_decay"])
        sign = -1 if group["maximize"] else 1
        if momentum:
            damped, nesterov = 1 - group["dampening"], group["nesterov"]
            # the first step is not dampened
            constants = lambda t: (lr, sign, momentum, 1 if t == 1 else damped, nesterov)
            kernel, change = partial(_descend_with_momentum, decay), None if decay else _change
            return Elementwise(kernel, constants, ["momentum_buffer"], False, change)

        return Plain(lr * sign, lr * decay)


class Plain(Elementwise):
    """SGD without momentum: two calls of NumPy for each parameter, fewer than gathering needs."""

    __slots__ = ("rate", "shrink")

    def __init__(self, rate: float, shrink: float) -> None:
        self.rate, self.shrink = rate, shrink

    def run(self, optimizer: Any, number: int, params: list[Tensor], by: str, where: Any) -> None:
        """Update the parameters that have a gradient."""
        shrink, jobs = self.shrink, []
        kind = float32
        rate = constant(self.rate, kind)
        for param in params:
            node = param._node
            grad = node.grad if type(node) is Leaf else param.grad
            if grad is None:
                continue
            p, g = param._data, grad._data
            if g.dtype is not kind:
                kind = g.dtype
                rate = constant(self.rate, kind)
            if p.size > BLOCK:
                jobs.append(((rate, shrink), [p, g]))
            elif shrink:
                _descend(rate, shrink, p, g)
            else:
                p -= g * rate
            (param._storage or storage_of(param)).wrote(by, where)
        if jobs:
            do_jobs(_descend, jobs)


def _descend(rate: ndarray, decay: float, p: ndarray, g: ndarray) -> None:
    step = g * rate
    if decay:
        step += p * decay
    p -= step


def _descend_with_momentum(decay: float, lr: float, sign: int, momentum: float, share: float,
                           nesterov: bool, p: ndarray, g: ndarray, v: ndarray) -> None:
    if decay:
        g = g + p * (sign * decay)
    step = np.empty_like(p)
    _change(lr, sign, momentum, share, nesterov, step, g, v)
    p -= step


def _change(lr: float, sign: int, momentum: float, share: float, nesterov: bool, out: ndarray,
            g: ndarray, v: ndarray) -> None:
    """Write what a step takes off the parameter to `out`."""
    kind = out.dtype
    if sign < 0:
        g = -g
    v *= constant(momentum, kind)
    v += g if share == 1 else g * share
    if nesterov:
        np.multiply(v, constant(momentum, kind), out)
        out += g
        out *= np.array(lr, kind)
    else:
        np.multiply(v, np.array(lr, kind), out)
