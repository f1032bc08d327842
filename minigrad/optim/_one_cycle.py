"""The one-cycle schedule (part of lr_scheduler.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ._scheduler import (
    LRScheduler,
    check_momentum,
    checked,
    per_group,
    set_momentum,
    set_value,
)
from .optimizer import Optimizer


class OneCycleLR(LRScheduler):
    """Raise lr from max_lr / div_factor to max_lr, then lower it far below; step it every batch.

    Momentum (SGD's momentum, Adam's first beta) goes the other way. Smith & Topin,
    "Super-convergence", 2018. Args: max_lr: the peak, or one per group; total_steps, or epochs and
    steps_per_epoch (ValueError without either); pct_start 0.3: the rising share;
    anneal_strategy: 'cos' or 'linear'; cycle_momentum True; base_momentum 0.85 (at the peak),
    max_momentum 0.95; div_factor 25: peak / start; final_div_factor 1e4: start / end; three_phase:
    fall back to the start at the speed of the rise before the final descent.

    >>> import minigrad as torch
    >>> opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1., momentum=0.9)
    >>> schedule = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.5, total_steps=10)
    >>> f"{schedule.get_last_lr()[0]:.4f}"
    '0.0200'
    """

    def __init__(self, optimizer: Optimizer, max_lr: float | Sequence[float],
                 total_steps: int | None = None, epochs: int | None = None,
                 steps_per_epoch: int | None = None, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", cycle_momentum: bool = True,
                 base_momentum: float | Sequence[float] = 0.85,
                 max_momentum: float | Sequence[float] = 0.95, div_factor: float = 25.0,
                 final_div_factor: float = 1e4, three_phase: bool = False,
                 last_epoch: int = -1) -> None:
        checked(optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got "
                             f"{anneal_strategy}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = cycle_momentum
        groups = optimizer.param_groups
        if cycle_momentum:
            self.use_beta1 = check_momentum(optimizer)
        if last_epoch == -1:
            peaks = per_group("max_lr", max_lr, groups)
            highs = per_group("max_momentum", max_momentum, groups)
            lows = per_group("base_momentum", base_momentum, groups)
            for group, peak, high, low in zip(groups, peaks, highs, lows, strict=True):
                first = peak / div_factor
                set_value(group, "lr", first)
                group.update(initial_lr=first, max_lr=peak, min_lr=first / final_div_factor)
                if cycle_momentum:
                    set_momentum(group, high)
                    group.update(max_momentum=high, base_momentum=low)
        super().__init__(optimizer, last_epoch)

    def _anneal(self, start: float, end: float, share: float) -> float:
        """Go from start (share 0) to end (share 1)."""
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (1 + math.cos(math.pi * share))
        return (end - start) * share + start

    def get_lr(self) -> list[float]:
        """Return the rates of this step, and set the momenta."""
        self._present()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(f"Tried to step {step} times. The specified number of total steps is "
                             f"{self.total_steps}")
        begin = 0.0
        phase = self._schedule_phases[-1]
        for phase in self._schedule_phases:
            if step <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            begin = phase["end_step"]
        share = (step - begin) / (phase["end_step"] - begin)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                set_momentum(group, self._anneal(*ends, share))
        return rates


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    """Return the length of the cycle."""
    if total_steps is not None:
        given = {"total_steps": total_steps}
    elif epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    else:
        given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return math.prod(given.values())


def _phases(total: int, rising: float, three: bool) -> list[dict[str, Any]]:
    """Return where each phase ends, and between which of a group's values it goes."""
    peak = float(rising * total) - 1

    def phase(end: float, *names: str) -> dict[str, Any]:
        keys = ("start_lr", "end_lr", "start_momentum", "end_momentum")
        return {"end_step": end, **dict(zip(keys, names, strict=True))}

    up = phase(peak, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three:
        return [up, phase(total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    down = phase(2 * rising * total - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")
    last = phase(total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum")
    return [up, down, last]
