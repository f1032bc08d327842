"""Record the losses that torch has in the programs of tests/nn: tests/data/programs.json.

Run with torch 2.13 installed, from the root of the repository: python tests/record_programs.py
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent))


def main() -> None:
    import torch

    from tests.nn import programs_sequence, programs_tools, programs_vision  # noqa: F401
    from tests.nn.whole_programs import PROGRAMS, run

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    numbers = {name: run(name, torch) for name in PROGRAMS}
    text = json.dumps({"version": torch.__version__, "numbers": numbers}, indent=1)
    (ROOT / "data" / "programs.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
