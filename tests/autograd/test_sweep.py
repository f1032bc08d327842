"""The sweep: what leaves add up, what hooks see, which rules run."""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad.engine import op


def test_a_leaf_used_often_adds_up_with_and_without_hooks():
    """Without hooks a leaf adds gradients as they come; with one the hook sees the whole sum."""
    def run(hooked):
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        x.grad = torch.tensor([10.0, 10.0])
        seen = []
        if hooked:
            x.register_hook(lambda g: seen.append(g.tolist()))
            x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
        y = x * 3 + x.exp() * 0 + x
        (y.sum() + (x * x).sum()).backward()
        return x.grad.tolist(), seen

    plain, hooked = run(False), run(True)
    assert plain == ([16.0, 18.0], [])
    assert hooked == ([16.0, 18.0], [[6.0, 8.0], [16.0, 18.0]])


def test_a_hook_that_a_hook_registers_still_sees_the_sum():
    x, seen = torch.tensor([2.0], requires_grad=True), []
    y = x * 3
    y.register_hook(lambda g: x.register_hook(lambda total: seen.append(total.item())) and None)
    (y + x * x + x).sum().backward()
    assert x.grad.item() == 8.0 and len(seen) == 1


def test_only_wanted_rules_run():
    """grad() of one input leaves the rules of the others alone."""
    ran = []
    marked = op(a=lambda g, b: ran.append("a") or g * b, b=lambda g, a: ran.append("b") or g * a,
                c=lambda g: ran.append("c") or g)(lambda a, b, c: a * b + c)
    marked.op.name = "marked"
    a, b, c = (torch.tensor([float(k)], requires_grad=True) for k in (2, 3, 5))
    y = marked(a, b, c)
    (g,) = torch.autograd.grad(y, b, retain_graph=True)
    assert g.item() == 2.0 and ran == ["b"]
    y.backward()
    assert [t.grad.item() for t in (a, b, c)] == [3.0, 2.0, 1.0] and ran == ["b", "a", "b", "c"]


@pytest.mark.parametrize("use", [lambda x, b: x + b, lambda x, b: x * b,
                                 lambda x, b: F.linear(x, torch.ones(3, 3, dtype=x.dtype), b),
                                 lambda x, b: F.prelu(-x, -b)])
def test_float16_is_summed_in_float32(use):
    x = torch.ones(5000, 3, dtype=torch.float16)  # in float16 a sum of ones ends at 2048
    b = torch.ones(3, dtype=torch.float16, requires_grad=True)
    use(x, b).backward(torch.ones(5000, 3, dtype=torch.float16))
    assert b.grad.dtype == torch.float16 and b.grad.abs().tolist() == [5000] * 3
