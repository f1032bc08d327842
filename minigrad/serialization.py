"""`save` and `load` in PyTorch's checkpoint format (a zip archive), without PyTorch.

A file that either of the two libraries wrote is read by the other, as PyTorch's `weights_only`
loading does: tensors that share memory share it again, strides, Parameters and `requires_grad`
are kept. Nothing in a file can run code; what is not on a closed list is an error.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

from ._checkpoint.archive import Reader, Writer, broken
from ._checkpoint.decode import Decoder
from ._checkpoint.encode import Stored, encode
from ._checkpoint.machine import need
from ._device import cpu, device
from .engine import wrap

if TYPE_CHECKING:
    import mmap as mmap_module

__all__ = ["load", "save"]

File = str | os.PathLike[str] | IO[bytes]
MapLocation = Callable[[Any, str], Any] | device | str | dict[str, str] | None


def save(obj: object, f: File) -> None:
    """Write an object to a file that `load` and PyTorch's `torch.load` read.

    Args: obj: tensors, numbers, text, bytes, None, dtypes, sizes and devices, in dicts, lists,
    tuples and sets; anything else raises PicklingError (of a module save its state_dict()).
    f: a path, or an object with a `write` method. A path's file is replaced in one step at the
    end: whatever happens before, the old file stays whole. A missing directory: RuntimeError.
    Of memory that tensors share only the part from their first to their last element is kept.

    >>> import io, minigrad as torch
    >>> buffer = io.BytesIO()
    >>> torch.save({"w": torch.ones(2), "epoch": 3}, buffer)
    >>> _ = buffer.seek(0)
    >>> torch.load(buffer)
    {'w': tensor([1., 1.]), 'epoch': 3}
    """
    if isinstance(f, (str, os.PathLike)):
        with _replacing(os.fspath(f)) as file:
            _write(obj, file.write)
    elif hasattr(f, "write"):
        _write(obj, f.write)
    else:
        raise AttributeError(
            f"save: f must be a path or a file with a write method, got {type(f).__name__}"
        )


def _write(obj: object, write: Callable[[Any], object]) -> None:
    opcodes, storages = encode(obj, _describe)
    archive = Writer(write)
    archive.add("data.pkl", opcodes)
    archive.add(".format_version", b"1")
    archive.add(".storage_alignment", b"64")
    archive.add("byteorder", sys.byteorder.encode())
    for number, array in enumerate(storages):
        archive.add(f"data/{number}", array)
    archive.add("version", b"3\n")
    archive.add(".data/serialization_id", archive.identifier())
    archive.close()


def _describe(obj: Any) -> Stored | None:
    """Return what a file keeps of a tensor; None for other objects."""
    from .nn.parameter import Parameter
    from .tensor import Tensor

    if type(obj) not in (Tensor, Parameter):
        return None
    attributes = {name: value for name, value in vars(obj).items() if _may_set(name)}
    return Stored(obj._data, obj.requires_grad, type(obj) is Parameter, attributes)


def _may_set(name: str) -> bool:
    """Tell whether a name is that of an attribute which a user may have given to a tensor."""
    return name == "_is_buffer" or (name.isidentifier() and not name.startswith("_"))


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when the block ends without an exception.

    Links keep pointing to the file, its permissions are kept, and the data are on the disk before
    the name changes hands. What is no regular file (a device, a pipe) is written directly.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise RuntimeError(f"save: the directory {folder} does not exist; create it first")
    if os.path.exists(target) and not os.path.isfile(target):
        with open(target, "wb") as file:
            yield file
        return
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(folder)


def _sync_directory(folder: str) -> None:
    """Make the new name survive a power failure, where the system can."""
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def load(
    f: File,
    map_location: MapLocation = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> Any:
    """Read an object that `save` or PyTorch's `torch.save` (1.6 or later) wrote.

    Args: f: a path, or a binary file that can seek. map_location: 'cpu' for files with tensors of
    other devices; a device, a dict of names or a function (storage, name) do as well.
    weights_only: True or False, the file is decoded by the closed list in either case.
    mmap: True leaves the tensors in the file (a path) and reads what is used; writing to a tensor
    never changes the file. Checksums are then not compared.

    Contents outside of the list raise pickle.UnpicklingError, which names them; damaged files and
    older formats RuntimeError, an empty file EOFError. See `save` for an example.
    """
    if weights_only not in (None, True, False):
        raise TypeError(f"load: weights_only must be True, False or None, got {weights_only!r}")
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return _read(file, map_location, bool(mmap))
    if mmap:
        raise ValueError(f"load: mmap=True needs a path, got {type(f).__name__}")
    if not (hasattr(f, "read") and hasattr(f, "seek")):
        raise AttributeError(
            f"load: f must be a path or a binary file with read and seek, got {type(f).__name__}; "
            f"read the data into an io.BytesIO first"
        )
    return _read(f, map_location, False)


def _read(file: IO[bytes], map_location: MapLocation, mmap: bool) -> Any:
    _check_magic(file.read(8))
    archive = Reader(file)
    if "constants.pkl" in archive:
        raise RuntimeError("load: this is a TorchScript archive; save a state_dict() instead")
    source = _Source(archive, file, map_location, mmap)
    return Decoder(archive.read("data.pkl").tobytes(), source).decode()


def _check_magic(start: bytes) -> None:
    """Refuse what is no zip file, and say what it is."""
    if not start:
        raise EOFError("load: the file is empty, or was not rewound: call f.seek(0) first")
    if not isinstance(start, bytes):
        raise TypeError("load: the file was opened as text; open it with mode 'rb'")
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        return
    if start.startswith(b"\x80\x02\x8a\nl\xfc\x9cF"):
        raise RuntimeError(
            "load: the file has the format of PyTorch before 1.6, which is not supported; load it "
            "in PyTorch and save it again with torch.save"
        )
    raise broken("it does not begin like a zip archive")


class _Source:
    """Answer the decoder: storages from the archive, tensors from arrays."""

    def __init__(
        self, archive: Reader, file: IO[bytes], map_location: MapLocation, mmap: bool
    ) -> None:
        self.archive = archive
        self.map_location = map_location
        self.map: mmap_module.mmap | None = _mapped(file) if mmap else None
        order = archive.read("byteorder").tobytes() if "byteorder" in archive else b"little"
        if order not in (b"little", b"big"):
            raise broken(f"the byte order {order!r} is unknown")
        self.order: Literal["<", ">"] = "<" if order == b"little" else ">"

    def storage(self, kind: np.dtype[Any], key: str, location: str, numel: int) -> Any:
        _check_location(location, self.map_location)
        name = f"data/{key}"
        if self.archive.length(name) != numel * kind.itemsize:
            raise broken(
                f"storage {key!r} should have {numel} elements of {kind}, but its entry has "
                f"{self.archive.length(name)} bytes"
            )
        stored = kind.newbyteorder(self.order)
        if self.map is None or not numel:
            array = self.archive.read(name).view(stored)
        else:
            start = self.archive.start(name)
            array = np.frombuffer(self.map, stored, numel, start)
            if start % kind.itemsize:
                array = array.copy()
        if kind == np.bool_:  # any byte but 0 is true; NumPy relies on 1
            array = array.view(np.uint8) != 0
        return array.astype(kind, copy=False)

    def tensor(self, array: Any, requires_grad: bool) -> Any:
        made = wrap(array, None)
        return made.requires_grad_() if requires_grad else made

    def parameter(self, tensor: Any, requires_grad: bool) -> Any:
        from .nn.parameter import Parameter

        return Parameter(tensor, requires_grad)

    def is_tensor(self, obj: object) -> bool:
        from .tensor import Tensor

        return isinstance(obj, Tensor)

    def set_attributes(self, tensor: Any, attributes: dict[str, Any]) -> None:
        for name, value in attributes.items():
            free = _may_set(name) and not hasattr(type(tensor), name)
            need(free, f"the attribute {name!r} of a tensor is set")
            setattr(tensor, name, value)


def _mapped(file: IO[bytes]) -> mmap_module.mmap:
    import mmap

    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


class _Stand:
    """What a `map_location` function gets instead of a storage: it can only be given back."""

    device = cpu


def _check_location(name: str, map_location: MapLocation) -> None:
    """Raise RuntimeError unless a storage that was saved on device `name` goes to the CPU."""
    target: Any = map_location
    if callable(map_location):
        stand = _Stand()
        target = map_location(stand, name)
        if target is stand:
            return
        if target is not None:
            raise TypeError(
                "load: map_location must return the storage it was given, for the CPU, or None"
            )
    elif isinstance(map_location, dict):
        target = map_location.get(name, name)
    target = name if target is None else str(target)
    if target.partition(":")[0] != "cpu":
        raise RuntimeError(
            f"load: the file holds tensors for the device {target!r}, and minigrad computes on the "
            f"CPU only; call load(..., map_location='cpu')"
        )
