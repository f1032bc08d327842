"""Make modules without drawing their first values."""

from __future__ import annotations

import inspect
from typing import Any

from ... import _random
from ..modules.module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """Make a module whose parameters have no meaningful values, for loading a checkpoint into.

    PyTorch leaves out the initialisation. Here the module is made as usual, and the default
    generator is put back afterwards: no random numbers are used up, the time is not saved.
    Treat the values as uninitialised, as there. RuntimeError for what is no Module class, or one
    without a `device` argument.

    >>> import minigrad as torch
    >>> torch.nn.utils.skip_init(torch.nn.Linear, 5, 1).weight.shape
    torch.Size([1, 5])
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    with _random.fork_rng():
        return module_cls(*args, **kwargs)
