"""Tables of vectors."""

from __future__ import annotations

from typing import Any

from ..._check import takes
from ..._random import Generator
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from ._make import initialise, made
from .module import Module

__all__ = ["Embedding", "EmbeddingBag"]


def _row(padding_idx: int | None, rows: int) -> int | None:
    """Return the number of the padding row, counted from the front."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise AssertionError(f"padding_idx ({padding_idx}) must be within num_embeddings ({rows})")
    return padding_idx % rows


def _check_table(weight: Tensor, rows: int, width: int) -> None:
    if list(weight.shape) != [rows, width]:
        raise AssertionError(f"shape of _weight {list(weight.shape)} does not match num_embeddings "
                             f"and embedding_dim {[rows, width]}")


def _table_size(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise AssertionError(f"Embeddings parameter is expected to be 2-dimensional, got "
                             f"{embeddings.ndim}")
    rows, width = embeddings.shape
    return rows, width


def _changed(layer: Any, **defaults: Any) -> str:
    """Return the options of a layer that are not their defaults, for its repr."""
    return "".join(f", {name}={getattr(layer, name)}" for name, default in defaults.items()
                   if getattr(layer, name) != default)


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

    @takes()
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
        self.padding_idx = _row(padding_idx, num_embeddings)
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            self.weight = made(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.weight.requires_grad_(not _freeze)
            initialise(self.reset_parameters, generator)
            return
        _check_table(_weight, num_embeddings, embedding_dim)
        self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draw new values from N(0, 1); the padding row becomes zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight.data[self.padding_idx])

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows of the table that the input names."""
        weight = self._parameters.get("weight")  # the attribute takes long
        return F.embedding(input, self.weight if weight is None else weight, self.padding_idx,
                           self.max_norm, self.norm_type, self.scale_grad_by_freq)

    def extra_repr(self) -> str:
        return (f"{self.num_embeddings}, {self.embedding_dim}" + _changed(self, padding_idx=None)
                + _changed(self, max_norm=None, norm_type=2, scale_grad_by_freq=False))

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True,
                        padding_idx: int | None = None, max_norm: float | None = None,
                        norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                        sparse: bool = False) -> Embedding:
        """Return an Embedding whose table is a given 2-D tensor (AssertionError if it is not).

        Args: freeze True: do not train it; the others as of the class.
        """
        rows, width = _table_size(embeddings)
        return cls(rows, width, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
                   _weight=embeddings, _freeze=freeze)


class EmbeddingBag(Module):
    """Look up bags of vectors and return each bag's sum, mean or maximum, without the vectors.

    The same as Embedding followed by a sum (mean, max) over dim 1, with less memory.
    Args: num_embeddings, embedding_dim, max_norm, norm_type, scale_grad_by_freq (not with "max"),
    _weight: as Embedding; mode "mean", or "sum" or "max"; include_last_offset False: the last
    offset is the end of the last bag; padding_idx: indices that are left out (of the mean's count,
    too), a row without gradient; device, dtype, generator: see Linear. `sparse` True raises
    RuntimeError. AssertionError for a padding_idx or _weight that does not fit.
    Shape: (B, L), or (L) with offsets (B), where each bag begins -> (B, embedding_dim); for "sum"
    per_sample_weights of the input's shape. An empty bag gives zeros.

    >>> import minigrad as torch
    >>> bags = torch.nn.EmbeddingBag.from_pretrained(torch.eye(3), mode="sum")
    >>> bags(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1]))
    tensor([[1., 0., 0.],
            [0., 2., 1.]])
    """

    num_embeddings: int
    embedding_dim: int
    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool
    weight: Parameter
    mode: str
    sparse: bool
    include_last_offset: bool
    padding_idx: int | None

    @takes()
    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None,
                 norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
                 sparse: bool = False, _weight: Tensor | None = None,
                 include_last_offset: bool = False, padding_idx: int | None = None,
                 device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__()
        if sparse:
            raise RuntimeError("EmbeddingBag: sparse=True is not supported, gradients are dense; "
                               "leave it out")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.padding_idx = _row(padding_idx, num_embeddings)
        if _weight is None:
            self.weight = made(num_embeddings, embedding_dim, device=device, dtype=dtype)
            initialise(self.reset_parameters, generator)
        else:
            _check_table(_weight, num_embeddings, embedding_dim)
            self.weight = Parameter(_weight)
        self.mode, self.sparse, self.include_last_offset = mode, sparse, include_last_offset

    def reset_parameters(self) -> None:
        """Draw new values from N(0, 1); the padding row becomes zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight.data[self.padding_idx])

    def forward(self, input: Tensor, offsets: Tensor | None = None,
                per_sample_weights: Tensor | None = None) -> Tensor:
        """Return the sum, mean or maximum of each bag's rows."""
        return F.embedding_bag(input, self.weight, offsets, self.max_norm, self.norm_type,
                               self.scale_grad_by_freq, self.mode, self.sparse, per_sample_weights,
                               self.include_last_offset, self.padding_idx)

    def extra_repr(self) -> str:
        return (f"{self.num_embeddings}, {self.embedding_dim}"
                + _changed(self, max_norm=None, norm_type=2, scale_grad_by_freq=False)
                + f", mode={self.mode!r}" + _changed(self, padding_idx=None))

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True,
                        max_norm: float | None = None, norm_type: float = 2.0,
                        scale_grad_by_freq: bool = False, mode: str = "mean",
                        sparse: bool = False, include_last_offset: bool = False,
                        padding_idx: int | None = None) -> EmbeddingBag:
        """Return an EmbeddingBag whose table is a given 2-D tensor (AssertionError if it is not).

        Args: freeze True: do not train it; the others as of the class.
        """
        rows, width = _table_size(embeddings)
        made_bag = cls(rows, width, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
                       embeddings, include_last_offset, padding_idx)
        made_bag.weight.requires_grad = not freeze
        return made_bag
