"""Lowering the learning rate when a metric stops improving (part of lr_scheduler.py)."""

from __future__ import annotations

import math
from typing import Any

from ._scheduler import LRScheduler, checked, rates_of, set_value
from .optimizer import Optimizer, number


class ReduceLROnPlateau(LRScheduler):
    """Multiply lr by `factor` when a metric has not improved for more than `patience` epochs.

    Args: mode 'min' or 'max'; factor 0.1, below 1; patience 10; threshold 1e-4: the least
    improvement, as a share of the best value (threshold_mode 'rel') or as a difference ('abs');
    cooldown 0: epochs without counting after a reduction; min_lr 0, or one per group; eps 1e-8:
    smaller changes of lr are left out. ValueError for others. Call `step(metric)`.

    >>> import minigrad as torch
    >>> opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.)
    >>> schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=0, factor=0.5)
    >>> for loss in (3., 2., 2.):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: float | list[float] = 0, eps: float = 1e-8) -> None:
        if factor >= 1.0:
            raise ValueError(f"Factor should be < 1.0, got {factor}.")
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown! It is 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown! It is 'rel' or 'abs'")
        self.factor, self.optimizer = factor, checked(optimizer)
        groups = optimizer.param_groups
        listed = isinstance(min_lr, (list, tuple))
        if listed and len(min_lr) != len(groups):  # type: ignore[arg-type]
            raise ValueError(f"expected {len(groups)} min_lrs, got {len(min_lr)}")  # type: ignore[arg-type]
        self.default_min_lr = None if listed else min_lr
        lows: Any = min_lr if listed else [min_lr] * len(groups)
        self.min_lrs: list[Any] = list(lows)
        self.patience, self.cooldown, self.eps = patience, cooldown, eps
        self.last_epoch = 0
        self._last_lr = rates_of(optimizer)
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self._reset()

    def _reset(self) -> None:
        """Forget the best value and all counts."""
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Look at the metric of an epoch and lower the rates if it is time."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self.is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = rates_of(self.optimizer)

    def _reduce_lr(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            old = number(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                set_value(group, "lr", new)

    @property
    def in_cooldown(self) -> bool:
        """True while bad epochs are not counted."""
        return self.cooldown_counter > 0

    def is_better(self, a: float, best: float) -> bool:
        """Tell whether a value improves on the best one by more than the threshold."""
        if self.threshold_mode == "rel":
            share = 1 - self.threshold if self.mode == "min" else 1 + self.threshold
            return a < best * share if self.mode == "min" else a > best * share
        margin = self.threshold
        return a < best - margin if self.mode == "min" else a > best + margin
