"""Every line of the layer table: torch's values and structure, copies, dtypes, strides."""

from __future__ import annotations

import copy
import gzip
import inspect
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from tests.layers import arguments, build, evaluate, families, flatten, lines_of, make

DATA = Path(__file__).parent.parent / "data"
LINES = [line for family in families() for line in lines_of(family)]
FACTS: dict[str, dict] = {}
RECORDED: dict[str, np.ndarray] = {}
for family in families():
    FACTS |= json.loads(gzip.decompress((DATA / f"layers_{family}.json.gz").read_bytes()))
    RECORDED |= np.load(DATA / f"layers_{family}.npz")
RUNS = [(line, mode) for line in LINES if line.inputs for mode in line.modes]

lines = pytest.mark.parametrize("line", LINES, ids=lambda line: line.make)
called = pytest.mark.parametrize("line", [line for line in LINES if line.inputs],
                                 ids=lambda line: line.make)


def recorded(line, mode):
    """Return torch's arrays for one line and mode (recorded once if the modes agree), by name."""
    found = {}
    for each in (mode, line.modes[0]):
        prefix = f"{line.make}/{each}/"
        found = found or {key[len(prefix):]: RECORDED[key] for key in RECORDED
                          if key.startswith(prefix)}
    assert found, "this line was not recorded: run tests/record_layers.py"
    return found


def test_table_is_complete():
    """Every public layer has a line, and every line was recorded."""
    public = {name for name in nn.modules.__all__ if inspect.isclass(getattr(nn, name))
              and issubclass(getattr(nn, name), nn.Module)}
    seen = {type(module).__name__ for line in LINES for module in make(line, torch).modules()}
    assert public - seen == {"Container", "NLLLoss2d"}  # they warn: see test_more_layers.py
    assert {line.make for line in LINES} == set(FACTS)
    assert len(LINES) == len(FACTS), "two lines are equal"


@pytest.mark.parametrize(("line", "mode"), RUNS, ids=[f"{r[0].make}-{r[1]}" for r in RUNS])
def test_values(line, mode):
    """Outputs, gradients, second derivatives and buffers are torch's."""
    expected, found = recorded(line, mode), evaluate(line, torch, mode)
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key].shape == value.shape, key
        assert found[key].dtype == value.dtype, key
        np.testing.assert_allclose(found[key], value, rtol=line.tol, atol=line.tol / 10,
                                   err_msg=key)


@lines
def test_structure(line):
    """The printed form, state_dict's keys and shapes, and the order of parameters are torch's."""
    module, facts = build(line, torch), FACTS[line.make]
    assert repr(module) == facts["repr"]
    state = {key: list(value.shape) for key, value in module.state_dict().items()}
    assert list(state.items()) == list(facts["state_dict"].items())
    assert [name for name, _ in module.named_parameters()] == facts["parameters"]
    assert [name for name, _ in module.named_buffers()] == facts["buffers"]


@lines
def test_state_dict_round_trip(line):
    """A fresh layer takes the state of another one, and then computes the same."""
    source, target = build(line, torch), eval(line.make, {"nn": nn, "torch": torch})
    target = target.double()
    assert repr(target.load_state_dict(source.state_dict())) == "<All keys matched successfully>"
    compare(line, source, target)


@lines
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
                         ids=["deepcopy", "pickle"])
def test_copies(line, duplicate):
    """Copies compute the same and share no memory."""
    module = build(line, torch)
    copied = duplicate(module)
    assert repr(copied) == repr(module)
    compare(line, module, copied)
    for a, b in zip(module.state_dict().values(), copied.state_dict().values(), strict=True):
        assert not np.shares_memory(a.numpy(), b.numpy())


def compare(line, first, second):
    """Check that two layers have equal state and, in eval mode, equal outputs."""
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    if line.inputs:
        outs = [flatten(m.eval()(*arguments(line, torch)), torch) for m in (first, second)]
        for a, b in zip(*outs, strict=True):
            assert np.array_equal(a.detach().numpy(), b.detach().numpy())


