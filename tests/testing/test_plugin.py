"""The pytest plugin: fixture, marker, seeds, and what a failing assertion shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import minigrad as torch
import minigrad.testing

pytest_plugins = "pytester"

ROOT = Path(__file__).parent.parent.parent

TESTS = """
import minigrad as torch
from minigrad.testing import check_gradients

class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 3

    @staticmethod
    def backward(ctx, g):
        return g * 6

x = torch.ones(2, 3)
"""


OPTIONS = ("-p", "minigrad_pytest", "-p", "no:cacheprovider", "-W", "error", "--strict-markers")


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest on a file in a folder of its own, in this process; return status and output."""
    # pytester forgets the modules that are imported within: all must be there before
    assert minigrad.testing.check_gradients(torch.tanh, torch.ones(2)).blame().op is None
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # hypothesis takes seconds

    def run(source, *options):
        path = pytester.path / "test_it.py"
        path.write_text(TESTS + source)
        done = pytester.runpytest_inprocess(*OPTIONS, *options, path)
        return SimpleNamespace(returncode=int(done.ret), stdout=done.stdout.str(),
                               stderr=done.stderr.str())

    return run


@pytest.fixture
def run_apart(tmp_path):
    """Run pytest in a process of its own."""

    def run(source, *options):
        (tmp_path / "test_it.py").write_text(source)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "",
               "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run([sys.executable, "-m", "pytest", *OPTIONS, "--rootdir", str(tmp_path),
                               *options, "."], cwd=tmp_path, env=env, capture_output=True,
                              text=True, timeout=120)

    return run


def test_the_fixture_fails_with_the_report_and_no_traceback_of_minigrad(run):
    done = run("def test_twice(gradcheck):\n    gradcheck(Twice.apply, x)\n"
               "def test_fine(gradcheck):\n    assert gradcheck(torch.tanh, x).ok\n")
    assert done.returncode == 1 and "1 failed, 1 passed" in done.stdout
    assert ">       gradcheck(Twice.apply, x)" in done.stdout
    assert "gradcheck FAILED  Twice.apply" in done.stdout
    assert "x2.000" in done.stdout
    assert "reproduce: minigrad.testing.check_gradients(Twice.apply, x, seed=0, on" in done.stdout
    assert not re.search(r"minigrad(_pytest)?/[\w/]+\.py:\d+", done.stdout), done.stdout


LINES = [
    "assert check_gradients(Twice.apply, x)",
    "report = check_gradients(Twice.apply, x)\n    assert report",
    "report = check_gradients(Twice.apply, x)\n    assert report.ok",
    "report = check_gradients(Twice.apply, x)\n    assert not report.failures",
    "assert check_gradients(Twice.apply, x).ok, 'my own words'",
]
OTHERS = """
def test_another():
    report = check_gradients(Twice.apply, x)
    assert 1 == 2

def test_plain():
    report = check_gradients(Twice.apply, x)
    raise AssertionError('words')
"""


def test_a_failed_assertion_prints_the_report(run):
    done = run("".join(f"def test_{k}():\n    {line}\n" for k, line in enumerate(LINES)) + OTHERS)
    assert done.returncode == 1 and "7 failed" in done.stdout
    parts = re.split(r"^_+ test_\w+ _+$", done.stdout.partition("= short test summary")[0],
                     flags=re.M)[1:]
    for part, line in zip(parts, LINES, strict=False):
        shown = [text for text in part.splitlines() if text.startswith("E ")]
        assert any("gradcheck FAILED  Twice.apply" in text for text in shown), part
        assert any("advice:" in text for text in shown)
        assert "GradcheckReport(" not in part
        assert ("my own words" in shown[0]) == ("my own" in line)
    assert "assert 1 == 2" in parts[5] and "gradcheck FAILED" not in parts[5]
    assert "AssertionError: words" in parts[6] and "gradcheck FAILED" not in parts[6]


def test_asserts_that_are_not_rewritten(run):
    done = run("def test_it():\n    report = check_gradients(Twice.apply, x)\n    assert report\n",
               "--assert=plain")
    assert "gradcheck FAILED  Twice.apply" in done.stdout


def test_tracebacks_end_in_the_test(run):
    done = run("from minigrad.testing import check_module\n"
               "class Net(torch.nn.Module):\n    def forward(self, x):\n"
               "        return Twice.apply(x) if self.training else x\n"
               "def test_0():\n    check_gradients(Twice.apply, x, raise_exception=True)\n"
               "def test_1():\n    net = Net()\n    check_module(net, [(2, 3)], seed=4)\n")
    assert "2 failed" in done.stdout and done.stdout.count("GradcheckError: gradcheck FAILED") >= 2
    assert not re.search(r"minigrad/[\w/]+\.py:\d+", done.stdout), done.stdout
    assert "Net (train mode)" in done.stdout
    assert "reproduce: check_module(net, [(2, 3)], modes=['train'], seed=4)" in done.stdout


def test_the_seed_of_the_run(run):
    test = "def test_it(gradcheck):\n    assert 'seed=7' in gradcheck(torch.tanh, x).reproduce\n"
    done = run(test, "--gradcheck-seed", "7")
    assert done.returncode == 0, done.stdout
    assert "gradcheck: --gradcheck-seed=7" in done.stdout
    assert run(test).returncode == 1
    assert run(test, "--gradcheck-seed", "often").returncode == 4


@pytest.mark.slow
def test_a_random_seed_is_shown_and_the_same_for_all_workers(run, run_apart):
    pytest.importorskip("xdist")
    test = ("import pytest\n@pytest.mark.parametrize('k', range(4))\ndef test_it(k, gradcheck):\n"
            "    print('LINE', gradcheck(torch.tanh, x).reproduce)\n    assert False\n")
    for done in (run(test, "--gradcheck-seed=random"),
                 run_apart(TESTS + test, "-p", "xdist", "--gradcheck-seed=random", "-n", "2")):
        (seed,) = set(re.findall(r"gradcheck: --gradcheck-seed=(\d+)", done.stdout))
        assert re.findall(r"^LINE .*seed=(\d+)", done.stdout, re.M) == [seed] * 4, done.stdout
        assert f"run again with --gradcheck-seed={seed}" in done.stdout


def test_the_marker_sets_options_and_repeats(run):
    test = ("import pytest\n@pytest.mark.gradcheck(order=2, directions=2, seeds=3)\n"
            "def test_it(gradcheck):\n    report = gradcheck(torch.sin, x)\n"
            "    assert report.order == 2 and report.directions == 3\n")
    done = run(test, "-v")
    assert "3 passed" in done.stdout and "seed0" in done.stdout and "seed2" in done.stdout
    wrong = run("import pytest\n@pytest.mark.gradcheck(oder=2)\ndef test_it(gradcheck): pass\n")
    assert wrong.returncode != 0 and "oder" in wrong.stdout + wrong.stderr


def test_unrelated_projects_load_neither_minigrad_nor_numpy(run_apart):
    done = run_apart("import sys\ndef test_it():\n"
                     "    assert not {'minigrad', 'numpy'} & set(sys.modules)\n")
    assert done.returncode == 0, done.stdout


def test_the_entry_point_names_the_plugin():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"minigrad_pytest": "minigrad_pytest"}
