"""Comparisons: foreign operands, special values, whole tensors."""

import math

import pytest

import minigrad as torch


def test_foreign_operands_compare_as_in_python():
    x = torch.ones(2)
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711
    assert (x == "a") is False
    assert (x == [1, 1]) is False
    for other in (None, "a"):
        with pytest.raises(TypeError, match="not supported"):
            x < other  # noqa: B015


def test_tensors_stay_hashable_and_searchable():
    x, y = torch.ones(1), torch.ones(1)
    assert len({x, y}) == 2
    assert 1.0 in x
    assert 2.0 not in x


def test_nan_equals_nothing():
    x = torch.tensor([math.nan])
    assert (x == x).tolist() == [False]
    assert (x != x).tolist() == [True]
    assert not torch.equal(x, x)
    assert not torch.allclose(x, x)
    assert torch.allclose(x, x, equal_nan=True)


def test_equal_compares_shapes_and_values_of_any_dtype():
    assert torch.equal(torch.tensor([1.0, 2.0]), torch.tensor([1, 2]))
    assert not torch.equal(torch.ones(2), torch.ones(2, 1))
    with pytest.raises(TypeError, match="must be Tensor"):
        torch.equal(torch.ones(1), 1.0)


def test_isclose_wants_one_dtype_and_positive_tolerances():
    with pytest.raises(RuntimeError, match="did not match"):
        torch.isclose(torch.ones(1), torch.tensor([1]))
    with pytest.raises(RuntimeError, match="at least 0"):
        torch.isclose(torch.ones(1), torch.ones(1), atol=-1.0)


def test_is_nonzero_wants_one_element():
    assert torch.is_nonzero(torch.tensor([2.0]))
    with pytest.raises(RuntimeError, match="ambiguous"):
        torch.is_nonzero(torch.ones(2))


def test_comparisons_record_nothing():
    x = torch.ones(2, requires_grad=True)
    assert not (x > 0).requires_grad
    assert (x > 0).dtype == torch.bool


def test_inplace_comparison_keeps_the_dtype():
    x = torch.tensor([1.0, 3.0])
    assert x.gt_(2) is x
    assert x.tolist() == [0.0, 1.0]


def test_inplace_comparison_has_zero_gradient():
    x = torch.tensor([1.0, 3.0], requires_grad=True)
    y = x * 2
    y.gt_(3)
    (y * y).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]
    y = x * 2
    y[0:1].gt_(3)  # through a view: only that part
    (y * y).sum().backward()
    assert x.grad.tolist() == [0.0, 24.0]
