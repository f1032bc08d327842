"""Grad and inference modes: nesting, decorating, one per thread."""

from __future__ import annotations

import threading

import pytest

import minigrad as torch


def leaf(*values):
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)


def test_modes_nest_decorate_and_are_per_thread():
    x = leaf(1.0)

    @torch.no_grad()
    def double(t):
        return t * 2

    assert not double(x).requires_grad and torch.is_grad_enabled()
    with torch.no_grad():
        with torch.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
        seen = []
        thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        thread.start()
        thread.join()
        assert seen == [True]
    with pytest.raises(ValueError, match="from inside"), torch.no_grad():
        raise ValueError("from inside")
    assert torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_a_decorated_generator_is_outside_of_the_mode_between_steps():
    @torch.no_grad()
    def steps():
        yield torch.is_grad_enabled()
        yield torch.is_grad_enabled()

    for inside in steps():
        assert not inside and torch.is_grad_enabled()


def test_inference_tensors():
    w = leaf(2.0)
    with torch.inference_mode():
        x = torch.ones(1, dtype=torch.float64) * 3
    assert x.is_inference() and not torch.is_inference_mode_enabled()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved"):
        w * x
    assert (w + x).requires_grad


def test_what_is_made_in_inference_mode_stays_out_of_autograd():
    with torch.inference_mode():
        made = torch.ones(2)
        with torch.enable_grad():
            assert not (leaf(1.0, 2.0) * 2).requires_grad
    assert made.is_inference() and made[0:1].is_inference() and made.detach().is_inference()
    assert not (made * 2).is_inference()
    with pytest.raises(RuntimeError, match="outside InferenceMode"):
        made.add_(1)
    with pytest.raises(RuntimeError, match="outside InferenceMode"):
        made.requires_grad_()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved"):
        made * leaf(1.0, 2.0)
    assert (made.clone() * leaf(1.0, 2.0)).requires_grad
    with torch.inference_mode():
        assert made.add_(1).tolist() == [2.0, 2.0]
    with pytest.raises(TypeError, match="True or False"):
        torch.set_grad_enabled("yes")
