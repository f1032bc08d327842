"""Time the drawing of graphs: record, fold, lay out; beside torch's tools where they are installed.

    python -m benchmarks --only drawing
    python -m benchmarks.drawing irregular 5000             one case in this process, as JSON
    python -m benchmarks.drawing irregular 500 torchviz     the same with one of torch's tools

Every case runs in a fresh process. `irregular` is a net whose layers differ from each other, so
that folding repeats does not help; `blocks` repeats one block; `chain` is one op after the other.
Beside minigrad stand torchviz, torchview and TorchLens where they are installed (`pip install torch
torchviz torchview torchlens`); they draw with the `dot` program alone, and without one only the
making of their graphs is timed. What takes longer than `LIMIT` is stopped.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASES = [("irregular", 500), ("blocks", 500), ("chain", 500), ("irregular", 5000),
         ("blocks", 5000), ("chain", 5000), ("irregular", 50_000), ("blocks", 50_000),
         ("chain", 50_000), ("chain", 200_000)]
QUICK = CASES[:1]
BARS = {5000: 5.0, 50_000: 30.0}  # seconds that drawing may take
OTHERS = ("torchviz", "torchview", "torchlens")
SLOW = 5000  # ops up to which the other tools are asked
LIMIT = 60  # seconds that one case may take


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


def timed(steps: dict, name: str, call: Callable) -> object:
    """Return what a call returns, and note its seconds."""
    start = time.perf_counter()
    result = call()
    steps[name] = time.perf_counter() - start
    return result


def measure(case: str, ops: int) -> dict:
    """Return the seconds of each step on minigrad, and what the graph has."""
    import minigrad as torch
    from minigrad import viz
    from minigrad.viz.options import fitted

    fn, x = globals()[case](torch, ops)
    steps: dict = {}
    graph = timed(steps, "trace", lambda: viz.trace(fn, x))
    small = timed(steps, "fold", lambda: fitted(graph, None, None))
    timed(steps, "draw", small.svg)
    recorded = sum(n.kind in ("op", "view") for n in graph.nodes)
    return {**steps, "ops": recorded, "nodes": len(small.nodes)}


def measure_other(tool: str, case: str, ops: int) -> dict:
    """Return what one of torch's tools takes for the same graph, run included, and its nodes."""
    import torch

    fn, x = globals()[case](torch, ops)
    if not isinstance(fn, torch.nn.Module):
        fn = as_module(torch, fn)
    steps: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        made = timed(steps, "graph", lambda: MAKERS[tool](fn, x))
        if shutil.which("dot") is not None:
            picture = timed(steps, "draw", lambda: DRAWERS[tool](made, Path(folder)))
            steps["nodes"] = picture.count(b'class="node"')
    return steps


def make_torchviz(fn, x):
    import torchviz

    return torchviz.make_dot(fn(x.requires_grad_()))


def make_torchview(fn, x):
    import torchview

    return torchview.draw_graph(fn, input_data=x, depth=9, device="cpu",
                                hide_module_functions=False).visual_graph


def make_torchlens(fn, x):
    import torchlens

    return torchlens.trace(fn, x)


def draw_source(made, folder: Path) -> bytes:
    """Lay out what the `graphviz` package holds."""
    return made.pipe("svg", quiet=True)


def draw_torchlens(made, folder: Path) -> bytes:
    made.draw(vis_outpath=str(folder / "graph"), vis_fileformat="svg", vis_save_only=True)
    return next(folder.glob("*.svg")).read_bytes()


MAKERS = {"torchviz": make_torchviz, "torchview": make_torchview, "torchlens": make_torchlens}
DRAWERS = {"torchviz": draw_source, "torchview": draw_source, "torchlens": draw_torchlens}


def as_module(torch, fn):
    """Return a function as the module that torch's tools want."""
    class Run(torch.nn.Module):
        def forward(self, x):
            return fn(x)

    return Run()


def fresh(*words: str) -> dict:
    """Run one case in a fresh process."""
    try:
        done = subprocess.run([sys.executable, "-m", "benchmarks.drawing", *words], cwd=ROOT,
                              capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return {"error": f"more than {LIMIT} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["it crashed"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def measure_all(quick: bool) -> dict[str, dict]:
    """Return {case: seconds by step, what the other tools take}; a notice tells who is missing."""
    results = {}
    there = [tool for tool in OTHERS if importlib.util.find_spec(tool) is not None
             and importlib.util.find_spec("torch") is not None]
    for tool in OTHERS:
        if tool not in there:
            print(f"drawing: {tool} is not installed: left out", file=sys.stderr)
    for case, ops in QUICK if quick else CASES:
        result = fresh(case, str(ops))
        result["bar"] = BARS.get(ops)
        for tool in there if ops <= SLOW else ():
            result[tool] = fresh(case, str(ops), tool)
        results[f"{case} {ops:,}"] = result
    return results


if __name__ == "__main__":
    name, count, *rest = sys.argv[1:]
    found = measure_other(rest[0], name, int(count)) if rest else measure(name, int(count))
    print(json.dumps(found))
