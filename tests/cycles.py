"""Find out what a piece of code leaves to Python's cycle collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycles() -> Iterator[None]:
    """Fail if what runs inside leaves objects that only the cycle collector frees.

    What is there before is frozen, not collected: in a long run of tests that would take a second.
    """
    gc.disable()
    gc.freeze()
    try:
        yield
        assert gc.collect() == 0
    finally:
        gc.unfreeze()
        gc.enable()
