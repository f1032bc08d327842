"""What one op keeps for backward and needs meanwhile, by formula from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels._small_images import suits
from ..kernels._small_norm import SMALL
from ..kernels.attention import FEW
from ..kernels.pool import distance_dtype

Arguments = dict[str, Any]  # an op's arguments by name
Formula = Callable[[Arguments, Any], int]  # of the arguments and the first result


def _size(value: Any) -> int:
    return math.prod(value.shape)


def _scores(a: Arguments, y: Any) -> int:
    return _size(y) // y.shape[-1] * a["key"].shape[-2]


def kept_bytes(name: str, op: Any, arrays: list[Any], results: list[Any]) -> int | None:
    """Return the bytes of the value that an op keeps under a name, by formula; None: unknown.

    `arrays` and `results` need no more than `shape`, `ndim` and `dtype`.
    """
    if name == "y":
        return sum(_size(r) * r.dtype.itemsize for r in results)
    if name in op.slots:
        value = arrays[op.slots[name]]
        several = value if isinstance(value, (list, tuple)) else [value]
        return sum(_size(v) * v.dtype.itemsize for v in several if hasattr(v, "dtype"))
    formula = AUXILIARY.get((op.name, name))
    if formula is None:
        return None
    return formula(dict(zip(op.names, arrays, strict=True)), results[0])


def _bytes(count: Callable[[Arguments, Any], int], dtype: str = "") -> Formula:
    """Bytes of `count` numbers, by default of the result's dtype."""
    size = np.dtype(dtype).itemsize if dtype else 0
    return lambda a, y: count(a, y) * (size or y.dtype.itemsize)


def _channelwise(a: Arguments, y: Any) -> int:
    return math.prod(a["input"].shape[:2])


def _rows(a: Arguments, y: Any) -> int:
    return math.prod(a["input"].shape[:a["input"].ndim - a["dims"]])


def _centred(a: Arguments, y: Any) -> int:
    """Return how many numbers layer norm keeps: one per row, of small arrays all of them."""
    small = a["input"].dtype == np.float32 and _size(y) <= SMALL
    return _size(y) if small else _rows(a, y)


def _groups(a: Arguments, y: Any) -> int:
    return a["input"].shape[0] * a["num_groups"]


def _is_small(a: Arguments) -> bool:
    """Tell whether batch or group norm keeps what is left of its input less the mean."""
    return suits(a["input"], a.get("num_groups"), a["eps"])


def _alpha(a: Arguments, y: Any) -> int:
    return _channelwise(a, y) if a["features"] else _size(y)


def _steps(a: Arguments) -> tuple[int, int, int, int]:
    """Return steps, batch, hidden units and the width of the product of a recurrent layer."""
    if a["form"] == "packed":
        steps, batch = len(a["batch_sizes"]), a["batch_sizes"][0]
    elif a["form"] == "cell":
        steps, batch = 1, a["input"].shape[0]
    else:
        steps, batch = a["input"].shape[:2]
    hidden = a["w_hh"].shape[0] // {"LSTM": 4, "GRU": 3}.get(a["mode"], 1)
    return steps, batch, hidden, a["w_ih"].shape[1] + a["w_hh"].shape[1] + 1  # 1: of the bias


def _states(a: Arguments, y: Any) -> int:
    """Return how many numbers a recurrent layer keeps.

    Of each step the operand of the product and the gates; GRU also the candidate's product, LSTM
    the cells, their tanh and five factors of derivatives.
    """
    steps, batch, hidden, width = _steps(a)
    kept = {"LSTM": 11 * steps + 1, "GRU": 5 * steps}.get(a["mode"], steps)
    return batch * ((steps + 1) * width + kept * hidden)


def scratch_bytes(op: Any, arrays: list[Any]) -> int:
    """Return what the backward of an op needs meanwhile, by formula; 0 for most.

    A recurrent layer has the gradients of its results and of its gates in two layouts, and the
    operands once more.
    """
    if op.name != "recurrent_layer":
        return 0
    a = dict(zip(op.names, arrays, strict=True))
    steps, batch, hidden, width = _steps(a)
    gates = 10 if a["mode"] in ("LSTM", "GRU") else 3
    return steps * batch * (gates * hidden + width) * int(a["input"].dtype.itemsize)


def _distances(a: Arguments, y: Any) -> int:
    kernel = a["kernel_size"]
    spatial = tuple(a["input"].shape[-len(kernel):])
    return _size(y) * distance_dtype(spatial, kernel, a["dilation"]).itemsize


def _classes(a: Arguments, y: Any) -> int:
    return _size(a["input"])


AUXILIARY: dict[tuple[str, str], Formula] = {
    ("batch_norm", "statistics"): _bytes(
        lambda a, y: a["input"].shape[1] * (1 if _is_small(a) else 2), "float64"),
    ("group_norm", "statistics"): _bytes(
        lambda a, y: _groups(a, y) * (1 if _is_small(a) else 2), "float64"),
    **{(name, "centred"): _bytes(lambda a, y: _size(y) * _is_small(a))
       for name in ("batch_norm", "group_norm")},
    ("layer_norm", "centre"): _bytes(_centred, "float64"),
    ("layer_norm", "invstd"): _bytes(_rows, "float64"),
    ("rms_norm", "invrms"): _bytes(_rows, "float64"),
    ("dropout", "noise"): _bytes(lambda a, y: _size(y)),
    ("feature_dropout", "noise"): _bytes(_channelwise),
    ("alpha_dropout", "scale"): _bytes(_alpha),
    ("rrelu_with_noise", "noise"): _bytes(lambda a, y: _size(y)),
    ("max_pool", "choice"): _distances,
    ("maximum", "indices"): _bytes(lambda a, y: _size(y), "int64"),
    ("max_dim", "indices"): _bytes(lambda a, y: _size(y), "int64"),
    ("min_dim", "indices"): _bytes(lambda a, y: _size(y), "int64"),
    ("glu", "gate"): _bytes(lambda a, y: _size(y)),
    ("attention", "weights"): _bytes(lambda a, y: n if (n := _scores(a, y)) <= FEW else 0),
    ("attention", "logs"): _bytes(
        lambda a, y: _size(y) // y.shape[-1] if _scores(a, y) > FEW else 0),
    ("recurrent_layer", "run"): _bytes(_states),
    **{(name, "powers"): _bytes(_classes) for name in ("class_cross_entropy", "row_cross_entropy")},
    ("row_cross_entropy", "sums"): _bytes(lambda a, y: a["input"].shape[0]),
    ("row_cross_entropy", "places"): _bytes(lambda a, y: _size(a["target"]), "int64"),
    ("class_cross_entropy", "sums"): _bytes(
        lambda a, y: _size(a["input"]) // a["input"].shape[1]),
    ("class_cross_entropy", "index"): _bytes(
        lambda a, y: a["input"].ndim * _size(a["target"]), "int64"),
    ("nll_loss", "index"): _bytes(lambda a, y: a["input"].ndim * _size(a["target"]), "int64"),
    ("nll_loss", "factors"): _bytes(lambda a, y: _size(a["target"])),
}
