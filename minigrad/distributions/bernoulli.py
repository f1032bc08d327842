"""The Bernoulli distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..modes import no_grad
from ..ops.choose import where
from ..ops.create import tensor
from ..ops.fill import arange
from ..ops.loss import binary_cross_entropy_with_logits
from ..ops.random import bernoulli
from ..tensor import Tensor
from .distribution import Distribution, broadcast_all


def clamp_probs(probs: Any) -> Any:
    """Return probabilities kept from 0 and 1 by the dtype's eps, so that logarithms are finite."""
    eps = float(np.finfo(probs._data.dtype).eps)
    return probs.clamp(eps, 1 - eps)


class Bernoulli(Distribution):
    """Distribution on 0 and 1; `probs` is the probability of 1, or `logits` its log-odds.

    ValueError unless exactly one of both is given, and probs lie in [0, 1].

    >>> import minigrad as torch
    >>> from minigrad.distributions import Bernoulli
    >>> Bernoulli(torch.tensor([0.5])).log_prob(torch.tensor([1.]))
    tensor([-0.6931])
    """

    has_enumerate_support = True
    parameters = ("probs", "logits")

    def __init__(self, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        given = self.probs if probs is not None else self.logits
        super().__init__(given.shape, validate_args=validate_args)
        if probs is not None:
            self._check_parameter("probs", (given >= 0) & (given <= 1), "in [0, 1]")
        else:
            self._check_parameter("logits", given == given, "real numbers")

    def __getattr__(self, name: str) -> Any:
        if name == "logits" and "probs" in vars(self):
            p = clamp_probs(self.probs)
            return p.log() - (-p).log1p()
        if name == "probs" and "logits" in vars(self):
            return self.logits.sigmoid()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    mean = property(lambda self: self.probs, doc="The expected value.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="The variance.")
    param_shape = property(lambda self: self._batch_shape, doc="The shape of the parameter.")

    @property
    def mode(self) -> Tensor:
        """The likelier value; nan where both are as likely."""
        p = self.probs
        found: Tensor = where(p == 0.5, tensor(float("nan"), dtype=p.dtype), (p > 0.5).to(p.dtype))
        return found

    def expand(self, batch_shape: Any, _instance: Any = None) -> Bernoulli:
        """Return the distribution with parameters expanded to another batch shape."""
        name = "probs" if "probs" in vars(self) else "logits"
        return type(self)(**{name: vars(self)[name].expand(batch_shape)},
                          validate_args=self._validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return zeros and ones."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            return bernoulli(self.probs.expand(shape))  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return value log p + (1 - value) log(1 - p)."""
        self._check_type(value)
        self._check_value(value, (value == 0) | (value == 1), "0 or 1")
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(  # type: ignore[no-any-return]
            logits, value, reduction="none")

    def entropy(self) -> Tensor:
        """Return -p log p - (1 - p) log(1 - p)."""
        return binary_cross_entropy_with_logits(  # type: ignore[no-any-return]
            self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return both values along a new first dimension."""
        values: Tensor = arange(2, dtype=self.logits.dtype).view(2, *[1] * len(self._batch_shape))
        return values.expand(2, *self._batch_shape) if expand else values
