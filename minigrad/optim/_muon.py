"""Muon, momentum with an orthogonal step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor
from ._elementwise import zeros_of
from .optimizer import Optimizer, Update, check_lr, number

ndarray = np.ndarray


class Muon(Optimizer):
    """Step along the momentum, made nearly orthogonal: all of its singular values about 1.

    B = momentum B + (1 - momentum) g;  U = g + momentum (B - g) (B without `nesterov`);
    p = (1 - lr weight_decay) p - lr c O(U),  O by Newton and Schulz: X = U / |U|, then ns_steps
    times X = a X + (b A + c A^2) X with A = X X^T.

    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. For the matrices
    of hidden layers only (ValueError for other shapes): give biases, embeddings and the last layer
    to AdamW. PyTorch iterates in bfloat16, here it is the gradient's dtype. Args: params: see
    `Optimizer`; lr 0.001; weight_decay 0.1; momentum 0.95; nesterov True; ns_coefficients (a, b,
    c); eps 1e-7, the least |U|; ns_steps 5; adjust_lr_fn: 'original' (None): c = sqrt(max(1, rows
    / columns)), 'match_rms_adamw': c = 0.2 sqrt(max(rows, columns)). ValueError for others.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.zeros(2, 2))
    >>> p.grad = torch.tensor([[3., 0.], [0., 3.]])
    >>> torch.optim.Muon([p], lr=1.).step()
    >>> bool(p[0, 0] < -0.6), p[0, 1].item()
    (True, 0.0)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, weight_decay: float = 0.1,
                 momentum: float = 0.95, nesterov: bool = True,
                 ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
                 eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None) -> None:
        if isinstance(lr, Tensor):
            check_lr(lr)
        for name, value in (("Learning rate", number(lr)), ("momentum", momentum),
                            ("weight decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported; use "
                             f"'original' or 'match_rms_adamw'")
        super().__init__(params, {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn})
        for group in self.param_groups:
            for param in group["params"]:
                if param.ndim != 2:
                    raise ValueError(f"Muon only supports 2D parameters whereas we found a "
                                     f"parameter with size: {param.shape}; give it to AdamW")

    def _prepare(self, group: dict[str, Any]) -> Update:
        lr, momentum = number(group["lr"]), group["momentum"]
        if group["ns_steps"] >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(group["ns_coefficients"]) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")

        def update(param: Tensor, grad: ndarray) -> None:
            if grad.ndim != 2:
                raise ValueError("Param gradient must be a 2D matrix")
            state = self.state[param]
            if not state:
                state["momentum_buffer"] = zeros_of(param)
            mean = state["momentum_buffer"]._data
            mean += (grad - mean) * (1 - momentum)
            step = grad + (mean - grad) * momentum if group["nesterov"] else mean
            step = _orthogonal(step, group["ns_coefficients"], group["ns_steps"], group["eps"])
            length = lr * _ratio(param._data.shape, group["adjust_lr_fn"])
            param._data[...] *= 1 - lr * group["weight_decay"]
            param._data[...] -= step * length

        return update


def _ratio(shape: tuple[int, ...], name: str | None) -> float:
    """Return the factor of lr for a matrix of some shape."""
    rows, columns = shape
    if name == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


def _orthogonal(x: ndarray, coefficients: Sequence[float], steps: int, eps: float) -> ndarray:
    """Return a matrix with the singular vectors of x and singular values near 1."""
    kind = x.dtype
    tall = x.shape[0] > x.shape[1]
    y = (x.T if tall else x).astype(kind if kind.itemsize > 2 else np.float32)
    y = y / max(float(np.linalg.norm(y)), eps)
    a, b, c = coefficients
    for _ in range(steps):
        gram = y @ y.T
        y = a * y + (b * gram + c * (gram @ gram)) @ y
    return (y.T if tall else y).astype(kind, copy=False)
