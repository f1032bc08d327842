"""Random tensors: new ones, ones like another tensor, and writing random numbers in place.

Every function takes `generator=`; None means the default one, which `manual_seed` restarts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check, _dtype, _random
from .._dtype import int64, to_dtype
from ..engine import op, wrap
from ..outputs import into
from ..views import inplace
from .convert import fill
from .fill import finish, numpy_dtype, unset_like

ndarray = np.ndarray


def _float_kind(name: str, kind: np.dtype[Any]) -> np.dtype[Any]:
    if kind.kind != "f":
        raise NotImplementedError(f"{name} is not implemented for {kind.name}: it draws floating "
                                  f"point numbers; give a floating dtype, or use randint")
    return kind


def _sized(name: str, args: tuple[Any, ...], size: Any) -> tuple[int, ...]:
    if size is None and not args:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    if size is not None and not isinstance(size, (tuple, list)):
        raise TypeError(f"{name}(): argument 'size' must be tuple of ints, not "
                        f"{type(size).__name__}")
    return _check.new_sizes(name, args if size is None else (size,))


# ---------------------------------------------------------------------------------- new tensors
def rand(*args: Any, size: Any = None, generator: Any = None, out: Any = None, dtype: Any = None,
         layout: Any = None, device: Any = None, requires_grad: bool = False,
         pin_memory: bool = False) -> Any:
    """Return numbers drawn uniformly from [0, 1).

    >>> import minigrad as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.rand(2, 3).shape
    torch.Size([2, 3])
    """
    kind = _float_kind("rand", numpy_dtype(dtype, out))
    array = _random.uniform(_sized("rand", args, size), kind, generator)
    return finish(array, layout, device, pin_memory, requires_grad, out)


def randn(*args: Any, size: Any = None, generator: Any = None, out: Any = None, dtype: Any = None,
          layout: Any = None, device: Any = None, requires_grad: bool = False,
          pin_memory: bool = False) -> Any:
    """Return numbers drawn from the standard normal distribution."""
    kind = _float_kind("randn", numpy_dtype(dtype, out))
    array = _random.normal(_sized("randn", args, size), kind, generator)
    return finish(array, layout, device, pin_memory, requires_grad, out)


def _integers(low: int, high: int, shape: tuple[int, ...], kind: np.dtype[Any],
              generator: Any) -> ndarray:
    if not low < high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= "
                           f"to={high}")
    limits = np.iinfo(kind) if kind.kind in "iu" else None
    least, most = (limits.min, limits.max) if limits else (0, 1) if kind.kind == "b" else (
        -(1 << np.finfo(kind).nmant + 1), 1 << np.finfo(kind).nmant + 1)
    if low < least or high - 1 > most:
        raise RuntimeError(f"{'from' if low < least else 'to - 1'} is out of bounds for {kind.name}"
                           f": got [{low}, {high})")
    return _random.integers(low, high, shape, generator).astype(kind, copy=False)


def _bounds(name: str, low: Any, high: Any) -> tuple[int, int]:
    for value in (low, high):
        if not hasattr(value, "__index__"):
            raise TypeError(f"{name}(): the bounds must be integers, got {low!r} and {high!r}")
    return low.__index__(), high.__index__()


def randint(*args: Any, low: Any = None, high: Any = None, size: Any = None, generator: Any = None,
            out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
            requires_grad: bool = False, pin_memory: bool = False) -> Any:
    """Return integers drawn uniformly from [low, high): randint(high, size) starts at 0.

    >>> import minigrad as torch
    >>> torch.randint(3, 4, (2,))
    tensor([3, 3])
    """
    found = list(args)
    if size is None and found:
        size = found.pop()
    if len(found) == 2:
        low, high = found
    elif found:
        low, high = (found[0], high) if high is not None else (low, found[0])
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint(): argument 'size' must be tuple of ints, not "
                        f"{type(size).__name__}")
    first, last = _bounds("randint", 0 if low is None else low, high)
    kind = int64.numpy if dtype is None and out is None else numpy_dtype(dtype, out)
    array = _integers(first, last, _check.new_sizes("randint", (size,)), kind, generator)
    return finish(array, layout, device, pin_memory, requires_grad, out)


def randperm(n: int, *, generator: Any = None, out: Any = None, dtype: Any = int64,
             layout: Any = None, device: Any = None, requires_grad: bool = False,
             pin_memory: bool = False) -> Any:
    """Return the numbers 0 ... n - 1 in random order."""
    if n < 0:
        raise RuntimeError(f"randperm: n must be non-negative, got {n}")
    kind = to_dtype(dtype).numpy
    if kind.kind in "iu" and n - 1 > np.iinfo(kind).max:
        raise RuntimeError(f"n is too large for result tensor type: {n} numbers in {kind.name}")
    array = _random.permutation(n, generator).astype(kind, copy=False)
    return finish(array, layout, device, pin_memory, requires_grad, out)


def _like(name: str, input: Any, dtype: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    array = _check.tensor(input, name)._data
    return array.shape, array.dtype if dtype is None else to_dtype(dtype).numpy


def _laid_out(values: ndarray, input: Any, memory_format: Any) -> ndarray:
    """Return random values in the layout of another tensor unless a format is asked for."""
    if _check.asked_format(memory_format) is None and input._data.flags.c_contiguous:
        return values
    made = unset_like(input._data, values.dtype, memory_format)
    made[...] = values
    return made


def rand_like(input: Any, *, generator: Any = None, dtype: Any = None, layout: Any = None,
              device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
              memory_format: Any = None) -> Any:
    """Return uniform numbers from [0, 1) in another tensor's shape and dtype."""
    shape, kind = _like("rand_like", input, dtype)
    array = _random.uniform(shape, _float_kind("rand_like", kind), generator)
    array = _laid_out(array, input, memory_format)
    return finish(array, layout, device, pin_memory, requires_grad)


