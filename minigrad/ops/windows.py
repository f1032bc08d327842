"""Windows for spectra: Hann, Hamming, Blackman, Bartlett, Kaiser.

`periodic` (the default) leaves the last point of the symmetric window of one point more away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _check
from .fill import finish, numpy_dtype

ndarray = np.ndarray


def _window(name: str, shape: Callable[[ndarray], ndarray], window_length: int, periodic: bool,
            dtype: Any, layout: Any, device: Any, pin_memory: bool, requires_grad: bool) -> Any:
    """Make a window from its shape on [0, 1], the places of its points."""
    if window_length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got "
                           f"window_length={window_length}")
    kind = numpy_dtype(dtype, None)
    if kind.kind != "f":
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    if window_length == 1:
        return finish(np.ones(1, kind), layout, device, pin_memory, requires_grad, None)
    last = window_length if periodic else window_length - 1
    array = shape(np.arange(window_length) / max(last, 1)).astype(kind)
    return finish(array, layout, device, pin_memory, requires_grad, None)


@_check.takes()
def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None,
                device: Any = None, pin_memory: bool = False, requires_grad: bool = False) -> Any:
    """Return sin^2(pi t) for t from 0 to 1.

    >>> import minigrad as torch
    >>> torch.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _window("hann_window", lambda t: 0.5 - 0.5 * np.cos(2 * np.pi * t), window_length,
                   periodic, dtype, layout, device, pin_memory, requires_grad)


@_check.takes()
def hamming_window(window_length: int, periodic: bool = True, alpha: float = 0.54,
                   beta: float = 0.46, *, dtype: Any = None, layout: Any = None,
                   device: Any = None, pin_memory: bool = False,
                   requires_grad: bool = False) -> Any:
    """Return alpha - beta cos(2 pi t) for t from 0 to 1."""
    return _window("hamming_window", lambda t: alpha - beta * np.cos(2 * np.pi * t), window_length,
                   periodic, dtype, layout, device, pin_memory, requires_grad)


@_check.takes()
def blackman_window(window_length: int, periodic: bool = True, *, dtype: Any = None,
                    layout: Any = None, device: Any = None, pin_memory: bool = False,
                    requires_grad: bool = False) -> Any:
    """Return 0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t) for t from 0 to 1."""
    return _window("blackman_window", lambda t: 0.42 - 0.5 * np.cos(2 * np.pi * t)
                   + 0.08 * np.cos(4 * np.pi * t), window_length,
                   periodic, dtype, layout, device, pin_memory, requires_grad)


@_check.takes()
def bartlett_window(window_length: int, periodic: bool = True, *, dtype: Any = None,
                    layout: Any = None, device: Any = None, pin_memory: bool = False,
                    requires_grad: bool = False) -> Any:
    """Return the triangle 1 - |2 t - 1| for t from 0 to 1."""
    return _window("bartlett_window", lambda t: 1 - np.abs(2 * t - 1), window_length,
                   periodic, dtype, layout, device, pin_memory, requires_grad)


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, *,
                  dtype: Any = None, layout: Any = None, device: Any = None,
                  pin_memory: bool = False, requires_grad: bool = False) -> Any:
    """Return I0(beta sqrt(1 - (2 t - 1)^2)) / I0(beta) for t from 0 to 1 (Kaiser 1974)."""
    return _window("kaiser_window", lambda t: np.i0(beta * np.sqrt(1 - (2 * t - 1) ** 2))
                   / np.i0(beta), window_length,
                   periodic, dtype, layout, device, pin_memory, requires_grad)
