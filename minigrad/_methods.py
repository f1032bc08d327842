"""The methods of Tensor that forward to an op: one line each, grouped by the ops' families.

`name = family.op` makes the op a method; `name_ = _inplace(family.op)` its in-place form. What
takes sizes as `f(2, 3)` or `f((2, 3))` is a short method of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from . import _dtype
from ._check import sizes
from .ops import elementwise, reduce, shape
from .views import inplace


def _inplace(function: Any) -> Callable[..., Any]:
    """Return the in-place form of an op: it writes into the tensor and returns it."""

    def method(self: Any, *args: Any, **given: Any) -> Any:
        return inplace(function, (self, *args), given)

    update_wrapper(method, function)
    method.__name__ = method.__qualname__ = function.op.name + "_"
    method.__doc__ = f"In-place form of `{function.op.name}`.\n\n{function.__doc__}"
    return method


class Methods:
    """Base of Tensor: see the module's docstring."""

    # ---- shape
    transpose = shape.transpose

    def view(self, *size: Any) -> Any:
        """Return the same memory under another shape."""
        return shape.view(self, sizes(size))

    def expand(self, *size: Any) -> Any:
        """Return a view in which dimensions of size 1 are repeated."""
        return shape.expand(self, sizes(size))

    def sum_to_size(self, *size: Any) -> Any:
        """Sum over the dimensions that broadcasting from `size` to this shape would add."""
        size = sizes(size)
        extra = self.dim() - len(size)
        axes = [i for i, s in enumerate(self.shape) if i < extra or size[i - extra] != s]
        return shape.view(reduce.sum(self, axes), size) if axes else shape.view(self, size)

    def dim(self) -> int:
        """Return the number of dimensions."""
        return self._data.ndim  # type: ignore[attr-defined]

    def to(self, dtype: Any) -> Any:
        """Return the tensor in another dtype."""
        return elementwise.cast(self, _dtype.to_dtype(dtype).numpy)

    def unbind(self, dim: int = 0) -> Any:
        return [self[i] for i in range(self.shape[dim])]  # type: ignore[attr-defined,index]
