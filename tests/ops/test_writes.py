"""In-place writes: values, gradients through views, shape changes in place, aliases."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minigrad as torch
from minigrad.autograd import gradcheck, gradgradcheck


def leaf(*shape):
    return torch.rand(shape, dtype=torch.float64).requires_grad_()


def written(key):
    def function(x, v):
        y = x * 1
        y[key] = v
        return y * y

    return function


def through_view(x, v):
    y = x * 1
    y[1:, 0] *= v
    y.t()[0] += 2 * v[0]
    return y * y


def copied(x, v):
    y = x * 1
    y[0].copy_(v.exp())
    y[1].fill_(v[0])
    y[:, 1].zero_()
    return y * y


WRITES = {
    "int": (written(1), (3, 2), (2,)),
    "slice, broadcast": (written(slice(0, 2)), (3, 2), (1, 2)),
    "mixed": (written((slice(None), [1, 0])), (3, 2), (3, 2)),
    "int and list": (written((0, [1, 0])), (3, 2), (2,)),
    "mask": (written(torch.tensor([True, False, True])), (3, 2), (2, 2)),
    "0-d value": (written(torch.tensor([[True, False], [False, True]])), (2, 2), ()),
    "None": (written(None), (3, 2), (3, 2)),
    "views": (through_view, (3, 2), (2,)),
    "copy, fill, zero": (copied, (3, 2), (2,)),
    "index_put": (lambda x, v: (x * 1).index_put_(
        (torch.tensor([0, 0]),), v, accumulate=True) ** 2, (3, 2), (2, 2)),
    "scatter_": (lambda x, v: (x * 1).scatter_(
        0, torch.tensor([[0, 2]]), v) ** 2, (3, 2), (1, 2)),
    "scatter_add_": (lambda x, v: (x * 1).scatter_add_(
        0, torch.tensor([[0, 2], [0, 0]]), v) ** 2, (3, 2), (2, 2)),
    "index_add_": (lambda x, v: (x * 1).index_add_(
        1, torch.tensor([1, 1]), v) ** 2, (3, 2), (3, 2)),
    "masked_scatter_": (lambda x, v: (x * 1).masked_scatter_(
        torch.tensor([True, False]), v) ** 2, (3, 2), (3, 2)),
    "scatter_reduce_": (lambda x, v: (x * 1).scatter_reduce_(
        0, torch.tensor([[0, 2], [0, 0]]), v, "prod"), (3, 2), (2, 2)),
    "t_": (lambda x, v: (x * 1).t_() @ v, (3, 2), (3,)),
    "unsqueeze_, squeeze_": (lambda x, v: (x * 1).unsqueeze_(0).mul(v).squeeze_(), (3, 2), (2,)),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes_differentiate(name):
    function, *shapes = WRITES[name]
    inputs = tuple(leaf(*shape) for shape in shapes)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_a_draw_in_place_has_gradient_zero():
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.normal_()
    y.sum().backward()
    assert torch.equal(x.grad, torch.zeros(3))


def test_augmented_assignment_through_a_view_is_recorded_once():
    x = torch.ones(3, requires_grad=True)
    y = x * 1
    before = y._version
    y[1] += 5
    assert y._version == before + 1
    y.sum().backward()
    assert y.tolist() == [1, 6, 1]
    assert x.grad.tolist() == [1, 1, 1]


def test_a_later_write_into_the_index_does_not_change_the_gradient():
    x, index = torch.zeros(3, requires_grad=True), torch.tensor([0, 0])
    y = x[index]
    index.fill_(2)
    y.sum().backward()
    assert x.grad.tolist() == [2, 0, 0]


def test_views_share_memory_and_copies_do_not():
    x = torch.arange(12.).view(3, 4)
    for view in (x[1], x[:, 1:3], x.t(), x.view(-1), x.unsqueeze(0), x.diagonal(), x.reshape(4, 3),
                 x.unfold(0, 2, 1), x.split(2)[0], x.unbind(1)[0], x.expand(2, 3, 4),
                 x.movedim(0, 1), x.narrow(0, 1, 1), x.squeeze(), x.flatten(), x[None], x[...]):
        assert np.shares_memory(view.numpy(), x.numpy())
        assert view._is_view()
    for made in (x[[1]], x[x > 3], x.t().reshape(-1), x.repeat(1, 1), x.flip(0), x.clone(),
                 torch.cat([x]), x.t().contiguous(), x.tril(), x.diag(), x.roll(1)):
        assert not np.shares_memory(made.numpy(), x.numpy())
        assert not made._is_view()


def test_the_same_dtype_returns_the_tensor_itself():
    x = torch.ones(2)
    assert x.float() is x
    assert x.to(torch.float32) is x
    assert x.to("cpu") is x
    assert x.type_as(torch.zeros(1)) is x
    assert x.contiguous() is x
    assert x.cpu() is x
    assert x.to(torch.float32, copy=True) is not x


def test_a_conversion_passes_the_gradient_back_in_its_own_dtype():
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    (x.float() * torch.tensor([2., 3.])).sum().backward()
    assert x.grad.dtype is torch.float64
    assert x.grad.tolist() == [2, 3]


def test_many_pieces_cost_one_gradient_each():
    """The gradients of split's, chunk's and unbind's outputs join in one step."""
    x = torch.arange(6., requires_grad=True)
    for parts in (x.split(2), x.split([1, 5]), x.chunk(3), x.view(3, 2).unbind()):
        assert len({id(p.grad_fn.next_functions[0][0]) for p in parts}) == 1
        (g,) = torch.autograd.grad(parts[-1].sum() * 2, x)
        assert g.sum() == 2 * parts[-1].numel()


