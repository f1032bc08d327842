"""keep, drop, fill, either against np.where, bit for bit: sizes, dtypes, strides, inf, nan, -0."""

import numpy as np
import pytest

from minigrad.kernels.select import SMALL, drop, either, fill, keep


def values(shape, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    flat = x.reshape(-1)
    flat[::5], flat[1::7], flat[2::11], flat[3::13] = np.inf, -np.inf, np.nan, -0.0
    return x


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (3, 5), (SMALL,), (SMALL + 1,), (9, 17, 33)])
def test_contiguous(shape, dtype):
    x = values(shape, dtype) if shape not in ((), (0,)) else np.full(shape, np.inf, dtype)
    mask = np.random.default_rng(1).random(shape) < 0.5
    zero = dtype(0)
    for found, expected in ((keep(x, mask), np.where(mask, x, zero)),
                            (drop(x, mask), np.where(mask, zero, x))):
        assert found.dtype == dtype
        assert found.shape == shape
        assert found.tobytes() == expected.tobytes()
    other = x[..., ::-1] if x.ndim else -x
    assert either(mask, x, other).tobytes() == np.where(mask, x, other).tobytes()


def test_strided_values_and_masks_and_untouched_inputs():
    x, mask = values((64, 100), np.float32), np.random.default_rng(1).random((64, 100)) < 0.3
    before = x.copy(), mask.copy()
    for v, m in ((x.T, mask.T), (x[:, ::-1], mask), (x[::-1, :], mask[:, ::-1]),
                 (np.broadcast_to(x[0], x.shape), mask)):
        assert keep(v, m).tobytes() == np.where(m, v, np.float32(0)).tobytes()
        assert drop(v, m).tobytes() == np.where(m, np.float32(0), v).tobytes()
    assert x.tobytes() == before[0].tobytes()
    assert mask.tobytes() == before[1].tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(100,), (64, 1), (1, 100), (3, 64, 100), (3, 1, 100), (1,), ()])
def test_shapes_broadcast(shape, dtype):
    """Masks of fewer and of more dimensions than the values, few values and many."""
    mask = np.random.default_rng(2).random(shape) < 0.5
    for x in (values((64, 100), dtype), values((8, 64, 100), dtype)[::3], values((4, 100), dtype)):
        if len(shape) > 1 and shape[-2] not in (1, x.shape[-2]):
            continue
        zero = dtype(0)
        assert keep(x, mask).tobytes() == np.where(mask, x, zero).tobytes()
        assert drop(x, mask).tobytes() == np.where(mask, zero, x).tobytes()
        for value in (-np.inf, 2.5, -0.0, np.nan):
            full = np.array(value, dtype)
            assert fill(x, mask, full).tobytes() == np.where(mask, full, x).tobytes()
