"""The bilinear form of two inputs."""

from __future__ import annotations

from typing import Any

from .._check import takes
from .elementwise import add
from .linalg import matmul


@takes("input1", "input2", "weight", "bias")
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """Return y[..., k] = sum over i, j of x1[..., i] * weight[k, i, j] * x2[..., j], plus bias[k].

    Shape: (*, i), (*, j), weight (k, i, j), bias (k) -> (*, k). RuntimeError if sizes do not fit.

    >>> import minigrad as torch
    >>> x1, x2 = torch.tensor([1., 2.]), torch.tensor([3.])
    >>> torch.nn.functional.bilinear(x1, x2, torch.ones(1, 2, 1))
    tensor([9.])
    """
    _check(input1, input2, weight, bias)
    k, i, j = weight.shape
    by_left = weight.permute(1, 0, 2).reshape(i, k * j)
    left = matmul(input1, by_left).reshape(*input1.shape[:-1], k, j)  # (*, k, j)
    y = matmul(left, input2.unsqueeze(-1)).reshape(*input1.shape[:-1], k)
    return y if bias is None else add(y, bias)


def _check(x1: Any, x2: Any, weight: Any, bias: Any) -> None:
    """Refuse shapes that do not fit, naming the argument."""
    shapes = f"input1 {list(x1.shape)}, input2 {list(x2.shape)}, weight {list(weight.shape)}"
    if weight.ndim != 3:
        raise RuntimeError(f"bilinear(): weight must be (out, in1, in2), got {shapes}")
    if x1.shape[:-1] != x2.shape[:-1]:
        raise RuntimeError(f"bilinear(): input batch dimensions do not match: {shapes}")
    for name, x, size in (("input1", x1, weight.shape[1]), ("input2", x2, weight.shape[2])):
        if x.shape[-1] != size:
            raise RuntimeError(f"bilinear(): {name} size does not match weight size: got "
                               f"{x.shape[-1]} but expected {size} ({shapes})")
    if bias is not None and bias.shape[0] != weight.shape[0]:
        raise RuntimeError(f"bilinear(): bias size does not match weight size: got "
                           f"{bias.shape[0]} but expected {weight.shape[0]}")
