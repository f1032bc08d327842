"""Tables of vectors."""

from __future__ import annotations

from typing import Any

from ..._random import Generator
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from ._make import initialise, made
from .module import Module

__all__ = ["Embedding"]


class Embedding(Module):
    """Look vectors up by their number.

    Args: num_embeddings: rows of the table; embedding_dim; padding_idx: a row that is zero at first
    and gets no gradient; max_norm: rows that are looked up are scaled down, in place, to this norm
    (of the order norm_type 2); scale_grad_by_freq: divide gradients by how often a row was used;
    _weight: the table; _freeze: do not train it; device, dtype, generator: see Linear. `sparse`
    True raises RuntimeError: gradients are dense. First values: N(0, 1). AssertionError for a
    padding_idx or _weight that does not fit.
    Shape: integers of any shape (*) -> (*, embedding_dim).

    >>> import minigrad as torch
    >>> torch.nn.Embedding(10, 3)(torch.tensor([[1, 2, 4, 5]])).shape
    torch.Size([1, 4, 3])
    """

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool
    weight: Parameter

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, sparse: bool = False,
                 _weight: Tensor | None = None, _freeze: bool = False, device: Any = None,
                 dtype: Any = None, *, generator: Generator | None = None) -> None:
        super().__init__()
        if sparse:
            raise RuntimeError("Embedding: sparse=True is not supported, gradients are dense; "
                               "leave it out")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError(f"padding_idx ({padding_idx}) must be within num_embeddings "
                                     f"({num_embeddings})")
            padding_idx %= num_embeddings
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            self.weight = made(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.weight.requires_grad_(not _freeze)
            initialise(self.reset_parameters, generator)
            return
        if list(_weight.shape) != [num_embeddings, embedding_dim]:
            raise AssertionError(f"shape of _weight {list(_weight.shape)} does not match "
                                 f"num_embeddings and embedding_dim "
                                 f"{[num_embeddings, embedding_dim]}")
        self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draw new values from N(0, 1); the padding row becomes zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight.data[self.padding_idx])

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows of the table that the input names."""
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
                           self.scale_grad_by_freq)

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return text

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True,
                        padding_idx: int | None = None, max_norm: float | None = None,
                        norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                        sparse: bool = False) -> Embedding:
        """Return an Embedding whose table is a given 2-D tensor (AssertionError if it is not).

        Args: freeze True: do not train it; the others as of the class.
        """
        if embeddings.ndim != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional, got "
                                 f"{embeddings.ndim}")
        rows, width = embeddings.shape
        return cls(rows, width, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
                   _weight=embeddings, _freeze=freeze)
