"""The categorical distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..modes import no_grad
from ..ops.fill import arange, full
from ..ops.random import multinomial
from ..ops.shape import broadcast_tensors
from ..tensor import Tensor
from .bernoulli import clamp_probs
from .distribution import Distribution


class Categorical(Distribution):
    """Distribution on 0 ... K - 1, whose K relative `probs` (or `logits`) are the last dimension.

    probs are divided by their sum; logits are logarithms of relative probabilities. ValueError
    unless exactly one of both is given, or if probs are negative or all 0.

    >>> import minigrad as torch
    >>> from minigrad.distributions import Categorical
    >>> policy = Categorical(logits=torch.tensor([0., 0.]))
    >>> policy.log_prob(torch.tensor(1)), policy.entropy()
    (tensor(-0.6931), tensor(0.6931))
    """

    has_enumerate_support = True
    parameters = ("probs", "logits")

    def __init__(self, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        given = logits if probs is None else probs
        if not isinstance(given, Tensor):
            raise TypeError(f"Categorical: probs and logits must be Tensors, got "
                            f"{type(given).__name__}")
        if given.dim() < 1:
            raise ValueError(f"`{'probs' if logits is None else 'logits'}` parameter must be at "
                             f"least one-dimensional.")
        self._num_events = given.size(-1)
        super().__init__(given.shape[:-1], validate_args=validate_args)
        if probs is not None:
            self.probs = probs
            self._check_parameter("probs", (probs >= 0) & (probs.sum(-1, keepdim=True) > 0),
                                  "relative probabilities, not negative and not all 0")
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = given - given.logsumexp(dim=-1, keepdim=True)
            self._check_parameter("logits", self.logits == self.logits, "real numbers")

    def __getattr__(self, name: str) -> Any:
        if name == "logits" and "probs" in vars(self):
            return clamp_probs(self.probs).log()
        if name == "probs" and "logits" in vars(self):
            return self.logits.softmax(-1)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def param_shape(self) -> Any:
        """The shape of probs and logits."""
        return (self.probs if "probs" in vars(self) else self.logits).shape

    @property
    def mean(self) -> Tensor:
        """nan: the values are names."""
        return full(self._batch_shape, float("nan"),  # type: ignore[no-any-return]
                    dtype=self.probs.dtype)

    variance = mean

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        return self.probs.argmax(dim=-1)  # type: ignore[no-any-return]

    def expand(self, batch_shape: Any, _instance: Any = None) -> Categorical:
        """Return the distribution with parameters expanded to another batch shape."""
        name = "probs" if "probs" in vars(self) else "logits"
        return type(self)(**{name: vars(self)[name].expand(*batch_shape, self._num_events)},
                          validate_args=self._validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return values, as int64."""
        shape, count = self._extended_shape(sample_shape), 1
        for n in sample_shape:
            count *= n
        with no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            found: Tensor = multinomial(rows, count, True).T.reshape(shape)
            return found

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability of a value."""
        self._check_type(value)
        self._check_value(value, (value >= 0) & (value < self._num_events)
                          & (value == value.floor()), f"0 ... {self._num_events - 1}")
        value = value.long().unsqueeze(-1)
        value, log_pmf = broadcast_tensors(value, self.logits)
        return log_pmf.gather(-1, value[..., :1]).squeeze(-1)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return -sum(p log p)."""
        logits = self.logits.clamp(min=float(np.finfo(self.logits._data.dtype).min))
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all values along a new first dimension."""
        count = self._num_events
        values: Tensor = arange(count).view(count, *[1] * len(self._batch_shape))
        return values.expand(count, *self._batch_shape) if expand else values
