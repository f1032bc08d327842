"""Argument checks, one function per kind of argument: torch's exception classes, our sentences.

Only forwards and public functions call them, and only where NumPy itself would not refuse.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ._device import check_memory_format, preserve_format, strided, to_device
from ._dtype import to_dtype

F = TypeVar("F", bound=Callable[..., Any])
KINDS: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (int, float),
                                      "str": (str,)}


def dim(value: int, ndim: int, name: str = "dim") -> int:
    """Return `value` as an axis in [0, ndim); a 0-d tensor has the axes 0 and -1."""
    size = ndim or 1
    if not -size <= value < size:
        if not _stands_for(value, "int"):
            raise TypeError(f"argument '{name}' must be int, not {_shown(value)}")
        raise IndexError(f"Dimension out of range (expected to be in range of [{-size}, "
                         f"{size - 1}], but got {value}): argument '{name}' of a {ndim}-d tensor")
    return value + size if value < 0 else value


def dims(value: Any, ndim: int, name: str = "dim") -> tuple[int, ...]:
    """Return an axis, a sequence of axes, or None (all axes) as a tuple without repetitions."""
    if type(value) is int:
        return (dim(value, ndim, name),) if ndim else dims((value,), ndim, name)
    if value is None:
        return tuple(range(ndim))
    if isinstance(value, np.integer):
        value = (value,)
    elif isinstance(value, np.ndarray) and value.ndim:
        raise TypeError(f"argument '{name}' must be an int or a tuple of ints, not Tensor; "
                        f"convert it with .tolist()")
    found = tuple([dim(v, ndim, name) for v in value])
    if len(found) > 1 and len(set(found)) != len(found):
        raise RuntimeError(f"dim {max(found, key=found.count)} appears multiple times in the list "
                           f"of dims (argument '{name}')")
    return found if ndim else ()


def sizes(args: Sequence[Any]) -> tuple[int, ...]:
    """Return the sizes given as `f(2, 3)`, `f((2, 3))` or `f(Size)` as one tuple."""
    for a in args:
        if type(a) is not int:
            break
    else:
        return tuple(args)
    if len(args) == 1 and not isinstance(args[0], (int, np.integer)):
        args = args[0] if isinstance(args[0], (tuple, list)) else (args[0],)
    return tuple(int(a) if isinstance(a, (int, np.integer)) else _index(a) for a in args)


def _index(value: Any) -> int:
    try:
        return value.__index__()
    except (AttributeError, TypeError):
        raise TypeError(f"size: expected integers, got {type(value).__name__}") from None


def broadcast_error(*arrays: Any, **_: Any) -> Exception:
    """Explain why shapes cannot be broadcast: the first pair of sizes that do not match."""
    shapes = [np.shape(a) for a in arrays if isinstance(a, np.ndarray)]
    for k in range(1, 1 + max(map(len, shapes), default=0)):
        found = {s[-k] for s in shapes if len(s) >= k} - {1}
        if len(found) > 1:
            a, b = [s[-k] for s in shapes if len(s) >= k and s[-k] != 1][:2]
            at = max(map(len, shapes)) - k
            return RuntimeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton"
                f" dimension {at}: shapes {' and '.join(str(list(s)) for s in shapes)} do not "
                f"broadcast; unsqueeze, expand or reshape one of them")
    return RuntimeError(f"the shapes {' and '.join(str(list(s)) for s in shapes)} do not fit")


def floats(name: str, *arrays: Any) -> None:
    """Refuse arrays that are not of a floating dtype, for functions that are not for integers."""
    for array in arrays:
        if array.dtype.kind != "f":
            raise NotImplementedError(f"{name}() is not implemented for {array.dtype}: it takes "
                                      f"floating point tensors; convert with .float() first")


def integer(value: Any, name: str) -> int:
    """Return an argument that must be an integer (an int, or an integer tensor of one element)."""
    if hasattr(value, "__index__") and not isinstance(value, bool):
        number = int(value.__index__())
        if not -(2**63) <= number < 2**63:
            raise RuntimeError(f"Overflow when unpacking long: argument '{name}' must fit into 64 "
                               f"bits, got {number}")
        return number
    raise TypeError(f"argument '{name}' must be int, not {type(value).__name__}")


def tensor(value: Any, function: str, name: str = "input", position: int = 1) -> Any:
    """Return an argument that must be a Tensor."""
    data = getattr(value, "_data", None)
    if type(data) is not np.ndarray and not getattr(data, "stands_for_array", False):
        raise TypeError(f"{function}(): argument '{name}' (position {position}) must be Tensor, "
                        f"not {type(value).__name__}; {remedy(value)}")
    return value


def array(value: Any, function: str, name: str, position: int) -> None:
    """Refuse inside of an op what was no Tensor."""
    if not hasattr(value, "strides"):  # nor an array of vmap, which knows shapes only
        raise TypeError(f"{function}(): argument '{name}' (position {position}) must be Tensor, "
                        f"not {type(value).__name__}; convert it with minigrad.as_tensor")


def remedy(value: Any) -> str:
    """Say what to do with an argument that is no Tensor."""
    if hasattr(type(value), "__torch_function__"):
        return ("import minigrad.overrides before the first call, so that functions look for its "
                "__torch_function__")
    return "convert it with minigrad.as_tensor"


def tensors(function: str, **values: Any) -> None:
    """Refuse arguments that are not Tensors; the first is at position 1."""
    for position, (name, value) in enumerate(values.items(), start=1):
        tensor(value, function, name, position)


def takes(*names: str, error: type[Exception] = TypeError) -> Callable[[F], F]:
    """Decorate a function: if it fails, and because an argument is of a wrong type, say that.

    The arguments `names` must be Tensors (`name?`: or None), those annotated bool, int, float or
    str must be that, and all may be their defaults. Nothing is looked at while the function works.
    `error` is the class for the first, AttributeError where PyTorch's function is Python.
    """
    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **given: Any) -> Any:
            try:
                return function(*args, **given)
            except Exception as problem:
                found = wrong_type(function, names, args, given)
                if found is None and is_inner(problem):
                    raise cannot_take(function.__name__, problem, [*args, *given.values()]
                                      ) from problem
                if found is None:
                    raise
            raise (error if "(position 1)" in found else TypeError)(found)
        return call  # type: ignore[return-value]
    return decorate


# Errors that only say what went wrong inside: they get the function's name and arguments.
AMBIGUOUS = "Boolean value of Tensor"  # a tensor where an option is expected
INNER = (OverflowError, AttributeError)
INNER_TEXTS = ("not subscriptable", "operands could not", "ufunc", "list index out of",
               "tuple index out of", "setting an array", "only length-1", "unpack",
               "axes don't match", "not iterable", "not callable", "unhashable",
               "not supported between", "unsupported operand", AMBIGUOUS)


# Where a tensor whose truth is asked for was an option of a public function.
FUNCTIONS = ("minigrad.ops.", "minigrad._functions", "minigrad._methods", "minigrad.linalg",
             "minigrad._check", "minigrad._dispatch")
HELPERS = ("minigrad._check", "minigrad._dispatch")


def no_truth(value: Any) -> RuntimeError:
    """Return the error for the truth of a tensor that has not one element."""
    return RuntimeError(f"{AMBIGUOUS} with {'more than one value' if value.size else 'no values'} "
                        f"is ambiguous: use .any() or .all()")


def ambiguous(value: Any) -> Exception:
    """Return the error for `if tensor:`; inside of a public function the tensor was an option."""
    error = no_truth(value)
    frame: Any = sys._getframe(2)
    outer = None
    while frame is not None and _home(frame).startswith(FUNCTIONS):
        outer = outer if _home(frame) in HELPERS else frame
        frame = frame.f_back
    if outer is None:
        return error
    code = outer.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    return cannot_take(code.co_name.lstrip("_"), error,
                       [outer.f_locals.get(name) for name in code.co_varnames[:count]])


def _home(frame: Any) -> str:
    if frame.f_code.co_filename.endswith("_bootstrap)"):  # see _dispatch.unseen
        return "minigrad._dispatch"
    return str(frame.f_globals.get("__name__"))


def is_inner(error: Exception) -> bool:
    """Return True for an error of Python or NumPy that says nothing about the call."""
    text = str(error)
    return "cannot take these arguments" not in text and (
        isinstance(error, INNER) or any(part in text for part in INNER_TEXTS))


def cannot_take(function: str, error: Exception, args: Any) -> Exception:
    """Return an error with a function's arguments, of torch's class where it is known."""
    given = []
    for a in args:
        a = getattr(a, "_data", a)
        given.append(f"a tensor of shape {list(a.shape)} and dtype {a.dtype}"
                     if hasattr(a, "strides") else repr(a)[:60])
    wrong = isinstance(error, (TypeError, AttributeError)) or AMBIGUOUS in str(error)
    kind = TypeError if wrong else RuntimeError
    return kind(f"{function}() cannot take these arguments: {', '.join(given)} ({error})")


def _stands_for(value: Any, kind: str) -> bool:
    """Return True for an option of the type it must have, also for a number in another coat."""
    if isinstance(value, np.generic) or getattr(value, "shape", None) == ():
        data = getattr(value, "_data", value)
        return kind != "int" or data.dtype.kind in "iub"
    return kind not in KINDS or isinstance(value, KINDS[kind])


def _shown(value: Any) -> str:
    data = getattr(value, "_data", value)
    if isinstance(data, np.ndarray):
        return f"Tensor of shape {list(data.shape)} and dtype {data.dtype}"
    return f"{type(value).__name__} {value!r}"[:200]


def wrong_type(function: Callable[..., Any], names: Sequence[str], args: Sequence[Any],
               given: dict[str, Any]) -> str | None:
    """Return a sentence on the first argument whose type is wrong, or None."""
    parameters = inspect.signature(function).parameters
    values = dict(zip(parameters, args, strict=False)) | given
    for parameter in parameters.values():
        if parameter.name not in values and parameter.default is parameter.empty and (
                parameter.kind is parameter.POSITIONAL_OR_KEYWORD):
            return None  # what Python says of a missing argument is clear
    for position, (name, parameter) in enumerate(parameters.items(), start=1):
        value = values.get(name, parameter.default)
        if value is parameter.default:
            continue
        kind = str(parameter.annotation).removesuffix(" | None")
        if name in names or f"{name}?" in names:
            kind, right = "Tensor", hasattr(value, "_data")
            right = right or (value is None and name not in names)
        else:
            right = _stands_for(value, kind)
        if not right:
            layer = function.__name__ == "__init__"  # position 1 is self
            where = (f"{type(args[0]).__name__}: argument '{name}'" if layer else
                     f"{function.__name__.lstrip('_')}(): argument '{name}' (position {position})")
            return (f"{where} must be {'float, a number' if kind == 'float' else kind}, not "
                    f"{_shown(value)}")
    return None


def listed(value: Any, where: str, name: str, of: str) -> list[Any]:
    """Return the items of an argument that must be a sequence (or another iterable)."""
    if not hasattr(value, "__iter__"):
        raise TypeError(f"{where}: argument '{name}' must be a sequence of {of}, got "
                        f"{_shown(value)}")
    return list(value)


def function(value: Any, where: str, name: str = "func") -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise TypeError(f"{where}: argument '{name}' must be a function, got {_shown(value)}")


def member(value: Any, attribute: str, where: str, name: str, kind: str) -> None:
    """Refuse what is no object of a kind, which is known by an attribute."""
    if not hasattr(value, attribute):
        raise TypeError(f"{where}: argument '{name}' must be {kind}, got {_shown(value)}")


def number(value: Any, function: str, name: str) -> None:
    """Refuse what is not a number (or a tensor of one)."""
    if isinstance(value, (str, list, tuple, dict)) or value is None:
        raise TypeError(f"{function}(): argument '{name}' must be a number, not "
                        f"{type(value).__name__} {value!r}")


def new_sizes(function: str, args: Sequence[Any]) -> tuple[int, ...]:
    """Return the shape of a new tensor, given as `f(2, 3)` or `f((2, 3))`."""
    first = args[0]
    if type(first) is bool:
        raise TypeError(f"{function}(): argument 'size' (position 1) must be tuple of ints, not "
                        f"bool")
    if isinstance(first, (tuple, list)):
        if len(args) > 1:
            raise TypeError(f"{function}() takes 1 positional argument but {len(args)} were given")
        args = first
    for k, value in enumerate(args, start=1):
        if type(value) is not int and not hasattr(value, "__index__"):
            raise TypeError(f"{function}(): argument 'size' (position {k}) must be tuple of ints, "
                            f"not {type(value).__name__}")
    shape = tuple(v if type(v) is int else v.__index__() for v in args)
    if min(shape, default=0) < 0:
        raise RuntimeError(f"{function}: Dimension size must be non-negative, got {list(shape)}")
    return shape


def flag(value: Any, name: str) -> bool:
    """Refuse what is no bool (None stands for False)."""
    if value is not None and not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"argument '{name}' must be bool, not {type(value).__name__}")
    return bool(value)


def place(layout: Any, device: Any, pin_memory: bool) -> None:
    """Refuse layouts, devices and memory that are not the CPU's dense ones."""
    to_device(device)
    if layout is not None and layout is not strided:
        kind = RuntimeError if isinstance(layout, type(strided)) else TypeError
        raise kind(f"layout: only torch.strided is supported, got {layout!r}")
    if pin_memory:
        raise RuntimeError("pin_memory=True requires an accelerator, and minigrad computes on the "
                           "CPU only; leave it out")


