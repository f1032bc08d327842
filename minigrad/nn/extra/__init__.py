"""Norms, dropouts and activations that torch.nn lacks, kept apart from its names: re-exports only.

    from minigrad.nn import extra
    extra.LayerNorm2d(64), extra.DropPath(0.1), extra.functional.sparsemax(scores)
"""

# ruff: noqa: F403 - each file's `__all__` is the list
from . import (
    activation,
    batchnorm,
    conditional,
    conv,
    dropout,
    evonorm,
    functional,
    gated,
    norm,
    powernorm,
)
from .activation import *
from .batchnorm import *
from .conditional import *
from .conv import *
from .dropout import *
from .evonorm import *
from .gated import *
from .norm import *
from .powernorm import *

__all__ = ["functional"]
for _file in (activation, batchnorm, conditional, conv, dropout, evonorm, gated, norm, powernorm):
    __all__ += _file.__all__
