"""Layers, optimizers, schedulers and transforms, called with what they cannot take.

As in test_bad_inputs.py: one clear error of a known class, and inputs and global state stay.
"""

from __future__ import annotations

import inspect
import warnings

import pytest

import minigrad as torch
from minigrad import nn

from .test_bad_inputs import ALL, ERRORS, bad_arguments, problem

# PyTorch's classes, too: layers assert, and groups without a name they need are KeyErrors.
DOCUMENTED = (*ERRORS, AssertionError, KeyError)
# A ratchet: writes that fail half done. The list may only shrink.
HALF_DONE: set[str] = set()
LR = torch.optim.lr_scheduler
WRONG_OPTIONS = [(), (None,), ("text",), (object(),), ([],), ({},), (1.5,), (-1,), (0,), (10**30,),
                 (float("nan"),), (2, "text"), (2, None), (2, -3), (2, 0), (2, 2, "text"),
                 (2, 2, -1), (2, 2, 1.5), (2, 2, None), (2, 2, (1, 2, 3, 4)), (4, 3, [])]
# Layers that a shape of 4 or (4, 4, 3) makes, for their forwards.
GOOD_OPTIONS = [(), (4,), (2, 4), (4, 4), (4, 4, 3), (4, 4, 4), (4, 2, 8)]
INPUTS = [a for a in bad_arguments() if len(a) < 4]


def classes(home, base):
    return {f"{home.__name__.split('.')[-1]}.{name}": value for name, value in vars(home).items()
            if inspect.isclass(value) and issubclass(value, base) and name[0] != "_"}


LAYERS = {name: kind for name, kind in classes(nn, nn.Module).items()
          if name not in ("nn.Module", "nn.Container")}


def made(kind):
    """Return a layer of a class with the first options that fit, or None."""
    for options in GOOD_OPTIONS:
        try:
            return kind(*options)
        except Exception:
            continue
    return None


def all_problems(calls):
    found = (f"{name}{[str(a)[:30] for a in args]}: {said}" for name, function, args in calls
             if (said := problem(name, function, args, DOCUMENTED)))
    return [text[:250] for text in found]


OPTIMIZERS = {name: kind for name, kind in classes(torch.optim, torch.optim.Optimizer).items()
              if name != "optim.Optimizer"}
SCHEDULERS = classes(LR, LR.LRScheduler)
FUNCTIONS = {f"{home.__name__.split('.')[-1]}.{name}": value
             for home in (torch.func, torch.autograd, torch.autograd.functional)
             for name, value in vars(home).items() if name[0] != "_" and "detect" not in name
             and inspect.isfunction(value)}
WRITERS = {name: function for name, function in ALL.items() if name.endswith("_")}
TRANSFORMS = ("grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "vmap", "functionalize")


def test_layers_refuse_wrong_options():
    found = all_problems((name, kind, args) for name, kind in LAYERS.items()
                         for args in WRONG_OPTIONS)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("share", range(4))
def test_layers_refuse_wrong_inputs(share):
    found = []
    for k, (name, kind) in enumerate(LAYERS.items()):
        layer = made(kind) if k % 4 == share else None
        if layer is not None:
            found += all_problems((name, layer.eval(), args) for args in INPUTS)
    assert not found, "\n".join(found)


def parameters():
    return [torch.ones(2, requires_grad=True)]


def test_optimizers_refuse_wrong_arguments():
    wrong = [(), (None,), ("text",), (object(),), ([],), ({},), (1.5,), ([1, 2],), ([None],),
             ([{"lr": 1}],), ({"params": 1},), ([{"params": 1}],), (torch.ones(2),)]
    wrong += [(parameters(), rate) for rate in
              ("text", None, -1, object(), [], {}, float("nan"), torch.ones(3))]
    found = all_problems((name, kind, args) for name, kind in OPTIMIZERS.items() for args in wrong)
    assert not found, "\n".join(found)


def test_schedulers_refuse_wrong_arguments():
    wrong = [("text",), (None,), (-1,), (object(),), ([],), ({},), (1.5,), (2, "text"), ([1, 2],),
             (10**30,), (0, 0), ("a", "b", "c")]
    calls = [(name, kind, (torch.optim.SGD(parameters(), 0.1), *args))
             for name, kind in SCHEDULERS.items() for args in wrong]
    calls += [(name, kind, args) for name, kind in SCHEDULERS.items() for args in
              ((), (None,), ("text",), (object(),), ([],), (1.5,), (torch.ones(2),))]
    found = all_problems(calls)
    assert not found, "\n".join(found)


def square(x, *others):
    return torch.sum(torch.mul(x, x))


def test_transforms_refuse_wrong_arguments():
    calls = [(name, function, args) for name, function in FUNCTIONS.items()
             for bad in bad_arguments() for args in (bad, (square, *bad))]
    calls += [(f"func.{name}", getattr(torch.func, name)(square), args) for name in TRANSFORMS
              for args in bad_arguments()]
    found = all_problems(calls)
    assert not found, "\n".join(found)


def test_a_failed_write_changes_nothing():
    found = []
    for name, function in WRITERS.items():
        for k, args in enumerate(bad_arguments()):
            inputs = [t for t in args if isinstance(t, torch.Tensor)]
            before = [(t._data.tobytes(), t.shape) for t in inputs]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    function(*args)
            except Exception:
                if before != [(t._data.tobytes(), t.shape) for t in inputs]:
                    found.append(f"{name}, arguments {k}")
    assert set(found) == HALF_DONE, sorted(set(found) ^ HALF_DONE)


def test_most_are_called():
    assert sum(made(kind) is not None for kind in LAYERS.values()) > 150
    assert len(OPTIMIZERS) > 12 and len(SCHEDULERS) > 14 and len(FUNCTIONS) > 20
    assert len(WRITERS) > 150
