"""Locks that a forked child finds free: nobody else holds them at the moment of the fork.

A child has the forking thread only. A lock that another thread held would never be released in it.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_forking = threading.Lock()
_held: list[Any] = []


def kept_free(lock: Any) -> Any:
    """Return the lock; from now on a fork waits until it can hold it, and releases it after."""
    _locks.add(lock)
    return lock


def _before() -> None:
    _forking.acquire()
    for lock in list(_locks):
        lock.acquire()
        _held.append(lock)


def _after() -> None:
    while _held:
        _held.pop().release()
    _forking.release()


accumulating = kept_free(threading.Lock())  # held while a gradient is added to a leaf's `.grad`

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
