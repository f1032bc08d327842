"""Record torch's trajectories, printed forms and schedules: tests/data/optim.npz, optim.json.gz.

Run with torch 2.13 installed, from the root of the repository: python tests/record_optim.py
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


def plain(value: Any) -> Any:
    """Return a state_dict with tensors as nested lists."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def main() -> None:
    import torch

    from tests.samples_optim import (
        CLOSURES,
        OPTIMIZERS,
        PLATEAUS,
        SCHEDULES,
        averages,
        can_resume,
        keys,
        minimise,
        plateau,
        rates,
        trajectory,
    )

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    torch.Tensor.bfloat16 = torch.Tensor.clone  # what Muon computes without its rounding
    arrays = {"torch": np.array(torch.__version__)}
    facts: dict[str, Any] = {}
    for make in OPTIMIZERS:
        found, opt = trajectory(make, torch)
        arrays |= {f"{make}/{step}/{k}": value for step, values in found.items()
                   for k, value in enumerate(values)}
        facts[make] = {"repr": repr(opt), "state_dict": plain(opt.state_dict())}
    for make in CLOSURES:
        found, opt = minimise(make, torch)
        arrays |= {f"{make}/{key}": np.array(value) for key, value in found.items()}
        facts[make] = {"repr": repr(opt), "state_dict": plain(opt.state_dict())}
    arrays |= {f"averages/{key}": value for key, value in averages(torch).items()}
    for make in [*SCHEDULES, "chained"]:
        facts[make] = {"rates": rates(make, torch)}
        if make != "chained":
            facts[make]["keys"] = keys(make, torch)
        if can_resume(make):
            facts[make]["resumed"] = rates(make, torch, resume=True)
    for make in PLATEAUS:
        facts[make] = plateau(make, torch)
    np.savez_compressed(ROOT / "data" / "optim.npz", **arrays)
    text = json.dumps(facts, indent=0).encode()
    (ROOT / "data" / "optim.json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main()
