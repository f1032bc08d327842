"""Anomaly mode: remember where ops were called, and stop at the first NaN.

`detect_anomaly()` costs time, so it is for debugging. `MINIGRAD_DEBUG=1` in the environment turns
it on for a whole run.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .modes import state

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


class _Anomaly:
    """The process-wide switch, and what the engine calls while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.hooks: set[object] = set()  # one for each that watches, as saved_tensors_hooks does
        self.watched = False  # must recorded nodes be reported?
        self.pack_node: Any = None  # saved.py sets it
        self.check_nan = True
        self.check_inf = False
        self.set(os.environ.get("MINIGRAD_DEBUG", "") not in ("", "0"))

    def set(self, on: bool, check_nan: bool = True, check_inf: bool = False) -> None:
        """Switch the mode and say what counts as an anomaly."""
        self.on, self.check_nan, self.check_inf = on, check_nan, check_inf
        self.watched = on or bool(self.hooks)

    def recorded(self, node: Any, args: Any = None) -> None:
        """Remember the user's source line of a recorded op; let hooks pack what it saved."""
        if self.on:
            node.meta = {"where": user_line()}
        if state.packers and args is not None:
            self.pack_node(node, args)

    def after_forward(self, op: Any, arrays: list[Any], y: Any) -> None:
        """Under check_inf: stop at the first op whose result is not finite."""
        if not self.check_inf:
            return
        for k, array in enumerate(y if op.many else [y]):
            if isinstance(array, np.ndarray) and not finite(array):
                which = f"output {k} of " if op.many else ""
                raise RuntimeError(
                    f"{which}{op.name} has values that are not finite (nan or inf): shape "
                    f"{list(array.shape)}, {span(array)}. It was called at:\n{user_line()}")

    def after_backward(self, node: Any, grads: Any) -> None:
        """Stop at the first op whose backward returns NaN (or inf under check_inf)."""
        if not self.check_nan:
            return
        for k, g in enumerate(grads):
            array = getattr(g, "_data", g)
            if not isinstance(array, (np.ndarray, np.generic)):
                continue
            bad = not finite(array) if self.check_inf else bool(np.isnan(array).any())
            if bad:
                where = (node.meta or {}).get("where")
                place = f" It was called in forward at:\n{where}" if where else (
                    " Its forward ran outside of detect_anomaly(), so its line is not known.")
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {k}th output: the "
                    f"gradient of input {k} of {node.op.name}, shape {list(array.shape)}, "
                    f"{span(array)}.{place}")


def finite(array: Any) -> bool:
    """Return True if a float array has neither nan nor inf (other dtypes always)."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def span(array: Any) -> str:
    """Describe an array's finite range and how many values are nan or inf."""
    good = array[np.isfinite(array)]
    low_high = f"min {good.min():.4g}, max {good.max():.4g}" if good.size else "no finite value"
    return f"{int(np.isnan(array).sum())} nan, {int(np.isinf(array).sum())} inf, {low_high}"


def user_line() -> str:
    """Return the innermost line of the call stack that is not minigrad's own."""
    import traceback  # half a millisecond that few programs need

    frames = [f for f in traceback.extract_stack() if not f.filename.startswith(_PACKAGE)]
    if not frames:
        return "  (no line outside of minigrad)"
    frame = frames[-1]
    return f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n    {frame.line}'


anomaly = _Anomaly()


class detect_anomaly:
    """Find the op that makes NaN gradients, and show its line in the forward pass.

    Under this context manager an op whose backward returns NaN raises RuntimeError that names the
    op and the source line which called it. `check_inf=True` (beyond PyTorch) also stops at infinite
    values, and checks the results of forward as well.
    """

    def __init__(self, check_nan: bool = True, check_inf: bool = False) -> None:
        self._new = (True, check_nan, check_inf)

    def __enter__(self) -> None:
        self._old = (anomaly.on, anomaly.check_nan, anomaly.check_inf)
        anomaly.set(*self._new)

    def __exit__(self, *exc: object) -> None:
        anomaly.set(*self._old)


class set_detect_anomaly(detect_anomaly):
    """Switch anomaly mode on or off, at once or for a `with` block."""

    def __init__(self, mode: bool, check_nan: bool = True, check_inf: bool = False) -> None:
        self._old = (anomaly.on, anomaly.check_nan, anomaly.check_inf)
        anomaly.set(mode, check_nan, check_inf)

    def __enter__(self) -> None:
        pass


def is_anomaly_enabled() -> bool:
    """Return True while anomaly mode is on."""
    return anomaly.on


def is_anomaly_check_nan_enabled() -> bool:
    """Return True if anomaly mode looks for NaN (which is also its setting while it is off)."""
    return anomaly.check_nan
