"""Record what PyTorch makes of tests/expressions_*.py: tests/data/expressions.json.gz.

Run with torch 2.13 installed, from the root of the repository: python tests/record_expressions.py
Recorded are texts by expression; equal texts are written once.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import torch
from expressions import FAMILIES, outcome

if __name__ == "__main__":
    found = {family: [outcome(torch, source) for source in sources]
             for family, sources in FAMILIES.items()}
    path = Path(__file__).parent / "data" / "expressions.json.gz"
    path.write_bytes(gzip.compress(json.dumps(found).encode(), mtime=0))
    print(path, path.stat().st_size, sum(map(len, found.values())))
