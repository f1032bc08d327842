"""Measure minigrad and, where it is installed, torch: training steps, ops, layers, imports.

    python -m benchmarks                                  everything, about half an hour
    python -m benchmarks --quick                          everything once, to see it run
    python -m benchmarks --only small medium import       what docs/performance.md is about
    python -m benchmarks --only small medium --apart      each library in a process of its own
    python -m benchmarks --only conv_bn_relu mlp_micro    single cases (any part of their name)
    python -m benchmarks --only scaling --plot DIR        growth with batch, width, depth, length
    python -m benchmarks --only frameworks                beside MyGrad, autograd, jax, tinygrad
    python -m benchmarks --only drawing                   recording, folding, drawing graphs
    python -m benchmarks --only gradient-checks           planted errors: which tool finds them
    python -m benchmarks --json out.json --markdown       results to a file, tables as Markdown

A ratio is minigrad's time by torch's, so below 1 minigrad is faster. It is the median over
rounds in which the sides take turns; the opponent is torch with one or with two threads,
whichever is faster. "fastest" is the same of each side's fastest block, which other programs
disturbed least. Memory is what a fresh process, after a step of the smallest net, grows
by at most while it builds the net and trains five steps.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import (
    apart,
    drawing,
    frameworks,
    gradient_bars,
    gradient_checks,
    plot,
    report,
    scaling,
)
from benchmarks.measure import QUICK, Settings, summarise
from benchmarks.worker import SUITES, sides, torch_installed

NETS = ("small", "medium")  # the suites whose memory is measured too; the others have many cases
IMPORTS = 11  # fresh processes per module


def say(text: str) -> None:
    """Report progress where it does not mix with the results."""
    print(text, file=sys.stderr, flush=True)


def run_worker(job: dict) -> dict:
    """Run a job of worker.py in a fresh process and return its result."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.worker"], input=json.dumps(job),
                          capture_output=True, text=True, cwd=apart.ROOT, check=False)
    if done.returncode != 0:
        return {"error": done.stderr.strip()}
    return json.loads(done.stdout.splitlines()[-1])


def chosen(only: list[str], suite: str) -> list[str]:
    """Return the names of the suite's cases that `only` asks for, all of them if it is empty."""
    names = [case.name for case in SUITES[suite]]
    if not only or suite in only:
        return names
    return [name for name in names if any(part in name for part in only if part not in SUITES)]


def measure_suite(suite: str, names: list[str], settings: Settings, separately: bool) -> dict:
    """Return {name: times, ratio, spread, about} with memory for whole nets."""
    if suite not in NETS:
        rounds, block = min(settings.rounds, 3), min(settings.block, 0.02)
        settings = dataclasses.replace(settings, rounds=rounds, block=block)
    runs: list[dict] = []
    for process in range(settings.processes):
        say(f"{suite}: {len(names)} cases, process {process + 1} of {settings.processes}")
        if separately:
            runs.append({name: apart.time_case(suite, name, sides(), settings) for name in names})
        else:
            runs.append(run_worker({"do": "time", "suite": suite, "names": names,
                                    "settings": dataclasses.asdict(settings)}))
    results = {}
    for case in SUITES[suite]:
        if case.name in names:
            of_case = [run if "error" in run else run[case.name] for run in runs]
            failed = next((run for run in of_case if "error" in run), None)
            results[case.name] = failed or {**summarise(of_case), "about": case.about}
            if suite in NETS and not failed:
                results[case.name]["memory"] = measure_memory(suite, case.name, settings)
    return results


def measure_memory(suite: str, name: str, settings: Settings) -> dict:
    """Return {side: median bytes} over fresh processes, None where it cannot be measured."""
    say(f"{suite}: memory of {name}")
    found: dict[str, float | None] = {}
    for side in sides():
        if side != "torch 1 thread":
            job = {"do": "memory", "suite": suite, "name": name, "side": side}
            grown = [run_worker(job).get("bytes") for _ in range(settings.processes)]
            found[side] = None if None in grown else statistics.median(grown)
    return found


def measure_frameworks(settings: Settings) -> dict[str, dict]:
    """Return {net: {framework: its times and minigrad's}} for the frameworks installed here."""
    results: dict[str, dict] = {}
    for net in frameworks.NETS:
        results[net] = {}
        for other in frameworks.installed():
            say(f"frameworks: {net}, {other}")
            job = {"do": "frameworks", "net": net, "other": other,
                   "settings": dataclasses.asdict(settings)}
            run = run_worker(job)
            results[net][other] = run if "error" in run else summarise([run])
    return results


