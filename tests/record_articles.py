"""Record what the article snippets print with torch: tests/data/articles.json.gz.

Run with torch 2.13 installed, from the root of the repository: python tests/record_articles.py
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent


def printed(function: Any) -> str:
    """Return what a function prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        function()
    return out.getvalue()


def main() -> None:
    import torch

    torch.set_num_threads(1)
    text = (ROOT / "nn" / "source_snippets.py").read_text()
    names: dict[str, Any] = {"__name__": "snippets"}
    exec(text.replace("import minigrad as torch", "import torch").replace("import minigrad.",
                                                                        "import torch."), names)
    found = {table.__name__: printed(table) for table in names["TABLES"]}
    for name, (make, shape) in names["NETS"].items():
        net = make()
        out = net(torch.ones(shape))
        outs = out if isinstance(out, tuple) else (out,)
        state = {key: list(value.shape) for key, value in net.state_dict().items()}
        found[name] = {"repr": repr(net), "shapes": [list(o.shape) for o in outs],
                       "grad_fn": [o.grad_fn.name() for o in outs], "state_dict": state}
    data = json.dumps(found, indent=0).encode()
    (ROOT / "data" / "articles.json.gz").write_bytes(gzip.compress(data, mtime=0))


if __name__ == "__main__":
    main()
