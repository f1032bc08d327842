"""`__torch_function__` for objects that are no tensors, and modes that see every call.

Importing this file lets every public function, method and property look for `__torch_function__`
(as the first subclass of Tensor does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from . import _dispatch
from ._dispatch import here, install, names, refusal, takers
from .tensor import Tensor

__all__ = ["BaseTorchFunctionMode", "TorchFunctionMode", "get_default_nowrap_functions",
           "get_ignored_functions", "get_overridable_functions", "handle_torch_function",
           "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic",
           "is_tensor_like", "is_tensor_method_or_property", "redispatch_function", "resolve_name",
           "wrap_torch_function"]


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Return True if one of the arguments, or a mode, may take a function over.

    Tensors and parameters do not; subclasses of Tensor and whatever else has `__torch_function__`
    do. Inside `torch._C.DisableTorchFunctionSubclass` nothing does.

    >>> import minigrad as torch
    >>> from minigrad.overrides import has_torch_function
    >>> has_torch_function((torch.ones(2), 3))
    False
    """
    return bool((here.modes and here.asked)
                or (here.asked == _dispatch.CLASSES and takers(relevant_args)))


def has_torch_function_unary(obj: Any) -> bool:
    """Return `has_torch_function` of one argument."""
    return has_torch_function((obj,))


def has_torch_function_variadic(*args: Any) -> bool:
    """Return `has_torch_function` of several arguments."""
    return has_torch_function(args)


def handle_torch_function(public_api: Callable[..., Any], relevant_args: Iterable[Any],
                          *args: Any, **kwargs: Any) -> Any:
    """Let the arguments that can take a function over do so: for functions of your own.

    Args: public_api: the function, as handlers get it; relevant_args: the arguments that are asked;
    args, kwargs: of the call. TypeError if all return NotImplemented.

    >>> from minigrad.overrides import handle_torch_function, has_torch_function
    >>> class Metres:
    ...     @classmethod
    ...     def __torch_function__(cls, func, types, args=(), kwargs=None):
    ...         return f"{func.__name__} of metres"
    >>> def halved(x):
    ...     if has_torch_function((x,)):
    ...         return handle_torch_function(halved, (x,), x)
    ...     return x / 2
    >>> halved(Metres())
    'halved of metres'
    """
    relevant = list(relevant_args)
    found = takers(relevant)
    if not found and not (here.modes and here.asked):  # plain tensors: what Tensor's own does
        return Tensor.__torch_function__(public_api, (), args, kwargs)
    made = _dispatch.offer(public_api, found, args, kwargs)
    if made is NotImplemented:
        raise refusal(public_api, found)
    return made


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[..., Any]:
    """Return a decorator that makes a function of your own overridable.

    Args: dispatcher: takes the function's arguments and returns those that are asked.

    >>> from minigrad.overrides import wrap_torch_function
    >>> @wrap_torch_function(lambda x: (x,))
    ... def doubled(x):
    ...     return x + x
    >>> doubled(2)
    4
    """
    def decorate(function: Any) -> Any:
        @wraps(function)
        def asked(*args: Any, **kwargs: Any) -> Any:
            relevant = list(dispatcher(*args, **kwargs))
            if has_torch_function(relevant):
                return handle_torch_function(asked, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return asked

    return decorate


def redispatch_function(func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
    """Run what a function does, while the public functions inside of it can be taken over.

    For use in `__torch_function__`, with its own arguments.

    >>> import minigrad as torch
    >>> class Seen(torch.Tensor):
    ...     @classmethod
    ...     def __torch_function__(cls, func, types, args=(), kwargs=None):
    ...         print(func.__name__)
    ...         return torch.overrides.redispatch_function(func, types, args, kwargs)
    >>> torch.overrides.redispatch_function(torch.fliplr, (Seen,), (Seen([[1., 2.]]),), {})
    __get__
    flip
    tensor([[2., 1.]])
    """
    return _dispatch.bodies.get(func, func)(*args, **(kwargs or {}))


def is_tensor_like(inp: Any) -> bool:
    """Return True for tensors and for objects that have `__torch_function__`."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


def get_default_nowrap_functions() -> set[Any]:
    """Return the functions whose results keep their class: `.grad` is what backward made."""
    return {Tensor.grad.__get__}  # type: ignore[attr-defined]


def get_ignored_functions() -> set[Any]:
    """Return the public functions that nothing takes over: settings, files, questions about types.

    >>> import minigrad as torch
    >>> torch.is_tensor in torch.overrides.get_ignored_functions()
    True
    """
    return {getattr(module, name) for _, module in _dispatch.spaces() for name in vars(module)
            if name in _dispatch.NEVER}


def get_overridable_functions() -> dict[Any, list[Any]]:
    """Return the functions that can be taken over, by the namespace where they stand.

    >>> import minigrad as torch
    >>> torch.relu in torch.overrides.get_overridable_functions()[torch]
    True
    """
    found: dict[Any, list[Any]] = {}
    modules = dict(_dispatch.spaces())
    for function, name in names.items():
        found.setdefault(modules.get(name.rpartition(".")[0], Tensor), []).append(function)
    return found


def resolve_name(f: Any) -> str | None:
    """Return the name under which PyTorch knows a function that can be taken over, or None.

    >>> import minigrad as torch
    >>> torch.overrides.resolve_name(torch.nn.functional.linear)
    'torch.nn.functional.linear'
    """
    return names.get(f)


def is_tensor_method_or_property(func: Any) -> bool:
    """Return True for methods and for `Tensor.<property>.__get__`.

    A function and the method of the same name are one object here: that is a method, too.
    """
    owner = getattr(func, "__self__", None)
    if isinstance(owner, property):
        return func in names
    return getattr(Tensor, getattr(func, "__name__", ""), None) is func


class TorchFunctionMode:
    """See and change every public function that the block calls: override `__torch_function__`.

    Its arguments are the function, the classes of the arguments that could take over, and the
    call's `args` and `kwargs`. Inside of it the mode is off, so it may call the function itself.
    Modes nest; the innermost is asked first. Classes of arguments are asked after the modes.

    >>> import minigrad as torch
    >>> class Count(torch.overrides.TorchFunctionMode):
    ...     calls = 0
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         self.calls += 1
    ...         return func(*args, **(kwargs or {}))
    >>> with Count() as count:
    ...     _ = torch.ones(2) + 1
    >>> count.calls
    2
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __torch_function__")

    def __enter__(self) -> Any:
        here.modes = (*here.modes, self)
        return self

    def __exit__(self, *error: object) -> None:
        here.modes = here.modes[:-1]

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> Any:
        """Return an instance (an old form of the constructor)."""
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """The mode that changes nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


install()
