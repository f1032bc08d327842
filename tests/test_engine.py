"""The engine: depth, memory, hooks, in-place writes, versions, errors."""

from __future__ import annotations

import threading
import weakref

import numpy as np
import pytest

import minigrad as torch
from minigrad import engine
from tests.cycles import no_cycles


def leaf(*values, **options):
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True, **options)


# ---------------------------------------------------------------- depth and memory
def test_a_chain_of_200000_ops_goes_forward_backward_and_away():
    x = leaf(1.0)
    y = x
    for _ in range(200_000):
        y = y + 1.0
    y.sum().backward()
    assert x.grad.item() == 1.0
    del y


def test_a_deep_chain_is_freed_in_a_thread_with_a_small_stack():
    failures = []

    def run():
        try:
            y = leaf(1.0)
            for _ in range(200_000):
                y = y * 1.0
            del y
        except BaseException as error:
            failures.append(error)

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert not failures


def test_a_diamond_chain_takes_linear_time():
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.sum().backward()
    assert x.grad.item() == 2.0**60


def test_training_leaves_nothing_for_the_cycle_collector():
    w1 = torch.randn(4, 8, requires_grad=True)
    w2 = torch.randn(8, 2, requires_grad=True)
    x = torch.randn(16, 4)

    def step():
        hidden = (x @ w1).tanh()
        loss = ((hidden @ w2) ** 2).mean()
        (g,) = torch.autograd.grad(loss, w1, create_graph=True)
        (loss + (g * g).sum()).backward()
        with torch.no_grad():
            for w in (w1, w2):
                w -= 0.1 * w.grad
                w.grad = None

    step()
    with no_cycles():
        for _ in range(100):
            step()


def test_saved_values_are_dropped_during_backward():
    x = leaf(1.0, 2.0)
    y = x.exp()
    array = weakref.ref(y._data)
    z = y.sum()
    del y
    assert array() is not None
    z.backward()
    assert array() is None


def test_only_what_rules_name_is_saved():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    assert (x - w).grad_fn.plan.names == ["alpha"]
    assert x.exp().grad_fn.plan.names == ["y"]
    assert (x * 2.0).grad_fn.plan.names == ["other"]
    assert (x * w).grad_fn.plan.names == ["other", "input"]
    assert (x * w.detach()).grad_fn.plan.names == ["other"]


# ---------------------------------------------------------------- gradients
def test_gradients_accumulate_and_never_alias():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    g = torch.ones(2, dtype=torch.float64)
    (a + b).backward(g)
    assert not np.shares_memory(a.grad._data, b.grad._data)
    assert not np.shares_memory(a.grad._data, g._data)
    kept = a.grad
    (a + b).backward(g)
    assert kept is a.grad and kept.tolist() == [2.0, 2.0] and g.tolist() == [1.0, 1.0]
    y = a.exp()
    y.backward(g)
    assert not np.shares_memory(a.grad._data, y._data)


def test_gradient_of_the_result_of_exp_does_not_share_with_the_saved_value():
    x = leaf(0.0)
    y = x.exp()
    y.backward(torch.ones(1, dtype=torch.float64), retain_graph=True)
    x.grad._data[...] = 77.0
    x.grad = None
    y.backward(torch.ones(1, dtype=torch.float64))
    assert x.grad.item() == 1.0


def test_one_tensor_in_two_inputs():
    x = leaf(3.0)
    (x * x).backward()
    assert x.grad.item() == 6.0


def test_grad_does_not_stop_at_a_target_that_depends_on_another():
    a = leaf(2.0)
    b = a * 3
    ga, gb = torch.autograd.grad((b * b).sum(), [a, b])
    assert (ga.item(), gb.item()) == (36.0, 12.0)
    assert a.grad is None


