"""autograd.graph: nodes, edges, hooks on nodes and on several tensors, saved tensors hooks."""

from __future__ import annotations

import os

import pytest

import minigrad as torch
from minigrad.autograd import graph
from tests.cycles import no_cycles


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def test_hooks_run_in_torchs_order():
    x, log = leaf(1.0, 2.0), []
    y = x * 3
    z = y * 2
    y.register_hook(lambda g: log.append(("tensor", g.tolist())))
    y.grad_fn.register_prehook(lambda gs: log.append(("before", gs[0].tolist())))
    y.grad_fn.register_hook(lambda grads, gs: log.append(
        ("after", [None if g is None else g.tolist() for g in grads], gs[0].tolist())))
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    x.register_hook(lambda g: log.append(("x", g.tolist())))
    x.register_post_accumulate_grad_hook(lambda p: log.append(("added", p.grad.tolist())))
    z.sum().backward()
    assert log == [("tensor", [2, 2]), ("before", [4, 4]), ("after", [[12, 12], None], [4, 4]),
                   ("x", [12, 12]), ("added", [12, 12])]
    assert y.grad.tolist() == [4, 4]


def test_hooks_of_nodes_replace_gradients():
    x = leaf(1.0, 2.0)
    y = x * 3
    y.grad_fn.register_prehook(lambda gs: (gs[0] * 10,))
    handle = y.grad_fn.register_hook(lambda grads, gs: (grads[0] + 1, None))
    for create in (False, True):
        (g,) = torch.autograd.grad(y.sum(), x, retain_graph=True, create_graph=create)
        assert g.tolist() == [31, 31]
    handle.remove()
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [30, 30]


def test_hooks_of_the_accumulating_node():
    x, log = leaf(1.0, 2.0), []
    node = x.expand_as(x).grad_fn.next_functions[0][0]
    assert node.variable is x and node.name() == "torch::autograd::AccumulateGrad"
    node.register_prehook(lambda gs: (gs[0] * 2,))
    node.register_hook(lambda grads, gs: log.append((grads, gs[0].tolist(), x.grad.tolist())))
    x.register_hook(lambda g: log.append(g.tolist()))
    (x * 3).sum().backward()
    assert log == [[3, 3], ((), [6, 6], [6, 6])] and isinstance(node, graph.Node)


@pytest.mark.parametrize(("before", "returned", "error"), [
    (False, 3, TypeError), (False, (1, 2), RuntimeError), (True, torch.ones(2), TypeError),
    (True, (torch.ones(3),), RuntimeError), (False, (1,), TypeError)])
def test_what_hooks_of_nodes_may_not_return(before, returned, error):
    y = leaf(1.0, 2.0).exp()
    register = y.grad_fn.register_prehook if before else y.grad_fn.register_hook
    register(lambda *gs: returned)
    with pytest.raises(error):
        y.sum().backward()


@pytest.mark.parametrize("where", ["tensor", "after", "before", "leaf", "added"])
def test_an_exception_in_a_hook_leaves_everything_usable(where):
    def fail(*args):
        raise ValueError("hook")

    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * 2
    register = {"tensor": y.register_hook, "after": y.grad_fn.register_hook,
                "before": y.grad_fn.register_prehook, "leaf": x.register_hook,
                "added": x.register_post_accumulate_grad_hook}[where]
    handle = register(fail)
    with pytest.raises(ValueError, match="hook"):
        z.sum().backward(retain_graph=True)
    handle.remove()
    assert torch.is_grad_enabled()
    x.grad = None
    z.sum().backward()
    assert x.grad.tolist() == [4, 4]


def test_outputs_of_one_function():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    a, b = x.unbind(0)
    assert a.grad_fn is b.grad_fn and (a.output_nr, b.output_nr) == (0, 1)
    edge = graph.get_gradient_edge(b)
    assert edge.output_nr == 1 and edge.node is a.grad_fn
    assert torch.autograd.grad((a * b).sum(), edge)[0].tolist() == [1, 2]


def test_gradient_edges_stand_for_tensors():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * y
    edge = graph.get_gradient_edge(y)
    assert edge._fields == ("node", "output_nr", "ownership_token")
    assert torch.autograd.grad(z.sum(), edge, retain_graph=True)[0].tolist() == [4, 8]
    assert torch.autograd.grad(edge, x, torch.ones(2), retain_graph=True)[0].tolist() == [2, 2]
    torch.autograd.backward(edge, torch.ones(2), retain_graph=True)
    assert x.grad.tolist() == [2, 2]
    x.grad = None
    z.sum().backward(inputs=[graph.get_gradient_edge(x)], retain_graph=True)
    assert x.grad.tolist() == [8, 16]
    with pytest.raises(RuntimeError, match="scalar"):
        torch.autograd.backward(edge)
    with pytest.raises(RuntimeError, match="does not require"):
        graph.get_gradient_edge(torch.ones(2))
    with pytest.raises(RuntimeError, match="leaf"):
        z.sum().backward(inputs=[edge])


