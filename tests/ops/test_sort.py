"""Sorting, searching and counting: order of equal elements, nan, errors."""

import math

import numpy as np
import pytest

import minigrad as torch

NAN = math.nan


def test_equal_elements_keep_their_order():
    x = torch.tensor([2, 1, 2, 1, 2])
    assert x.sort().indices.tolist() == [1, 3, 0, 2, 4]
    assert x.sort(descending=True).indices.tolist() == [0, 2, 4, 1, 3]
    assert x.topk(2).indices.tolist() == [0, 2]


def test_nan_is_the_largest():
    x = torch.tensor([3.0, NAN, 2.0])
    assert x.sort().indices.tolist() == [2, 0, 1]
    assert x.sort(descending=True).indices.tolist() == [1, 0, 2]
    assert x.topk(2).indices.tolist() == [1, 0]
    assert x.max(0).indices.item() == 1
    assert x.argmin().item() == 1
    assert math.isnan(x.median().item())
    assert x.nanmedian().item() == 2.0


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("kind", ["float", "ties", "nan"])
def test_topk_of_long_rows_equals_a_full_sort(largest, kind):
    rng = np.random.default_rng(3)
    x = rng.random((3, 500))
    if kind == "ties":
        x = np.floor(x * 2000)
    if kind == "nan":
        x[0, ::100] = np.nan
    x = torch.from_numpy(x)
    values, indices = x.topk(7, largest=largest)
    want = x.sort(descending=largest).values[:, :7]
    np.testing.assert_array_equal(values.numpy(), want.numpy())
    np.testing.assert_array_equal(np.take_along_axis(x.numpy(), indices.numpy(), 1), want.numpy())


@pytest.mark.parametrize(("function", "error", "words"), [
    (lambda: torch.ones(2).topk(3), RuntimeError, "out of range"),
    (lambda: torch.ones(2).kthvalue(3), RuntimeError, "out of range"),
    (lambda: torch.ones(2).kthvalue(0), RuntimeError, "out of range"),
    (lambda: torch.ones(2).sort(1), IndexError, "Dimension out of range"),
    (lambda: torch.bincount(torch.tensor([-1])), RuntimeError, "non-negative"),
    (lambda: torch.bincount(torch.ones(2)), NotImplementedError, "bincount"),
    (lambda: torch.histc(torch.tensor([1.0, NAN])), RuntimeError, "finite"),
    (lambda: torch.histc(torch.ones(2), 3, 5, 1), RuntimeError, "larger than min"),
    (lambda: torch.searchsorted(torch.ones(2, 3), torch.ones(3)), RuntimeError, "boundaries"),
    (lambda: torch.bucketize(torch.ones(2), torch.ones(2, 3)), RuntimeError, "1 dimension"),
    (lambda: torch.searchsorted(torch.ones(2), 1.0, side="up"), RuntimeError, "side"),
    (lambda: torch.unique(torch.ones(2, requires_grad=True)).sum().backward(), RuntimeError,
     "not implemented"),
])
def test_errors(function, error, words):
    with pytest.raises(error, match=words):
        function()


def test_unique_keeps_every_nan():
    y, counts = torch.unique(torch.tensor([NAN, 1.0, NAN, 1.0]), return_counts=True)
    assert y.tolist()[0] == 1.0
    assert np.isnan(y.numpy()[1:]).all()
    assert counts.tolist() == [2, 1, 1]


def test_histc_of_equal_elements():
    assert torch.histc(torch.ones(3), 4).tolist() == [0.0, 0.0, 3.0, 0.0]


def test_gradients_reach_where_the_elements_came_from():
    x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    (x.sort().values * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [100.0, 1.0, 10.0]


def test_cummax_points_to_the_last_of_equal_elements():
    values, indices = torch.tensor([1.0, 1.0, NAN, 2.0, NAN]).cummax(0)
    assert indices.tolist() == [0, 1, 2, 2, 4]
    assert np.isnan(values.numpy()[2:]).all()
