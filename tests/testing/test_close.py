"""assert_close, assert_allclose and make_tensor: PyTorch's semantics and messages."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
from minigrad.testing import assert_allclose, assert_close, make_tensor

T = torch.tensor
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(("actual", "expected", "options"), [
    (T([1.0]), T([1.0 + 1e-6]), {}),
    (T([1.0], dtype=torch.float16), T([1.0009], dtype=torch.float16), {}),
    (T([1.0], dtype=torch.float64), T([1 + 1.1e-7], dtype=torch.float64), {}),
    (T([1.0]), T([1]), {"check_dtype": False}), (T([NAN]), T([NAN]), {"equal_nan": True}),
    (T([INF]), T([INF]), {}), (T([1]), T([2]), {"rtol": 0, "atol": 1}), (T([]), T([]), {}),
    (None, None, {}), (1, 1, {}), (np.float32(1), 1.0, {}), (True, True, {}),
    ([T(1.0)], (T(1.0),), {}), ({"a": 1, "b": 2.0}, {"b": 2.0, "a": 1}, {}),
    (np.ones(2), np.ones(2), {}), (torch.nn.Parameter(T([1.0])), T([1.0]), {}),
    (torch.ones(2, 3), torch.ones(3, 2).t(), {}),
])
def test_close(actual, expected, options):
    assert_close(actual, expected, **options)


@pytest.mark.parametrize(("actual", "expected", "options", "message"), [
    (T([1.0, 2.0, 3.0]), T([1.0, 2.1, 3.0]), {}, "Mismatched elements: 1 / 3 (33.3%)"),
    (T([1.0, 2.0, 3.0]), T([1.0, 2.1, 3.0]), {}, "at index (1,) (up to 1e-05 allowed)"),
    (T([1, 2]), T([1, 3]), {}, "Tensor-likes are not equal!"),
    (T([True, False]), T([True, True]), {}, "difference: 1 at index (1,)"),
    (T([255], dtype=torch.uint8), T([0], dtype=torch.uint8), {}, "difference: 255"),
    (1.0, 1.1, {}, "Expected 1.1 but got 1.0"), (1, 2, {}, "Scalars are not equal"),
    (T(1.0), T(2.0), {}, "Scalars are not close!"), (True, False, {}, "Booleans mismatch"),
    (1, 1.0, {}, "(d)types do not match"), (None, 1, {}, "None mismatch"),
    (T([1.0]), T([1.0, 2.0]), {}, "'shape' do not match: torch.Size([1]) != torch.Size([2])"),
    (T([1.0]), T([1]), {}, "'dtype' do not match: torch.float32 != torch.int64"),
    (torch.ones(2, 3), torch.ones(3, 2).t(), {"check_stride": True}, "'stride()'"),
    (T([NAN]), T([NAN]), {}, "difference: nan"), (T([INF]), T([-INF]), {}, "difference: inf"),
    ([1], [1, 2], {}, "length of the sequences mismatch: 1 != 2"),
    ({"a": 1}, {"b": 1}, {}, "Missing keys in the actual mapping: ['b']"),
    ({"a": [1, {"b": T([3.0])}]}, {"a": [1, {"b": T([4.0])}]}, {},
     "The failure occurred for item ['a'][1]['b']"),
    (T(1.0), T(2.0), {"msg": "mine"}, "mine"),
    (T(1.0), T(2.0), {"msg": lambda text: "see:\n" + text}, "see:\nScalars are not close"),
])
def test_not_close(actual, expected, options, message):
    with pytest.raises(AssertionError) as caught:
        assert_close(actual, expected, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(("actual", "expected", "options", "error"), [
    (T([1.0]), np.array([1.0]), {}, TypeError), ([1.0], T([1.0]), {}, TypeError),
    ("a", "a", {}, TypeError), (T(1.0), T(1.0), {"rtol": 1e-3}, ValueError),
    (T(1.0), T(1.0), {"atol": 1e-3}, ValueError),
    (T(1.0), T(1.0), {"rtol": -1, "atol": 0}, ValueError),
    (torch.nn.Parameter(T([1.0])), T([1.0]), {"allow_subclasses": False}, TypeError),
])
def test_refusals(actual, expected, options, error):
    with pytest.raises(error):
        assert_close(actual, expected, **options)


def test_assert_allclose_is_deprecated():
    with pytest.warns(FutureWarning, match="assert_close"):
        assert_allclose(T([1.0, NAN]), [1.00001, NAN])
    with pytest.warns(FutureWarning), pytest.raises(AssertionError, match=r"0\.0001 allowed"):
        assert_allclose(T(1.0), T(2.0))


@pytest.mark.parametrize(("name", "low", "high"), [
    ("float32", -9, 9), ("float16", -9, 9), ("int64", -9, 9), ("int8", -9, 9), ("uint8", 0, 9),
    ("bool", 0, 1)])
def test_make_tensor_fills_its_range(name, low, high):
    x = make_tensor(5000, dtype=getattr(torch, name), device="cpu").double()
    assert low <= x.min() < low + 0.2 and high - 0.2 < x.max() <= high


def test_make_tensor_options():
    options = {"device": "cpu", "dtype": torch.float64}
    x = make_tensor((3, 4), noncontiguous=True, requires_grad=True, **options)
    assert x.stride() == (8, 2) and x.requires_grad and not x.is_contiguous()
    x = make_tensor(3, 4, low=1, high=2, **options)
    assert bool((x >= 1).all() and (x < 2).all())
    whole = make_tensor(100, dtype=torch.int64, device="cpu", low=0, high=2, exclude_zero=True)
    assert whole.tolist() == [1] * 100
    assert make_tensor(**options).shape == ()
    for bad in ({"low": 2, "high": 1}, {"low": NAN}, {"dtype": torch.int64, "requires_grad": True},
                {"noncontiguous": True, "memory_format": torch.contiguous_format}):
        with pytest.raises(ValueError):
            make_tensor(3, **(options | bad))
    with pytest.raises(TypeError, match="device"):
        make_tensor(3, dtype=torch.float32)
