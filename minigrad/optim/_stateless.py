"""Run an optimizer on other parameters and state than its own."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ..tensor import Tensor
from .optimizer import Optimizer


@contextlib.contextmanager
def swap_in_optimizer_params_and_state(optimizer: Optimizer, swapin_parameters: dict[str, Tensor],
                                       swapin_optim_state: dict[str, Any]) -> Iterator[None]:
    """Let an optimizer act on the given parameters and state inside the `with` block.

    Unlike `load_state_dict`, nothing is copied: steps change the given tensors, and the optimizer
    is as before afterwards. Args: optimizer: with state (after a step); swapin_parameters: in the
    order of its own; swapin_optim_state: as `state_dict()` returns it. RuntimeError if they do not
    fit each other.

    >>> import minigrad as torch
    >>> p, q = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    >>> opt = torch.optim.SGD([p], lr=0.5, momentum=0.9)
    >>> p.grad = q.grad = torch.ones(1)
    >>> opt.step()
    >>> state = {**opt.state_dict(), "state": {}}
    >>> with torch.optim.swap_in_optimizer_params_and_state(opt, {"q": q}, state):
    ...     opt.step()
    >>> p.item(), q.item()
    (0.5, 0.5)
    """
    state, groups = _checked(optimizer, swapin_optim_state)
    given = list(swapin_parameters.values())
    by_number: dict[int, Tensor] = {}
    swapped = []
    for i, (own, group) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        numbers = _numbers(i, own, group)
        params, given = given[:len(numbers)], given[len(numbers):]
        if len(params) < len(numbers):
            raise RuntimeError(f"swapin_parameters: group {i} has {len(numbers)} parameters, only "
                               f"{len(params)} are left; give them in the optimizer's order")
        by_number.update(zip(numbers, params, strict=True))
        swapped.append({**group, "params": params})
    extra = [key for key in state if key not in by_number]
    if extra:
        raise RuntimeError(f"swapin_optim_state['state'] has the keys {extra}, which no group's "
                           f"'params' lists")
    before = optimizer.state, [dict(group) for group in optimizer.param_groups]
    try:
        optimizer.state = defaultdict(dict)
        optimizer.state.update((by_number[key], dict(value)) for key, value in state.items())
        for own, group in zip(optimizer.param_groups, swapped, strict=True):
            own.clear()
            own.update(group)
        yield
    finally:
        optimizer.state = before[0]
        for own, old in zip(optimizer.param_groups, before[1], strict=True):
            own.clear()
            own.update(old)


def _checked(optimizer: Optimizer, given: Any) -> tuple[dict[Any, Any], list[Any]]:
    """Return the two parts of a state dict that fits the optimizer's groups."""
    if not optimizer.state:
        raise RuntimeError("swap_in_optimizer_params_and_state requires initialized optimizer "
                           "state: make a step first")
    state, groups = (given.get(key) if isinstance(given, dict) else None
                     for key in ("state", "param_groups"))
    if not isinstance(state, dict) or not all(isinstance(v, dict) for v in state.values()):
        raise RuntimeError("swapin_optim_state['state'] must be a dict of dicts by parameter "
                           "number, as state_dict() returns it")
    if not isinstance(groups, list) or len(groups) != len(optimizer.param_groups):
        raise RuntimeError(f"swapin_optim_state['param_groups'] must be a list of the optimizer's "
                           f"{len(optimizer.param_groups)} groups")
    return state, groups


def _numbers(i: int, own: dict[str, Any], group: Any) -> list[int]:
    """Return the parameter numbers of a group that has the same keys as the optimizer's."""
    if not isinstance(group, dict) or set(group) != set(own):
        keys = sorted(set(group) ^ set(own)) if isinstance(group, dict) else type(group).__name__
        raise RuntimeError(f"swapin_optim_state: group {i} must have the optimizer's options, "
                           f"got others: {keys}")
    numbers = group["params"]
    if not isinstance(numbers, list) or not all(isinstance(n, int) for n in numbers):
        raise RuntimeError(f"swapin_optim_state: 'params' of group {i} must be a list of parameter "
                           f"numbers, as state_dict() returns it")
    if len(numbers) != len(own["params"]):
        raise RuntimeError(f"swapin_optim_state: group {i} has {len(numbers)} parameters, the "
                           f"optimizer's {len(own['params'])}")
    return numbers
