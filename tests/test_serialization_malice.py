"""Files made to do harm are refused, and nothing in them is executed or read past its end."""

import builtins
import io
import os
import pickle
import random
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

import minigrad as torch
from minigrad._checkpoint import archive
from minigrad.nn.parameter import Parameter

from .checkpoints import entries_of, saved, with_bytes

REFUSALS = (pickle.UnpicklingError, RuntimeError, EOFError)
NO_HOOKS = b"ccollections\nOrderedDict\n)R"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
PARAMETER = b"ctorch._utils\n_rebuild_parameter\n"


def load(opcodes, **storages):
    """Load an archive of opcodes and the storages data/0, data/1 ... given as s0=, s1= ..."""
    entries = {"data.pkl": b"\x80\2" + opcodes + b".", "version": b"3\n"}
    entries |= {f"data/{name[1:]}": data for name, data in storages.items()}
    return torch.load(io.BytesIO(with_bytes(entries)))


def number(value):
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def numbers(values):
    return b"(" + b"".join(map(number, values)) + b"t"


def reference(kind="FloatStorage", key="0", numel=4, tag="storage", location="cpu"):
    kind = f"ctorch\n{kind}\n".encode()
    return b"(" + text(tag) + kind + text(key) + text(location) + number(numel) + b"tQ"


def tensor(offset=0, size=(4,), stride=(1,), grad=b"\x89", hooks=NO_HOOKS, storage=None):
    storage = reference() if storage is None else storage
    return (
        REBUILD
        + b"("
        + storage
        + number(offset)
        + numbers(size)
        + numbers(stride)
        + (grad + hooks + b"tR")
    )


FOUR = np.arange(4, dtype=np.float32).tobytes()


def test_the_assembler_of_these_tests_makes_good_files():
    assert load(tensor(), s0=FOUR).tolist() == [0, 1, 2, 3]
    found = load(tensor(1, (2, 2), (1, 1)), s0=FOUR)
    assert found.tolist() == [[1, 2], [2, 3]]
    assert load(tensor(4, (0, 9), (7, 7)), s0=FOUR).shape == (0, 9)
    assert load(tensor(3, (1000, 1000), (0, 0)), s0=FOUR)[7, 7].item() == 3


# ---- code
class Evil:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (os.system, "touch executed"),
        (builtins.eval, "open('executed', 'w')"),
        (builtins.exec, "open('executed', 'w')"),
        (builtins.__import__, "this"),
        (builtins.getattr, "x"),
        (open, "executed"),
        (os.mkdir, "executed"),
        (np.load, "executed"),
        (pickle.loads, b"."),
    ],
)
@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_calls_of_other_functions_are_refused(function, argument, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opcodes = pickle.dumps({"a": [Evil(function, argument)]}, protocol)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(io.BytesIO(with_bytes({"data.pkl": opcodes})))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("minigrad.serialization", "load"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch", "Size.__init__"),
        ("collections", "OrderedDict.update"),
        ("collections", "namedtuple"),
        ("torch.nn.modules.linear", "Linear"),
        ("", ""),
    ],
)
def test_the_global_that_is_not_allowed_is_named(name):
    module, attribute = name
    with pytest.raises(pickle.UnpicklingError, match=rf"{module}\.{attribute}.*not on the list"):
        load(f"c{module}\n{attribute}\n)R".encode())


@pytest.mark.parametrize(
    "opcodes",
    [
        b"ccollections\nOrderedDict\n)\x81",  # NEWOBJ
        b"(ccollections\nOrderedDict\no",  # OBJ
        b"(icollections\nOrderedDict\n",  # INST
        b"\x82\1",  # EXT1
        b"P0\n",  # PERSID
        b"\x93",  # STACK_GLOBAL
        b"I5\n",
        b"}}b",  # BUILD of a dict
        NO_HOOKS + b"}" + text("items") + b"Nsb",  # hides a method of the dict
        NO_HOOKS + b"}" + text("__class__") + b"Nsb",
        NO_HOOKS + b"Nb",
        b"ctorch\nfloat32\n}" + text("name") + text("evil") + b"sb",
        b"ctorch\nSize\n}b",
        tensor() + b"}" + text("_data") + b"Nsb",
        b"ctorch\nTensor\n)R",
        b"ctorch\nFloatStorage\n)R",
        b"ctorch\nfloat32\n)R",
        b"NN\x86R",
        b"K\1)R",
        b"ctorch\nSize\nK\1R",
        b"ctorch\nSize\n" + text("abc") + b"\x85R",
        b"ctorch\nSize\n(G" + b"\0" * 8 + b"t\x85R",
        b"ctorch\ndevice\nK\0\x85R",
        b"__builtin__\nset\n",
        b"c__builtin__\nbytearray\n" + number(10**12) + b"\x85R",
        b"c__builtin__\nbytes\n" + number(10**12) + b"\x85R",
        b"c__builtin__\ncomplex\n" + text("1") + b"\x85R",
        b"c__builtin__\nset\n" + text("ab") + b"\x85R",
        b"c__builtin__\nset\n]]a\x85R",
        b"c_codecs\nencode\n" + text("a") + text("rot13") + b"\x86R",
        b"c_codecs\nencode\n" + text("a") + text("idna") + b"\x86R",
        b"ctorch.serialization\n_get_layout\n" + text("torch.sparse_coo") + b"\x85R",
        b"ctorch\nTensor\n",  # allowed to be named, but not as a value
        b"]" + REBUILD + b"a",
        b"]" + reference() + b"a",
        b"}K\1" + reference() + b"s",
        b"}]Ns",  # a list as a key
        b"}NNNu",
        b"(NNNu",
        b"N(a",
        b"t",
        b"e",
        b"R",
        b"Q",
        b"NQ",
        b"h\5",
        b"\x85",
        b"(\x85",
        b"",
        b"X\xff\xff\xff\xffabc",
        b"X\2\0\0\0\xff\xfe",
        b"\x8a\xff1",
        b"ctorch",
        b"\x80\4N",
        b"c\xff\n\xff\n",
    ],
)
def test_opcodes_that_no_checkpoint_contains_are_refused(opcodes):
    with pytest.raises(pickle.UnpicklingError):
        load(opcodes, s0=FOUR)


