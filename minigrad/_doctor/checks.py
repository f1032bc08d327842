"""The doctor's checks. Each yields findings; thresholds stand beside their reasons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .observe import Step, before, option
from .report import Finding

Findings = Iterator[Finding]
PRODUCTS = ("linear", "convolution", "transposed")
ENTROPIES = ("class_cross_entropy", "row_cross_entropy")
CLASSES = (*ENTROPIES, "log_softmax", "softmax")


class Patient:
    """The model, its data, and the observed steps."""

    def __init__(self, model: Any, args: tuple[Any, ...], y: Any, loss: Any, step: Step,
                 calm: Step | None) -> None:
        self.model, self.args, self.y, self.loss = model, args, y, loss
        self.step, self.calm = step, calm  # calm: in evaluation mode
        self.modules = dict(model.named_modules())


def double_softmax(p: Patient) -> Findings:
    """A softmax whose result goes into another one (CrossEntropyLoss has its own)."""
    for node in p.step.ops(*CLASSES):
        source = before(node)
        if source is None or source.op.name != "softmax":
            continue
        classes = source.shape[option(source, "dim")] if source.shape else 1
        least = math.log(math.e + classes - 1) - 1
        into = "cross_entropy" if node.op.name in ENTROPIES else node.op.name
        yield Finding(
            "double softmax", "error", p.step.named(source),
            f"its result, numbers from 0 to 1 that sum to 1, goes into {into}, which takes the "
            f"softmax again: with {classes} classes even a perfect prediction costs {least:.3g}",
            "leave the softmax out of the model: cross_entropy wants logits; call softmax only "
            "where probabilities are shown")
    for node in p.step.ops("nll_loss"):
        source = before(node)
        if source is not None and source.op.name == "softmax":
            yield Finding("softmax into NLLLoss", "error", p.step.named(source),
                          f"NLLLoss wants logarithms of probabilities; the loss is "
                          f"{p.step.loss or 0:.3g}, and probabilities cannot bring it below -1",
                          "use log_softmax, or logits and CrossEntropyLoss")


def sigmoid_before_logits(p: Patient) -> Findings:
    """A sigmoid before BCEWithLogitsLoss, which has its own."""
    for node in p.step.ops("logits_loss"):
        source = before(node)
        if source is not None and source.op.name in ("sigmoid", "logistic"):
            yield Finding("sigmoid before BCEWithLogitsLoss", "error", p.step.named(source),
                          "the loss takes the sigmoid again: of values from 0 to 1 that is 0.5 to "
                          "0.731, so that no prediction can be below 0.5",
                          "leave the sigmoid out, or use BCELoss")


def bias_before_norm(p: Patient) -> Findings:
    """A bias that the following batch or instance norm subtracts again."""
    for node in p.step.ops("batch_norm", "group_norm"):
        if node.op.name == "group_norm" and option(node, "instance") is not True:
            continue
        source = before(node)
        if source is None or source.op.name not in PRODUCTS or source.op.names.index(
                "bias") not in source.plan.positions:
            continue
        path = p.step.path_of(source)
        own = dict(p.modules[path].named_parameters(recurse=False))
        if "bias" not in own or not own["bias"].requires_grad:
            continue
        grads = [p.step.grads.get(f"{path}.{k}" if path else k) for k in ("bias", "weight")]
        norms = ", ".join(f"{_rms(g):.2g} ({k})" for k, g in zip(("bias", "weight"), grads,
                                                                 strict=True) if g is not None)
        yield Finding("bias before a norm", "hint", path,
                      f"{own['bias'].numel()} numbers whose gradient is zero but for rounding: "
                      f"the norm at {p.step.path_of(node) or 'the model'} subtracts the mean, and "
                      f"the bias with it. Gradients (root mean square): {norms}",
                      "bias=False; the norm has a bias of its own")


def selu_weights(p: Patient) -> Findings:
    """SELU keeps mean 0 and variance 1 only with weights of variance 1 / fan_in."""
    for node in p.step.ops("elu"):
        if option(node, "name") != "selu":
            continue
        source = before(node)
        if source is not None and source.op.name in ("linear", "convolution"):
            path = p.step.path_of(source)
            weight = dict(p.modules[path].named_parameters(recurse=False)).get("weight")
            if weight is not None and weight.numel() >= 256:  # else its std says little
                fan_in = math.prod(weight.shape[1:])
                ratio = float(weight._data.std()) * math.sqrt(fan_in)
                if not 0.8 < ratio < 1.25:
                    yield Finding(
                        "SELU without LeCun-normal weights", "warning", path,
                        f"std {float(weight._data.std()):.3g} instead of 1 / sqrt(fan_in) = "
                        f"{1 / math.sqrt(fan_in):.3g}: each layer multiplies the scale by "
                        f"{ratio:.2g}",
                        "nn.init.kaiming_normal_(weight, nonlinearity='linear'), bias 0")
    for node in p.step.ops("dropout", "feature_dropout"):
        source = before(node)
        if source is not None and source.op.name == "elu" and option(source, "name") == "selu":
            yield Finding("plain dropout after SELU", "warning", p.step.named(node),
                          "it sets values to 0, which changes mean and variance; SELU relies on "
                          "both", "AlphaDropout, or FeatureAlphaDropout for feature maps")


def dead_relus(p: Patient) -> Findings:
    """Units that are 0 for every sample get no gradient; 40 % of 32 values each is no accident."""
    for node in p.step.ops("relu"):
        y = option(node, "y")
        if y is None or y.ndim < 2 or y.size // y.shape[1] < 32:
            continue
        dead = ~(y != 0).any(axis=(0, *range(2, y.ndim)))
        if dead.mean() >= 0.4:
            yield Finding("dead ReLU", "warning", p.step.named(node),
                          f"{int(dead.sum())} of {dead.size} units are 0 for all "
                          f"{y.size // y.shape[1]} values of this batch: no gradient reaches them",
                          "a smaller learning rate, another initialisation, normalised inputs, or "
                          "LeakyReLU / GELU")


def no_gradient(p: Patient) -> Findings:
    """Parameters that the loss does not depend on."""
    # residual branches are often begun with a weight of zero: what is below gets nothing yet
    begun = any(not w._data.any() for name, w in p.model.named_parameters()
                if "bias" not in name and w.numel())
    for name, w in p.model.named_parameters():
        if not w.requires_grad or not w.numel():
            continue
        g = p.step.grads.get(name)
        if g is None:
            yield Finding("parameter without gradient", "warning", name,
                          f"{w.numel()} numbers that nothing in the result depends on: not used in "
                          "forward, detached, or used under no_grad",
                          "use it, remove it, or requires_grad_(False)")
        elif not g.any() and w.ndim > 1 and not begun:
            yield Finding("gradient is zero everywhere", "warning", name,
                          f"all {w.numel()} gradients are exactly 0 on this batch",
                          "look for dead units, saturated activations, or an argmax or rounding "
                          "on the way")


def batch_of_one(p: Patient) -> Findings:
    """Batch norm in training needs more than one value per channel, and better several samples."""
    for path, module in p.modules.items():
        x = p.step.values.get(path)
        if x is None or not hasattr(module, "running_mean") or "Instance" in type(module).__name__:
            continue
        if x.shape[0] != 1 or x.ndim < 2:
            continue
        count = x.size // x.shape[1]
        yield Finding("batch of one", "error" if count == 1 else "warning", path,
                      f"{type(module).__name__} gets {list(x.shape)}: {count} "
                      f"value{'s' * (count != 1)} per channel, all of one sample" + (
                          "; training raises ValueError" if count == 1 else ""),
                      "batches of several samples (drop_last=True in the loader), GroupNorm or "
                      "LayerNorm; for prediction model.eval()")


def train_eval_mix(p: Patient) -> Findings:
    """Dropouts and norms in another mode than the model."""
    mode = p.model.training
    for path, module in p.modules.items():
        name = type(module).__name__
        matters = "Dropout" in name or "BatchNorm" in name
        if module.training == mode or not matters:
            continue
        if mode and _frozen(p, path):
            continue  # on purpose
        words = ("training", "evaluation") if mode else ("evaluation", "training")
        yield Finding("train and eval mixed", "warning", path,
                      f"the model is in {words[0]} mode, {name} in {words[1]} mode",
                      f"model.{'train' if mode else 'eval'}(); to freeze a batch norm also call "
                      f"requires_grad_(False) on it")


def _frozen(p: Patient, path: str) -> bool:
    """Is a module, or one around it, in evaluation mode with parameters that are all frozen?"""
    while path:
        around = p.modules[path]
        flags = [w.requires_grad for w in around.parameters()]
        if flags and not any(flags) and not around.training:
            return True
        path = path.rpartition(".")[0]
    return False


def dropout_before_norm(p: Patient) -> Findings:
    """Dropout raises the variance that batch norm learns, and is off when it is used (Li 2018)."""
    for node in p.step.ops("batch_norm"):
        source, path = before(node), p.step.path_of(node)
        if source is not None and source.op.name in PRODUCTS:
            source = before(source)
        if source is None or source.op.name not in ("dropout", "feature_dropout"):
            continue
        if p.calm is None or path not in p.calm.values or path not in p.step.values:
            continue
        loud, calm = (s.values[path].astype(np.float64).var() for s in (p.step, p.calm))
        if calm > 0 and loud / calm > 1.1:
            yield Finding("dropout before batch norm", "warning", p.step.named(source),
                          f"the variance at {path or 'the norm'} is {loud:.3g} in training and "
                          f"{calm:.3g} in evaluation: the running statistics do not fit",
                          "put the dropout behind the norm and the activation, or leave it out")


def gradient_sizes(p: Patient) -> Findings:
    """Gradients that are not finite, huge, or shrink or grow by 1e5 between the ends."""
    sizes = [(name, _rms(g)) for name, g in p.step.grads.items()
             if g is not None and g.ndim >= 2 and g.any()]
    bad = [name for name, g in p.step.grads.items() if g is not None and not np.isfinite(g).all()]
    if bad:
        yield Finding("gradient not finite", "error", bad[0],
                      f"NaN or inf in the gradients of {len(bad)} parameters",
                      "autograd.detect_anomaly(check_inf=True) names the op")
        return
    if len(sizes) < 4:
        return
    (first, low), (last, high) = sizes[0], sizes[-1]
    facts = f"root mean square {low:.2g} at {first}, {high:.2g} at {last}"
    if low < 1e-5 * high:
        yield Finding("vanishing gradients", "warning", first, facts,
                      "norms, residual connections, ReLU-like activations, He or LeCun weights")
    elif low > 1e5 * high or max(s for _, s in sizes) > 1e4:
        largest = max(sizes, key=lambda s: s[1])
        yield Finding("exploding gradients", "warning", largest[0],
                      f"{facts}, largest {largest[1]:.2g} at {largest[0]}",
                      "norms, smaller weights, clip_grad_norm_")


def inputs_scaled(p: Patient) -> Findings:
    """Inputs far from mean 0 and standard deviation 1, unless a norm comes first."""
    for k, x in enumerate(p.args):
        array = getattr(x, "_data", None)
        if array is None or array.dtype.kind != "f" or not array.size:
            continue
        name = f"input {k}" if len(p.args) > 1 else "the input"
        if not np.isfinite(array).all():
            yield Finding("input not finite", "error", name,
                          f"{int((~np.isfinite(array)).sum())} values are NaN or inf",
                          "clean the data")
            continue
        wide = array.astype(np.float64)
        mean, std = wide.mean(), wide.std()
        if (std > 10 or abs(mean) > 10) and not _normed_first(p):
            yield Finding("input not normalised", "warning", name,
                          f"mean {mean:.3g}, standard deviation {std:.3g}, from {wide.min():.3g} "
                          f"to {wide.max():.3g}",
                          "subtract the mean and divide by the standard deviation of the "
                          "training data (images: divide by 255 at least)")
        elif array.ndim == 2 and len(array) >= 8 and not _normed_first(p):
            spread = wide.std(0)
            spread = spread[spread > 0]
            if spread.size > 1 and spread.max() > 1e3 * spread.min():
                yield Finding("input not normalised", "warning", name,
                              f"the columns' standard deviations go from {spread.min():.3g} to "
                              f"{spread.max():.3g}", "normalise each column")


def _normed_first(p: Patient) -> bool:
    rows = [row for row in p.step.run.rows if not p.modules[row.path]._modules]
    return bool(rows) and "Norm" in rows[0].kind


def labels(p: Patient) -> Findings:
    """Class indices outside of 0 ... C - 1; probabilities outside of 0 ... 1; unequal shapes."""
    y = getattr(p.y, "_data", None)
    kind = _loss_kind(p.loss)
    if y is None or not p.step.outputs:
        return
    out = p.step.outputs[0]._data
    if kind == "classes" and y.dtype.kind in "iu" and out.ndim:
        count = out.shape[1 if out.ndim > 1 else 0]
        wrong = y[(y != getattr(p.loss, "ignore_index", -100)) & ((y < 0) | (y >= count))]
        if wrong.size:
            yield Finding("label out of range", "error", "the labels",
                          f"{wrong.size} of {y.size} lie outside of 0 ... {count - 1}, for example "
                          f"{int(wrong.flat[0])}; the model has {count} outputs",
                          "count classes from 0, or give the last layer more outputs")
    if kind == "probabilities" and y.size and (y.min() < 0 or y.max() > 1):
        yield Finding("label out of range", "error", "the labels",
                      f"binary targets go from {y.min():.3g} to {y.max():.3g}",
                      "targets must lie between 0 and 1")
    if kind == "distance" and y.shape != out.shape:
        yield Finding("shapes of output and target differ", "error", "the labels",
                      f"{list(out.shape)} and {list(y.shape)} are broadcast: every prediction is "
                      "compared with every target", "y.view_as(output), or squeeze the output")


def _loss_kind(loss: Any) -> str:
    name = getattr(loss, "__name__", type(loss).__name__)
    kinds = {"classes": ("CrossEntropyLoss", "NLLLoss", "cross_entropy", "nll_loss"),
             "probabilities": ("BCELoss", "BCEWithLogitsLoss", "binary_cross_entropy",
                               "binary_cross_entropy_with_logits"),
             "distance": ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "mse_loss", "l1_loss",
                          "smooth_l1_loss", "huber_loss")}
    return next((kind for kind, names in kinds.items() if name in names), "")


def raised(p: Patient) -> Findings:
    """The run itself raised."""
    error = p.step.error
    if error is not None:
        yield Finding("the run raises", "error", p.step.phase,
                      f"{type(error).__name__}: {' '.join(str(error).split())}",
                      "see the message; viz.draw draws the graph up to the op that raised")


def _rms(array: Any) -> float:
    return math.sqrt(float(np.mean(np.square(array.astype(np.float64)))))


CHECKS: dict[str, Callable[[Patient], Findings]] = {
    "labels": labels, "inputs": inputs_scaled, "run": raised, "double softmax": double_softmax,
    "sigmoid before logits": sigmoid_before_logits, "batch of one": batch_of_one,
    "train and eval": train_eval_mix, "gradient sizes": gradient_sizes,
    "unused parameters": no_gradient, "dead ReLU": dead_relus, "SELU": selu_weights,
    "dropout before norm": dropout_before_norm, "bias before norm": bias_before_norm}
