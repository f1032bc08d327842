"""Module: registering, attributes, walking, modes, copies, printing."""

from __future__ import annotations

import copy
import pickle

import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn.modules import module as M


class Net(nn.Module):
    """A small net with a buffer, a parameter of its own and nested layers."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU())
        self.head = nn.Linear(3, 2)
        self.scale = nn.Parameter(torch.ones(2))
        self.register_buffer("offset", torch.zeros(2))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)

    def forward(self, x, shift=0.0):
        return self.head(self.block(x)) * self.scale + self.offset + shift


# ---- attributes
def test_assignment_registers():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale", "block.0.weight", "block.0.bias", "block.1.weight", "block.1.bias",
        "head.weight", "head.bias"]
    assert [n for n, _ in net.named_buffers()] == [
        "offset", "scratch", "block.1.running_mean", "block.1.running_var",
        "block.1.num_batches_tracked"]
    assert [n for n, _ in net.named_modules()] == ["", "block", "block.0", "block.1", "block.2",
                                                   "head"]
    assert "scratch" not in net.state_dict()
    assert {"block", "head", "scale", "offset"} <= set(dir(net))


@pytest.mark.parametrize(("name", "value", "match"), [
    ("head", 3, r"'int' as child module 'head' \(torch.nn.Module or None"),
    ("scale", torch.ones(2), r"'torch.FloatTensor' as parameter 'scale' \(torch.nn.Parameter or"),
    ("offset", 3, r"'int' as buffer 'offset' \(torch.nn.Buffer, torch.Tensor or None"),
])
def test_wrong_kind_is_refused(name, value, match):
    with pytest.raises(TypeError, match=match):
        setattr(Net(), name, value)


def test_assignment_replaces_kind():
    """A new kind of value removes the name from its old place; None keeps the place."""
    net = Net()
    net.offset = nn.Parameter(torch.ones(2))
    assert "offset" not in net._buffers
    assert "offset" in net._parameters
    net.head = nn.Parameter(torch.ones(1))
    assert "head" not in net._modules
    with pytest.raises(TypeError, match="'Identity' as parameter 'scale'"):
        net.scale = nn.Identity()
    net.scale = None
    assert net._parameters["scale"] is None
    net.plain = torch.ones(2)
    assert "plain" in vars(net)
    net.plain = nn.Parameter(torch.ones(2))
    assert "plain" not in vars(net)
    net.plain = None
    assert net._parameters["plain"] is None
    assert "plain" not in dict(net.named_parameters())


def test_delete():
    net = Net()
    del net.head, net.scale, net.scratch
    net.register_buffer("scratch", torch.zeros(1))
    assert "scratch" in net.state_dict()
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'head'"):
        _ = net.head
    with pytest.raises(AttributeError):
        del net.head


def test_buffers():
    """nn.Buffer registers on assignment, is a Tensor, and may be left out of state_dict."""
    m = nn.Module()
    m.a = nn.Buffer(torch.ones(2))
    m.b = nn.Buffer(torch.ones(2), persistent=False)
    assert list(m.state_dict()) == ["a"]
    assert type(m.a) is torch.Tensor
    assert isinstance(m.a, nn.Buffer)
    assert not isinstance(torch.ones(2), nn.Buffer)
    for twin in (copy.deepcopy(m), pickle.loads(pickle.dumps(m))):
        assert isinstance(twin.a, nn.Buffer)
        assert list(twin.state_dict()) == ["a"]
    m.a = torch.zeros(2)
    assert list(m.state_dict()) == ["a"]


@pytest.mark.parametrize("assign", ["layer", "parameter", "buffer"])
def test_assignment_before_init(assign):
    class Forgetful(nn.Module):
        def __init__(self):
            values = {"layer": nn.Identity(), "parameter": nn.Parameter(torch.ones(1)),
                      "buffer": nn.Buffer(torch.ones(1))}
            self.value = values[assign]

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Forgetful()


@pytest.mark.parametrize(("error", "match", "act"), [
    (KeyError, "can.*t contain", lambda m: m.register_buffer("a.b", None)),
    (KeyError, "can.*t be empty", lambda m: m.register_parameter("", None)),
    (KeyError, "can.*t contain", lambda m: m.add_module("a.b", nn.Identity())),
    (KeyError, "already exists", lambda m: m.register_parameter("training", None)),
    (KeyError, "already exists", lambda m: m.add_module("forward", None)),
    (TypeError, "should be a string. Got int", lambda m: m.register_buffer(3, None)),
    (TypeError, "torch Tensor or None", lambda m: m.register_buffer("x", 3)),
    (TypeError, "torch.nn.Parameter or None", lambda m: m.register_parameter("x", 3)),
    (TypeError, "int is not a Module subclass", lambda m: m.add_module("x", 3)),
    (ValueError, "non-leaf", lambda m: m.register_parameter("x", copied_parameter())),
    (AttributeError, "has no attribute `foo`", lambda m: m.get_parameter("foo.bar")),
    (AttributeError, "has no attribute `a`", lambda m: m.get_submodule("a")),
    (AttributeError, "`in_features` is not an nn.Parameter",
     lambda m: nn.Linear(2, 3).get_parameter("in_features")),
    (AttributeError, "`weight` is not an nn.Module",
     lambda m: nn.Linear(2, 3).get_submodule("weight")),
    (AttributeError, "`weight` is not a buffer", lambda m: nn.Linear(2, 3).get_buffer("weight")),
    (NotImplementedError, 'missing the required "forward"', lambda m: m(1)),
    (ValueError, "expected to be boolean", lambda m: m.train(3)),
    (TypeError, "only accepts floating point", lambda m: m.to(torch.int64)),
    (RuntimeError, "CPU only", lambda m: m.to("cuda")),
    (AssertionError, "CPU only; drop cuda", lambda m: m.cuda()),
    (AssertionError, "CPU only; drop xpu", lambda m: m.xpu()),
    (AssertionError, "CPU only; drop mtia", lambda m: m.mtia()),
    (RuntimeError, "CPU only", lambda m: m.ipu()),
    (RuntimeError, "no such dtype", lambda m: m.bfloat16()),
    (RuntimeError, "other processes", lambda m: m.share_memory()),
    (TypeError, "missing 1 required keyword-only argument: 'device'", lambda m: m.to_empty()),
    (RuntimeError, "get_extra_state", lambda m: m.get_extra_state()),
    (RuntimeError, "set_extra_state", lambda m: m.set_extra_state(1)),
    (TypeError, "dict-like", lambda m: m.load_state_dict(3)),
    (TypeError, "takes none", lambda m: nn.Module(3)),
    (TypeError, "got 'a'", lambda m: nn.Module(a=3)),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act(nn.Module())


def copied_parameter():
    """Return a Parameter that claims to be computed."""
    p = nn.Parameter(torch.ones(1))
    p._node = (p * 2)._node
    return p


def test_assigned_buffers_go_through_register_buffer():
    """Also through one that a subclass overrides, with or without `persistent`."""
    class Old(nn.Module):
        def register_buffer(self, name, tensor):
            super().register_buffer(name, tensor)

    old = Old()
    old.a = nn.Buffer(torch.ones(1))
    old.a = torch.zeros(1)
    assert list(old.state_dict()) == ["a"]
    with pytest.raises(RuntimeError, match="`persistent`"):
        old.b = nn.Buffer(torch.ones(1), persistent=False)
    m = nn.Module()
    m.b = nn.Buffer(torch.ones(1), persistent=False)
    m.b = torch.zeros(2)
    assert m.b.tolist() == [0.0, 0.0]
    assert list(m.state_dict()) == []
    m.plain = 3
    with pytest.raises(KeyError, match="already exists"):
        m.plain = nn.Buffer(torch.ones(1))


def test_cooperative_constructors():
    class Base:
        def __init__(self, *args, **kwargs):
            self.seen = args, kwargs

    class Both(nn.Module, Base):
        call_super_init = True

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    both = Both(1, b=2)
    assert both.seen == copy.deepcopy(both).seen == ((1,), {"b": 2})


# ---- walking
def test_shared_things_come_once():
    shared = nn.Linear(2, 2)
    net = nn.Sequential(shared, nn.Identity(), shared)
    assert len(list(net.parameters())) == 2
    assert [n for n, _ in net.named_modules()] == ["", "0", "1"]
    assert [n for n, _ in net.named_children()] == ["0", "1"]
    assert [n for n, _ in net.named_modules(remove_duplicate=False)] == ["", "0", "1", "2"]
    assert len(list(net.modules(remove_duplicate=False))) == 4
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    net[1].weight = shared.weight
    assert len(list(net.parameters())) == 2


def test_by_name():
    net = Net()
    assert net.get_submodule("block.0") is net.block[0]
    assert net.get_submodule("") is net
    assert net.get_parameter("block.0.weight") is net.block[0].weight
    assert net.get_buffer("block.1.running_var") is net.block[1].running_var
    net.set_submodule("block.2", nn.Tanh())
    assert isinstance(net.block[2], nn.Tanh)
    assert [n for n, _ in net.named_parameters(prefix="net", recurse=False)] == ["net.scale"]


def test_apply_and_modes():
    net, seen = Net(), []
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "BatchNorm1d", "ReLU", "Sequential", "Linear", "Net"]
    assert not any(m.training for m in net.eval().modules())
    assert all(m.training for m in net.train().modules())


def test_evaluating_restores_each_flag():
    net = Net()
    net.block.eval()
    before = [m.training for m in net.modules()]
    with pytest.raises(ZeroDivisionError), net.evaluating() as model:
        assert model is net
        assert not any(m.training for m in net.modules())
        assert torch.is_grad_enabled()
        raise ZeroDivisionError
    assert [m.training for m in net.modules()] == before

    @net.evaluating()
    def check():
        return net.training

    assert check() is False
    assert net.training


# ---- copies, printing
def test_copies_are_independent():
    net = Net()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(twin) == repr(net)
        assert torch.equal(net.eval()(torch.ones(2, 4)), twin.eval()(torch.ones(2, 4)))
        with torch.no_grad():
            twin.scale.add_(1)
        assert not torch.equal(net.scale, twin.scale)


def test_deepcopy_keeps_ties():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    twin = copy.deepcopy(net)
    assert twin[1].weight is twin[0].weight


def test_parameter():
    values = torch.ones(2)
    p = nn.Parameter(values)
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert type(p.detach()) is type(p.data) is type(p * 2) is torch.Tensor
    with torch.no_grad():
        p.add_(1)
    assert values.tolist() == [2.0, 2.0]
    assert values._version == p._version == 1
    p.sum().backward()
    for twin in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(twin) is nn.Parameter
        assert twin.requires_grad
        assert twin.grad is None
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(torch.ones(2, dtype=torch.long))
    assert not nn.Parameter(torch.ones(2, dtype=torch.long), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="must be a Tensor, got list"):
        nn.Parameter([1.0])


def test_repr_of_nested_nets():
    assert repr(Net()) == """\
