"""Sequences of different lengths: padded to one tensor, or packed without padding.

Packed data hold the first steps of all samples, then the second ones, and so on; the longest sample
is first, so that `batch_sizes[t]` says how many samples have a step t: the first ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import _check
from ..._dtype import float16 as half_
from ..._dtype import float32 as float_
from ..._dtype import float64, int8, int16, int32, int64, uint8
from ...engine import wrap
from ...ops.packed import pack_padded, pad_packed, pad_sequences, present
from ...ops.scatter import index_select
from ...tensor import Tensor

__all__ = ["PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence",
           "pad_packed_sequence", "pad_sequence", "unpack_sequence", "unpad_sequence"]


class PackedSequence_(NamedTuple):
    """The fields of a `PackedSequence`."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(PackedSequence_):
    """Hold a batch of sequences of different lengths without padding; RNNs take and return it.

    Made by `pack_padded_sequence` and `pack_sequence`; a named tuple of data (samples, ...): all
    first steps, all second ones, ...; batch_sizes (T,): how many samples each step has;
    sorted_indices (N,): which sample of the batch is which packed one (longest first), None if the
    batch was sorted; unsorted_indices: the way back.

    >>> import minigrad as torch
    >>> from minigrad.nn.utils.rnn import pack_sequence
    >>> packed = pack_sequence([torch.tensor([1, 2, 3]), torch.tensor([4, 5])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 4, 2, 5, 3]), tensor([2, 2, 1]))
    """

    def __new__(cls, data: Any, batch_sizes: Tensor | None = None,
                sorted_indices: Tensor | None = None,
                unsorted_indices: Tensor | None = None) -> PackedSequence:
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2, (data, "
                                     f"batch_sizes), got {type(data).__name__}")
            data, batch_sizes = data
        batch_sizes.device  # noqa: B018 - AttributeError for what is not a tensor, as in PyTorch
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes,  # type: ignore[arg-type]
                               sorted_indices, unsorted_indices)

    def _with(self, data: Tensor) -> PackedSequence:
        return self if data is self.data else type(self)(data, *self[1:])

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return the sequences with `data.to(...)`; itself if that changes nothing.

        The copy argument is refused (RuntimeError).
        """
        if "copy" in kwargs:
            raise RuntimeError(".to() does not accept copy argument: copy the data themselves, "
                               "packed._replace(data=packed.data.clone())")
        return self._with(self.data.to(*args, **kwargs))

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return itself: all tensors are in the processor's memory."""
        return self.to(*args, device="cpu", **kwargs)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Raise AssertionError: there are no other devices than the CPU."""
        return self._with(self.data.cuda(*args, **kwargs))

    def double(self) -> PackedSequence:
        """Return the sequences in float64."""
        return self.to(dtype=float64)

    def float(self) -> PackedSequence:
        """Return the sequences in float32."""
        return self.to(dtype=float_)

    def half(self) -> PackedSequence:
        """Return the sequences in float16."""
        return self.to(dtype=half_)

    def long(self) -> PackedSequence:
        """Return the sequences in int64."""
        return self.to(dtype=int64)

    def int(self) -> PackedSequence:
        """Return the sequences in int32."""
        return self.to(dtype=int32)

    def short(self) -> PackedSequence:
        """Return the sequences in int16."""
        return self.to(dtype=int16)

    def char(self) -> PackedSequence:
        """Return the sequences in int8."""
        return self.to(dtype=int8)

    def byte(self) -> PackedSequence:
        """Return the sequences in uint8."""
        return self.to(dtype=uint8)

    def pin_memory(self) -> PackedSequence:
        """Raise RuntimeError: there is no accelerator that memory could be pinned for."""
        _check.place(None, None, True)
        return self

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False

    def is_pinned(self) -> bool:
        """Return False."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that undoes one; None for None.

    >>> import minigrad as torch
    >>> torch.nn.utils.rnn.invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    index = _check.tensor(permutation, "invert_permutation", "permutation")._data
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"invert_permutation: Expected dtype int32/int64 for index, got "
                           f"{permutation.dtype}")
    inverse = np.empty_like(index)
    inverse[index] = np.arange(len(index))
    return wrap(inverse, None)


