"""Gated linear units with other gates than GLU's sigmoid."""

from __future__ import annotations

from ...tensor import Tensor
from ..modules.module import Module
from . import functional as X

__all__ = ["GEGLU", "ReGLU", "SwiGLU"]


class ReGLU(Module):
    """Return first half * relu(second half) along `dim`; see SwiGLU.

    >>> import minigrad as torch
    >>> ReGLU()(torch.tensor([2., 3., 1., -4.]))
    tensor([2., 0.])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Return reglu(input)."""
        return X.reglu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class GEGLU(ReGLU):
    """Return first half * gelu(second half) along `dim`; see SwiGLU.

    Args: dim -1; approximate 'none' or 'tanh', as in GELU.

    >>> import minigrad as torch
    >>> GEGLU()(torch.tensor([2., 1.]))
    tensor([1.6827])
    """

    def __init__(self, dim: int = -1, approximate: str = "none") -> None:
        super().__init__(dim)
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Return geglu(input)."""
        return X.geglu(input, self.dim, self.approximate)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, approximate={self.approximate!r}"


class SwiGLU(ReGLU):
    """Return first half * silu(second half) along `dim`.

    Shazeer, "GLU variants improve Transformer", 2020. The feed-forward of most language models is
    Sequential(Linear(d, 2 h), SwiGLU(), Linear(h, d)), h = 8 d / 3 for as many parameters as an
    ordinary one with 4 d. As in torch's GLU the second half is the gate.

    Args: dim -1. Shape: the size of `dim`, even (RuntimeError), is halved.

    >>> import minigrad as torch
    >>> SwiGLU()(torch.tensor([2., 1.]))
    tensor([1.4621])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return swiglu(input)."""
        return X.swiglu(input, self.dim)
