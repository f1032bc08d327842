"""embedding_bag: empty bags, ties, frequencies, errors."""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn.functional as F

TABLE = torch.tensor([[1.0, 6.0], [2.0, 5.0], [3.0, 4.0]])
ROW = torch.tensor([0, 1, 2, 2])
STARTS = torch.tensor([0, 2, 2])


@pytest.mark.parametrize(("mode", "first", "last"), [
    ("sum", [3, 11], [6, 8]), ("mean", [1.5, 5.5], [3, 4]), ("max", [2, 6], [3, 4])])
def test_empty_bags_give_zeros(mode, first, last):
    y = F.embedding_bag(ROW, TABLE, STARTS, mode=mode)
    assert y.tolist() == [first, [0, 0], last]
    y = F.embedding_bag(ROW, TABLE, STARTS, mode=mode, padding_idx=2)
    assert y.tolist() == [first, [0, 0], [0, 0]]


def test_gradients_of_frequent_rows_are_divided():
    table = TABLE.clone().requires_grad_()
    F.embedding_bag(ROW, table, STARTS, mode="sum", scale_grad_by_freq=True).sum().backward()
    assert table.grad.tolist() == [[1, 1]] * 3


def test_the_old_order_warns():
    with pytest.warns(UserWarning, match="deprecated"):
        y = F.embedding_bag(TABLE, ROW, STARTS)
    assert torch.equal(y, F.embedding_bag(ROW, TABLE, STARTS))


@pytest.mark.parametrize(("args", "options", "error", "message"), [
    ((ROW,), {}, ValueError, "1D Tensor"),
    ((ROW, STARTS + 1), {}, RuntimeError, r"offsets\[0\] has to be 0"),
    ((ROW, torch.tensor([0, 9])), {}, RuntimeError, r"offsets\[-1\] can not be greater"),
    ((ROW[None], STARTS), {}, ValueError, "offsets has to be None"),
    ((ROW[None, None],), {}, ValueError, "1D or 2D"),
    ((ROW, STARTS), {"mode": "min"}, ValueError, "sum, mean or max"),
    ((ROW, STARTS), {"per_sample_weights": torch.ones(4)}, NotImplementedError, "mode='sum'"),
    ((ROW, STARTS), {"mode": "sum", "per_sample_weights": torch.ones(3)}, ValueError, "the shape"),
    ((ROW, STARTS), {"mode": "max", "scale_grad_by_freq": True}, ValueError, "max mode"),
    ((ROW, STARTS), {"padding_idx": 3}, RuntimeError, "padding_idx"),
    ((ROW, STARTS), {"sparse": True}, RuntimeError, "sparse"),
    ((ROW + 1, STARTS), {}, RuntimeError, "out of range"),
])
def test_errors(args, options, error, message):
    with pytest.raises(error, match=message):
        F.embedding_bag(args[0], TABLE, *args[1:], **options)
