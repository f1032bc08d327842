"""Thousands of tensors to print, each made from its number alone; used by record_print.py."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

COUNT = 4000
FLOATS = ["float32", "float32", "float64", "float16"]
OTHERS = ["int64", "int64", "int32", "int16", "int8", "uint8", "bool"]
LARGE = [(1001,), (1200,), (40, 30), (3, 400), (12, 10, 11), (2, 3, 4, 50), (1, 1, 1100), (501, 2)]
SPECIAL = [float("inf"), float("-inf"), float("nan"), 0.0, -0.0]


def shape_of(rng: random.Random) -> tuple[int, ...]:
    kind = rng.random()
    if kind < 0.03:
        return rng.choice(LARGE)
    if kind < 0.15:
        return (rng.randint(8, 60),)
    if kind < 0.2:
        return (rng.randint(1, 4), rng.randint(8, 40))
    ndim = rng.choice([0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5])
    return tuple(rng.choice([0, 1, 1, 2, 2, 3, 4, 5] if ndim > 2 or rng.random() < 0.3 else [
        1, 2, 3, 4, 5, 6]) for _ in range(ndim))


def floats(rng: random.Random, count: int) -> list[float]:
    """Return numbers of one of many kinds, also near the bounds of the notations."""
    sign = rng.choice([lambda: 1, lambda: -1, lambda: rng.choice([1, -1])])
    exponent = rng.randint(-9, 9)
    kinds = [
        lambda: float(rng.randint(0, 9)),
        lambda: float(rng.randint(0, 10 ** rng.randint(1, 8))),
        lambda: rng.random(),
        lambda: rng.random() * 10.0 ** exponent,
        lambda: rng.random() * 10.0 ** rng.randint(-8, 8),
        lambda: rng.choice([1.0, 1000.0, 1001.0, 999.9]) * 10.0 ** (exponent // 3),
        lambda: rng.choice([1e8, 1e8 + 8, 99999999.0, 1e7, 1e5]),
        lambda: rng.choice([1e-4, 9.9e-5, 1.1e-4, 0.5]),
        lambda: rng.choice([0.0, 0.0, 0.0, rng.random()]),
        lambda: rng.choice([0.99995, 9.99995, 0.5, 2.5, 1 / 3]),
        lambda: rng.choice([1e-38, 1e-44, 3e38, 1.0, 65504.0, 6e-8]),
        lambda: round(rng.random() * 100, rng.randint(0, 3)),
    ]
    make = rng.choice(kinds)
    found = [sign() * make() for _ in range(count)]
    if count and rng.random() < 0.2:
        for _ in range(rng.randint(1, 3)):
            found[rng.randrange(count)] = rng.choice(SPECIAL)
    return found


def whole(rng: random.Random, count: int, dtype: str) -> list[int]:
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    bound = rng.choice([1, 9, 100, 10 ** 6, high])
    return [rng.randint(max(low, -bound), min(high, bound)) for _ in range(count)]


def options_of(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.5:
        return {}
    choices = {"precision": lambda: rng.randint(0, 10), "threshold": lambda: rng.randint(0, 60),
               "edgeitems": lambda: rng.randint(0, 5), "linewidth": lambda: rng.randint(5, 160),
               "sci_mode": lambda: rng.choice([True, False, None]),
               "profile": lambda: rng.choice(["default", "short", "full"])}
    return {name: choices[name]() for name in rng.sample(sorted(choices), rng.randint(1, 3))}


def text(torch: Any, number: int) -> str:
    """Return how tensor `number` is printed."""
    rng = random.Random(number)
    dtype = rng.choice(FLOATS if rng.random() < 0.7 else OTHERS)
    shape = shape_of(rng)
    options = options_of(rng)
    count = int(np.prod(shape))
    values = floats(rng, count) if dtype.startswith("float") else whole(rng, count, dtype)
    with np.errstate(over="ignore"):
        t = torch.from_numpy(np.array(values, dtype=dtype).reshape(shape))
    layout = rng.random()
    if layout < 0.1 and t.dim() > 1:
        t = t.transpose(0, -1)
    elif layout < 0.15 and t.dim():
        t = t.flip(0)[::2]
    elif layout < 0.2:
        t = t.expand(rng.randint(1, 3), *t.shape)
    form = rng.choice(FORMS if t.is_floating_point() else FORMS[:2])
    torch.set_default_dtype(rng.choice([torch.float32] * 6 + [torch.float64, torch.float16]))
    torch.set_printoptions(profile="default")
    torch.set_printoptions(**options)
    try:
        return repr(form(torch, t))
    finally:
        torch.set_printoptions(profile="default")
        torch.set_default_dtype(torch.float32)


def subclass(torch: Any) -> Any:
    if torch.__name__ not in _classes:
        _classes[torch.__name__] = type("Celsius", (torch.Tensor,), {})
    return _classes[torch.__name__]


_classes: dict[str, Any] = {}
FORMS = [lambda torch, t: t, lambda torch, t: t.as_subclass(subclass(torch)),
         lambda torch, t: t, lambda torch, t: t.clone().requires_grad_(),
         lambda torch, t: torch.nn.Parameter(t), lambda torch, t: t.clone().requires_grad_() * 1,
         lambda torch, t: torch.nn.Parameter(t.as_subclass(subclass(torch))),
         lambda torch, t: t.clone().requires_grad_().as_subclass(subclass(torch)),
         lambda torch, t: t.clone().requires_grad_().unsqueeze(0)]
