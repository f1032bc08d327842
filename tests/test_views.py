"""In-place writes, through views and bases: values, gradients, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch


def leaf(*values):
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)


def test_writing_through_a_view_and_through_the_base():
    x = leaf(1.0, 2.0, 3.0)
    base = x * 2
    tail, head = base[1:], base[:2]
    tail.mul_(x[1:])  # base: 2a, 2b*b, 2c*c
    base[0] = x[2] * 5  # base: 5c, 2b^2, 2c^2
    assert base.tolist() == [15.0, 8.0, 18.0] and head.tolist() == [15.0, 8.0]
    (head * torch.tensor([1.0, 10.0], dtype=torch.float64)).sum().backward()
    assert x.grad.tolist() == [0.0, 40.0 * 2, 5.0]


def test_writes_through_transposed_views_of_any_layout():
    x = torch.arange(6, dtype=torch.float64).reshape(2, 3).requires_grad_()
    base = x.T * 1  # NumPy keeps the transposed layout
    base.T[0].mul_(3)
    base.T.view(-1)[5:].mul_(7)
    base.sum().backward()
    assert x.grad.tolist() == [[3.0, 3.0, 3.0], [1.0, 1.0, 7.0]]


def test_in_place_ops_keep_their_own_saved_result():
    x = leaf(0.5)
    y = x * 1
    y.exp_()
    y.backward()
    assert x.grad.item() == pytest.approx(np.exp(0.5))
    z = x * 1
    z.mul_(z.detach() + 0)
    z.backward()
    assert x.grad.item() == pytest.approx(np.exp(0.5) + 0.5)


def test_second_derivatives_through_in_place_views():
    x = leaf(1.0, 2.0)
    y = x * x
    y[0:1].mul_(x[1:])
    y[1] = y[0].clone() * x[1]
    # y0 = x0^2 x1, y1 = x0^2 x1^2
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [2 * 2 + 2 * 4, 1 + 4.0]
    (h,) = torch.autograd.grad(g[0], x)
    assert h.tolist() == [2 * 2.0 + 2 * 4.0, 2 + 4 * 2.0]


def test_refused_in_place_writes():
    x = leaf(1.0, 2.0) * 1
    with pytest.raises(RuntimeError, match=r"one output of unbind|several views"):
        x.unbind(0)[0].mul_(2)
    with torch.no_grad():
        view = x[0:1]
    with pytest.raises(RuntimeError, match="no_grad mode"):
        view.mul_(x[1:])
    with pytest.raises(RuntimeError, match=r"single memory location|several elements"):
        torch.zeros(1).expand(3).add_(1)
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        torch.zeros(1).add_(torch.zeros(3))
    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        torch.zeros(2, dtype=torch.int64).add_(1.5)


@pytest.mark.parametrize("several", [lambda x: x.split(1), lambda x: x.unbind(0),
                                     lambda x: [y.view(-1) for y in x.chunk(2)], list])
def test_outputs_of_one_split_are_refused_after_a_write_into_their_base(several):
    x = leaf(1.0, 2.0) * 1
    part = several(x)[1]
    x.mul_(2)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="returns several views"):
            part.sum()
    plain = torch.ones(2)
    part = several(plain)[1]
    plain.mul_(2)
    assert part.tolist() in (2.0, [2.0])
