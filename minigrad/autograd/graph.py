"""Handles on the tape: hooks that can be removed, and the nodes' public names."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from ..engine import Node

__all__ = ["Node", "RemovableHandle"]

_ids = itertools.count()


class RemovableHandle:
    """What registering a hook returns: `remove()` (or the end of a `with` block) takes it away."""

    def __init__(self, hooks_dict: Any, hook: Callable[..., Any] | None = None, *,
                 extra_dict: Any = None, first: bool = False) -> None:
        self.id = next(_ids)
        extra = () if extra_dict is None else extra_dict
        self._dicts = [hooks_dict, *(extra if isinstance(extra, (list, tuple)) else [extra])]
        if hook is not None:
            hooks_dict[self.id] = hook
        if first:
            for key in list(hooks_dict)[:-1]:
                hooks_dict[key] = hooks_dict.pop(key)

    def remove(self) -> None:
        """Remove the hook, and what `extra_dict` (one dict or a list) says about it; twice is
        harmless.
        """
        for each in self._dicts:
            each.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()