def randn_like(input: Any, *, generator: Any = None, dtype: Any = None, layout: Any = None,
               device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
               memory_format: Any = None) -> Any:
    """Return standard normal numbers in another tensor's shape and dtype."""
    shape, kind = _like("randn_like", input, dtype)
    array = _random.normal(shape, _float_kind("randn_like", kind), generator)
    array = _laid_out(array, input, memory_format)
    return finish(array, layout, device, pin_memory, requires_grad)


def randint_like(input: Any, *args: Any, low: Any = None, high: Any = None, generator: Any = None,
                 dtype: Any = None, layout: Any = None, device: Any = None,
                 requires_grad: bool = False, memory_format: Any = None) -> Any:
    """Return integers from [low, high) (or from [0, high)) in another tensor's shape and dtype."""
    if len(args) == 2:
        low, high = args
    elif args:
        high = args[0]
    shape, kind = _like("randint_like", input, dtype)
    first, last = _bounds("randint_like", 0 if low is None else low, high)
    array = _laid_out(_integers(first, last, shape, kind, generator), input, memory_format)
    return finish(array, layout, device, False,
                  requires_grad)


# ----------------------------------------------------------------- drawn by a tensor's own numbers
@op(mean=lambda g: fill(g, 0.0), std=lambda g: fill(g, 0.0),
    shown=lambda mean_shape, std_shape:
    f"NormalBackward{3 if mean_shape and std_shape else 1 if mean_shape else 2}",
    explain=_check.broadcast_error)
def _normal(mean: Any, std: Any, generator: Any) -> Any:
    kind = getattr(mean, "dtype", None) or std.dtype
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std))
    if np.min(std, initial=np.inf) < 0:
        raise RuntimeError(f"normal expects all elements of std >= 0.0, but found {np.min(std)}")
    return np.asarray(_random.normal(shape, _float_kind("normal", kind), generator) * std + mean,
                      kind)


