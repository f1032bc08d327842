"""Record how PyTorch prints the tensors of print_cases.py: tests/data/print.json.xz.

Run with torch 2.13 installed, from the root of the repository: python tests/record_print.py
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import print_cases
import torch

if __name__ == "__main__":
    texts = [print_cases.text(torch, number) for number in range(print_cases.COUNT)]
    path = Path(__file__).parent / "data" / "print.json.xz"
    path.write_bytes(lzma.compress(json.dumps(texts).encode(), preset=9))
    print(path, path.stat().st_size, sum(map(len, texts)))
