"""grad, vjp, jvp, Jacobians: checks of arguments, what stays differentiable, modules."""

from __future__ import annotations

import pytest

import minigrad as torch
from minigrad import nn
from minigrad.func import (
    functional_call,
    functionalize,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    stack_module_state,
    vjp,
)
from tests.cycles import no_cycles

X = torch.tensor([0.5, -1.0, 2.0])


@pytest.mark.parametrize(("call", "error", "match"), [
    (lambda: grad(lambda x: x * 2)(X), RuntimeError, "scalar Tensor, got tensor with 1 dims"),
    (lambda: grad(lambda x: 2.0)(X), RuntimeError, "return a Tensor"),
    (lambda: grad(torch.sum, has_aux=True)(X), RuntimeError, "should be a tuple"),
    (lambda: grad(torch.sum, argnums=2)(X), RuntimeError, "Got argnum=2, but only 1"),
    (lambda: grad(torch.sum, argnums=(0, 0))(X), RuntimeError, "unique"),
    (lambda: grad(torch.sum, argnums=())(X), RuntimeError, "non-empty"),
    (lambda: grad(torch.sum, argnums="a")(X), RuntimeError, "must be int"),
    (lambda: grad(torch.sum)(2.0), ValueError, "must be Tensor"),
    (lambda: grad(torch.sum)(torch.tensor(2)), RuntimeError, "floating point"),
    (lambda: vjp(torch.sin, X)[1](X[:2]), RuntimeError, "Mismatch in shape"),
    (lambda: vjp(lambda x: (x, x), X)[1](X), RuntimeError, "structure"),
    (lambda: vjp(lambda x: 3.0, X), RuntimeError, "only tensors"),
    (lambda: vjp(torch.sin, 3.0), ValueError, "must be Tensor"),
    (lambda: jvp(torch.sin, X, X), RuntimeError, "to be a tuple"),
    (lambda: jvp(torch.sin, (X,), ()), RuntimeError, "same python structure"),
    (lambda: jvp(torch.sin, (X,), (X[:2],)), RuntimeError, "different size"),
    (lambda: jvp(torch.ones_like, (X,), (X,), strict=True), RuntimeError, "strict"),
    (lambda: jacrev(torch.sin, chunk_size=0), ValueError, "chunk_size"),
    (lambda: jacrev(lambda x: 3)(X), RuntimeError, "only tensors"),
    (lambda: jacfwd(torch.sin, argnums=3)(X), RuntimeError, "argnum=3"),
    (lambda: jacfwd(lambda x: x * torch.rand(3))(X), RuntimeError, "randomness error mode"),
    (lambda: linearize(torch.sin, X)[1](X, X), RuntimeError, "same structure"),
    (lambda: linearize(torch.sin, X)[1](X[:2]), RuntimeError, "shape"),
    (lambda: linearize(torch.sin, X)[1](X.double()), RuntimeError, "dtype"),
    (lambda: functionalize(torch.sin, remove="all"), RuntimeError, "Valid options"),
    (lambda: stack_module_state([]), RuntimeError, "at least one model"),
    (lambda: stack_module_state([nn.Linear(1, 1), nn.ReLU()]), RuntimeError, "same class"),
    (lambda: stack_module_state([nn.ReLU(), nn.ReLU().eval()]), RuntimeError, "mode"),
    (lambda: functional_call(nn.ReLU(), 3, X), ValueError, "to be a dict"),
    (lambda: functional_call(nn.ReLU(), ({"a": X}, {"a": X}), X), ValueError, "multiple dict"),
])
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_what_does_not_matter_has_a_gradient_of_zeros():
    assert grad(lambda x, y: y.sum())(X, X).tolist() == [0, 0, 0]
    assert grad(lambda x: torch.ones(()))(X).tolist() == [0, 0, 0]
    assert jvp(lambda x: torch.ones(2), (X,), (X,))[1].tolist() == [0, 0]
    assert jacrev(lambda x: torch.ones(2))(X).tolist() == jacfwd(lambda x: torch.ones(2))(
        X).tolist() == [[0, 0, 0]] * 2


