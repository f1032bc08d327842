"""Lazy layers: shapes from the first call or from a file, copies, dtypes, errors before that."""

from __future__ import annotations

import copy
import math
import pickle

import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn.modules.lazy import LazyModuleMixin
from minigrad.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from tests.cycles import no_cycles

CASES = {
    "LazyLinear(4)": ((2, 3), "Linear(3, 4)"),
    "LazyConv1d(4, 2)": ((2, 3, 5), "Conv1d(3, 4, 2)"),
    "LazyConv2d(4, 2)": ((2, 3, 5, 5), "Conv2d(3, 4, 2)"),
    "LazyConv3d(4, 2)": ((2, 3, 4, 4, 4), "Conv3d(3, 4, 2)"),
    "LazyConvTranspose1d(4, 2)": ((2, 3, 5), "ConvTranspose1d(3, 4, 2)"),
    "LazyConvTranspose2d(4, 2)": ((2, 3, 5, 5), "ConvTranspose2d(3, 4, 2)"),
    "LazyConvTranspose3d(4, 2)": ((2, 3, 4, 4, 4), "ConvTranspose3d(3, 4, 2)"),
    "LazyBatchNorm1d()": ((2, 3), "BatchNorm1d(3)"),
    "LazyBatchNorm2d()": ((2, 3, 4, 4), "BatchNorm2d(3)"),
    "LazyBatchNorm3d()": ((2, 3, 4, 4, 4), "BatchNorm3d(3)"),
    "LazyInstanceNorm1d()": ((2, 3, 4), "InstanceNorm1d(3, 1e-5, 0.1, True, True)"),
    "LazyInstanceNorm2d()": ((2, 3, 4, 4), "InstanceNorm2d(3, 1e-5, 0.1, True, True)"),
    "LazyInstanceNorm3d()": ((2, 3, 4, 4, 4), "InstanceNorm3d(3, 1e-5, 0.1, True, True)"),
}
every = pytest.mark.parametrize("make", CASES)


def layer(make, **options):
    given = "".join(f", {name}={value}" for name, value in options.items())
    made = make[:-1] + (given if not make.endswith("()") else given[2:]) + ")"
    return eval(f"nn.{made}", {"nn": nn, "torch": torch})


def example(make, dtype=torch.float32):
    shape = CASES[make][0]
    return torch.arange(math.prod(shape)).reshape(shape).to(dtype).cos()


# ---- the first call
@every
def test_first_call_makes_the_ordinary_layer(make):
    lazy, plain = layer(make), layer(CASES[make][1])
    assert lazy.has_uninitialized_params()
    assert "(0, " in repr(lazy) or "in_features=0" in repr(lazy)
    parameters = list(lazy.parameters())
    assert all(type(p) is UninitializedParameter for p in parameters)
    torch.manual_seed(0)
    lazy(example(make))
    assert type(lazy) is type(plain)
    assert repr(lazy) == repr(plain)
    assert all(a is b for a, b in zip(parameters, lazy.parameters(), strict=True))
    assert list(lazy.state_dict()) == list(plain.state_dict())
    assert not lazy._forward_pre_hooks
    assert not lazy._load_state_dict_pre_hooks
    assert not {"_load_hook", "_initialize_hook", "_generator"} & set(vars(lazy))


