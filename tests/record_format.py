"""Record how PyTorch prints some hundred tensors into tests/data/format.json.gz.

Run with PyTorch installed: python tests/record_format.py
A case's values are written out, or made by exact arithmetic: ((i * step) % modulus - shift) / by.
"""

import gzip
import itertools
import json
from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "data" / "format.json.gz"
FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8"]
INF, NAN = float("inf"), float("nan")


def build(case: dict) -> np.ndarray:
    """Return the array of a case."""
    shape = tuple(case["shape"])
    if "values" in case:
        return np.array(case["values"], dtype=case["dtype"]).reshape(shape)
    index = np.arange(int(np.prod(shape)), dtype=np.int64)
    values = index * case["step"] % case["modulus"] - case["shift"]
    exact = values / case["by"] if case["by"] != 1 else values
    return exact.astype(case["dtype"]).reshape(shape)


def written(values: list, dtype: str, shape: tuple | None = None, **more: object) -> dict:
    return {"values": values, "dtype": dtype, "shape": shape or (len(values),), **more}


def computed(shape: tuple, dtype: str, step=37, modulus=101, shift=50, by=1, **more) -> dict:
    made = {"step": step, "modulus": modulus, "shift": shift, "by": by}
    return {"shape": shape, "dtype": dtype, **made, **more}


def cases_of_values() -> list[dict]:
    special = [
        [0.0],
        [-0.0],
        [0.0, -0.0],
        [NAN],
        [INF],
        [-INF],
        [NAN, INF, -INF],
        [1.0],
        [-1.0],
        [1.0, NAN],
        [1.0, INF, -0.0],
        [0.5, NAN],
        [0.5, -INF],
        [0.5, -0.0],
        [1e-4, 1e-3],
        [9e-5, 1e-3],
        [0.1, 100.0],
        [0.1, 100.2],
        [1.0, 1000.0],
        [1.0, 1001.0],
        [1.0, 1001.0, INF],
        [60000.0, 1.0],
        [1234.5],
        [123.456, -0.001],
        [1 / 3, 2 / 3],
        [9.99995, 9.99994],
        [0.99995],
        [2.0, 3.0, -4.0],
        [6e-8],
        [1000.5, 0.5],
        [1e-5, NAN, -1.0],
        [65504.0, -65504.0],
    ]
    wide = [
        [1e8],
        [1e8 + 8],
        [1e9],
        [123456789.0],
        [99999999.0, 1e5],
        [1e8, 1e6],
        [1e10, -1e10],
        [1e-10],
        [1e-30, 1e30],
        [3.4e38],
        [1.5e8, -0.25],
        [16777217.0],
    ]
    cases = [written(v, d) for v in special for d in FLOATS]
    cases += [written(v, d) for v in wide for d in FLOATS[1:]]
    cases += [written([v], d, ()) for v in (0.0, -0.0, NAN, -INF, 2.0, 2.5, 1e-5) for d in FLOATS]
    cases += [written(v, "float64") for v in ([1e300, 1e-300], [5e-324], [1e100], [1e-100, 0.0])]
    return cases


def cases_of_integers() -> list[dict]:
    cases = [written([v], d, ()) for v in (0, 7, 100) for d in INTEGERS]
    cases += [written([0, 1, 127], d) for d in INTEGERS]
    cases += [written([-128, 5, 0], d) for d in INTEGERS[:-1]]
    cases += [written([2**63 - 1, -(2**63)], "int64"), written([10**9, -1], "int32")]
    cases += [written([v], "bool", ()) for v in (True, False)]
    cases += [written(v, "bool") for v in ([True], [False], [True, False], [False] * 30)]
    cases += [computed((3, 4), "bool", modulus=2, shift=0), computed((2, 2, 40), "bool")]
    return cases


