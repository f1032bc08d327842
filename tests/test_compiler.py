"""torch.compile, torch.compiler and torch.jit: programs that mention them run unchanged."""

from __future__ import annotations

import pytest

import minigrad as torch
from minigrad import nn


def double(x):
    return x * 2


def test_compile_returns_what_it_was_given():
    net = nn.Linear(2, 2)
    assert torch.compile(net) is net
    assert torch.compile(double, fullgraph=True, dynamic=False, backend="inductor") is double
    assert torch.compile(mode="max-autotune")(double) is double
    assert torch.compile(options={"a": 1}, disable=True, recompile_limit=3)(double) is double
    assert torch.compiler.compile is torch.compile
    state = list(net.state_dict())
    assert net.compile(mode="default") is None
    assert list(net.state_dict()) == state

    @torch.compile
    def triple(x):
        return x * 3

    assert triple(2) == 6


@pytest.mark.parametrize(("error", "match", "options"), [
    (TypeError, "fullgraph must be a bool, got str", {"fullgraph": "yes"}),
    (TypeError, "dynamic must be a bool or None", {"dynamic": 1.0}),
    (TypeError, "mode must be a string or None", {"mode": 3}),
    (TypeError, "options must be a dict or None", {"options": 3}),
    (TypeError, "backend must be a string or a callable", {"backend": 3}),
    (TypeError, "disable must be a bool", {"disable": None}),
    (TypeError, "unexpected keyword", {"nonsense": 1}),
    (RuntimeError, "Either mode or options", {"mode": "default", "options": {}}),
])
def test_options_are_checked(error, match, options):
    for act in (lambda: torch.compile(double, **options), lambda: torch.compile(**options),
                lambda: nn.Identity().compile(**options)):
        with pytest.raises(error, match=match):
            act()


def test_only_what_can_be_called():
    with pytest.raises(TypeError, match="expected a Module or a function, got int"):
        torch.compile(3)
    with pytest.raises(TypeError, match="got int"):
        torch.compile()(3)
    with pytest.raises(TypeError, match="positional"):
        torch.compile(double, True)


def test_compiler():
    compiler = torch.compiler
    assert not (compiler.is_compiling() or compiler.is_exporting()
                or compiler.is_dynamo_compiling())
    assert compiler.disable(double) is double
    assert compiler.disable(recursive=False, reason="slow")(double) is double
    assert compiler.allow_in_graph(double) is compiler.assume_constant_result(double) is double
    assert compiler.reset() is None


# ---- torch.jit
def test_decorators_return_the_function():
    jit = torch.jit
    for decorate in (jit.ignore, jit.ignore(drop=True), jit.ignore(), jit.unused, jit.export,
                     jit.script_if_tracing, jit.interface, jit.script_method,
                     jit._overload_method):
        assert decorate(double) is double
    with pytest.raises(RuntimeError, match="must be a bool or a function"):
        jit.ignore(drop=3)


def test_questions_are_answered_with_no():
    jit = torch.jit
    assert not (jit.is_scripting() or jit.is_tracing())
    assert not isinstance(nn.Linear(1, 1), jit.ScriptModule)
    assert not isinstance(double, jit.ScriptFunction)
    assert jit.isinstance(3, (int, str))
    assert jit.annotate(list, [1]) == [1]
    assert issubclass(jit.TracerWarning, Warning)
    assert issubclass(jit.ScriptWarning, Warning)


def test_a_scriptable_module_runs():
    class Net(nn.Module):
        scale: torch.jit.Final[int]

        def __init__(self):
            super().__init__()
            self.scale = 3

        @torch.jit.ignore
        def log(self, x):
            return x

        def forward(self, x):
            return x if torch.jit.is_scripting() else self.log(x) * self.scale

    assert Net()(2) == 6


@pytest.mark.parametrize("name", ["script", "trace", "trace_module", "load", "save", "freeze",
                                  "optimize_for_inference", "ScriptModule", "ScriptFunction"])
def test_torchscript_is_refused(name):
    with pytest.raises(NotImplementedError, match=rf"torch\.jit\.{name}: minigrad has no"):
        getattr(torch.jit, name)(double)