def test_saved_values_have_torchs_names():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    m = (x * y).grad_fn
    assert m._saved_self is x and m._saved_other is y
    assert [name for name in dir(m) if name.startswith("_saved")] == ["_saved_other", "_saved_self"]
    e = x.exp()
    assert e.grad_fn._saved_result.tolist() == e.tolist()
    assert (x**2).grad_fn._saved_exponent == 2
    a, b = leaf(1.0).reshape(1, 1), leaf(2.0).reshape(1, 1)
    assert (a @ b).grad_fn._saved_mat2.tolist() == [[2]]
    with pytest.raises(AttributeError, match="_saved_foo"):
        m._saved_foo  # noqa: B018
    e.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        e.grad_fn._saved_result  # noqa: B018


def test_metadata_and_numbers():
    x = leaf(1.0)
    first, second = x.exp().grad_fn, x.exp().grad_fn
    first.metadata["note"] = 1
    assert first.metadata == {"note": 1} and second.metadata == {}
    assert first._sequence_nr() < second._sequence_nr()


def test_multi_grad_hooks():
    a, b, c, d = (leaf(1.0, 2.0) for _ in range(4))
    log = []
    handle = graph.register_multi_grad_hook(
        (a, b, c), lambda gs: log.append([g if g is None else g.tolist() for g in gs]))
    (a * b + d).sum().backward()
    (a * c).sum().backward()
    (a * b * c).sum().backward()
    d.sum().backward()
    assert log == [[[1, 2], [1, 2], None], [[1, 2], None, [1, 2]], [[1, 4], [1, 4], [1, 4]]]
    handle.remove()
    (a * b).sum().backward()
    assert len(log) == 3
    log.clear()
    graph.register_multi_grad_hook((a, b), lambda g: log.append(g.tolist()), mode="any")
    (a * b).sum().backward()
    (a * b).sum().backward()
    assert log == [[1, 2], [1, 2]]
    with pytest.raises(ValueError, match="mode"):
        graph.register_multi_grad_hook((a,), print, mode="some")


def test_increment_version():
    x = leaf(1.0, 2.0)
    y = x.exp()
    graph.increment_version((y, y))
    assert y._version == 2
    with pytest.raises(RuntimeError, match="increment_version"):
        y.sum().backward()


# ------------------------------------------------------------------------- saved tensors hooks
def keep(t):
    return t


def test_what_is_saved_passes_through_the_hooks():
    log = []

    def pack(t):
        log.append(("pack", t.tolist(), t.requires_grad, t.is_leaf))
        return t.tolist()

    def unpack(kept):
        log.append(("unpack", kept))
        return torch.tensor(kept)

    x = leaf(1.0, 2.0)
    with graph.saved_tensors_hooks(pack, unpack):
        y = x * x
        z = y.sqrt()
    z.sum().backward(retain_graph=True)
    assert log == [("pack", [1, 2], True, True)] * 2 + [("pack", [1, 2], True, False),
                   ("unpack", [1, 2]), ("unpack", [1, 2]), ("unpack", [1, 2])]
    assert x.grad.tolist() == [1, 1]
    log.clear()
    assert y.grad_fn._saved_self.tolist() == [1, 2] and log == [("unpack", [1, 2])]


def test_the_innermost_hooks_count_and_change_the_gradient():
    x = leaf(1.0, 2.0)
    with graph.saved_tensors_hooks(lambda t: "outer", keep):
        with graph.saved_tensors_hooks(lambda t: t * 3, keep):
            y = x.square()
        z = x.square()
    y.sum().backward()
    assert x.grad.tolist() == [6, 12]
    with pytest.raises(TypeError, match="Tensor"):
        z.sum().backward()


@pytest.mark.parametrize("norm", [torch.nn.BatchNorm1d, torch.nn.InstanceNorm1d])
def test_saved_tensors_hooks_get_constants_too(norm):
    layer = norm(3, affine=True, track_running_stats=True).eval()
    x = leaf([[1.0, 4.0]] * 3, [[2.0, 5.0]] * 3)
    shapes = []
    with graph.saved_tensors_hooks(lambda t: shapes.append(tuple(t.shape)) or t, lambda t: t):
        y = layer(x)
    assert shapes == [(2, 3, 2), *[(3,)] * 4]  # weight, bias, mean and variance
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.full(x.shape, 1 / (1 + layer.eps) ** 0.5))


