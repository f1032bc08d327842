"""Activation functions as layers."""

from __future__ import annotations

import warnings
from typing import Any

from ..._check import number, takes
from ..._random import Generator
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from ._attention import MultiheadAttention
from ._make import made
from ._plain_activation import (
    SELU,
    Hardsigmoid,
    Hardswish,
    LogSigmoid,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softsign,
    Tanh,
    Tanhshrink,
)
from ._softmax import LogSoftmax, Softmax, Softmax2d, Softmin
from .module import Module

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish", "MultiheadAttention",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class Hardtanh(Module):
    """Clamp to [min_val, max_val]; the derivative at the bounds is 0.

    Args: min_val -1; max_val 1, larger (AssertionError); inplace False; min_value, max_value: their
    old names, which warn.

    >>> import minigrad as torch
    >>> torch.nn.Hardtanh()(torch.tensor([-1., 0., 2.]))
    tensor([-1.,  0.,  1.])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
                 min_value: float | None = None, max_value: float | None = None) -> None:
        super().__init__()
        for old, new, value in (("min_value", "min_val", min_value),
                                ("max_value", "max_val", max_value)):
            if value is not None:
                warnings.warn(f"keyword argument `{old}` is deprecated and renamed to `{new}`",
                              FutureWarning, stacklevel=2)
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        number(self.min_val, "Hardtanh", "min_val")
        number(self.max_val, "Hardtanh", "max_val")
        if not self.max_val > self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be greater than min_val "
                                 f"({self.min_val})")

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, clamped."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return (f"min_val={self.min_val}, max_val={self.max_val}"
                + (", inplace=True" if self.inplace else ""))


class ReLU6(Hardtanh):
    """Return min(max(0, x), 6). Args: inplace False.

    >>> import minigrad as torch
    >>> torch.nn.ReLU6()(torch.tensor([-1., 2., 8.]))
    tensor([0., 2., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, clamped to [0, 6]."""
        return F.relu6(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """Return x above 0, negative_slope * x below.

    Args: negative_slope 0.01; inplace False.

    >>> import minigrad as torch
    >>> torch.nn.LeakyReLU(0.1)(torch.tensor([-1., 0., 2.]))
    tensor([-0.1000,  0.0000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return leaky_relu(input)."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """Return x above 0, alpha * (exp(x) - 1) below (Clevert et al. 2015).

    Args: alpha 1; inplace False.

    >>> import minigrad as torch
    >>> torch.nn.ELU()(torch.tensor([-1., 0., 2.]))
    tensor([-0.6321,  0.0000,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return elu(input)."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class CELU(Module):
    """Return max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) (Barron 2017).

    Args: alpha 1, not 0; inplace False.

    >>> import minigrad as torch
    >>> torch.nn.CELU(2.)(torch.tensor([-1., 0., 2.]))
    tensor([-0.7869,  0.0000,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return celu(input)."""
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class GELU(Module):
    """Return x * Phi(x), Phi the normal distribution function (Hendrycks & Gimpel 2016).

    Args: approximate: 'none', or 'tanh' for the formula with tanh.

    >>> import minigrad as torch
    >>> torch.nn.GELU()(torch.tensor([-1., 0., 2.]))
    tensor([-0.1587,  0.0000,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Return gelu(input)."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """Return log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold.

    Args: beta 1; threshold 20.

    >>> import minigrad as torch
    >>> torch.nn.Softplus()(torch.tensor([-1., 0., 2.]))
    tensor([0.3133, 0.6931, 2.1269])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        """Return softplus(input)."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softshrink(Module):
    """Move x towards 0 by lambd, to 0 at most. Args: lambd 0.5, not negative.

    >>> import minigrad as torch
    >>> torch.nn.Softshrink()(torch.tensor([-1., 0., 2.]))
    tensor([-0.5000,  0.0000,  1.5000])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """Return softshrink(input)."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(Module):
    """Return x where |x| > lambd, else 0. Args: lambd 0.5.

    >>> import minigrad as torch
    >>> torch.nn.Hardshrink()(torch.tensor([-1., 0., 2.]))
    tensor([-1.,  0.,  2.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """Return hardshrink(input)."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Threshold(Module):
    """Return x where x > threshold, else value. Args: threshold; value; inplace False.

    >>> import minigrad as torch
    >>> torch.nn.Threshold(0.5, 9.)(torch.tensor([-1., 0., 2.]))
    tensor([9., 9., 2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, or `value` where it is too small."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return (f"threshold={self.threshold}, value={self.value}"
                + (", inplace=True" if self.inplace else ""))


class GLU(Module):
    """Return a * sigmoid(b) for the two halves a, b of the input (Dauphin et al. 2016).

    Args: dim -1: the dimension that is halved.

    >>> import minigrad as torch
    >>> torch.nn.GLU()(torch.tensor([3., 0.]))
    tensor([1.5000])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Return glu(input)."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class RReLU(Module):
    """Return x above 0; below, x times a slope that is drawn at random in training.

    The slope is uniform in [lower, upper], in eval mode it is their mean. Xu et al., "Empirical
    evaluation of rectified activations in convolution network", 2015.
    Args: lower 1/8; upper 1/3; inplace False; generator: the draws, default the default one.

    >>> import minigrad as torch
    >>> torch.nn.RReLU(0.1, 0.3).eval()(torch.tensor([-1., 0., 2.]))
    tensor([-0.2000,  0.0000,  2.0000])
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False, *,
                 generator: Generator | None = None) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace
        self.generator = generator

    def forward(self, input: Tensor) -> Tensor:
        """Return rrelu(input)."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace,
                       generator=self.generator)

    def extra_repr(self) -> str:
        return (f"lower={self.lower}, upper={self.upper}"
                + (", inplace=True" if self.inplace else ""))


class PReLU(Module):
    """Return x above 0, weight * x below; the slope is learned (He et al. 2015).

    Args: num_parameters 1: one slope for all, or the number of channels (dim 1): one for each;
    init 0.25: the first value; device, dtype: see Linear. Do not use weight decay on it: it would
    push the slope to 0.

    >>> import minigrad as torch
    >>> torch.nn.PReLU()(torch.tensor([-1., 0., 2.]))
    tensor([-0.2500,  0.0000,  2.0000], grad_fn=<PreluKernelBackward0>)
    """

    num_parameters: int
    weight: Parameter

    @takes()
    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = made(num_parameters, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all slopes to the first value."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """Return prelu(input)."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
