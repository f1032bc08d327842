"""Averages of a model's weights over training: stochastic weight averaging (SWA) and EMA.

Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

from .._device import to_device
from .._dtype import int64
from ..modes import no_grad
from ..nn.modules.batchnorm import _BatchNorm
from ..nn.modules.module import Module
from ..ops.create import tensor
from ..tensor import Tensor
from ._scheduler import LRScheduler, checked, per_group
from .optimizer import Optimizer, number

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
           "get_swa_multi_avg_fn", "update_bn"]

Average = Callable[[Tensor, Tensor, Any], Tensor]
Averages = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_swa_avg_fn() -> Average:
    """Return the function of the plain mean: mean + (new - mean) / (n + 1)."""

    @no_grad()
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the function of the exponential mean: decay * mean + (1 - decay) * new.

    ValueError for a decay outside of [0, 1].
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] "
                         f"range.")

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def _over_lists(average: Average) -> Averages:
    """Return the function that updates a list of means in place."""

    @no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: Any) -> None:
        for mean, new in zip(averaged, current, strict=True):
            mean.copy_(average(mean, new, num_averaged))

    return update


def get_swa_multi_avg_fn() -> Averages:
    """Return `get_swa_avg_fn` for lists of tensors, which it changes in place."""
    return _over_lists(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """Return `get_ema_avg_fn` for lists of tensors, which it changes in place."""
    return _over_lists(get_ema_avg_fn(decay))


class AveragedModel(Module):
    """Hold the average of a model's parameters; call it like the model.

    `update_parameters(model)` counts the model's present values in. The first time they are
    copied. Args: model: copied; device: 'cpu'; avg_fn(mean, new, n), or multi_avg_fn for lists in
    place (AssertionError for both): default the plain mean; use_buffers: average buffers too,
    else they are copied from the model. After training call `update_bn`: the averaged weights
    have other batch statistics.

    >>> import minigrad as torch
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> for value in (1., 2., 6.):
    ...     _ = torch.nn.init.constant_(model.weight, value)
    ...     average.update_parameters(model)
    >>> average.module.weight.item()
    3.0
    """

    n_averaged: Tensor

    def __init__(self, model: Module, device: Any = None, avg_fn: Average | None = None,
                 multi_avg_fn: Averages | None = None, use_buffers: bool = False) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        to_device(device)
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", tensor(0, dtype=int64))
        self.avg_fn, self.multi_avg_fn = avg_fn, multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the averaged model."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Count the present values of a model in."""
        lists = [list(itertools.chain(m.parameters(), m.buffers() if self.use_buffers else ()))
                 for m in (self.module, model)]
        own, new = ([t.detach() for t in each] for each in lists)
        if not self.n_averaged:
            for mean, value in zip(own, new, strict=True):
                mean.copy_(value)
        else:
            update = self.multi_avg_fn or _over_lists(self.avg_fn or get_swa_avg_fn())
            for kind in dict.fromkeys(t.dtype for t in own):  # a list holds tensors of one dtype
                chosen = [i for i, t in enumerate(own) if t.dtype is kind]
                update([own[i] for i in chosen], [new[i] for i in chosen], self.n_averaged)
        if not self.use_buffers:
            for mean, value in zip(self.module.buffers(), model.buffers(), strict=True):
                mean.detach().copy_(value.detach())
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Estimate the running statistics of all BatchNorm layers anew, in one pass over the data.

    They become the plain means over the batches. Args: loader: of tensors, or of lists whose first
    item is the input; model: in any mode, which it keeps; device: 'cpu'.
    """
    to_device(device)
    momenta = {module: module.momentum for module in model.modules()
               if isinstance(module, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None
    for batch in loader:
        model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Go from the present lr to a constant one, for averaging.

    Args: swa_lr: the constant, or one per group; anneal_epochs 10: how long it takes;
    anneal_strategy: 'cos' or 'linear'. ValueError for others.
    """

    def __init__(self, optimizer: Optimizer, swa_lr: float | list[float], anneal_epochs: int = 10,
                 anneal_strategy: str = "cos", last_epoch: int = -1) -> None:
        groups = checked(optimizer).param_groups
        for group, lr in zip(groups, per_group("swa_lr", swa_lr, groups), strict=True):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got "
                             f"{anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """Return how far the change has come at a step: from 0 to 1."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self) -> list[float]:
        """Return the next rates, each from the present one."""
        present = self._present()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group, lr in zip(self.optimizer.param_groups, present, strict=True):
            end = number(group["swa_lr"])
            start = end if before == 1 else (lr - before * end) / (1 - before)
            rates.append(end * now + start * (1 - now))
        return rates
