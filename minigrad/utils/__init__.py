"""Tools around tensors: data loading, checkpointing, hooks."""

from . import checkpoint, data, dlpack, hooks

__all__ = ["checkpoint", "data", "dlpack", "hooks"]
