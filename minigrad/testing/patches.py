"""What a library offers in public, wrapped for a while: functions, methods, modules, optimisers."""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

SPACES = ("", "nn.functional", "linalg", "special", "fft", "nn.utils", "autograd", "func",
          "nn.init")
NO_OPS = frozenset({
    "compile", "save", "load", "manual_seed", "seed", "initial_seed", "get_rng_state",
    "set_rng_state", "register_hook", "retain_grad", "requires_grad_", "item", "tolist", "numpy",
    "is_tensor", "as_subclass", "enable_grad", "no_grad", "register_post_accumulate_grad_hook"})
SYMBOLS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor",
           "lshift", "rshift")
OPERATORS = ({f"__{side}{name}__" for name in SYMBOLS for side in ("", "r", "i")}
             | {"__neg__", "__pos__", "__abs__", "__invert__", "__getitem__", "__setitem__",
                "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType,
             types.WrapperDescriptorType)
Wrap = Callable[[str, Callable[..., Any]], Callable[..., Any] | None]


def writes(name: str) -> bool:
    """Tell whether a method or function works in place, by its name."""
    last = name.rpartition(".")[2]
    if last.startswith("__"):
        return last == "__setitem__" or (last.startswith("__i") and last != "__invert__")
    return last.endswith("_")


def space(library: Any, path: str) -> Any:
    """Return a part of a library by its dotted name, or None."""
    for name in filter(None, path.split(".")):
        library = getattr(library, name, None)
    return library


@contextlib.contextmanager
def patched(library: Any, wrap: Wrap) -> Iterator[None]:
    """Put `wrap(name, function)` in place of every public function and method of tensors.

    Modules are seen as "Module.__call__", optimisers as "Optimizer.step", samplers and random_split
    as "utils.data.NAME". A wrapper of None leaves
    the function alone.
    """
    before: list[tuple[Any, str, bool, Any]] = []

    def put(owner: Any, key: str, name: str, original: Any) -> None:
        made = wrap(name, original)
        if made is not None:
            with contextlib.suppress(AttributeError, TypeError):
                functools.update_wrapper(made, original)
            before.append((owner, key, key in vars(owner), vars(owner).get(key)))
            setattr(owner, key, made)

    try:
        for path in SPACES:
            owner = space(library, path)
            for key, value in list(vars(owner).items()) if owner is not None else ():
                if isinstance(value, FUNCTIONS) and not key.startswith("_") and key not in NO_OPS:
                    put(owner, key, f"{path}.{key}".lstrip("."), value)
        tensor = library.Tensor
        for key in dir(tensor):
            value = getattr(tensor, key, None)
            named = not key.startswith("_") and key not in NO_OPS
            if isinstance(value, FUNCTIONS) and (named or key in OPERATORS):
                put(tensor, key, f"Tensor.{key}", value)
        put(library.nn.Module, "__call__", "Module.__call__", library.nn.Module.__call__)
        data = library.utils.data
        put(data, "random_split", "utils.data.random_split", data.random_split)
        for kind in (data.RandomSampler, data.SubsetRandomSampler, data.WeightedRandomSampler):
            put(kind, "__iter__", f"utils.data.{kind.__name__}", kind.__iter__)
        for kind in {id(c): c for v in list(vars(library.optim).values()) if isinstance(v, type)
                     and hasattr(v, "add_param_group") for c in v.__mro__[:-1]}.values():
            if "step" in vars(kind):
                put(kind, "step", "Optimizer.step", vars(kind)["step"])
        yield
    finally:
        for owner, key, own, value in reversed(before):
            if own:
                setattr(owner, key, value)
            else:
                delattr(owner, key)
