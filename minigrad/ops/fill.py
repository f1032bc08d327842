"""Making filled tensors: zeros, ones, ranges, the identity, and forms like another tensor."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import _check
from .._dtype import bool_, from_numpy, get_default_dtype, int64, to_dtype
from ..engine import wrap
from ..kernels.layout import empty as layout_of
from ..kernels.layout import unset_like as dense_like
from ..outputs import write

ndarray = np.ndarray


# ------------------------------------------------------------------------------------ common parts
def finish(array: ndarray, layout: Any, device: Any, pin_memory: bool, requires_grad: bool,
           out: Any = None) -> Any:
    """Wrap a new array as a leaf, or write it into `out`; refuse what is not the CPU's memory."""
    if layout is not None or device is not None or pin_memory:
        _check.place(layout, device, pin_memory)
    if out is not None:
        write("out=", array, out, warn=False)
        return out.requires_grad_() if requires_grad else out
    made = wrap(array, None)
    if requires_grad is False:
        return made
    return made.requires_grad_() if _check.flag(requires_grad, "requires_grad") else made


def numpy_dtype(dtype: Any, out: Any = None) -> np.dtype[Any]:
    """Return the NumPy dtype an argument means; None: that of `out`, or the default dtype."""
    if dtype is None:
        return get_default_dtype().numpy if out is None else out._data.dtype
    found = to_dtype(dtype).numpy
    if out is not None and out._data.dtype != found:
        raise RuntimeError(f"dtype {found.name} does not match dtype of out parameter "
                           f"({out._data.dtype.name})")
    return found


def _sized(name: str, args: tuple[Any, ...], size: Any) -> tuple[int, ...]:
    if size is not None:
        if not isinstance(size, (tuple, list)):
            raise TypeError(f"{name}(): argument 'size' must be tuple of ints, not "
                            f"{type(size).__name__}")
        args = (size,)
    elif not args:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    return _check.new_sizes(name, args)


def _like(input: Any, name: str, dtype: Any) -> tuple[ndarray, np.dtype[Any]]:
    array = _check.tensor(input, name)._data
    return array, array.dtype if dtype is None else to_dtype(dtype).numpy


def unset_like(array: ndarray, dtype: Any, memory_format: Any) -> ndarray:
    """Return an unset array like another one, in its layout unless a format is asked for."""
    asked = _check.asked_format(memory_format)
    return dense_like(array, dtype) if asked is None else layout_of(array.shape, dtype, asked)


# ------------------------------------------------------------------------------------- one value
def empty(*args: Any, size: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
          device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
          memory_format: Any = None) -> Any:
    """Return a tensor whose values are not set."""
    asked = _check.asked_format(memory_format)
    if memory_format is not None and asked is None:
        raise RuntimeError("empty: there is no format to preserve; torch.preserve_format is for "
                           "empty_like")
    shape, kind = _sized("empty", args, size), numpy_dtype(dtype, out)
    array = np.empty(shape, kind) if asked is None else layout_of(shape, kind, asked)
    return finish(array, layout, device, pin_memory, requires_grad, out)


