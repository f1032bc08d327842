"""What every layer of nn.extra must satisfy; the tables are in test_extra_*.py."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as torch

Array = np.ndarray


@dataclass
class Case:
    """One layer: how to make it, its inputs, and a formula in plain NumPy (float64)."""

    make: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    oracle: Callable[..., Array]  # (inputs..., state_dict as arrays) -> result
    shown: str
    unbatched: bool = False  # input[0] alone gives result[0]
    training: bool = True
    orders: int = 3
    half: float = 1e-2  # tolerance in float16

    @property
    def id(self) -> str:
        return self.shown.replace(" ", "") + ("" if self.training else "-eval")

    def layer(self, dtype: Any = torch.float64) -> Any:
        """Return the layer with parameters and buffers moved away from their start."""
        torch.manual_seed(0)
        layer = self.make().to(dtype).train(self.training)
        draws = np.random.default_rng(1)
        for value in layer.state_dict().values():
            if value.is_floating_point():
                value._data[...] *= draws.uniform(0.7, 1.3, value.shape)
                value._data[...] += draws.uniform(0.05, 0.3, value.shape)
        return layer

    def inputs(self, dtype: Any = torch.float64, grad: bool = False) -> list[Any]:
        draws = np.random.default_rng(2)
        return [torch.tensor(draws.normal(0.3, 1.5, shape), dtype=dtype, requires_grad=grad)
                for shape in self.shapes]


def state(layer: Any) -> dict[str, Array]:
    return {name: value.numpy().copy() for name, value in layer.state_dict().items()}


def values(case: Case) -> None:
    """The result is the formula's, for single and double precision; float16 stays near."""
    layer = case.layer()
    want = case.oracle(*[x.numpy() for x in case.inputs()], state(layer))
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-4),
                             (torch.float16, case.half)):
        got = case.layer(dtype)(*case.inputs(dtype)).detach()
        assert got.dtype == dtype
        assert got.shape == want.shape
        np.testing.assert_allclose(got.numpy().astype(float), want, rtol=tolerance,
                                   atol=tolerance * max(1, np.abs(want).max()))


def first_and_second_derivatives(case: Case) -> None:
    layer, inputs = case.layer(), tuple(case.inputs(grad=True))
    assert torch.autograd.gradcheck(layer, inputs)
    if case.orders > 1:
        assert torch.autograd.gradgradcheck(layer, inputs)


def third_derivative(case: Case) -> None:
    """In a random direction, by central differences of the second one."""
    if case.orders < 3:
        return
    layer, inputs = case.layer(), case.inputs(grad=True)
    leaves = [*inputs, *layer.parameters()]
    draws = np.random.default_rng(3)
    way = [draws.normal(size=v.shape) for v in leaves]
    before = [v._data.copy() for v in leaves]

    def second(step: float) -> Any:
        random = np.random.default_rng(4)
        with torch.no_grad():
            for leaf, start, d in zip(leaves, before, way, strict=True):
                leaf.copy_(torch.tensor(start + step * d))
        total = layer(*inputs)
        for _ in range(3):
            outs = [t for t in (total if isinstance(total, tuple) else (total,)) if t is not None]
            weights = [torch.tensor(random.normal(size=t.shape)) for t in outs]
            value = sum((t * w).sum() for t, w in zip(outs, weights, strict=True))
            if not value.requires_grad:
                return None
            total = torch.autograd.grad(value, leaves, create_graph=True, allow_unused=True)
        return value

    value = second(0.0)
    if value is None:
        return  # the second derivative is a constant
    got = sum(float((g.detach().numpy() * d).sum()) for g, d in zip(
        torch.autograd.grad(value, leaves, allow_unused=True), way, strict=True) if g is not None)
    step = 1e-5
    want = (second(step).item() - second(-step).item()) / (2 * step)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * (1 + abs(value.item())))


def copies(case: Case) -> None:
    """state_dict round trip, deepcopy and pickle give the same results; the repr is stable."""
    layer = case.layer()
    assert repr(layer).startswith(case.shown)
    fresh = case.make().to(torch.float64).train(case.training)
    fresh.load_state_dict(layer.state_dict())
    twins = [fresh, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    want = layer(*case.inputs())
    for twin in twins:
        assert torch.equal(twin(*case.inputs()), want)
        assert repr(twin) == repr(layer)
        for (name, a), (other, b) in zip(twin.state_dict().items(), layer.state_dict().items(),
                                         strict=True):
            assert name == other
            assert torch.equal(a, b)


def one_sample(case: Case) -> None:
    """Without the batch dimension the result is the first sample's."""
    if case.unbatched:
        layer, inputs = case.layer(), case.inputs()
        np.testing.assert_allclose(layer(*[x[0] for x in inputs]).detach().numpy(),
                                   layer(*inputs)[0].detach().numpy(), rtol=1e-12, atol=1e-12)


def constants_and_strides(case: Case) -> None:
    """Constant inputs give finite results and gradients; memory layout does not matter."""
    layer = case.layer()
    inputs = [torch.full(shape, 2.0, dtype=torch.float64, requires_grad=True)
              for shape in case.shapes]
    y = layer(*inputs)
    y.sum().backward()
    assert torch.isfinite(y).all()
    assert all(torch.isfinite(x.grad).all() for x in inputs)
    layer = case.layer()
    turned = [x.transpose(0, -1).contiguous().transpose(0, -1) for x in case.inputs()]
    before = [x.clone() for x in turned]
    np.testing.assert_allclose(layer(*turned).detach().numpy(),
                               case.layer()(*case.inputs()).detach().numpy(),
                               rtol=1e-12, atol=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(turned, before, strict=True))


CHECKS = [values, first_and_second_derivatives, third_derivative, copies, one_sample,
          constants_and_strides]
