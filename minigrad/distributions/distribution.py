"""The base of all distributions."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from .._dtype import Size, get_default_dtype
from ..modes import no_grad
from ..ops.create import tensor
from ..ops.elementwise import exp
from ..ops.shape import broadcast_tensors
from ..tensor import Tensor


class Distribution:
    """Base class of distributions over events of `event_shape`, in a batch of `batch_shape`.

    Args: batch_shape, event_shape, validate_args: whether parameters and values are checked
    (default: True, or what `set_default_validate_args` says).
    """

    has_rsample = False
    has_enumerate_support = False
    parameters: ClassVar[tuple[str, ...]] = ()
    _validate_args = True

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Say whether new distributions check parameters and values."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: expected True or False, got {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = (), event_shape: Any = (),
                 validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        super().__init__()

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of a single sample."""
        return self._event_shape

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The value of the largest density or probability."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Return samples of shape (*sample_shape, *batch_shape, *event_shape), without gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Return samples through which gradients reach the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no reparametrised samples; use "
                                  f"log_prob(sample) in the loss")

    def sample_n(self, n: int) -> Tensor:
        """Return n samples (deprecated: `sample((n,))`)."""
        warnings.warn("sample_n(n) will be deprecated. Use .sample((n,)) instead.", UserWarning,
                      stacklevel=2)
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density (or probability) at a value."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most this value."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value below which this share of the probability lies."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all values along a new first dimension, if there are finitely many."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """Return the expected -log_prob."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """Return exp(entropy)."""
        return exp(self.entropy())  # type: ignore[no-any-return]

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the same distribution with parameters expanded to another batch shape."""
        raise NotImplementedError

    # ---- for subclasses
    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _check_parameter(self, name: str, good: Any, wanted: str) -> None:
        """Refuse a parameter unless all elements of the bool tensor `good` are true."""
        if self._validate_args and not good.all():
            value = getattr(self, name)
            raise ValueError(f"Expected parameter {name} ({type(value).__name__} of shape "
                             f"{tuple(value.shape)}) of distribution {type(self).__name__} to be "
                             f"{wanted}, but found invalid values:\n{value}")

    def _check_value(self, value: Any, good: Any, wanted: str) -> None:
        """Refuse a value of log_prob or cdf outside of the support."""
        if self._validate_args and not good.all():
            raise ValueError(f"Expected value argument ({type(value).__name__} of shape "
                             f"{tuple(value.shape)}) to be within the support of the distribution "
                             f"{self!r}: {wanted}, but found invalid values:\n{value}")

    def _check_type(self, value: Any) -> None:
        if self._validate_args and not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        if self._validate_args:
            shape, own = value.shape, self._batch_shape + self._event_shape
            for k in range(1, min(len(shape), len(own)) + 1):
                if shape[-k] != own[-k] and 1 not in (shape[-k], own[-k]):
                    raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: "
                                     f"{tuple(shape)} vs {tuple(own)}.")

    def __repr__(self) -> str:
        shown = []
        for name in self.parameters:
            if name in vars(self):
                value = vars(self)[name]
                shown.append(f"{name}: {value.item() if value.numel() == 1 else value.size()}")
        return f"{type(self).__name__}({', '.join(shown)})"


def broadcast_all(*values: Any) -> list[Tensor]:
    """Return numbers and tensors as tensors of one shape; numbers take the dtype of the tensors."""
    for value in values:
        if not isinstance(value, (Tensor, int, float)):
            raise ValueError(f"Input arguments must all be instances of Number or Tensor, got "
                             f"{type(value).__name__}")
    found = [v for v in values if isinstance(v, Tensor)]
    dtype = found[0].dtype if found else get_default_dtype()
    return list(broadcast_tensors(*[v if isinstance(v, Tensor) else tensor(float(v), dtype=dtype)
                                    for v in values]))
