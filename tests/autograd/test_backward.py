"""What backward() and grad() accept, keep and free; hooks, retained gradients."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch


def leaf(*values):
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)


def test_ops_that_save_no_values_can_go_back_again():
    x = leaf(1.0, 2.0)
    y = (x + 1).reshape(2, 1)[0].sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2.0, 0.0]


def test_numbers_are_arrays_in_rules():
    x = leaf(1.0, 2.0)
    (first, second), total = x.unbind(0), 0.0
    for part in (first, first, second, first):
        total = total + part
    total.backward()
    assert x.grad.tolist() == [3.0, 1.0]
    (x * np.float64(2.0)).sum().backward()
    assert x.grad.tolist() == [5.0, 3.0]
    z = leaf(0.5).sum()
    y = z * 1
    y[y > 0] = 3.0
    (grad,) = torch.autograd.grad(y + 0 * z, z)
    assert grad.item() == 0.0


def test_retained_gradients_add_up_and_follow_rewrites():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    (y * 3).sum().backward(retain_graph=True)
    (y * 4).sum().backward(retain_graph=True)
    assert y.grad.tolist() == [7.0, 7.0]
    y[0] = 5.0
    y.grad = None
    (y * 2).sum().backward()
    assert y.grad.tolist() == [2.0, 2.0] and y.retains_grad
    part = x.split(1)[0]
    part.retain_grad()
    part.sum().backward(inputs=[part])
    assert part.retains_grad and part.grad.tolist() == [1.0]


def test_gradients_of_a_great_many_inputs_take_linear_time():
    parts = [torch.tensor(1.0, requires_grad=True) for _ in range(50_000)]
    grads = torch.autograd.grad(torch.stack(parts).sum(), parts)
    assert len(grads) == 50_000 and grads[-1].item() == 1.0


def test_what_hooks_may_return():
    x = leaf(1.0, 2.0)
    y = x * 2
    with pytest.raises(RuntimeError, match="the type"), y.register_hook(lambda g: g.float()):
        y.sum().backward()
    x.register_post_accumulate_grad_hook(lambda p: p.add_(p.grad, alpha=-1))  # a tensor: fine
    seen = []
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p) or 3)
    with pytest.raises(TypeError, match="hook returned 'int'"):
        y.sum().backward()
    assert seen[0] is x and x.tolist() == [-1.0, 0.0]


def test_arguments_of_backward_and_grad_are_checked():
    x = leaf(1.0, 2.0)
    grad = torch.autograd.grad
    assert grad((x * x).sum(), (t for t in [x]))[0].tolist() == [2.0, 4.0]
    assert grad((x * x).sum(), [x, x])[1].tolist() == [2.0, 4.0]
    unused = leaf(1.0)
    zeros = grad((x * x).sum(), [x, unused], create_graph=True, materialize_grads=True)[1]
    assert zeros.tolist() == [0.0] and zeros.requires_grad
    for error, call in [(RuntimeError, lambda: grad((x * x).sum(), [])),
                        (RuntimeError, lambda: grad((x * x).sum(), [3])),
                        (TypeError, lambda: grad((x * x).sum(), 3)),
                        (TypeError, lambda: (x * x).backward([1.0, 1.0])),
                        (TypeError, lambda: (x * x).sum().backward(1.0)),
                        (RuntimeError, lambda: (x * x).sum().backward(inputs=[1])),
                        (RuntimeError, lambda: (x * x).sum().backward(inputs=()))]:
        with pytest.raises(error):
            call()
    with pytest.warns(FutureWarning, match="only_inputs"):
        grad((x * x).sum(), x, only_inputs=False)


def test_requires_grad_takes_bools_and_leaves():
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match="must be a bool"):
        x.requires_grad = 1
    with pytest.raises(TypeError, match="must be bool"):
        x.requires_grad_("yes")
    y = x * 2
    with pytest.raises(RuntimeError, match="leaf variables"):
        y.requires_grad = True
    assert y.requires_grad_() is y
