"""Layers, losses, initialisers and functions of neural networks: re-exports only.

The layers are listed once, in `minigrad.nn.modules`. What torch lacks is in `minigrad.nn.extra`,
which loads when first used.
"""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from . import attention, functional, grad, init, modules, parameter, utils
from .modules import *  # noqa: F403 - `modules.__all__` is the list
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [*modules.__all__, "Buffer", "Parameter", "UninitializedBuffer",
           "UninitializedParameter", "attention", "functional", "grad", "init", "modules",
           "parameter", "utils"]

if _TYPE_CHECKING:
    from . import extra as extra


def __getattr__(name: str) -> _Any:
    if name == "extra":
        return _importlib.import_module(".extra", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
