"""Record PyTorch's promotion tables and type limits into tests/data/promotion.json.

Run with PyTorch installed: python tests/record_dtype.py
"""

import json
from pathlib import Path

import torch

NAMES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
NUMBERS = {"float": 1.5, "int": 2, "bool": True}


def operands() -> dict[str, object]:
    """Return every operand by its label: 'int8/1' has a dimension, 'int8/0' has none."""
    found: dict[str, object] = dict(NUMBERS)
    for name in NAMES:
        dtype = getattr(torch, name)
        found[f"{name}/1"] = torch.ones(1, dtype=dtype)
        found[f"{name}/0"] = torch.ones((), dtype=dtype)
    return found


def short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def result_types() -> dict[str, dict[str, str]]:
    every = operands()
    return {
        a: {b: short(torch.result_type(x, y)) for b, y in every.items()} for a, x in every.items()
    }


def main() -> None:
    pairs = [(a, b, getattr(torch, a), getattr(torch, b)) for a in NAMES for b in NAMES]
    data: dict[str, object] = {"result_type": {}, "limits": {}}
    for default in (torch.float32, torch.float64, torch.float16):
        torch.set_default_dtype(default)
        data["result_type"][short(default)] = result_types()
    torch.set_default_dtype(torch.float32)
    data["promote_types"] = {f"{a} {b}": short(torch.promote_types(x, y)) for a, b, x, y in pairs}
    data["can_cast"] = {f"{a} {b}": torch.can_cast(x, y) for a, b, x, y in pairs}
    for name in NAMES[:-1]:
        dtype = getattr(torch, name)
        info = torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype)
        fields = [field for field in dir(info) if not field.startswith("_")]
        data["limits"][name] = {field: getattr(info, field) for field in fields}
        data["limits"][name]["repr"] = repr(info)
    path = Path(__file__).parent / "data" / "promotion.json"
    path.write_text(json.dumps(data, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