def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None, out: Any = None,
           dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
           pin_memory: bool = False) -> Any:
    """Return normal numbers: one per element of the tensors `mean` and `std`, or of a `size`.

    Gradients do not flow through the draw (they are zero): use `mean + std * torch.randn(...)`.

    >>> import minigrad as torch
    >>> torch.normal(torch.tensor([1., 2.]), 0.)
    tensor([1., 2.])
    """
    if size is None:
        made = _normal(mean, std, generator)
        return made if out is None else into("normal", made, out, (mean, std))
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    kind = _float_kind("normal", numpy_dtype(dtype, out))
    array = _random.normal(_check.new_sizes("normal", (size,)), kind, generator)
    array *= kind.type(std)
    array += kind.type(mean)
    return finish(array, layout, device, pin_memory, requires_grad, out)


def _chance(p: ndarray) -> ndarray:
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise RuntimeError("bernoulli: expected probabilities p_in >= 0 && p_in <= 1, got a range "
                           f"of {p.min()} to {p.max()}")
    return p


@op(input=lambda g: fill(g, 0.0))
def _bernoulli(input: Any, generator: Any) -> Any:
    p = _chance(input)
    kind = _float_kind("bernoulli", input.dtype)
    return np.asarray(_random.uniform(input.shape, np.float64, generator) < p).astype(kind)


def bernoulli(input: Any, p: float | None = None, *, generator: Any = None, out: Any = None) -> Any:
    """Return 1 with the probability that each element gives (or with probability `p`), else 0.

    >>> import minigrad as torch
    >>> torch.bernoulli(torch.tensor([0., 1.]))
    tensor([0., 1.])
    """
    if p is not None:
        return bernoulli_(wrap(np.empty_like(_check.tensor(input, "bernoulli")._data), None), p,
                          generator=generator)
    made = _bernoulli(input, generator)
    return made if out is None else into("bernoulli", made, out, (input,))


def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None,
                out: Any = None) -> Any:
    """Draw indices with probabilities proportional to the elements of each row.

    Without replacement: the largest p / e with e from the exponential distribution (Efraimidis and
    Spirakis 2006). The rows need not sum to 1.

    >>> import minigrad as torch
    >>> torch.multinomial(torch.tensor([0., 3., 0.]), 2, replacement=True)
    tensor([1, 1])
    """
    p = _check.tensor(input, "multinomial")._data
    if p.dtype.kind != "f":
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: "
                           f"{_dtype.dtype_of(p)}")
    if p.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, got {p.ndim}")
    if num_samples <= 0 or (num_samples > p.shape[-1] and not replacement):
        raise RuntimeError(f"cannot sample n_sample={num_samples} from {p.shape[-1]} categories "
                           f"{'with' if replacement else 'without'} replacement")
    if p.size and not (np.isfinite(p).all() and p.min() >= 0):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    p = p.astype(np.float64)
    total = p.sum(-1, keepdims=True)
    if not total.all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if replacement:
        draws = _random.uniform((*p.shape[:-1], num_samples), np.float64, generator) * total
        ends = p.cumsum(-1)
        found = (ends[..., None, :] <= draws[..., None]).sum(-1)
        last = p.shape[-1] - 1 - (p[..., ::-1] > 0).argmax(-1)
        found = np.minimum(found, last[..., None])  # the sum of the parts may miss the total
    else:
        keys = p / _exponential(p.shape, np.dtype(np.float64), 1.0, generator)
        found = np.argsort(-keys, -1, kind="stable")[..., :num_samples].copy()
    made = wrap(found.astype(np.int64, copy=False), None)
    return made if out is None else into("multinomial", made, out, (input,))


# --------------------------------------------------------------------------------------- in place
def _exponential(shape: tuple[int, ...], kind: np.dtype[Any], rate: float,
                 generator: Any) -> ndarray:
    u = 1 - _random.uniform(shape, np.float64, generator)  # in (0, 1]
    u = np.maximum(np.atleast_1d(_random._minus_log(np.atleast_1d(u))), np.finfo(np.float64).tiny)
    return (u.reshape(shape) / rate).astype(kind)


def _put_uniform(input: ndarray, low: float, high: float, generator: Any) -> None:
    kind = _float_kind("uniform_", input.dtype)
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > "
                           f"to={high}")
    u = _random.uniform(input.shape, kind, generator)
    input[...] = u * kind.type(high - low) + kind.type(low)


