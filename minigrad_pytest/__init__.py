"""The pytest plugin of minigrad: fixture and marker `gradcheck`, and reports in place of reprs.

It is a package of its own, because pytest imports every installed plugin in every project: this
file loads neither minigrad nor NumPy until a test asks for the fixture.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

OPTIONS = ("order", "directions", "seeds")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--gradcheck-seed`."""
    parser.getgroup("minigrad").addoption(
        "--gradcheck-seed", default="0", metavar="N", type=_seed,
        help="seed of the fixture `gradcheck`: a number of at least 0 (default: 0), or `random`")


def _seed(text: str) -> str:
    if text != "random" and not text.isdecimal():
        raise ValueError(f"expected a number of at least 0 or 'random', got {text!r}")
    return text


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; draw the seed, once for all workers of pytest-xdist."""
    config.addinivalue_line(
        "markers", "gradcheck(order=1, directions=None, seeds=1): options of the fixture "
                   "`gradcheck` in this test; seeds=n repeats the test with n seeds")
    workerinput = getattr(config, "workerinput", {})
    if "gradcheck_seed" in workerinput:
        config.option.gradcheck_seed = workerinput["gradcheck_seed"]
    elif config.option.gradcheck_seed == "random":
        config.option.gradcheck_seed = str(random.SystemRandom().randrange(2**31))
        config.option.gradcheck_seed_drawn = True


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist the seed."""
    node.workerinput["gradcheck_seed"] = node.config.option.gradcheck_seed


def pytest_report_header(config: pytest.Config) -> str | None:
    """Show the seed if it is not the usual one."""
    seed = config.option.gradcheck_seed
    return None if seed == "0" else f"gradcheck: --gradcheck-seed={seed}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Repeat a seed that was drawn after failures: the header may be hidden by -q."""
    if getattr(config.option, "gradcheck_seed_drawn", False) and (
            terminalreporter.stats.get("failed")):
        seed = config.option.gradcheck_seed
        terminalreporter.write_line(f"run again with --gradcheck-seed={seed}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test for each of the `seeds` of its marker."""
    marker = metafunc.definition.get_closest_marker("gradcheck")
    if marker is None:
        return
    unknown = [*map(repr, marker.args), *(k for k in marker.kwargs if k not in OPTIONS)]
    if unknown:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: the marker gradcheck takes the "
                                f"keywords {', '.join(OPTIONS)}, got {', '.join(unknown)}")
    seeds = marker.kwargs.get("seeds", 1)
    if not isinstance(seeds, int) or seeds < 1:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: seeds must be an int of at least "
                                f"1, got {seeds!r}")
    if seeds > 1 and "gradcheck" in metafunc.fixturenames:
        first = int(metafunc.config.option.gradcheck_seed)
        metafunc.parametrize("gradcheck", range(first, first + seeds), indirect=True,
                             ids=lambda seed: f"seed{seed}")


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Check a gradient as `minigrad.testing.check_gradients`; a wrong one fails with the report.

    The seed is that of the run (`--gradcheck-seed`); `order` and `directions` come from the marker
    `gradcheck` of the test. What the call is given goes first. Returns the report.
    """
    from minigrad.testing import check_gradients
    from minigrad.testing.reproduce import call_text

    marker = request.node.get_closest_marker("gradcheck")
    usual = {k: v for k, v in (marker.kwargs if marker else {}).items() if k != "seeds"}
    usual["seed"] = getattr(request, "param", int(request.config.option.gradcheck_seed))

    def check(fn: Any, *inputs: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        options = {**usual, **options}
        raising = options.pop("raise_exception", True)
        report = check_gradients(fn, *inputs, **options)
        written = call_text(sys._getframe(1), "gradcheck")
        if written is not None:  # the line to paste, in the words of the test
            parts = [*written[1], *(f"{k}={v!r}" for k, v in usual.items() if k != "seed"
                                    and not any(w.startswith(f"{k}=") for w in written[1]))]
            only = report.reproduce.removeprefix(report._prefix)
            report.reproduce = (f"minigrad.testing.check_gradients({', '.join(parts)}, "
                                f"seed={options['seed']}{only}")
        if raising and not report.ok:
            pytest.fail(str(report))
        return report

    return check


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item,
                              call: pytest.CallInfo[None]) -> Iterator[None]:
    """Say what a report says where an assertion about it failed, in place of its repr."""
    if call.excinfo is not None and isinstance(call.excinfo.value, AssertionError):
        _explain(call.excinfo)
    return (yield)


def _explain(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Replace the text of `assert check_gradients(...)` and the like."""
    module = sys.modules.get("minigrad.testing.report")
    if module is None:  # no check has run
        return
    error = excinfo.value
    text = str(error)
    if text and "GradcheckReport(" not in text:
        return
    frame = excinfo.traceback[-1].frame
    names = frame.f_locals if text else {}
    if not text:  # a file whose asserts pytest has not rewritten: the line names the variable
        line = str(excinfo.traceback[-1].statement)
        names = {k: v for k, v in frame.f_locals.items() if k in line}
    found = {id(v): v for v in names.values()
             if isinstance(v, module.GradcheckReport) and not v.ok}
    if found:
        said = text.partition("assert ")[0].strip() if not text.startswith("assert ") else ""
        error.args = ("\n".join([said] * bool(said) + [str(v) for v in found.values()]),)
