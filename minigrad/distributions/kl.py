"""Kullback-Leibler divergences between distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops.activation import softplus
from ..ops.choose import where
from ..ops.create import tensor
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .normal import Normal
from .uniform import Uniform

_FORMULAS: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """Decorate the function (p, q) that computes the divergence between two classes.

    TypeError for what is no class of distributions.
    """
    for kind in (type_p, type_q):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"Expected type_p and type_q to be Distribution subclasses but got "
                            f"{kind}")

    def decorate(function: Any) -> Any:
        _FORMULAS[type_p, type_q] = function
        return function

    return decorate


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return the expected log(p(x) / q(x)) under p, one number per element of the batch.

    NotImplementedError for pairs of classes without a formula; see `register_kl`.

    >>> from minigrad.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(0., 1.), Normal(1., 1.))
    tensor(0.5000)
    """
    for first in type(p).__mro__:
        for second in type(q).__mro__:
            if (first, second) in _FORMULAS:
                return _FORMULAS[first, second](p, q)
    raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and q "
                              f"type {type(q).__name__}")


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    distance = ((p.loc - q.loc) / q.scale) ** 2
    return 0.5 * (ratio + distance - 1 - ratio.log())


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    t = p.probs * (p.logits - q.logits)
    t = where(q.probs == 0, tensor(float("inf"), dtype=t.dtype), t)
    t = where(p.probs == 0, tensor(0.0, dtype=t.dtype), t)
    return t.sum(-1)  # type: ignore[no-any-return]


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    first = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    first = where(q.probs == 0, tensor(float("inf"), dtype=first.dtype), first)
    first = where(p.probs == 0, tensor(0.0, dtype=first.dtype), first)
    second = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    second = where(q.probs == 1, tensor(float("inf"), dtype=second.dtype), second)
    second = where(p.probs == 1, tensor(0.0, dtype=second.dtype), second)
    return first + second  # type: ignore[no-any-return]


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    outside = (q.low > p.low) | (q.high < p.high)
    return where(outside, tensor(float("inf"), dtype=result.dtype),  # type: ignore[no-any-return]
                 result)


@register_kl(Normal, Uniform)
def _outside(p: Normal, q: Uniform) -> Tensor:
    return (p.loc + q.low) * 0 + float("inf")
