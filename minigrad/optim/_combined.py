"""Schedules made of schedules (part of lr_scheduler.py)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from .._check import member
from ._plateau import ReduceLROnPlateau
from ._scheduler import LRScheduler, rates_of, set_value
from .optimizer import Optimizer


class _Combined(LRScheduler):
    """Base: a list of schedules of one optimizer, saved and loaded with it."""

    def _check(self, optimizer: Any, schedulers: Sequence[Any]) -> None:
        name = type(self).__name__
        for i, each in enumerate(schedulers):
            if not hasattr(each, "optimizer"):
                raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute.")
            if isinstance(each, ReduceLROnPlateau):
                raise ValueError(f"{name} does not support `ReduceLROnPlateau` scheduler, whose "
                                 f"`step` needs a metric, but got one at index {i}: step it apart")
            if optimizer is not each.optimizer:
                raise ValueError(f"{name} expects all schedulers to belong to the same optimizer, "
                                 f"but the one at index {i}, {type(each).__name__}, has another")
        self._schedulers = schedulers
        self.optimizer = optimizer

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer; the schedules as their own state dicts."""
        state = super().state_dict()
        return {**state, "_schedulers": [each.state_dict() for each in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        vars(self).update({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for each, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            each.load_state_dict(state)


class SequentialLR(_Combined):
    """Follow one schedule after the other: the next one begins at each milestone, at its epoch 0.

    Args: schedulers: of this optimizer; milestones: the epochs of the changes, one less than the
    schedules (ValueError). TypeError or ValueError for what is no schedule of the optimizer.

    >>> import minigrad as torch
    >>> opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.)
    >>> S = torch.optim.lr_scheduler
    >>> warm, fall = S.ConstantLR(opt, 0.25, total_iters=2), S.ExponentialLR(opt, 0.5)
    >>> schedule = S.SequentialLR(opt, [warm, fall], milestones=[2])
    >>> for epoch in range(3):
    ...     opt.step()
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, schedulers: list[LRScheduler],
                 milestones: list[int], last_epoch: int = -1) -> None:
        if len(schedulers) < 1:
            raise ValueError("SequentialLR expects at least one scheduler, but got no scheduler.")
        self._check(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(f"Sequential Schedulers expects number of schedulers provided to be "
                             f"one more than the number of milestone points, but got "
                             f"{len(schedulers)} schedulers and {len(milestones)} milestones")
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:  # undo the first steps of all, then begin anew
            set_value(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Take back the epoch that each schedule counted when it was made."""
        given = self if sched is None else sched
        if hasattr(given, "_schedulers"):
            for each in given._schedulers:
                self.recursive_undo(each)
        elif hasattr(given, "last_epoch"):
            given.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Go to the next epoch."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        now = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            now._update_lr(0)
        else:
            now.step()
        self._last_lr = now.get_last_lr()


class ChainedScheduler(_Combined):
    """Step several schedules of one optimizer at once; their changes multiply.

    Args: schedulers; optimizer: default the first one's. TypeError or ValueError for what is no
    schedule of the optimizer.
    """

    def __init__(self, schedulers: Sequence[LRScheduler],
                 optimizer: Optimizer | None = None) -> None:
        if len(schedulers) < 1:
            raise ValueError("ChainedScheduler expects at least one scheduler to be chained, but "
                             "got no scheduler.")
        member(schedulers[0], "optimizer", "ChainedScheduler", "schedulers", "a list of schedulers")
        self._check(optimizer or schedulers[0].optimizer, schedulers)
        self._last_lr = rates_of(self.optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Go to the next epoch."""
        for each in self._schedulers:
            each.step()
        self._last_lr = rates_of(self.optimizer)
