"""The op-sample table: one line per case, run on minigrad by the tests, on torch by the recorder.

A line is `S("torch.name", *args, **kwargs)`. Arguments are descriptions, not tensors: `A(2, 3)` is
a float64 tensor of that shape that requires grad, `I(4, high=3)` an int64 tensor, `B(2, 3)` a bool
one; lists, numbers and strings stand for themselves. The numbers behind a description depend on the
line's id only, so torch and minigrad see the same ones without sharing a file.
"""

from __future__ import annotations

import operator
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Array:
    """A random array: uniform in [low, high), or integers, or bools; optionally special."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    kind: str = "f"  # f float64, i int64, b bool
    grad: bool = True
    distinct: bool = False  # all values well apart (for sort, max, median: no ties, no kinks)
    away: float = 0.0  # keep this distance from zero (kinks and poles there)
    make: Any = None  # a function of (rng) that returns the array instead

    def array(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the array. Only `Generator.random` is used: its stream does not change."""
        if self.make is not None:
            return np.asarray(self.make(rng))
        u = rng.random(self.shape)
        if self.distinct:
            order = np.argsort(u, axis=None).argsort().reshape(self.shape)
            u = (order + 0.5) / max(u.size, 1)
        if self.kind == "b":
            return np.asarray(u < 0.5)
        values = self.low + u * (self.high - self.low)
        if self.kind == "i":
            return np.asarray(np.floor(values).astype(np.int64))
        return np.asarray(np.where(np.abs(values) < self.away,
                                   np.copysign(self.away, values) + values, values))


def A(*shape: int, **options: Any) -> Array:
    """A float64 tensor that requires grad."""
    return Array(shape, **options)


def C(*shape: int, **options: Any) -> Array:
    """A float64 tensor that does not require grad."""
    return Array(shape, grad=False, **options)


def I(*shape: int, low: int = 0, high: int = 10) -> Array:  # noqa: E743
    """An int64 tensor with values in [low, high)."""
    return Array(shape, low, high, "i", False)


def B(*shape: int) -> Array:
    """A bool tensor."""
    return Array(shape, kind="b", grad=False)


def D(name: str) -> DType:
    """A dtype by name, such as D("float32")."""
    return DType(name)


@dataclass(frozen=True)
class DType:
    name: str


@dataclass(frozen=True)
class Made:
    name: str
    options: tuple[tuple[str, Any], ...]


def N(name: str, **options: Any) -> Made:
    """Any object of the namespace, by the path of its class and keyword arguments."""
    return Made(name, tuple(options.items()))


@dataclass
class Sample:
    """One case: what to call, with what, and what is special about it."""

    name: str  # dotted path below the torch namespace: "exp", "nn.functional.relu", "Tensor.view"
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    covers: tuple[str, ...]  # names of ops in minigrad/ops that this line exercises
    order: int = 2  # highest order of derivatives to compare with torch and finite differences
    torch_order: int = 2  # up to which order torch is right
    smooth: bool = True  # False for lines on kinks, ties and nans: no finite differences there
    pick: Any = None  # which output(s) of a tuple to compare: None is all floating ones
    tol: float = 1e-9
    named: bool = True  # False where PyTorch has one node and minigrad several, or other ones
    id: str = field(default="")

    def function(self, torch: Any) -> Any:
        """Return the function under its name in a namespace (minigrad or torch)."""
        return operator.attrgetter(self.name)(torch)

    def build(self, torch: Any, dtype: str = "float64") -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and keyword arguments as tensors of the given namespace."""
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(self.id.encode())))

        def made(value: Any) -> Any:
            if isinstance(value, Array):
                array = value.array(rng)
                if array.dtype.kind == "f":
                    array = array.astype(dtype)
                tensor = torch.from_numpy(array.copy())
                return tensor.requires_grad_() if value.grad and array.dtype.kind == "f" else tensor
            if isinstance(value, DType):
                return getattr(torch, value.name)
            if isinstance(value, Made):
                return operator.attrgetter(value.name)(torch)(**dict(value.options))
            if isinstance(value, (list, tuple)):
                return type(value)(made(v) for v in value)
            return value

        return [made(a) for a in self.args], {k: made(v) for k, v in self.kwargs.items()}


def S(name: str, *args: Any, covers: str = "", order: int = 2, torch_order: int = 2,
      smooth: bool = True, pick: Any = None, tol: float = 1e-9, named: bool = True,
      **kwargs: Any) -> Sample:
    """One line of the table. `covers` defaults to the last part of the name."""
    return Sample(name, args, kwargs, tuple(covers.split()) or (name.rsplit(".", 1)[-1],), order,
                  torch_order, smooth, pick, tol, named)


def numbered(samples: list[Sample]) -> list[Sample]:
    """Give every line an id: its name and how many lines of that name stand above it."""
    count: dict[str, int] = {}
    for sample in samples:
        k = count[sample.name] = count.get(sample.name, -1) + 1
        sample.id = f"{sample.name}-{k}"
    return samples
