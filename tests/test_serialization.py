"""Checkpoints: PyTorch's files are read, and ours have the structure of its files."""

import io
import pickle
import pickletools
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

import minigrad as torch
from minigrad._checkpoint import archive, storages
from minigrad.nn.parameter import Buffer, Parameter

from .checkpoints import again, saved
from .record_serialization import FOLDER, model_and_optimizer, objects, tensors


def recorded(name):
    return torch.load(FOLDER / f"torch_saved_{name}.pt")


def same(a, b):
    """Tell whether two nests of objects have the same types and values."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        flags = a.requires_grad == b.requires_grad and a.dtype == b.dtype and a.shape == b.shape
        return flags and bool((a.detach().numpy() == b.detach().numpy()).all())
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


# ---- files of PyTorch, and the same objects saved by us
@pytest.fixture(params=["from PyTorch", "from minigrad"])
def loaded(request):
    def load(name, build):
        return recorded(name) if request.param == "from PyTorch" else again(build(torch))

    return load


def test_objects(loaded):
    found, expected = loaded("objects", objects), objects(torch)
    assert list(found) == list(expected)
    for key in expected:
        assert same(found[key], expected[key]), key


def test_tensors(loaded):
    found, expected = loaded("tensors", tensors), tensors(torch)
    assert list(found) == list(expected)
    for key in expected:
        assert same(found[key], expected[key]), key
    assert found["again"] is found["parameter"] and type(found["parameter"]) is Parameter
    assert isinstance(found["buffer"], Buffer) and found["buffer"].persistent
    assert found["attributed"].note == ["kept", 1]
    assert found["result"].is_leaf and found["result"].requires_grad


def test_views_share_their_storage_and_keep_their_strides(loaded):
    found = loaded("tensors", tensors)
    base = found["base"].numpy()
    for name in ("transposed", "column", "block"):
        assert np.shares_memory(base, found[name].numpy()), name
    assert found["transposed"].numpy().strides == (4, 24)
    assert found["block"].numpy().strides == (24, 8)
    assert found["expanded"].numpy().strides == (0, 0)
    found["base"][1, 2] = -1.0
    assert found["column"][1] == found["transposed"][2, 1] == found["block"][0, 1] == -1
    assert not np.shares_memory(base, found["outside"].numpy())


def test_a_training_checkpoint_of_pytorch_goes_on():
    checkpoint = recorded("training")
    assert checkpoint["model"]._metadata["1"] == {"version": 2} and checkpoint["epoch"] == 2
    model, optimizer = model_and_optimizer(torch)
    fresh = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    assert list(fresh["model"]) == list(checkpoint["model"])
    for key, value in checkpoint["model"].items():
        np.testing.assert_allclose(fresh["model"][key].numpy(), value.numpy(), rtol=1e-5)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    kept = again(model.state_dict())
    assert kept._metadata == model.state_dict()._metadata and same(kept, model.state_dict())


@pytest.mark.parametrize(
    ("name", "culprit"),
    [
        ("bfloat16", "torch.BFloat16Storage"),
        ("complex64", "torch.ComplexFloatStorage"),
        ("sparse", "_rebuild_sparse_tensor"),
        ("uint16", "_rebuild_tensor_v3"),
        ("module", "torch.nn.modules.linear.Linear"),
    ],
)
def test_what_minigrad_does_not_have_is_named(name, culprit):
    with pytest.raises(pickle.UnpicklingError, match=culprit):
        recorded(name)


def test_the_old_format_is_named():
    with pytest.raises(RuntimeError, match=r"before 1\.6"):
        recorded("legacy")


# ---- the structure of our files
def test_the_archive_is_built_like_pytorchs():
    data = saved({"a": torch.ones(3), "b": torch.zeros(5, dtype=torch.uint8)})
    file = zipfile.ZipFile(io.BytesIO(data))
    theirs = zipfile.ZipFile(FOLDER / "torch_saved_module.pt")
    tail = {name.partition("/")[2] for name in theirs.namelist()}
    names = [name.partition("/")[2] for name in file.namelist()]
    assert set(names) == tail
    assert names[0] == "data.pkl" and names[-2:] == ["version", ".data/serialization_id"]
    assert file.testzip() is None
    for entry in file.infolist():
        assert entry.compress_type == zipfile.ZIP_STORED
        local = data[entry.header_offset :]
        lengths = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        assert (entry.header_offset + 30 + lengths) % 64 == 0
    for name in ("version", ".format_version", ".storage_alignment"):
        their_name = f"{theirs.namelist()[0].partition('/')[0]}/{name}"
        assert file.read(f"archive/{name}") == theirs.read(their_name)
    assert file.read("archive/byteorder") == sys.byteorder.encode()
    assert file.read("archive/data/0") == np.ones(3, np.float32).tobytes()
    identifier = file.read("archive/.data/serialization_id")
    assert len(identifier) == 40 and identifier.isdigit()


def test_equal_objects_make_equal_files():
    assert saved(tensors(torch)) == saved(tensors(torch))
    assert saved({"a": torch.ones(2)}) != saved({"a": torch.zeros(2)})


PYTORCH_READS = {
    *("GLOBAL", "REDUCE", "BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "MARK", "TUPLE"),
    *("TUPLE1", "TUPLE2", "TUPLE3", "NONE", "NEWFALSE", "NEWTRUE", "EMPTY_TUPLE", "EMPTY_LIST"),
    *("EMPTY_DICT", "BININT", "BININT1", "BININT2", "BINFLOAT", "BINUNICODE", "BINPERSID"),
    *("BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT", "LONG1", "PROTO", "STOP"),
}


@pytest.mark.parametrize("build", [objects, tensors])
def test_the_opcodes_are_among_those_that_pytorch_reads(build):
    opcodes = zipfile.ZipFile(io.BytesIO(saved(build(torch)))).read("archive/data.pkl")
    used = {opcode.name for opcode, _, _ in pickletools.genops(opcodes)}
    assert used <= PYTORCH_READS
    pickletools.dis(opcodes, out=io.StringIO())  # checks the stack and the memo


def test_only_the_part_of_a_storage_that_tensors_cover_is_written():
    assert len(saved(torch.arange(100_000)[5:10])) < 2000
    base = torch.arange(10)
    first, second = again([base[2:6], base[4:9:2]])
    first[2] = -1
    assert second.tolist() == [-1, 6, 8]


def test_memory_that_arrays_cover():
    base = np.arange(20.0)
    arrays = [base[10:14], base[0:3], base[12:18:2], base[5:5], base[2:4], np.ones(2)]
    made, places = storages.share(arrays)
    assert [place.key for place in places] == ["0", "1", "0", "2", "1", "3"]
    assert [place.offset for place in places] == [0, 0, 2, 0, 2, 0]
    assert [len(storage) for storage in made] == [7, 4, 0, 2]
    assert made[0].tolist() == list(range(10, 17))
    with pytest.raises(RuntimeError, match="same memory"):
        storages.share([base, base.view(np.int64)[3:]])
    with pytest.raises(RuntimeError, match="same memory"):
        storages.share([base, np.frombuffer(base.tobytes()[4:], np.float64, 2), base.view("i4")])


def test_negative_strides_are_written_as_a_copy():
    reversed_view = torch.from_numpy(np.arange(6.0))
    reversed_view._data = reversed_view._data[::-1]
    assert again(reversed_view).tolist() == [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]


def test_large_archives_use_zip64(monkeypatch):
    monkeypatch.setattr(archive, "LIMIT", 50)
    data = saved(objects(torch) | {"t": torch.arange(100)})
    file = zipfile.ZipFile(io.BytesIO(data))
    assert file.testzip() is None
    local = data[file.getinfo("archive/data/0").header_offset :]
    assert local[18:26] == b"\xff" * 8 and local[30 + 14 : 30 + 16] == b"\1\0"
    found = torch.load(io.BytesIO(data))
    assert found["t"].tolist() == list(range(100)) and found["size"] == (2, 3)


# ---- nesting, identity, refusals
def test_deep_nesting_needs_no_deep_stack():
    nest: list = []
    for _ in range(50_000):
        nest = [nest]
    nest, depth = again(nest), 0
    while nest:
        nest, depth = nest[0], depth + 1
    assert depth == 50_000


def test_identity_and_cycles_are_kept():
    shared = [1]
    obj: dict = {"a": shared, "b": shared, "t": (shared,)}
    obj["self"] = obj
    found = again(obj)
    assert found["a"] is found["b"] is found["t"][0] and found["self"] is found
    tensor = torch.ones(2)
    first, second = again([tensor, tensor])
    assert first is second


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        ({"a": [1, {2: object()}]}, r"obj\['a'\]\[1\]\[2\]"),
        ({"loss": np.float64(1)}, r"obj\['loss'\], an object of type numpy\.float64"),
        ([np.ones(2)], r"obj\[0\].*numpy\.ndarray"),
        ((1, frozenset()), r"obj\[1\].*frozenset"),
        ({"f": len}, "builtin_function"),
        ({((1, (2, (3,))),): 1}, "the key of obj"),
        ([{frozenset()}], r"an item of obj\[0\]"),
        (2**5000, "255 bytes"),
    ],
)
def test_what_cannot_be_written_is_named_with_its_place(bad, place):
    with pytest.raises(pickle.PicklingError, match=place):
        saved(bad)


def test_a_module_is_refused_with_the_remedy():
    with pytest.raises(pickle.PicklingError, match="save its state_dict"):
        saved({"model": torch.nn.Linear(1, 1)})


def test_a_tuple_that_contains_itself_is_refused():
    inner: list = []
    outer = (inner,)
    inner.append(outer)
    with pytest.raises(pickle.PicklingError, match="contains itself"):
        saved(outer)


def test_state_dicts_keep_their_metadata_only():
    ordered = OrderedDict(a=1)
    ordered._metadata = OrderedDict({"": {"version": 1}})
    assert again(ordered)._metadata == ordered._metadata
    ordered.other = 5
    with pytest.raises(pickle.PicklingError, match="other"):
        saved(ordered)
