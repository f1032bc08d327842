"""`LRScheduler`, the base of the learning rate schedules."""

from __future__ import annotations

import warnings
from typing import Any

from ..tensor import Tensor
from .optimizer import Optimizer, number


class LRScheduler:
    """Base of the schedules.

    Args: optimizer: whose groups' `lr` is set (TypeError for anything else); last_epoch: -1 starts
    from the present rates, another number resumes (the groups must have 'initial_lr').
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", number(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when "
                               f"resuming scheduler with last_epoch >= 0: load the optimizer's "
                               f"state first, or start with last_epoch=-1")
        self.base_lrs = [number(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        optimizer._opt_called = False  # type: ignore[attr-defined]
        optimizer._step_at_start = vars(optimizer).get("step")  # type: ignore[attr-defined]
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer."""
        return {key: value for key, value in vars(self).items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned. The optimizer's rates are in its own state."""
        vars(self).update(state_dict)

    def get_last_lr(self) -> list[float]:
        """Return the rates that were set last, one per group."""
        return self._last_lr

    def get_lr(self) -> list[float]:
        """Compute the next rates from the present ones; each schedule defines it."""
        raise NotImplementedError(f"{type(self).__name__}: define get_lr")

    def _present(self) -> list[float]:
        """Return the groups' rates; warn if `get_lr` was not called by `step`."""
        if not self._get_lr_called_within_step:
            warnings.warn("To get the last learning rate computed by the scheduler, please use "
                          "`get_last_lr()`.", UserWarning, stacklevel=3)
        return [number(group["lr"]) for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch, or (deprecated) to the given one, and set the rates."""
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn("The epoch parameter in `scheduler.step()` is deprecated: call "
                          "`scheduler.step()` once per epoch.", UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _check_order(self) -> None:
        """Warn if the optimizer has not stepped yet, or has got another `step` since the start."""
        own = vars(self.optimizer).get("step")
        if own is not getattr(self.optimizer, "_step_at_start", None):
            warnings.warn("Seems like `optimizer.step()` has been overridden after learning rate "
                          "scheduler initialization: whether it is called first cannot be seen.",
                          UserWarning, stacklevel=3)
        elif own is None and not getattr(self.optimizer, "_opt_called", True):
            warnings.warn("Detected call of `lr_scheduler.step()` before `optimizer.step()`: call "
                          "them the other way round, or the first value of the schedule is "
                          "skipped.", UserWarning, stacklevel=3)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Go to the next epoch or the given one, without warnings."""
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                values = self.get_lr()
            else:
                self.last_epoch = epoch
                values = getattr(self, "_get_closed_form_lr", self.get_lr)()
        finally:
            self._get_lr_called_within_step = False
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            set_value(group, "lr", value)
        self._last_lr = rates_of(self.optimizer)


def checked(optimizer: Any) -> Optimizer:
    """Return an optimizer; TypeError for anything else."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def rates_of(optimizer: Optimizer) -> list[float]:
    """Return the learning rates of the groups as numbers."""
    return [number(group["lr"]) for group in optimizer.param_groups]


def set_value(group: dict[str, Any], key: str, value: float) -> None:
    """Set an option of a group, in place if it is a tensor."""
    if isinstance(group[key], Tensor):
        group[key].fill_(value)
    else:
        group[key] = value


def set_momentum(group: dict[str, Any], value: float) -> None:
    """Set a group's momentum, or Adam's first beta."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


def check_momentum(optimizer: Optimizer) -> bool:
    """Refuse optimizers without a momentum to cycle; tell whether it is the first beta."""
    if not {"momentum", "betas"} & set(optimizer.defaults):
        raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option "
                         "enabled")
    return "betas" in optimizer.defaults


def per_group(name: str, value: Any, groups: list[dict[str, Any]]) -> list[Any]:
    """Return one value per group from one for all or a list."""
    if not isinstance(value, (list, tuple)):
        return [value] * len(groups)
    if len(value) != len(groups):
        raise ValueError(f"expected {len(groups)} values for {name}, got {len(value)}: one per "
                         f"parameter group")
    return list(value)