def zeros(*args: Any, size: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
          device: Any = None, pin_memory: bool = False, requires_grad: bool = False) -> Any:
    """Return a tensor of zeros.

    >>> import minigrad as torch
    >>> torch.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    array = np.zeros(_sized("zeros", args, size), numpy_dtype(dtype, out))
    return finish(array, layout, device, pin_memory, requires_grad, out)


def ones(*args: Any, size: Any = None, out: Any = None, dtype: Any = None, layout: Any = None,
         device: Any = None, pin_memory: bool = False, requires_grad: bool = False) -> Any:
    """Return a tensor of ones.

    >>> import minigrad as torch
    >>> torch.ones(2, dtype=torch.int64)
    tensor([1, 1])
    """
    array = np.ones(_sized("ones", args, size), numpy_dtype(dtype, out))
    return finish(array, layout, device, pin_memory, requires_grad, out)


def full(size: Any, fill_value: Any, *, out: Any = None, dtype: Any = None, layout: Any = None,
         device: Any = None, pin_memory: bool = False, requires_grad: bool = False) -> Any:
    """Return a tensor filled with a number; its dtype is the number's unless one is given.

    >>> import minigrad as torch
    >>> torch.full((2,), 3.5)
    tensor([3.5000, 3.5000])
    """
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not "
                        f"{type(size).__name__}")
    value = _value(fill_value)
    if dtype is None and out is None:
        dtype = (bool_ if isinstance(value, bool) else
                 int64 if isinstance(value, int) else get_default_dtype())
    array = _filled(_check.new_sizes("full", (size,)), value, numpy_dtype(dtype, out))
    return finish(array, layout, device, pin_memory, requires_grad, out)


def _value(number: Any) -> Any:
    if not hasattr(number, "item"):
        return number
    if getattr(number, "ndim", 0):
        raise TypeError(f"expected a number, not a {type(number).__name__} of {number.ndim} "
                        f"dimensions")
    return number.item()


def _filled(shape: tuple[int, ...], value: Any, dtype: np.dtype[Any]) -> ndarray:
    if not isinstance(value, (bool, int, float)):
        raise TypeError(f"argument 'fill_value' must be Number, not {type(value).__name__}")
    with np.errstate(over="ignore"):
        if dtype.kind == "f" or isinstance(value, float):
            value = np.float64(value).astype(dtype)
        elif dtype.kind == "u" and -np.iinfo(dtype).max <= value < 0:
            value += np.iinfo(dtype).max + 1
        try:
            return np.full(shape, value, dtype)
        except OverflowError:
            raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow: "
                               f"{value}") from None


def zeros_like(input: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, pin_memory: bool = False,
               memory_format: Any = None) -> Any:
    """Return zeros of another tensor's shape, and of its dtype unless one is given."""
    array, kind = _like(input, "zeros_like", dtype)
    made = unset_like(array, kind, memory_format)
    made.fill(0)
    return finish(made, layout, device, pin_memory, requires_grad)


def ones_like(input: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
              requires_grad: bool = False, pin_memory: bool = False,
              memory_format: Any = None) -> Any:
    """Return ones of another tensor's shape, and of its dtype unless one is given."""
    array, kind = _like(input, "ones_like", dtype)
    made = unset_like(array, kind, memory_format)
    made.fill(1)
    return finish(made, layout, device, pin_memory, requires_grad)


def empty_like(input: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, pin_memory: bool = False,
               memory_format: Any = None) -> Any:
    """Return an unset tensor of another tensor's shape, and of its dtype unless one is given."""
    array, kind = _like(input, "empty_like", dtype)
    return finish(unset_like(array, kind, memory_format), layout, device, pin_memory,
                  requires_grad)


def full_like(input: Any, fill_value: Any, *, dtype: Any = None, layout: Any = None,
              device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
              memory_format: Any = None) -> Any:
    """Return a tensor of another one's shape (and dtype unless one is given) filled with a number.

    >>> import minigrad as torch
    >>> torch.full_like(torch.zeros(2), 7)
    tensor([7., 7.])
    """
    array, kind = _like(input, "full_like", dtype)
    made = unset_like(array, kind, memory_format)
    made[...] = _filled((), _value(fill_value), kind)
    return finish(made, layout, device, pin_memory, requires_grad)


def empty_strided(size: Any, stride: Any, *, dtype: Any = None, layout: Any = None,
                  device: Any = None, requires_grad: bool = False,
                  pin_memory: bool = False) -> Any:
    """Return an unset tensor whose elements lie `stride` elements apart in each dimension."""
    shape, steps = _check.new_sizes("empty_strided", (size,)), tuple(stride)
    if len(shape) != len(steps):
        raise RuntimeError(f"dimensionality of sizes ({len(shape)}) must match dimensionality of "
                           f"strides ({len(steps)})")
    kind = numpy_dtype(dtype)
    last = sum((n - 1) * s for n, s in zip(shape, steps, strict=True)) if 0 not in shape else -1
    memory = np.empty(last + 1, kind)
    array = ndarray(shape, kind, memory, 0, tuple(s * kind.itemsize for s in steps))
    return finish(array, layout, device, pin_memory, requires_grad)


