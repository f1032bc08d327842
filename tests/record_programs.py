"""Record torch's losses in the programs of tests/nn, and how it refuses wrong calls.

They go to tests/data/programs.json and refusals.json.

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
    from tests.nn.refused_calls import CALLS, outcome
    from tests.nn.whole_programs import PROGRAMS, run

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    numbers = {name: run(name, torch) for name in PROGRAMS}
    text = json.dumps({"version": torch.__version__, "numbers": numbers}, indent=1)
    (ROOT / "data" / "programs.json").write_text(text + "\n")
    refusals = {call: outcome(call, torch)[0] for call in CALLS}
    (ROOT / "data" / "refusals.json").write_text(json.dumps(refusals, indent=1) + "\n")


if __name__ == "__main__":
    main()
