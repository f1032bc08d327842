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

    def __init__(self, hooks: dict[int, Any], hook: Callable[..., Any], *,
                 first: bool = False) -> None:
        self.id = next(_ids)
        self._hooks = hooks
        hooks[self.id] = hook
        if first:
            for key in list(hooks)[:-1]:
                hooks[key] = hooks.pop(key)

    def remove(self) -> None:
        """Remove the hook; doing so twice is harmless."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()
