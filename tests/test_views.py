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


def test_views_that_are_older_than_a_change_of_shape_of_their_base():
    x = torch.arange(6, dtype=torch.float64).reshape(2, 3).requires_grad_()
    base = x * 1
    row, column = base[0], base[:, 1]
    base.t_()
    base.unsqueeze_(0)
    base[0, :, 0].mul_(5)  # what `row` shows
    column.mul_(7)
    assert row.tolist() == [0.0, 35.0, 10.0] and column.tolist() == [35.0, 28.0]
    (row * torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)).sum().backward()
    assert x.grad.tolist() == [[5.0, 350.0, 500.0], [0.0, 0.0, 0.0]]


def test_shape_changes_under_no_grad_keep_leaves_and_history():
    x = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    y = x * 2
    with torch.no_grad():
        x.t_()
        y.t_()
    assert x.is_leaf and x.requires_grad and x.shape == (3, 2)
    assert y.requires_grad and y.shape == (3, 2)
    x.mul(3).sum().backward()
    assert x.grad.shape == (3, 2)


def test_overlapping_views_add_up_their_gradients():
    x = leaf(1.0, 2.0, 3.0)
    base = x * 2
    pairs, copies = base.unfold(0, 2, 1), base.expand(4, 3)
    base.neg_()  # both views tie themselves to the rewritten base
    pairs.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [-2.0, -4.0, -2.0]
    x.grad = None
    copies.sum().backward()
    assert x.grad.tolist() == [-8.0] * 3
    with pytest.raises(RuntimeError, match="several elements"):
        (leaf(1.0, 2.0, 3.0) * 1).unfold(0, 2, 1).mul_(2)


def test_a_leaf_that_is_a_view_must_not_be_written():
    x = torch.zeros(2, 2).view(4).requires_grad_()
    for refused in (lambda: x.mul_(2), lambda: x[1:].zero_(), lambda: x[1:].unsqueeze_(0),
                    lambda: x.__setitem__(0, 1.0), lambda: x.__setitem__(0, x[0])):
        with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
            refused()
    x.detach().add_(1)
    assert x.is_leaf and x[1:].requires_grad


def test_assigning_a_detached_part_of_itself_cuts_the_history():
    x = leaf(1.0, 2.0)
    y = x * 3
    y[0] = y[0].detach()
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 3.0]


def test_assigning_data_to_a_view_takes_it_out_of_its_base():
    x = leaf(1.0, 2.0)
    base = x * 3
    view = base[0:1]
    view.data = torch.tensor([7.0], dtype=torch.float64)
    base.mul_(2)
    assert view.tolist() == [7.0] and not view._is_view()
    with pytest.raises(RuntimeError, match="must be floating point"):
        x.data = torch.zeros(2, dtype=torch.int64)


def test_joined_tensors_are_row_major():
    x = torch.arange(6.0).reshape(2, 3)
    assert torch.cat([x.t(), x.t()]).view(2, -1)[0].tolist() == [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
    assert torch.stack([x.t(), x[:1].expand(2, 3).t()]).is_contiguous()


def test_expanding_an_empty_tensor():
    assert torch.zeros(0).expand(2, 0).shape == (2, 0)
    assert torch.zeros(1, 0).expand(3, -1, -1).shape == (3, 1, 0)
