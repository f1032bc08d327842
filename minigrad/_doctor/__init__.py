"""`doctor`: look for the well-known mistakes in a model, its data and its loss."""

from __future__ import annotations

from typing import Any

from .. import engine
from ..nn import Module
from ..nn import functional as F
from .checks import CHECKS, Patient
from .observe import Step
from .report import GRADES, Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "doctor"]


def doctor(model: Any, x: Any, y: Any = None, loss: Any = None) -> Diagnosis:
    """Run one training step of a model and report well-known mistakes, each with its remedy.

    Looked for: two softmaxes in a row, a sigmoid before BCEWithLogitsLoss, labels out of range,
    inputs not normalised, a batch of one with batch norm, train and eval mixed, parameters without
    gradient, vanishing or exploding gradients, dead ReLUs, SELU without LeCun-normal weights,
    dropout or a bias before batch norm. Args: `x`: the input (a tuple: the arguments); `y`: the
    target; `loss`: a function or module of (output, y); None with a `y`: cross_entropy for integer
    targets, mse_loss otherwise. Everything is left as it was: parameters, buffers, `.grad`, mode,
    random state. TypeError if `model` is no Module.

    >>> import minigrad as torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(1))
    >>> torch.doctor(net, torch.randn(8, 4), torch.zeros(8, dtype=torch.int64)).findings[0].check
    'double softmax'
    """
    if not isinstance(model, Module):
        raise TypeError(f"model: expected a Module, got {type(model).__name__}")
    if y is not None and not isinstance(y, engine.Tensor):
        raise TypeError(f"y: expected a Tensor or None, got {type(y).__name__}")
    args = x if type(x) is tuple else (x,)
    if loss is None and y is not None:
        loss = F.mse_loss if y.is_floating_point() else F.cross_entropy
    step = Step(model, args, y, loss, "train")
    calm = Step(model, args, None, None, "eval")
    kept = step
    if step.error is not None and step.phase == "forward" and calm.error is None:
        kept = Step(model, args, y, loss, "eval")  # a batch of one, say: look at the rest
        kept.values = {**kept.values, **step.values}
    patient = Patient(model, args, y, loss, kept, calm if calm.error is None else None)
    made = Diagnosis()
    ran = kept.error is None
    for name, check in CHECKS.items():
        if ran or name in ("run", "labels", "inputs", "batch of one", "train and eval"):
            made.checked.append(name)
            made.findings += check(patient)
        else:
            made.skipped.append(f"{name}, because the run raises in {kept.phase}")
    made.findings.sort(key=lambda f: GRADES.index(f.grade))
    if y is None and loss is None:
        made.skipped.append("what depends on the loss: give y and loss")
    return made
