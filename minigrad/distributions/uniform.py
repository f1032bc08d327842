"""The uniform distribution."""

from __future__ import annotations

from typing import Any

from ..ops.elementwise import log
from ..ops.random import rand
from ..tensor import Tensor
from .distribution import Distribution, broadcast_all


class Uniform(Distribution):
    """Uniform distribution on [low, high), numbers or tensors. ValueError unless low < high.

    >>> import minigrad as torch
    >>> from minigrad.distributions import Uniform
    >>> Uniform(0., 2.).log_prob(torch.tensor(1.))
    tensor(-0.6931)
    """

    has_rsample = True
    parameters = ("low", "high")

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)
        self._check_parameter("low", self.low < self.high, "less than high")

    mode = property(lambda self: self.low * float("nan"), doc="nan: no value is likelier.")
    mean = property(lambda self: (self.high + self.low) / 2, doc="The expected value.")
    variance = property(lambda self: (self.high - self.low) ** 2 / 12, doc="The variance.")
    stddev = property(lambda self: (self.high - self.low) / 12 ** 0.5,
                      doc="The root of the variance.")

    def expand(self, batch_shape: Any, _instance: Any = None) -> Uniform:
        """Return the distribution with parameters expanded to another batch shape."""
        return type(self)(self.low.expand(batch_shape), self.high.expand(batch_shape),
                          self._validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return samples through which gradients pass."""
        u = rand(self._extended_shape(sample_shape), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return -log(high - low)."""
        self._check_type(value)
        self._check_value(value, (self.low <= value) & (value <= self.high),
                          "between low and high")
        inside = (self.low <= value) & (value < self.high)
        return log(inside.type_as(self.low)) - log(self.high - self.low)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most this value."""
        self._check_type(value)
        self._check_value(value, (self.low <= value) & (value <= self.high),
                          "between low and high")
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value below which this share of the probability lies."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        """Return log(high - low)."""
        return log(self.high - self.low)  # type: ignore[no-any-return]
