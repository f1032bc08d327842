"""Run in a fresh process for `python -m benchmarks`: read a job as JSON, print its result.

Jobs: {"do": "time", "suite", "names", "settings"} times the cases interleaved on all sides;
{"do": "serve", "suite", "name", "side"} prepares one case on one side; for each further line, a
side of the same library and settings, it prints what `time_side` returns;
{"do": "memory", "suite", "name", "side"} runs one case on one side and prints the memory;
{"do": "frameworks", "net", "other", "settings"} times an MLP in minigrad and in another framework.
"""

import importlib
import importlib.util
import json
import math
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks import frameworks, ops, scaling, shapes, workloads
from benchmarks.measure import SIDES, Case, Settings, interleave, time_side

SUITES = {
    "small": workloads.SMALL,
    "medium": workloads.MEDIUM,
    "ops": ops.CASES,
    "shapes": shapes.CASES,
    "scaling": scaling.CASES,
}


def torch_installed() -> bool:
    return importlib.util.find_spec("torch") is not None


def sides() -> list[str]:
    """Return the sides that can run here: minigrad alone where torch is not installed."""
    return list(SIDES if torch_installed() else SIDES[:1])


def namespace(side: str):
    """Import and return the library of this side."""
    return importlib.import_module(side.split()[0])


def switch(side: str) -> None:
    """Give torch the number of threads that the side's name says."""
    if side != "minigrad":
        namespace(side).set_num_threads(int(side.split()[1]))


def find(suite: str, name: str) -> Case:
    return next(case for case in SUITES[suite] if case.name == name)


def build(case: Case, side: str):
    """Return the call to time, after one run that shows that it works."""
    switch(side)
    call = case.make(namespace(side))
    result = call()
    if result is not None and result.ndim == 0 and not math.isfinite(result.item()):
        raise ArithmeticError(f"{case.name} on {side} gives {result.item()}")
    return call


def time_cases(job: dict) -> dict:
    """Return {name: what interleave() returns}, or {name: {"error": text}}."""
    found = {}
    for name in job["names"]:
        try:
            calls = {side: build(find(job["suite"], name), side) for side in sides()}
            found[name] = take_turns(calls, switch, Settings(**job["settings"]))
        except Exception:
            found[name] = {"error": traceback.format_exc(limit=-3)}
    return found


def take_turns(calls: dict[str, Callable], prepare: Callable, settings: Settings) -> dict:
    """Return what interleave() returns for calls in this process."""
    return interleave(calls, lambda side: time_side(side, calls[side], prepare, settings), settings)


def serve(job: dict) -> dict:
    """Time one case on one side whenever a line asks for it; return an empty answer at the end."""
    call = build(find(job["suite"], job["name"]), job["side"])
    answer({})
    for line in sys.stdin:
        request = json.loads(line)
        settings = Settings(**request["settings"])
        seconds, disturbed = time_side(request["side"], call, switch, settings)
        answer({"seconds": seconds, "disturbed": disturbed})
    return {}


def answer(result: dict) -> None:
    print(json.dumps(result), flush=True)


def time_frameworks(job: dict) -> dict:
    """Return what interleave() returns for minigrad and the other framework."""
    calls = frameworks.calls(job["net"], job["other"])
    return take_turns(calls, lambda side: None, Settings(**job["settings"]))


def memory_of_case(job: dict) -> dict:
    """Return the bytes by which the process grew at its peak while running five steps.

    The smallest net is trained for a step before: what a library loads at its first step
    (tens of megabytes in torch) is code, not the memory of this net.
    """
    build(find("small", "mlp_tiny"), job["side"])
    before = reset_peak()
    call = build(find(job["suite"], job["name"]), job["side"])
    for _ in range(4):
        call()
    return {"bytes": peak() - before}


def reset_peak() -> int:
    """Return the resident memory of now, in bytes, and begin a new peak where that is possible.

    Linux keeps the peak in /proc and resets it on request. Its ru_maxrss would not do: a child
    inherits it from its parent through exec. Elsewhere ru_maxrss is what there is.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return peak()
    return status("VmRSS")


def peak() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    if Path("/proc/self/status").exists():
        return status("VmHWM")
    import resource  # not on Windows

    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024


def status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":"))


if __name__ == "__main__":
    job = json.loads(sys.stdin.readline())
    jobs = {"time": time_cases, "serve": serve, "memory": memory_of_case,
            "frameworks": time_frameworks}
    answer(jobs[job["do"]](job))
