"""Version counters: how the engine knows that a saved value was changed in place.

Every tensor that owns or views a block of memory points to that block's `Storage`. An in-place
write adds one to its `count`. A node that saves a value notes the count, and compares before it
uses the value in backward. Views also note `rebased`, which grows when the history (not only the
memory) of their base was rewritten.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Storage:
    """The version counter of one block of memory, shared by a tensor and all of its views."""

    count = 0
    rebased = 0
    writer = "an in-place operation"  # the op that wrote last, for the error
    where: str | None = None  # its source line, under anomaly mode

    def wrote(self, op_name: str, where: str | None = None) -> None:
        """Note one in-place write by `op_name`."""
        self.count += 1
        self.writer = op_name
        self.where = where


class InferenceStorage(Storage):
    """Storage of a tensor made in inference mode: it has no version to save or to compare."""

    @property
    def count(self) -> int:  # type: ignore[override]
        raise RuntimeError(
            "Inference tensors cannot be saved for backward: this op needs the value of a tensor "
            "that was made inside inference_mode(). Clone it outside of the block first, or use "
            "no_grad() instead of inference_mode()."
        )

    def wrote(self, op_name: str, where: str | None = None) -> None:
        """Inference tensors are not tracked."""


class Intercepted(Exception):
    """Raised by the storage of a tensor that the engine must not see: one batched by vmap."""


def storage_of(tensor: Any) -> Storage:
    """Return the tensor's storage, made at the first question."""
    storage = tensor._storage
    if storage is None:
        storage = tensor._storage = Storage()
        storage.count = 0  # Python finds what an object has itself faster than what its class has
    return storage


def note_saved(node: Any, names: Any, tensors: Any) -> None:
    """Note the versions of auxiliary results that a node saved and callers may write into."""
    for name, tensor in zip(names, tensors, strict=True):
        if node is not None and name in node.plan.names:
            storage = storage_of(tensor)
            node.versions.append((name, storage, storage.count))


def changed_in_place(node: Any, name: str, storage: Storage, saved: int) -> RuntimeError:
    """Build the error for a saved value that was overwritten before backward could use it."""
    shape = list(node.shape) if name in ("y", "result") else None
    what = f"the result (shape {shape})" if shape is not None else f"the argument '{name}'"
    lines = [
        f"one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: {node.op.name} ({node.name()}) saved {what} at version {saved}, and "
        f"{storage.writer} has changed it since; it is at version {storage.count}.",
        f"Use the form of {storage.writer} that returns a new tensor, or clone() the value before "
        f"it is changed.",
    ]
    made = (node.meta or {}).get("where")
    if made:
        lines.append(f"{node.op.name} was called at:\n{made}")
    if storage.where:
        lines.append(f"{storage.writer} was called at:\n{storage.where}")
    if not (made or storage.where):
        lines.append("detect_anomaly() (or MINIGRAD_DEBUG=1) adds the source lines of both.")
    return RuntimeError("\n".join(lines))


def overlapping(array: np.ndarray) -> bool:
    """Return False if the strides show that no two elements share a place in memory."""
    reach = 0
    for step, n in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True)
                          if n != 1):
        if step <= reach:
            return array.size > 0
        reach += step * (n - 1)
    return False
