"""`__torch_function__`: how the class of an argument takes a call over.

A program without such classes pays nothing. The first subclass of Tensor, the first
`TorchFunctionMode` or `import minigrad.overrides` calls `install`, which gives every public
function, method and property another *body*: it looks at the arguments and then runs what the
function did before. The function objects stay what they are. So a name that was imported earlier,
or a dictionary with functions as keys, means the same function before and after.

A call is offered to the modes that are entered, the innermost first, then to the classes of its
arguments: from left to right, but a subclass before the classes that it comes from. The first
answer other than NotImplemented counts.
"""

from __future__ import annotations

import importlib
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from . import _dtype, engine

# Public functions that nothing takes over: settings, files, questions about types.
NEVER = frozenset("""
    are_deterministic_algorithms_enabled backward calculate_gain compile from_file from_numpy
    get_default_device get_default_dtype get_deterministic_debug_mode get_file_path
    get_float32_matmul_precision get_hints get_num_threads get_rng_state gradcheck gradgradcheck
    initial_seed is_anomaly_check_nan_enabled is_anomaly_enabled is_autocast_enabled
    is_deterministic_algorithms_warn_only_enabled is_grad_enabled is_inference_mode_enabled
    is_multithreading_enabled is_storage is_tensor load manual_seed promote_types save seed
    set_anomaly_enabled set_default_device set_default_dtype set_default_tensor_type
    set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal set_hints
    set_num_threads set_printoptions set_rng_state typename
    use_deterministic_algorithms""".split())  # noqa: SIM905
NEVER_METHODS = frozenset({"__iter__", "as_subclass"})
# What layers and utilities call instead of a public function.
INNER = {"minigrad.ops.recurrent": ["stacked"], "minigrad.ops.response_norm": ["cross_map_lrn"],
         "minigrad.ops.matrix_functions": ["_weight_norm"],
         "minigrad.ops.packed": ["pack_padded", "pad_packed", "pad_sequences"]}
BY_MODES_ONLY = frozenset({"tensor", "as_tensor", "asarray"})  # these convert, whatever the class
# Where public functions come from: namespaces also hold what their files work with.
HOMES = ("minigrad.ops.", "minigrad._functions", "minigrad._methods", "minigrad._dtype",
         "minigrad.linalg", "minigrad.special", "minigrad.nn.", "minigrad.autograd",
         "minigrad.backprop", "minigrad.tensor")
