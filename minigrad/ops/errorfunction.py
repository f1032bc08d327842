"""The error function, its complement and its inverse."""

from __future__ import annotations

import math
from typing import Any

from ..engine import op
from ..kernels import special as kernel
from ..kernels.erfc import erfc as erfc_kernel
from ._operands import floating
from .elementwise import exp


@op(input=lambda g, input: g * (2 / math.sqrt(math.pi) * exp(-(input * input))))
def erf(input: Any) -> Any:
    """Return the error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to each element.

    >>> import minigrad as torch
    >>> torch.erf(torch.tensor([0., 1.]))
    tensor([0.0000, 0.8427])
    """
    return kernel.erf(floating(input))


@op(input=lambda g, input: g * (-2 / math.sqrt(math.pi) * exp(-(input * input))))
def erfc(input: Any) -> Any:
    """Return 1 - erf(input), exact for large elements, too.

    >>> import minigrad as torch
    >>> torch.erfc(torch.tensor([0., 3.]))
    tensor([1.0000e+00, 2.2090e-05])
    """
    return erfc_kernel(floating(input))


@op(input=lambda g, y: g * (math.sqrt(math.pi) / 2 * exp(y * y)))
def erfinv(input: Any) -> Any:
    """Return x with erf(x) = input, for elements in (-1, 1); +-inf at the ends, nan outside.

    >>> import minigrad as torch
    >>> torch.erfinv(torch.tensor([0., 0.5]))
    tensor([0.0000, 0.4769])
    """
    return kernel.erfinv(floating(input))
