"""Pruning: statistics of random masks, containers, refusals (torch's masks: test_utils_cases)."""

from __future__ import annotations

import copy

import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn.utils import prune


def layer():
    return nn.Linear(4, 3)


def test_random_masks_follow_the_generator():
    masks = [prune.random_unstructured(nn.Linear(50, 40), "weight", 0.3, generator=g).weight_mask
             for g in (torch.Generator().manual_seed(3) for _ in range(2))]
    assert torch.equal(*masks)
    assert masks[0].sum() == 50 * 40 * 0.7
    rows = prune.random_structured(layer(), "weight", 1, 0,
                                   generator=torch.Generator().manual_seed(1)).weight_mask
    assert sorted(rows.sum(1).tolist()) == [0, 4, 4]


def test_every_element_may_go():
    """Over many draws each element is pruned about as often."""
    counts = torch.zeros(3, 4)
    for _ in range(400):
        counts += 1 - prune.random_unstructured(layer(), "weight", 3).weight_mask
    assert counts.min() > 60
    assert counts.max() < 140


def test_the_mask_holds_while_training():
    m = prune.l1_unstructured(layer(), "weight", 6)
    optimizer = torch.optim.SGD(m.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        m(torch.randn(5, 4)).square().sum().backward()
        optimizer.step()
    m(torch.ones(1, 4))
    assert int((m.weight == 0).sum()) == 6
    assert not m.weight_orig.grad[m.weight_mask == 0].any()


def test_pruning_again_makes_a_container():
    m = prune.random_unstructured(layer(), "weight", 2)
    prune.l1_unstructured(m, "weight", 3)
    (hook,) = m._forward_pre_hooks.values()
    assert isinstance(hook, prune.PruningContainer)
    assert len(hook) == 2
    assert [type(each) for each in hook] == [prune.RandomUnstructured, prune.L1Unstructured]
    assert isinstance(hook[-1], prune.L1Unstructured)
    assert int(m.weight_mask.sum()) == 7


def test_a_failed_pruning_leaves_the_module_alone():
    m = layer()
    with pytest.raises(ValueError, match="smaller than the number"):
        prune.l1_unstructured(m, "weight", 13)
    assert sorted(n for n, _ in m.named_parameters()) == ["bias", "weight"]
    assert not prune.is_pruned(m)
    prune.l1_unstructured(m, "weight", 5)
    with pytest.raises(ValueError, match="smaller than the number"):
        prune.l1_unstructured(m, "weight", 13)
    assert prune.is_pruned(m)
    assert int(m.weight_mask.sum()) == 7


def test_own_method():
    class EveryOther(prune.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    m = layer()
    EveryOther.apply(m, "bias")
    assert m.bias_mask.tolist() == [0, 1, 0]
    prune.remove(m, "bias")
    assert [n for n, _ in m.named_parameters()] == ["weight", "bias"]


@pytest.mark.parametrize(("error", "match", "act"), [
    (TypeError, "Invalid type for amount", lambda m: prune.l1_unstructured(m, "weight", "a")),
    (ValueError, "range", lambda m: prune.l1_unstructured(m, "weight", 1.5)),
    (ValueError, "non-negative", lambda m: prune.random_unstructured(m, "weight", -1)),
    (ValueError, "multidimensional", lambda m: prune.ln_structured(m, "bias", 1, 2, 0)),
    (IndexError, "Invalid index 2", lambda m: prune.random_structured(m, "weight", 1, 2)),
    (AssertionError, "same shape", lambda m: prune.l1_unstructured(
        m, "weight", 1, importance_scores=torch.ones(2))),
    (AttributeError, "other", lambda m: prune.identity(m, "other")),
    (ValueError, "has to be pruned before", lambda m: prune.remove(m, "weight")),
    (TypeError, "not an Iterable", lambda m: prune.global_unstructured(3, prune.L1Unstructured)),
    (TypeError, "must be of type dict", lambda m: prune.global_unstructured(
        [(m, "weight")], prune.L1Unstructured, [1], amount=1)),
    (TypeError, 'Only "unstructured"', lambda m: prune.global_unstructured(
        [(m, "weight")], prune.RandomStructured, amount=1)),
    (TypeError, "not a BasePruningMethod",
     lambda m: prune.PruningContainer().add_pruning_method(3)),
    (AssertionError, "same shape", lambda m: prune.L1Unstructured(1).prune(
        torch.ones(3), importance_scores=torch.ones(2))),
    (TypeError, "abstract", lambda m: prune.BasePruningMethod()),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act(layer())


def test_a_pruned_module_can_be_copied():
    m = prune.l1_unstructured(layer(), "weight", 5)
    twin = copy.deepcopy(prune.remove(m, "weight"))
    assert torch.equal(twin.weight, m.weight)
