"""Keep freed memory for the next step instead of giving it back to the system after each.

A training step allocates and frees the same arrays again and again. glibc's malloc returns the
free end of its heap to the system as soon as that is larger than a threshold, which it sets to
twice the largest array so far: a step whose arrays are many times that loses all its memory at its
end, and pays a page fault for every 4 kB of it in the next. With both thresholds high the pages
stay. (A pool of arrays of our own would do so for our results only, not for the temporaries of
NumPy expressions, and costs a Python call for each array.)
"""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed_memory"]

KEPT = 1 << 28  # bytes: a longer free end of the heap is given back
LARGEST = 1 << 25  # bytes: larger arrays are mapped and given back singly; glibc allows no more
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the numbers of mallopt's parameters in malloc.h


def _chosen_by_user() -> bool:
    """Return whether the environment already says how malloc shall behave."""
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")
    tuned = "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    return tuned or any(name in os.environ for name in names)


def _is_glibc() -> bool:
    try:
        return "glibc" in (os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (AttributeError, ValueError, OSError):  # another system or C library
        return False


def keep_freed_memory() -> bool:
    """Let malloc keep up to KEPT bytes that the process has freed; return whether it will.

    It does nothing without glibc, or where the environment sets malloc's thresholds.
    """
    if _chosen_by_user() or not _is_glibc():
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, KEPT))
