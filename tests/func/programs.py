"""Small programs for `func` and `autograd.functional`, run on PyTorch by tests/record_func.py.

Each takes the namespace (minigrad or torch) and returns tensors in nested containers.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

PROGRAMS: dict[str, Callable[[Any], Any]] = {}


class Given:
    """The tensors and functions that the programs share."""

    def __init__(self, torch: Any) -> None:
        rng = np.random.Generator(np.random.PCG64(5))

        def made(*shape: int) -> Any:
            return torch.from_numpy(2 * rng.random(shape) - 1)

        self.torch = torch
        self.made = made
        self.x, self.W, self.b, self.u = made(3), made(4, 3), made(5, 3), made(6, 4)
        self.cube = made(2, 3, 3)
        self.p = made(3).requires_grad_()
        self.ones = torch.ones(3, dtype=torch.float64)
        func = importlib.import_module(f"{torch.__name__}.func")
        for name in ("grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
                     "vjp", "vmap"):
            setattr(self, name, getattr(func, name))
        self.F = torch.autograd.functional

    def f(self, x: Any) -> Any:
        return (self.torch.tanh(self.W @ x) ** 2).sum()

    def h(self, x: Any) -> Any:
        return (self.W @ x).sin()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def program(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Put a function of `Given` into the table."""
    PROGRAMS[function.__name__] = lambda torch: function(Given(torch))
    return function


def lines(table: dict[str, Callable[[Any], Any]]) -> None:
    for name, function in table.items():
        PROGRAMS[name] = lambda torch, function=function: function(Given(torch))


lines({
    "grad": lambda t: t.grad(t.f)(t.x),
    "grad of grad": lambda t: t.grad(lambda x: t.grad(t.f)(x).pow(2).sum())(t.x),
    "grad_and_value": lambda t: t.grad_and_value(t.f)(t.x),
    "has_aux": lambda t: t.grad(lambda x: (t.f(x), {"a": x * 2}), has_aux=True)(t.x),
    "value has_aux": lambda t: t.grad_and_value(lambda x: (t.f(x), [x * 2]), has_aux=True)(t.x),
    "argnums": lambda t: t.grad(lambda a, b: (a * b).sin().sum(), argnums=(1, 0))(t.x, t.b[0]),
    "grad of a dict": lambda t: t.grad(lambda d: d["a"].exp().sum())({"a": t.x, "b": [t.x]}),
    "vmap of grad": lambda t: t.vmap(t.grad(t.f))(t.b),
    "hessian": lambda t: t.hessian(t.f)(t.x),
    "rev over rev": lambda t: t.jacrev(t.jacrev(t.f))(t.x),
    "fwd over fwd": lambda t: t.jacfwd(t.jacfwd(t.f))(t.x),
    "rev over fwd": lambda t: t.jacrev(t.jacfwd(t.f))(t.x),
    "third order": lambda t: t.jacrev(t.hessian(t.f))(t.x),
    "vmap of hessian": lambda t: t.vmap(t.hessian(t.f))(t.b),
    "vmap of vmap of hessian": lambda t: t.vmap(t.vmap(t.hessian(t.f)))(t.cube),
    "grad of vmap": lambda t: t.grad(lambda x: t.vmap(lambda w: (w @ x).sin())(t.W).sum())(t.x),
    "grad of vmap of grad": lambda t: t.grad(lambda x: t.vmap(
        t.grad(lambda w, x: (w @ x).sin().sum()), in_dims=(0, None))(t.W, x).pow(2).sum())(t.x),
    "gradients of every sample": lambda t: t.vmap(t.grad(
        lambda w, x: t.torch.tanh(w @ x).sum()), in_dims=(None, 0))(t.W, t.b),
    "jvp": lambda t: t.jvp(t.h, (t.x,), (t.b[0],)),
    "jvp of jvp": lambda t: t.jvp(lambda y: t.jvp(t.h, (y,), (t.b[0],))[1], (t.x,), (t.b[1],)),
    "grad of jvp": lambda t: t.grad(lambda y: t.jvp(t.h, (y,), (t.b[0],))[1].sum())(t.x),
    "jvp of grad": lambda t: t.jvp(t.grad(t.f), (t.x,), (t.b[0],)),
    "vmap of jvp": lambda t: t.vmap(lambda v: t.jvp(t.h, (t.x,), (v,))[1])(t.b),
    "jvp of vmap": lambda t: t.jvp(t.vmap(t.h), (t.b,), (t.b * 2,)),
    "vmap of a pullback": lambda t: t.vmap(t.vjp(t.h, t.x)[1])(t.u),
    "vjp of a dict": lambda t: t.vjp(lambda x: {"s": x.sin(), "c": [x.cos()]}, t.x)[1](
        {"s": t.x, "c": [t.x]}),
    "vjp has_aux": lambda t: t.vjp(lambda x: (x.sin(), x), t.x, has_aux=True)[2],
    "linearize": lambda t: t.linearize(t.h, t.x)[1](t.b[0]),
    "two vmaps": lambda t: t.vmap(t.vmap(lambda a, c: a @ c, (None, 0)), (0, None))(t.b, t.W),
    "two vmaps, out_dims": lambda t: t.vmap(t.vmap(lambda a, c: a * c, (0, None)), (0, None),
                                            out_dims=1)(t.b, t.x),
    "vmap of vmap of grad": lambda t: t.vmap(t.vmap(t.grad(
        lambda a, c: (a * c).sin().sum()), (None, 0)), (0, None))(t.b, t.W),
    "vmap of jacrev": lambda t: t.vmap(t.jacrev(t.h))(t.b),
    "vmap of jacfwd": lambda t: t.vmap(t.jacfwd(t.h))(t.b),
    "jacrev of vmap": lambda t: t.jacrev(t.vmap(t.h))(t.b),
    "jacfwd of vmap": lambda t: t.jacfwd(t.vmap(t.h))(t.b),
    "jacrev of several": lambda t: t.jacrev(lambda a, c: (a * c, {"k": a.sum()}),
                                            argnums=(0, 1))(t.x, t.b[0]),
    "jacfwd of several": lambda t: t.jacfwd(lambda a, c: (a * c, {"k": a.sum()}),
                                            argnums=(0, 1))(t.x, t.b[0]),
    "jacrev has_aux": lambda t: t.jacrev(lambda x: (t.h(x), x * 3), has_aux=True)(t.x),
    "jacfwd has_aux": lambda t: t.jacfwd(lambda x: (t.h(x), x * 3), has_aux=True)(t.x),
    "jacrev in chunks": lambda t: t.jacrev(t.h, chunk_size=3)(t.x),
    "vmap in chunks": lambda t: t.vmap(t.grad(t.f), chunk_size=2)(t.b),
    "in_dims of a dict": lambda t: t.vmap(
        lambda d: d["a"] * d["b"], in_dims=({"a": 1, "b": None},))({"a": t.W, "b": t.x[0]}),
    "out_dims of a tuple": lambda t: t.vmap(
        lambda a: (a, a.sum(), t.x), out_dims=(1, 0, None))(t.b),
    "nested confusion": lambda t: t.grad(lambda x: x * t.grad(lambda y: x + y)(t.x[0]))(t.x[1]),
    "under no_grad": lambda t: t.torch.no_grad()(t.grad(lambda x: (x * t.p).sin().sum()))(t.x),
    "vmap over autograd.grad": lambda t: (lambda y: t.vmap(lambda v: t.torch.autograd.grad(
        y, t.p, v, retain_graph=True))(t.u))(t.h(t.p)),
    "is_grads_batched": lambda t: t.torch.autograd.grad(t.h(t.p), t.p, t.u, is_grads_batched=True),
    "index by a batch": lambda t: t.vmap(lambda a, i: a[i])(t.b, t.torch.tensor([0, 2, 1, 1, 0])),
    "index by a list": lambda t: t.vmap(lambda a: a[t.torch.tensor([0, 2])])(t.b),
})


