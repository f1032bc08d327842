"""Automatic mixed precision, for programs that switch it on for a GPU: here there is none.

As in PyTorch on a machine without CUDA, `autocast("cuda")` and `GradScaler("cuda")` warn and are
off. Lower precision on the CPU is refused, because bfloat16 does not exist and float16 is slower
than float32 in NumPy.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from ._dtype import dtype as Dtype

__all__ = ["GradScaler", "autocast"]

_DEVICES = ("cpu", "cuda", "xpu", "mps", "hpu", "mtia", "maia", "ipu", "xla")


class autocast:
    """Run a block in lower precision where that is available: nowhere here, so it must be off.

    Args: device_type: "cpu", "cuda", ...; dtype, cache_enabled: as in PyTorch, without effect while
    it is off; enabled: default True, which warns and is off for a device that is not there, and
    raises NotImplementedError for the CPU. Also a decorator.

    >>> import minigrad as torch
    >>> with torch.autocast("cuda", enabled=torch.cuda.is_available()):
    ...     (torch.ones(1, 2) @ torch.ones(2, 1)).dtype
    torch.float32
    """

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True,
                 cache_enabled: bool | None = None) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if device_type not in _DEVICES:
            raise RuntimeError(f"autocast: expected a device_type of {', '.join(_DEVICES)}, got "
                               f"{device_type!r}")
        if dtype is not None and not isinstance(dtype, Dtype):
            raise ValueError(f"autocast: expected `dtype` of type `torch.dtype`, got "
                             f"`{type(dtype)}`")
        if enabled and device_type == "cpu":
            raise NotImplementedError(
                "autocast: minigrad has no mixed precision on the CPU: there is no bfloat16, and "
                "NumPy computes in float16 slower than in float32; pass enabled=False")
        if enabled:
            warnings.warn(f"{device_type.upper()} is not available. Disabling autocast.",
                          stacklevel=2)
        self.device, self.fast_dtype, self._enabled = device_type, dtype, False

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return run


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Return False: see `autocast`.

    >>> import minigrad as torch
    >>> torch.is_autocast_enabled()
    False
    """
    return False


class GradScaler:
    """Scale losses for float16 training on a GPU; here it is off and hands everything through.

    `scale(loss)` is the loss, `step(optimizer)` is `optimizer.step()`; programs with a scaler
    train as without one. Enabled for a device that is not there it warns and is off, as in PyTorch;
    for the CPU it raises NotImplementedError.

    >>> import minigrad as torch
    >>> scaler = torch.amp.GradScaler("cuda", enabled=torch.cuda.is_available())
    >>> scaler.is_enabled(), scaler.scale(torch.tensor(2.))
    (False, tensor(2.))
    """

    def __init__(self, device: str = "cuda", init_scale: float = 2.0**16,
                 growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True) -> None:
        if device not in _DEVICES:
            raise RuntimeError(f"GradScaler: expected a device of {', '.join(_DEVICES)}, got "
                               f"{device!r}")
        if enabled and device == "cpu":
            raise NotImplementedError("GradScaler: there is no mixed precision on the CPU here, so "
                                      "there is nothing to scale; pass enabled=False")
        if enabled:
            warnings.warn(f"torch.{device}.amp.GradScaler is enabled, but {device.upper()} is not "
                          f"available.  Disabling.", stacklevel=2)

    def is_enabled(self) -> bool:
        """Return False."""
        return False

    def scale(self, outputs: Any) -> Any:
        """Return the outputs as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Leave the gradients as they are: they were not scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Return `optimizer.step(*args, **kwargs)`."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Leave the scale at 1."""

    def get_scale(self) -> float:
        """Return 1.0."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """Return {}, as a scaler that is off does in PyTorch."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Accept the state of any scaler: one that is off has none."""
