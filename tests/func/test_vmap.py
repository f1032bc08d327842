"""vmap: structures, errors, random numbers, writes, custom Functions, what needs a loop."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.func import _vmap as implementation
from minigrad.func import debug_unwrap, grad, jacrev, replace_all_batch_norm_modules_, vmap

ROWS = torch.arange(12.0).reshape(4, 3)


@pytest.fixture
def loops(monkeypatch):
    """Count how often a function had to run one example at a time."""
    found, one_by_one = [], implementation._one_by_one

    def counted(*args):
        found.append(1)
        return one_by_one(*args)

    monkeypatch.setattr(implementation, "_one_by_one", counted)
    return found


def test_it_is_exported_under_both_names():
    assert torch.vmap is torch.func.vmap is vmap


def test_inside_a_tensor_looks_like_one_example():
    seen = []

    def look(x):
        seen.append((tuple(x.shape), x.ndim, x.numel(), x.dtype, x.stride(), len(x), x.dim(),
                     x.is_contiguous(), x.requires_grad, isinstance(x, torch.Tensor)))
        assert repr(x).startswith("BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[")
        assert debug_unwrap(x).shape == (4, 3)
        return x

    vmap(look)(ROWS)
    assert seen == [((3,), 1, 3, torch.float32, (1,), 3, 1, True, False, True)]


@pytest.mark.parametrize(("call", "error", "match"), [
    (lambda: vmap(torch.sin, in_dims=None)(ROWS), ValueError, "in_dims"),
    (lambda: vmap(torch.sin, in_dims=(0, 0))(ROWS), ValueError, "structure of `inputs`"),
    (lambda: vmap(torch.mul)(ROWS, ROWS[:2]), ValueError, "same size in the mapped dim"),
    (lambda: vmap(torch.sin, in_dims=5)(ROWS), ValueError, "-2 <= in_dim < 2"),
    (lambda: vmap(torch.mul)(ROWS, 2.0), ValueError, "cannot vmap over non-Tensor"),
    (lambda: vmap(lambda x: 2.0)(ROWS), ValueError, "must only return Tensors"),
    (lambda: vmap(torch.sin, out_dims=(0, 1))(ROWS), ValueError, "structure of `outputs`"),
    (lambda: vmap(torch.sin, out_dims=3)(ROWS), IndexError, "out of range"),
    (lambda: vmap(torch.sin, out_dims=None)(ROWS), ValueError, "when out_dim is None"),
    (lambda: vmap(torch.sin)(), ValueError, "no inputs"),
    (lambda: vmap(torch.sin, in_dims=(None,))(ROWS), ValueError, "nothing to map"),
    (lambda: vmap(torch.sin, randomness="no"), RuntimeError, "Only allowed values"),
    (lambda: vmap(torch.sin, chunk_size=0), ValueError, "chunk_size"),
    (lambda: vmap(lambda x: x.sum().item())(ROWS), RuntimeError, r"\.item\(\)"),
    (lambda: vmap(lambda x: float(x.sum()))(ROWS), RuntimeError, r"\.item\(\)"),
    (lambda: vmap(lambda x: x.tolist())(ROWS), RuntimeError, r"\.tolist\(\)"),
    (lambda: vmap(lambda x: x.numpy())(ROWS), RuntimeError, r"\.numpy\(\)"),
    (lambda: vmap(lambda x: x if x.sum() > 0 else -x)(ROWS), RuntimeError, "control flow"),
    (lambda: vmap(lambda x: x[x > 4])(ROWS), RuntimeError, "dynamic shape"),
    (lambda: vmap(torch.nonzero)(ROWS), RuntimeError, "dynamic shape"),
    (lambda: vmap(lambda x: torch.rand(2))(ROWS), RuntimeError, "randomness error mode"),
])
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_structures():
    made = vmap(lambda d: [d["a"] * d["b"], {"c": d["a"][0]}], in_dims=({"a": 0, "b": None},))(
        {"a": ROWS, "b": torch.tensor(2.0)})
    assert torch.equal(made[0], ROWS * 2) and torch.equal(made[1]["c"], ROWS[:, 0])
    a, b = vmap(lambda x: (x, torch.ones(2)), out_dims=(1, None))(ROWS)
    assert torch.equal(a, ROWS.T) and b.shape == (2,)
    assert vmap(lambda x: torch.ones(2))(ROWS).shape == (4, 2)
    assert vmap(lambda x, scale=1.0: x * scale)(ROWS, scale=3.0).equal(ROWS * 3)
    assert vmap(torch.sin, in_dims=-1, out_dims=-1)(ROWS).equal(ROWS.sin())
    assert vmap(torch.sin)(torch.ones(0, 3)).shape == (0, 3)


def test_a_batched_value_is_not_written_into_what_all_share():
    total = torch.zeros(())
    with pytest.raises(RuntimeError, match="vmapped over but `self` not being vmapped"):
        vmap(lambda x: total.add_(x.sum()))(ROWS)
    with pytest.raises(RuntimeError, match="vmapped over"):
        vmap(lambda x: torch.zeros(3).copy_(x))(ROWS)
    assert total == 0
    vmap(lambda x: (total.add_(1), x)[1])(ROWS)
    assert total == 1


def test_writes_reach_the_batch(loops):
    rows = ROWS.clone()

    def write(x):
        x[0] = 7.0
        x[1:] += x[:1]
        x.view(3, 1)[2] = x.new_zeros(1)
        return x.sum()

    vmap(write)(rows)
    assert rows.tolist() == [[7, 8, 0], [7, 11, 0], [7, 14, 0], [7, 17, 0]] and not loops


def test_random_numbers():
    ones = torch.ones(4, 30)
    drop = nn.functional.dropout
    for draw in (drop, lambda x: x * torch.rand(30)):
        with pytest.raises(RuntimeError, match="randomness error mode"):
            vmap(draw)(ones)
        other, same = (vmap(draw, randomness=how)(ones) for how in ("different", "same"))
        assert not torch.equal(other[0], other[1]) and torch.equal(same[0], same[1])
    total = torch.zeros(())
    with pytest.raises(RuntimeError, match="from outside"):
        vmap(lambda x: (total.add_(1), drop(x))[1], randomness="different")(ones)
    torch.rand(2)  # nothing is refused afterwards


def test_what_cannot_run_on_a_batch_runs_one_by_one(loops):
    eyes = torch.eye(3).expand(4, 3, 3) * torch.arange(4.0).reshape(4, 1, 1)
    assert vmap(torch.linalg.matrix_rank)(eyes).tolist() == [0, 3, 3, 3] and loops
    count = torch.zeros(())
    with pytest.raises(RuntimeError, match="from outside"):
        vmap(lambda x: (count.add_(1), torch.linalg.matrix_rank(x))[1])(eyes)


def test_common_nets_run_as_a_batch(loops):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(16, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3))
    params = {k: v.detach() for k, v in net.named_parameters()}

    def loss(params, x, y):
        out = torch.func.functional_call(net, params, x.unsqueeze(0))
        return nn.functional.cross_entropy(out, y.unsqueeze(0))

    x, y = torch.randn(5, 1, 6, 6), torch.arange(5) % 3
    got = vmap(grad(loss), in_dims=(None, 0, 0))(params, x, y)
    for k in range(5):
        want = grad(loss)(params, x[k], y[k])
        for name, g in want.items():
            assert torch.allclose(got[name][k], g, atol=1e-5), name
    assert not loops


def test_an_ensemble():
    nets = [nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4)).eval() for _ in range(3)]
    params, buffers = torch.func.stack_module_state(nets)
    assert params["0.weight"].requires_grad and params["0.weight"].is_leaf

    def call(params, buffers, x):
        return torch.func.functional_call(nets[0], (params, buffers), (x,))

    x = torch.randn(5, 3)
    out = vmap(call, in_dims=(0, 0, None))(params, buffers, x)
    assert torch.allclose(out, torch.stack([net(x) for net in nets]), atol=1e-6)
    out.sum().backward()
    assert params["0.weight"].grad.shape == (3, 4, 3)


def test_batch_norm_with_running_statistics_is_refused():
    norm = nn.BatchNorm1d(3)
    x = torch.randn(4, 5, 3)
    with pytest.raises(RuntimeError, match="were not batched"):
        vmap(norm)(x)
    assert norm.running_mean.tolist() == [0, 0, 0]
    assert replace_all_batch_norm_modules_(norm) is norm
    assert torch.allclose(vmap(norm)(x), torch.stack([norm(row) for row in x]), atol=1e-6)


class Square(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return torch.from_numpy(x.detach().numpy() ** 2)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


def test_functions_with_a_generated_rule():
    assert vmap(Square.apply)(ROWS).equal(ROWS**2)
    assert vmap(grad(lambda x: Square.apply(x).sum()))(ROWS).equal(2 * ROWS)
    assert jacrev(Square.apply)(ROWS[0]).equal(torch.diag(2 * ROWS[0]))


def test_functions_with_a_rule_of_their_own_or_none():
    told = []

    class Own(Square):
        generate_vmap_rule = False

        @staticmethod
        def vmap(info, in_dims, x):
            told.append((info.batch_size, info.randomness, in_dims, tuple(x.shape)))
            return Own.apply(x).T, 1

    assert vmap(Own.apply)(ROWS).equal(ROWS**2)
    assert told == [(4, "error", (0,), (4, 3))]

    class Neither(Square):
        generate_vmap_rule = False

    class Both(Own):
        generate_vmap_rule = True

    for function, match in ((Neither, "does not have vmap support"), (Both, "both")):
        with pytest.raises(RuntimeError, match=match):
            vmap(function.apply)(ROWS)


def test_grads_batched():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    u = torch.tensor([1.0], requires_grad=True)
    rows = torch.ones(3, 2)
    got = torch.autograd.grad((x * x, x.exp()), (x, u), (rows, rows), is_grads_batched=True,
                              allow_unused=True)
    assert torch.allclose(got[0], (2 * x + x.exp()).expand(3, 2)) and got[1] is None
    y = x * x
    torch.autograd.grad(y, x, rows, is_grads_batched=True, retain_graph=True)
    torch.autograd.grad(y, x, rows, is_grads_batched=True)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(y, x, rows, is_grads_batched=True)
    with pytest.raises(RuntimeError, match="dimension 0 of grad_output is the batch"):
        torch.autograd.grad(x * x, x, torch.ones(2), is_grads_batched=True)
    with pytest.raises(RuntimeError, match="Use func"):
        vmap(lambda v: torch.autograd.grad((x * v).sum(), x))(rows)


def test_levels_end_with_an_exception():
    def fail(x):
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        vmap(grad(fail))(ROWS)
    assert grad(torch.sin)(torch.tensor(0.0)) == 1 and np.isclose(torch.rand(1).numpy(), 0.5, 1)
