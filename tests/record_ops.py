"""Record torch's results for the op-sample table: tests/data/ops_<family>.npz.

Run with torch 2.13 installed, from the root of the repository:

    python tests/record_ops.py [family ...]

Values, first and second derivatives in float64, and grad_fn names. Lines whose higher derivatives
are known to be wrong in torch say so in the table (`torch_order`).
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent))


def main(families: list[str]) -> None:
    import torch

    from tests import samples
    from tests.samples.evaluate import evaluate

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    known = [m.name for m in pkgutil.iter_modules(samples.__path__) if m.name != "evaluate"]
    for family in families or known:
        table = importlib.import_module(f"tests.samples.{family}").SAMPLES
        recorded = {"torch": np.array(torch.__version__)}
        for sample in table:
            try:
                found = evaluate(sample, torch, order=min(sample.order, sample.torch_order))
            except Exception as error:
                raise SystemExit(f"{family}: {sample.id}: torch says {error!r}") from error
            recorded |= {f"{sample.id}/{key}": value for key, value in found.items()}
        path = ROOT / "data" / f"ops_{family}.npz"
        np.savez_compressed(path, **recorded)
        print(f"{path.name}: {len(table)} samples, {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
