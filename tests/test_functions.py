"""The functions of the top namespace that differ from `nn.functional`'s, and old names."""

from __future__ import annotations

import pytest

import minigrad as torch
import minigrad.nn.functional as F
from minigrad import _functions

IN_PLACE = [name for name, value in vars(_functions).items()
            if value is getattr(torch.Tensor, name, None)]


@pytest.mark.parametrize("name", ["abs_", "relu_", "tanh_", "zero_", "neg_"])
def test_in_place_functions_write_into_their_argument(name):
    assert name in IN_PLACE
    x = torch.tensor([-0.5, 0.25])
    want = getattr(x.clone(), name)()
    assert getattr(torch, name)(x) is x
    assert torch.equal(x, want)


def test_every_in_place_function_is_exported():
    assert len(IN_PLACE) > 50
    assert not [name for name in IN_PLACE if not hasattr(torch, name)]


@pytest.mark.parametrize("name", ["dropout", "alpha_dropout", "feature_dropout",
                                  "feature_alpha_dropout"])
def test_dropouts_draw_what_the_functional_forms_draw(name):
    x = torch.randn(4, 5, 6)
    functional = {"feature_dropout": F.dropout1d}.get(name) or getattr(F, name)
    torch.manual_seed(0)
    want = functional(x, 0.5, True)
    torch.manual_seed(0)
    assert torch.equal(getattr(torch, name)(x, 0.5, True), want)
    torch.manual_seed(0)
    assert getattr(torch, name + "_")(x, 0.5, True) is x
    assert torch.equal(x, want)
    assert getattr(torch, name)(x, 0.5, False) is x


def test_norms_take_weight_and_bias_before_the_statistics():
    x, weight, bias = torch.randn(4, 3, 5), torch.randn(3), torch.randn(3)
    mean, var = torch.randn(3), torch.rand(3) + 0.5
    got = torch.batch_norm(x, weight, bias, mean, var, False, 0.1, 1e-3, True)
    assert torch.equal(got, F.batch_norm(x, mean, var, weight, bias, False, 0.1, 1e-3))
    got = torch.instance_norm(x, weight, bias, mean, var, False, 0.1, 1e-3, False)
    assert torch.equal(got, F.instance_norm(x, mean, var, weight, bias, False, 0.1, 1e-3))
    with pytest.raises(TypeError, match="cudnn_enabled"):
        torch.batch_norm(x, weight, bias, mean, var, False, 0.1, 1e-3, None)


def test_embedding_takes_the_table_first():
    table, rows = torch.randn(4, 2, requires_grad=True), torch.tensor([1, 3])
    y = torch.embedding(table, rows, padding_idx=3)
    assert torch.equal(y, table[rows])
    y.sum().backward()
    assert table.grad.sum(1).tolist() == [0, 2, 0, 0]


def test_old_names():
    x = torch.ones(2, requires_grad=True)
    v = torch.autograd.Variable(x * 2, requires_grad=True)
    assert v.is_leaf and v.requires_grad and isinstance(x, torch.autograd.Variable)
    assert not torch.autograd.Variable(x).requires_grad
    with pytest.raises(TypeError, match="Tensor"):
        torch.autograd.Variable([1.0])
    torch._assert(True, "fine")
    with pytest.raises(AssertionError, match="not fine"):
        torch._assert(False, "not fine")
    assert torch.nn.parameter.is_lazy(x) is False


def test_there_is_no_gpu():
    assert torch.cuda.is_available() is False
    assert torch.cuda.device_count() == 0
    torch.cuda.manual_seed_all(3)
    with pytest.raises((TypeError, ValueError)):
        torch.cuda.manual_seed("three")


def test_conversion_to_numbers_needs_one_element():
    for convert in (int, float):
        with pytest.raises(ValueError, match="only one element"):
            convert(torch.ones(2))
    assert int(torch.tensor([[3.7]])) == 3


def test_clone_in_row_major_order():
    x = torch.ones(2, 3).t()
    assert x.clone().stride() == (1, 3)
    assert x.clone(memory_format=torch.contiguous_format).stride() == (2, 1)


def test_repeat_interleave_checks_the_output_size():
    repeats = torch.tensor([1, 2])
    assert torch.repeat_interleave(repeats, output_size=3).tolist() == [0, 1, 1]
    for args in ((repeats,), (torch.ones(2), repeats, 0), (torch.ones(2), 3)):
        with pytest.raises(RuntimeError, match="output_size=7"):
            torch.repeat_interleave(*args, output_size=7)