def test_derivatives_of_every_order_from_one_rule():
    x = leaf(2.0)
    y = x**5
    wanted = [5 * 2.0**4, 20 * 2.0**3, 60 * 2.0**2, 120 * 2.0, 120.0]
    for value in wanted:
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        assert y.item() == pytest.approx(value)


def test_backward_with_inputs_only_fills_those():
    a, b = leaf(1.0), leaf(2.0)
    (a * b).backward(inputs=[a])
    assert a.grad.item() == 2.0 and b.grad is None


def test_unused_inputs():
    a, b = leaf(1.0), leaf(2.0)
    with pytest.raises(RuntimeError, match="allow_unused=True"):
        torch.autograd.grad((a * 2).sum(), [a, b])
    _, none = torch.autograd.grad((a * 2).sum(), [a, b], allow_unused=True)
    _, zero = torch.autograd.grad((a * 2).sum(), [a, b], materialize_grads=True)
    assert none is None and zero.tolist() == [0.0]


def test_integer_results_are_constants():
    assert not (leaf(1.5) > 1).requires_grad
    assert not leaf(1.5).long().requires_grad


def test_dtype_and_broadcasting_are_undone():
    x = torch.ones(2, 1, requires_grad=True)
    y = torch.ones(3, dtype=torch.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype == torch.float32 and x.grad.tolist() == [[3.0], [3.0]]
    assert y.grad.dtype == torch.float64 and y.grad.tolist() == [2.0, 2.0, 2.0]


# ---------------------------------------------------------------- hooks
def test_hooks_see_and_replace_gradients():
    x = leaf(1.0, 2.0)
    seen = []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.tolist()))
    handle = y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward(retain_graph=True)
    assert seen == [[1.0, 1.0], [20.0, 20.0]] and x.grad.tolist() == [20.0, 20.0]
    handle.remove()
    x.grad = None
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_leaf_hooks_run_on_the_sum_and_when_the_name_is_gone():
    seen = []
    x = leaf(1.0)
    x.register_hook(lambda g: seen.append(g.item()))
    x.register_post_accumulate_grad_hook(lambda t: seen.append(("after", t.grad.item())))
    y = (x * 2 + x * 3).sum()
    del x
    y.backward()
    assert seen == [5.0, ("after", 5.0)]


def test_retain_grad():
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    assert not x.retains_grad and y.retains_grad
    (y * y).sum().backward()
    assert y.grad.item() == 4.0
    z = leaf(1.0) * 2
    with pytest.warns(UserWarning, match="not a leaf"):
        assert z.grad is None


def test_an_exception_leaves_finished_leaves_and_state_alone():
    a, b = leaf(1.0), leaf(2.0)
    early = a * 2
    late = early * b

    def fail(g):
        raise KeyError("from a hook")

    early.register_hook(fail)
    with pytest.raises(KeyError):
        late.sum().backward()
    assert b.grad.item() == 2.0 and a.grad is None and torch.is_grad_enabled()
    assert engine.state.arrays == 0


# ---------------------------------------------------------------- errors
def test_second_backward_names_the_op():
    x = leaf(1.0)
    y = x.exp()
    y.backward()
    with pytest.raises(RuntimeError, match=r"a second time.*exp \(ExpBackward0\).*retain_graph"):
        y.backward()
    z = x + 1  # saves nothing, so it may run again
    z.backward()
    z.backward()


def test_backward_of_what_needs_no_gradient():
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        torch.ones(2).sum().backward()
    with pytest.raises(RuntimeError, match="implicitly created only for scalar outputs"):
        leaf(1.0, 2.0).exp().backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        leaf(1.0, 2.0).exp().backward(torch.ones(3))


def test_leaves_must_not_be_written_in_place():
    x = leaf(1.0, 2.0)
    for write in (lambda: x.add_(1), lambda: x[0:1].mul_(2), lambda: x.__setitem__(0, 5.0)):
        with pytest.raises(RuntimeError, match=r"leaf Variable that requires grad .* in-place"):
            write()
    assert x.tolist() == [1.0, 2.0] and x._version == 0
    with torch.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 3.0] and x._version == 1


