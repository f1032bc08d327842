"""Rprop, resilient backpropagation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ._elementwise import first_step, in_blocks, next_step, zeros_of
from .optimizer import Optimizer, Update, check_lr, number, refuse

ndarray = np.ndarray


class Rprop(Optimizer):
    """Step by a length of each element's own, along the sign of the gradient.

    The length is multiplied by etas[1] where the gradient kept its sign, by etas[0] where it
    changed (there is no step then, and the next one changes no length), and kept between
    step_sizes.  p = p - sign(g) * length.

    Riedmiller & Braun, "A direct adaptive method for faster backpropagation learning", 1993. For
    gradients of the whole data set: with small batches signs are noise. Args: params: see
    `Optimizer`; lr 0.01, the first length; etas (0.5, 1.2); step_sizes (1e-6, 50); maximize,
    foreach: see SGD. `capturable` and `differentiable` raise RuntimeError. ValueError for options
    out of range.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.ones(1))
    >>> p.grad = torch.tensor([0.5])
    >>> torch.optim.Rprop([p], lr=0.1).step()
    >>> p.data
    tensor([0.9000])
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 0.01,
                 etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False) -> None:
        check_lr(lr)
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}: the first must be between "
                             f"0 and 1, the second above 1")
        refuse("Rprop", capturable=capturable, differentiable=differentiable)
        super().__init__(params, {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def _prepare(self, group: dict[str, Any]) -> Update:
        lr = number(group["lr"])
        constants = (*group["etas"], *group["step_sizes"], -1 if group["maximize"] else 1)

        def update(param: Tensor, grad: ndarray) -> None:
            state = self.state[param]
            if not state:
                state.update(step=first_step(), prev=zeros_of(param), step_size=zeros_of(param))
                state["step_size"]._data.fill(lr)
            next_step(state)
            in_blocks(_rprop, constants, param._data, grad, state["prev"]._data,
                      state["step_size"]._data)

        return update


def _rprop(fall: float, rise: float, least: float, most: float, sign: int, p: ndarray, g: ndarray,
           before: ndarray, length: ndarray) -> None:
    if sign < 0:
        g = -g
    before *= g
    turned = before < 0
    length[before > 0] *= rise
    length[turned] *= fall
    np.clip(length, least, most, out=length)
    np.copyto(before, g)
    before[turned] = 0
    p -= np.sign(before) * length
