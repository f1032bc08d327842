"""Where checkpoints are written and read: paths, streams, devices, and what failures leave."""

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad import serialization

from .checkpoints import entries_of, saved, with_bytes

POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX systems")


def test_paths_and_files(tmp_path):
    path = tmp_path / "a.pt"
    torch.save([1], path)
    assert torch.load(str(path)) == torch.load(path) == [1]
    assert os.listdir(tmp_path) == ["a.pt"]
    with open(tmp_path / "b.pt", "wb") as file:
        torch.save([2], file)
    with open(tmp_path / "b.pt", "rb") as file:
        assert torch.load(file) == [2]
    written = []

    class WriteOnly:
        def write(self, data):
            written.append(bytes(data))

    torch.save([3], WriteOnly())
    assert torch.load(io.BytesIO(b"".join(written))) == [3]


def test_wrong_targets(tmp_path):
    with pytest.raises(AttributeError, match="path or a file"):
        torch.save(1, 5)
    with pytest.raises(AttributeError, match="path or a binary file"):
        torch.load(5)
    with pytest.raises(RuntimeError, match="does not exist"):
        torch.save(1, tmp_path / "missing" / "a.pt")
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "missing.pt")
    with pytest.raises(IsADirectoryError):
        torch.save(1, tmp_path)
    buffer = io.BytesIO()
    torch.save(1, buffer)
    with pytest.raises(EOFError, match="seek"):
        torch.load(buffer)
    with pytest.raises(ValueError, match="mmap"):
        torch.load(io.BytesIO(saved(1)), mmap=True)
    with pytest.raises(TypeError, match="weights_only"):
        torch.load(io.BytesIO(saved(1)), weights_only="no")
    assert torch.load(io.BytesIO(saved(1)), weights_only=False) == 1


def test_mapped_files(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"x": torch.arange(1000.0), "none": torch.empty(0), "f": torch.tensor(True)}, path)
    before = path.read_bytes()
    found = torch.load(path, mmap=True)
    assert found["x"].tolist() == list(range(1000)) and found["f"].item() is True
    assert type(found["x"].numpy()) is np.ndarray and found["none"].shape == (0,)
    found["x"][0] = 5.0
    assert path.read_bytes() == before
    buffers = [found["x"].numpy()]
    while isinstance(buffers[-1], np.ndarray):
        buffers.append(buffers[-1].base)
    assert type(getattr(buffers[-1], "obj", buffers[-1])).__name__ == "mmap"


def test_files_of_big_endian_machines():
    entries = entries_of([torch.arange(3), torch.ones(2, dtype=torch.uint8)])
    entries["byteorder"] = b"big"
    entries["data/0"] = np.arange(3, dtype=">i8").tobytes()
    found = torch.load(io.BytesIO(with_bytes(entries)))
    assert found[0].tolist() == [0, 1, 2] and found[0].numpy().dtype.isnative
    entries["byteorder"] = b"middle"
    with pytest.raises(RuntimeError, match="byte order"):
        torch.load(io.BytesIO(with_bytes(entries)))


def test_map_location():
    entries = entries_of(torch.ones(2))
    text = entries["data.pkl"].replace(b"X\3\0\0\0cpu", b"X\6\0\0\0cuda:1")
    data = with_bytes(entries | {"data.pkl": text})
    for good in ("cpu", torch.device("cpu"), {"cuda:1": "cpu"}, lambda storage, name: storage):
        assert torch.load(io.BytesIO(data), map_location=good).tolist() == [1.0, 1.0]
    seen = []
    for bad in (None, "cuda", {"cuda:0": "cpu"}, lambda storage, name: seen.append(name)):
        with pytest.raises(RuntimeError, match="map_location='cpu'"):
            torch.load(io.BytesIO(data), map_location=bad)
    assert seen == ["cuda:1"]
    with pytest.raises(TypeError, match="map_location"):
        torch.load(io.BytesIO(data), map_location=lambda storage, name: 5)


# ---- atomic writing
class Failing:
    """A file whose write number `fail` raises after it wrote half of its data."""

    def __init__(self, file, fail):
        self.file, self.left = file, fail

    def write(self, data):
        self.left -= 1
        if self.left < 0:
            self.file.write(memoryview(data).cast("B")[: memoryview(data).nbytes // 2])
            raise OSError("disk full")
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    torch.save({"old": torch.ones(3)}, path)
    before, failures = path.read_bytes(), 0
    for fail in range(100):
        with monkeypatch.context() as patch:
            failing = lambda *a, n=fail: Failing(os.fdopen(*a), n)
            patch.setattr(serialization, "open", failing, raising=False)
            try:
                torch.save({"new": [torch.zeros(3), torch.zeros(4)]}, path)
                break
            except OSError:
                failures += 1
        assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.pt"]
    assert failures > 10 and list(torch.load(path)) == ["new"]
    for step in ("fsync", "replace"):
        before = path.read_bytes()
        with monkeypatch.context() as patch, pytest.raises(OSError, match=step):
            patch.setattr(os, step, lambda *a, _s=step: (_ for _ in ()).throw(OSError(_s)))
            torch.save([1], path)
        assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.pt"]


def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.pt"
    torch.save([1], path)
    program = (
        "import os, sys, minigrad as torch\n"
        "from minigrad._checkpoint import archive\n"
        "real, n = archive.Writer._append, [0]\n"
        "def append(self, data):\n"
        "    n[0] += 1\n"
        "    os._exit(7) if n[0] > 5 else real(self, data)\n"
        "archive.Writer._append = append\n"
        "torch.save([torch.ones(9)], sys.argv[1])\n"
    )
    root = Path(__file__).parents[1]
    killed = subprocess.run([sys.executable, "-c", program, str(path)], cwd=root, check=False)
    assert killed.returncode == 7
    assert torch.load(path) == [1]


@POSIX
def test_permissions_and_links_are_respected(tmp_path):
    path, link = tmp_path / "a.pt", tmp_path / "link.pt"
    mask = os.umask(0o027)
    try:
        torch.save([1], path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(mask)
    path.chmod(0o604)
    link.symlink_to(path.name)
    torch.save([2], link)
    assert link.is_symlink() and torch.load(path) == [2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    torch.save([3], "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
