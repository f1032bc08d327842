"""All parameters as one vector."""

from __future__ import annotations

from collections.abc import Iterable

from ...ops.join import cat
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all elements of the parameters in one vector (a copy that gradients flow through).

    >>> import minigrad as torch
    >>> torch.nn.utils.parameters_to_vector(torch.nn.Linear(3, 2).parameters()).shape
    torch.Size([8])
    """
    return cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let the parameters show consecutive parts of a vector (they share its memory).

    TypeError if `vec` is not a tensor, RuntimeError if it has too few elements.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    start = 0
    for parameter in parameters:
        count = parameter.numel()
        if start + count > vec.numel():
            raise RuntimeError(f"vec: the parameters have more elements than its {vec.numel()}")
        parameter.data = vec[start:start + count].view(parameter.shape).data
        start += count
