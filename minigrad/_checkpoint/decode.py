"""Pickle opcodes to objects, by a closed list: nothing in the file is imported or called.

A global name is looked up in a table of builders defined here. The opcode REDUCE calls these
builders and nothing else, BUILD sets a state_dict's `_metadata` and nothing else. So the worst
that a file can do is to be refused.
"""

from __future__ import annotations

import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from .. import _dtype
from .._device import device, strided
from .._dtype import Size
from .encode import STORAGES
from .keys import plain_key
from .machine import Builder, Held, Machine, broken, need
from .storages import extent

Array = np.ndarray[Any, Any]


class Source(Protocol):
    """What the decoder asks for: the bytes of storages, and tensors made of arrays."""

    def storage(self, kind: np.dtype[Any], key: str, location: str, numel: int) -> Array:
        """Return the storage `key` as a 1-d array of `numel` elements."""

    def tensor(self, array: Array, requires_grad: bool) -> Any:
        """Return a tensor that holds an array."""

    def parameter(self, tensor: Any, requires_grad: bool) -> Any:
        """Return a parameter that shares the memory of a tensor made here."""

    def is_tensor(self, obj: object) -> bool:
        """Tell whether an object is such a tensor or parameter."""

    def set_attributes(self, tensor: Any, attributes: dict[str, Any]) -> None:
        """Set Python attributes that the program had given to a tensor."""


class Marker(Builder):
    """An allowed global that is never called: a storage's type, or the class Tensor."""

    def __init__(self, name: str, kind: np.dtype[Any] | None = None) -> None:
        super().__init__(name, self.refuse)
        self.kind = kind

    def refuse(self, *_: object) -> None:
        raise broken(f"{self.name} is called")


def refused(module: str, name: str) -> pickle.UnpicklingError:
    """Return the error for a global that is not on the list."""
    return pickle.UnpicklingError(
        f"load: the file asks for {module}.{name}, which is not on the list of what a checkpoint "
        f"may contain (tensors, numbers, text, dicts, lists, tuples, sets ...). Nothing was "
        f"executed. Save the state_dict() of modules and optimizers instead of the objects, and "
        f"plain Python values instead of NumPy's"
    )


def unsupported(module: str, name: str) -> pickle.UnpicklingError:
    """Return the error for PyTorch's types that minigrad does not have."""
    return pickle.UnpicklingError(
        f"load: the file contains {module}.{name}, a type that minigrad does not have (it has "
        f"{', '.join(STORAGES)}); convert the tensors in PyTorch first, for example with .float()"
    )


_MISSING = [
    *("BFloat16Storage", "ComplexFloatStorage", "ComplexDoubleStorage", "UntypedStorage"),
    *("QInt8Storage", "QInt32Storage", "QUInt8Storage", "bfloat16", "complex32", "complex64"),
    *("complex128", "uint16", "uint32", "uint64", "float8_e5m2", "float8_e4m3fn"),
    *("_rebuild_sparse_tensor", "_rebuild_qtensor", "_rebuild_tensor_v3"),
    *("_rebuild_meta_tensor_no_storage", "_rebuild_nested_tensor"),
]


def _size(values: Any = ()) -> Size:
    need(type(values) is tuple and all(type(v) is int for v in values), "a Size is not of ints")
    return Size(values)


def _set(values: Any = ()) -> set[Any]:
    need(type(values) is list and all(map(plain_key, values)), "a set is made of something else")
    return set(values)


def _counter(values: Any = None) -> Counter[Any]:
    need(values is None or type(values) is dict, "a Counter is made of something else")
    return Counter(values)


def _encode(text: Any, encoding: Any) -> bytes:
    need(type(text) is str and encoding in ("latin1", "latin-1"), "bytes are not latin1 text")
    return text.encode("latin1")


def _bytearray(value: Any = b"") -> bytearray:
    need(type(value) is bytes, "a bytearray is made of something else")
    return bytearray(value)


def _complex(real: Any, imaginary: Any) -> complex:
    need(type(real) is type(imaginary) is float, "a complex number is not made of floats")
    return complex(real, imaginary)


def _device(*arguments: Any) -> device:
    need(tuple(map(type, arguments)) in ((str,), (str, int)), "a device is not named by text")
    return device(*arguments)


def _layout(name: Any) -> Any:
    need(name == repr(strided), f"the layout {name!r} is not supported")
    return strided


def _nothing(kind: type) -> Callable[[], Any]:
    return lambda: kind()


class Storage(Held):
    """A storage that a file refers to: the type it was named by, and its elements."""

    def __init__(self, kind: Marker, array: Array) -> None:
        self.kind = kind
        self.array = array


