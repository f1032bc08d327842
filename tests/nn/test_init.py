"""nn.init: distributions, bounds, structure, refusals; the layers' default initialisation."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn import init


def moments(tensor):
    values = tensor.detach().numpy().astype(np.float64)
    return values.mean(), values.std(), values.min(), values.max()


def check_uniform(tensor, bound):
    mean, std, low, high = moments(tensor)
    assert mean == pytest.approx(0, abs=4 * bound / math.sqrt(3 * tensor.numel()))
    assert std == pytest.approx(bound / math.sqrt(3), rel=0.03)
    assert -bound <= low < -0.95 * bound
    assert 0.95 * bound < high <= bound


def check_normal(tensor, std):
    mean, found, low, high = moments(tensor)
    assert mean == pytest.approx(0, abs=4 * std / math.sqrt(tensor.numel()))
    assert found == pytest.approx(std, rel=0.03)
    assert high > 2.5 * std
    assert low < -2.5 * std


def test_plain_distributions():
    x = torch.empty(60, 70)
    assert init.uniform_(x, -2, 2) is x
    check_uniform(x, 2)
    check_normal(init.normal_(x, 0, 3), 3)
    assert moments(init.normal_(x, 5, 0.1))[0] == pytest.approx(5, abs=0.01)
    assert set(init.constant_(x, 2.5).flatten().tolist()) == {2.5}
    assert set(init.ones_(x).flatten().tolist()) == {1.0}
    assert set(init.zeros_(x).flatten().tolist()) == {0.0}


def test_fans():
    """Bounds follow fan_in and fan_out, convolutions included (torch's formulas)."""
    w = torch.empty(40, 30, 3, 2)
    assert init._calculate_fan_in_and_fan_out(w) == (180, 240)
    check_uniform(init.xavier_uniform_(w, gain=2), 2 * math.sqrt(6 / 420))
    check_normal(init.xavier_normal_(w), math.sqrt(2 / 420))
    check_uniform(init.kaiming_uniform_(w, nonlinearity="relu"), math.sqrt(2) * math.sqrt(3 / 180))
    check_uniform(init.kaiming_uniform_(w, a=0.5, mode="fan_out"),
                  math.sqrt(2 / 1.25) * math.sqrt(3 / 240))
    check_normal(init.kaiming_normal_(w, nonlinearity="linear"), 1 / math.sqrt(180))


@pytest.mark.parametrize(("args", "gain"), [
    (("linear",), 1), (("conv2d",), 1), (("sigmoid",), 1), (("tanh",), 5 / 3),
    (("relu",), math.sqrt(2)), (("selu",), 0.75), (("leaky_relu",), math.sqrt(2 / 1.0001)),
    (("leaky_relu", 0.2), 1.3867504905630728)])
def test_gain(args, gain):
    assert init.calculate_gain(*args) == pytest.approx(gain, rel=1e-15)


@pytest.mark.parametrize(("low", "high"), [(-2, 2), (-0.1, 0.3), (3, 9), (-8, -5), (-1, 40)])
def test_trunc_normal(low, high):
    """Mean and bounds of the truncated normal, near the centre and in the tails."""
    with np.errstate(all="ignore"):
        grid = np.linspace(low, high, 200_001)
        density = np.exp(-grid**2 / 2)
    expected = (grid * density).sum() / density.sum()
    spread = math.sqrt(((grid - expected) ** 2 * density).sum() / density.sum())
    x = torch.empty(20_000, dtype=torch.float64)
    if low > 2 or high < -2:
        with pytest.warns(UserWarning, match="more than 2 std"):
            init.trunc_normal_(x, a=low, b=high)
    else:
        init.trunc_normal_(x, a=low, b=high)
    mean, std, least, most = moments(x)
    assert low <= least <= most <= high
    assert mean == pytest.approx(expected, abs=5 * spread / math.sqrt(20_000))
    assert std == pytest.approx(spread, rel=0.05)


def test_structure():
    assert init.eye_(torch.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    w = init.dirac_(torch.empty(4, 2, 3), groups=2)
    x = torch.randn(1, 4, 5)
    assert torch.allclose(nn.functional.conv1d(x, w, padding=1, groups=2), x)
    for shape in ((5, 8), (8, 5), (4, 3, 2)):
        q = init.orthogonal_(torch.empty(shape, dtype=torch.float64), gain=2).numpy()
        q = q.reshape(len(q), -1)
        gram = q @ q.T if len(q) <= q.shape[1] else q.T @ q
        np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)
    sparse = init.sparse_(torch.empty(10, 7), sparsity=0.25).numpy()
    assert ((sparse == 0).sum(0) == 3).all()


def test_generator_and_grad_mode():
    """The same generator gives the same values; leaves that require grad may be written."""
    w = nn.Parameter(torch.empty(3, 4))
    for name in ("uniform_", "normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_",
                 "kaiming_normal_", "orthogonal_", "trunc_normal_"):
        function = getattr(init, name)
        first = function(w, generator=torch.Generator().manual_seed(1)).tolist()
        assert function(w, generator=torch.Generator().manual_seed(1)).tolist() == first
        assert function(w, generator=torch.Generator().manual_seed(2)).tolist() != first
    assert w.requires_grad
    assert w.is_leaf
    assert w._version == 24


@pytest.mark.parametrize(("error", "match", "act"), [
    (ValueError, "Unsupported nonlinearity", lambda: init.calculate_gain("foo")),
    (ValueError, "not a valid number", lambda: init.calculate_gain("leaky_relu", "a")),
    (RuntimeError, "from=3", lambda: init.uniform_(torch.empty(2), 3, 1)),
    (RuntimeError, "a=2 > b=1", lambda: init.trunc_normal_(torch.empty(2), 0, 1, 2, 1)),
    (NotImplementedError, "int64", lambda: init.normal_(torch.empty(2, dtype=torch.int64))),
    (NotImplementedError, "int64", lambda: init.uniform_(torch.empty(2, dtype=torch.int64))),
    (NotImplementedError, "bool", lambda: init.trunc_normal_(torch.empty(2, dtype=torch.bool))),
    (RuntimeError, "std -1", lambda: init.normal_(torch.empty(2), 0, -1)),
    (ValueError, "Mode x not supported", lambda: init.kaiming_normal_(torch.empty(2, 2), mode="x")),
    (ValueError, "fewer than 2", lambda: init.xavier_normal_(torch.empty(2))),
    (ValueError, "divisible by groups", lambda: init.dirac_(torch.empty(3, 2, 3), groups=2)),
    (ValueError, "3, 4, or 5", lambda: init.dirac_(torch.empty(3, 2))),
    (ValueError, "2 or more dimensions", lambda: init.orthogonal_(torch.empty(3))),
    (ValueError, "2 dimensions", lambda: init.sparse_(torch.empty(3), 0.1)),
    (ValueError, "2 dimensions", lambda: init.eye_(torch.empty(3))),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()


def test_old_names_warn():
    with pytest.warns(FutureWarning, match=r"nn.init.normal_"):
        init.normal(torch.empty(2))
    with pytest.warns(UserWarning, match="zero-element"):
        init.kaiming_normal_(torch.empty(0, 3))


@pytest.mark.parametrize(("layer", "bound"), [
    (lambda: nn.Linear(50, 80), 1 / math.sqrt(50)),
    (lambda: nn.Conv2d(8, 60, 3), 1 / math.sqrt(72)),
    (lambda: nn.Conv1d(40, 80, 3, groups=4), 1 / math.sqrt(30)),
    (lambda: nn.ConvTranspose2d(40, 20, 3), 1 / math.sqrt(180)),
    (lambda: nn.Bilinear(10, 20, 30), 1 / math.sqrt(10)),
])
def test_default_initialisation(layer, bound):
    """weight and bias are uniform in +-1 / sqrt(fan_in)."""
    made = layer()
    check_uniform(made.weight, bound)
    assert float(made.bias.abs().max()) <= bound
    assert float(made.bias.std()) > 0.3 * bound


def test_other_default_values():
    check_normal(nn.Embedding(80, 60).weight, 1)
    assert nn.Embedding(4, 3, padding_idx=2).weight[2].tolist() == [0, 0, 0]
    assert nn.PReLU(3).weight.tolist() == [0.25] * 3
    bn = nn.BatchNorm1d(2)
    assert [t.tolist() for t in bn.state_dict().values()] == [[1, 1], [0, 0], [0, 0], [1, 1], 0]
    with pytest.warns(UserWarning, match="zero-element"):
        nn.Linear(0, 3)


@pytest.mark.parametrize("make", [
    lambda g: nn.Linear(3, 4, generator=g), lambda g: nn.Conv2d(2, 3, 3, generator=g),
    lambda g: nn.ConvTranspose1d(2, 3, 3, generator=g), lambda g: nn.Embedding(4, 3, generator=g),
    lambda g: nn.Bilinear(2, 3, 4, generator=g)])
def test_constructors_take_a_generator(make):
    """With a generator of its own a layer leaves the default one alone."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = make(torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)
    again = make(torch.Generator().manual_seed(1))
    other = make(torch.Generator().manual_seed(2))
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
    assert "generator" not in repr(first)


def test_factory_arguments():
    layer = nn.Linear(2, 3, device="cpu", dtype=torch.float16)
    assert layer.weight.dtype is layer.bias.dtype is torch.float16
    assert nn.BatchNorm2d(3, dtype=torch.float64).running_var.dtype is torch.float64
    with pytest.raises(RuntimeError, match="CPU only"):
        nn.Linear(2, 3, device="cuda")
    torch.set_default_dtype(torch.float64)
    try:
        assert nn.Linear(2, 3).weight.dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
