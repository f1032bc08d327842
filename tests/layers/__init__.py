"""The module-sample table: one line per case, run on minigrad and, by the recorder, on torch.

A line is `M("nn.Conv2d(3, 4, 3)", A(2, 3, 5, 5))`: how the layer is made, and its inputs, described
as in tests/samples. Parameters and buffers get values that depend only on the line's id.
One file per family; a family's recorded results are tests/data/layers_<family>.npz and .json.gz.
`modes` says in which modes to run it, `order` up to which derivative to compare.
"""

from __future__ import annotations

import importlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.samples.evaluate import flatten


@dataclass
class Line:
    """One case of the table."""

    make: str
    inputs: tuple[Any, ...]
    modes: tuple[str, ...] = ("train", "eval")
    order: int = 2
    tol: float = 1e-9
    exact: bool = True  # the gradient is the derivative (not so if it is masked or rescaled)


def M(make: str, *inputs: Any, modes: str = "train eval", order: int = 2, tol: float = 1e-9,
      exact: bool = True) -> Line:
    """One line of the table."""
    return Line(make, inputs, tuple(modes.split()), order, tol, exact)


def generator(text: str) -> np.random.Generator:
    """Return the numbers that belong to a text; only `.random` is used (a fixed stream)."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(text.encode())))


def make(line: Line, torch: Any) -> Any:
    """Make the layer as the line says."""
    return eval(line.make, {"torch": torch, "nn": torch.nn})


def build(line: Line, torch: Any, dtype: str = "float64") -> Any:
    """Make the layer, with parameters and buffers set from the line's id; call it if it is lazy."""
    module = make(line, torch).to(getattr(torch, dtype))
    if any(torch.nn.parameter.is_lazy(value) for value in module.state_dict().values()):
        with torch.no_grad():
            module.eval()(*arguments(line, torch, dtype))
        module.train()
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                rng = generator(f"{line.make}/{name}")
                low, high = (0.5, 1.5) if name.endswith(("_var", "weight_g")) else (-1.0, 1.0)
                array = low + (high - low) * rng.random(tuple(value.shape))
                value.copy_(torch.from_numpy(np.asarray(array)).to(value.dtype))
    return module


def arguments(line: Line, torch: Any, dtype: str = "float64") -> list[Any]:
    """Make the inputs: float ones require grad if their description says so."""
    rng = generator(line.make + "/inputs")
    made = []
    for described in line.inputs:
        array = described.array(rng)
        floating = array.dtype.kind == "f"
        tensor = torch.from_numpy((array.astype(dtype) if floating else array).copy())
        made.append(tensor.requires_grad_() if floating and described.grad else tensor)
    return made


def evaluate(line: Line, torch: Any, mode: str, dtype: str = "float64",
             order: int | None = None) -> dict[str, Any]:
    """Return outputs, gradients by order, and buffers after the call, as arrays by name."""
    module = build(line, torch, dtype).train(mode == "train")
    inputs = arguments(line, torch, dtype)
    outs = flatten(module(*inputs), torch)
    names = [f"input{k}" for k, t in enumerate(inputs) if t.requires_grad]
    leaves = [t for t in inputs if t.requires_grad]
    for name, parameter in module.named_parameters():
        names.append(name)
        leaves.append(parameter)
    found = {f"out{k}": out.detach().numpy() for k, out in enumerate(outs)}
    tensors = outs
    last = line.order if order is None else order
    for k in range(1, last + 1):
        tensors = [t for t in tensors if t is not None and t.requires_grad]
        if not tensors or not leaves:
            break
        rng = generator(f"{line.make}/{k}")
        weights = [torch.from_numpy(np.asarray(rng.random(tuple(t.shape)) * 2 - 1)).to(t.dtype)
                   for t in tensors]
        tensors = list(torch.autograd.grad(tensors, leaves, weights, create_graph=k < last,
                                           allow_unused=True))
        for name, g in zip(names, tensors, strict=True):
            array = np.zeros(()) if g is None else g.numpy(force=True)
            if array.any():  # no gradient and zeros are the same
                found[f"d{k}:{name}"] = array
    for name, buffer in module.named_buffers():
        found[f"buffer:{name}"] = buffer.numpy()
    return found


def families() -> list[str]:
    """Return the names of the table's files."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def lines_of(family: str) -> list[Line]:
    """Return the lines of one file."""
    lines: list[Line] = importlib.import_module(f"{__name__}.{family}").LINES
    return lines