def test_packed_values_have_no_version_and_every_order():
    x = leaf(1.0, 2.0)
    with graph.saved_tensors_hooks(lambda t: t.clone(), keep):
        a = x * 1
        b = a * a
    a.mul_(0)
    b.sum().backward()
    assert x.grad.tolist() == [2, 4]
    with graph.saved_tensors_hooks(lambda t: t.numpy().copy(), torch.from_numpy):
        (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [6, 12]


def test_hooks_that_do_wrong():
    x = leaf(1.0, 2.0)

    def fail(t):
        raise ValueError("no")

    with graph.saved_tensors_hooks(lambda t: t.mul_(2), keep), pytest.raises(
            RuntimeError, match="in place"):
        x.detach().clone().requires_grad_().mul(1).square()
    with graph.saved_tensors_hooks(fail, keep), pytest.raises(ValueError, match="no"):
        x.exp()
    for unpack, error in ((fail, ValueError), (lambda t: torch.ones(5), RuntimeError)):
        with graph.saved_tensors_hooks(keep, unpack):
            y = x.exp()
        with pytest.raises(error):
            y.sum().backward()
    with pytest.raises(TypeError, match="functions"), graph.saved_tensors_hooks(1, 2):
        pass
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2] and torch.is_grad_enabled()


def test_hooks_leave_nothing_to_the_cycle_collector():
    with no_cycles():
        for _ in range(3):
            x = leaf(1.0, 2.0)
            with graph.saved_tensors_hooks(keep, keep):
                y = x.exp().tanh()
            del y


def test_a_function_saves_through_the_hooks():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    x = leaf(1.0, 2.0)
    with graph.saved_tensors_hooks(lambda t: t * 10, keep):
        y = Square.apply(x)
    y.sum().backward()
    assert x.grad.tolist() == [20, 40]


def test_disabling():
    x = leaf(1.0, 2.0)
    with graph.disable_saved_tensors_hooks("off"):
        x.exp()
        with pytest.raises(RuntimeError, match="off"), graph.saved_tensors_hooks(keep, keep):
            pass
    with graph.saved_tensors_hooks(keep, keep):
        off = graph.disable_saved_tensors_hooks("off")
        with pytest.raises(RuntimeError, match="off"), off:
            pass
    with graph.saved_tensors_hooks(keep, keep):
        pass


def test_save_on_cpu_changes_nothing_and_on_disk_works(tmp_path):
    x = leaf(1.0, 2.0)
    with graph.save_on_cpu():
        y = (x * x).exp()
    y.sum().backward()
    want = x.grad
    with graph.save_on_cpu(pin_memory=True), pytest.raises(RuntimeError, match="pin_memory"):
        x.exp()

    def to_disk(t):
        path = tmp_path / f"{len(os.listdir(tmp_path))}.pt"
        torch.save(t, path)
        return path

    x.grad = None
    with graph.saved_tensors_hooks(to_disk, torch.load):
        y = (x * x).exp()
    assert len(os.listdir(tmp_path)) == 3
    y.sum().backward()
    assert torch.equal(x.grad, want)


def test_mutation_on_saved_tensors():
    x = leaf(1.0, 2.0)
    with graph.allow_mutation_on_saved_tensors():
        a = x * 1
        b = a * a
        a.mul_(0)
        b.sum().backward()
        assert x.grad.tolist() == [2, 4]
        late = (x * 1).square()
        with pytest.raises(RuntimeError, match="nested"), graph.allow_mutation_on_saved_tensors():
            pass
    with pytest.raises(AssertionError, match="outside"):
        late.sum().backward()


def test_hooks_of_one_saved_tensor():
    x = leaf(1.0, 2.0)
    y = x.square()
    saved = y.grad_fn._raw_saved_self
    assert isinstance(saved, torch.autograd.SavedTensor)
    saved.register_hooks(lambda t: t * 3, keep)
    y.sum().backward()
    assert x.grad.tolist() == [6, 12]
    with pytest.raises(RuntimeError, match="freed"):
        saved.register_hooks(keep, keep)


def test_small_switches_and_properties():
    with torch.autograd.set_multithreading_enabled(False):
        assert not torch.autograd.is_multithreading_enabled()
    assert torch.autograd.is_multithreading_enabled()
    with torch.autograd.detect_anomaly(check_nan=False):
        assert not torch.is_anomaly_check_nan_enabled()
    p = torch.ones(2, requires_grad=True)
    assert p.grad_dtype is torch.float32
    p.grad_dtype = torch.float64
    (p * 2).sum().backward()
    assert p.grad.dtype is torch.float64
    with pytest.raises(RuntimeError, match="leaf"):
        p.exp().grad_dtype = torch.float64

    class Mine(torch.Tensor):
        pass

    made = p.as_subclass(Mine)
    assert type(made) is Mine and made.grad_fn.name() == "AliasBackward0"
    with pytest.raises(TypeError, match="subclass"):
        p.as_subclass(int)
    with torch.inference_mode():
        assert torch.is_inference(torch.ones(1))
