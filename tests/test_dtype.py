"""dtypes, promotion, Size, limits and devices against PyTorch's recorded tables."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from minigrad import _device as dev
from minigrad import _dtype as dt

RECORDED = json.loads((Path(__file__).parent / "data" / "promotion.json").read_text())
NUMBERS = {"float": 1.5, "int": 2, "bool": True}
BY_NAME = {each.name: each for each in dt.ALL}


def operand(label):
    if label in NUMBERS:
        return NUMBERS[label]
    name, dimensions = label.split("/")
    return np.ones((1,) * int(dimensions), name)


@pytest.fixture(params=["float32", "float64", "float16"])
def default(request):
    before = dt.get_default_dtype()
    dt.set_default_dtype(BY_NAME[request.param])
    yield request.param
    dt.set_default_dtype(before)


def test_promotion_of_every_pair_of_operands(default):
    table = RECORDED["result_type"][default]
    assert len(table) == 2 * len(dt.ALL) + len(NUMBERS)
    for a, row in table.items():
        for b, expected in row.items():
            assert dt.promote(operand(a), operand(b)).name == expected, (a, b)
            assert dt.promote_many([operand(a), operand(b)]).name == expected, (a, b)


def test_promotion_of_three_operands_goes_class_by_class():
    wide, narrow = np.ones(2, np.int8), np.float64(1)
    assert dt.promote_many([narrow, wide, np.ones(2, np.float16)]).name == "float16"
    assert dt.promote_many([wide, 2.5, np.float64(1)]).name == "float64"
    with pytest.raises(ValueError, match="at least one operand"):
        dt.promote_many([])


@pytest.mark.parametrize("table", ["promote_types", "can_cast"])
def test_tables_of_pairs_of_dtypes(table):
    for pair, expected in RECORDED[table].items():
        a, b = (BY_NAME[name] for name in pair.split())
        found = getattr(dt, table)(a, b)
        assert (found.name if table == "promote_types" else found) == expected, pair


@pytest.mark.parametrize("bad", [1j, "1", None, np.ones(2, np.complex64), np.ones(2, ">f4")])
def test_promotion_refuses_what_no_tensor_holds(bad):
    for pair in ((bad, 1.0), (1.0, bad), (np.ones(2), bad), (bad, bad)):
        with pytest.raises(TypeError):
            dt.promote(*pair)


@pytest.mark.parametrize("name", RECORDED["limits"])
def test_limits(name):
    info = (dt.finfo if BY_NAME[name].is_floating_point else dt.iinfo)(BY_NAME[name])
    for field, expected in RECORDED["limits"][name].items():
        found = repr(info) if field == "repr" else getattr(info, field)
        assert found == expected, field
        assert type(found) is type(expected), field


def test_limits_refuse_the_other_kind(default):
    assert dt.finfo().dtype == default
    assert dt.finfo(dt.float16) == dt.finfo(dt.float16) != dt.finfo(dt.float64)
    for call, bad in ((dt.finfo, dt.int8), (dt.finfo, "float32"), (dt.iinfo, dt.float32)):
        with pytest.raises(TypeError):
            call(bad)
    with pytest.raises(TypeError, match="integer dtype"):
        dt.iinfo(dt.bool_)


def test_dtype_attributes_and_identity():
    assert repr(dt.bool_) == "torch.bool" and str(dt.half) == "torch.float16"
    assert (dt.half, dt.double, dt.short, dt.long) == (dt.float16, dt.float64, dt.int16, dt.int64)
    flags = {each.name: (each.itemsize, each.is_floating_point, each.is_signed) for each in dt.ALL}
    assert flags["uint8"] == (1, False, False) and flags["bool"] == (1, False, False)
    assert flags["float16"] == (2, True, True) and flags["int64"] == (8, False, True)
    for each in dt.ALL:
        assert pickle.loads(pickle.dumps(each)) is copy.deepcopy(each) is each
        assert dt.from_numpy[each.numpy] is each is dt.dtype_of(np.ones(1, each.numpy))
        assert each.to_real() is each and not each.is_complex
    with pytest.raises(TypeError, match="fixed"):
        dt.dtype("float32")
    with pytest.raises(TypeError, match="complex64 cannot become a tensor"):
        dt.dtype_of(np.ones(1, np.complex64))


def test_to_dtype_takes_dtypes_and_python_types_only():
    assert dt.to_dtype(float) is dt.float64 and dt.to_dtype(int) is dt.int64
    assert dt.to_dtype(bool) is dt.bool_ and dt.to_dtype(dt.int8) is dt.int8
    for bad in (str, "float32", np.float32, np.dtype("float32"), None, complex, 1.0):
        with pytest.raises(TypeError, match="expected a dtype"):
            dt.to_dtype(bad)


@pytest.mark.parametrize("bad", [dt.int32, dt.bool_, "float32", float, np.float32])
def test_default_dtype_must_be_floating_point(bad):
    with pytest.raises(TypeError, match="float16, float32 or float64"):
        dt.set_default_dtype(bad)
    assert dt.get_default_dtype() is dt.float32


def test_size_is_a_tuple_that_stays_a_size():
    size = dt.Size([2, 3])
    assert size == (2, 3) and hash(size) == hash((2, 3)) and size.numel() == 6
    assert repr(size) == str(size) == "torch.Size([2, 3])" and repr(dt.Size()) == "torch.Size([])"
    for made, expected in [
        (size + (4,), (2, 3, 4)),
        ((4,) + size, (4, 2, 3)),
        (size * 2, (2, 3, 2, 3)),
        (2 * size, (2, 3, 2, 3)),
        (size[1:], (3,)),
        (copy.deepcopy(size), (2, 3)),
        (pickle.loads(pickle.dumps(size)), (2, 3)),
        (dt.as_size((5,)), (5,)),
        (dt.Size([True, np.int64(3)]), (1, 3)),
    ]:
        assert type(made) is dt.Size and made == expected
    assert [type(item) for item in dt.Size([True, np.int64(3)])] == [int, int]
    assert size[1] == 3 and dt.Size().numel() == 1
    for bad in (lambda: size + [4], lambda: dt.Size([1.5]), lambda: dt.Size("a")):
        with pytest.raises(TypeError):
            bad()


def test_device_is_the_cpu():
    cpu = dev.device("cpu")
    assert repr(cpu) == "device(type='cpu')" and str(cpu) == "cpu" and cpu.index is None
    first = dev.device("cpu:0")
    assert first == dev.device("cpu", 0) == dev.device(type="cpu", index=0) != cpu
    assert repr(first) == "device(type='cpu', index=0)" and str(first) == "cpu:0"
    assert cpu == dev.device(cpu) == dev.to_device(None) != "cpu"
    assert len({cpu, first, dev.device("cpu")}) == 2
    assert pickle.loads(pickle.dumps(first)) == copy.deepcopy(first) == first
    with cpu as entered:
        assert entered is cpu
    with pytest.raises(AttributeError):
        cpu.index = 1


@pytest.mark.parametrize(
    "bad", ["cuda", "cuda:0", "mps", "meta", "nonsense", "", "cpu:x", "cpu:-1"]
)
def test_other_devices_are_refused(bad):
    with pytest.raises(RuntimeError, match="device"):
        dev.device(bad)


@pytest.mark.parametrize("bad", [0, None, 1.5])
def test_a_device_is_named_by_a_string(bad):
    with pytest.raises(TypeError, match="expected a string"):
        dev.device(bad)


def test_an_index_is_given_once():
    with pytest.raises(RuntimeError, match="already has an index"):
        dev.device("cpu:0", 0)


def test_layout_and_memory_formats():
    assert repr(dev.strided) == "torch.strided"
    assert repr(dev.preserve_format) == "torch.preserve_format"
    assert pickle.loads(pickle.dumps(dev.contiguous_format)) is dev.contiguous_format
    dev.check_memory_format(dev.channels_last)
    with pytest.raises(TypeError, match="memory_format"):
        dev.check_memory_format("channels_last")