def test_nothing_was_changed_by_refused_files():
    assert repr(torch.float32) == "torch.float32" and torch.Size([1]).numel() == 1


# ---- storages and strides
@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (1, (4,), (1,)),
        (4, (1,), (1,)),
        (0, (2,), (4,)),
        (0, (5,), (1,)),
        (0, (2, 2), (3, 1)),
        (0, (2**40,), (1,)),
        (0, (2,), (2**62,)),
        (2**62, (1,), (1,)),
        (0, (2**40, 2**40), (0, 0)),
        (0, (2**40, 2**40, 0), (0, 0, 0)),
        (0, (2, 2), (1,)),
        (0, (1,) * 65, (1,) * 65),
    ],
)
def test_tensors_never_reach_beyond_their_storage(offset, size, stride):
    with pytest.raises(RuntimeError, match=r"storage has 4|cannot exist"):
        load(tensor(offset, size, stride), s0=FOUR)


@pytest.mark.parametrize(
    "opcodes",
    [
        tensor(-1),
        tensor(0, (-4,), (1,)),
        tensor(3, (4,), (-1,)),
        tensor(0, (2**64,), (0,)),
        tensor(grad=b"N"),
        tensor(0, (2,), grad=b"\x88", storage=reference("LongStorage", numel=2)),
        tensor(hooks=NO_HOOKS + b"K\1Ns"),
        tensor(storage=b"N"),
        tensor(storage=b"(" + b"N" * 5 + b"t"),
        tensor(storage=reference(tag="module")),
        tensor(storage=reference("Tensor")),
        tensor(storage=reference("float32")),
        tensor(storage=reference("OrderedDict")),
        tensor(storage=reference(numel=-1)),
        tensor(storage=reference(numel=2**70)),
        b"]" + tensor() + b"a" + tensor(storage=reference("IntStorage")) + b"a",
        b"]" + tensor() + b"a" + tensor(storage=reference(numel=3)) + b"a",
        b"(" + text("storage") + b"NNNNtQ",
        PARAMETER + b"N\x88" + NO_HOOKS + b"\x87R",
        PARAMETER + tensor() + b"N" + NO_HOOKS + b"\x87R",
        PARAMETER + tensor() + b"\x88K\1\x87R",
        b"ctorch._tensor\n_rebuild_from_type_v2\n(" + PARAMETER + b"ctorch\nTensor\n)}tR",
        b"ctorch._tensor\n_rebuild_from_type_v2\n(" + REBUILD + b"ctorch\nSize\n)}tR",
    ],
)
def test_references_and_tensors_that_make_no_sense_are_refused(opcodes):
    with pytest.raises(pickle.UnpicklingError):
        load(opcodes, s0=FOUR)


@pytest.mark.parametrize("name", ["backward", "_data", "_node", "__class__", "shape", "a b", ""])
def test_attributes_of_tensors_cannot_hide_the_class(name):
    arguments = tensor()[len(REBUILD) : -1]
    start = b"ctorch._tensor\n_rebuild_from_type_v2\n(" + REBUILD + b"ctorch\nTensor\n" + arguments
    assert load(start + b"}" + text("fine") + b"K\1stR", s0=FOUR).fine == 1
    with pytest.raises(pickle.UnpicklingError, match="attribute"):
        load(start + b"}" + text(name) + b"K\1stR", s0=FOUR)


@pytest.mark.parametrize("key", ["1", "../0", "/etc/passwd", "", "0\0", "../version"])
def test_storages_that_are_not_in_the_archive(key):
    with pytest.raises(RuntimeError):
        load(tensor(storage=reference(key=key)), s0=FOUR)


@pytest.mark.parametrize("data", [b"", FOUR[:-1], FOUR + b"\0", FOUR * 2])
def test_a_storage_has_the_declared_size(data):
    with pytest.raises(RuntimeError, match="should have 4 elements"):
        load(tensor(), s0=data)


