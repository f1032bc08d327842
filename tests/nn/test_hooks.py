"""Forward and backward hooks of modules: order, replacement, removal, what they see."""

from __future__ import annotations

import copy
import pickle

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


def test_always_call_hooks_see_what_was_computed():
    """After an error in a later hook: the output as it was, each hook once; own errors warn."""
    layer, seen = nn.Identity(), []
    layer.register_forward_hook(lambda m, args, out: seen.append(("first", out)), always_call=True)
    layer.register_forward_hook(lambda m, args, out: 1 / 0)
    layer.register_forward_hook(lambda m, args, kwargs, out: seen.append(("last", out, kwargs)),
                                always_call=True, with_kwargs=True)
    with pytest.raises(ZeroDivisionError):
        layer(5)
    assert seen == [("first", 5), ("last", 5, {})]


def test_global_always_call():
    seen = []

    def note(m, args, kwargs, out):
        seen.append((type(m).__name__, out, list(kwargs)))

    with M.register_module_forward_hook(note, with_kwargs=True, always_call=True):
        Two()(a=2, b=3)
        with pytest.raises(TypeError):
            Two()(a=2, c=3)
    Two()(2, 3)
    assert seen == [("Two", (4, 6), ["a", "b"]), ("Two", None, ["a", "c"])]


def test_removal_and_with_block():
    seen, layer = [], nn.Identity()
    with layer.register_forward_hook(lambda m, args, out: seen.append(1), with_kwargs=False):
        layer(torch.ones(1))
    layer(torch.ones(1))
    assert seen == [1]
    handle = layer.register_forward_hook(lambda *args: None, with_kwargs=True, always_call=True)
    handle.remove()
    handle.remove()
    handle = layer.register_forward_pre_hook(lambda *args: None, with_kwargs=True)
    handle.remove()
    assert not any(value for name, value in vars(layer).items() if "hooks" in name)


def test_changes_during_a_call_count_from_the_next_one():
    layer, seen, handles = nn.Identity(), [], {}

    def first(m, args, out):
        seen.append("first")
        handles["second"].remove()
        m.register_forward_hook(lambda m, args, out: seen.append("new"))

    handles["first"] = layer.register_forward_hook(first)
    handles["second"] = layer.register_forward_hook(lambda m, args, out: seen.append("second"))
    layer(1)
    assert seen == ["first", "second"]
    handles["first"].remove()
    layer(1)
    assert seen == ["first", "second", "new"]


def times_ten(module, args, output):
    return output * 10


def times_seven(module, grad_input, grad_output):
    return (grad_input[0] * 7,)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
                         ids=["deepcopy", "pickle"])
def test_copies_have_hooks_of_their_own(duplicate):
    layer = nn.Tanh()
    handle = layer.register_forward_hook(times_ten)
    layer.register_full_backward_hook(times_seven)
    twin, x = duplicate(layer), torch.zeros(1, requires_grad=True)
    handle.remove()
    assert (len(layer._forward_hooks), len(twin._forward_hooks)) == (0, 1)
    twin(x).sum().backward()
    assert x.grad.tolist() == [70.0]


def test_a_hook_that_is_a_method_follows_the_copy():
    class Counting(nn.Identity):
        def __init__(self):
            super().__init__()
            self.calls = 0
            self.register_forward_hook(self.count)

        def count(self, module, args, output):
            self.calls += 1

    layer = Counting()
    twin = copy.deepcopy(layer)
    twin(1)
    assert (layer.calls, twin.calls) == (0, 1)


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


@pytest.mark.parametrize(("returned", "error", "match"), [
    (lambda g: g[0], RuntimeError, "returned a tensor"),
    (lambda g: (), RuntimeError, "invalid number"),
    (lambda g: (torch.ones(7),), RuntimeError, "changed the size"),
    (lambda g: (3,), TypeError, "expected a tensor or None"),
])
@pytest.mark.parametrize("kind", ["register_full_backward_hook",
                                  "register_full_backward_pre_hook"])
def test_hooks_that_return_something_else(returned, error, match, kind):
    layer = nn.Tanh()
    getattr(layer, kind)(lambda module, *gradients: returned(gradients[0]))
    with pytest.raises(error, match=match):
        layer(leaf()).sum().backward()


def test_none_stops_a_gradient():
    layer, x = nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: (None,))
    layer(x).sum().backward()
    assert x.grad is None
    assert layer.weight.grad.tolist() == [[1.0, 1.0]]


def test_other_tensors_among_the_inputs_are_shown_zeros():
    """As in PyTorch, if any input requires a gradient; what is no tensor is None."""
    layer, seen = Two(), []
    layer.register_full_backward_hook(shown(seen))
    layer(torch.ones(2), leaf())[1].sum().backward()
    layer(leaf(), 3)[1].sum().backward()
    assert seen == [(([0.0, 0.0], [1.0, 1.0]), (None, [1.0, 1.0])),
                    (([3.0, 3.0], None), (None, [1.0, 1.0]))]


def test_an_error_in_a_hook_comes_out():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        layer(leaf()).sum().backward()


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