class Decoder(Machine):
    """Decode one object. Damage raises UnpicklingError, storages that do not fit RuntimeError."""

    def __init__(self, data: bytes, source: Source) -> None:
        super().__init__(data)
        self.source = source
        self.storages: dict[str, Storage] = {}
        self.globals = self.table()

    def find(self, module: str, name: str) -> Any:
        if (module, name) in self.globals:
            return self.globals[module, name]
        known = module.partition(".")[0] == "torch" and name in _MISSING
        raise (unsupported if known else refused)(module, name)

    def table(self) -> dict[tuple[str, str], Any]:
        """Return the closed list: what each allowed global stands for."""
        builders: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): _nothing(OrderedDict),
            ("collections", "Counter"): _counter,
            ("_codecs", "encode"): _encode,
            ("torch", "Size"): _size,
            ("torch", "device"): _device,
            ("torch.serialization", "_get_layout"): _layout,
            ("torch._utils", "_rebuild_tensor_v2"): self.build_tensor,
            ("torch._utils", "_rebuild_parameter"): self.build_parameter,
            ("torch._utils", "_rebuild_parameter_with_state"): self.build_parameter,
            ("torch._tensor", "_rebuild_from_type_v2"): self.build_from_type,
        }
        for module in ("__builtin__", "builtins"):
            builders[module, "set"] = _set
            builders[module, "bytes"] = _nothing(bytes)
            builders[module, "bytearray"] = _bytearray
            builders[module, "complex"] = _complex
        table: dict[tuple[str, str], Any] = {
            key: Builder(".".join(key), build) for key, build in builders.items()
        }
        for name, storage in STORAGES.items():
            table["torch", storage] = Marker(f"torch.{storage}", np.dtype(name))
        table["torch", "Tensor"] = Marker("torch.Tensor")
        table.update({("torch", each.name): each for each in _dtype.ALL})
        return table

    # ---- builders that need storages
    def persistent(self, reference: Any) -> Storage:
        """Return the storage that a reference ('storage', type, key, location, length) means."""
        need(type(reference) is tuple and len(reference) == 5, "a reference is no storage's")
        tag, kind, key, location, numel = reference
        fits = tag == "storage" and isinstance(kind, Marker) and kind.kind is not None
        need(fits and type(key) is type(location) is str, "a reference is no storage's")
        need(type(numel) is int and 0 <= numel < 2**63, f"storage {key!r} has no length")
        if key not in self.storages:
            array = self.source.storage(kind.kind, key, location, numel)
            self.storages[key] = Storage(kind, array)
        found = self.storages[key]
        same = found.kind is kind and len(found.array) == numel
        need(same, f"storage {key!r} is described in two ways")
        return found

    def build_tensor(
        self, storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any,
        hooks: Any, metadata: Any = None,
    ) -> Any:  # fmt: skip
        """Return a tensor whose elements all lie in its storage."""
        need(type(storage) is Storage, "a tensor has no storage")
        need(type(size) in (tuple, Size) and type(stride) is tuple, "a size is no tuple")
        numbers = (offset, *size, *stride)
        fits = all(type(n) is int and 0 <= n < 2**63 for n in numbers)
        need(fits, "a size, stride or offset is no number >= 0")
        need(type(requires_grad) is bool and not hooks and not metadata, "a tensor has hooks")
        array = storage.array
        count = array.itemsize
        for length in size:
            count *= length or 1
        if len(size) != len(stride) or len(size) > 64 or count >= 2**63:
            raise RuntimeError(f"load: a tensor of size {size} and stride {stride} cannot exist")
        if (needed := offset + extent(size, stride)) > len(array):
            raise RuntimeError(
                f"load: a tensor of size {size}, stride {stride} and offset {offset} needs "
                f"{needed} elements, but its storage has {len(array)}; the file is damaged"
            )
        if requires_grad and array.dtype.kind != "f":
            raise broken("a tensor of whole numbers requires grad")
        if 0 in size:
            view = array[:0].reshape(size)
        else:  # NumPy compares the strides with the buffer once more
            steps = tuple(step * array.itemsize for step in stride)
            view = np.ndarray(size, array.dtype, array, offset * array.itemsize, steps)
        return self.source.tensor(view, requires_grad)

    def build_parameter(self, data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> Any:
        need(self.source.is_tensor(data) and type(requires_grad) is bool, "a parameter has no data")
        need(not hooks, "a parameter has hooks")
        made = self.source.parameter(data, requires_grad)
        return self.with_attributes(made, state)

    def build_from_type(self, function: Any, kind: Any, arguments: Any, state: Any) -> Any:
        allowed = function is self.globals["torch._utils", "_rebuild_tensor_v2"]
        need(allowed and kind is self.globals["torch", "Tensor"], "a tensor is of an unknown kind")
        need(type(arguments) is tuple, "a tensor is not made of a tuple")
        return self.with_attributes(self.build_tensor(*arguments), state)

    def with_attributes(self, tensor: Any, state: Any) -> Any:
        if state:
            named = type(state) is dict and all(type(name) is str for name in state)
            need(named, "a tensor's attributes have no names")
            self.source.set_attributes(tensor, state)
        return tensor