@pytest.mark.parametrize("make", [make for make in CASES if "Norm" not in make])
def test_draws_as_the_ordinary_layer(make):
    """The same generator gives the same first values, and the default one is left alone."""
    before = torch.get_rng_state()
    seed = "torch.Generator().manual_seed(5)"
    lazy, plain = layer(make, generator=seed), layer(CASES[make][1], generator=seed)
    lazy(example(make))
    for a, b in zip(lazy.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(torch.get_rng_state(), before)


@every
def test_dtype_before_the_first_call(make):
    for lazy in (layer(make, dtype="torch.float64"), layer(make).double(),
                 layer(make).to("cpu", torch.float64)):
        lazy(example(make, torch.float64))
        assert {p.dtype for p in lazy.parameters()} == {torch.float64}
        assert {b.dtype for b in lazy.buffers()} <= {torch.float64, torch.int64}


@every
def test_freezing_and_training(make):
    frozen = layer(make).requires_grad_(False)
    assert not any(p.requires_grad for p in frozen.parameters())
    frozen(example(make))
    assert not any(p.requires_grad for p in frozen.parameters())
    lazy = layer(make)
    optimizer = torch.optim.SGD(lazy.parameters(), lr=0.1)
    lazy.zero_grad()
    ((lazy(example(make)) + 1) ** 3).sum().backward()
    before = {name: p.detach().clone() for name, p in lazy.named_parameters()}
    optimizer.step()
    assert not torch.equal(lazy.weight, before["weight"])


def test_in_a_net():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    assert net(torch.ones(2, 3, 5, 5)).shape == (2, 2)
    assert [type(m).__name__ for m in net] == ["Conv2d", "BatchNorm2d", "Flatten", "Linear"]
    assert net[3].in_features == 36


# ---- copies and files
@every
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
                         ids=["deepcopy", "pickle"])
def test_copies(make, duplicate):
    lazy = layer(make)
    twin = duplicate(lazy)
    twin(example(make))
    assert type(twin).__name__ == type(lazy).__name__.removeprefix("Lazy")
    assert lazy.has_uninitialized_params()
    again = duplicate(twin)
    assert repr(again) == repr(twin)
    assert torch.equal(again.weight, twin.weight)