def asked_format(memory_format: Any) -> Any:
    """Return the memory format that is asked for: None for None and preserve_format."""
    if memory_format is None:
        return None
    check_memory_format(memory_format)
    return None if memory_format is preserve_format else memory_format


def dtype(value: Any, function: str) -> Any:
    """Return the dtype an argument means."""
    try:
        return to_dtype(value)
    except TypeError:
        raise TypeError(f"{function}(): argument 'dtype' must be torch.dtype, not "
                        f"{type(value).__name__}; such as torch.float32") from None


def ints(value: Any, n: int, where: str, name: str) -> tuple[int, ...]:
    """Return an int or a sequence of 1 or n ints as n ints."""
    if type(value) is int:
        return (value,) * n
    if isinstance(value, (tuple, list)):
        if len(value) not in (1, n):
            raise RuntimeError(f"{where}: expected {name} to be one int or {n} of them, one for "
                               f"each spatial dimension, got {list(value)}")
        if len(value) == n or n == 1:
            found = tuple(v if type(v) is int else _one(v, where, name) for v in value)
            return found if len(found) == n else found * n
        return (_one(value[0], where, name),) * n
    return (_one(value, where, name),) * n


def _one(value: Any, where: str, name: str) -> int:
    if not hasattr(value, "__index__"):
        raise TypeError(f"{where}: argument '{name}' must be an int or a tuple of ints, got "
                        f"{type(value).__name__} {value!r}")
    return int(value.__index__())


def batched_alike(running: Any, input: Any) -> None:
    """Refuse to write statistics of what `vmap` batches into a tensor that it does not batch."""
    level = getattr(input, "_level", None)
    if level is not None and getattr(running, "_level", None) is not level:
        raise RuntimeError(
            "Batch norm got a batched tensor as input while the running_mean or running_var, which "
            "will be updated in place, were not batched: use func.replace_all_batch_norm_modules_, "
            "eval(), track_running_stats=False or another norm")