# ----------------------------------------------------------------------------------------- ranges
def arange(*args: Any, start: Any = None, end: Any = None, step: Any = None, out: Any = None,
           dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
           requires_grad: bool = False) -> Any:
    """Return `start, start + step, ...` below `end`: arange(end) or arange(start, end, step).

    int64 if all three are integers, else the default dtype.

    >>> import minigrad as torch
    >>> torch.arange(1, 2, 0.25)
    tensor([1.0000, 1.2500, 1.5000, 1.7500])
    """
    if len(args) > 3 or not (args or end is not None):
        raise TypeError(f"arange(): expected (end), (start, end) or (start, end, step), got "
                        f"{len(args)} positional arguments")
    if len(args) == 1 and end is None:
        end = args[0]
    else:
        names = dict(zip(("start", "end", "step"), args, strict=False))
        start, end, step = names.get("start", start), names.get("end", end), names.get("step", step)
    first, last, by = (_limit("arange", v, name) for name, v in (
        ("start", 0 if start is None else start), ("end", end),
        ("step", 1 if step is None else step)))
    if dtype is None and out is None:
        floats = any(isinstance(v, float) for v in (first, last, by))
        dtype = get_default_dtype() if floats else int64
    kind = numpy_dtype(dtype, out)
    if kind == np.int64 and by:  # PyTorch cuts them before counting, for this dtype alone
        first, last, by = int(first), int(last), int(by)
        if not by:
            raise ValueError("step must be nonzero in an integer dtype")
    array = _range(first, by, _steps(first, last, by), kind)
    return finish(array, layout, device, pin_memory, requires_grad, out)


def _limit(function: str, value: Any, name: str) -> Any:
    """Return a number (or what a tensor of one holds) that a range begins or ends with."""
    value = _value(value)
    if not isinstance(value, (int, float)):
        raise TypeError(f"{function}(): argument '{name}' must be a number, not "
                        f"{type(value).__name__}")
    return value


