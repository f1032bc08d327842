"""Forward and backward hooks of modules: order, replacement, removal, what they see."""

from __future__ import annotations

import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn.modules import module as M


class Two(nn.Module):
    """Two inputs (the second may come by name), two outputs."""

    def forward(self, a, b=None):
        return a * 2, (a + 1 if b is None else a * b)


def leaf():
    return torch.ones(2, requires_grad=True)


# ---- forward
def test_order_and_prepend():
    seen, layer = [], nn.Identity()
    layer.register_forward_pre_hook(lambda m, args: seen.append("pre"))
    layer.register_forward_pre_hook(lambda m, args: seen.append("pre first"), prepend=True)
    layer.register_forward_hook(lambda m, args, out: seen.append("post"))
    layer.register_forward_hook(lambda m, args, out: seen.append("post first"), prepend=True)
    handles = [M.register_module_forward_pre_hook(lambda m, args: seen.append("global pre")),
               M.register_module_forward_hook(lambda m, args, out: seen.append("global post"))]
    layer(torch.ones(1))
    assert seen == ["global pre", "pre first", "pre", "global post", "post first", "post"]
    for handle in handles:
        handle.remove()
    layer(torch.ones(1))
    assert len(seen) == 10


def test_replacing():
    layer = nn.Identity()
    layer.register_forward_pre_hook(lambda m, args: args[0] + 1)
    layer.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    layer.register_forward_hook(lambda m, args, out: out * 10)
    layer.register_forward_hook(lambda m, args, out: (args[0].item(), out.item()))
    assert layer(torch.tensor(1.0)) == (4.0, 40.0)


def test_kwargs():
    layer, seen = Two(), []
    layer.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"b": kwargs["b"] + 1}), with_kwargs=True)
    layer.register_forward_hook(
        lambda m, args, kwargs, out: seen.append(kwargs["b"].item()), with_kwargs=True)
    assert layer(torch.tensor(3.0), b=torch.tensor(1.0))[1].item() == 6.0
    assert seen == [2.0]
    layer.register_forward_pre_hook(lambda m, args, kwargs: 5, with_kwargs=True)
    with pytest.raises(RuntimeError, match="None or a tuple of"):
        layer(torch.tensor(3.0), b=torch.tensor(1.0))


def test_always_call():
    layer, seen = nn.Linear(2, 2), []
    layer.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    layer.register_forward_hook(lambda m, args, out: seen.append("not"))
    with pytest.raises(RuntimeError):
        layer(torch.ones(3))
    assert seen == [None]
    layer.register_forward_hook(lambda m, args, out: 1 / 0, always_call=True)
    with pytest.raises(RuntimeError), pytest.warns(UserWarning, match="silenced"):
        layer(torch.ones(3))


def test_removal_and_with_block():
    seen, layer = [], nn.Identity()
    with layer.register_forward_hook(lambda m, args, out: seen.append(1)):
        layer(torch.ones(1))
    layer(torch.ones(1))
    assert seen == [1]


# ---- backward
def shown(seen):
    """Return a hook that notes its gradients as lists."""
    def hook(module, *gradients):
        seen.append(tuple(tuple(g if g is None else g.tolist() for g in side)
                          for side in gradients))
    return hook


def test_full_backward_hook_sees_inputs_and_outputs():
    """As in PyTorch: None for outputs without gradient, zeros for inputs, keywords left out."""
    layer, seen = Two(), []
    layer.register_full_backward_hook(shown(seen))
    layer.register_full_backward_pre_hook(shown(seen))
    a, b = leaf(), leaf()
    layer(a, b)[0].sum().backward()
    assert seen == [(([1.0, 1.0], None),), (([2.0, 2.0], [0.0, 0.0]), ([1.0, 1.0], None))]
    seen.clear()
    first, second = layer(a, b=b)
    (first.sum() + second.sum()).backward()
    assert seen == [(([1.0, 1.0], [1.0, 1.0]),),
                    (([3.0, 3.0],), ([1.0, 1.0], [1.0, 1.0]))]
    assert a.grad.tolist() == [5.0, 5.0]
    assert b.grad.tolist() == [1.0, 1.0]


def test_backward_hooks_replace_gradients():
    layer = nn.Linear(2, 1, bias=False)
    x = torch.ones(1, 2, requires_grad=True)
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    layer(x).sum().backward()
    assert x.grad.tolist() == [[pytest.approx(30 * w) for w in layer.weight[0].tolist()]]
    assert layer.weight.grad.tolist() == [[3.0, 3.0]]
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(RuntimeError, match="invalid number of grad_input"):
        layer(x).sum().backward()


def test_inputs_without_gradient():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(shown(seen))
    loss = layer(torch.ones(1, 2)).sum()
    with pytest.warns(UserWarning, match="no inputs require gradients"):
        loss.backward()
    assert seen == [((None,), ([[1.0]],))]
    layer.register_full_backward_hook(lambda m, gi, go: (torch.ones(1, 2),))
    loss = layer(torch.ones(1, 2)).sum()
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="should always return None"):
        loss.backward()


def test_higher_orders_pass_through():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda m, gi, go: None)
    x = torch.tensor(0.3, requires_grad=True, dtype=torch.float64)
    plain, = torch.autograd.grad(nn.Tanh()(x), x, create_graph=True)
    hooked, = torch.autograd.grad(layer(x), x, create_graph=True)
    expected, = torch.autograd.grad(plain, x)
    found, = torch.autograd.grad(hooked, x)
    assert found.item() == expected.item() != 0


def test_global_backward_hooks_and_no_grad():
    seen = []
    handles = [M.register_module_full_backward_hook(lambda m, gi, go: seen.append("after")),
               M.register_module_full_backward_pre_hook(lambda m, go: seen.append("before"))]
    try:
        nn.Sigmoid()(leaf()).sum().backward()
        with torch.no_grad():
            assert not nn.Sigmoid()(leaf()).requires_grad
    finally:
        for handle in handles:
            handle.remove()
    assert seen == ["before", "after"]


def test_outputs_must_not_be_changed_in_place():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda m, gi, go: None)
    y = layer(torch.ones(1, 2, requires_grad=True))
    assert y.grad_fn.name() == "BackwardHookFunctionBackward"
    with pytest.raises(RuntimeError, match="modified inplace"):
        y.add_(1)


def test_other_outputs_warn():
    class Listed(nn.Module):
        def forward(self, x):
            return {"y": x * 2}

    layer = Listed()
    layer.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.warns(UserWarning, match="Tensor or a tuple of Tensors"):
        layer(leaf())
