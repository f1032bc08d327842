"""Run one line of the op-sample table on minigrad or torch, and compare the results."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from . import Sample


def flatten(value: Any, torch: Any) -> list[Any]:
    """Return the tensors of a nested tuple, list or dict in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in flatten(v, torch)]
    return []


def cotangents(sample: Sample, order: int, like: list[Any], torch: Any) -> list[Any]:
    """Return fixed random weights for a list of tensors: what they are multiplied with."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(f"{sample.id}/{order}".encode())))
    return [torch.from_numpy(np.asarray(rng.random(tuple(t.shape)) * 2 - 1)).to(t.dtype)
            for t in like]


def call(sample: Sample, torch: Any, args: list[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Run the sample; return the outputs to compare."""
    out = sample.function(torch)(*args, **kwargs)
    outs = flatten(out, torch)
    if sample.pick is not None:
        picks = sample.pick if isinstance(sample.pick, tuple) else (sample.pick,)
        outs = [outs[k] for k in picks]
    return outs


def derivatives(sample: Sample, torch: Any, outs: list[Any], leaves: list[Any],
                order: int) -> list[list[Any]]:
    """Return for each order 1.. the gradients of the leaves (None where there is none)."""
    found, tensors = [], outs
    for k in range(1, order + 1):
        tensors = [t for t in tensors if t is not None and t.requires_grad]
        if not tensors or not leaves:
            break
        weights = cotangents(sample, k, tensors, torch)
        tensors = list(torch.autograd.grad(tensors, leaves, weights, create_graph=k < order,
                                           allow_unused=True))
        found.append(tensors)
    return found


def evaluate(sample: Sample, torch: Any, dtype: str = "float64",
             order: int | None = None) -> dict[str, np.ndarray]:
    """Return outputs, gradients and second derivatives of one sample as arrays by name."""
    args, kwargs = sample.build(torch, dtype)
    outs = call(sample, torch, args, kwargs)
    leaves = [t for t in flatten([args, kwargs], torch) if t.requires_grad and t.is_leaf]
    result = {f"out{k}": np.array(t.detach().numpy(force=True)) for k, t in enumerate(outs)}
    result["names"] = np.array([t.grad_fn.name() if t.grad_fn is not None else "" for t in outs],
                               dtype=str)
    order = sample.order if order is None else order
    for k, grads in enumerate(derivatives(sample, torch, outs, leaves, order), start=1):
        for j, (g, leaf) in enumerate(zip(grads, leaves, strict=True)):
            zeros = np.zeros(tuple(leaf.shape), leaf.detach().numpy().dtype)
            result[f"d{k}_{j}"] = zeros if g is None else np.array(g.detach().numpy(force=True))
    return result


def assert_same(got: np.ndarray, want: np.ndarray, tol: float, what: str) -> None:
    """Compare dtype, shape and values (relative to the largest value of the array)."""
    assert got.dtype == want.dtype, f"{what}: dtype {got.dtype}, expected {want.dtype}"
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    if want.dtype.kind in "biU":
        np.testing.assert_array_equal(got, want, err_msg=what)
        return
    finite = np.abs(want[np.isfinite(want)])
    scale = max(1.0, float(finite.max(initial=0.0)))
    np.testing.assert_allclose(got, want, rtol=tol, atol=tol * scale, err_msg=what)


def assert_derivative_is_right(sample: Sample, torch: Any, order: int) -> None:
    """Compare the derivative of an order with finite differences of the one below.

    Along one random direction, by central differences with one Richardson step; the bound grows
    with the difference of the two steps, which tells how well they can be trusted.
    """
    args, kwargs = sample.build(torch)
    leaves = [t for t in flatten([args, kwargs], torch) if t.requires_grad and t.is_leaf]
    start = [t.detach().clone() for t in leaves]
    rng = np.random.Generator(np.random.PCG64(7))
    way = [torch.from_numpy(np.asarray(rng.random(tuple(t.shape)) * 2 - 1)) for t in leaves]

    def at(step: float) -> list[Any]:
        """Return the tensors whose derivative is asked for, at start + step * way."""
        with torch.no_grad():
            for t, t0, v in zip(leaves, start, way, strict=True):
                t.copy_(t0 + step * v)
        tensors = call(sample, torch, args, kwargs)
        for k in range(1, order):
            tensors = [t for t in tensors if t is not None and t.requires_grad]
            if tensors:
                tensors = list(torch.autograd.grad(
                    tensors, leaves, cotangents(sample, k, tensors, torch), create_graph=True,
                    allow_unused=True))
        return [t for t in tensors if t is not None and t.requires_grad]

    def weighted(step: float) -> float:
        tensors = at(step)
        weights = cotangents(sample, order, tensors, torch)
        return sum(((t.detach() * w).sum().item()
                    for t, w in zip(tensors, weights, strict=True)), 0.0)

    tensors = at(0.0) if leaves else []
    if not tensors:
        return
    grads = torch.autograd.grad(tensors, leaves, cotangents(sample, order, tensors, torch),
                                allow_unused=True)
    exact = sum(((g * v).sum().item() for g, v in zip(grads, way, strict=True) if g is not None),
                0.0)
    h = 1e-3
    coarse = (weighted(2 * h) - weighted(-2 * h)) / (4 * h)
    fine = (weighted(h) - weighted(-h)) / (2 * h)
    numeric = (4 * fine - coarse) / 3
    bound = 1e-6 * max(1.0, abs(numeric)) + 2e-2 * abs(fine - coarse)
    assert abs(exact - numeric) <= bound, (
        f"{sample.id}, order {order}: {exact} but numerically {numeric}")
