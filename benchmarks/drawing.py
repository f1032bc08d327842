"""Time the drawing of graphs: record, fold, lay out; beside torch's tools where they are installed.

    python -m benchmarks --only drawing
    python -m benchmarks.drawing irregular 5000         one case in this process, as JSON

Every case runs in a fresh process. `irregular` is a net whose layers differ from each other, so
that folding repeats does not help; `blocks` repeats one block; `chain` is one op after the other.
"""

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASES = [("irregular", 500), ("irregular", 5000), ("blocks", 5000), ("chain", 5000),
         ("irregular", 50_000), ("blocks", 50_000), ("chain", 200_000)]
QUICK = CASES[:1]
BARS = {5000: 5.0, 50_000: 30.0}  # seconds that drawing may take
OTHERS = ("torchviz", "torchview", "torchlens")
SLOW = 5000  # ops up to which the other tools are asked


def irregular(torch, ops):
    """Return a function of layers with sizes that never repeat, and branches between them."""
    def run(x):
        for k in range(ops // 5):
            size = 2 + (k * 7919 + k // 13) % 11
            y = x.repeat(size)[: 4 + k % 3].sin()
            x = y.sum() + x[:2].mean()
            x = x.reshape(1)
        return x

    return run, torch.ones(1)


def blocks(torch, ops):
    """Return a net of equal residual blocks of five ops."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.norm = nn.Linear(4, 4), nn.Linear(4, 4), nn.LayerNorm(4)

        def forward(self, x):
            return x + self.fc2(self.fc1(self.norm(x)).relu())

    return nn.Sequential(*[Block() for _ in range(ops // 5)]), torch.ones(2, 4)


def chain(torch, ops):
    """Return a function that applies one op again and again."""
    def run(x):
        for _ in range(ops):
            x = x.sin()
        return x

    return run, torch.ones(4)


def measure(case: str, ops: int) -> dict:
    """Return the seconds of each step on minigrad."""
    import minigrad as torch
    from minigrad import viz
    from minigrad.viz.options import fitted

    fn, x = globals()[case](torch, ops)
    steps = {}

    def timed(name, call):
        start = time.perf_counter()
        result = call()
        steps[name] = time.perf_counter() - start
        return result

    graph = timed("trace", lambda: viz.trace(fn, x))
    small = timed("fold", lambda: fitted(graph, None, None))
    timed("draw", small.svg)
    recorded = sum(n.kind in ("op", "view") for n in graph.nodes)
    return {**steps, "ops": recorded, "nodes": len(small.nodes)}


def measure_other(tool: str, case: str, ops: int) -> dict:
    """Return the seconds that one of torch's tools takes for the same drawing."""
    import torch

    fn, x = globals()[case](torch, ops)
    start = time.perf_counter()
    if tool == "torchviz":
        import torchviz

        torchviz.make_dot(fn(x.requires_grad_())).pipe("svg")
    elif tool == "torchview":
        import torchview

        torchview.draw_graph(fn, input_data=x).visual_graph.pipe("svg")
    else:
        import torchlens

        torchlens.draw(fn, x)
    return {"draw": time.perf_counter() - start}


def fresh(*words: str) -> dict:
    """Run one case in a fresh process."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.drawing", *words], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def measure_all(quick: bool) -> dict[str, dict]:
    """Return {case: seconds by step, what the other tools take}."""
    results = {}
    there = [tool for tool in OTHERS if importlib.util.find_spec(tool) is not None]
    for case, ops in QUICK if quick else CASES:
        result = fresh(case, str(ops))
        result["bar"] = BARS.get(ops)
        for tool in there if ops <= SLOW and importlib.util.find_spec("torch") else ():
            result[tool] = fresh(case, str(ops), tool)
        results[f"{case} {ops:,}"] = result
    return results


if __name__ == "__main__":
    name, count, *rest = sys.argv[1:]
    found = measure_other(rest[0], name, int(count)) if rest else measure(name, int(count))
    print(json.dumps(found))
