"""autograd.Function: every part of ctx, several outputs, checks of what backward returns."""

from __future__ import annotations

import weakref

import pytest

import minigrad as torch
from minigrad.autograd import Function
from minigrad.autograd.function import once_differentiable
from tests.cycles import no_cycles


def leaf(*values):
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)


class Cube(Function):
    @staticmethod
    def forward(ctx, x, scale=1.0):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return scale * x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ctx.scale * 3 * x**2, None


def test_values_and_every_order():
    x = leaf(2.0)
    y = Cube.apply(x, 2.0)
    assert y.item() == 16.0 and y.grad_fn.name() == "CubeBackward"
    assert repr(y) == "tensor([16.], dtype=torch.float64, grad_fn=<CubeBackward>)"
    values = []
    for _ in range(3):
        (y,) = torch.autograd.grad(y, x, create_graph=True)
        values.append(y.item())
    assert values == [24.0, 24.0, 12.0]


def test_forward_records_nothing_and_needs_input_grad():
    seen = {}

    class Probe(Function):
        @staticmethod
        def forward(ctx, a, b, flag):
            seen["recorded"] = (a * 2).requires_grad
            seen["needs"] = ctx.needs_input_grad
            return a + b

        @staticmethod
        def backward(ctx, g):
            seen["grad"] = g.requires_grad, torch.is_grad_enabled()
            return g, None, None

    a, b = leaf(1.0), torch.ones(1, dtype=torch.float64)
    Probe.apply(a, b, True).backward()
    assert seen == {"recorded": False, "needs": (True, False, False), "grad": (False, False)}
    assert not Probe.apply(b, b, True).requires_grad


def test_setup_context_form():
    class Square(Function):
        @staticmethod
        def forward(x):
            return x * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    x = leaf(3.0)
    Square.apply(x).backward()
    assert x.grad.item() == 6.0


class Both(Function):
    """Two outputs; remembers what gradients came."""

    seen: tuple = ()
    materialize = True

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(Both.materialize)
        ctx.save_for_backward(x)
        return x * 2, x * x

    @staticmethod
    def backward(ctx, g1, g2):
        Both.seen = (g1, g2)
        (x,) = ctx.saved_tensors
        total = torch.zeros_like(x)
        if g1 is not None:
            total = total + 2 * g1
        if g2 is not None:
            total = total + 2 * x * g2
        return total


@pytest.mark.parametrize("materialize", [True, False])
def test_several_outputs_and_unused_ones(materialize, monkeypatch):
    monkeypatch.setattr(Both, "materialize", materialize)
    x = leaf(3.0)
    first, second = Both.apply(x)
    second.backward()
    assert x.grad.item() == 6.0
    g1, g2 = Both.seen
    assert g2.item() == 1.0 and (g1.item() == 0.0 if materialize else g1 is None)
    x.grad = None
    first, second = Both.apply(x)
    (first * second).sum().backward()
    assert x.grad.item() == 2 * 9.0 + 6.0 * 6.0
    assert torch.autograd.gradcheck(Both.apply, (x,)) and torch.autograd.gradgradcheck(
        Both.apply, (x,))


def test_saved_output_is_tied_to_its_own_node():
    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = leaf(0.5)
    assert torch.autograd.gradgradcheck(Exp.apply, (x,))
    y = Exp.apply(x)
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"saved_tensors\[0\]|modified by an inplace"):
        y.backward()


