"""The benchmark program runs, and its arithmetic is right. Nothing here asserts a time."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import apart, frameworks, measure, plot, report, scaling, worker

ROOT = Path(__file__).resolve().parent.parent


def run(*options):
    return subprocess.run([sys.executable, "-m", "benchmarks", *map(str, options)], cwd=ROOT,
                          capture_output=True, text=True, timeout=170, check=False)


@pytest.mark.slow
def test_quick_run_measures_what_is_asked_for_and_writes_json(tmp_path):
    path = tmp_path / "results.json"
    done = run("--quick", "--only", "mlp_micro", "softmax 16x16", "--json", path, "--markdown")
    assert done.returncode == 0, done.stderr
    results = json.loads(path.read_text())
    assert set(results) == {"command", "machine", "medium", "ops"}
    assert list(results["medium"]) == ["mlp_micro"]
    assert results["medium"]["mlp_micro"]["seconds"]["minigrad"] > 0
    assert "log_softmax 16x16 both" in results["ops"]
    assert "| MLP 2-16-16-1, batch 32, SGD" in done.stdout
    if not worker.torch_installed():
        assert "minigrad's times alone" in done.stdout
        assert "ratio" not in results["medium"]["mlp_micro"]


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
    found = worker.take_turns(calls, seen.append, settings)
    assert seen == ["a", "b", "b", "a"]
    assert [len(found["seconds"][side]) for side in calls] == [2, 2]


def test_a_library_can_be_timed_in_a_process_of_its_own():
    found = apart.time_case("small", "mlp_tiny", ["minigrad"], measure.QUICK)
    assert found["seconds"]["minigrad"][0] > 0
    assert found["disturbed"] in (0, 1)


def test_what_fails_in_a_process_of_its_own_is_reported():
    found = apart.time_case("small", "no such net", ["minigrad"], measure.QUICK)
    assert "StopIteration" in found["error"]


def test_no_library_is_imported_before_a_side_is_chosen():
    """Else torch's process would have minigrad's settings of malloc."""
    code = "import sys, benchmarks.worker; print({'minigrad', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert done.stdout.strip() == "set()"


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


@pytest.mark.slow
def test_the_drawing_benchmark_prints_its_table():
    done = run("--quick", "--only", "drawing")
    assert done.returncode == 0, done.stderr
    assert "irregular 500" in done.stdout
    assert "together" in done.stdout


def test_the_slope_is_the_exponent_of_growth_over_the_larger_sizes():
    points = [(1, 5.0), (4, 5.0), (16, 0.5 * 16**1.5), (64, 0.5 * 64**1.5), (256, 0.5 * 256**1.5)]
    assert scaling.slope(points[2:]) == pytest.approx(1.5)
    assert scaling.slope([(1, 5.0), *points[1:]]) < 1.5  # its larger half begins at size 4
    results = {f"batch {n}": {"seconds": {"minigrad": n**2.0}} for n in (1, 4, 16)}
    results["tokens 16"] = {"seconds": {"minigrad": 1.0}}
    assert scaling.slope_rows(results)[1:] == [["batch: MLP 64-128-128-10, SGD", "2.00"]]


def test_growth_and_ratios_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    sides = dict.fromkeys(measure.SIDES, 1.0)
    results = {
        "scaling": {name: {"seconds": sides} for name in list(scaling.POINTS)[:9]},
        "small": {"mlp_tiny": {"ratio": 0.3, "spread": [0.2, 0.4], "about": "MLP", "memory": {}}},
        "ops": {"add": {"seconds": sides}},  # without torch there is no ratio to draw
    }
    paths = plot.save(results, tmp_path / "plots")
    assert [path.name for path in paths] == ["small.png", "scaling.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


@pytest.mark.parametrize("name", [name for name in scaling.POINTS
                                  if scaling.POINTS[name].size <= 64])
def test_every_series_runs_in_minigrad(name):
    case = worker.find("scaling", name)
    result = case.make(worker.namespace("minigrad"))()
    assert result is None or np.isfinite(result.item())


@pytest.mark.parametrize("net", frameworks.NETS)
def test_the_mlp_of_the_framework_table_descends(net):
    step = frameworks.minigrad(*frameworks.problem(*frameworks.NETS[net]))
    losses = [step().item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)


def test_frameworks_that_disagree_are_refused(monkeypatch):
    net = next(iter(frameworks.NETS))
    monkeypatch.setitem(frameworks.OTHERS, "same", ("", frameworks.minigrad))
    assert set(frameworks.calls(net, "same")) == {"minigrad", "same"}
    monkeypatch.setitem(frameworks.OTHERS, "wrong", ("", lambda *problem: lambda: 1e9))
    with pytest.raises(ArithmeticError, match="losses differ"):
        frameworks.calls(net, "wrong")


def test_the_framework_table_names_ratio_and_failure():
    results = {"net": {"a": {"seconds": {"minigrad": 1e-4, "a": 2e-4}}, "b": {"error": "x"}}}
    assert frameworks.rows(results, report.duration)[1:] == [
        ["net", "a", "200 us", "100 us", "0.50"], ["net", "b", "failed", "-", "-"]]
