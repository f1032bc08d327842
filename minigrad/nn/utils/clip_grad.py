"""Limiting gradients."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from types import GeneratorType
from typing import Any

import numpy as np

from ..._dtype import dtype_of
from ...engine import wrap
from ...kernels._product import dot
from ...tensor import Tensor
from ...views import wrote

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_",
           "get_total_norm"]


def _grads(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """Return the gradients that there are."""
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in given if p.grad is not None]


def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0,
                   error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """Return the norm of all tensors together, as if they were one vector.

    Args: norm_type: the order, inf included; error_if_nonfinite: RuntimeError for a norm of nan or
    inf; foreach: accepted, means the same here.
    """
    arrays = [t._data for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    if not arrays:
        return wrap(np.zeros((), np.float32), None)
    for a in arrays:
        if a.dtype.kind != "f":
            raise RuntimeError(f"get_total_norm: Expected a floating point tensor as input. Got "
                               f"{dtype_of(a)}; convert it with .float()")
    kind = np.result_type(*arrays)
    order = float(norm_type)
    if order == 2:  # one pass without temporary arrays
        flat = [a.astype(np.float64 if kind.itemsize > 4 else np.float32, copy=False).ravel()
                for a in arrays]
        total: Any = math.sqrt(sum(dot(a, a) for a in flat))
    else:
        norms = [float(np.linalg.norm(a.ravel(), order)) for a in arrays]
        total = float(np.linalg.norm(norms, order))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"The total norm of order {norm_type} for gradients from `parameters` "
                           f"is non-finite, so it cannot be clipped: {total}. Look for the first "
                           f"nan or inf with detect_anomaly(), or pass error_if_nonfinite=False")
    return wrap(np.asarray(total, kind), None)


def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float,
                          total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale gradients, in place, by max_norm / (total_norm + 1e-6) if that is below 1.

    For a norm that was computed before: of other tensors too, or over several models. Args:
    foreach: accepted, means the same here.
    """
    scale = float(max_norm) / (total_norm.item() + 1e-6)
    if scale >= 1:
        return
    for grad in _grads(parameters):
        grad._data[...] *= scale
        wrote(grad, "clip_grad_norm_")


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float,
                    norm_type: float = 2.0, error_if_nonfinite: bool = False,
                    foreach: bool | None = None) -> Tensor:
    """Scale all gradients, in place, so that their norm is at most max_norm; return the old norm.

    Pascanu et al., "On the difficulty of training recurrent neural networks", 2013.
    Args: parameters: a tensor or several; the others: see `get_total_norm`. Warns if a generator
    is empty: it was used up before, by `Adam(net.parameters())`, say.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.zeros(2))
    >>> p.grad = torch.tensor([3., 4.])
    >>> torch.nn.utils.clip_grad_norm_(p, 1.0), p.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not given and isinstance(parameters, GeneratorType):
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.",
                      stacklevel=2)
    total = get_total_norm(_grads(given), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(given, max_norm, total)
    return total


def clip_grad_norm(parameters: Tensor | Iterable[Tensor], max_norm: float,
                   norm_type: float = 2.0, error_if_nonfinite: bool = False,
                   foreach: bool | None = None) -> Tensor:
    """Do what `clip_grad_norm_` does, with a FutureWarning: the old name."""
    warnings.warn("`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
                  "`torch.nn.utils.clip_grad_norm_`.", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float,
                     foreach: bool | None = None) -> None:
    """Clamp every element of the gradients, in place, to [-clip_value, clip_value].

    This changes their direction; `clip_grad_norm_` does not. Args: foreach: accepted, means the
    same here.

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.zeros(2))
    >>> p.grad = torch.tensor([-3., 0.5])
    >>> torch.nn.utils.clip_grad_value_([p], 1.0)
    >>> p.grad
    tensor([-1.0000,  0.5000])
    """
    limit = float(clip_value)
    for grad in _grads(parameters):
        np.clip(grad._data, -limit, limit, out=grad._data)
        wrote(grad, "clip_grad_value_")