@every
@pytest.mark.parametrize("assign", [False, True])
def test_loading_gives_shapes(make, assign):
    source, target = layer(make), layer(make)
    x = example(make)
    source(x)
    assert target.load_state_dict(source.state_dict(), assign=assign).missing_keys == []
    assert not target.has_uninitialized_params()
    for a, b in zip(source.state_dict().values(), target.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(source.eval()(x), target.eval()(x))
    assert repr(target) == repr(source)


@every
def test_state_without_shapes(make):
    """It loads into a layer without shapes, where it changes nothing; else the error says why."""
    lazy, other = layer(make), layer(make)
    state = lazy.state_dict()
    assert is_lazy(state["weight"])
    other.load_state_dict(state)
    assert other.has_uninitialized_params()
    other(example(make))
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized"):
        other.load_state_dict(state)
    with pytest.raises(RuntimeError, match="Missing"):
        layer(make).load_state_dict({})


def test_no_cycles():
    """A lazy layer is freed at once, before its first call, too."""
    with no_cycles():
        for make in CASES:
            layer(make)


# ---- refusals
@every
def test_use_before_the_first_call(make):
    lazy = layer(make)
    with pytest.raises(ValueError, match=r"uninitialized parameter|num_features \(0\)"):
        lazy.forward(example(make))
    with pytest.raises(ValueError, match="dummy batch"):
        sum(p.numel() for p in lazy.parameters())
    with pytest.raises(RuntimeError, match="shape"):
        _ = lazy.weight.shape
    lazy.reset_parameters()
    assert lazy.has_uninitialized_params()
    assert lazy.apply(lambda m: None) is lazy


@pytest.mark.parametrize(("error", "match", "act"), [
    (ValueError, "3 channels in the input and 2 groups",
     lambda: nn.LazyConv2d(4, 3, groups=2)(torch.ones(1, 3, 5, 5))),
    (RuntimeError, r"Expected 3D \(unbatched\) or 4D \(batched\) input to LazyConv2d",
     lambda: nn.LazyConv2d(4, 3)(torch.ones(5, 5))),
    (ValueError, "expected 4D input", lambda: nn.LazyBatchNorm2d()(torch.ones(2, 3))),
    (IndexError, "tuple index", lambda: nn.LazyLinear(2)(torch.tensor(1.0))),
    (TypeError, "initialize_parameters", lambda: nn.LazyLinear(2)()),
    (RuntimeError, "CPU only", lambda: nn.LazyLinear(2, device="cuda")),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()


def test_loaded_weight_that_does_not_fit():
    lazy = nn.LazyLinear(4)
    lazy.load_state_dict(nn.Linear(3, 4).state_dict())
    with pytest.raises(AssertionError, match=r"from input: 5 is not equal .* self.weight: 3"):
        lazy(torch.ones(1, 5))
    assert lazy(torch.ones(1, 3)).shape == (1, 4)


def test_unbatched_instance_norm():
    """Beyond PyTorch, whose lazy form reads the channels of one sample from the wrong dimension."""
    lazy = nn.LazyInstanceNorm2d()
    assert lazy(torch.randn(3, 4, 5)).shape == (3, 4, 5)
    assert lazy.num_features == 3


# ---- own lazy modules
class Scale(LazyModuleMixin, nn.Module):
    """A lazy module of a user: learns one factor per feature."""

    def __init__(self):
        super().__init__()
        self.weight = UninitializedParameter()

    def initialize_parameters(self, x, power=1):
        if self.has_uninitialized_params():
            self.weight.materialize(x.shape[-1:])
            nn.init.constant_(self.weight, 2 ** power)

    def forward(self, x, power=1):
        return x * self.weight


def test_own_module():
    own = Scale()
    assert own(torch.ones(3), power=3).tolist() == [8, 8, 8]
    assert own(torch.ones(3)).tolist() == [8, 8, 8]
    assert type(own) is Scale

    class Named(Scale):
        cls_to_become = nn.Identity

    named = Named()
    assert named(torch.ones(1)).item() == 2  # the first call is still the lazy class's
    assert type(named) is nn.Identity
    assert named(torch.ones(1)).item() == 1

    class Forgetful(Scale):
        def initialize_parameters(self, x):
            pass

    with pytest.raises(RuntimeError, match="Forgetful has not been fully initialized"):
        Forgetful()(torch.ones(1))

    class Silent(LazyModuleMixin, nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="initialize_parameters is not implemented"):
        Silent()(torch.ones(1))


# ---- uninitialised parameters and buffers
@pytest.mark.parametrize("kind", [UninitializedParameter, UninitializedBuffer])
def test_uninitialised(kind):
    waiting = kind(dtype=torch.float64)
    assert repr(waiting) == f"<{kind.__name__}>"
    assert is_lazy(waiting)
    assert waiting.dtype is waiting.half().double().dtype is torch.float64
    assert waiting.to(torch.float16).dtype is torch.float16
    assert waiting.requires_grad is (kind is UninitializedParameter)
    assert isinstance(waiting, nn.Parameter) is (kind is UninitializedParameter)
    assert isinstance(waiting, nn.Buffer) is (kind is UninitializedBuffer)
    for use in (lambda: waiting + 1, lambda: waiting.sum(), lambda: len(waiting),
                lambda: torch.relu(waiting), lambda: nn.init.zeros_(waiting),
                lambda: waiting.detach(), lambda: waiting.register_hook(print)):
        with pytest.raises(ValueError, match="uninitialized"):
            use()
    with pytest.raises(RuntimeError, match="share memory"):
        waiting.share_memory_()
    with pytest.raises(RuntimeError, match="materialize"):
        waiting.copy_(torch.ones(1))
    assert waiting.copy_(kind()) is waiting
    for twin in (copy.deepcopy(waiting), pickle.loads(pickle.dumps(waiting))):
        assert type(twin) is kind
        assert twin.dtype is torch.float64
    waiting.materialize((2, 3))
    assert type(waiting) is kind.cls_to_become
    assert waiting.shape == (2, 3)
    assert waiting.dtype is torch.float64
    assert waiting.requires_grad is (kind is UninitializedParameter)
    assert waiting.is_leaf
    number = kind(requires_grad=False)
    number.materialize(5, dtype=torch.int64)
    assert number.shape == (5,)
    assert number.dtype is torch.int64
    with pytest.raises(RuntimeError, match="floating point"):
        kind(True, dtype=torch.int64)


def test_a_module_that_is_not_lazy_refuses_values():
    m = nn.Module()
    m.weight = UninitializedParameter()
    with pytest.raises(RuntimeError, match="materialize"):
        m.load_state_dict({"weight": torch.ones(2)})
