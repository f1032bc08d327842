"""Normalisation of inputs on which E[x^2] - E[x]^2, sums in half precision or squares fail.

The references are two-pass formulas in extended precision (64 binary digits) about the first
element of each group, whose differences from the others are exact or nearly so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
EXTENDED = np.finfo(np.longdouble).nmant >= 63  # not so on every platform
SHAPE = N, C, L = 3, 4, 6


class Norm(NamedTuple):
    """How it is called, what shares statistics, and the shape of the parameters."""

    call: str
    order: tuple[int, ...]  # dims of (N, 2, C / 2, L), those that share statistics last
    shared: int  # how many they are
    mean: bool = True
    elements: bool = False  # parameters have the shape (C, L), not (C,)
    frozen: bool = False


NORMS = {
    "batch": Norm("F.batch_norm(x, None, None, w, b, True, eps=eps)", (1, 2, 0, 3), 2),
    "frozen": Norm("F.batch_norm(x, mean, var, w, b, eps=eps)", (1, 2, 0, 3), 2, frozen=True),
    "instance": Norm("F.instance_norm(x, None, None, w, b, eps=eps)", (0, 1, 2, 3), 1),
    "group": Norm("F.group_norm(x, 2, w, b, eps)", (0, 1, 2, 3), 2),
    "layer": Norm("F.layer_norm(x, (C, L), w, b, eps)", (0, 1, 2, 3), 3, elements=True),
    "rms": Norm("F.rms_norm(x, (C, L), w, eps)", (0, 1, 2, 3), 3, mean=False, elements=True),
}


class Case(NamedTuple):
    """Mean, standard deviation and eps for one dtype."""

    dtype: str
    mean: float
    std: float
    eps: float = 1e-5


CASES = {
    "usual16": Case("float16", 1.0, 2.0), "usual32": Case("float32", 1.0, 2.0),
    "usual64": Case("float64", 1.0, 2.0),
    "far16": Case("float16", 200.0, 0.5), "far32": Case("float32", 1e3, 1e-2),
    "far64": Case("float64", 1e6, 1e-3), "farther32": Case("float32", 1e6, 0.5),
    "farther64": Case("float64", -1e12, 1e-2, 1e-12),
    "constant16": Case("float16", 3.7, 0.0), "constant32": Case("float32", 3.7, 0.0),
    "constant64": Case("float64", -1e9 / 7, 0.0, 1e-12),
    "huge16": Case("float16", 3e4, 1e4), "huge32": Case("float32", 0.0, 1e37),
    "huge64": Case("float64", 0.0, 1e300), "large32": Case("float32", 1e18, 1e19),
    "large64": Case("float64", 1e153, 1e154),
    "tiny16": Case("float16", 0.0, 1e-6), "tiny32": Case("float32", 0.0, 1e-30),
    "tiny64": Case("float64", 0.0, 1e-200), "subnormal32": Case("float32", 0.0, 1e-40),
    "subnormal64": Case("float64", 0.0, 1e-310),
}


def arrays(norm: Norm, case: Case) -> dict[str, Array]:
    """Return input, parameters and the gradient of the result; only `.random` is used."""
    random = np.random.Generator(np.random.PCG64(1)).random

    def draw(shape: tuple[int, ...], low: float, high: float) -> Array:
        return np.asarray(low + (high - low) * random(shape)).astype(case.dtype)

    z = (random(SHAPE) - 0.5) * 12**0.5
    z[0, 1] = 0.0  # a constant row
    shape = (C, L) if norm.elements else (C,)
    return {"x": np.asarray(case.mean + case.std * z).astype(case.dtype), "w": draw(shape, 0.5, 2),
            "b": draw(shape, -1, 1), "g": draw(SHAPE, -1, 1),
            "mean": np.full(C, case.mean, case.dtype),
            "var": np.full(C, min(case.std, 1e15 if case.dtype == "float32" else 1e100) ** 2
                           if case.dtype != "float16" else 4.0, case.dtype)}


def evaluate(norm: Norm, case: Case, torch: Any) -> dict[str, Array]:
    """Return the result, and the gradients of the input and the parameters."""
    tensors = {name: torch.from_numpy(value) for name, value in arrays(norm, case).items()}
    leaves = [tensors[name].requires_grad_() for name in ("x", "w", *(["b"] if norm.mean else []))]
    names = {**tensors, "torch": torch, "F": torch.nn.functional, "eps": case.eps, "C": C, "L": L}
    y = eval(norm.call, names)
    found = torch.autograd.grad(y, leaves, tensors["g"])
    return {"y": y.detach().numpy(),
            **{f"d{name}": g.numpy() for name, g in zip("xwb", found, strict=False)}}


def reference(norm: Norm, case: Case) -> dict[str, Array]:
    """Return the same in extended precision."""
    found = {name: value.astype(np.longdouble) for name, value in arrays(norm, case).items()}
    parts = (N, 2, C // 2, L)
    axes = tuple(range(4 - norm.shared, 4))

    def split(values: Array) -> Array:
        return values.reshape(parts).transpose(norm.order)

    def merge(values: Array) -> Array:
        return values.transpose(np.argsort(norm.order)).reshape(SHAPE)

    def average(values: Array) -> Array:
        return values.mean(axes, keepdims=True)

    x, g = split(found["x"]), split(found["g"])
    w, b = (v.reshape(C, -1) + np.zeros((N, C, L), np.longdouble) for v in (found["w"], found["b"]))
    if norm.frozen:
        centred = split(found["x"] - found["mean"][:, None])
        s = 1 / np.sqrt(found["var"][:, None] + np.longdouble(case.eps))
        s = split(s + np.zeros(SHAPE, np.longdouble))
    else:
        centred = x
        if norm.mean:
            centred = x - x[(..., *(slice(0, 1),) * norm.shared)]
            centred = centred - average(centred)
        s = 1 / np.sqrt(average(centred**2) + np.longdouble(case.eps))
    xhat = centred * s
    wg = g * split(w)
    inner = wg
    if not norm.frozen:
        inner = wg - xhat * average(wg * xhat) - (average(wg) if norm.mean else 0)
    along = 0 if norm.elements else (0, 2)
    result = {"y": merge(xhat) * w + (b if norm.mean else 0), "dx": merge(s * inner),
              "dw": (found["g"] * merge(xhat)).sum(along)}
    return result | ({"db": found["g"].sum(along)} if norm.mean else {})
