"""Helpers of the checkpoint tests: save to bytes, and archives with given entries."""

import io
import zipfile

import minigrad as torch
from minigrad._checkpoint import archive


def saved(obj):
    """Return the bytes of a checkpoint."""
    buffer = io.BytesIO()
    torch.save(obj, buffer)
    return buffer.getvalue()


def again(obj):
    """Save and load."""
    return torch.load(io.BytesIO(saved(obj)))


def with_bytes(entries):
    """Return an archive of given entries."""
    buffer = io.BytesIO()
    writer = archive.Writer(buffer.write)
    for name, data in entries.items():
        writer.add(name, data)
    writer.close()
    return buffer.getvalue()


def entries_of(obj):
    """Return the entries of an object's checkpoint."""
    file = zipfile.ZipFile(io.BytesIO(saved(obj)))
    return {name.partition("/")[2]: file.read(name) for name in file.namelist()}
