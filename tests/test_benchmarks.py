"""The benchmark program runs, and its arithmetic is right. Nothing here asserts a time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import measure, report, worker

ROOT = Path(__file__).resolve().parent.parent


def run(*options):
    return subprocess.run([sys.executable, "-m", "benchmarks", *map(str, options)], cwd=ROOT,
                          capture_output=True, text=True, timeout=170, check=False)


def test_quick_run_measures_what_is_asked_for_and_writes_json(tmp_path):
    path = tmp_path / "results.json"
    done = run("--quick", "--only", "mlp_micro", "softmax 16x16", "--json", path, "--markdown")
    assert done.returncode == 0, done.stderr
    results = json.loads(path.read_text())
    assert set(results) == {"command", "machine", "small", "ops"}
    assert list(results["small"]) == ["mlp_micro"]
    assert results["small"]["mlp_micro"]["seconds"]["minigrad"] > 0
    assert "log_softmax 16x16 both" in results["ops"]
    assert "| MLP 2-16-16-1, batch 32, SGD" in done.stdout
    if not worker.torch_installed():
        assert "minigrad's times alone" in done.stdout
        assert "ratio" not in results["small"]["mlp_micro"]


def test_an_unknown_name_is_refused():
    done = run("--quick", "--only", "no_such_case")
    assert done.returncode == 1
    assert "no_such_case" in done.stderr


@pytest.mark.slow
def test_gradient_checks_are_measured(tmp_path):
    path = tmp_path / "results.json"
    done = run("--quick", "--only", "gradient-checks", "--json", path, "--markdown")
    assert done.returncode == 0, done.stderr
    assert "0 of 18 planted errors missed; 0 runs above" in done.stdout
    bars = json.loads(path.read_text())["gradient-bars"]
    assert all(r["missed"] == 0 and r["over"] == 0 and r["named"] == r["runs"]
               for r in bars.values())


@pytest.mark.parametrize("suite", ["small", "medium"])
def test_every_workload_trains(suite):
    for case in worker.SUITES[suite]:
        step = case.make(worker.namespace("minigrad"))
        losses = [step().item() for _ in range(3)]
        assert losses[0] != losses[2], case.name
        assert all(loss == loss for loss in losses), case.name


def test_case_names_are_unique():
    for cases in worker.SUITES.values():
        assert len({case.name for case in cases}) == len(cases)


def test_a_failing_case_is_reported_and_does_not_stop_the_others():
    settings = {"processes": 1, "rounds": 1, "block": 0.0, "pause": 0.0, "tries": 1}
    found = worker.time_cases({"suite": "ops", "names": ["nothing", "add 16x16 forward"],
                               "settings": settings})
    assert "StopIteration" in found["nothing"]["error"]
    assert found["add 16x16 forward"]["seconds"]["minigrad"][0] > 0


def test_the_sides_take_turns_and_the_order_is_turned_round():
    seen = []
    calls = {"a": lambda: None, "b": lambda: None}
    settings = measure.Settings(processes=1, rounds=2, block=0.0, pause=0.0)
    found = measure.interleave(calls, seen.append, settings)
    assert seen == ["a", "b", "b", "a"]
    assert [len(found["seconds"][side]) for side in calls] == [2, 2]


def test_ratio_is_to_the_faster_torch_and_a_stuck_process_is_left_out():
    one, two = measure.SIDES[1:]
    good = {"minigrad": [1.0, 2.0, 3.0], one: [4.0, 4.0, 4.0], two: [2.0, 2.0, 2.0]}
    stuck = {"minigrad": [9.0, 9.0, 9.0], one: [4.0, 4.0, 4.0], two: [30.0, 30.0, 30.0]}
    runs = [{"seconds": good, "disturbed": 3}, {"seconds": stuck, "disturbed": 0}]
    result = measure.summarise(runs)
    assert result == {
        "seconds": {"minigrad": 2.0, one: 4.0, two: 2.0},
        "left_out": 1, "disturbed": 3 / 9, "opponent": two, "ratio": 1.0, "spread": [0.75, 1.25],
        "best": 0.5,
    }


def test_a_disturbed_block_is_timed_again_and_the_least_disturbed_one_counts(monkeypatch):
    used = iter([0.0, 50.0, 50.0, 60.0, 60.0, 90.0])
    monkeypatch.setattr(measure, "used_by_others", lambda: next(used))
    times = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(measure, "time_block", lambda call, seconds: next(times))
    clock = iter([0.0, 10.0, 10.0, 20.0, 20.0, 30.0])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    settings = measure.Settings(pause=0.0, tries=3)
    assert measure.time_quiet_block(lambda: None, settings) == (2.0, True)


def test_tables_are_aligned_or_markdown():
    rows = [["case", "time"], ["a long name", "1 us"]]
    assert report.table(rows, markdown=False).splitlines()[2] == "a long name  1 us"
    assert report.table(rows, markdown=True).splitlines() == [
        "| case        | time |", "| :---------- | ---: |", "| a long name | 1 us |"]


def test_the_drawing_benchmark_prints_its_table():
    done = run("--quick", "--only", "drawing")
    assert done.returncode == 0, done.stderr
    assert "irregular 500" in done.stdout
    assert "together" in done.stdout
