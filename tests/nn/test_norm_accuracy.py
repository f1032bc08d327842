"""Norms where naive formulas lose digits: far means, constants, half precision, extreme sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from tests.accuracy import whole
from tests.accuracy.norms import CASES, EXTENDED, NORMS, SHAPE, arrays, evaluate, reference

F = torch.nn.functional
DATA = np.load(Path(__file__).parent.parent / "data" / "accuracy_norms.npz")

# Squares overflow beyond 1e153 in float64: the variance is infinite and xhat is 0, as torch has it.
OVERFLOW = ("large64", "huge64")
# Products of subnormal numbers have few digits.
FEW_DIGITS = {("subnormal64", "dw"): 256, ("subnormal32", "dw"): 32}

extended = pytest.mark.skipif(not EXTENDED, reason="longdouble has no more digits than double here")


@extended
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NORMS)
def test_errors_are_at_most_two_units(name, case):
    """Values and gradients: two units, where torch's error reaches 1e15 of them."""
    right = reference(NORMS[name], CASES[case])
    found = evaluate(NORMS[name], CASES[case], torch)
    assert found.keys() == right.keys()
    for key, value in found.items():
        assert value.dtype == CASES[case].dtype
        theirs = whole(DATA[f"{name}/{case}/{key}"], right[key])
        ours = whole(value, right[key])
        if case in OVERFLOW and name != "frozen":
            assert ours <= max(2, theirs), key
        else:
            assert ours <= FEW_DIGITS.get((case, key), 2), f"{key}: {ours} (torch: {theirs})"


@extended
def test_torch_does_lose_them():
    """Otherwise these inputs would not be hard ones."""
    for case in ("far32", "far64", "farther64"):
        for name in ("batch", "instance", "group", "layer"):
            right = reference(NORMS[name], CASES[case])["y"]
            assert whole(DATA[f"{name}/{case}/y"], right) > 1000


@extended
@pytest.mark.parametrize("name", NORMS)
def test_half_precision_is_rounded_once(name):
    """Computed in float32: the results are the float16 numbers next to the right ones."""
    for case in ("usual16", "far16"):
        found = evaluate(NORMS[name], CASES[case], torch)["y"]
        right = reference(NORMS[name], CASES[case])["y"]
        unit = np.spacing(np.maximum(np.abs(right), 0.25).astype(np.float16)).astype(float)
        assert (np.abs(found - right) / unit).max() <= 0.51


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [0.0, 3.7, -1e4])
def test_constants_become_the_bias(dtype, value):
    """A constant has the deviation 0 exactly, whatever its size: no noise is blown up by eps."""
    x = torch.full(SHAPE, value, dtype=getattr(torch, dtype))
    b = torch.arange(1.0, 5.0, dtype=x.dtype)
    expected = b[:, None].expand(SHAPE)
    options = {"weight": torch.full_like(b, 7), "bias": b, "eps": 1e-12}
    for y in (F.batch_norm(x, None, None, training=True, **options),
              F.instance_norm(x, **options), F.group_norm(x, 2, **options)):
        assert torch.equal(y, expected)
    assert not F.layer_norm(x, SHAPE[1:], eps=1e-12).any()


def test_groups_of_one_value():
    """One value is its own mean: layer_norm gives the bias and no gradient; others refuse."""
    x = torch.tensor([[3.0], [1e6]], requires_grad=True)
    y = F.layer_norm(x, (1,), torch.tensor([2.0]), torch.tensor([0.5]))
    assert y.tolist() == [[0.5], [0.5]]
    (g,) = torch.autograd.grad((y * y).sum(), x)
    assert g.tolist() == [[0], [0]]
    for call in (lambda: F.batch_norm(x[:1], None, None, training=True),
                 lambda: F.instance_norm(x[:, :, None]), lambda: F.group_norm(x[:1], 1)):
        with pytest.raises(ValueError, match="Expected more than 1"):
            call()


@extended
def test_running_statistics_of_far_means():
    """They keep the digits, too: the mean to its last place, the variance to 1e-9 (float64)."""
    case = CASES["far64"]
    x = arrays(NORMS["batch"], case)["x"]
    mean, var = np.zeros(4), np.zeros(4)
    F.batch_norm(torch.from_numpy(x), torch.from_numpy(mean), torch.from_numpy(var), training=True,
                 momentum=1.0)
    wide = x.astype(np.longdouble)
    np.testing.assert_allclose(mean, wide.mean((0, 2)).astype(float), rtol=2.3e-16)
    np.testing.assert_allclose(var, wide.var((0, 2), ddof=1).astype(float), rtol=1e-9)


@pytest.mark.parametrize("name", ["batch", "instance", "group", "layer", "rms"])
def test_non_finite_values_stay_in_their_group(name):
    """A nan or infinity spoils its own mean and no other."""
    for bad in (np.nan, np.inf):
        norm = NORMS[name]
        made = {key: torch.from_numpy(value)
                for key, value in arrays(norm, CASES["usual32"]).items()}
        names = {**made, "F": F, "eps": 1e-5, "C": 4, "L": 6}
        before = eval(norm.call, names).numpy()
        made["x"].numpy()[1, 2, 3] = bad
        after = eval(norm.call, names).numpy()
        group = np.zeros((3, 2, 2, 6), bool).transpose(norm.order)
        spot = np.zeros(SHAPE, bool)
        spot[1, 2, 3] = True
        group |= spot.reshape(3, 2, 2, 6).transpose(norm.order).any(
            tuple(range(4 - norm.shared, 4)), keepdims=True)
        inside = group.transpose(np.argsort(norm.order)).reshape(SHAPE)
        assert np.isnan(after[1, 2, 3])
        np.testing.assert_allclose(after[~inside], before[~inside], rtol=1e-6, atol=1e-6)
