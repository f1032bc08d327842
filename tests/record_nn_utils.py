"""Record torch's results for tests/nn/utils_cases.py: tests/data/nn_utils.npz and .json.gz.

Run with torch 2.13 installed, from the root of the repository: python tests/record_nn_utils.py
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


def main() -> None:
    import torch
    import torch.nn.utils.prune

    from tests.nn.utils_cases import CASES, LINES
    from tests.record_layers import record

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    arrays, facts = record(LINES, torch)
    texts: dict[str, Any] = {"layers": facts, "cases": {}}
    for case in CASES:
        found = case(torch)
        texts["cases"][case.__name__] = {k: v for k, v in found.items() if isinstance(v, str)}
        arrays |= {f"{case.__name__}:{k}": v for k, v in found.items() if not isinstance(v, str)}
    np.savez_compressed(ROOT / "data" / "nn_utils.npz", **arrays)
    text = json.dumps(texts, indent=0).encode()
    (ROOT / "data" / "nn_utils.json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main()
