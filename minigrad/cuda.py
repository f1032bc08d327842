"""What device-agnostic programs ask about GPUs: there are none."""

from __future__ import annotations


def is_available() -> bool:
    """Return False: minigrad computes on the CPU.

    >>> import minigrad as torch
    >>> torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device(type='cpu')
    """
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Check the seed; there is no generator on a GPU to give it to (as in PyTorch without one)."""
    int(seed)


manual_seed_all = manual_seed