@called
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-4), ("float16", 0.06)])
def test_lower_precision(line, dtype, tolerance):
    """In float32 and float16 results keep their dtype and are near the float64 ones."""
    mode = line.modes[-1]
    expected, found = recorded(line, mode), evaluate(line, torch, mode, dtype, order=1)
    for key, value in found.items():
        reference = expected.get(key, np.zeros(value.shape))
        kinds = (dtype,) if reference.dtype.kind == "f" else ("int64",)
        assert value.dtype.name in kinds, key
        scale = max(1.0, float(np.abs(reference).max(initial=0)))
        np.testing.assert_allclose(value, reference, rtol=tolerance, atol=tolerance * scale,
                                   err_msg=key)


@called
def test_strides_do_not_matter(line):
    """Inputs that are not contiguous, or reversed in memory, give the same results."""
    module = build(line, torch).eval()
    plain = flatten(module(*arguments(line, torch)), torch)
    odd = []
    for tensor in arguments(line, torch):
        spread = np.zeros([2 * n for n in tensor.shape], tensor.detach().numpy().dtype)
        view = spread[tuple(slice(None, None, 2) for _ in tensor.shape)].T.copy().T
        view[...] = tensor.detach().numpy()
        odd.append(torch.from_numpy(view).requires_grad_(tensor.requires_grad))
    for a, b in zip(plain, flatten(module(*odd), torch), strict=True):
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-12, atol=1e-13)


@called
def test_inputs_stay(line):
    """A layer changes its input only if it was told so."""
    inputs = arguments(line, torch)
    before = [t.detach().numpy().copy() for t in inputs]
    build(line, torch).eval()(*inputs)
    if "True" not in line.make or "inplace" not in vars(build(line, torch)):
        for t, old in zip(inputs, before, strict=True):
            assert np.array_equal(t.detach().numpy(), old)


def differentiable(line, mode):
    """Return the layer and its inputs; skip where there is nothing to differentiate."""
    module, inputs = build(line, torch).train(mode == "train"), arguments(line, torch)
    leaves = [t for t in inputs if t.requires_grad] + list(module.parameters())
    outs = [t for t in flatten(module(*inputs), torch) if t.requires_grad]
    if not leaves or not outs:
        pytest.skip("nothing to differentiate")
    return module, inputs


EXACT = pytest.mark.parametrize(
    ("line", "mode"), [run for run in RUNS if run[0].exact],
    ids=[f"{line.make}-{mode}" for line, mode in RUNS if line.exact])


@EXACT
def test_gradient_in_a_random_direction(line, mode):
    """The gradient agrees with a difference of outputs: inputs and parameters all moved at once."""
    differentiable(line, mode)
    rng = np.random.default_rng(0)
    directions = {}

    def loss(step):
        module, inputs = build(line, torch).train(mode == "train"), arguments(line, torch)
        moved = [t for t in inputs if t.requires_grad] + list(module.parameters())
        with torch.no_grad():
            for k, t in enumerate(moved):
                d = directions.setdefault(k, rng.standard_normal(t.shape))
                t.copy_(torch.from_numpy(t.detach().numpy() + step * d))
        out = flatten(module(*inputs), torch)[0]
        weights = np.cos(np.arange(out.numel())).reshape(out.shape)
        return (out * torch.from_numpy(weights)).sum(), moved

    value, moved = loss(0.0)
    grads = torch.autograd.grad(value, moved, allow_unused=True)
    analytic = sum(float((g.numpy() * directions[k]).sum())
                   for k, g in enumerate(grads) if g is not None)
    numeric = (loss(1e-6)[0].item() - loss(-1e-6)[0].item()) / 2e-6
    assert analytic == pytest.approx(numeric, rel=1e-6, abs=1e-6)


@pytest.mark.slow
@EXACT
def test_gradcheck(line, mode):
    """Every element of the first derivatives, and the second ones, agree with differences."""
    module, inputs = differentiable(line, mode)
    assert torch.autograd.gradcheck(module, tuple(inputs))
    assert torch.autograd.gradgradcheck(module, tuple(inputs), fast_mode=True, atol=1e-4)
