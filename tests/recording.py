"""Record what PyTorch makes of a table of calls; tests compare minigrad with the file."""

from __future__ import annotations

import gzip
import json
from typing import Any


def record(script: Any) -> None:
    """Write `script.table()`, run with torch as its name `torch`, to `script.PATH` (.json.gz)."""
    import torch

    script.torch = torch
    text = json.dumps(script.table(), separators=(",", ":"))
    script.PATH.write_bytes(gzip.compress(text.encode(), mtime=0))
