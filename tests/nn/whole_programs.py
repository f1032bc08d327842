"""What the programs of programs_*.py share: data, first values and the training loop.

A program is a function of a library (torch or minigrad) and a Source; it trains for a few steps in
float64 and returns numbers. tests/record_programs.py writes torch's down.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

Program = Callable[[Any, "Source"], list[float]]
PROGRAMS: dict[str, Program] = {}


def program(function: Program) -> Program:
    """Enter a program into the table."""
    PROGRAMS[function.__name__] = function
    return function


class Source:
    """The same numbers for every library."""

    def __init__(self, lib: Any) -> None:
        self.lib, self.random = lib, np.random.RandomState(0)  # RandomState's numbers never change

    def normal(self, *shape: int) -> Any:
        return self.lib.tensor(self.random.standard_normal(shape))

    def uniform(self, *shape: int) -> Any:
        return self.lib.tensor(self.random.random_sample(shape))

    def integers(self, high: int, *shape: int) -> Any:
        return self.lib.tensor(self.random.randint(0, high, shape).astype(np.int64))

    def start(self, net: Any) -> None:
        """Set the parameters: weights in [-0.3, 0.3), vectors in [-0.1, 0.1), norms about 1."""
        with self.lib.no_grad():
            for name, value in net.named_parameters():
                size = 0.3 if value.dim() > 1 else 0.1
                first = self.random.uniform(-size, size, tuple(value.shape))
                value.copy_(self.lib.tensor(first + ("norm" in name and "weight" in name)))


def at(lib: Any, path: str) -> Any:
    """Return a module of the library, such as nn.utils.prune."""
    return importlib.import_module(f"{lib.__name__}.{path}")


def train(optimizer: Any, loss: Callable[[], Any], steps: int = 3, *,
          before_step: Callable[[], float] | None = None,
          after_step: Callable[[], Any] | None = None) -> list[float]:
    """Take steps; return the losses, and what before_step returns."""
    numbers = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        numbers.append(value.item())
        if before_step is not None:
            numbers.append(before_step())
        optimizer.step()
        if after_step is not None:
            after_step()
    return numbers


def run(name: str, lib: Any) -> list[float]:
    """Run a program in float64."""
    before = lib.get_default_dtype()
    lib.set_default_dtype(lib.float64)
    try:
        return PROGRAMS[name](lib, Source(lib))
    finally:
        lib.set_default_dtype(before)