def _steps(first: Any, last: Any, by: Any) -> int:
    if by == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(first) and math.isfinite(last)):
        raise RuntimeError(f"unsupported range: {first} -> {last}")
    if (last - first) * by < 0:
        raise RuntimeError(f"upper bound and lower bound inconsistent with step sign: {first} -> "
                           f"{last} in steps of {by}")
    if isinstance(first, int) and isinstance(last, int) and isinstance(by, int):
        return -((first - last) // by)
    return math.ceil((last - first) / by)


def _range(first: Any, by: Any, count: int, kind: np.dtype[Any]) -> ndarray:
    if kind.kind != "f":
        first, by = int(first), int(by)
        if not by:
            raise ValueError("step must be nonzero in an integer dtype")
        return (np.arange(count, dtype=np.int64) * by + first).astype(kind, copy=False)
    return (np.arange(count) * by + first).astype(kind, copy=False)


@_check.takes()
def range_(start: Any = 0, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None,
           layout: Any = None, device: Any = None, pin_memory: bool = False,
           requires_grad: bool = False) -> Any:
    """Return `start, start + step, ...` up to and including `end` (deprecated: use `arange`)."""
    warnings.warn("torch.range is deprecated, because it includes its end unlike Python's range; "
                  "use torch.arange, which does not", UserWarning, stacklevel=2)
    if end is None:
        start, end = 0, start
    array = _range(start, step, int((end - start) / step + 1), numpy_dtype(dtype, out))
    return finish(array, layout, device, pin_memory, requires_grad, out)


def _spaced(start: Any, end: Any, steps: int, name: str, kind: np.dtype[Any]) -> ndarray:
    """Return equally spaced float64 numbers, exact at both ends and symmetric about the middle.

    For an integer dtype both ends are cut to integers first.
    """
    steps = _check.integer(steps, "steps")
    if steps < 0:
        raise RuntimeError(f"{name}: number of steps must be non-negative, got {steps}")
    if any(getattr(v, "ndim", 0) for v in (start, end)):
        raise RuntimeError(f"{name} only supports 0-dimensional start and end tensors")
    first, last = float(_limit(name, start, "start")), float(_limit(name, end, "end"))
    if kind.kind in "iu":
        first, last = float(int(first)), float(int(last))
    if steps == 1:
        return np.array([first])
    places, gap = np.arange(steps), (last - first) / max(steps - 1, 1)
    return np.where(places < steps // 2, first + gap * places, last - gap * (steps - 1 - places))


def linspace(start: Any, end: Any, steps: int, *, out: Any = None, dtype: Any = None,
             layout: Any = None, device: Any = None, pin_memory: bool = False,
             requires_grad: bool = False) -> Any:
    """Return `steps` equally spaced numbers from `start` to `end`, both included.

    >>> import minigrad as torch
    >>> torch.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    kind = numpy_dtype(dtype, out)
    array = _spaced(start, end, steps, "linspace", kind).astype(kind)
    return finish(array, layout, device, pin_memory, requires_grad, out)


def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, out: Any = None,
             dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
             requires_grad: bool = False) -> Any:
    """Return `steps` numbers from base^start to base^end whose logarithms are equally spaced.

    >>> import minigrad as torch
    >>> torch.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    kind = numpy_dtype(dtype, out)
    array = np.power(float(base), _spaced(start, end, steps, "logspace", kind))
    return finish(array.astype(kind), layout, device, pin_memory, requires_grad, out)


# --------------------------------------------------------------------------------------- matrices
def eye(n: int, m: int | None = None, *, out: Any = None, dtype: Any = None, layout: Any = None,
        device: Any = None, pin_memory: bool = False, requires_grad: bool = False) -> Any:
    """Return a matrix with ones on the diagonal and zeros elsewhere.

    >>> import minigrad as torch
    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    for name, value in (("n", n), ("m", n if m is None else m)):
        if value < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {value}")
    array = np.eye(n, m, dtype=numpy_dtype(dtype, out))
    return finish(array, layout, device, pin_memory, requires_grad, out)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64, device: Any = None,
                 layout: Any = None) -> Any:
    """Return the row and column indices of the lower triangle as a (2, n) tensor."""
    found = np.array(np.tril_indices(row, offset, col), to_dtype(dtype).numpy)
    return finish(found, layout, device, False, False)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64, device: Any = None,
                 layout: Any = None) -> Any:
    """Return the row and column indices of the upper triangle as a (2, n) tensor."""
    found = np.array(np.triu_indices(row, offset, col), to_dtype(dtype).numpy)
    return finish(found, layout, device, False, False)


# ------------------------------------------------------------------------------------ Tensor.new_*
def _new(name: str, make: Any, input: Any, args: tuple[Any, ...], dtype: Any,
         options: dict[str, Any]) -> Any:
    unknown = options.keys() - {"size", "layout", "device", "pin_memory", "requires_grad",
                                "fill_value"}
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument '{min(unknown)}'")
    dtype = from_numpy[_check.tensor(input, name)._data.dtype] if dtype is None else dtype
    return make(*args, dtype=dtype, **options)


def new_zeros(input: Any, *size: Any, dtype: Any = None, **options: Any) -> Any:
    """Return zeros of a shape, in this tensor's dtype unless one is given."""
    return _new("new_zeros", zeros, input, size, dtype, options)


def new_ones(input: Any, *size: Any, dtype: Any = None, **options: Any) -> Any:
    """Return ones of a shape, in this tensor's dtype unless one is given."""
    return _new("new_ones", ones, input, size, dtype, options)


def new_empty(input: Any, *size: Any, dtype: Any = None, **options: Any) -> Any:
    """Return an unset tensor of a shape, in this tensor's dtype unless one is given."""
    return _new("new_empty", empty, input, size, dtype, options)


def new_full(input: Any, size: Any, fill_value: Any, *, dtype: Any = None, **options: Any) -> Any:
    """Return a filled tensor of a shape, in this tensor's dtype unless one is given."""
    return _new("new_full", full, input, (size, fill_value), dtype, options)
