"""Pruning: set parts of a parameter to zero and keep them there.

A pruned parameter `weight` becomes the parameter `weight_orig` and the buffer `weight_mask`; before
every forward `weight = weight_orig * weight_mask` is computed anew. The classes say how a mask is
found; the functions apply them to a module and return it. `amount` is a number of elements (int) or
a share (float between 0 and 1) of those that are not pruned yet.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from ... import _random
from ..._random import Generator
from ...engine import wrap
from ...modes import no_grad
from ...ops.fill import ones_like, zeros_like
from ...ops.sort import topk
from ...ops.vector_norm import norm
from ...tensor import Tensor
from ..modules.module import Module
from ._pruning import BasePruningMethod, PruningContainer
from .convert_parameters import parameters_to_vector

__all__ = ["BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured",
           "PruningContainer", "RandomStructured", "RandomUnstructured", "custom_from_mask",
           "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured",
           "random_structured", "random_unstructured", "remove"]

M = TypeVar("M", bound=Module)


# -------------------------------------------------------------------------- amounts
def _check_amount(amount: Any) -> Any:
    """Refuse what is neither a share nor a number of elements."""
    whole = isinstance(amount, numbers.Integral)
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if float(amount) < 0 or (not whole and float(amount) > 1):
        raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a "
                         f"non-negative integer")
    return amount


def _count(amount: Any, size: int) -> int:
    """Return how many of `size` are to go."""
    if not isinstance(amount, numbers.Integral):
        return round(amount * size)
    if int(amount) > size:
        raise ValueError(f"amount={amount} should be smaller than the number of parameters to "
                         f"prune={size}")
    return int(amount)


def _without(mask: Tensor, indices: Tensor) -> Tensor:
    """Return a copy of a mask with zeros at some places of its flat form."""
    made = mask.clone().contiguous()
    made.view(-1)[indices] = 0
    return made


def _random_like(shape: tuple[int, ...], generator: Generator | None) -> Tensor:
    return wrap(_random.uniform(shape, np.float64, generator), None)


# -------------------------------------------------------------------------- methods
class Identity(BasePruningMethod):
    """Prune nothing: the mask is all ones."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the old mask."""
        return default_mask


class RandomUnstructured(BasePruningMethod):
    """Prune elements at random. Args: amount; generator: where the random numbers come from."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: float, *, generator: Generator | None = None) -> None:
        self.amount = _check_amount(amount)
        self.generator = generator

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Drop the elements that draw the largest numbers."""
        count = _count(self.amount, t.numel())
        draws = _random_like((t.numel(),), self.generator)
        return _without(default_mask, topk(draws, count).indices)


class L1Unstructured(BasePruningMethod):
    """Prune the elements with the smallest absolute values. Args: amount."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: float) -> None:
        self.amount = _check_amount(amount)

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Drop the elements with the smallest absolute values."""
        count = _count(self.amount, t.numel())
        return _without(default_mask, topk(t.abs().reshape(-1), count, largest=False).indices)


