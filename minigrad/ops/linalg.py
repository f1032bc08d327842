"""Matrix products and what is built from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import broadcast_error
from ..engine import op
from .shape import transpose

ndarray = np.ndarray


def _mT(x: Any) -> Any:
    return transpose(x, -2, -1)


@op(input=lambda g, other: matmul(g, _mT(other)) if g.ndim > 1 else None,
    other=lambda g, input: matmul(_mT(input), g), shown="MmBackward0", explain=broadcast_error)
def matmul(input: Any, other: Any) -> Any:
    """Return the matrix product of the last two dimensions; leading ones broadcast."""
    return np.matmul(input, other)
