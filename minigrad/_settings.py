"""Global switches that programs set: determinism, precision of products, default device.

What is computed here is deterministic and in full precision whatever they say, so each setting is
kept and told, and the promise that it makes is always held.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

from ._device import to_device
from ._dtype import ALL, dtype, set_default_dtype

_MODES = ("default", "warn", "error")
_PRECISIONS = ("highest", "high", "medium")
_now: dict[str, Any] = {"determinism": 0, "precision": "highest"}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for operations that give the same result at every run; all of minigrad's do.

    Args: mode: True or False (TypeError for anything else); warn_only: only noted.

    >>> import minigrad as torch
    >>> torch.use_deterministic_algorithms(True)
    >>> torch.are_deterministic_algorithms_enabled()
    True
    >>> torch.use_deterministic_algorithms(False)
    """
    for name, value in (("mode", mode), ("warn_only", warn_only)):
        if not isinstance(value, bool):
            raise TypeError(f"use_deterministic_algorithms(): argument '{name}' must be bool, not "
                            f"{type(value).__name__}")
    _now["determinism"] = (1 if warn_only else 2) if mode else 0


def are_deterministic_algorithms_enabled() -> bool:
    """Tell what `use_deterministic_algorithms` was given last."""
    return bool(_now["determinism"])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Tell whether `use_deterministic_algorithms(True, warn_only=True)` was called last."""
    return bool(_now["determinism"] == 1)


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Set determinism by a number or name: 0 "default", 1 "warn", 2 "error".

    >>> import minigrad as torch
    >>> torch.set_deterministic_debug_mode("warn")
    >>> torch.get_deterministic_debug_mode()
    1
    >>> torch.set_deterministic_debug_mode(0)
    """
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str) and debug_mode in _MODES:
        debug_mode = _MODES.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, 2 or one of "
                           f"{', '.join(_MODES)}, but got {debug_mode}")
    _now["determinism"] = debug_mode


def get_deterministic_debug_mode() -> int:
    """Return 0, 1 or 2: see `set_deterministic_debug_mode`."""
    return int(_now["determinism"])


def set_float32_matmul_precision(precision: str) -> None:
    """Say how exact float32 products must be at least; they always are in float32 here.

    Args: precision: "highest", "high" or "medium"; anything else warns and changes nothing.
    """
    if not isinstance(precision, str):
        raise TypeError(f"set_float32_matmul_precision(): argument 'precision' must be str, not "
                        f"{type(precision).__name__}")
    if precision not in _PRECISIONS:
        warnings.warn(f"{precision} is not one of 'highest', 'high', or 'medium'; the current "
                      f"setting is kept", stacklevel=2)
        return
    _now["precision"] = precision


def get_float32_matmul_precision() -> str:
    """Return what `set_float32_matmul_precision` was given last.

    >>> import minigrad as torch
    >>> torch.get_float32_matmul_precision()
    'highest'
    """
    return str(_now["precision"])


def set_default_device(device: Any) -> None:
    """Choose where new tensors live: the CPU (or None, which means it); else RuntimeError."""
    to_device(device)


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype by the name or type of a legacy tensor; deprecated.

    Args: t: such as `torch.DoubleTensor` or "torch.DoubleTensor"; others raise TypeError.

    >>> import minigrad as torch
    >>> torch.set_default_tensor_type("torch.DoubleTensor")
    >>> torch.tensor([1.]).dtype
    torch.float64
    >>> torch.set_default_tensor_type(torch.FloatTensor)
    """
    names = {"HalfTensor": "float16", "FloatTensor": "float32", "DoubleTensor": "float64"}
    name = t if isinstance(t, str) else getattr(t, "__name__", repr(t))
    kinds = {each.name: each for each in ALL}
    found = names.get(str(name).removeprefix("torch."))
    if isinstance(t, dtype) or found is None:
        raise TypeError(f"set_default_tensor_type: only floating-point types are supported as the "
                        f"default type (HalfTensor, FloatTensor, DoubleTensor), got {t!r}")
    set_default_dtype(kinds[found])


def set_flush_denormal(mode: bool) -> bool:
    """Return False: NumPy gives no way to change how the processor treats denormal numbers."""
    if not isinstance(mode, bool):
        raise TypeError(f"set_flush_denormal(): argument 'mode' must be bool, not "
                        f"{type(mode).__name__}")
    return False


def get_file_path(*path_components: str) -> str:
    """Return a path inside of the installed package."""
    return os.path.join(os.path.dirname(__file__), *path_components)
