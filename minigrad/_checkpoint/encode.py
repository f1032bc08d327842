"""Objects to pickle opcodes (protocol 2), in the dialect of PyTorch's checkpoints.

This is a pickler of its own: it names PyTorch's globals without importing PyTorch, refuses
everything that a reader with a closed list would refuse, and nests as deep as the objects do
without recursion. Text and names are written once and then referred to by number.
"""

from __future__ import annotations

import itertools
import pickle
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .._device import device, layout
from .._dtype import Size, dtype, dtype_of
from .keys import plain_key
from .storages import element_strides, share, to_storable

Array = np.ndarray[Any, Any]
Child = tuple[Any, str]  # an object inside another, and how to write its place: "['a']"

STORAGES = {
    "float16": "HalfStorage",
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "int8": "CharStorage",
    "int16": "ShortStorage",
    "int32": "IntStorage",
    "int64": "LongStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
_BATCH = 1000  # items of a list or dict that wait on the reader's stack


class Stored(NamedTuple):
    """What a file keeps of a tensor."""

    array: Array
    requires_grad: bool
    parameter: bool
    attributes: dict[str, Any]


def encode(obj: object, describe: Callable[[object], Stored | None]) -> tuple[bytes, list[Array]]:
    """Return the opcodes of an object and the storages (1-d arrays) that they refer to by number.

    `describe` says what to keep of a tensor and returns None for any other object. An object that
    cannot be written raises PicklingError, which names its place.
    """
    return _Encoder(describe).run(obj)


def _integer(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + struct.pack("<B", value)
    if 0 <= value < 65536:
        return b"M" + struct.pack("<H", value)
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    if len(data) > 255:
        raise pickle.PicklingError("save: an integer of more than 255 bytes cannot be written")
    return b"\x8a" + struct.pack("<B", len(data)) + data


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    if len(data) >= 2**32:
        raise pickle.PicklingError("save: text of 4 GiB or more cannot be written")
    return b"X" + struct.pack("<I", len(data)) + data


_NUMBERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: b"N",
    bool: lambda value: b"\x88" if value else b"\x89",
    int: _integer,
    float: lambda value: b"G" + struct.pack(">d", value),
}


class _Encoder:
    def __init__(self, describe: Callable[[object], Stored | None]) -> None:
        self.describe = describe
        self.out: list[bytes] = [b"\x80\2"]
        self.memo: dict[Any, int] = {}  # by id; text by value, globals by (module, name)
        self.kept: list[object] = []  # what is known by id must stay alive
        self.path: list[str] = []
        self.arrays: list[Array] = []
        self.later: list[tuple[int, int, str]] = []  # place in out, number of the array, field
        self.writers: dict[type, Callable[[Any], Iterator[Child] | None]] = {
            list: self.write_list,
            tuple: self.write_tuple,
            dict: self.write_dict,
            OrderedDict: self.write_ordered_dict,
            Counter: self.write_counter,
            set: self.write_set,
            bytes: self.write_bytes,
            bytearray: self.write_bytearray,
            complex: self.write_complex,
            Size: self.write_size,
            dtype: lambda value: self.name("torch", value.name),
            device: self.write_device,
            layout: self.write_layout,
        }

    def run(self, obj: object) -> tuple[bytes, list[Array]]:
        """Write an object: what is inside it waits on an explicit stack, not on Python's."""
        stack: list[Iterator[Child]] = [iter([(obj, "obj")])]
        while stack:
            for child, label in stack[-1]:
                inside = self.begin(child, label)
                if inside is not None:
                    stack.append(inside)
                    self.path.append(label)
                    break
            else:
                stack.pop()
                del self.path[-1:]
        self.out.append(b".")
        storages, places = share(self.arrays)
        for position, number, wanted in self.later:
            value = getattr(places[number], wanted)
            self.out[position] = _text(value) if wanted == "key" else _integer(value)
        return b"".join(self.out), storages

    def begin(self, obj: Any, label: str) -> Iterator[Child] | None:
        """Write an object, or its beginning, and return the iterator that writes the rest."""
        kind = type(obj)
        if kind in _NUMBERS:
            self.out.append(_NUMBERS[kind](obj))
            return None
        if kind is str:
            self.text(obj)
            return None
        if id(obj) in self.memo:
            self.get(id(obj))
            return None
        if kind in self.writers:
            return self.writers[kind](obj)
        stored = self.describe(obj)
        if stored is None:
            raise self.refuse(obj, label)
        return self.write_tensor(obj, stored)

    def refuse(self, obj: object, label: str, role: str = "") -> pickle.PicklingError:
        name = f"{type(obj).__module__}.{type(obj).__qualname__}"
        return pickle.PicklingError(
            f"save: cannot write {role}{''.join(self.path)}{label}, an object of type {name}. "
            f"A checkpoint holds tensors, numbers, text, bytes, None, dtypes, sizes and devices in "
            f"dicts, lists, tuples and sets; of a module or optimizer save its state_dict(), of a "
            f"NumPy value .item() or torch.from_numpy(value)"
        )

    # ---- opcodes
    def put(self, key: Any) -> None:
        """Number what was just written, to refer to it later."""
        index = self.memo[key] = len(self.memo)
        short = index < 256
        self.out.append(b"q" + bytes([index]) if short else b"r" + struct.pack("<I", index))

    def get(self, key: Any) -> None:
        index = self.memo[key]
        short = index < 256
        self.out.append(b"h" + bytes([index]) if short else b"j" + struct.pack("<I", index))

    def text(self, value: str) -> None:
        if value in self.memo:
            self.get(value)
        else:
            self.out.append(_text(value))
            self.put(value)

    def name(self, module: str, name: str) -> None:
        if (module, name) in self.memo:
            self.get((module, name))
        else:
            self.out.append(f"c{module}\n{name}\n".encode())
            self.put((module, name))

    def place(self, wanted: str) -> None:
        """Leave room for a fact about the newest array that is known at the end."""
        self.later.append((len(self.out), len(self.arrays) - 1, wanted))
        self.out.append(b"")

    def integers(self, values: Iterable[int]) -> None:
        numbers = list(map(_integer, values))
        self.out.append(b"(" + b"".join(numbers) + b"t" if numbers else b")")

    def hidden(self, obj: object) -> Any:
        """Keep an object that exists only for the encoder, so that its id is not used again."""
        self.kept.append(obj)
        return obj

    # ---- containers
    def batches(
        self, children: Iterator[Child], count: int, width: int, one: bytes, many: bytes
    ) -> Iterator[Child]:
        for start in range(0, count, _BATCH):
            length = min(_BATCH, count - start)
            if length > 1:
                self.out.append(b"(")
            yield from itertools.islice(children, length * width)
            self.out.append(one if length == 1 else many)

    def write_list(self, obj: list[Any]) -> Iterator[Child]:
        self.out.append(b"]")
        self.put(id(obj))
        children = ((item, f"[{position}]") for position, item in enumerate(obj))
        yield from self.batches(children, len(obj), 1, b"a", b"e")

    def write_tuple(self, obj: tuple[Any, ...]) -> Iterator[Child]:
        if not obj:
            self.out.append(b")")
            return
        if len(obj) > 3:
            self.out.append(b"(")
        yield from ((item, f"[{position}]") for position, item in enumerate(obj))
        if id(obj) in self.memo:
            raise pickle.PicklingError(f"save: the tuple {''.join(self.path)} contains itself")
        self.out.append(b"t" if len(obj) > 3 else (b"\x85", b"\x86", b"\x87")[len(obj) - 1])
        self.put(id(obj))

    def items(self, obj: dict[Any, Any]) -> Iterator[Child]:
        for key in obj:
            if not plain_key(key):
                raise self.refuse(key, f"[{key!r}]", "the key of ")
        parts = ((part, f"[{key!r}]") for key, value in obj.items() for part in (key, value))
        return self.batches(parts, len(obj), 2, b"s", b"u")

    def write_dict(self, obj: dict[Any, Any]) -> Iterator[Child]:
        self.out.append(b"}")
        self.put(id(obj))
        yield from self.items(obj)

    def write_ordered_dict(self, obj: OrderedDict[Any, Any]) -> Iterator[Child]:
        self.name("collections", "OrderedDict")
        self.out.append(b")R")
        self.put(id(obj))
        yield from self.items(obj)
        attributes = self.hidden(dict(vars(obj)))
        if attributes.keys() - {"_metadata"}:  # what a Module's state_dict carries
            raise self.refuse(obj, "", f"the attributes {[*attributes]} of ")
        if attributes:
            yield attributes, ".__dict__"
            self.out.append(b"b")

    def write_counter(self, obj: Counter[Any]) -> Iterator[Child]:
        self.name("collections", "Counter")
        yield self.hidden(dict(obj)), ""
        self.reduced(obj)

    def write_set(self, obj: set[Any]) -> Iterator[Child]:
        for item in obj:
            if not plain_key(item):
                raise self.refuse(item, "", "an item of ")
        self.name("__builtin__", "set")
        yield self.hidden(list(obj)), ""
        self.reduced(obj)

    # ---- values without parts
    def reduced(self, obj: object, arguments: bytes = b"\x85") -> None:
        self.out.append(arguments + b"R")
        self.put(id(obj))

    def write_bytes(self, obj: bytes) -> None:
        self.name("_codecs", "encode")
        self.out.append(_text(obj.decode("latin1")))
        self.text("latin1")
        self.reduced(obj, b"\x86")

    def write_bytearray(self, obj: bytearray) -> None:
        self.name("__builtin__", "bytearray")
        self.write_bytes(self.hidden(bytes(obj)))
        self.reduced(obj)

    def write_complex(self, obj: complex) -> None:
        self.name("__builtin__", "complex")
        self.out += [_NUMBERS[float](obj.real), _NUMBERS[float](obj.imag)]
        self.reduced(obj, b"\x86")

    def write_size(self, obj: Size) -> None:
        self.name("torch", "Size")
        self.integers(obj)
        self.reduced(obj)

    def write_device(self, obj: device) -> None:
        self.name("torch", "device")
        self.text(obj.type)
        if obj.index is not None:
            self.out.append(_integer(obj.index))
        self.reduced(obj, b"\x85" if obj.index is None else b"\x86")

    def write_layout(self, obj: layout) -> None:
        self.name("torch.serialization", "_get_layout")
        self.text(repr(obj))
        self.reduced(obj)

    # ---- tensors
    def write_tensor(self, obj: object, stored: Stored) -> Iterator[Child]:
        state = self.hidden(stored.attributes)
        if stored.parameter:
            self.name("torch._utils", "_rebuild_parameter" + ("_with_state" if state else ""))
            self.out.append(b"(")
            self.name("torch._utils", "_rebuild_tensor_v2")
            self.tensor_arguments(stored.array, False)
            self.out += [b"R", _NUMBERS[bool](stored.requires_grad)]
            self.no_hooks()
        elif state:
            self.name("torch._tensor", "_rebuild_from_type_v2")
            self.out.append(b"(")
            self.name("torch._utils", "_rebuild_tensor_v2")
            self.name("torch", "Tensor")
            self.tensor_arguments(stored.array, stored.requires_grad)
        else:
            self.name("torch._utils", "_rebuild_tensor_v2")
            self.tensor_arguments(stored.array, stored.requires_grad)
        if state:
            yield state, ".__dict__"
        self.reduced(obj, b"t" if state or stored.parameter else b"")

    def no_hooks(self) -> None:
        self.name("collections", "OrderedDict")
        self.out.append(b")R")

    def tensor_arguments(self, array: Array, requires_grad: bool) -> None:
        array = to_storable(array)
        self.arrays.append(array)
        self.out.append(b"((")
        self.text("storage")
        self.name("torch", STORAGES[dtype_of(array).name])
        self.place("key")
        self.text("cpu")
        self.place("numel")
        self.out.append(b"tQ")
        self.place("offset")
        self.integers(array.shape)
        self.integers(element_strides(array))
        self.out.append(_NUMBERS[bool](requires_grad))
        self.no_hooks()
        self.out.append(b"t")
