"""Record torch's results on hard inputs, and the right ones: tests/data/accuracy_<table>.npz.

Run with torch 2.13 installed, from the root: python tests/record_accuracy.py [TABLE ...]
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent))


def activations(torch: Any) -> dict[str, np.ndarray]:
    """Return torch's values and slopes at the points, and references as sums of two floats."""
    from tests.accuracy import DTYPES
    from tests.accuracy.activations import FUNCTIONS, ORDERS, evaluate, points, reference

    arrays: dict[str, np.ndarray] = {}
    for function in FUNCTIONS:
        for dtype in DTYPES:
            found = evaluate(function.call, torch, dtype)
            arrays[f"{function.call}/{dtype}"] = np.stack(found)
        for order in range(max(ORDERS.values())):
            pairs = [reference(function.call, x, order) for x in points("float64").tolist()]
            arrays[f"{function.call}/{order}"] = np.array(pairs)
    return arrays


def norms(torch: Any) -> dict[str, np.ndarray]:
    """Return torch's results and gradients."""
    from tests.accuracy.norms import CASES, NORMS, evaluate

    return {f"{name}/{case}/{key}": value for name, norm in NORMS.items() for case in CASES
            for key, value in evaluate(norm, CASES[case], torch).items()}


def shares(torch: Any) -> dict[str, np.ndarray]:
    """Return torch's softmax and its relatives, and their gradients."""
    from tests.accuracy import DTYPES
    from tests.accuracy.shares import SHARES, evaluate

    return {f"{share.call}/{dtype}/{key}": value for share in SHARES for dtype in DTYPES
            for key, value in zip("yd", evaluate(share.call, torch, dtype), strict=True)}


def running(torch: Any) -> dict[str, np.ndarray]:
    """Return the outputs and buffers of torch's layers step by step."""
    from tests.accuracy.running import LAYERS, run

    return {f"{make}/{dtype}": run(make, torch, dtype) for make in LAYERS
            for dtype in ("float32", "float64")}


def refusals(torch: Any) -> dict[str, np.ndarray]:
    """Return the class of torch's error for every wrong call, '' where it accepts it."""
    from tests.accuracy.refusals import CALLS, outcome

    return {"calls": np.array(CALLS), "errors": np.array([outcome(call, torch)[0] or ""
                                                          for call in CALLS])}


TABLES = {"activations": activations, "norms": norms, "shares": shares, "running": running,
          "refusals": refusals}


def main(chosen: list[str]) -> None:
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in chosen or TABLES:
        arrays = {"torch": np.array(torch.__version__), **TABLES[name](torch)}
        np.savez_compressed(ROOT / "data" / f"accuracy_{name}.npz", **arrays)


if __name__ == "__main__":
    main(sys.argv[1:])