def test_second_backward_is_refused():
    y = Cube.apply(leaf(1.0))
    y.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_mark_dirty_and_non_differentiable():
    class AddOne(Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 10

    x = leaf(1.0)
    y = x * 2
    z = AddOne.apply(y)
    assert z is y and z.item() == 3.0 and z.grad_fn.name() == "AddOneBackward"
    z.backward()
    assert x.grad.item() == 20.0
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        AddOne.apply(leaf(1.0))

    class Split(Function):
        @staticmethod
        def forward(ctx, x):
            sign = x.sign()
            ctx.mark_non_differentiable(sign)
            return x * sign, sign

        @staticmethod
        def backward(ctx, g, unused):
            return g

    value, sign = Split.apply(leaf(-2.0))
    assert value.requires_grad and not sign.requires_grad


def test_an_input_that_is_returned_becomes_an_alias():
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 3

    x = leaf(1.0)
    y = Same.apply(x)
    assert y is not x and x.is_leaf and not y.is_leaf
    y.backward()
    assert x.grad.item() == 3.0


def test_once_differentiable():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    x = leaf(3.0)
    (g,) = torch.autograd.grad(Twice.apply(x), x)
    assert g.item() == 6.0
    (g,) = torch.autograd.grad(Twice.apply(x), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.backward()


def wrong(result):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return result

    return Wrong.apply(leaf(1.0, 2.0), leaf(1.0, 2.0)).sum()


def test_what_backward_returns_is_checked():
    with pytest.raises(RuntimeError, match=r"incorrect number of gradients \(expected 2, got 1\)"):
        wrong(torch.ones(2)).backward()
    with pytest.raises(RuntimeError, match=r"invalid gradient at index 0 - got \[3\]"):
        wrong((torch.ones(3), None)).backward()
    with pytest.raises(RuntimeError, match=r"None \(got float\) as gradient 1"):
        wrong((None, 1.0)).backward()
    wrong((torch.ones(2), torch.ones(5, 2))).backward()  # sums to the argument's shape


def test_misuse_is_explained():
    with pytest.raises(RuntimeError, match=r"call Cube.apply"):
        Cube()
    with pytest.raises(NotImplementedError, match="implement the forward"):
        Function.apply(leaf(1.0))

    class Saves(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(1.5)

    with pytest.raises(TypeError, match="can only save variables"):
        Saves.apply(leaf(1.0))


def test_no_reference_cycles():
    with no_cycles():
        x = leaf(1.0)
        y = Cube.apply(x)
        alive = weakref.ref(y.grad_fn)
        y.backward()
        del y
        assert alive() is None
        first, second = Both.apply(x)
        (first + second).backward()
        Both.seen = ()
        del first, second


def made(forward, backward):
    return type("Made", (torch.autograd.Function,), {"forward": staticmethod(forward),
                                                     "backward": staticmethod(backward)})


def test_outputs_that_are_no_tensors_have_a_gradient_of_none():
    seen = []
    function = made(lambda ctx, x: (x * 2, None, "a"),
                    lambda ctx, *g: (seen.append(g[1:]), g[0])[1])
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    out, none, text = function.apply(x)
    out.sum().backward()
    assert (none, text, seen) == (None, "a", [(None, None)])


def test_outputs_have_gradients_of_their_own_dtype():
    def forward(ctx, x):
        order = x.sort()[1]
        ctx.mark_non_differentiable(order)
        return x * 3, order

    seen = []
    function = made(forward, lambda ctx, a, b: (seen.append(b.dtype), a)[1])
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    function.apply(x)[0].sum().backward()
    assert seen == [torch.int64]


def test_a_view_that_a_function_returns_is_not_written():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for forward in (lambda ctx, x: x, lambda ctx, x: x.view(2, 1)):
        out = made(forward, lambda ctx, g: g.reshape(2)).apply(x * 1)
        with pytest.raises(RuntimeError, match="custom Function"):
            out.mul_(2)


def test_vjp_is_another_name_for_backward():
    function = type("V", (torch.autograd.Function,), {
        "forward": staticmethod(lambda ctx, x: x * 2), "vjp": staticmethod(lambda ctx, g: g * 7)})
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    function.apply(x).sum().backward()
    assert x.grad.tolist() == [7, 7]
    function.backward = staticmethod(lambda ctx, g: g)
    with pytest.raises(RuntimeError, match="not allowed"):
        function.apply(x).sum().backward()


def test_the_node_shows_what_ctx_holds_and_takes_hooks():
    def forward(ctx, x):
        ctx.note = 3
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        return x * 2

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    node = made(forward, lambda ctx, g: g).apply(x).grad_fn
    assert node.note == 3 and node.saved_tensors[0] is x and node.needs_input_grad == (True,)
    log = []
    out = made(forward, lambda ctx, g: g * 5).apply(x)
    out.grad_fn.register_hook(lambda grads, gs: log.append((grads[0].tolist(), gs[0].tolist())))
    out.sum().backward()
    assert log == [([5, 5], [1, 1])]
