"""utils.checkpoint: less memory, the same results; the second run must do what the first did."""

from __future__ import annotations

import contextlib
import warnings

import pytest

import minigrad as torch
from minigrad import nn
from minigrad.saved import Packed
from minigrad.utils import checkpoint as module
from minigrad.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential
from tests.cycles import no_cycles

both = pytest.mark.parametrize("reentrant", [True, False])


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def wave(x, y=2.0):
    return (x.exp() * y).sin()


def gradient(function, *args):
    x = args[0].detach().requires_grad_()
    out = function(x, *args[1:])
    out.sum().backward()
    return out.detach(), x.grad


@both
def test_values_gradients_and_two_runs(reentrant):
    runs = []

    def counted(x, y):
        runs.append(1)
        return wave(x, y)

    x = leaf(1.0, 2.0)
    out, grad = gradient(lambda x: checkpoint(counted, x, 3.0, use_reentrant=reentrant), x)
    want, want_grad = gradient(lambda x: wave(x, 3.0), x)
    assert torch.equal(out, want) and torch.allclose(grad, want_grad) and len(runs) == 2


@both
def test_several_outputs_and_arguments_of_any_kind(reentrant):
    x = leaf(1.0, 2.0)
    a, b, c = checkpoint(lambda x, z: (x * 2, 3, z), x, {"k": 1}, use_reentrant=reentrant)
    (a * 1).sum().backward()
    assert x.grad.tolist() == [2, 2] and (b, c) == (3, {"k": 1})


@both
@pytest.mark.parametrize("preserve", [True, False])
def test_random_numbers_are_drawn_again(reentrant, preserve):
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    out = checkpoint(lambda x: nn.functional.dropout(x.exp(), 0.5), x, use_reentrant=reentrant,
                     preserve_rng_state=preserve)
    torch.rand(5)
    position = torch.get_rng_state()
    out.sum().backward()
    assert torch.equal(x.grad != 0, out != 0) is preserve
    assert torch.equal(torch.get_rng_state(), position) is preserve


@both
def test_retain_graph_nesting_and_no_grad(reentrant):
    x = leaf(1.0, 2.0)
    out = checkpoint(torch.exp, x, use_reentrant=reentrant).sum()
    out.backward(retain_graph=True)
    out.backward()
    assert torch.allclose(x.grad, 2 * x.exp())

    def nested(x):
        return checkpoint(torch.exp, x * 2, use_reentrant=reentrant).sin()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the inner one sees no input that requires grad at first
        got = gradient(lambda x: checkpoint(nested, x, use_reentrant=reentrant), x)
    want = gradient(lambda x: (x * 2).exp().sin(), x)
    assert torch.allclose(got[1], want[1])
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not checkpoint(wave, x, use_reentrant=reentrant).requires_grad


def test_what_the_reentrant_form_cannot_do():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="use_reentrant=False"):
        torch.autograd.grad(checkpoint(wave, x, use_reentrant=True).sum(), x)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: y"):
        checkpoint(wave, x, y=1.0, use_reentrant=True)
    with pytest.raises(ValueError, match="context_fn"):
        checkpoint(wave, x, use_reentrant=True, debug=True)
    with pytest.warns(UserWarning, match="None of the inputs"):
        checkpoint(wave, torch.ones(2), use_reentrant=True)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed"):
        checkpoint(wave, x)


def test_the_other_form_has_keywords_grad_and_every_order():
    x = leaf(1.0, 2.0)
    (g,) = torch.autograd.grad(checkpoint(wave, x, y=4.0, use_reentrant=False).sum(), x)
    assert torch.allclose(g, gradient(wave, x, 4.0)[1])
    out = checkpoint(lambda x: x**3, x, use_reentrant=False).sum()
    (g,) = torch.autograd.grad(out, x, create_graph=True)
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [6, 12]
    net = nn.Linear(2, 2)
    checkpoint(net, torch.ones(1, 2), use_reentrant=False).sum().backward()
    assert net.weight.grad.tolist() == [[1, 1], [1, 1]]


def test_nothing_is_kept_between_forward_and_backward():
    x = leaf(1.0, 2.0)
    node = checkpoint(lambda x: x.exp().sin().exp(), x, use_reentrant=False).grad_fn
    count = 0
    while hasattr(node, "saved"):
        for value in node.saved:
            assert isinstance(value, Packed) and type(value.value) is int
            count += 1
        node = node.next_functions[0][0]
    assert count == 3


