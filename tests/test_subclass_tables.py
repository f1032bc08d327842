"""Every line of the op table and of the layer table, with inputs of a subclass of Tensor.

The results are of the subclass, the values and gradients what they are for plain tensors.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings

import numpy as np
import pytest

import minigrad as torch

from . import layers, samples
from .samples.evaluate import call, derivatives, flatten

OPS = sorted(m.name for m in pkgutil.iter_modules(samples.__path__) if m.name != "evaluate")
LAYERS = sorted(m.name for m in pkgutil.iter_modules(layers.__path__))
PLAIN = ("pack_padded_sequence", "pack_sequence")  # batch sizes are counted, not computed


class Sub(torch.Tensor):
    """A subclass that does nothing of its own."""


def recast(value):
    """Return the arguments with tensors of the subclass, tied to the plain ones."""
    if isinstance(value, torch.Tensor):
        return value.as_subclass(Sub)
    if isinstance(value, (list, tuple)):
        return type(value)(map(recast, value))
    if isinstance(value, dict):
        return {key: recast(item) for key, item in value.items()}
    return value


def same(a, b):
    return np.array_equal(a.numpy(force=True), b.numpy(force=True), equal_nan=a.is_floating_point())


def compare(what, plain, ours):
    """Compare two lists of outputs and their gradients, each a list of (outputs, gradients)."""
    assert len(plain) == len(ours), what
    if not any(name in what for name in PLAIN):
        assert {type(out) for out in ours} <= {Sub}, what
    for a, b in zip(plain, ours, strict=True):
        assert same(a, b), what


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@pytest.mark.parametrize("family", OPS)
def test_ops(family):
    for sample in importlib.import_module(f"tests.samples.{family}").SAMPLES:
        results = []
        for change in (lambda value: value, recast):
            torch.manual_seed(0)
            args, kwargs = sample.build(torch)
            leaves = [t for t in flatten([args, kwargs], torch) if t.requires_grad and t.is_leaf]
            if not flatten([args, kwargs], torch):  # it makes tensors
                break
            outs = call(sample, torch, change(args), change(kwargs))
            grads = derivatives(sample, torch, outs, leaves, 1) if sample.order else []
            results.append((outs, [g for g in (grads or [[]])[0] if g is not None]))
        if results:
            (plain, plain_grads), (ours, our_grads) = results
            compare(f"{family}-{sample.id}", plain, ours)
            assert len(plain_grads) == len(our_grads), sample.id
            assert all(map(same, plain_grads, our_grads)), sample.id


@pytest.mark.parametrize("family", LAYERS)
def test_layers(family):
    for line in importlib.import_module(f"tests.layers.{family}").LINES:
        if not line.inputs:
            continue
        module = layers.build(line, torch).eval()
        with torch.no_grad():
            plain = flatten(module(*layers.arguments(line, torch)), torch)
            ours = flatten(module(*recast(layers.arguments(line, torch))), torch)
        compare(line.make, plain, ours)
