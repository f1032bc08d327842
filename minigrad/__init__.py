"""minigrad: PyTorch's tensors, autograd and nn on NumPy alone. `import minigrad as torch`.

Re-exports only, one section per family. The drawing and testing packages load when first used.
"""

# ruff: noqa: A004 - torch has functions named as builtins (sum, max, abs, ...)
from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

# ---- types, devices, generators
from ._device import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    device,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from ._dtype import (
    Size,
    can_cast,
    double,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
)
from ._dtype import bool_ as bool
from ._dtype import float32 as float
from ._dtype import int32 as int
from ._random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from .tensor import Tensor  # isort: skip  (binds the engine; what follows needs it)

# ---- autograd
from . import _random as random
from . import autograd
from .modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)

# ---- creation
from .ops.create import empty, from_numpy, ones, tensor, zeros

# ---- elementwise
from .ops.elementwise import add, clone, exp, log, mul, neg, sub, tanh

# ---- linear algebra
from .ops.linalg import matmul

# ---- reductions
from .ops.reduce import mean, sum

# ---- shapes
from .ops.shape import permute, transpose

__version__ = "0.1.0"
e = 2.718281828459045
inf = 1e400  # `float` is a dtype in this module
nan = inf - inf
pi = 3.141592653589793
newaxis = None

_LAZY = ("nn", "optim", "testing", "utils", "viz")

if _TYPE_CHECKING:
    from . import nn, optim, utils


def __getattr__(name: str) -> _Any:
    """Import a subpackage when it is first used (PEP 562)."""
    if name in _LAZY:
        return _importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'minigrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
