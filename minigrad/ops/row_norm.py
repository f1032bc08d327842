"""Normalisation over the last dimensions: layer norm and root mean square norm.

As in `norm`, each is one fused op, and its `reference` is the formula.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _check
from .._check import floats, takes
from ..engine import op
from ..kernels import _small_norm as small
from ..kernels import norm as kernels
from .elementwise import sqrt
from .norm import _affine, _check_dtype, _check_mixed, _standardised
from .reduce import mean as average

ndarray = np.ndarray


def _layer_reference(input: Any, weight: Any, bias: Any, dims: int, eps: float) -> Any:
    return _affine(_standardised(input, tuple(range(-dims, 0)), eps), weight, bias)


def _rms_reference(input: Any, weight: Any, dims: int, eps: float) -> Any:
    square = average(input * input, tuple(range(-dims, 0)), True)
    return _affine(input / sqrt(square + eps), weight, None)


def _rows(x: Any, dims: int) -> Any:
    """Return (M, D): the last `dims` dimensions as one."""
    length = x.shape[-1] if dims == 1 else math.prod(x.shape[x.ndim - dims:])
    return x.reshape(-1 if x.size else 0, length)


def _flat(value: Any) -> Any:
    return value if value is None or value.ndim == 1 else value.reshape(-1)


@op(input=None, weight=None, bias=None, smooth="centre invstd", reference=_layer_reference,
    shown="NativeLayerNormBackward0")
def _layer_norm(input: Any, weight: Any, bias: Any, dims: int, eps: float) -> Any:
    rows = input if input.ndim == 2 and dims == 1 else _rows(input, dims)
    if dims > 1:
        weight, bias = _flat(weight), _flat(bias)
    normed = small.layer_norm if small.is_small(rows) else kernels.layer_norm
    y, centre, invstd = normed(rows, weight, bias, eps)
    return y if rows is input else y.reshape(input.shape), centre, invstd


LAYER_NORM = _layer_norm.op  # type: ignore[attr-defined]


@_layer_norm.fused
def _(g: Any, input: Any, weight: Any, dims: int, centre: Any, invstd: Any, needs: Any) -> Any:
    # as batch norm's, with the means over the last dimensions of one sample
    rows = _rows(g, dims)
    if dims > 1:
        weight = _flat(weight)
    if centre.ndim == 2:  # small arrays keep the centred values
        dx, dw, db = small.layer_norm_backward(rows, centre, invstd, weight, needs)
    else:
        dx, dw, db = kernels.layer_norm_backward(rows, _rows(input, dims), centre, invstd, weight,
                                                 needs)
    if dx is not None:
        dx = dx.reshape(g.shape)
    if dims > 1:
        shape = g.shape[g.ndim - dims:]
        dw, db = (d if d is None else d.reshape(shape) for d in (dw, db))
    return dx, dw, db


@op(input=None, weight=None, smooth="invrms", reference=_rms_reference, shown="MulBackward0")
def _rms_norm(input: Any, weight: Any, dims: int, eps: float) -> Any:
    y, invrms = kernels.rms_norm(_rows(input, dims), _flat(weight), eps)
    return y.reshape(input.shape), invrms


@_rms_norm.fused
def _(g: Any, input: Any, weight: Any, dims: int, invrms: Any, needs: Any) -> Any:
    # with xhat = x / rms: dw = sum g xhat, dx = (w g - xhat mean(w g xhat)) / rms
    dx, dw = kernels.rms_norm_backward(_rows(g, dims), _rows(input, dims), invrms, _flat(weight),
                                       needs)
    return (dx if dx is None else dx.reshape(input.shape),
            dw if dw is None else dw.reshape(input.shape[input.ndim - dims:]))


# ------------------------------------------------------------------------ the public functions
def _check_normalized(where: str, x: Any, shape: Any, **values: Any) -> int:
    """Return how many dimensions `normalized_shape` has."""
    _check.tensor(x, where)
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"{where}: normalized_shape must be a tuple of ints such as ({shape},), "
                        f"got {type(shape).__name__}")
    shape = tuple(shape)
    if not shape:
        raise RuntimeError(f"{where}: Expected normalized_shape to have at least one dimension")
    if x._data.shape[-len(shape):] != shape:
        raise RuntimeError(f"{where}: expected an input whose last dimensions are "
                           f"normalized_shape={list(shape)}, got the shape {tuple(x.shape)}")
    floats(where, x._data)
    for name, value in values.items():
        if value is not None and value._data.shape != shape:
            raise RuntimeError(f"{where}: expected {name} of the shape normalized_shape="
                               f"{list(shape)}, got {tuple(value.shape)}")
    return len(shape)


def _fits(input: Any, shape: Any, weight: Any, bias: Any) -> bool:
    """Tell whether layer_norm's arguments are as usual; if not, its checks say what is wrong."""
    try:
        x = input._data
        dtype = x.dtype
        return (type(shape) is tuple and shape != () and type(x) is ndarray and dtype.kind == "f"
                and x.shape[-len(shape):] == shape
                and (weight is None or _alike(weight._data, dtype, shape))
                and (bias is None or _alike(bias._data, dtype, shape)))
    except AttributeError:
        return False


def _alike(value: Any, dtype: Any, shape: tuple[int, ...]) -> bool:
    return type(value) is ndarray and value.dtype is dtype and value.shape == shape


@takes("input", "weight", "bias")
def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None,
               eps: float = 1e-5) -> Any:
    """Normalise over the last dimensions, whose sizes `normalized_shape` gives.

    Ba et al., Layer Normalization, 2016. weight and bias have the shape normalized_shape: one
    number per element, unlike batch_norm's one per channel. RuntimeError if shapes do not fit.

    >>> import minigrad as torch
    >>> torch.nn.functional.layer_norm(torch.tensor([[1., 3.], [5., 9.]]), (2,))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """
    if type(eps) is float and _fits(input, normalized_shape, weight, bias):
        return LAYER_NORM.run(input, weight, bias, len(normalized_shape), eps)
    _check_mixed("layer_norm", _check.tensor(input, "layer_norm"), weight)
    dims = _check_normalized("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None:
            _check_dtype("layer_norm", name, value, input)
    _check.number(eps, "layer_norm", "eps")
    return _layer_norm(input, weight, bias, dims, eps)


@takes("input", "weight")
def rms_norm(input: Any, normalized_shape: Any, weight: Any = None,
             eps: float | None = None) -> Any:
    """Return input / sqrt(mean(input ** 2) + eps) * weight over the last dimensions.

    Zhang & Sennrich, Root Mean Square Layer Normalization, 2019: layer_norm without the mean and
    the bias. eps=None: the machine epsilon of the dtype computed in, float32 for float16.

    >>> import minigrad as torch
    >>> torch.nn.functional.rms_norm(torch.tensor([[1., 7.]]), (2,))
    tensor([[0.2000, 1.4000]])
    """
    dims = _check_normalized("rms_norm", input, normalized_shape, weight=weight)
    if eps is None:
        dtype = np.float64 if input._data.dtype == np.float64 else np.float32
        eps = float(np.finfo(dtype).eps)
    _check.number(eps, "rms_norm", "eps")
    return _rms_norm(input, weight, dims, eps)
