"""LBFGS, which calls a closure; Muon and Adafactor, which look at a whole matrix."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn, optim
from tests.record_optim import plain
from tests.samples_optim import CLOSURES, minimise, start

DATA = Path(__file__).parent.parent / "data"
RECORDED = np.load(DATA / "optim.npz")
FACTS = json.loads(gzip.decompress((DATA / "optim.json.gz").read_bytes()))
every = pytest.mark.parametrize("make", CLOSURES)


@every
def test_descent(make):
    """Parameters, losses and the number of the closure's calls are torch's."""
    found, opt = minimise(make, torch)
    for key, value in found.items():
        np.testing.assert_allclose(value, RECORDED[f"{make}/{key}"], rtol=1e-7, atol=1e-9,
                                   err_msg=key)
    assert repr(opt) == FACTS[make]["repr"]


@every
def test_state_has_torchs_names(make):
    _, opt = minimise(make, torch)
    found, expected = plain(opt.state_dict()), FACTS[make]["state_dict"]
    assert found["param_groups"] == expected["param_groups"]
    assert set(found["state"]["0"]) == set(expected["state"]["0"])
    for name in ("func_evals", "n_iter"):
        assert found["state"]["0"][name] == expected["state"]["0"][name]
    for name in ("old_dirs", "old_stps", "ro", "al"):
        assert len(found["state"]["0"][name]) == len(expected["state"]["0"][name])
    np.testing.assert_allclose(found["state"]["0"]["d"], expected["state"]["0"]["d"], rtol=1e-4,
                               atol=1e-7)


def bowl(opt, p):
    def closure():
        opt.zero_grad()
        loss = ((p.reshape(-1)[:3] - 1) ** 4).sum() + (p ** 2).sum()
        loss.backward()
        return loss

    return closure


@pytest.mark.parametrize("way", ["state_dict", "deepcopy", "pickle"])
def test_continue(way):
    """A copy goes on exactly as the other one, from its own history."""
    p = start(torch)[0]
    opt = optim.LBFGS([p], max_iter=3)
    opt.step(bowl(opt, p))
    if way == "state_dict":
        q = nn.Parameter(p.detach().clone())
        twin = optim.LBFGS([q], max_iter=3)
        twin.load_state_dict(copy.deepcopy(opt.state_dict()))
    else:
        q, twin = (copy.deepcopy((p, opt)) if way == "deepcopy"
                   else pickle.loads(pickle.dumps((p, opt))))
    for each, param in ((opt, p), (twin, q)):
        each.step(bowl(each, param))
    assert torch.equal(p, q)
    assert p is not q


def test_the_closure_runs_with_grad_even_under_no_grad():
    p = start(torch)[0]
    opt = optim.LBFGS([p], line_search_fn="strong_wolfe")
    with torch.no_grad():
        first = opt.step(bowl(opt, p))
        second = opt.step(bowl(opt, p))
    assert second < first


def test_unknown_line_search():
    p = start(torch)[0]
    opt = optim.LBFGS([p], line_search_fn="other")
    with pytest.raises(RuntimeError, match="only 'strong_wolfe'"):
        opt.step(bowl(opt, p))


def test_nothing_to_do_at_the_minimum():
    p = nn.Parameter(torch.zeros(3))
    opt = optim.LBFGS([p])

    def closure():
        opt.zero_grad()
        loss = (p ** 2).sum()
        loss.backward()
        return loss

    assert opt.step(closure).item() == 0
    assert opt.state[p]["func_evals"] == 1


def test_muons_step_is_nearly_orthogonal():
    """Singular values of the step lie near 1, for tall and wide matrices alike."""
    g = torch.from_numpy(np.random.default_rng(0).standard_normal((7, 4)))
    for grad in (g, g.mT.contiguous()):
        p = nn.Parameter(torch.zeros_like(grad))
        p.grad = grad
        optim.Muon([p], lr=1.0, weight_decay=0, adjust_lr_fn="match_rms_adamw").step()
        values = torch.linalg.svdvals(p.detach()) / (0.2 * 7 ** 0.5)
        assert values.min() > 0.6
        assert values.max() < 1.3


def test_adafactors_state_is_a_row_and_a_column():
    p = nn.Parameter(torch.ones(3, 4, 5))
    p.grad = torch.ones(3, 4, 5)
    opt = optim.Adafactor([p])
    opt.step()
    assert [tuple(opt.state[p][k].shape) for k in ("row_var", "col_var")] == [(3, 4, 1), (3, 1, 5)]
