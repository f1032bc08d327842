"""A generator that stands for the default one in one thread; data loaders use it per sample."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any


class _Here(threading.local):
    generator: Any = None
    refuse: Any = None  # raises where random numbers must not be drawn (vmap); None: they may


here = _Here()


@contextlib.contextmanager
def using(generator: Any) -> Iterator[None]:
    """Let this thread's draws without `generator=` come from another generator inside the block.

    >>> import minigrad as torch
    >>> with using(torch.Generator().manual_seed(1)):
    ...     a = torch.rand(2)
    >>> torch.equal(a, torch.rand(2, generator=torch.Generator().manual_seed(1)))
    True
    """
    previous = here.generator
    here.generator = generator
    try:
        yield
    finally:
        here.generator = previous