# Operators that PyTorch shows as the method of another name.
OPERATORS = {"__add__": "add", "__sub__": "sub", "__mul__": "mul", "__truediv__": "div",
             "__mod__": "remainder", "__pow__": "pow", "__matmul__": "matmul", "__neg__": "neg",
             "__pos__": "positive", "__abs__": "abs", "__ne__": "ne", "__lt__": "lt",
             "__le__": "le", "__gt__": "gt", "__ge__": "ge", "__iadd__": "add_",
             "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "div_"}
# Operators of two sides: if nobody answers, Python asks the other side.
TWO_SIDED = re.compile("__([ri]?(add|sub|mul|truediv|floordiv|mod|pow|matmul|and|or|xor|[lr]shift)"
                       "|eq|ne|lt|le|gt|ge)__")
# Types that never take over: the usual arguments, so that most calls end the search here.
plain_types: set[type] = {int, float, bool, str, type(None), slice, type(Ellipsis), np.ndarray,
                          _dtype.dtype, _dtype.Size}


NOBODY, MODES, CLASSES = 0, 1, 2


class Here(threading.local):
    """What one thread has switched off and entered."""

    asked = CLASSES  # who may take over: nobody, modes, or modes and the classes of arguments
    modes: tuple[Any, ...] = ()  # the modes that are entered, outermost first


here = Here()
names: dict[Any, str] = {}  # every function that can be taken over, and its name in PyTorch
bodies: dict[Any, Any] = {}  # what these functions did before


class DisableTorchFunctionSubclass:
    """Run the block as if no class had a `__torch_function__`; modes still see the calls."""

    asked = MODES

    def __init__(self) -> None:
        self._before: list[int] = []

    def __enter__(self) -> None:
        self._before.append(here.asked)
        here.asked = min(here.asked, self.asked)

    def __exit__(self, *error: object) -> None:
        here.asked = self._before.pop()


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """Run the block as if there were neither `__torch_function__` nor modes."""

    asked = NOBODY


def _disabled_torch_function_impl(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """Run the function itself: as `__torch_function__` of a class, it never takes over."""
    before = here.asked
    try:
        here.asked = min(before, MODES)
        return func(*args, **(kwargs or {}))
    finally:
        here.asked = before


disabled: Any = _disabled_torch_function_impl


def default(cls: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Run the function itself and make its tensors instances of `cls`: what Tensor has."""
    for kind in types:
        if kind is not cls and not issubclass(cls, kind):
            return NotImplemented
    made = disabled(func, types, args, kwargs)
    if func == engine.Tensor.grad.__get__:  # a gradient is what backward made
        return made
    return converted(made, cls)


def converted(made: Any, cls: Any) -> Any:
    """Return a result whose tensors, also those in lists and tuples, are instances of `cls`."""
    if isinstance(made, engine.Tensor):
        return made if isinstance(made, cls) else made.as_subclass(cls)
    if isinstance(made, (tuple, list)) and not isinstance(made, _dtype.Size):
        return type(made)([converted(item, cls) for item in made])
    return made


# ---------------------------------------------------------------------------- who takes over
def takers(values: Iterable[Any]) -> list[Any]:
    """Return the arguments that may take over, one per class, in the order they are asked."""
    found: list[Any] = []
    for value in values:
        if type(value) in plain_types:
            continue
        for item in value if isinstance(value, (tuple, list)) else (value,):
            kind = type(item)
            if kind in plain_types or any(type(one) is kind for one in found):
                continue
            hook = getattr(kind, "__torch_function__", None)
            if hook is not None and hook is not disabled:
                below = [k for k, one in enumerate(found) if issubclass(kind, type(one))]
                found.insert(below[0] if below else len(found), item)
    return found


def call(plain: Any, func: Any, operator: bool, args: Any, kwargs: Any) -> Any:
    """Run a public function: this is the body that `install` gives to each of them."""
    found: Any = ()
    if here.asked == CLASSES and plain.__name__ not in BY_MODES_ONLY:
        for value in args:
            if type(value) not in plain_types:
                found = takers((*args, *kwargs.values()))
                break
        else:
            if kwargs:
                found = takers(kwargs.values())
    if not found and not (here.modes and here.asked):
        return plain(*args, **kwargs)
    made = offer(func, found, args, kwargs)
    if made is NotImplemented and not operator:  # of an operator, Python asks the other side
        raise refusal(func, found)
    return made


def offer(func: Any, found: Sequence[Any], args: Any, kwargs: Any) -> Any:
    """Ask the innermost mode, then the arguments; NotImplemented if none takes the call."""
    types = tuple(type(one) for one in found)
    if here.modes and here.asked:
        modes = here.modes
        try:
            here.modes = modes[:-1]  # inside its own answer a mode is not asked again
            made = modes[-1].__torch_function__(func, types, args, kwargs)
        finally:
            here.modes = modes
        if made is not NotImplemented:
            return made
    for one in found:
        made = type(one).__torch_function__(func, types, args, kwargs)
        if made is not NotImplemented:
            return made
    return NotImplemented


def refusal(func: Any, found: Sequence[Any]) -> TypeError:
    """Build the error for a call that nobody wanted."""
    return TypeError(f"no implementation found for {names.get(func, func)!r} on types that "
                     f"implement __torch_function__: {[type(one) for one in found]}; all of them "
                     f"returned NotImplemented")


def first_offer(op: Any, args: Any) -> Any:
    """Offer an op to an argument that is no tensor, before `install` has run.

    This happens once: from then on, public functions look at their arguments themselves. It is too
    late if a public function of several ops has begun already.
    """
    frame: Any = sys._getframe(1)
    outer: Any = None
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("minigrad."):
        outer, frame = frame.f_code, frame.f_back
    direct = outer is op.public.__code__ or outer.co_name == "method"  # `method`: an operator
    if not direct:
        raise TypeError(f"{op.name}(): an argument is no Tensor but has __torch_function__: "
                        f"import minigrad.overrides before the first such call")
    install()
    given = list(args)
    while given and given[-1] is op.defaults[len(given) - 1]:
        given.pop()
    rest = dict(zip(op.names[op.positional:], given[op.positional:], strict=False))
    return call(op.public, op.public, False, given[:op.positional], rest)


# ----------------------------------------------------------------------------- new bodies
def _bodies() -> dict[int, CodeType]:
    """Return the new body, by the number of variables that the old one has from outside.

    Python wants the same number in a new body; `nonlocal` is there for it alone.
    """
    a = b = c = d = None

    def body(*args: Any, _override: Any, **kwargs: Any) -> Any:
        return _override(args, kwargs)

    def body1(*args: Any, _override: Any, **kwargs: Any) -> Any:
        nonlocal a
        return _override(args, kwargs)

    def body2(*args: Any, _override: Any, **kwargs: Any) -> Any:
        nonlocal a, b
        return _override(args, kwargs)

    def body3(*args: Any, _override: Any, **kwargs: Any) -> Any:
        nonlocal a, b, c
        return _override(args, kwargs)

    def body4(*args: Any, _override: Any, **kwargs: Any) -> Any:
        nonlocal a, b, c, d
        return _override(args, kwargs)

    made = (body, body1, body2, body3, body4)
    return {len(one.__code__.co_freevars): unseen(one.__code__) for one in made}


def unseen(code: CodeType) -> CodeType:
    """Return code that the search for the line that a warning is about passes over.

    Python does so for frames of its import system, which it knows by words in their file name.
    """
    return code.replace(co_filename=f"{code.co_filename} (importlib _bootstrap)")


BODIES = _bodies()
call.__code__ = unseen(call.__code__)


def make_overridable(function: Any, shown: Any, name: str, operator: bool = False) -> None:
    """Give a function the body that looks at its arguments; `shown` is what handlers get."""
    if "_override" in (function.__kwdefaults__ or ()):
        return  # it has two names
    plain = FunctionType(function.__code__, function.__globals__, function.__name__,
                         function.__defaults__, function.__closure__)
    plain.__kwdefaults__, plain.__annotations__ = function.__kwdefaults__, function.__annotations__
    function.__dict__.setdefault("__wrapped__", plain)  # where inspect.signature looks
    names.setdefault(shown, name)
    if shown is function or not isinstance(shown, FunctionType):  # not an operator's
        bodies[shown] = plain
    # first the argument, which the old body ignores, then the body: other threads may be calling
    function.__kwdefaults__ = {**(function.__kwdefaults__ or {}),
                               "_override": partial(call, plain, shown, operator)}
    function.__code__ = BODIES[len(function.__code__.co_freevars)]


def install() -> None:
    """Let arguments and modes take over public functions, methods and properties from now on."""
    if names:
        return
    for space, module in spaces():
        for name, value in vars(module).items():
            if type(value) is FunctionType and name not in NEVER and name[0] != "_" and (
                    value.__module__.startswith(HOMES)):
                _named(value, name, module)
                make_overridable(value, value, f"{space}.{name}")
    for home, inner in INNER.items():
        for name in inner:
            value = getattr(importlib.import_module(home), name)
            make_overridable(value, value, f"{home}.{name}")
    members: dict[str, Any] = {}
    for kind in reversed(engine.Tensor.__mro__[:-1]):
        members |= vars(kind)
    for name, value in members.items():
        where = f"torch.Tensor.{name}"
        if type(value) is FunctionType and name not in NEVER_METHODS and _is_public(name):
            shown = members[OPERATORS.get(name, name)]
            _named(value, name, engine.Tensor)
            make_overridable(value, shown, where, bool(TWO_SIDED.fullmatch(name)))
        elif type(value) is property and name[0] != "_":
            for part, shown in (("fget", value.__get__), ("fset", value.__set__),
                                ("fdel", value.__delete__)):
                if getattr(value, part) is not None:
                    make_overridable(getattr(value, part), shown, f"{where}.{shown.__name__}")
    plain_types.add(engine.Tensor)


def spaces() -> list[tuple[str, Any]]:
    """Return the namespaces of functions that can be taken over, by their names in PyTorch."""
    inner = ["", ".nn.functional", ".linalg", ".special", ".nn.init", ".autograd"]
    return [(f"torch{name}", importlib.import_module(f"minigrad{name}")) for name in inner]


def _named(function: FunctionType, name: str, owner: Any) -> None:
    """Give a function its public name, which handlers look at, if it has another one inside."""
    if not hasattr(owner, function.__name__):
        function.__name__ = name


def _is_public(name: str) -> bool:
    return name[0] != "_" or name.startswith("__")
