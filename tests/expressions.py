"""Evaluate the expressions of expressions_numpy.py and expressions_types.py; say what comes out."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from . import expressions_numpy, expressions_types
except ImportError:  # run as a script
    import expressions_numpy
    import expressions_types

FAMILIES = expressions_numpy.FAMILIES | expressions_types.FAMILIES


def outcome(torch: Any, source: str, note: Callable[[Exception], object] = lambda error: 0) -> str:
    """Return type and text of what an expression gives, or its error's class; `note` the error."""
    names = {"torch": torch, "np": np, "math": math, "copy": copy, "pickle": pickle, "json": json}
    *setup, last = source.split("; ")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec("; ".join(setup), names)
            value = eval(last, names)
            text = f"{type(value).__name__} {shown(value)}"
        except Exception as error:
            text = f"! {type(error).__name__}"
            note(error)
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_default_device(None)
    return text


def shown(value: Any) -> str:
    """Return a value as text without addresses, with an array's dtype."""
    text = repr(value).replace("minigrad", "torch")
    if isinstance(value, np.ndarray):
        text += f" {value.dtype}"
    return re.sub(r" at 0x[0-9a-f]+", "", text)