def measure_imports(settings: Settings) -> dict[str, float]:
    """Return {module: median seconds of its import}, each in fresh processes, taking turns.

    NumPy's is from a bare start, the others' is what they take when NumPy is there. The
    first turn is not counted: it may compile the sources to __pycache__, as the first import
    after an installation does.
    """
    modules = ["numpy", "minigrad"] + ["torch"] * torch_installed()
    before = {module: "" if module == "numpy" else "import numpy; " for module in modules}
    seconds: dict[str, list[float]] = {module: [] for module in modules}
    environment = {key: value for key, value in os.environ.items()
                   if key != "PYTHONDONTWRITEBYTECODE"}
    turns = 1 if settings == QUICK else IMPORTS
    for turn in range(turns + 1):
        say(f"imports: turn {turn} of {turns}")
        for module in modules:
            code = (f"{before[module]}import time; start = time.perf_counter(); "
                    f"import {module}; print(time.perf_counter() - start)")
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                                  cwd=apart.ROOT, check=True, env=environment)
            if turn:
                seconds[module].append(float(done.stdout))
    return {module: statistics.median(values) for module, values in seconds.items()}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WHAT",
                        help=f"{', '.join(SUITES)}, import, frameworks, drawing, "
                             f"gradient-checks, or parts of names")
    parser.add_argument("--quick", action="store_true", help="shortest run: for crashes only")
    parser.add_argument("--processes", type=int, help="fresh processes per case (default 3)")
    parser.add_argument("--apart", action="store_true",
                        help="give minigrad and torch a process each where they are compared")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all results here")
    parser.add_argument("--plot", type=Path, metavar="DIR",
                        help="draw what was measured into this folder (needs Matplotlib)")
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    settings = QUICK if args.quick else Settings()
    if args.processes:
        settings = dataclasses.replace(settings, processes=args.processes)
    results: dict = {"command": "python -m benchmarks " + " ".join(sys.argv[1:]),
                     "machine": report.machine()}
    print("\n".join(f"{key}: {value}" for key, value in results["machine"].items()))
    if not torch_installed():
        print("torch is not installed here: these are minigrad's times alone, without ratios")
    heading = "\n## {}\n" if args.markdown else "\n{}\n"
    failures = []
    for suite in SUITES:
        names = chosen(args.only, suite)
        if names:
            results[suite] = measure_suite(suite, names, settings, args.apart)
            where = ", each library in a process of its own" * args.apart
            print(heading.format(report.TITLES[suite] + where))
            print(report.suite_table(results[suite], args.markdown))
            failures += [(name, result["error"]) for name, result in results[suite].items()
                         if "error" in result]
            if suite == "scaling":
                print("\n" + report.table(scaling.slope_rows(results[suite]), args.markdown))
    if not args.only or "import" in args.only:
        results["import"] = measure_imports(settings)
        print(heading.format("Import, median of fresh processes"))
        print(report.import_table(results["import"], args.markdown))
    if not args.only or "frameworks" in args.only:
        results["frameworks"] = measure_frameworks(settings)
        print(heading.format("An MLP in other frameworks, wall-clock time of a step"))
        rows = frameworks.rows(results["frameworks"], report.duration)
        print(report.table(rows, args.markdown) if len(rows) > 1 else "none is installed here")
        failures += [(f"{net}, {name}", result["error"])
                     for net, by_name in results["frameworks"].items()
                     for name, result in by_name.items() if "error" in result]
    if not args.only or "drawing" in args.only:
        results["drawing"] = drawing.measure_all(args.quick)
        print(heading.format("Drawing graphs, wall-clock time in a fresh process each"))
        print(report.drawing_table(results["drawing"], args.markdown))
    if not args.only or "gradient-checks" in args.only:
        results["gradient-checks"] = gradient_checks.measure(args.quick, say)
        print(heading.format("Gradient checks: one wrong element among n"))
        print(gradient_checks.text_of(results["gradient-checks"], args.markdown))
        results["gradient-bars"] = gradient_bars.measure(args.quick, say)
        print(heading.format("check_gradients on other bugs"))
        print(gradient_bars.text_of(results["gradient-bars"], args.markdown))
        failures += [(name, result["error"]) for name, result in
                     results["gradient-checks"].items() if result and "error" in result]
    if args.plot:
        for path in plot.save(results, args.plot):
            say(f"drawn: {path}")
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    for name, error in failures:
        say(f"\n{name} failed:\n{error}")
    if len(results) == 2:
        say(f"nothing is called {' or '.join(args.only)}; see python -m benchmarks --help")
    return 1 if failures or len(results) == 2 else 0


if __name__ == "__main__":
    sys.exit(main())
