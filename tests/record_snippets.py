"""Record what torch makes of the expressions in tests/ops/snippets: tests/data/snippets.json.

Run with torch 2.13 installed, from the root of the repository:

    python tests/record_snippets.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent))


def main() -> None:
    import torch

    from tests.ops.snippets import families, outcome, read

    torch.set_num_threads(1)
    recorded = {}
    for family in families():
        setup, expressions = read(family)
        recorded[family] = {e: outcome(torch, setup, e) for e in expressions}
    path = ROOT / "data" / "snippets.json"
    path.write_text(json.dumps(recorded, indent=0) + "\n")
    print(f"{path.name}: {sum(map(len, recorded.values()))} expressions")


if __name__ == "__main__":
    main()