def cases_of_shapes() -> list[dict]:
    empty = [(0,), (0, 3), (3, 0), (2, 0, 3), (0, 0), (1, 0)]
    cases = [written([], d, s) for s in empty for d in ("float32", "int64", "bool", "float64")]
    shapes = [(1, 1), (2, 3), (3, 2, 2), (2, 1, 3, 2), (1, 2, 1, 2, 2), (1,) * 8, (30,), (100,)]
    shapes += [(3, 26), (2, 50), (5, 1), (12, 9), (2, 3, 21)]
    for shape, dtype in itertools.product(shapes, ("float32", "int64")):
        cases.append(computed(shape, dtype, by=8 if dtype == "float32" else 1))
    large = [(1001,), (1000,), (2000, 2), (3, 500), (7, 7, 30), (6, 6, 40), (8, 5, 6, 7), (2, 1200)]
    large += [(1, 1, 1001), (1001, 1), (40, 40), (11, 1, 100), (3, 4, 100, 2), (100, 200)]
    for shape, dtype in itertools.product(large, ("float32", "int64")):
        cases.append(computed(shape, dtype, by=16 if dtype == "float32" else 1))
    cases += [computed((1500,), d) for d in ("float16", "float64", "int8", "bool")]
    return cases


def cases_of_options() -> list[dict]:
    options = [
        {"precision": 2},
        {"precision": 0},
        {"precision": 8},
        {"linewidth": 40},
        {"linewidth": 10},
        {"linewidth": 200},
        {"linewidth": 0},
        {"edgeitems": 1, "threshold": 5},
        {"edgeitems": 0, "threshold": 5},
        {"edgeitems": 0},
        {"edgeitems": 10, "threshold": 5},
        {"threshold": 0},
        {"sci_mode": True},
        {"sci_mode": False},
        {"sci_mode": True, "precision": 1},
        {"profile": "short"},
        {"profile": "full"},
        {"profile": "full", "precision": 1},
        {"profile": "short", "linewidth": 30, "edgeitems": 3},
    ]
    samples = [
        computed((2, 13), "float32", by=7),
        computed((4, 9), "int64"),
        computed((3, 4, 5), "float64", by=1),
        written([1e-6, 1e6, -INF, NAN, 0.0], "float32"),
        written([3.5], "float32", ()),
        computed((30, 40), "float32", by=3, modulus=1009),
    ]
    cases = [dict(sample, options=o) for o in options for sample in samples]
    return [c for c in cases if c["shape"] != (30, 40) or "profile" in c["options"]]


def cases_of_notes() -> list[dict]:
    samples = [
        *(computed((n,), "float32", by=8, modulus=79, shift=39) for n in range(2, 9)),
        computed((2, 3), "float64", by=8),
        computed((2, 6), "float16", by=8),
        written([1.0], "float32", ()),
        written([], "float32", (0, 3)),
        computed((2, 7), "float32", by=8),
        computed((1, 2, 8), "float64", by=8),
    ]
    names = ["requires_grad", "MulBackward0", "AsStridedBackward0"]
    cases = [dict(s, grad=name) for s in samples for name in names]
    cases += [dict(s, default="float64") for s in samples[7:9] + samples[:1]]
    cases += [dict(s, default="float16") for s in samples[7:11]]
    cases += [written([1, 2], "int64", default="float64"), written([], "int64", default="float64")]
    return cases


def all_cases() -> list[dict]:
    groups = (cases_of_values, cases_of_integers, cases_of_shapes, cases_of_options, cases_of_notes)
    return [case for group in groups for case in group()]


def printed(case: dict) -> str:
    """Return PyTorch's text of a case."""
    import torch

    tensor = torch.from_numpy(build(case))
    grad = case.get("grad")
    if grad is not None:
        tensor.requires_grad_()
    if grad == "MulBackward0":
        tensor = tensor * 1
    elif grad == "AsStridedBackward0":
        tensor = tensor.as_strided(tensor.size(), tensor.stride())
    torch.set_default_dtype(getattr(torch, case.get("default", "float32")))
    torch.set_printoptions(profile="default")
    torch.set_printoptions(**case.get("options", {}))
    return repr(tensor)


def main() -> None:
    recorded = [dict(case, text=printed(case)) for case in all_cases()]
    text = json.dumps(recorded, separators=(",", ":"))
    PATH.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