Net(
  (block): Sequential(
    (0): Linear(in_features=4, out_features=3, bias=True)
    (1): BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    (2): ReLU()
  )
  (head): Linear(in_features=3, out_features=2, bias=True)
)"""


# ---- registration hooks
def test_registration_hooks():
    seen = []
    handles = [
        M.register_module_parameter_registration_hook(lambda m, n, p: seen.append(("p", n))),
        M.register_module_buffer_registration_hook(lambda m, n, b: seen.append(("b", n))),
        M.register_module_module_registration_hook(lambda m, n, s: seen.append(("m", n)))]
    try:
        net = nn.Sequential(nn.BatchNorm1d(2, bias=False))
    finally:
        for handle in handles:
            handle.remove()
    nn.Linear(1, 1)
    assert seen == [("p", "weight"), ("b", "running_mean"), ("b", "running_var"),
                    ("b", "num_batches_tracked"), ("m", "0")]
    assert isinstance(net[0], nn.BatchNorm1d)


# ---- names that programs import
def test_names_of_the_inner_modules():
    """Classes and functions stand where PyTorch has them."""
    from minigrad.nn.modules.activation import MultiheadAttention
    from minigrad.nn.modules.batchnorm import _BatchNorm
    from minigrad.nn.modules.conv import _ConvNd, _ConvTransposeNd
    from minigrad.nn.modules.instancenorm import _InstanceNorm
    from minigrad.nn.modules.linear import NonDynamicallyQuantizableLinear
    from minigrad.nn.modules.loss import _Loss, _WeightedLoss
    from minigrad.nn.modules.utils import _pair, _quadruple, _single, _triple
    from minigrad.optim.lr_scheduler import _LRScheduler
    from minigrad.optim.optimizer import Optimizer

    assert isinstance(nn.BatchNorm2d(1), _BatchNorm)
    assert isinstance(nn.ConvTranspose1d(1, 1, 1), _ConvTransposeNd)
    assert issubclass(_ConvTransposeNd, _ConvNd)
    assert M._addindent("a\nb", 3) == "a\n   b"
    assert isinstance(nn.InstanceNorm1d(1), _InstanceNorm)
    assert isinstance(nn.NLLLoss(), _WeightedLoss)
    assert issubclass(_WeightedLoss, _Loss)
    assert type(MultiheadAttention(2, 1).out_proj) is NonDynamicallyQuantizableLinear
    assert (_single(1), _pair((1, 2)), _triple(3), _quadruple(0)) == (
        (1,), (1, 2), (3, 3, 3), (0, 0, 0, 0))
    assert issubclass(torch.optim.SGD, Optimizer)
    assert issubclass(torch.optim.lr_scheduler.StepLR, _LRScheduler)
