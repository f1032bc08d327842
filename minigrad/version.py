"""What the package is built with, for programs that ask: there are no accelerators."""

from __future__ import annotations

__all__ = ["__version__", "cuda", "debug", "hip", "rocm", "xpu"]

__version__ = "0.1.0"
debug = False
cuda: str | None = None
hip: str | None = None
rocm: str | None = None
xpu: str | None = None
