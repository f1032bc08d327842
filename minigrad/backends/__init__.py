"""Switches of other libraries that device-agnostic programs set: none of these libraries is here.

`torch.backends.cudnn.benchmark = True` and the like are kept and read back, as in PyTorch on a
machine without a GPU; nothing depends on them. A name that no program of PyTorch knows is refused.

>>> import minigrad as torch
>>> torch.backends.cudnn.benchmark = True
>>> torch.backends.mps.is_available(), torch.backends.cudnn.version()
(False, None)
"""

from __future__ import annotations

from typing import Any

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]


class _Backend:
    """A library that is not there, with the switches that PyTorch has for it."""

    def __init__(self, name: str, **flags: Any) -> None:
        vars(self).update(flags, _name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in vars(self):
            raise AttributeError(f"torch.backends.{self._name} has no switch {name!r}; it has "
                                 f"{sorted(k for k in vars(self) if k[0] != '_')}")
        kind = type(vars(self)[name])
        if not isinstance(value, kind):
            raise RuntimeError(f"torch.backends.{self._name}.{name} must be {kind.__name__}, not "
                               f"{type(value).__name__}")
        vars(self)[name] = value

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"torch.backends.{vars(self).get('_name', '')} has no {name!r}")

    def __repr__(self) -> str:
        return f"<torch.backends.{self._name}: not available>"

    def is_available(self) -> bool:
        """Return False: minigrad computes by NumPy alone."""
        return False

    is_built = is_available


class _Cudnn(_Backend):
    def version(self) -> int | None:
        """Return None: there is no cuDNN."""
        return None


cudnn = _Cudnn("cudnn", benchmark=False, deterministic=False, enabled=True, allow_tf32=True,
               benchmark_limit=10)
cuda = _Backend("cuda", matmul=_Backend(
    "cuda.matmul", allow_tf32=False, allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True))
mps, mkl, openmp = (_Backend(name) for name in ("mps", "mkl", "openmp"))
mkldnn = _Backend("mkldnn", enabled=True)
