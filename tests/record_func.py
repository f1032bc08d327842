"""Record what PyTorch returns for tests/func/programs.py, into tests/data/func.npz.

Run with PyTorch installed: PYTHONPATH=. python tests/record_func.py
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np


def flat(value):
    """Return the tensors of nested containers in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [t for part in value for t in flat(part)]
    return [value]


def record(torch, programs):
    """Return one array per tensor that the programs return."""
    found = {}
    for name, run in programs.items():
        for k, t in enumerate(flat(run(torch))):
            found[f"{name}/{k}"] = t.detach().numpy()
    return found


if __name__ == "__main__":
    import torch

    from tests.func.programs import PROGRAMS

    warnings.simplefilter("ignore")
    np.savez_compressed(Path(__file__).parent / "data" / "func.npz", **record(torch, PROGRAMS))
