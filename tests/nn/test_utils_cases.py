"""nn.utils against torch's recorded results: parametrizations, pruning, fusion, stateless calls."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from tests.layers import build, evaluate
from tests.nn.utils_cases import CASES, LINES

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
DATA = Path(__file__).parent.parent / "data"
ARRAYS = dict(np.load(DATA / "nn_utils.npz"))
TEXTS = json.loads(gzip.decompress((DATA / "nn_utils.json.gz").read_bytes()))
lines = pytest.mark.parametrize("line", LINES, ids=lambda line: line.make)


def recorded(prefix):
    return {key.removeprefix(prefix): value for key, value in ARRAYS.items()
            if key.startswith(prefix)}


@lines
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_values(line, mode):
    """Outputs, gradients, second derivatives and buffers are torch's."""
    expected = recorded(f"{line.make}/{mode}/") or recorded(f"{line.make}/train/")
    found = evaluate(line, torch, mode)
    assert set(found) == set(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-9, atol=1e-10, err_msg=key)


@lines
def test_structure(line):
    """The printed form, state_dict's keys and the order of parameters are torch's."""
    module, facts = build(line, torch), TEXTS["layers"][line.make]
    assert repr(module) == facts["repr"]
    state = {key: list(value.shape) for key, value in module.state_dict().items()}
    assert list(state.items()) == list(facts["state_dict"].items())
    assert [name for name, _ in module.named_parameters()] == facts["parameters"]
    assert [name for name, _ in module.named_buffers()] == facts["buffers"]


@lines
def test_state_dict_round_trip(line):
    source, target = build(line, torch), eval(line.make, {"nn": nn, "torch": torch}).double()
    assert repr(target.load_state_dict(source.state_dict())) == "<All keys matched successfully>"
    for a, b in zip(source.state_dict().values(), target.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_case(case):
    """Numbers, printed forms and facts are torch's."""
    found, name = case(torch), case.__name__
    arrays, texts = recorded(name + ":"), TEXTS["cases"][name]
    assert set(found) == {*arrays, *texts}
    for key, value in texts.items():
        assert found[key] == value, key
    for key, value in arrays.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-9, atol=1e-10, err_msg=key)


@lines
def test_gradients(line):
    """First and second derivatives agree with differences, through parameters too (eval mode)."""
    module = build(line, torch).eval()
    if "prune" in line.make:  # the mask is a buffer, drawn at random by the table
        module.weight_mask.fill_(1)
    x = torch.from_numpy(line.inputs[0].array(np.random.default_rng(0))).requires_grad_()
    assert torch.autograd.gradcheck(module, (x,))
    assert torch.autograd.gradgradcheck(module, (x,), fast_mode=True, atol=1e-4)
