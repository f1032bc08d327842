"""`out=`: shapes, dtypes and memory, function by function, as recorded from PyTorch."""

from __future__ import annotations

import json

import pytest

import minigrad as torch

from . import record_out as table

RECORDED = json.loads(table.PATH.read_text())
# PyTorch does not warn here, or wants more (less) of the dtype than of that of related functions.
DIFFERENT = {
    "bernoulli narrow", "bernoulli shape", "multinomial shape", "inner wide", "clamp wide",
    "linalg.cholesky wide", "cat narrow", "stack narrow", "vstack narrow",
    "linalg.solve_triangular overlapping",
}


@pytest.fixture(autouse=True)
def namespace(monkeypatch):
    monkeypatch.setattr(table, "torch", torch)


@pytest.mark.parametrize("name", table.CALLS)
def test_out_does_what_torch_recorded(name):
    for situation in table.SITUATIONS:
        found, wanted = table.outcome(name, situation), RECORDED[name][situation]
        assert found != "wrong", situation
        if wanted != "wrong" and f"{name} {situation}" not in DIFFERENT:  # PyTorch's own result is
            assert found == wanted, situation
        elif f"{name} {situation}" in DIFFERENT:
            assert found != wanted, f"{situation} is PyTorch's now: take it off the list"


def test_out_none_is_no_out():
    x = torch.tensor([-1., 2.], requires_grad=True)
    assert torch.abs(x, out=None).requires_grad
    assert torch.outer(x, x, out=None).shape == (2, 2)


def test_a_smaller_out_keeps_its_memory():
    out = torch.zeros(6)
    with pytest.warns(UserWarning, match=r"An output with one or more elements was resized since "
                                         r"it had shape \[6\]"):
        assert torch.add(torch.ones(2), 1, out=out) is out
    assert out.tolist() == [2, 2] and out.untyped_storage().nbytes() == 24


def test_out_says_what_is_wrong():
    x = torch.ones(2)
    for call, error, text in [
        (lambda: torch.add(x, x, out=3), TypeError, "argument 'out' must be Tensor, not int"),
        (lambda: torch.max(x, 0, out=x), TypeError, "must be a tuple of 2 Tensors"),
        (lambda: torch.abs(x, out=torch.ones(2).double()), RuntimeError,
         "Expected out tensor to have dtype float, but got double instead"),
        (lambda: torch.add(x, x, out=torch.ones(2).int()), RuntimeError,
         "result type Float can't be cast to the desired output type Int"),
        (lambda: torch.add(x, x, out=torch.ones(1).expand(2)), RuntimeError,
         "more than one element of the written-to tensor refers to a single memory location"),
        (lambda: torch.add(x[:1], 1, out=torch.ones(2, requires_grad=True)), RuntimeError,
         "don't support automatic differentiation"),
    ]:
        with pytest.raises(error, match=text):
            call()
    long = torch.arange(5.)
    with pytest.raises(RuntimeError, match="some elements of the input tensor and the written-to"):
        torch.mul(long[:-1], 2, out=long[1:])
    assert torch.mul(long, 2, out=long).tolist() == [0, 2, 4, 6, 8]