def pack_padded_sequence(input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """Return the sequences of a padded batch (T, N, *) without the padding.

    Args: lengths: of each sample, at least 1; batch_first False: input is (N, T, *);
    enforce_sorted True: the lengths must not grow (RuntimeError), False: they are sorted here, and
    RNNs return their states in the order of the input. What lies beyond a length gets no gradient.

    >>> import minigrad as torch
    >>> x = torch.tensor([[1, 2, 0], [3, 4, 5]])
    >>> packed = torch.nn.utils.rnn.pack_padded_sequence(x, [2, 3], True, enforce_sorted=False)
    >>> packed.data, packed.sorted_indices
    (tensor([3, 1, 4, 2, 5]), tensor([1, 0]))
    """
    _check.tensor(input, "pack_padded_sequence")
    counts = np.asarray(lengths._data if isinstance(lengths, Tensor) else lengths)
    if counts.ndim != 1:
        raise RuntimeError(f"'lengths' argument should be a 1D CPU int64 tensor, but got "
                           f"{counts.ndim}D: one length for each sample")
    counts = counts.astype(np.int64)
    batch = _check.dim(0 if batch_first else 1, input.ndim)
    order = None
    if not enforce_sorted:
        order = np.argsort(-counts, kind="stable")
        counts = counts[order]
    if not input.numel():
        raise RuntimeError(f"Cannot pack empty tensors: input has the shape {tuple(input.shape)}")
    if len(counts) != input.shape[batch]:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got "
                           f"{len(counts)} (batch_size={input.shape[batch]})")
    if (counts <= 0).any():
        raise RuntimeError("Length of all samples has to be greater than 0, but found an element "
                           f"in 'lengths' that is <= 0: {counts.tolist()}; leave such samples out")
    if (np.diff(counts) > 0).any():
        raise RuntimeError("`lengths` array must be sorted in decreasing order when "
                           f"`enforce_sorted` is True, got {counts.tolist()}. Pass "
                           "enforce_sorted=False")
    if counts[0] > input.shape[1 - batch]:
        raise RuntimeError(f"pack_padded_sequence: lengths has {counts[0]}, but input has "
                           f"{input.shape[1 - batch]} steps (shape {tuple(input.shape)})")
    indices = None
    if order is not None:
        indices = wrap(order, None)
        input = index_select(input, batch, indices)
    sizes = np.add.reduce(counts[:, None] > np.arange(counts[0]), 0, dtype=np.int64)
    return PackedSequence(pack_padded(input, tuple(sizes.tolist()), batch_first), wrap(sizes, None),
                          indices)


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False,
                        padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Tensor, Tensor]:
    """Return packed sequences as a padded batch (T, N, *), and the length of each.

    Args: batch_first False: return (N, T, *); padding_value 0; total_length: T, default the
    longest length (ValueError if below). The samples are in the order before packing.

    >>> import minigrad as torch
    >>> from minigrad.nn.utils.rnn import pack_sequence, pad_packed_sequence
    >>> packed = pack_sequence([torch.tensor([1., 2.]), torch.tensor([3.])])
    >>> pad_packed_sequence(packed, batch_first=True)
    (tensor([[1., 2.],
            [3., 0.]]), tensor([2, 1]))
    """
    sizes = tuple(sequence.batch_sizes.tolist())
    longest = len(sizes)
    if total_length is not None and total_length < longest:
        raise ValueError(f"Expected total_length to be at least the length of the longest sequence "
                         f"in input, but got total_length={total_length} and max sequence length "
                         f"being {longest}")
    y: Any = pad_packed(sequence.data, sizes, total_length or longest, padding_value, batch_first)
    lengths = wrap(np.add.reduce(present(sizes), 0, dtype=np.int64), None)
    if sequence.unsorted_indices is not None:
        y = index_select(y, 0 if batch_first else 1, sequence.unsorted_indices)
        lengths = index_select(lengths, 0, sequence.unsorted_indices)
    return y, lengths


def pad_sequence(sequences: Tensor | Iterable[Tensor], batch_first: bool = False,
                 padding_value: float = 0.0, padding_side: str = "right") -> Tensor:
    """Return sequences (T_i, *) as one tensor (T, N, *), padded to the longest.

    Args: batch_first False: return (N, T, *); padding_value 0; padding_side "right": values come
    first, "left": padding comes first. The dtype is that of the first sequence.

    >>> import minigrad as torch
    >>> a, b = torch.tensor([1, 2, 3]), torch.tensor([4])
    >>> torch.nn.utils.rnn.pad_sequence([a, b], batch_first=True, padding_side="left")
    tensor([[1, 2, 3],
            [0, 0, 4]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError("pad_sequence: Expected iterable for input sequences, but got arg of "
                           f"type: {type(sequences).__name__}")
    if padding_side not in ("left", "right"):
        raise RuntimeError("Expected padding_side to be one of left or right, but got "
                           f"{padding_side}.")
    listed = list(sequences)
    if not listed:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    for k, each in enumerate(listed):
        if not isinstance(each, Tensor):
            raise TypeError(f"pad_sequence: expected Tensor as element {k} in argument 0, but got "
                            f"{type(each).__name__}")
        if not each.ndim:
            raise RuntimeError(f"pad_sequence: expected sequences (T, *), but element {k} has no "
                               f"dimension")
    return pad_sequences(listed, batch_first, padding_value, padding_side == "left")


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor,
                   batch_first: bool = False) -> list[Tensor]:
    """Return the sequences of a padded batch (T, N, *), each with its length.

    >>> import minigrad as torch
    >>> x = torch.tensor([[1, 2, 3], [4, 0, 0]])
    >>> torch.nn.utils.rnn.unpad_sequence(x, torch.tensor([3, 1]), batch_first=True)
    [tensor([1, 2, 3]), tensor([4])]
    """
    lengths.device  # noqa: B018 - AttributeError for what is not a tensor, as in PyTorch
    samples = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    if len(lengths) != len(samples):
        raise ValueError(f"unpad_sequence: expected a length for each of {len(samples)} samples, "
                         f"got {len(lengths)}")
    return [sample[:length] for sample, length in zip(samples, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Return a list of sequences (T_i, *) packed; see `pack_padded_sequence`.

    >>> import minigrad as torch
    >>> a, b = torch.tensor([1, 2]), torch.tensor([3, 4, 5])
    >>> torch.nn.utils.rnn.pack_sequence([a, b], enforce_sorted=False).data
    tensor([3, 1, 4, 2, 5])
    """
    lengths = [len(each) for each in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences that were packed, as a list in their first order.

    >>> import minigrad as torch
    >>> from minigrad.nn.utils.rnn import pack_sequence, unpack_sequence
    >>> unpack_sequence(pack_sequence([torch.tensor([1, 2, 3]), torch.tensor([4])]))
    [tensor([1, 2, 3]), tensor([4])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
