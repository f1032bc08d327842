"""Learning rate schedules: each `step()` sets the `lr` of every parameter group.

The base is `LRScheduler`; a schedule defines `get_lr()` from the present rates (so that several
schedules can be chained on one optimizer) and, where there is one, `_get_closed_form_lr()`.
Call `scheduler.step()` after `optimizer.step()`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any

from .._check import listed
from ._combined import ChainedScheduler, SequentialLR
from ._cyclic import CosineAnnealingWarmRestarts, CyclicLR
from ._one_cycle import OneCycleLR
from ._plateau import ReduceLROnPlateau
from ._scheduler import LRScheduler
from .optimizer import Optimizer

__all__ = ["ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
           "CyclicLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
           "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR",
           "StepLR"]


_LRScheduler = LRScheduler  # the old name of the base, which many programs still use


class _ByFunction(LRScheduler):
    """Base of the schedules that users give as functions of the epoch."""

    def __init__(self, optimizer: Optimizer,
                 lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
                 last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        given = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(given) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(given)}")
        for fn in given:
            if not callable(fn):
                raise TypeError(f"lr_lambda should be a function, but got {type(fn).__name__}")
        self.lr_lambdas: list[Any] = given
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer and plain functions (callable objects are kept)."""
        state = super().state_dict()
        state.pop("lr_lambdas")
        objects = [None if isinstance(fn, FunctionType) else dict(vars(fn))
                   for fn in self.lr_lambdas]
        return {**state, "lr_lambdas": objects}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned; functions stay as they are."""
        saved = state_dict["lr_lambdas"]
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "lr_lambdas"})
        for fn, attributes in zip(self.lr_lambdas, saved, strict=True):
            if attributes is not None:
                vars(fn).update(attributes)


class LambdaLR(_ByFunction):
    """Set lr = initial lr * f(epoch). Args: lr_lambda: f, or one f per group."""

    def get_lr(self) -> list[float]:
        """Return initial lr * f(epoch)."""
        self._present()
        return [base * fn(self.last_epoch)
                for fn, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_ByFunction):
    """Multiply lr by f(epoch) every epoch. Args: lr_lambda: f, or one f per group.

    Unlike LambdaLR's, the factors accumulate: a constant f gives an ExponentialLR. TypeError for
    what cannot be called.
    """

    def get_lr(self) -> list[float]:
        """Return lr * f(epoch) (lr itself at the start)."""
        present = self._present()
        if self._is_initial:
            return present
        return [lr * fn(self.last_epoch) for lr, fn in zip(present, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    """Multiply lr by `gamma` (0.1) every `step_size` epochs.

    >>> import minigrad as torch
    >>> opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.)
    >>> schedule = torch.optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     opt.step()
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return lr * gamma at the multiples of step_size, else lr."""
        due = self.last_epoch and self.last_epoch % self.step_size == 0
        return [lr * self.gamma if due else lr for lr in self._present()]

    def _get_closed_form_lr(self) -> list[float]:
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiply lr by `gamma` (0.1) at each of the epochs in `milestones`."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.milestones = Counter(listed(milestones, "MultiStepLR", "milestones", "epochs"))
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return lr * gamma at a milestone, else lr."""
        factor = self.gamma ** self.milestones[self.last_epoch]
        due = self.last_epoch in self.milestones
        return [lr * factor if due else lr for lr in self._present()]

    def _get_closed_form_lr(self) -> list[float]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma ** passed for base in self.base_lrs]


class ConstantLR(LRScheduler):
    """Multiply lr by `factor` (1/3) until epoch `total_iters` (5), then undo it."""

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        if factor > 1.0 or factor < 0:
            raise ValueError(f"Constant multiplicative factor expected to be between 0 and 1, got "
                             f"{factor}.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return lr * factor at epoch 0, lr / factor at the end, else lr."""
        change = 1.0
        if self.last_epoch == 0:
            change = self.factor
        elif self.last_epoch == self.total_iters:
            change = 1.0 / self.factor
        return [lr * change for lr in self._present()]

    def _get_closed_form_lr(self) -> list[float]:
        low = self.last_epoch < self.total_iters
        return [base * (self.factor if low else 1.0) for base in self.base_lrs]


class LinearLR(LRScheduler):
    """Let the factor of lr go in a line from `start_factor` to `end_factor`: a warm-up.

    Args: start_factor 1/3, in (0, 1]; end_factor 1, in [0, 1]; total_iters 5, the epochs it takes.
    """

    def __init__(self, optimizer: Optimizer, start_factor: float = 1.0 / 3,
                 end_factor: float = 1.0, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and "
                             f"less or equal to 1, got {start_factor}.")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"Ending multiplicative factor expected to be between 0 and 1, got "
                             f"{end_factor}.")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return lr times the ratio of this epoch's factor to the previous one's."""
        present = self._present()
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in present]
        if self._is_initial or self.last_epoch > self.total_iters:
            return present
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1.0 + rise / before) for lr in present]

    def _get_closed_form_lr(self) -> list[float]:
        share = min(self.total_iters, self.last_epoch) / self.total_iters
        factor = self.start_factor + (self.end_factor - self.start_factor) * share
        return [base * factor for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiply lr by `gamma` every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return lr * gamma (lr itself at the start)."""
        return [lr if self._is_initial else lr * self.gamma for lr in self._present()]

    def _get_closed_form_lr(self) -> list[float]:
        return [base * self.gamma ** self.last_epoch for base in self.base_lrs]


class PolynomialLR(LRScheduler):
    """Let lr fall to 0 at epoch `total_iters` (5) as (1 - epoch / total_iters) ** `power` (1)."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0,
                 last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return lr times the ratio of this epoch's factor to the previous one's."""
        present = self._present()
        if self._is_initial or self.last_epoch > self.total_iters:
            return present
        now = 1.0 - self.last_epoch / self.total_iters
        before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return [lr * (now / before) ** self.power for lr in present]

    def _get_closed_form_lr(self) -> list[float]:
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * left ** self.power for base in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """Let lr fall from its initial value to `eta_min` along half a cosine.

    lr = eta_min + (initial - eta_min) * (1 + cos(pi * epoch / T_max)) / 2

    Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017 (without the
    restarts). Args: T_max: epochs until eta_min (after it the rate rises again); eta_min 0.

    >>> import minigrad as torch
    >>> opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.)
    >>> schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=2)
    >>> opt.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the next rates, each from the present one."""
        present, epoch, low = self._present(), self.last_epoch, self.eta_min
        if self._is_initial:
            return present
        angle = math.pi / self.T_max
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the ratio below would be 0 / 0
            return [lr + (base - low) * (1 - math.cos(angle)) / 2
                    for lr, base in zip(present, self.base_lrs, strict=True)]
        ratio = (1 + math.cos(angle * epoch)) / (1 + math.cos(angle * (epoch - 1)))
        return [ratio * (lr - low) + low for lr in present]

    def _get_closed_form_lr(self) -> list[float]:
        factor = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * factor for base in self.base_lrs]
