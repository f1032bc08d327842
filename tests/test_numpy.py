"""Tensors and NumPy arrays together, where minigrad goes beyond PyTorch or says more.

What both do is in expressions_numpy.py.
"""

from __future__ import annotations

import operator
import warnings

import numpy as np
import pytest

import minigrad as torch

SYMBOLS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv,
           operator.mod, operator.pow, operator.eq, operator.ne, operator.lt, operator.le,
           operator.gt, operator.ge]
BITS = [operator.and_, operator.or_, operator.xor]
ARRAYS = [np.array([1., 3.]), np.array([1, 3], np.float32), np.array([1, 3]), np.array(3.),
          np.array([[1], [2]], np.int8), np.array([2, 3], np.uint8)]
TENSORS = [torch.tensor([4., 5.]), torch.tensor([4, 5]), torch.tensor(3, dtype=torch.int16),
           torch.tensor([[1.], [2.]], dtype=torch.float64), torch.tensor([4., 5.]).half()]


def equal(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert torch.equal(a, b)


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda f: f.__name__)
def test_arrays_in_operators_count_as_tensors(symbol):
    """On both sides, with the promotion of tensors."""
    for array in ARRAYS:
        for tensor in TENSORS:
            other = torch.from_numpy(array)
            equal(symbol(tensor, array), symbol(tensor, other))
            equal(symbol(array, tensor), symbol(other, tensor))


@pytest.mark.parametrize("symbol", BITS, ids=lambda f: f.__name__)
def test_arrays_in_bitwise_operators(symbol):
    a, t = np.array([True, False]), torch.tensor([True, True])
    equal(symbol(a, t), symbol(torch.from_numpy(a), t))
    equal(symbol(t, a), symbol(t, torch.from_numpy(a)))


def test_matrix_products_with_arrays():
    a, t = np.ones((2, 3), np.float32), torch.arange(6.).reshape(3, 2)
    equal(a @ t, torch.from_numpy(a) @ t)
    equal(t @ a, t @ torch.from_numpy(a))


def test_arrays_in_place():
    t = torch.tensor([4., 5.])
    before = t
    t += np.array([1., 2.])
    t *= np.array([2, 2])
    t -= np.float32(1)
    assert t is before
    assert t.tolist() == [9., 13.]
    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        t = torch.tensor([1, 2])
        t += np.array([1.5, 2.5], np.float32)
    array = np.array([1., 2.])
    array += torch.tensor([1., 2.])  # the name now stands for a tensor, as for `array = array + t`
    assert isinstance(array, torch.Tensor)


def test_gradients_go_through_operators_with_arrays():
    x = torch.tensor([1., 2.], requires_grad=True)
    y = (np.array([3., 4.]) * x + x / np.array([2., 2.], np.float32)).sum()
    y.backward()
    assert x.grad.tolist() == [3.5, 4.5]


@pytest.mark.parametrize("symbol", SYMBOLS[:3], ids=lambda f: f.__name__)
def test_numpys_truth_values_are_bools(symbol):
    t = torch.tensor([1, 2])
    if symbol is operator.sub:
        with pytest.raises(RuntimeError, match="bool"):
            t - np.bool_(True)
    else:
        equal(symbol(t, np.bool_(True)), symbol(t, True))


def test_numpys_functions_return_tensors():
    t = torch.tensor([0.5, np.nan])
    for made in (np.sin(t), np.isnan(t), np.add(t, 1), np.multiply(np.ones(2), t), np.round(t)):
        assert isinstance(made, torch.Tensor)
    assert np.isnan(t).dtype == torch.bool
    assert t[np.isnan(t)].shape == (1,)
    assert isinstance(np.asarray(t) + 1, np.ndarray)
    assert torch.is_tensor(np.sum(t))


def test_a_gradient_that_numpy_would_lose_is_refused():
    x = torch.ones(2, requires_grad=True)
    for call in (lambda: np.asarray(x), lambda: np.sin(x), lambda: np.array(x), lambda: x.numpy(),
                 lambda: np.add(x, 1), lambda: np.dot(x, x), lambda: np.concatenate([x, x])):
        with pytest.raises(RuntimeError, match=r"Use tensor.detach\(\).numpy\(\) instead"):
            call()
    with torch.no_grad():
        assert x.numpy().tolist() == [1., 1.]
    assert x.numpy(force=True).tolist() == [1., 1.]
    assert x.detach().numpy().tolist() == [1., 1.]
    with pytest.raises(TypeError, match="argument 'force' must be bool, not int"):
        x.numpy(force=1)


def test_arrays_that_must_not_be_written():
    array = np.arange(3.)
    array.flags.writeable = False
    for make in (torch.from_numpy, torch.as_tensor, torch.asarray):
        with pytest.warns(UserWarning, match="not writable"):
            make(array)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.tensor(array)
        torch.from_numpy(array.copy())


def test_lists_of_arrays_are_slow():
    with pytest.warns(UserWarning, match="a list of numpy.ndarrays"):
        made = torch.tensor([np.ones(2), np.zeros(2)])
    assert made.dtype == torch.float64
    assert made.tolist() == [[1., 1.], [0., 0.]]


@pytest.mark.parametrize(("array", "text"), [
    (np.arange(3)[::-1], "negative strides"), (np.array(["a"]), "numpy.str_|<U1"),
    (np.array([object()]), "object"), (np.zeros(2, "datetime64[s]"), "datetime64"),
    (np.zeros(2, [("a", "f4")]), "void|f4"), (np.array([1], ">f4"), "byte order"),
])
def test_arrays_that_no_tensor_can_show(array, text):
    with pytest.raises((TypeError, ValueError), match=text):
        torch.from_numpy(array)


def test_a_number_of_numpy_is_a_size():
    assert torch.Tensor(np.array(5)).shape == (5,)
    assert torch.zeros(np.int64(2), np.int8(1)).shape == (2, 1)


def test_dlpack_keeps_memory_and_layout():
    t = torch.arange(6).reshape(2, 3).t()
    array = np.from_dlpack(t)
    array[0, 1] = 9
    assert t[0, 1] == 9
    assert array.strides == t.numpy().strides
    back = torch.from_dlpack(array)
    assert back.data_ptr() == t.data_ptr()
    assert back.stride() == t.stride()
    with pytest.raises(BufferError, match="detach"):
        np.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="__dlpack__"):
        torch.from_dlpack([1])


def test_the_type_is_shown_where_it_is_public():
    assert repr(torch.Tensor) == "<class 'minigrad.Tensor'>"
    assert torch.typename(torch.Tensor) == "minigrad.Tensor"
    assert list(reversed(torch.arange(3))) == [2, 1, 0]
