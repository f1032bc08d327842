"""Every public function, called with what it cannot take: one clear error and nothing else.

Wrong types, counts, shapes, dims, dtypes, NaN, empty and huge sizes. A call may succeed; if it does
not, the class is one of ERRORS and the message a sentence. Inputs and global state stay.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import signal
import threading
import warnings
import zlib

import numpy as np
import pytest

import minigrad as torch
from minigrad.modes import state

ERRORS = (TypeError, ValueError, RuntimeError, IndexError, NotImplementedError, MemoryError,
          ZeroDivisionError, torch.linalg.LinAlgError)
SPACES = {"torch": torch, "Tensor": torch.Tensor, "linalg": torch.linalg, "special": torch.special,
          "functional": torch.nn.functional}
# What sets global state on purpose, runs forever by design, or writes files.
SKIPPED = re.compile(r"set_\w+|manual_seed|seed|save|load|from_file|compile|use_deterministic\w+|"
                     r"enable_grad|no_grad|inference_mode|Generator|device|.*Tensor|summary|vmap|"
                     r"default_generator|autocast|GradScaler|apply_|map_|map2_|share_memory_|"
                     r"update_wrapper|apply|initial_seed|cuda|get_\w+|is_\w+|frombuffer|typename|unpickle|register_\w+")
# Messages of Python or NumPy that say nothing about the call.
INTERNAL = re.compile(r"object has no attribute|not subscriptable|operands could not be broadcast|"
                      r"ufunc|list index out of range|tuple index out of range|setting an array|"
                      r"only length-1 arrays|cannot unpack|not enough values|axes don't match|"
                      r"object is not (iterable|callable)|unhashable type")


def functions():
    """Yield (name, function) of every public function."""
    for space, home in SPACES.items():
        for name in sorted(dir(home)):
            value = getattr(home, name, None)
            if name.startswith("_") or SKIPPED.fullmatch(name) or not callable(value):
                continue
            if not inspect.isclass(value):
                yield f"{space}.{name}", value


def bad_arguments() -> list[tuple]:
    """Return argument lists that hardly any function takes."""
    x = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    whole, flags = torch.tensor([[1, 2], [3, 4]]), torch.tensor([True, False])
    wrong = torch.tensor([float("nan"), float("inf"), -float("inf")])
    empty, scalar = torch.zeros(0, 3), torch.tensor(2.0)
    return [
        (), (None,), ("text",), (object(),), ([],), ({},), (1.5,), (-1,), ([x, None],),
        (x,), (x, "text"), (x, None), (x, x.t()), (x, -7), (x, 99), (x, 1.5), (x, object()),
        (x, [5, 5]), (x, (-9,)), (x, x, x, x, x, x, x, x, x, x), (x, torch.zeros(7, 5)),
        (x, 10**30), (x, -(10**30)), (whole,), (whole, whole[0]), (whole, 9), (flags,),
        (flags, x), (wrong,), (wrong, wrong), (empty,), (empty, empty), (empty, 0), (scalar,),
        (scalar, 3), (scalar, scalar), (x, whole, flags), (x, 0, whole), (x, 0, flags, "text"),
        (x, 0, 0, 0), (x, {"a": 1}), ([x, whole],), ([x, scalar],), (x[0], x[:, 0]),
    ]


@contextlib.contextmanager
def deadline(seconds: int):
    """Fail a call that takes longer."""
    if threading.current_thread() is not threading.main_thread() or os.name == "nt":
        yield
        return

    def stop(*args):
        raise TimeoutError(f"the call runs longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def switches():
    return (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype(),
            state.arrays, state.task, np.geterr())


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for v in value for t in tensors_in(v)] if isinstance(value, (list, tuple)) else []


def problem(name: str, function, args: tuple, errors: tuple = ERRORS) -> str:
    """Call a function; return what is wrong with how it took the arguments."""
    inputs = tensors_in(list(args))
    before = [(t._data.copy(), t._version) for t in inputs]
    now, writes = switches(), bool(WRITERS.fullmatch(name.split(".")[1]))
    try:
        with deadline(5), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(*args)
    except errors as error:
        text = str(error)
        if len(text.split()) < 3:
            return f"a message of few words: {type(error).__name__}: {text!r}"
        if INTERNAL.search(text) and "cannot take these arguments" not in text:
            return f"an inner message: {type(error).__name__}: {text}"
    except Exception as error:
        # PyTorch's functions in Python have this class for what is no tensor; and nobody calls
        # `Tensor.size("text")`: methods are not checked for it
        method = name.startswith("Tensor.") and not isinstance(args[0], torch.Tensor)
        if not isinstance(error, AttributeError) or (INTERNAL.search(str(error)) and not method):
            return f"the class {type(error).__name__}: {error}"
    if switches() != now:
        return "it changed the global state"
    for t, (values, version) in zip(inputs, before, strict=True):
        if not writes and (version != t._version or not np.array_equal(
                values, t._data, equal_nan=values.dtype.kind == "f")):
            return "it changed its input"
    return ""


# relu(x, 1) and the like mean inplace=True
WRITERS = re.compile(r".*_|backward|relu6?|[sc]elu|elu|silu|mish|hardswish|hardsigmoid|hardtanh|"
                     r"leaky_relu|threshold|dropout|.*_dropout|dropout\dd|rrelu")
ALL = dict(functions())
SHARES = 8
def problems(share: int, of: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, function in ALL.items():
        if zlib.crc32(name.encode()) % of != share:
            continue
        for k in range(len(bad_arguments())):
            said = problem(name, function, bad_arguments()[k])
            if said:
                found.setdefault(name, []).append(f"{name}, arguments {k}: {said}"[:200])
    return found


@pytest.mark.parametrize("share", [0, 1, *(pytest.param(share, marks=pytest.mark.slow)
                                          for share in range(2, SHARES))])
def test_bad_arguments_give_one_clear_error(share):
    found = problems(share, SHARES)
    assert not found, "\n".join(texts[0] for texts in found.values())


def test_most_functions_are_called():
    assert len(ALL) > 1100