def _put_normal(input: ndarray, mean: float, std: float, generator: Any) -> None:
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    kind = _float_kind("normal_", input.dtype)
    input[...] = _random.normal(input.shape, kind, generator) * kind.type(std) + kind.type(mean)


def _put_bernoulli(input: ndarray, p: Any, generator: Any) -> None:
    if isinstance(p, ndarray):
        if p.dtype.kind != "f" or not _fits(p.shape, input.shape):
            raise RuntimeError(f"bernoulli_: expected probabilities of a floating dtype that "
                               f"broadcast to {list(input.shape)}, got {p.dtype.name} of shape "
                               f"{list(p.shape)}")
        input[...] = _random.uniform(input.shape, np.float64, generator) < _chance(p)
        return
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    input[...] = _random.bernoulli(input.shape, p, generator)


def _fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    """Return True if arrays of a shape broadcast to another one."""
    pairs = zip(reversed(shape), reversed(into), strict=False)
    return len(shape) <= len(into) and all(n in (1, m) for n, m in pairs)


def _put_exponential(input: ndarray, lambd: float, generator: Any) -> None:
    kind = input.dtype
    if kind.kind != "f":
        raise RuntimeError(f"Exponential distribution is a continuous probability distribution. "
                           f"dtype must be a floating point but you specified "
                           f"{_dtype.dtype_of(input)}")
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    input[...] = _exponential(input.shape, kind, lambd, generator)


def _put_random(input: ndarray, low: int, high: int | None, generator: Any) -> None:
    kind = input.dtype
    if high is None:
        high = (2 if kind.kind == "b" else np.iinfo(kind).max + 1 if kind.kind in "iu" else
                (1 << np.finfo(kind).nmant + 1) + 1)
    input[...] = _integers(low, high, input.shape, kind, generator)


_SHOWN = {_put_uniform: "Uniform", _put_normal: "Normal", _put_bernoulli: "Bernoulli",
          _put_exponential: "Exponential", _put_random: "Random"}


@op(input=lambda g: fill(g, 0.0), mutate=lambda input, put, options: put(input, *options),
    shown=lambda put: f"{_SHOWN[put]}Backward{2 if put in (_put_bernoulli, _put_random) else 0}")
def draw(input: Any, put: Any, options: tuple[Any, ...]) -> Any:
    """Return random numbers in this shape and dtype; what was there has gradient zero."""
    y = np.empty_like(input)
    put(y, *options)
    return y


def uniform_(input: Any, from_: float = 0.0, to: float = 1.0, *, generator: Any = None) -> Any:
    """Fill the tensor with numbers drawn uniformly from [from, to)."""
    return inplace(draw, (input, _put_uniform, (from_, to, generator)))


@_check.takes("input")
def normal_(input: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Any:
    """Fill the tensor with numbers from the normal distribution."""
    return inplace(draw, (input, _put_normal, (mean, std, generator)))


def bernoulli_(input: Any, p: Any = 0.5, *, generator: Any = None) -> Any:
    """Fill the tensor with 1 with probability `p` (a number or a tensor), else 0."""
    return inplace(draw, (input, _put_bernoulli, (getattr(p, "_data", p), generator)))


@_check.takes("input")
def exponential_(input: Any, lambd: float = 1.0, *, generator: Any = None) -> Any:
    """Fill the tensor with numbers of density lambd * exp(-lambd x), x > 0."""
    return inplace(draw, (input, _put_exponential, (lambd, generator)))


def random_(input: Any, *args: Any, generator: Any = None, **bounds: Any) -> Any:
    """Fill the tensor with integers: random_(to), random_(from, to), or all its dtype can hold."""
    if bounds.keys() - {"from", "to"}:
        raise TypeError(f"random_() got an unexpected keyword argument '{min(bounds)}'; it knows "
                        f"from, to, generator")
    args = (*args, *(bounds[key] for key in ("from", "to") if key in bounds))
    if len(args) > 2:
        raise TypeError(f"random_() takes at most (from, to), got {len(args)} bounds")
    low, high = (0, *args) if len(args) == 1 else args or (0, None)
    return inplace(draw, (input, _put_random, (low, high, generator)))
