"""Folding, shuffling, unpooling and resizing: what they undo, and errors."""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn.functional as F

X3, X4 = torch.randn(2, 4, 5), torch.randn(2, 4, 6, 5)


def test_fold_counts_how_often_unfold_took_each_place():
    ones = torch.ones(1, 1, 3, 3)
    assert F.fold(F.unfold(ones, 2), 3, 2).tolist() == [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]]


def test_unfold_is_what_a_convolution_multiplies():
    w = torch.randn(3, 4, 2, 2)
    columns = F.unfold(X4, 2, padding=1, stride=2)
    y = (w.reshape(3, 16) @ columns).reshape(2, 3, 4, 3)
    assert torch.allclose(y, F.conv2d(X4, w, padding=1, stride=2), atol=1e-5)


@pytest.mark.parametrize(("options", "message"), [
    ({"kernel_size": 9}, "larger than the image"), ({"kernel_size": 0}, "kernel_size must be"),
    ({"kernel_size": 2, "stride": 0}, "stride must be"),
    ({"kernel_size": 2, "padding": -1}, "padding must be"),
    ({"kernel_size": (2, 2, 2)}, "one int or 2")])
def test_unfold_errors(options, message):
    with pytest.raises(RuntimeError, match=message):
        F.unfold(X4, **options)


def test_fold_errors():
    columns = F.unfold(X4, 2)
    with pytest.raises(RuntimeError, match=r"6 \* 4 blocks, but the last dimension .* size 20"):
        F.fold(columns, (7, 5), 2)
    with pytest.raises(RuntimeError, match="divisible by the kernel's 4 places, got 15"):
        F.fold(columns[:, :15], (6, 5), 2)
    with pytest.raises(RuntimeError, match="batch mode"):
        F.fold(X4, (6, 5), 2)
    with pytest.raises(RuntimeError, match="batch mode"):
        F.unfold(X4[None], 2)
    with pytest.raises(NotImplementedError, match="int64"):
        F.unfold(X4.long(), 2)


def test_shuffles_undo_each_other():
    assert torch.equal(F.pixel_shuffle(F.pixel_unshuffle(X4[..., :4], 2), 2), X4[..., :4])
    assert torch.equal(F.channel_shuffle(F.channel_shuffle(X3, 2), 2), X3)


def test_shuffle_errors():
    with pytest.raises(RuntimeError, match=r"divisible by upscale_factor \*\* 2 = 9, got 4"):
        F.pixel_shuffle(X4, 3)
    with pytest.raises(RuntimeError, match="downscale_factor=2"):
        F.pixel_unshuffle(X4, 2)
    for function in (F.pixel_shuffle, F.pixel_unshuffle):
        with pytest.raises(RuntimeError, match="positive"):
            function(X4, 0)
        with pytest.raises(RuntimeError, match="at least 3 dimensions"):
            function(X4[0, 0], 2)
    with pytest.raises(RuntimeError, match="divisible by groups=3"):
        F.channel_shuffle(X4, 3)
    with pytest.raises(RuntimeError, match="positive"):
        F.channel_shuffle(X4, 0)
    with pytest.raises(RuntimeError, match="> 2 dims"):
        F.channel_shuffle(X4[0, 0], 2)


def test_unpooling_overlapping_windows_writes_and_does_not_add():
    y, where = F.max_pool1d(torch.tensor([[0.0, 5.0, 1.0]]), 2, 1, return_indices=True)
    assert F.max_unpool1d(y, where, 2, 1).tolist() == [[0, 5, 0]]


def test_unpool_errors():
    y, where = F.max_pool2d(X4, 2, return_indices=True)
    assert F.max_unpool2d(y, where, 2, output_size=(2, 4, 6, 5)).shape == X4.shape
    with pytest.raises(RuntimeError, match="invalid max index"):
        F.max_unpool2d(y, where + 12, 2)
    with pytest.raises(RuntimeError, match="shape of the input"):
        F.max_unpool2d(y, where[:, :1], 2)
    with pytest.raises(RuntimeError, match="int64"):
        F.max_unpool2d(y, where.int(), 2)
    with pytest.raises(ValueError, match="invalid output_size"):
        F.max_unpool2d(y, where, 2, output_size=(9, 5))
