"""The gradients of linear layers, of which the large ones are computed two at a time."""

import numpy as np
import pytest

import minigrad as torch
from minigrad.nn.functional import linear

# leading dimensions, inputs, outputs: below and above the sizes at which two threads are asked
SHAPES = [((5,), 3, 4), ((2, 3), 4, 5), ((70,), 60, 70), ((64,), 784, 300), ((3, 100), 200, 250),
          ((0,), 3, 4), ((), 3, 4), ((40, 30), 170, 190),
          pytest.param(((1,), 4000, 3000), marks=pytest.mark.slow)]


def tensors(lead, inputs, outputs, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.standard_normal(shape).astype(dtype))
            for shape in ((*lead, inputs), (outputs, inputs), (outputs,), (*lead, outputs))]


def expected(x, w, g):
    rows = g.reshape(-1, g.shape[-1]).astype(np.float64)
    return (g.astype(np.float64) @ w.astype(np.float64),
            rows.T @ x.reshape(-1, x.shape[-1]).astype(np.float64), rows.sum(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients(shape, biased, dtype):
    x, w, b, g = tensors(*shape, dtype)
    inputs = [x, w, b] if biased else [x, w]
    for t in inputs:
        t.requires_grad_()
    linear(*inputs).backward(g)
    want = expected(x.detach().numpy(), w.detach().numpy(), g.numpy())
    for t, exact in zip(inputs, want, strict=False):
        assert t.grad.dtype == t.dtype
        tolerance = 1e-12 if dtype == np.float64 else 1e-4
        np.testing.assert_allclose(t.grad.numpy(), exact, rtol=tolerance, atol=tolerance * 10)


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[4]], ids=str)
@pytest.mark.parametrize("wanted", [(0,), (1,), (0, 1), (2,), (0, 2), (1, 2), (0, 1, 2)])
def test_gradients_of_some_inputs(shape, wanted):
    """Those that are asked for, by `grad` and by `requires_grad`."""
    x, w, b, g = tensors(*shape)
    want = expected(x.numpy(), w.numpy(), g.numpy())
    inputs = [t.requires_grad_() for t in (x, w, b)]
    found = torch.autograd.grad(linear(*inputs), [inputs[k] for k in wanted], g)
    for d, k in zip(found, wanted, strict=True):
        np.testing.assert_allclose(d.numpy(), want[k], rtol=1e-12, atol=1e-11)
    inputs = [t.detach().requires_grad_(k in wanted) for k, t in enumerate((x, w, b))]
    linear(*inputs).backward(g)
    for k, t in enumerate(inputs):
        assert (t.grad is not None) == (k in wanted)
        if k in wanted:
            np.testing.assert_allclose(t.grad.numpy(), want[k], rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[4]], ids=str)
def test_gradients_that_record_themselves(shape):
    x, w, b, g = (t.requires_grad_() for t in tensors(*shape))
    plain = torch.autograd.grad(linear(x, w, b), (x, w, b), g)
    taped = torch.autograd.grad(linear(x, w, b), (x, w, b), g, create_graph=True)
    for a, c in zip(plain, taped, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), c.detach().numpy(), rtol=1e-10, atol=1e-10)
    (second,) = torch.autograd.grad(taped[1].sum(), g)  # of sum(g^T x) by g: the row sums of x
    rows = x.detach().sum(-1, keepdim=True).expand(second.shape)
    np.testing.assert_allclose(second.numpy(), rows.numpy(), rtol=1e-10, atol=1e-10)


def test_strides_of_any_kind():
    x, w, _, g = tensors((300,), 200, 250)
    want = expected(x.numpy(), w.numpy(), g.numpy())
    for turn in (lambda t: t.t().contiguous().t(), lambda t: torch.cat([t, t], 1)[:, :t.shape[1]],
                 lambda t: t.repeat_interleave(2, 0)[::2]):
        a, b = turn(x).detach().requires_grad_(), turn(w).detach().requires_grad_()
        linear(a, b).backward(turn(g))
        np.testing.assert_allclose(a.grad.numpy(), want[0], rtol=1e-12, atol=1e-11)
        np.testing.assert_allclose(b.grad.numpy(), want[1], rtol=1e-12, atol=1e-11)


def test_an_input_changed_in_place_is_found():
    for k in (0, 1):
        x, w, _, g = tensors((100,), 200, 250)
        inputs = [x.requires_grad_() * 1, w.requires_grad_() * 1]
        y = linear(*inputs)
        inputs[k].add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward(g)


@pytest.mark.parametrize("lead, shape", [((4,), (4, 3)), ((4,), (4, 1)), ((4,), (1, 3)), ((4,), ()),
                                         ((2, 4), (4, 3)), ((2, 4), (2, 1, 3)), ((2, 4), (1,))])
def test_biases_that_broadcast(lead, shape):
    x, w, _, g = (t.requires_grad_() for t in tensors(lead, 2, 3))
    b = torch.arange(float(np.prod(shape)), dtype=torch.float64).reshape(shape).requires_grad_()
    y = linear(x, w, b)
    np.testing.assert_allclose((y - linear(x, w)).detach().numpy(),
                               np.broadcast_to(b.detach().numpy(), y.shape), atol=1e-14)
    for create in (False, True):
        (found,) = torch.autograd.grad(y, b, g, retain_graph=True, create_graph=create)
        np.testing.assert_allclose(found.detach().numpy(), g.detach().sum_to_size(shape).numpy())
