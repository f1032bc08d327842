"""Wrong calls raise PyTorch's classes, in sentences that name what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import minigrad as torch
from minigrad import nn
from minigrad._check import takes
from tests.nn.refused_calls import CALLS, outcome

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "refusals.json").read_text())
INTERNAL = re.compile(r"not supported between|unsupported operand|object has no|unhashable|ufunc|"
                      r"cannot be interpreted|not iterable|could not (convert|broadcast)|ambiguous")


@pytest.mark.parametrize("call", CALLS)
def test_class_and_sentence(call):
    kind, text = outcome(call, torch)
    assert kind == RECORDED[call], text
    assert len(text) > 20
    assert not INTERNAL.search(text), text


def test_a_wrong_type_is_looked_for_after_a_failure_only():
    """What works stays allowed: a NumPy number, a tensor of one element, a default."""
    looked = []

    @takes("input")
    def function(input, count: int = 1, training: bool = False):
        looked.append(count)
        return input + count

    assert function(2, 3) == 5
    with pytest.raises(TypeError, match=r"argument 'input' .position 1. must be Tensor, not int 2"):
        function(2, "x")
    with pytest.raises(TypeError, match=r"'count' .position 2. must be int, not str"):
        function(torch.ones(1), "x")
    with pytest.raises(TypeError, match="missing 1 required"):
        function()
    assert looked == [3, "x", "x"]


def test_a_refused_batch_leaves_the_statistics_alone():
    layer = nn.BatchNorm1d(3)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    for wrong in (torch.ones(1, 3), torch.ones(4, 2), torch.ones(4, 3, dtype=torch.int64)):
        with pytest.raises((RuntimeError, ValueError)):
            layer(wrong)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("input, target", [((), ()), ((), (1,)), ((3,), (1,)), ((1, 3), ())])
def test_margin_losses_take_one_sample_in_any_form(input, target):
    """The loss of scores 0.1, 0.2, 0.3 of which the first is right: (1.1 + 1.2) / 3."""
    scores = torch.tensor([0.1, 0.2, 0.3] if input else [0.1]).reshape(input)
    index = torch.zeros(target, dtype=torch.int64)
    loss = nn.functional.multi_margin_loss(scores, index, reduction="none")
    assert loss.shape == target
    assert loss.item() == pytest.approx(2.3 / 3 if input else 0)


def test_margin_losses_of_nothing():
    empty = torch.zeros(0, 3)
    assert nn.functional.multi_margin_loss(empty, torch.zeros(0, dtype=torch.int64)) == 0
    labels = torch.zeros(0, 3, dtype=torch.int64)
    assert nn.functional.multilabel_margin_loss(empty, labels) == 0
