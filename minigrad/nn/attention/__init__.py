"""Which implementation computes `scaled_dot_product_attention`, and causal masks (`bias`).

minigrad has one implementation, on the CPU: `SDPBackend.MATH`. The names of PyTorch's others exist,
so that programs can name them; asking for them alone is an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import IntEnum

from . import bias

__all__ = ["SDPBackend", "bias", "sdpa_kernel"]


class SDPBackend(IntEnum):
    """PyTorch's implementations of attention; minigrad has MATH.

    >>> from minigrad.nn.attention import SDPBackend
    >>> SDPBackend.MATH.name
    'MATH'
    """

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends: list[SDPBackend] | SDPBackend,
                set_priority: bool = False) -> Iterator[dict[str, object]]:
    """Compute attention with one of the given implementations inside the block.

    backends: one SDPBackend or a list of them (else AssertionError); MATH must be among them, for
    there is no other one here: RuntimeError. set_priority: prefer the first of the list that
    exists, which is MATH in any order.

    >>> import minigrad as torch
    >>> from minigrad.nn.attention import SDPBackend, sdpa_kernel
    >>> x = torch.eye(2)
    >>> with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
    ...     torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    if not isinstance(backends, (list, SDPBackend)):
        raise AssertionError(f"Backend must be an instance of SDPBackend or a list of SDPBackend "
                             f"instances, got {type(backends).__name__}")
    asked = backends if isinstance(backends, list) else [backends]
    if SDPBackend.MATH not in asked:
        names = ", ".join(getattr(b, "name", repr(b)) for b in asked) or "an empty list"
        raise RuntimeError(f"sdpa_kernel: No viable backend for scaled_dot_product_attention: "
                           f"{names}. minigrad computes it with NumPy, which is SDPBackend.MATH: "
                           f"add that to the list")
    yield {}
