"""Record torch's results for the layer table: tests/data/layers_<family>.npz and .json.gz.

Run with torch 2.13 installed, from the root: python tests/record_layers.py [FAMILY ...]

Outputs, gradients, second derivatives and buffers after the call in float64 (the .npz), and the
printed form, the keys of state_dict and the names of parameters of each layer (the .json.gz).
"""

from __future__ import annotations

import gzip
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent))


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    """Tell whether two runs gave the same arrays."""
    return first.keys() == second.keys() and all(
        np.array_equal(first[key], second[key]) for key in first)


def main(chosen: list[str]) -> None:
    import torch

    from tests.layers import families, lines_of

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for family in chosen or families():
        arrays, facts = record(lines_of(family), torch)
        np.savez_compressed(ROOT / "data" / f"layers_{family}.npz", **arrays)
        text = json.dumps(facts, indent=0).encode()
        (ROOT / "data" / f"layers_{family}.json.gz").write_bytes(gzip.compress(text, mtime=0))


def record(lines: list[Any], torch: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arrays and the facts of a family."""
    from tests.layers import build, evaluate

    arrays = {"torch": np.array(torch.__version__)}
    facts: dict[str, dict[str, object]] = {}
    for line in lines:
        module = build(line, torch)
        facts[line.make] = {
            "repr": repr(module),
            "state_dict": {key: list(value.shape) for key, value in module.state_dict().items()},
            "parameters": [name for name, _ in module.named_parameters()],
            "buffers": [name for name, _ in module.named_buffers()]}
        runs: list[dict[str, np.ndarray]] = []
        for mode in line.modes if line.inputs else ():
            try:
                runs.append(evaluate(line, torch, mode))
            except Exception as error:
                raise SystemExit(f"{line.make}, {mode}: torch says {error!r}") from error
        if len(runs) == 2 and same(*runs):
            runs.pop()  # the tests take the first mode's for both
        for mode, found in zip(line.modes, runs, strict=False):
            arrays |= {f"{line.make}/{mode}/{key}": value for key, value in found.items()}
    return arrays, facts


if __name__ == "__main__":
    main(sys.argv[1:])