def test_results_require_grad_only_if_somebody_watches():
    p = torch.ones(3, requires_grad=True)
    assert not grad(torch.sum)(X).requires_grad
    assert not any(t.requires_grad for t in grad_and_value(lambda x: (x**2).sum())(X))
    assert grad(lambda x: (x * p).sin().sum())(X).requires_grad
    assert grad(lambda x: (x**2).sum())(p).requires_grad
    with torch.no_grad():
        assert not grad(lambda x: (x * p).sin().sum())(X).requires_grad
        assert grad(lambda x: (x**2).sum())(X).tolist() == [1, -2, 4]
    out, pull = vjp(torch.sin, X)
    assert not out.requires_grad and not pull(X)[0].requires_grad
    hessian(lambda x: (x**3).sum())(p).sum().backward()
    assert p.grad.tolist() == [6, 6, 6]


def test_gradients_of_the_caller_are_left_alone():
    p = torch.ones(3, requires_grad=True)
    grad(lambda x: (x * p).sum())(p)
    assert p.grad is None


def test_no_grad_inside_counts():
    def partly(x):
        with torch.no_grad():
            y = x * 2
        return (x * y).sum()

    assert grad(partly)(X).tolist() == (2 * X).tolist()
    assert grad(lambda x: (x * grad(partly)(x)).sum())(X).tolist() == (2 * X).tolist()


def test_keyword_arguments_and_names_are_kept():
    def scaled(x, *, by=1.0):
        """Scale."""
        return (x * by).sum()

    assert grad(scaled)(X, by=3.0).tolist() == [3, 3, 3]
    assert grad(scaled).__name__ == "scaled" and grad(scaled).__doc__ == "Scale."


def test_functions_and_checkpoints_inside():
    from minigrad.utils.checkpoint import checkpoint

    def f(x):
        return checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False).sum()

    want = grad(lambda x: x.exp().sin().sum())(X)
    assert torch.allclose(grad(f)(X), want)
    rows = torch.stack([X, 2 * X])
    assert torch.allclose(torch.vmap(grad(f))(rows)[0], want)


def test_functional_call():
    net = nn.Linear(3, 1)
    given = {"weight": torch.ones(1, 3)}
    assert torch.allclose(functional_call(net, (given, {"bias": torch.ones(1)}), X), X.sum() + 1)
    with pytest.raises(RuntimeError, match="bias"):
        functional_call(net, given, X, strict=True)
    g = grad(lambda p: functional_call(net, p, (X,)).sum())(given)
    assert g["weight"].tolist() == [X.tolist()] and net.weight.grad is None


def test_functionalize_computes_the_same():
    def f(x):
        y = x.clone()
        y.add_(1)
        return y

    assert functionalize(f)(X).equal(X + 1)


def test_nothing_is_left_to_the_cycle_collector():
    with no_cycles():
        for transform in (grad, hessian):
            transform(lambda x: (x.sin() ** 2).sum())(X)
        torch.vmap(torch.sin)(X)


def test_rearrange():
    from minigrad.func import rearrange

    x = torch.arange(24.0).reshape(2, 3, 4)
    for pattern, want in (("a b c -> c a b", x.permute(2, 0, 1)),
                          ("a b c -> (a b) c", x.flatten(0, 1)),
                          ("a ... -> ... a", x.permute(1, 2, 0)), ("... -> (...)", x.flatten()),
                          ("... c -> c (...)", x.permute(2, 0, 1).flatten(1)),
                          ("a b c -> a () c b", x.permute(0, 2, 1).unsqueeze(1)),
                          ("a b c -> a b c 1", x.unsqueeze(-1))):
        assert torch.equal(rearrange(x, pattern), want), pattern
    assert torch.equal(rearrange(x, "a b (c d) -> a d b c", d=2),
                       x.reshape(2, 3, 2, 2).permute(0, 3, 1, 2))
    assert torch.equal(rearrange([x, x], "n a b c -> a (n b) c"), torch.cat([x, x], 1))
    for pattern, options, error in (
            ("a b c -> a b", {}, ValueError), ("a b -> b a", {}, ValueError),
            ("a a b -> a b", {}, ValueError), ("a b c", {}, ValueError),
            ("a (b ...) -> a", {}, ValueError), ("a b (c d) -> a b c d", {}, RuntimeError),
            ("a b (c d) -> a b c d", {"c": 3}, RuntimeError),
            ("a b c -> a b c", {"e": 3}, ValueError), ("a _b c -> c a _b", {}, ValueError),
            ("(a d) b c -> a b c d", {"a": 1, "d": 3}, RuntimeError)):
        with pytest.raises(error):
            rearrange(x, pattern, **options)
