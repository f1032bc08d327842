"""Exceptions anywhere in user code leave modes, versions, hooks and random numbers as they were."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.anomaly import anomaly
from minigrad.func import grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap
from minigrad.modes import state
from minigrad.utils.checkpoint import checkpoint
from minigrad.versions import storage_of


class Stop(BaseException):
    """As KeyboardInterrupt, an exception that `except Exception` does not catch."""


def raising(*args, **kwargs):
    raise Stop


def switches():
    """Return every global that an exception could leave switched."""
    return (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), state.arrays, state.task,
            state.levels, state.packers, state.packers_off, state.runs, len(anomaly.hooks),
            torch.is_anomaly_enabled(), torch.get_default_dtype(), np.geterr())


class Fails(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, where):
        ctx.where = where
        ctx.save_for_backward(x)
        if where == "forward":
            raise Stop
        return x * 2

    @staticmethod
    def backward(ctx, g):
        if ctx.where == "backward":
            raise Stop
        return g * 2 * ctx.saved_tensors[0], None


def removed(handle):
    """Return the handle as a block at whose end the hook is removed."""
    return contextlib.closing(type("Closing", (), {"close": staticmethod(handle.remove)}))


def tensor_hook(x):
    y = x * 2
    y.register_hook(raising)
    (y * 3).sum().backward(create_graph=True)


def leaf_hook(x):
    with removed(x.register_hook(raising)):
        (x * 2).sum().backward()


def node_hook(x):
    y = x * 2
    y.grad_fn.register_hook(raising)
    y.sum().backward()


def node_prehook(x):
    y = x.exp()
    y.grad_fn.register_prehook(raising)
    y.sum().backward()


def post_hook(x):
    with removed(x.register_post_accumulate_grad_hook(raising)):
        (x * 2).sum().backward()


def multi_grad_hook(x):
    y = x * 2
    with removed(torch.autograd.graph.register_multi_grad_hook([x, y], raising)):
        y.sum().backward()


def pack(x):
    with torch.autograd.graph.saved_tensors_hooks(raising, lambda t: t):
        x.exp()


def unpack(x):
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, raising):
        y = x.exp()
    y.sum().backward()


def unpack_twice(x):
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, raising):
        y = x.exp()
    torch.autograd.grad(y.sum(), x, create_graph=True)


def blocks(x):
    with torch.no_grad(), torch.inference_mode(), torch.autograd.detect_anomaly():
        raising()


def decorated(x):
    torch.no_grad()(torch.inference_mode()(raising))()


def generator(x):
    @torch.no_grad()
    def steps():
        yield 1
        raise Stop

    list(steps())


def forward_hook(x):
    net = nn.ReLU()
    net.register_forward_hook(raising)
    with torch.no_grad():
        net(x)


def forward_pre_hook(x):
    net = nn.Sequential(nn.ReLU())
    net[0].register_forward_pre_hook(raising)
    net(x)


def backward_hook(x):
    net = nn.Tanh()
    net.register_full_backward_hook(raising)
    net(x).sum().backward()


def backward_pre_hook(x):
    net = nn.Tanh()
    net.register_full_backward_pre_hook(raising)
    net(x).sum().backward()


def checkpointed(reentrant, in_backward):
    def run(x):
        calls = []

        def part(t):
            calls.append(1)
            if len(calls) > in_backward:
                raise Stop
            return torch.dropout(t, 0.5, True).exp()

        state_before = torch.get_rng_state()
        try:
            checkpoint(part, x, use_reentrant=reentrant).sum().backward()
        finally:
            torch.set_rng_state(state_before)  # the first run has drawn a mask

    return run


def transformed(make):
    def run(x):
        def f(t):
            (t * 2).sum()
            raise Stop

        make(f)(x.detach())

    return run


def nested(x):
    vmap(grad(lambda t: raising()))(x.detach())


def closure(x):
    opt = torch.optim.Adam([x])
    opt.step(raising)


def lbfgs_closure(x):
    torch.optim.LBFGS([x]).step(raising)


def step_hook(x):
    opt = torch.optim.SGD([x], lr=0.0)
    opt.register_step_pre_hook(raising)
    opt.step()


def torch_function(x):
    class Sub(torch.Tensor):
        pass

    with torch.no_grad():
        torch.vmap(raising)(x.detach().as_subclass(Sub))


CASES = {
    "Function.forward": lambda x: Fails.apply(x, "forward"),
    "Function.backward": lambda x: Fails.apply(x, "backward").sum().backward(),
    "Function.backward again": lambda x: torch.autograd.grad(
        Fails.apply(x, "backward").sum(), x, create_graph=True),
    **{f.__name__: f for f in (
        tensor_hook, leaf_hook, node_hook, node_prehook, post_hook, multi_grad_hook, pack, unpack,
        unpack_twice, blocks, decorated, generator, forward_hook, forward_pre_hook, backward_hook,
        backward_pre_hook, nested, closure, lbfgs_closure, step_hook, torch_function)},
    **{f"checkpoint {reentrant} {k}": checkpointed(reentrant, k)
       for reentrant in (False, True) for k in (0, 1)},
    **{f.__name__: transformed(f) for f in (grad, jacrev, jacfwd, hessian, vmap)},
    "vjp": transformed(lambda f: lambda x: vjp(f, x)),
    "jvp": transformed(lambda f: lambda x: jvp(f, (x,), (x,))),
    "linearize": transformed(lambda f: lambda x: linearize(f, x)),
    **{f"functional.{name}": transformed(
        lambda f, name=name: lambda x: getattr(torch.autograd.functional, name)(f, x))
       for name in ("jacobian", "hessian", "vjp")},
    "functional.jvp": transformed(
        lambda f: lambda x: torch.autograd.functional.jvp(f, x, torch.ones(3))),
}


@pytest.mark.filterwarnings("ignore:.*create_graph.*:UserWarning")
@pytest.mark.filterwarnings("ignore:Anomaly.*")
@pytest.mark.parametrize("name", CASES)
def test_exceptions_leave_everything_as_it_was(name):
    x = torch.ones(3, requires_grad=True)
    before, random_state = switches(), torch.get_rng_state()
    with pytest.raises(Stop):
        CASES[name](x)
    assert switches() == before and torch.equal(torch.get_rng_state(), random_state)
    assert storage_of(x).count == 0
    x.grad = None
    (x * x).sum().backward()  # the next backward is right
    assert x.grad.tolist() == [2.0] * 3
    (h,) = torch.autograd.grad(torch.autograd.grad((x**3).sum(), x, create_graph=True)[0].sum(), x)
    assert h.tolist() == [6.0] * 3


def test_a_backward_that_failed_can_be_repeated():
    """What a failed sweep has not used yet is kept; its gradients have not arrived twice."""
    x = torch.ones(3, requires_grad=True)
    y = (x * 2).exp()
    handle = (z := y * 3).register_hook(raising)
    with pytest.raises(Stop):
        z.sum().backward()
    handle.remove()
    assert x.grad is None
    z.sum().backward(retain_graph=True)
    assert torch.allclose(x.grad, 6 * torch.full((3,), 2.0).exp())


def test_an_optimizer_whose_closure_failed_steps_as_if_nothing_was():
    def trained(fail):
        w = torch.ones(2, requires_grad=True)
        opt = torch.optim.Adam([w], lr=0.1)

        def closure():
            opt.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            return loss

        def failing():
            closure()
            raise Stop

        for k in range(4):
            if fail and k == 2:
                with pytest.raises(Stop):
                    opt.step(failing)
            opt.step(closure)
        return w.detach()

    assert torch.equal(trained(True), trained(False))