def test_overwritten_saved_value_names_both_ops():
    y = leaf(1.0).exp()
    z = y.sum()
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"(?s)exp \(ExpBackward0\) saved the result.*add_ has"):
        (z + y.sum()).backward()
    x = leaf(1.0) * 1
    p = x * leaf(2.0)
    x.mul_(3.0)
    with pytest.raises(RuntimeError, match=r"mul \(MulBackward0\) saved the argument 'input'"):
        p.sum().backward()


def test_detach_shares_the_version_counter_and_data_does_not():
    x = leaf(1.0)
    y = x.exp()
    y.data[...] = 5.0
    assert y._version == 0
    y.detach().mul_(2)
    assert y._version == 1 and y.item() == 10.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_anomaly_mode_names_lines_and_finds_nan():
    x = leaf(0.0)
    with torch.autograd.detect_anomaly(), pytest.raises(RuntimeError) as caught:
        y = x.exp()
        y.add_(1)  # the line that overwrites
        y.backward()
    assert "y = x.exp()" in str(caught.value) and "the line that overwrites" in str(caught.value)
    with torch.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="nan") as caught:
        (x.sqrt() * 0).backward()  # inf * 0
    assert "inf * 0" in str(caught.value) and "Sqrt" in str(caught.value)
    with torch.autograd.detect_anomaly(check_inf=True), pytest.raises(RuntimeError, match="log"):
        x.log()
    assert not torch.is_anomaly_enabled()


def test_two_threads_train_as_one():
    def train(seed, results):
        rng = np.random.Generator(np.random.PCG64(seed))
        w = torch.tensor(rng.random((4, 4)), requires_grad=True)
        x = torch.tensor(rng.random((8, 4)))
        for _ in range(50):
            loss = ((x @ w).tanh() ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
                w.grad = None
        results[seed] = w.tolist()

    alone, together = {}, {}
    train(1, alone)
    train(2, alone)
    threads = [threading.Thread(target=train, args=(s, together)) for s in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone == together


# ---------------------------------------------------------------- declarations
def test_a_wrong_declaration_is_refused_at_once():
    with pytest.raises(TypeError, match="first parameter of a rule must be g"):
        engine.op(input=lambda y: y)(lambda input: input)
    with pytest.raises(TypeError, match="names 'z'"):
        engine.op(input=lambda g, z: g)(lambda input: input)
    with pytest.raises(TypeError, match="names 'y_shape'"):
        engine.op(input=lambda g, y_shape: g)(lambda input: input)
    with pytest.raises(TypeError, match="smoothly"):
        engine.op(input=lambda g, half: g * half, smooth="half")(lambda input: (input, input / 2))


def test_public_ops_refuse_arrays_and_numbers():
    for wrong in (2.0, np.ones(2), [1.0]):
        with pytest.raises(TypeError, match="must be Tensor, not"):
            torch.exp(wrong)
    with pytest.raises(TypeError, match="unexpected keyword argument 'dimension'"):
        torch.ones(2).sum(dimension=0)
    with pytest.raises(TypeError, match="multiple values"):
        torch.ones(2).sum(0, dim=0)


def test_a_gradient_is_taken_over_only_if_nobody_else_holds_it():
    made, kept = [], []

    def fresh(g):
        array = np.array(g) * 2
        made.append(id(array))
        return array

    double = engine.op(input=lambda g: fresh(g))(lambda input: input * 2)
    x = leaf(1.0, 2.0)
    double(x).backward(torch.ones(2, dtype=torch.float64))
    assert id(x.grad._data) == made[0]  # taken over, not copied
    x.grad = None
    x.register_hook(kept.append)
    double(x).backward(torch.ones(2, dtype=torch.float64))
    assert not np.shares_memory(x.grad._data, kept[0]._data)
