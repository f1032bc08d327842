"""Grad modes under PyTorch's module name, and the switches that change nothing here."""

from __future__ import annotations

from typing import Any

from ..modes import enable_grad, inference_mode, no_grad, set_grad_enabled, state

__all__ = ["enable_grad", "inference_mode", "is_multithreading_enabled", "no_grad",
           "set_grad_enabled", "set_multithreading_enabled"]


class set_multithreading_enabled:
    """Note whether backward may use several threads: at once when called, or for a `with` block.

    minigrad's backward always runs in the thread that calls it, as PyTorch's does on the CPU.
    """

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self.prev = state.multithreading
        state.multithreading = self.mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        state.multithreading = self.prev

    def clone(self) -> Any:
        """Return another one with the same setting."""
        return type(self)(self.mode)


def is_multithreading_enabled() -> bool:
    """Return what `set_multithreading_enabled` was last given: True unless switched off."""
    return state.multithreading
