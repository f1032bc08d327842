"""AdamW under PyTorch's module name; see adam.py."""

from .adam import AdamW

__all__ = ["AdamW"]
