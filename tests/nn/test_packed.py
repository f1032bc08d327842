"""Packed and padded sequences: nn.utils.rnn, and what the recurrent layers do with them."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn.utils.rnn import (
    PackedSequence,
    invert_permutation,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)

A, B, C = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0]), torch.tensor([6.0])
LAYERS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("LSTM", {"proj_size": 2}),
          ("GRU", {})]


def batch(lengths, features=3, dtype=torch.float64):
    """Return sequences of given lengths."""
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.standard_normal((n, features))).to(dtype) for n in lengths]


# ---- the functions
def test_packing():
    packed = pack_sequence([A, B, C])
    assert packed.data.tolist() == [1, 4, 6, 2, 5, 3]
    assert packed.batch_sizes.tolist() == [3, 2, 1]
    assert packed.sorted_indices is packed.unsorted_indices is None
    packed = pack_sequence([C, A, B], enforce_sorted=False)
    assert packed.data.tolist() == [1, 4, 6, 2, 5, 3]
    assert packed.sorted_indices.tolist() == [1, 2, 0]
    assert packed.unsorted_indices.tolist() == [2, 0, 1]
    assert [t.tolist() for t in unpack_sequence(packed)] == [[6], [1, 2, 3], [4, 5]]
    equal = pack_padded_sequence(torch.zeros(2, 3), [2, 2, 2], enforce_sorted=False)
    assert equal.sorted_indices.tolist() == [0, 1, 2]  # samples of equal length keep their order


@pytest.mark.parametrize("lengths", [[3, 2], (3, 2), torch.tensor([3, 2]), torch.tensor([3.0, 2.0]),
                                     torch.tensor([3, 2], dtype=torch.int32)])
def test_lengths_of_any_kind(lengths):
    packed = pack_padded_sequence(torch.arange(6).reshape(3, 2), lengths)
    assert packed.data.tolist() == [0, 1, 2, 3, 4]
    assert packed.batch_sizes.dtype is torch.int64


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("total", [None, 5])
def test_round_trip(batch_first, total):
    sequences = batch([2, 4, 1])
    packed = pack_sequence(sequences, enforce_sorted=False)
    padded, lengths = pad_packed_sequence(packed, batch_first, -1.0, total)
    assert lengths.tolist() == [2, 4, 1]
    assert padded.shape == ((3, total or 4, 3) if batch_first else (total or 4, 3, 3))
    assert (padded == -1).sum().item() == ((total or 4) * 3 - 7) * 3
    again = pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    assert torch.equal(again.data, packed.data)
    for one, other in zip(unpad_sequence(padded, lengths, batch_first), sequences, strict=True):
        assert torch.equal(one, other)


def test_pad_sequence():
    assert pad_sequence([A, C]).tolist() == [[1, 6], [2, 0], [3, 0]]
    assert pad_sequence(iter([A, C]), True, 9).tolist() == [[1, 2, 3], [6, 9, 9]]
    left = pad_sequence((A, C), batch_first=True, padding_side="left")
    assert left.tolist() == [[1, 2, 3], [0, 0, 6]]
    integers = pad_sequence([torch.tensor([1, 2]), torch.tensor([1.5])], padding_value=2.7)
    assert integers.dtype is torch.int64  # the first one's dtype, the others are cast
    assert integers.tolist() == [[1, 1], [2, 2]]
    assert pad_sequence(torch.ones(2, 3)).shape == (3, 2)


def test_a_packed_sequence_is_a_named_tuple():
    packed = pack_sequence([C, A], enforce_sorted=False)
    data, sizes, order, back = packed
    assert isinstance(packed, tuple)
    assert data is packed.data is packed[0]
    assert PackedSequence((data, sizes)).unsorted_indices is None
    assert torch.equal(PackedSequence(data, sizes, order).unsorted_indices, back)
    assert type(packed._replace(data=data * 2)) is PackedSequence
    for copied in (copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        assert type(copied) is PackedSequence
        assert torch.equal(copied.data, data)
    for method, dtype in (("double", "float64"), ("half", "float16"), ("long", "int64"),
                          ("int", "int32"), ("short", "int16"), ("char", "int8"),
                          ("byte", "uint8")):
        assert getattr(packed, method)().data.dtype is getattr(torch, dtype)
    assert packed.float() is packed.cpu() is packed.to("cpu") is packed
    assert packed.to(dtype=torch.float64, device="cpu").sorted_indices is order
    assert not packed.is_cuda
    assert not packed.is_pinned()


@pytest.mark.parametrize(("error", "match", "act"), [
    (RuntimeError, "enforce_sorted", lambda: pack_padded_sequence(torch.ones(3, 2), [2, 3])),
    (RuntimeError, "batch_size=2", lambda: pack_padded_sequence(torch.ones(3, 2), [2])),
    (RuntimeError, "greater than 0", lambda: pack_padded_sequence(torch.ones(3, 2), [2, 0])),
    (RuntimeError, "has 4, but input has 3",
     lambda: pack_padded_sequence(torch.ones(3, 2), [4, 2])),
    (RuntimeError, "1D CPU int64", lambda: pack_padded_sequence(torch.ones(3, 2), 3)),
    (RuntimeError, "empty tensors", lambda: pack_padded_sequence(torch.ones(0, 2), [0, 0])),
    (IndexError, "out of range", lambda: pack_padded_sequence(torch.ones(2), [1, 1])),
    (TypeError, "must be Tensor", lambda: pack_padded_sequence([1], [1])),
    (ValueError, "total_length=2", lambda: pad_packed_sequence(pack_sequence([A]), total_length=2)),
    (RuntimeError, "left or right", lambda: pad_sequence([A], padding_side="top")),
    (RuntimeError, "empty list", lambda: pad_sequence([])),
    (RuntimeError, "iterable", lambda: pad_sequence(3)),
    (RuntimeError, "must match", lambda: pad_sequence([torch.ones(2, 3), torch.ones(2, 2)])),
    (RuntimeError, "no dimension", lambda: pad_sequence([torch.tensor(1.0)])),
    (TypeError, "element 1", lambda: pad_sequence([A, [1.0]])),
    (ValueError, "each of 2 samples", lambda: unpad_sequence(torch.ones(3, 2), torch.tensor([1]))),
    (RuntimeError, "int32/int64", lambda: invert_permutation(torch.tensor([1.0, 0.0]))),
    (AssertionError, "length 2", lambda: PackedSequence(A)),
    (RuntimeError, "copy", lambda: pack_sequence([A]).to(torch.int64, copy=True)),
    (RuntimeError, "accelerator", lambda: pack_sequence([A]).pin_memory()),
    (AssertionError, "CUDA", lambda: pack_sequence([A]).cuda()),
    (RuntimeError, "add up to the 3 rows",
     lambda: nn.GRU(2, 2)(PackedSequence(torch.ones(3, 2), torch.tensor([1, 1])))),
    (RuntimeError, "decreasing", lambda: nn.GRU(2, 2)(
        PackedSequence(torch.ones(3, 2), torch.tensor([1, 2])))),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()


def test_derivatives_of_packing_and_padding():
    """Packing, padding and unpacking are linear: their gradients, of both orders."""
    sequences = [t.requires_grad_() for t in batch([1, 3, 2], 2)]

    def there_and_back(*sequences):
        packed = pack_sequence([t * t for t in sequences], enforce_sorted=False)
        padded, lengths = pad_packed_sequence(packed, True, 2.0, 4)
        return tuple(unpad_sequence(padded ** 3, lengths, True))

    assert torch.autograd.gradcheck(there_and_back, sequences)
    assert torch.autograd.gradgradcheck(there_and_back, sequences)


def test_padding_gets_no_gradient():
    x = torch.ones(4, 2, requires_grad=True)
    pack_padded_sequence(x, [3, 1]).data.sum().backward()
    assert x.grad.tolist() == [[1, 1], [1, 0], [1, 0], [0, 0]]


# ---- the layers
def run(name, options, bidirectional, make_input, lengths):
    """Return a layer, and its outputs by sample and last states, as `make_input` gives them."""
    layer = getattr(nn, name)(3, 4, 2, bidirectional=bidirectional, **options,
                              generator=torch.Generator().manual_seed(3)).double()
    rng = np.random.default_rng(1)
    ways, features = 1 + bidirectional, layer.proj_size or 4
    first = [torch.from_numpy(rng.standard_normal((2 * ways, len(lengths), width)))
             for width in ((features, 4) if name == "LSTM" else (features,))]
    return layer, *make_input(layer, first)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("name", "options"), LAYERS)
def test_packed_equals_each_sample_alone(name, options, bidirectional):
    """Outputs, states and gradients: as if each sample were run without the others."""
    lengths = [2, 4, 1, 4]
    leaves = [t.requires_grad_() for t in batch(lengths)]
    paired = name == "LSTM"

    def together(layer, first):
        y, last = layer(pack_sequence(leaves, enforce_sorted=False),
                        tuple(first) if paired else first[0])
        assert y.batch_sizes.tolist() == [4, 3, 2, 2]
        return unpack_sequence(y), last if paired else (last,)

    def alone(layer, first):
        runs = []
        for k, x in enumerate(leaves):
            states = [state[:, k:k + 1] for state in first]
            runs.append(layer(x.unsqueeze(1), tuple(states) if paired else states[0]))
        lasts = zip(*[last if paired else (last,) for _, last in runs], strict=True)
        return [y.squeeze(1) for y, _ in runs], [torch.cat(last, 1) for last in lasts]

    results = []
    for way in (together, alone):
        layer, ys, lasts = run(name, options, bidirectional, way, lengths)
        wanted = [*leaves, *layer.parameters()]
        loss = sum((t.sin().sum() for t in (*ys, *lasts)), torch.zeros(()))
        results.append([*ys, *lasts, *torch.autograd.grad(loss, wanted)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-11,
                                   atol=1e-13)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_packed_without_states(name):
    """No states are zeros; a state's sample is that of the input, however the batch is sorted."""
    layer = getattr(nn, name)(3, 4).double()
    packed = pack_sequence(batch([1, 3, 2]), enforce_sorted=False)
    zeros = torch.zeros(1, 3, 4, dtype=torch.float64)
    y, last = layer(packed)
    same, _ = layer(packed, (zeros, zeros) if name == "LSTM" else zeros)
    assert torch.equal(y.data, same.data)
    h = last[0] if name == "LSTM" else last
    for k, out in enumerate(unpack_sequence(y)):
        assert torch.equal(h[0, k], out[-1])


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_dropout_between_layers_of_packed_input(name):
    packed = pack_sequence(batch([3, 2], dtype=torch.float32))
    outs = []
    for seed in (1, 1, 2):
        layer = getattr(nn, name)(3, 4, 2, dropout=0.5, generator=torch.Generator())
        layer.generator.manual_seed(0)
        layer.reset_parameters()
        with torch.no_grad():
            for p in layer.parameters():
                p.fill_(0.3)
        layer.generator.manual_seed(seed)
        outs.append(layer(packed)[0].data)
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])
