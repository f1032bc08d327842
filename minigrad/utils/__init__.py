"""Tools around tensors: data loading, checkpointing, hooks."""

from . import checkpoint, data, hooks

__all__ = ["checkpoint", "data", "hooks"]
