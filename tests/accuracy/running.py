"""Layers with running statistics, and what they go through: several steps, train and eval."""

from __future__ import annotations

from typing import Any

import numpy as np

SHAPES = {"BatchNorm1d": (5, 3, 4), "BatchNorm2d": (2, 3, 4, 3), "BatchNorm3d": (2, 3, 2, 2, 3),
          "InstanceNorm1d": (5, 3, 4), "InstanceNorm2d": (2, 3, 4, 3),
          "InstanceNorm3d": (2, 3, 2, 2, 3)}
OPTIONS = ["", ", momentum=0.3", ", momentum=None", ", momentum=1.0", ", momentum=0.0",
           ", affine=False"]
LAYERS = [*(f"{name}(3{option}, track_running_stats=True)" for name in SHAPES
            for option in OPTIONS),
          *(f"{name}(3, track_running_stats=False)" for name in SHAPES)]
STEPS = ("train", "train", "eval", "train", "eval", "train")


def run(make: str, torch: Any, dtype: str) -> np.ndarray:
    """Return the outputs in eval for one sample, and the buffers after each step, as one array."""
    layer = eval(f"torch.nn.{make}", {"torch": torch}).to(getattr(torch, dtype))
    random = np.random.Generator(np.random.PCG64(3)).random
    found = []
    for step, mode in enumerate(STEPS):
        x = (random(SHAPES[make.split("(")[0]]) * 4 + step - 3).astype(dtype)
        with torch.no_grad():
            y = layer.train(mode == "train")(torch.from_numpy(x))
        if mode == "eval" or step == 0:
            found.append(y[0].numpy().ravel())
        found += [buffer.numpy().copy().ravel() for buffer in layer.buffers()]
    return np.concatenate(found).astype(np.float64)
