"""Record what torch.testing.assert_close says: `python tests/record_testing.py`, with torch."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import torch

from tests.testing.close_cases import cases, outcome

if __name__ == "__main__":
    found = {case[0].replace("torch.", ""): outcome(torch, case) for case in cases(torch)}
    path = Path(__file__).parent / "data" / "testing_close.json.gz"
    path.write_bytes(gzip.compress(json.dumps(found, sort_keys=True).encode(), mtime=0))
    print(len(found), "calls,", path.stat().st_size, "bytes")
