"""`device`, `layout` and `memory_format`: the CPU and dense tensors are all there is.

The objects exist so that programs written for PyTorch run; asking for anything else is an error.
"""

from __future__ import annotations

import re
from typing import Any


class device:
    """Name the place where a tensor lives; minigrad computes on the CPU only.

    Args: type: 'cpu', 'cpu:0' or a device; index: a number, default None.
    Any other device raises RuntimeError.

    >>> import minigrad as torch
    >>> torch.device("cpu"), str(torch.device("cpu", 0))
    (device(type='cpu'), 'cpu:0')
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __new__(cls, type: str | device, index: int | None = None) -> device:
        if isinstance(type, device):
            return type
        if not isinstance(type, str) or not (index is None or isinstance(index, int)):
            raise TypeError(f"device: expected a string such as 'cpu', got {type!r}, {index!r}")
        kind, number = _parse(type)
        if index is not None and index < 0:
            raise RuntimeError(f"device: the index must not be negative, got {index}")
        if number is not None and index is not None:
            raise RuntimeError(f"device: {type!r} already has an index, got index={index} too")
        self = object.__new__(cls)
        object.__setattr__(self, "type", kind)
        object.__setattr__(self, "index", number if index is None else index)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"device: attribute {name!r} is read-only")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (str(self),)

    def __enter__(self) -> device:  # every tensor is made on the CPU already
        return self

    def __exit__(self, *exc: object) -> None:
        return None


def _parse(text: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"([a-z]+)(?::(0|[1-9]\d*))?", text)
    if match is None:
        raise RuntimeError(f"device: expected a string such as 'cpu' or 'cpu:0', got {text!r}")
    kind, number = match.groups()
    if kind != "cpu":
        raise RuntimeError(f"device: minigrad computes on the CPU only, got {text!r}; use 'cpu'")
    return kind, None if number is None else int(number)


cpu = device("cpu")


def to_device(value: device | str | None) -> device:
    """Return the device meant by an argument; None means the CPU, others raise RuntimeError."""
    return cpu if value is None else device(value)


class _Named:
    """Base of objects that are only a name, printed with the package's prefix."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"

    def __reduce__(self) -> str:
        return self._name


class layout(_Named):
    """Name how a tensor's elements are stored; `strided` is the only one."""


class memory_format(_Named):
    """Name an order of dimensions in memory, such as `contiguous_format` or `channels_last`."""


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")


def check_memory_format(value: memory_format) -> None:
    """Raise TypeError for a non-format."""
    if not isinstance(value, memory_format):
        raise TypeError(f"memory_format: expected a torch.memory_format, got {value!r}")