def test_nothing_is_left_to_the_cycle_collector():
    with no_cycles():
        x = leaf(1.0, 2.0)
        checkpoint(wave, x, use_reentrant=False).sum().backward()
        checkpoint(wave, x, use_reentrant=False)


def differs(first, second, **options):
    runs = []

    def function(x):
        runs.append(1)
        return first(x) if len(runs) == 1 else second(x)

    checkpoint(function, leaf(1.0, 2.0), use_reentrant=False, **options).sum().backward()


@pytest.mark.parametrize(("first", "second", "options", "message"), [
    (lambda x: x.exp(), lambda x: x.exp().sin().exp(), {"early_stop": False}, "more tensors"),
    (lambda x: x.exp().sin(), lambda x: x * 1, {}, "different number"),
    (lambda x: x[:1].exp(), lambda x: x.exp(), {}, r"different metadata.*\n.*\(1,\)"),
    (lambda x: x[:1].exp(), lambda x: x.exp(), {"debug": True}, r"(?s)Saved by the first run.*x\["),
])
def test_a_second_run_that_does_other_things_is_found(first, second, options, message):
    with pytest.raises(CheckpointError, match=message):
        differs(first, second, **options)
    assert torch.is_grad_enabled()


def test_the_check_can_be_left_out():
    with pytest.raises(RuntimeError) as error:  # the wrong shape is found by what unpacks it
        differs(lambda x: x[:1].exp(), lambda x: x.exp(), determinism_check="none")
    assert not isinstance(error.value, CheckpointError)
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(wave, leaf(1.0), use_reentrant=False, determinism_check="some")


def test_early_stop():
    def run(**options):
        log = []

        def function(x):
            y = x.exp()
            log.append("a")
            z = y * 2
            log.append("b")
            return z

        checkpoint(function, leaf(1.0), use_reentrant=False, **options).sum().backward()
        return "".join(log)

    assert run() == "ab" and run(early_stop=False) == "abab"
    with module.set_checkpoint_early_stop(False):
        assert run() == "abab"
    with module.set_checkpoint_debug_enabled(True), pytest.raises(CheckpointError, match="first"):
        differs(lambda x: x.exp().sin(), lambda x: x * 1)


def test_contexts_of_both_runs():
    log = []

    @contextlib.contextmanager
    def context(name):
        log.append(f"in {name}")
        try:
            yield
        finally:
            log.append(f"out {name}")

    x = leaf(1.0)
    checkpoint(torch.exp, x, use_reentrant=False,
               context_fn=lambda: (context("first"), context("second"))).sum().backward()
    assert log == ["in first", "out first", "in second", "out second"]


def test_an_argument_that_was_overwritten_is_found():
    x = leaf(1.0, 2.0)
    y = x * 1
    out = checkpoint(torch.exp, y, use_reentrant=False)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="inplace"):
        out.sum().backward()


@both
def test_an_exception_in_the_second_run_changes_nothing(reentrant):
    runs = []

    def function(x):
        runs.append(1)
        if len(runs) == 2:
            raise ValueError("second")
        return x.exp()

    x = leaf(1.0)
    out = checkpoint(function, x, use_reentrant=reentrant)
    position = torch.get_rng_state()
    with pytest.raises(ValueError, match="second"):
        out.sum().backward()
    assert torch.is_grad_enabled() and torch.equal(torch.get_rng_state(), position)
    assert x.grad is None


@both
def test_sequential(reentrant):
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
    x = torch.ones(1, 2, requires_grad=True)
    for segments in (1, 2, 3, 5):
        got = gradient(lambda x: checkpoint_sequential(net, segments, x, reentrant), x)  # noqa: B023
        want = gradient(net, x)
        assert torch.equal(got[0], want[0]) and torch.allclose(got[1], want[1])
    with pytest.raises(ValueError, match="foo"):
        checkpoint_sequential(net, 2, x, reentrant, foo=1)
    with pytest.warns(UserWarning, match="checkpoint_sequential"):
        checkpoint_sequential(list(net), 2, x)


def test_helpers():
    a, b = module.detach_variable((leaf(1.0), 3))
    assert a.is_leaf and a.requires_grad and b == 3
    with pytest.raises(RuntimeError, match="tuple"):
        module.detach_variable([leaf(1.0)])
