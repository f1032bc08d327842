"""`vmap` over stacked inputs equals the loop over them, for every line of the op-sample table."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest

import minigrad as torch

from ..samples.evaluate import call, flatten
from ..test_ops import CASES

# there is no batch of such results; and what the examples share is not written
REFUSED = ("dynamic shape", "random operation", "more elements than `self`")


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def examples(sample, count=2):
    """Return the arguments of several draws of a line."""
    return [dataclasses.replace(sample, id=f"{sample.id}{'x' * k}").build(torch)
            for k in range(count)]


def with_tensors(value, tensors):
    """Return nested arguments with their tensors replaced, in order."""
    if isinstance(value, torch.Tensor):
        return next(tensors)
    if isinstance(value, (list, tuple)):
        made = [with_tensors(v, tensors) for v in value]
        return type(value)(made) if not hasattr(value, "_fields") else value
    if isinstance(value, dict):
        return {k: with_tensors(v, tensors) for k, v in value.items()}
    return value


def gradients(outs, leaves):
    """Return the gradients of all floating outputs, weighted, by the leaves."""
    floats = [t for t in outs if t.requires_grad]
    if not floats or not leaves:
        return []
    weights = [torch.from_numpy(np.cos(np.arange(t.numel(), dtype=float)).reshape(tuple(t.shape)))
               .to(t.dtype) for t in floats]
    return torch.autograd.grad(floats, leaves, weights, allow_unused=True)


def compare(sample, batched):
    """Compare vmap over two examples with the loop; `batched` says which tensors differ."""
    drawn = examples(sample)
    columns = list(zip(*[flatten([args, kwargs], torch) for args, kwargs in drawn], strict=True))
    if not columns:
        pytest.skip("no tensors")
    mapped = [batched(k) for k in range(len(columns))]
    if not any(mapped):
        pytest.skip("fewer tensors")
    if not all(len({tuple(t.shape) for t in column}) == 1 for column in columns):
        pytest.skip("draws differ in shape")
    stacked = [torch.stack([t.detach() for t in column]) if m else column[0].detach()
               for column, m in zip(columns, mapped, strict=True)]
    stacked = [t.requires_grad_(c[0].requires_grad) for t, c in zip(stacked, columns, strict=True)]
    args, kwargs = drawn[0]
    leaves = [t for t in stacked if t.requires_grad]

    def one(*tensors):
        given, named = with_tensors([args, kwargs], iter(tensors))
        return tuple(call(sample, torch, given, named))

    want = [one(*[t[k].clone() if m else t for t, m in zip(stacked, mapped, strict=True)])
            for k in range(2)]
    shapes = [[tuple(t.shape) for t in outs] for outs in want]
    try:
        got = torch.vmap(one, in_dims=tuple(0 if m else None for m in mapped))(*stacked)
    except (RuntimeError, ValueError) as error:
        if any(part in str(error) for part in REFUSED):
            return str(error)
        raise
    assert shapes[0] == shapes[1] and len(got) == len(want[0])
    want = [torch.stack(column) for column in zip(*want, strict=True)]
    for k, (a, b) in enumerate(zip(got, want, strict=True)):
        assert a.dtype is b.dtype and a.shape == b.shape, f"output {k}"
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-7, atol=1e-9,
                                   err_msg=f"output {k}")
        assert a.requires_grad == b.requires_grad, f"output {k}"
    for k, (a, b) in enumerate(zip(gradients(got, leaves), gradients(want, leaves), strict=True)):
        a = torch.zeros_like(leaves[k]) if a is None else a
        b = torch.zeros_like(leaves[k]) if b is None else b
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6, atol=1e-8,
                                   err_msg=f"gradient {k}")
    return None


@pytest.mark.parametrize(("family", "sample"), CASES)
def test_vmap_equals_a_loop(family, sample):
    compare(sample, lambda k: True)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "sample"), CASES)
@pytest.mark.parametrize("which", [0, 1])
def test_vmap_with_tensors_that_all_examples_share(family, sample, which):
    compare(sample, lambda k: k == which)