class _Structured(BasePruningMethod):
    """Base of the methods that drop channels: those with the lowest of some scores."""

    PRUNING_TYPE = "structured"
    amount: Any
    dim: int

    def _channel_scores(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Drop the channels along `dim` with the lowest scores."""
        if t.ndim <= 1:
            raise ValueError(f"Structured pruning can only be applied to multidimensional tensors. "
                             f"Found tensor of shape {t.shape} with {t.ndim} dims")
        if self.dim >= t.ndim:
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        size = t.shape[self.dim]
        count = _count(self.amount, size)
        if not count:
            return default_mask
        kept = topk(self._channel_scores(t), size - count).indices
        mask = zeros_like(t)
        mask[(*[slice(None)] * (self.dim % t.ndim), kept)] = 1
        return mask * default_mask.to(mask.dtype)


class RandomStructured(_Structured):
    """Prune whole channels at random. Args: amount; dim -1: where channels lie; generator."""

    def __init__(self, amount: float, dim: int = -1, *,
                 generator: Generator | None = None) -> None:
        self.amount, self.dim = _check_amount(amount), dim
        self.generator = generator

    def _channel_scores(self, t: Tensor) -> Tensor:
        return _random_like((t.shape[self.dim],), self.generator)


class LnStructured(_Structured):
    """Prune the channels with the smallest norms.

    Args: amount; n: the order of the norm, as `torch.norm`'s p; dim -1: where channels lie.
    """

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        self.amount, self.n, self.dim = _check_amount(amount), n, dim

    def _channel_scores(self, t: Tensor) -> Tensor:
        own = self.dim % t.ndim
        found: Tensor = norm(t, p=self.n, dim=[d for d in range(t.ndim) if d != own])
        return found


class CustomFromMask(BasePruningMethod):
    """Prune by a mask of zeros and ones. Args: mask."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the old mask times the given one."""
        return default_mask * self.mask.to(default_mask.dtype)


# -------------------------------------------------------------------------- functions
def identity(module: M, name: str) -> M:
    """Give a parameter a mask of ones; nothing is pruned."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: M, name: str, amount: float, *,
                        generator: Generator | None = None) -> M:
    """Prune elements of a parameter at random.

    >>> import minigrad as torch
    >>> layer = torch.nn.utils.prune.random_unstructured(torch.nn.Linear(2, 3), "weight", amount=1)
    >>> int((layer.weight == 0).sum()), sorted(layer.state_dict())
    (1, ['bias', 'weight_mask', 'weight_orig'])
    """
    RandomUnstructured.apply(module, name, amount, generator=generator)
    return module


def l1_unstructured(module: M, name: str, amount: float,
                    importance_scores: Tensor | None = None) -> M:
    """Prune the elements of a parameter with the smallest absolute values (or scores)."""
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: M, name: str, amount: float, dim: int, *,
                      generator: Generator | None = None) -> M:
    """Prune whole channels of a parameter, along `dim`, at random."""
    RandomStructured.apply(module, name, amount, dim, generator=generator)
    return module


def ln_structured(module: M, name: str, amount: float, n: Any, dim: int,
                  importance_scores: Tensor | None = None) -> M:
    """Prune the channels of a parameter, along `dim`, with the smallest norms of order `n`."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def global_unstructured(parameters: Iterable[tuple[Module, str]], pruning_method: Any,
                        importance_scores: dict[Any, Tensor] | None = None,
                        **kwargs: Any) -> None:
    """Prune several parameters as if they were one: the smallest elements of all go.

    Args: parameters: (module, name) pairs; pruning_method: an unstructured class (TypeError
    otherwise), made with kwargs; importance_scores: {(module, name): scores}.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    pairs = list(parameters)
    tensors = [getattr(module, name) for module, name in pairs]
    masks = [getattr(module, name + "_mask", ones_like(t.detach()))
             for (module, name), t in zip(pairs, tensors, strict=True)]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. '
                        f"Found method {pruning_method} of type {method.PRUNING_TYPE}")
    with no_grad():
        flat = parameters_to_vector([scores.get(pair, t).detach()
                                     for pair, t in zip(pairs, tensors, strict=True)])
        mask = PruningContainer(method).compute_mask(flat, parameters_to_vector(masks))
    start = 0
    for (module, name), t in zip(pairs, tensors, strict=True):
        custom_from_mask(module, name, mask[start:start + t.numel()].view(t.shape))
        start += t.numel()


def custom_from_mask(module: M, name: str, mask: Tensor) -> M:
    """Prune a parameter by a mask of zeros and ones."""
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module: M, name: str) -> M:
    """Make a parameter's pruning permanent; ValueError if it is not pruned."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can "
                     f"be removed")


def is_pruned(module: Module) -> bool:
    """Tell whether a parameter of the module, or of one inside it, is pruned."""
    return any(isinstance(hook, BasePruningMethod) for each in module.modules()
               for hook in each._forward_pre_hooks.values())
