"""Run a drawn program on a library and compare values, dtypes and gradients with the model's."""

from __future__ import annotations

from typing import Any

import numpy as np

from .draw import Program
from .model import Tensor

REFUSED = "modified by an inplace operation"


def weights(torch: Any, o: Any, k: int) -> Any:
    return torch.tensor(weight(tuple(o.shape), k), dtype=o.dtype)


def weight(shape: tuple[int, ...], k: int) -> np.ndarray:
    return np.cos(np.arange(int(np.prod(shape))) + k).reshape(shape)


def run(program: Program, torch: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a program; return its variables and the derivatives by name."""
    names: dict[str, Any] = {"torch": torch}
    exec(compile("\n".join(program.lines), "<program>", "exec"), names)
    outputs = [names[k] for k in program.outputs]
    back = [weights(torch, o, k) for k, o in enumerate(outputs)]
    found: dict[str, Any] = {}
    if program.space.order == 1:
        torch.autograd.backward(outputs, back)
        for name in program.leaves + program.kept:
            found[name] = names[name].grad
        return names, found
    leaves = [names[k] for k in program.leaves]
    first = torch.autograd.grad(outputs, leaves, back, create_graph=True, allow_unused=True)
    total = 0
    for name, g in zip(program.leaves, first, strict=True):
        found[name] = g
        if g is not None and g.requires_grad:
            total = total + (g * torch.tensor(tilts(program, name), dtype=g.dtype)).sum()
    second = [None] * len(leaves) if isinstance(total, int) else torch.autograd.grad(
        total, leaves, allow_unused=True)
    found |= {f"{name} again": h for name, h in zip(program.leaves, second, strict=True)}
    return names, found


def tilts(program: Program, name: str) -> np.ndarray:
    """Return the direction f of a leaf."""
    leaf = program.names[name]
    return leaf.d[..., program.space.count - 1]


def expected(program: Program) -> dict[str, np.ndarray]:
    """Return the derivatives that the model found, by name."""
    space, found = program.space, {}
    gradient = np.zeros(space.parts - 1)
    for k, name in enumerate(program.outputs):
        t = program.names[name]
        rows = t.d.reshape(t.v.size, space.parts - 1)
        gradient += weight(t.shape, k).ravel() @ rows
    places = list(zip(program.leaves, space.leaves, strict=True))
    places += list(zip(program.kept, space.kept, strict=True))
    for name, (t, at) in places:
        found[name] = gradient[at].reshape(t.shape)
        if space.order == 2:
            found[f"{name} again"] = gradient[space.count:][at].reshape(t.shape)
    return found


def problem(program: Program, torch: Any) -> str:
    """Return what differs, '' if nothing does, or 'refused'."""
    try:
        names, found = run(program, torch)
    except RuntimeError as error:
        if program.space.doubtful and REFUSED in str(error):
            return "refused"
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    space = program.space
    close = (2e-3 if space.loose else 1e-9) * space.magnitude
    for name, t in program.names.items():
        if isinstance(t, Tensor):
            mine = names[name].detach().numpy()
            if mine.dtype != t.v.dtype or mine.shape != t.shape:
                return f"{name} has dtype {mine.dtype} {mine.shape}, not {t.v.dtype} {t.shape}"
            if t.v.size and np.abs(mine.astype(float) - t.v).max() > close:
                return f"{name} is {mine.tolist()}, not {t.v.tolist()}"
    for name, wanted in expected(program).items():
        if name in found:
            g = found[name]
            mine = np.zeros(wanted.shape) if g is None else g.numpy(force=True)
            if mine.shape != wanted.shape:
                return f"the gradient of {name} has shape {mine.shape}"
            if not (np.abs(mine - wanted) <= close * 10).all():
                return f"the gradient of {name} is {mine.tolist()}, not {wanted.tolist()}"
    return ""
