"""Hooks of optimizers: around `step`, and around saving and loading the state."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..autograd.graph import RemovableHandle

Hook = Callable[..., Any]
_pre_everywhere: dict[int, Hook] = {}
_post_everywhere: dict[int, Hook] = {}


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every optimizer's step."""
    return RemovableHandle(_pre_everywhere, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every optimizer's step."""
    return RemovableHandle(_post_everywhere, hook)


class StateHooks:
    """The part of Optimizer that registers hooks."""

    def __init__(self) -> None:
        self._step_pre_hooks: dict[int, Hook] = {}
        self._step_post_hooks: dict[int, Hook] = {}
        self._state_dict_pre_hooks: dict[int, Hook] = {}
        self._state_dict_post_hooks: dict[int, Hook] = {}
        self._load_state_dict_pre_hooks: dict[int, Hook] = {}
        self._load_state_dict_post_hooks: dict[int, Hook] = {}

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before step; it may return (args, kwargs)."""
        return RemovableHandle(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after step."""
        return RemovableHandle(self._step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`."""
        return RemovableHandle(self._state_dict_pre_hooks, hook, first=prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; it may return another."""
        return RemovableHandle(self._state_dict_post_hooks, hook, first=prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook,
                                          prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before loading; it may return another."""
        return RemovableHandle(self._load_state_dict_pre_hooks, hook, first=prepend)

    def register_load_state_dict_post_hook(self, hook: Hook,
                                           prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return RemovableHandle(self._load_state_dict_post_hooks, hook, first=prepend)


def hooked(step: Hook) -> Hook:
    """Return `step` with the hooks around it; it also notes for schedulers that it ran."""
    if getattr(step, "_hooked", False):
        return step

    @wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        if not (self._step_pre_hooks or self._step_post_hooks or _pre_everywhere
                or _post_everywhere):
            return step(self, *args, **kwargs)
        given: tuple[Any, ...] = (self, *args)
        for hook in [*_pre_everywhere.values(), *self._step_pre_hooks.values()]:
            changed = hook(self, given, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(f"{type(self).__name__}.step pre-hook must return None or a "
                                       f"tuple of (new_args, new_kwargs), but got {changed}")
                given, kwargs = changed
        out = step(*given, **kwargs)
        for hook in [*self._step_post_hooks.values(), *_post_everywhere.values()]:
            hook(self, given, kwargs)
        return out

    run._hooked = True  # type: ignore[attr-defined]
    return run
