"""Write small checkpoints with PyTorch into tests/data/torch_saved_*.pt.

Run with PyTorch installed: python tests/record_serialization.py
The values are made by arithmetic, so that the tests can state them.
"""

from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data"
DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]


def tensors(torch: Any) -> dict:
    """Return every dtype, and every way for tensors to share a storage.

    The argument is PyTorch here, and minigrad where a test builds what it expects.
    """
    nn = torch.nn
    base = torch.arange(24.0).reshape(4, 6)
    attributed = torch.ones(2)
    attributed.note = ["kept", 1]
    found = {name: torch.arange(3).to(getattr(torch, name)) for name in DTYPES}
    parameter = nn.Parameter(torch.arange(2.0))
    found |= {
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 3),
        "base": base,
        "transposed": base.t(),
        "column": base[:, 2],
        "block": base[1:3, ::2],
        "expanded": torch.tensor([7.0]).expand(3, 4),
        "leaf": torch.ones(2, requires_grad=True),
        "result": torch.ones(2, requires_grad=True) * 2,
        "parameter": parameter,
        "again": parameter,
        "frozen": nn.Parameter(torch.arange(2.0), requires_grad=False),
        "buffer": nn.Buffer(torch.arange(2.0)),
        "attributed": attributed,
        "outside": torch.arange(100.0)[90:92],
    }
    return found


def objects(torch: Any) -> dict:
    """Return every kind of object but tensors."""
    return {
        "numbers": [0, 255, 256, 65535, 65536, -1, -(2**31), 2**31, 2**70, -(2**70), 1.5, 1e300],
        "constants": (None, True, False),
        "special": [float("inf"), float("-inf")],
        "text": ["", "plain", "ümläut \U0001f600", "plain"],
        "bytes": [b"xyz\xff", bytearray(b"ab"), bytearray()],
        "nested": {"a": {"b": [{"c": (1, (2, (3,)))}]}, 1: 2, (1, "k"): 3, None: 4},
        "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "sets": [{1, 2, "x"}, set()],
        "ordered": OrderedDict(z=1, a=2),
        "counter": Counter("aab"),
        "complex": 1 + 2j,
        "size": torch.Size([2, 3]),
        "dtypes": [getattr(torch, name) for name in DTYPES],
        "devices": [torch.device("cpu"), torch.device("cpu", 0)],
        "layout": torch.strided,
        "long": list(range(2500)),
        "wide": {f"key{i}": i for i in range(2500)},
    }


def model_and_optimizer(torch: Any) -> tuple:
    """Return a small model and its optimizer after two steps."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, 2))
    for number, parameter in enumerate(model.parameters()):
        size = torch.arange(parameter.numel(), dtype=torch.float32).reshape(parameter.shape)
        parameter.data = (size * 5 + number) % 7 / 8 + 0.125
    inputs = (torch.arange(24.0) * 5 % 7).reshape(8, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.25)
    for _ in range(2):
        optimizer.zero_grad()
        model(inputs).square().sum().backward()
        optimizer.step()
    return model, optimizer


def main() -> None:
    import torch

    torch.manual_seed(0)
    model, optimizer = model_and_optimizer(torch)
    checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 2}
    saved = {
        "tensors": tensors(torch),
        "objects": objects(torch),
        "training": checkpoint,
        "bfloat16": torch.ones(2, dtype=torch.bfloat16),
        "complex64": torch.ones(2, dtype=torch.complex64),
        "sparse": torch.ones(2).to_sparse(),
        "uint16": torch.ones(2, dtype=torch.uint16),
        "module": torch.nn.Linear(1, 1),
    }
    for name, value in saved.items():
        torch.save(value, FOLDER / f"torch_saved_{name}.pt")
    old = FOLDER / "torch_saved_legacy.pt"
    torch.save({"a": torch.ones(2)}, old, _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