@program
def writes_in_place(t: Any) -> Any:
    def write(a: Any) -> Any:
        z = a * 1
        z[0] = a[1]
        z[1:] = 0
        z.mul_(2)
        z.unsqueeze_(0)
        z.t_()
        return z

    return t.vmap(write)(t.b), t.vmap(t.grad(lambda a: (write(a) ** 2).sum()))(t.b)


@program
def backward_through_grad(t: Any) -> Any:
    made = t.grad(lambda x: (x * t.p).sin().sum())(t.x)
    made.sum().backward()
    of_closure, t.p.grad = t.p.grad, None
    t.grad(lambda x: (x**3).sum())(t.p).sum().backward()
    return made, of_closure, t.p.grad


@program
def functional(t: Any) -> Any:
    F, x, p, one = t.F, t.x, t.p, t.ones

    def two(x: Any, y: Any) -> Any:
        return x * y, (x + y).sum()

    def number(x: Any, y: Any) -> Any:
        return (x * x * y).sum()

    weights = (one, one.sum())
    results = []
    for create in (False, True):
        given = {"create_graph": create}
        results += [
            F.vjp(t.h, x, t.u[0], **given), F.vjp(t.f, (x,), **given),
            F.vjp(two, (x, p), weights, **given), F.jvp(t.h, x, one, **given),
            F.jvp(two, (x, p), (one, one), **given), F.jacobian(t.h, p, **given),
            F.jacobian(two, (x, p), **given), F.jacobian(t.f, (x,), **given),
            F.hessian(t.f, x, **given), F.hessian(number, (x, p), **given),
            F.hvp(number, (x, p), (one, one), **given), F.vhp(t.f, p, one, **given)]
    results += [F.jacobian(two, (x, p), vectorize=True), F.hessian(number, (x, p), vectorize=True),
                F.jacobian(t.h, x, strategy="forward-mode", vectorize=True),
                F.hessian(t.f, x, outer_jacobian_strategy="forward-mode", vectorize=True)]
    F.jacobian(t.h, p, create_graph=True).pow(2).sum().backward()
    F.hessian(t.f, p, create_graph=True).pow(2).sum().backward()
    return results, p.grad
