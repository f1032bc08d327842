"""Plant errors in gradients and count which tool finds them, at what cost, and what it then says.

Every tool checks the same functions at the same points: one element of the hand-written gradient
is wrong by 1, 10 or 100 %. A tool misses an error if it calls the gradient right. The element that
is made wrong has a derivative of at least 1e-3 of the root mean square of all; in every third run
it is the smallest such element. Times are of one check on this machine, calls those of forward.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from benchmarks.report import machine, table

SIZES = (1, 50, 500, 5000, 50000)
ERRORS = (0.01, 0.1, 1.0)
SLOW = 500  # the largest input that tools with a cost of n calls are given
FUNCTIONS = {
    "tanh": (np.tanh, lambda x, g: g * (1 - np.tanh(x) ** 2)),
    "cube": (lambda x: x**3, lambda x, g: g * 3 * x**2),
    "sum of exp": (lambda x: np.exp(x).sum(), lambda x, g: g * np.exp(x)),
}


@dataclass
class Tally:
    """What a tool did with the planted errors of one kind, and with the right gradients."""

    runs: int = 0
    missed: int = 0
    located: int = 0  # named the element
    alarms: int = 0  # called the right gradient wrong
    over: int = 0  # runs above the allowance
    calls: list = field(default_factory=list)
    seconds: list = field(default_factory=list)

    def row(self) -> dict:
        """Return the sums as plain numbers."""
        return {"runs": self.runs, "missed": self.missed, "located": self.located,
                "alarms": self.alarms, "over": self.over,
                "calls": statistics.median(self.calls), "most_calls": max(self.calls),
                "seconds": statistics.median(self.seconds)}


def allowance(n: int) -> float:
    """Return the calls that one wrong element among n may cost."""
    return 40 + 6 * math.log2(n)


def plant(name: str, n: int, seed: int) -> tuple:
    """Return the point and the element that is made wrong."""
    _, gradient = FUNCTIONS[name]
    rng = np.random.default_rng([seed, n])
    x = rng.standard_normal(n)
    size = np.abs(gradient(x, np.ones(n)))
    large = np.flatnonzero(size >= 1e-3 * np.sqrt((size**2).mean()))
    i = int(large[size[large].argmin()] if seed % 3 == 0 else rng.choice(large))
    return x, i


class Counted:
    """A function of an array that counts its calls."""

    def __init__(self, function) -> None:
        self.function, self.calls = function, 0

    def __call__(self, x):
        self.calls += 1
        return self.function(x)


# ---- the tools: each returns (found, element or None, calls)
def minigrad_tool(name: str, x: np.ndarray, i: int, error: float, seed: int) -> tuple:
    from minigrad.testing import check_gradients

    function, gradient = FUNCTIONS[name]
    counted = Counted(function)

    def wrong(x, g):
        made = np.array(gradient(x, g))
        if made.size > i:
            made[i] *= 1 + error
        return (made,)

    report = check_gradients(counted, x, grad=wrong, seed=seed)
    if report.evaluations != counted.calls:
        raise AssertionError(f"report.evaluations is {report.evaluations}, not {counted.calls}")
    named = [f.index for f in report.failures]
    return not report.ok, named == [(i,)], counted.calls


def torch_tool(name: str, x: np.ndarray, i: int, error: float, seed: int, fast: bool) -> tuple:
    import torch

    forward = {"tanh": torch.tanh, "cube": lambda x: x**3, "sum of exp": lambda x: x.exp().sum()}
    slope = {"tanh": lambda x, g: g * (1 - x.tanh() ** 2), "cube": lambda x, g: g * 3 * x**2,
             "sum of exp": lambda x, g: g * x.exp()}
    counted = Counted(forward[name])

    class Planted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return counted(x)

        @staticmethod
        def backward(ctx, g):
            made = slope[name](ctx.saved_tensors[0], g).clone()
            made[i] *= 1 + error
            return made

    torch.manual_seed(seed)
    point = torch.from_numpy(x).requires_grad_()
    right = torch.autograd.gradcheck(Planted.apply, (point,), fast_mode=fast,
                                     raise_exception=False, check_batched_grad=False)
    return not right, False, counted.calls


def jax_tool(name: str, x: np.ndarray, i: int, error: float, seed: int) -> tuple:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    forward = {"tanh": jnp.tanh, "cube": lambda x: x**3, "sum of exp": lambda x: jnp.exp(x).sum()}
    slope = {"tanh": lambda x, g: g * (1 - jnp.tanh(x) ** 2), "cube": lambda x, g: g * 3 * x**2,
             "sum of exp": lambda x, g: g * jnp.exp(x)}
    counted = Counted(forward[name])
    planted = jax.custom_vjp(counted)
    planted.defvjp(lambda x: (counted(x), x),
                   lambda x, g: (slope[name](x, g).at[i].multiply(1 + error),))
    np.random.seed(seed)
    try:
        check_grads(planted, (jnp.asarray(x),), order=1, modes=("rev",))
    except AssertionError:
        return True, False, counted.calls
    return False, False, counted.calls


def autograd_tool(name: str, x: np.ndarray, i: int, error: float, seed: int) -> tuple:
    import autograd.numpy as anp
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    counted = Counted(FUNCTIONS[name][0])
    planted = primitive(lambda x: counted(x))
    scale = anp.ones(x.size)
    scale[i] += error
    slope = {"tanh": lambda x, g: g * (1 - anp.tanh(x) ** 2), "cube": lambda x, g: g * 3 * x**2,
             "sum of exp": lambda x, g: g * anp.exp(x)}
    defvjp(planted, lambda ans, x: lambda g: slope[name](x, g) * scale)
    np.random.seed(seed)
    try:
        check_grads(planted, modes=["rev"], order=1)(x)
    except AssertionError:
        return True, False, counted.calls
    return False, False, counted.calls


@dataclass
class Tool:
    """A tool, the module it needs, and whether it needs n calls."""

    module: str
    run: object
    slow: bool = False


TOOLS = {
    "minigrad.testing.check_gradients": Tool("minigrad", minigrad_tool),
    "torch gradcheck": Tool("torch", lambda *a: torch_tool(*a, fast=False), slow=True),
    "torch gradcheck, fast_mode": Tool("torch", lambda *a: torch_tool(*a, fast=True)),
    "jax check_grads": Tool("jax", jax_tool),
    "HIPS autograd check_grads": Tool("autograd", autograd_tool),
}


def worker(job: dict) -> dict:
    """Run one tool over sizes, errors and seeds."""
    tool = TOOLS[job["tool"]]
    results = {}
    for n in job["sizes"]:
        for error in ERRORS:
            tally = Tally()
            for seed in range(job["seeds"]):
                name = list(FUNCTIONS)[seed % len(FUNCTIONS)]
                x, i = plant(name, n, seed // len(FUNCTIONS))
                start = time.perf_counter()
                found, named, calls = tool.run(name, x, i, error, seed)
                tally.seconds.append(time.perf_counter() - start)
                tally.runs += 1
                tally.missed += not found
                tally.located += named
                tally.calls.append(calls)
                tally.over += calls > allowance(n)
                if error == ERRORS[0]:  # and the right gradient of the same function
                    tally.alarms += tool.run(name, x, i, 0.0, seed)[0]
            results[f"{n} {error}"] = tally.row()
    return results


def interpreters() -> list[str]:
    """Return Pythons to look for tools in: this one, and those of MINIGRAD_BENCHMARK_PYTHONS."""
    more = os.environ.get("MINIGRAD_BENCHMARK_PYTHONS", "")
    return [sys.executable, *(path for path in more.split(os.pathsep) if path)]


def python_with(module: str) -> str | None:
    """Return the first interpreter that has a module."""
    for python in interpreters():
        code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
        if subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0:
            return python
    return None


def measure(quick: bool, tell) -> dict:
    """Return {tool: results by size and error}, None for tools that are not installed."""
    found: dict = {}
    for name, tool in TOOLS.items():
        python = python_with(tool.module)
        if python is None:
            found[name] = None
            continue
        own = tool.module == "minigrad"
        sizes = [n for n in SIZES if not tool.slow or n <= SLOW]
        job = {"tool": name, "sizes": [n for n in sizes if not quick or n <= 50],
               "seeds": 3 if quick else 200 if own else 60 if not tool.slow else 20}
        tell(f"gradient checks: {name}, {job['seeds']} seeds")
        done = subprocess.run([python, "-m", "benchmarks.gradient_checks"], text=True,
                              input=json.dumps(job), capture_output=True, check=False)
        found[name] = (json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else
                       {"error": done.stderr.strip()})
    return found


def cells(name: str, results: dict | None) -> list[list[str]]:
    """Return the rows of one tool: a row for each size, errors summed up in their order."""
    if results is None:
        return [[name, "-", "not installed", *["-"] * 5]]
    rows = []
    for n in sorted({int(key.split()[0]) for key in results}):
        parts = [results[f"{n} {error}"] for error in ERRORS]
        runs = sum(p["runs"] for p in parts)
        located = sum(p["located"] for p in parts)
        rows.append([name, f"{n:,}", " / ".join(str(p["missed"]) for p in parts)
                     + f" of {parts[0]['runs']}",
                     f"{located / runs:.0%}" if "minigrad" in name else "no",
                     f"{parts[0]['alarms']} of {parts[0]['runs']}",
                     f"{statistics.median(p['calls'] for p in parts):.0f}",
                     f"{max(p['most_calls'] for p in parts)}",
                     f"{statistics.median(p['seconds'] for p in parts) * 1e3:.3g} ms"])
    return rows


HEAD = ["tool", "n", "missed at 1 / 10 / 100 %", "element named", "false alarms", "calls",
        "most calls", "time"]


def text_of(found: dict, markdown: bool) -> str:
    """Return the table, and a line on the bars."""
    rows = [HEAD]
    for name, results in found.items():
        rows += ([[name, "-", "failed", *["-"] * 5]] if results and "error" in results else
                 cells(name, results))
    own = found["minigrad.testing.check_gradients"]
    lines = [table(rows, markdown), ""]
    if own and "error" not in own:
        over = sum(part["over"] for part in own.values())
        bars = ", ".join(f"{allowance(n):.0f} at n = {n:,}" for n in SIZES if f"{n} 0.01" in own)
        lines.append(f"check_gradients: {sum(p['missed'] for p in own.values())} of "
                     f"{sum(p['runs'] for p in own.values())} planted errors missed; {over} runs "
                     f"above the allowance of 40 + 6 log2(n) calls ({bars}).")
    return "\n".join(lines)


def main() -> None:
    """Run as a worker if a job comes on stdin, else print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="run everything here")
    if parser.parse_args().table:
        print(machine())
        print(text_of(measure(False, lambda text: print(text, file=sys.stderr)), True))
        return
    print(json.dumps(worker(json.loads(sys.stdin.read()))))


if __name__ == "__main__":
    main()
