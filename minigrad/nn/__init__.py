"""Layers, losses, initialisers and functions of neural networks: re-exports only.

The layers are listed once, in `minigrad.nn.modules`.
"""

from . import functional, init, modules, parameter, utils
from .modules import *  # noqa: F403 - `modules.__all__` is the list
from .parameter import Buffer, Parameter

__all__ = [*modules.__all__, "Buffer", "Parameter", "functional", "init", "modules", "parameter",
           "utils"]
