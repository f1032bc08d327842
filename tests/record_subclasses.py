"""Record what PyTorch makes of subclass_programs.py and override_programs.py.

The results go to tests/data/subclasses.json.

Run with torch 2.13 installed, from the root of the repository: python tests/record_subclasses.py
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import override_programs
import subclass_programs
import torch

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found = {name: program(torch) for name, program in (
        subclass_programs.PROGRAMS | override_programs.PROGRAMS).items()}
    path = Path(__file__).parent / "data" / "subclasses.json"
    path.write_text(json.dumps(found, indent=0) + "\n")
    print(path, path.stat().st_size)
