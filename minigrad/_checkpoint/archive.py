"""Zip archives as PyTorch writes them: entries stored as they are, each aligned to 64 bytes.

Alignment lets a reader map the file into memory instead of copying it. The writer only appends,
so that it can write to anything with a `write` method; ZIP64 fields lift the limit of 4 GiB.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import zipfile

Bytes = Any  # bytes, a memoryview or an ndarray (the type Buffer came with Python 3.12)

PREFIX = "archive"
ALIGNMENT = 64
_LARGE = LIMIT = 0xFFFFFFFF  # sizes and offsets from the limit on stand in ZIP64 fields
_UTF8 = 0x800
_FIRST_DAY = 0x21  # 1980-01-01: files do not depend on when they were written
_MADE_BY = _NEEDED = 45  # the version of the specification that introduced ZIP64
_PADDING = 0x4246  # PyTorch's extra field "FB", filled with Z

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END_64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4sHHHHIIH")


class Writer:
    """Append entries to a stream; `close` writes the directory."""

    def __init__(self, write: Callable[[Any], object]) -> None:
        import hashlib

        self._write = write
        self._offset = 0
        self._directory: list[bytes] = []
        self._hash = hashlib.sha256()

    def _append(self, data: Bytes) -> None:
        self._write(data)
        self._offset += memoryview(data).nbytes

    def add(self, name: str, data: Bytes) -> None:
        """Append one entry, its data at a multiple of 64 bytes."""
        path, view = f"{PREFIX}/{name}".encode(), memoryview(data).cast("B")
        size, crc, start = view.nbytes, zlib.crc32(view), self._offset
        large = struct.pack("<HHQQ", 1, 16, size, size) if size >= LIMIT else b""
        shown = size if size < LIMIT else _LARGE
        pad = -(start + _LOCAL.size + len(path) + len(large) + 4) % ALIGNMENT
        extra = large + struct.pack("<HH", _PADDING, pad) + b"Z" * pad
        common = (_NEEDED, _UTF8, 0, 0, _FIRST_DAY, crc, shown, shown, len(path))
        self._append(_LOCAL.pack(b"PK\3\4", *common, len(extra)) + path + extra)
        if size:
            self._append(view)
        fields = [size, size] if size >= LIMIT else []
        fields += [start] if start >= LIMIT else []
        extra = struct.pack(f"<HH{len(fields)}Q", 1, 8 * len(fields), *fields) if fields else b""
        rest = (len(extra), 0, 0, 0, 0, start if start < LIMIT else _LARGE)
        self._directory.append(_CENTRAL.pack(b"PK\1\2", _MADE_BY, *common, *rest) + path + extra)
        self._hash.update(b"%s %d\n" % (path, crc))

    def identifier(self) -> bytes:
        """Return 40 digits that depend on the entries so far: equal contents, equal digits."""
        return b"%040d" % (int.from_bytes(self._hash.digest(), "big") % 10**40)

    def close(self) -> None:
        """Write the directory and its end records."""
        start, count, body = self._offset, len(self._directory), b"".join(self._directory)
        place = (count, count, len(body), start)
        end = _END_64.pack(b"PK\6\6", _END_64.size - 12, _MADE_BY, _NEEDED, 0, 0, *place)
        locator = _LOCATOR.pack(b"PK\6\7", 0, start + len(body), 1)
        few, length, where = min(count, 0xFFFF), min(len(body), _LARGE), min(start, _LARGE)
        self._append(body + end + locator + _END.pack(b"PK\5\6", 0, 0, few, few, length, where, 0))


def broken(what: str) -> RuntimeError:
    """Return the error for an archive that is damaged or was made to do damage."""
    return RuntimeError(
        f"load: {what}; the file is damaged or incomplete (was it copied to the end?), or it is "
        f"no checkpoint that torch.save wrote"
    )


class Reader:
    """Read the entries of an archive from a seekable binary file.

    No entry is read beyond the size that the directory declares, the declared sizes cannot add up
    to more than the file, and every checksum is compared.
    """

    def __init__(self, file: IO[bytes]) -> None:
        import zipfile

        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        try:
            entries = zipfile.ZipFile(file).infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error,
                EOFError, OSError) as error:  # fmt: skip
            raise broken(f"the zip directory cannot be read ({error})") from error
        self.prefix = entries[0].filename.partition("/")[0] if entries else ""
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) < len(entries):
            raise broken("two entries have the same name")
        if sum(entry.file_size for entry in entries) > self.size:
            raise broken("the entries claim to be larger than the file")
        for entry in entries:
            if not 0 <= entry.header_offset < self.size:
                raise broken(f"entry {entry.filename!r} begins outside of the file")
            if entry.compress_type or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
                raise broken(f"entry {entry.filename!r} is compressed or encrypted")

    def __contains__(self, name: str) -> bool:
        return f"{self.prefix}/{name}" in self._entries

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._entries[f"{self.prefix}/{name}"]
        except KeyError:
            raise broken(f"the archive has no entry {name!r}") from None

    def length(self, name: str) -> int:
        """Return the size of an entry in bytes."""
        return self._entry(name).file_size

    def start(self, name: str) -> int:
        """Return the position in the file at which an entry's data begin."""
        entry = self._entry(name)
        self._file.seek(entry.header_offset)
        header = self._file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
            raise broken(f"entry {name!r} has no header")
        start = entry.header_offset + _LOCAL.size + sum(_LOCAL.unpack(header)[-2:])
        if start + entry.file_size > self.size:
            raise broken(f"entry {name!r} ends behind the end of the file")
        return start

    def read(self, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return an entry's data as a new array of bytes."""
        self._file.seek(self.start(name))
        entry = self._entry(name)
        data = np.empty(entry.file_size, np.uint8)
        filled, view = 0, data.data
        while filled < len(data):
            count = self._read_into(view[filled : filled + (1 << 24)])
            if not count:
                raise broken(f"entry {name!r} ends too early")
            filled += count
        if zlib.crc32(view) != entry.CRC:
            raise broken(f"the checksum of entry {name!r} is wrong")
        return data

    def _read_into(self, view: memoryview) -> int:
        """Fill memory from the file, without a copy where it can do so; return how many bytes."""
        if hasattr(self._file, "readinto"):
            return self._file.readinto(view)
        part = self._file.read(len(view))
        view[: len(part)] = part
        return len(part)
