"""Changing all tensors of a module: dtypes, gradients, and that training makes no cycles."""

from __future__ import annotations

import minigrad as torch
from minigrad import nn
from tests.cycles import no_cycles
from tests.nn.test_module import Net


def test_conversion_keeps_identity_and_gradients():
    net = Net()
    net(torch.ones(3, 4)).sum().backward()
    before = list(net.parameters())
    assert net.double() is net
    assert all(a is b for a, b in zip(net.parameters(), before, strict=True))
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    assert {p.grad.dtype for p in net.parameters()} == {torch.float64}
    assert net.block[1].num_batches_tracked.dtype is torch.int64
    assert net(torch.ones(3, 4).double()).dtype is torch.float64
    assert net.half().head.weight.dtype is torch.float16
    assert net.to(torch.ones(1)).head.weight.dtype is torch.float32
    assert net.to("cpu", torch.float64).head.weight.dtype is torch.float64
    assert net.to(dtype=torch.float32, device=torch.device("cpu")).scale.dtype is torch.float32
    assert net.type(torch.float16).block[1].num_batches_tracked.dtype is torch.float16


def test_zero_grad_and_freezing():
    net = Net()
    net(torch.ones(3, 4)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(float(p.grad.abs().sum()) == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not net(torch.ones(3, 4)).requires_grad


def test_training_leaves_nothing_to_the_cycle_collector():
    net, opt = Net(), None
    opt = torch.optim.Adam(net.parameters())
    x, target = torch.randn(8, 4), torch.randn(8, 2)
    with no_cycles():
        for _ in range(5):
            loss = ((net(x) - target) ** 2).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()


def test_conversion_of_part_of_a_net():
    net = Net()
    memory = net.scale.data_ptr()
    assert net.to_empty(device="cpu", recurse=False) is net
    assert net.scale.data_ptr() != memory
    assert net.scale.shape == (2,)
    head = net.head.weight
    assert net._apply(lambda t: t.double(), recurse=False).scale.dtype is torch.float64
    assert net.head.weight is head
    assert head.dtype is torch.float32
    assert net.type("torch.HalfTensor").head.weight.dtype is torch.float16


def test_zero_grad_keeps_the_tensor():
    layer = nn.Linear(2, 1)
    x = torch.ones(1, 2, requires_grad=True)
    (layer(x) ** 2).sum().backward(create_graph=True)
    assert layer.weight.grad.grad_fn is not None
    layer.zero_grad(set_to_none=False)
    assert not layer.weight.grad.requires_grad
    kept = layer.weight.grad
    layer(x).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad is kept