def test_booleans_are_made_0_or_1():
    found = load(tensor(storage=reference("BoolStorage")), s0=b"\0\1\2\xff").numpy()
    assert found.view(np.uint8).tolist() == [0, 1, 1, 1]


# ---- little files that want much
def bombs():
    """Return opcodes of some kilobytes that ask for gigabytes."""
    chars = text("a" * 20_000) + b"q\0"
    items = b"](" + b"".join(number(i) for i in range(5000)) + b"eq\0"
    key = b"(" + b"K\1" * 5000 + b"tq\0"
    again = b"h\0" + text("latin1") + b"\x86R"
    return {
        "bytes": b"]" + chars + b"a(" + (b"c_codecs\nencode\n" + again) * 4000 + b"e",
        "sets": b"]" + items + b"a(" + b"c__builtin__\nset\nh\0\x85R" * 4000 + b"e",
        "storage": tensor(storage=reference(numel=2**40)),
        "keys": key + b"q\0" + b"(" + b"h\0" * 5000 + b"tq\1}h\1Ns",
        "hash": b"K\1" + b"\x85" * 100_000 + b"q\0}h\0Ns",
    }


@pytest.mark.parametrize("name", bombs())
def test_bombs_are_refused_before_they_grow(name):
    tracemalloc.start()
    try:
        with pytest.raises(REFUSALS):
            load(bombs()[name], s0=FOUR)
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


# ---- zip files
def zipped(entries, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as file:
        for name, data in entries:
            file.writestr(f"archive/{name}", data)
    return buffer.getvalue()


def test_other_archives_are_refused():
    empty = b"PK\5\6" + b"\0" * 18
    entry = ("data.pkl", b"\x80\2N.")
    assert torch.load(io.BytesIO(zipped([entry]))) is None
    for data, what in [
        (zipped([entry], compression=zipfile.ZIP_DEFLATED), "compressed"),
        (zipped([("other", b"")]), r"no entry 'data\.pkl'"),
        (empty, "no entry"),
        (zipped([entry, ("constants.pkl", b"")]), "TorchScript"),
        (b"hello, this is no archive", "begin like a zip"),
        (b"PK\3\4 but nothing behind it", "directory"),
    ]:
        with pytest.raises(RuntimeError, match=what):
            torch.load(io.BytesIO(data))
    with pytest.warns(UserWarning, match="Duplicate"):
        double = zipped([entry, entry])
    with pytest.raises(RuntimeError, match="same name"):
        torch.load(io.BytesIO(double))
    with pytest.raises(EOFError):
        torch.load(io.BytesIO())
    with pytest.raises(TypeError, match="rb"):
        torch.load(io.StringIO("PK"))


def test_sizes_in_the_directory_are_not_believed():
    data = bytearray(saved(torch.ones(4)))
    place = data.rindex(b"archive/data/0") - 46
    assert data[place : place + 4] == b"PK\1\2"
    for size in (10**9, 17, 15, len(data)):
        data[place + 20 : place + 28] = struct.pack("<II", size, size)
        with pytest.raises(REFUSALS):
            torch.load(io.BytesIO(data))


def test_changed_data_fail_the_checksum():
    data = bytearray(saved(torch.arange(100.0)))
    place = data.index(np.arange(100, dtype=np.float32).tobytes())
    data[place + 40] ^= 1
    with pytest.raises(RuntimeError, match="checksum"):
        torch.load(io.BytesIO(data))


@pytest.mark.slow
def test_every_truncation_is_an_error():
    data = saved({"a": torch.arange(5), "b": [1, "x"]})
    for length in range(len(data)):
        with pytest.raises(REFUSALS):
            torch.load(io.BytesIO(data[:length]))


@pytest.mark.parametrize("part", ["archive", "opcodes"])
def test_random_damage_is_an_error_or_harmless(part):
    rng = random.Random(0)
    obj = {"a": torch.arange(50), "b": [1, "x", b"y", {2}], "p": Parameter(torch.ones(2))}
    entries = entries_of(obj)
    good = saved(obj) if part == "archive" else entries["data.pkl"]
    refused = 0
    for _ in range(1500):
        data = bytearray(good)
        for _ in range(rng.choice((1, 1, 2, 5))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        whole = data if part == "archive" else with_bytes(entries | {"data.pkl": bytes(data)})
        try:
            torch.load(io.BytesIO(whole))
        except REFUSALS:
            refused += 1
    assert refused > 500


def test_entries_that_share_their_bytes_cannot_add_up_to_more_than_the_file():
    small = {f"data/{n}": b"y" for n in range(1, 9)}
    data = bytearray(with_bytes({"data.pkl": b"\x80\2N.", "data/0": b"x" * 4000} | small))
    first = data.rindex(b"archive/data/0") - 46
    for name in small:
        place = data.rindex(f"archive/{name}".encode()) - 46
        for start, stop in ((16, 28), (42, 46)):  # checksum and sizes; offset
            data[place + start : place + stop] = data[first + start : first + stop]
    with pytest.raises(RuntimeError, match="larger than the file"):
        archive.Reader(io.BytesIO(data))