def test_deepcopy_and_pickle():
    x = torch.arange(6.).view(2, 3).t().requires_grad_()
    x.grad = torch.ones(3, 2)
    x.note = "kept"
    for made in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert torch.equal(made, x)
        assert made.requires_grad
        assert made.stride() == x.stride()
        assert made.note == "kept"
        assert not np.shares_memory(made.detach().numpy(), x.detach().numpy())
    assert copy.deepcopy(x).grad.tolist() == x.grad.tolist()
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(x * 2)


def test_dlpack_and_numpy_share_memory():
    x = torch.zeros(3)
    np.from_dlpack(x)[0] = 1
    torch.from_dlpack(x)[1] = 2
    torch.from_numpy(x.numpy())[2] = 3
    assert x.tolist() == [1, 2, 3]
    with pytest.raises(BufferError, match="detach"):
        x.requires_grad_().__dlpack__()


def test_numpy_functions_give_tensors():
    assert isinstance(np.sin(torch.ones(2)), torch.Tensor)
    product = np.ones(2, np.float32) * torch.full((2,), 3.)
    assert torch.equal(product, torch.tensor([3., 3.]))


def test_large_index_gradients_add_up():
    """Rows that repeat, in more than one block of the kernel."""
    x = torch.zeros(5, 300, requires_grad=True)
    index = torch.randint(5, (1000,))
    weight = torch.rand(1000, 300)
    (x[index] * weight).sum().backward()
    want = np.zeros((5, 300))
    np.add.at(want, index.numpy(), weight.numpy().astype(np.float64))
    np.testing.assert_allclose(x.grad.numpy(), want, rtol=1e-4)


# ------------------------------------------------------------------------- found by random programs
@pytest.mark.parametrize("name", ["sort", "max", "median", "cummax"])
def test_indices_that_backward_needs_cannot_be_overwritten(name):
    x = torch.randn(3, 4, requires_grad=True)
    values, indices = getattr(x, name)(0)
    indices.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        values.sum().backward()


def test_a_value_with_leading_ones_has_second_derivatives():
    x = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    y = torch.zeros(2, 3)
    y[-1] = x**2
    y[[0]] = x[None] ** 3
    (g,) = torch.autograd.grad((y**2).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert h.tolist() == [[42.0, 528.0, 2538.0]]


def test_the_diagonal_of_an_empty_matrix_can_be_written():
    assert torch.zeros(0, 2).diagonal().abs_().shape == (0,)


def test_scattered_float16_numbers_are_added_in_float32():
    zeros, at = torch.zeros(2, dtype=torch.float16), torch.zeros(5000, dtype=torch.int64)
    ones = torch.ones(5000, dtype=torch.float16)
    assert zeros.scatter_add(0, at, ones).tolist() == [5000.0, 0.0]  # 2048 + 1 is 2048 in float16
    y = zeros.scatter_reduce(0, at, ones, "sum")
    assert y.dtype == torch.float16 and y.tolist() == [5000.0, 0.0]
    x = torch.ones(2, dtype=torch.float16, requires_grad=True)
    x.gather(0, at).backward(ones)
    assert x.grad.tolist() == [5000.0, 0.0]
