"""Gradients of convolutions by name, for layers with a backward of their own.

They are ordinary differentiable functions: the two linear maps that are the derivatives of
`nn.functional.conv1d`, `conv2d` and `conv3d`.
"""

from __future__ import annotations

from typing import Any

from .._check import ints
from ..ops.conv import transposed, weight_gradient

Ints = tuple[int, ...]


def _arguments(n: int, where: str, stride: Any, padding: Any,
               dilation: Any) -> tuple[Ints, Ints, Ints]:
    return (ints(stride, n, where, "stride"), ints(padding, n, where, "padding"),
            ints(dilation, n, where, "dilation"))


def _check(where: str, n: int, input_size: Any, weight_size: Any, grad: Any, stride: Ints,
           padding: Ints, dilation: Ints, groups: int) -> None:
    """Refuse sizes that no convolution connects."""
    for name, size in (("input", input_size), ("weight", weight_size), ("grad_output", grad.shape)):
        if len(size) != n + 2:
            raise RuntimeError(f"{where}: expected {name} of {n + 2} dimensions, got {tuple(size)}")
    out = tuple((s + 2 * p - d * (k - 1) - 1) // t + 1 for s, p, d, k, t in zip(
        input_size[2:], padding, dilation, weight_size[2:], stride, strict=True))
    expected = (input_size[0], weight_size[0], *out)
    if tuple(grad.shape) != expected or input_size[1] != weight_size[1] * groups:
        raise RuntimeError(
            f"{where}: expected grad_output of shape {expected} for input {tuple(input_size)} and "
            f"weight {tuple(weight_size)} with groups={groups}, got {tuple(grad.shape)}")


def _input(n: int, input_size: Any, weight: Any, grad: Any, stride: Any, padding: Any,
           dilation: Any, groups: int) -> Any:
    where = f"conv{n}d_input"
    if input_size is None:
        raise ValueError(f"{where}: input_size, the shape of the convolution's input, is needed")
    given = _arguments(n, where, stride, padding, dilation)
    _check(where, n, input_size, weight.shape, grad, *given, groups)
    return transposed(grad, weight, None, tuple(input_size[2:]), *given, groups)


def _weight(n: int, input: Any, weight_size: Any, grad: Any, stride: Any, padding: Any,
            dilation: Any, groups: int) -> Any:
    where = f"conv{n}d_weight"
    given = _arguments(n, where, stride, padding, dilation)
    _check(where, n, input.shape, weight_size, grad, *given, groups)
    return weight_gradient(grad, input, tuple(weight_size[2:]), *given, groups)


def conv1d_input(input_size: Any, weight: Any, grad_output: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1) -> Any:
    """Return the gradient of conv1d with respect to its input (N, C, L); see `conv2d_input`."""
    return _input(1, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv2d_input(input_size: Any, weight: Any, grad_output: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1) -> Any:
    """Return the gradient of conv2d with respect to its input, of shape `input_size`.

    `grad_output` is the gradient of conv2d's result; the others are conv2d's own arguments.
    RuntimeError for shapes that do not belong together.

    >>> import minigrad as torch
    >>> x, w = torch.randn(1, 1, 3, 3, requires_grad=True), torch.randn(1, 1, 1, 2)
    >>> y = torch.nn.functional.conv2d(x, w)
    >>> g = torch.randn(y.shape)
    >>> ours = torch.nn.grad.conv2d_input(x.shape, w, g)
    >>> torch.allclose(ours, torch.autograd.grad(y, x, g)[0])
    True
    """
    return _input(2, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv3d_input(input_size: Any, weight: Any, grad_output: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1) -> Any:
    """Return the gradient of conv3d with respect to its input (N, C, D, H, W); see `conv2d_input`.
    """
    return _input(3, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv1d_weight(input: Any, weight_size: Any, grad_output: Any, stride: Any = 1,
                  padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Return the gradient of conv1d with respect to its weight; see `conv2d_weight`."""
    return _weight(1, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv2d_weight(input: Any, weight_size: Any, grad_output: Any, stride: Any = 1,
                  padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Return the gradient of conv2d with respect to its weight, of shape `weight_size`.

    For the arguments see `conv2d_input`.
    """
    return _weight(2, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv3d_weight(input: Any, weight_size: Any, grad_output: Any, stride: Any = 1,
                  padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Return the gradient of conv3d with respect to its weight; see `conv2d_weight`."""
    return _weight(3, input, weight_size, grad_output, stride, padding, dilation, groups)
