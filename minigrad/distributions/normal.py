"""The normal distribution."""

from __future__ import annotations

import math
from typing import Any

from ..modes import no_grad
from ..ops.elementwise import log
from ..ops.errorfunction import erf, erfinv
from ..ops.fill import zeros_like
from ..ops.random import normal, randn
from ..tensor import Tensor
from .distribution import Distribution, broadcast_all


class Normal(Distribution):
    """Normal distribution with mean `loc` and standard deviation `scale`, numbers or tensors.

    Density: exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi)). ValueError unless scale > 0.

    >>> import minigrad as torch
    >>> from minigrad.distributions import Normal
    >>> Normal(0., 1.).log_prob(torch.tensor(0.)), Normal(0., 1.).entropy()
    (tensor(-0.9189), tensor(1.4189))
    """

    has_rsample = True
    parameters = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)
        self._check_parameter("loc", self.loc == self.loc, "real numbers")
        self._check_parameter("scale", self.scale > 0, "greater than 0")

    mean = property(lambda self: self.loc, doc="The expected value.")
    mode = property(lambda self: self.loc, doc="The value of the largest density.")
    stddev = property(lambda self: self.scale, doc="The root of the variance.")
    variance = property(lambda self: self.scale ** 2, doc="The squared standard deviation.")

    def expand(self, batch_shape: Any, _instance: Any = None) -> Normal:
        """Return the distribution with parameters expanded to another batch shape."""
        return type(self)(self.loc.expand(batch_shape), self.scale.expand(batch_shape),
                          self._validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return samples, without gradient."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return normal(  # type: ignore[no-any-return]
                self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return loc + scale * noise, through which gradients pass."""
        noise = randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._check_type(value)
        self._check_value(value, value == value, "real numbers")
        z = (value - self.loc) / self.scale
        return -(z * z) / 2 - log(self.scale) - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most this value."""
        self._check_type(value)
        self._check_value(value, value == value, "real numbers")
        return 0.5 * (1 + erf((value - self.loc) / self.scale / math.sqrt(2)))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value below which this share of the probability lies."""
        return self.loc + self.scale * erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        """Return 1/2 + log(scale sqrt(2 pi)) for each element."""
        return (0.5 + 0.5 * math.log(2 * math.pi)) + log(self.scale) + zeros_like(self.loc)
