"""Recurrent layers and cells: plain (Elman), LSTM and GRU.

A layer in one direction is one fused op, and so is a cell, which is a layer of one step. `stacked`
puts layers and directions together. The formulas are in the references, one function per mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .. import _check
from ..engine import op, wrap
from ..kernels import recurrent_memory as kernels
from ..kernels.recurrent import forward
from ..kernels.recurrent_backward import backward
from .dropout import dropout as drop
from .elementwise import sigmoid, tanh
from .join import cat, chunk, split_with_sizes, stack, unbind
from .linalg import linear
from .piecewise import relu
from .shape import unsqueeze
from .slicing import narrow

ndarray = np.ndarray
Counts = tuple[int, ...]


# ---------------------------------------------------------------------------------- references
def _lstm_step(a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    i, f, g, o = chunk(a + b, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _gru_step(a: Any, b: Any, h: Any) -> Any:
    (of_r, of_z, of_n), (r, z, n) = chunk(a, 3, -1), chunk(b, 3, -1)
    z, n = sigmoid(of_z + z), tanh(of_n + sigmoid(of_r + r) * n)
    return n + z * (h - n)


def _step(mode: str, x: Any, h: Any, c: Any, w: kernels.Weights) -> tuple[Any, Any]:
    """Return the state and the cell (None but for the LSTM) after a step."""
    a, b = linear(x, w.ih, w.b_ih), linear(h, w.hh, w.b_hh)
    if mode == "GRU":
        return _gru_step(a, b, h), None
    if mode != "LSTM":
        return (tanh if mode == "RNN_TANH" else relu)(a + b), None
    h, c = _lstm_step(a, b, c)
    return (h if w.hr is None else linear(h, w.hr)), c


def _resized(state: Any, count: int, first: Any, ended: list[Any]) -> Any:
    """Let samples begin with their first state, or move those that have ended to a list."""
    size = len(state)
    if count > size:
        return cat([state, narrow(first, 0, size, count - size)])
    if count < size:
        ended.append(narrow(state, 0, count, size - count))
        return narrow(state, 0, 0, count)
    return state


def _reference(input: Any, hx: Any, cx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any,
               mode: str, form: str, batch_sizes: Counts | None, reverse: bool,
               alone: bool) -> list[Any]:
    w = kernels.Weights(w_ih, w_hh, b_ih, b_hh, w_hr)
    times = ([input] if form == "cell" else split_with_sizes(input, batch_sizes)
             if batch_sizes is not None else unbind(input, int(form == "batch_first")))
    order = times[::-1] if reverse else times
    hidden = len(w_ih) // kernels.CELLS[mode].gates
    first = [wrap(np.zeros((len(times[0]), width), input._data.dtype), None) if state is None
             else state[0] if alone else state
             for state, width in ((hx, w_hh.shape[1]), (cx, hidden))]
    h, c = [narrow(state, 0, 0, len(order[0])) for state in first]
    ys: list[Any] = []
    ended: tuple[list[Any], list[Any]] = ([], [])
    for x in order:
        h, c = [None if state is None else _resized(state, len(x), begin, done)
                for state, begin, done in zip((h, c), first, ended, strict=True)]
        h, c = _step(mode, x, h, c, w)
        ys.append(h)
    last = [state if not done else cat([state, *done[::-1]])
            for state, done in zip((h, c), ended, strict=True) if state is not None]
    last = [unsqueeze(state, 0) for state in last] if alone else last
    ys = ys[::-1] if reverse else ys
    if form == "cell":
        return last
    y = cat(ys) if form == "packed" else stack(ys, int(form == "batch_first"))
    return [y, *last]


# ----------------------------------------------------------------------------------- fused op
_CELL_NAMES = {"LSTM": "MulBackward0", "GRU": "AddBackward0", "RNN_TANH": "TanhBackward0",
               "RNN_RELU": "ReluBackward0"}


def _shown(mode: str, form: str) -> str:
    if form == "cell":
        return _CELL_NAMES[mode]
    transposed = "TransposeBackward0" if mode == "LSTM" else "TransposeBackward1"
    return {"packed": "CatBackward0", "batch_first": transposed}.get(form, "StackBackward0")


def _by_time(x: ndarray, form: str) -> ndarray:
    """Return an input (or output) with time as the first dimension; packed ones stay so."""
    return x[None] if form == "cell" else x.swapaxes(0, 1) if form == "batch_first" else x


@op(input=None, hx=None, cx=None, w_ih=None, w_hh=None, b_ih=None, b_hh=None, w_hr=None,
    reference=_reference, smooth="run", outputs="many", shown=_shown)
def _recurrent_layer(input: Any, hx: Any, cx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any,
                     w_hr: Any, mode: str, form: str, batch_sizes: Counts | None, reverse: bool,
                     alone: bool) -> tuple[list[ndarray], kernels.Run]:
    """Return y (not for a cell), the last state and an LSTM's last cell; `run` is for backward.

    `form` says what the input is: "sequence" (T, N, I), "batch_first" (N, T, I), "packed"
    (samples, I) with `batch_sizes`, or "cell" (N, I). States are (N, P), or (1, N, P) if `alone`.
    """
    w = kernels.Weights(w_ih, w_hh, b_ih, b_hh, w_hr)
    described = tuple([a if a is None else (a.shape, a.dtype) for a in (*w, hx, cx)])
    size = _size(mode, form, batch_sizes, reverse, alone, input.shape, input.dtype, described)
    if alone:
        hx, cx = hx if hx is None else hx[0], cx if cx is None else cx[0]
    y, h, c, run = forward(size, kernels.shape_of(batch_sizes, reverse), _by_time(input, form), hx,
                           cx, w)
    kind = input.dtype
    last = [np.array(h, kind, order="C")] + ([] if c is None else [np.array(c, kind, order="C")])
    if alone:
        last = [state.reshape(1, *state.shape) for state in last]
    if form == "cell":
        return last, run
    return [np.array(_by_time(y, form), kind, order="C"), *last], run


@_recurrent_layer.fused
def _(g: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, mode: str, form: str,
      alone: bool, run: Any, needs: Any) -> Any:
    # the derivations stand with the loops, in kernels/recurrent_backward.py
    dy = None if form == "cell" else _by_time(g[0], form)
    states = g if form == "cell" else g[1:]
    if alone:
        states = [state[0] for state in states]
    dh, dc = states if mode == "LSTM" else (states[0], None)
    w = kernels.Weights(w_ih, w_hh, b_ih, b_hh, w_hr)
    grads = backward(run, dy, dh, dc, w, needs)
    if alone:
        grads[1:3] = [d if d is None else d[None] for d in grads[1:3]]
    dx = grads[0]
    if dx is not None and form != "packed":
        grads[0] = dx[0] if form == "cell" else _by_time(dx, form)
    return grads


@lru_cache(maxsize=1024)
def _size(mode: str, form: str, batch_sizes: Counts | None, reverse: bool, alone: bool,
          shape: tuple[int, ...], kind: Any, described: tuple[Any, ...]) -> kernels.Size:
    """Refuse sizes and dtypes that do not fit each other; return that of the run.

    Weights and states are described by their shapes and dtypes.
    """
    length, batch, *_ = ((len(batch_sizes), batch_sizes[0]) if batch_sizes is not None else
                         (1, *shape) if form == "cell" else
                         shape[1::-1] if form == "batch_first" else shape)
    w_ih, w_hh, hr = described[0][0], described[1][0], described[4]
    gates = kernels.CELLS[mode].gates
    hidden, features = w_ih[0] // gates, w_hh[-1]
    rows = gates * hidden
    _check.floats(mode, np.empty(0, kind))
    if shape[-1] != w_ih[-1]:
        raise RuntimeError(f"{mode}: input has inconsistent input_size: got {shape[-1]} expected "
                           f"{w_ih[-1]}, the columns of w_ih {w_ih}")
    if hr is None and features != hidden:
        raise RuntimeError(f"{mode}: Expected w_hh of size {(rows, hidden)}, because w_ih is "
                           f"{w_ih} and there is no projection, got {w_hh}")
    lead = (1, batch) if alone else (batch,)
    for name, given, wanted in zip(
            ("w_ih", "w_hh", "b_ih", "b_hh", "w_hr", "hx", "cx"), described,
            (w_ih, (rows, features), (rows,), (rows,), (features, hidden),
             (*lead, features), (*lead, hidden)), strict=True):
        if given is None:
            continue
        if given[1] != kind:
            raise RuntimeError(f"{mode}: input and {name} must have the same dtype, but got {kind} "
                               f"and {given[1]}; convert one with .to(dtype)")
        if given[0] != wanted:
            raise RuntimeError(f"{mode}: Expected {name} of size {wanted} for a batch of {batch} "
                               f"and w_ih {w_ih}, got {list(given[0])}")
    return kernels.size_of(mode, length, batch, w_ih[1], features, hidden,
                           described[2] is not None or described[3] is not None, hr is not None,
                           reverse, kind)


# ------------------------------------------------------------------------- layers and directions
def parameter_sets(mode: str, params: Sequence[Any], has_biases: bool,
                   count: int) -> list[tuple[Any, ...]]:
    """Return (w_ih, w_hh, b_ih, b_hh, w_hr), None where missing, for each layer and direction."""
    each = 4 if has_biases else 2
    projected = mode == "LSTM" and len(params) == count * (each + 1)
    if len(params) != count * (each + projected) or not count:
        raise RuntimeError(f"{mode}: expected {each} parameters for each of {count} layers and "
                           f"directions (one more for LSTMs with projections), got {len(params)}")
    step = each + projected
    sets = []
    for k in range(0, len(params), step):
        biases = params[k + 2:k + 4] if has_biases else (None, None)
        sets.append((*params[k:k + 2], *biases, params[k + each] if projected else None))
    return sets


def stacked(mode: str, input: Any, states: Sequence[Any] | None, params: Sequence[Any],
            has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool,
            batch_first: bool, batch_sizes: Counts | None = None, generator: Any = None) -> Any:
    """Return y, the last states (layers * directions, N, P) and, for LSTMs, the last cells.

    `states` None means zeros. Dropout is between layers; `batch_sizes` says that input is packed.
    """
    form = "packed" if batch_sizes is not None else "batch_first" if batch_first else "sequence"
    ways = 2 if bidirectional else 1
    sets = parameter_sets(mode, params, has_biases, num_layers * ways)
    if batch_sizes is None and not input.shape[int(batch_first)]:
        raise RuntimeError(f"{mode}: Expected sequence length to be larger than 0 in RNN, got an "
                           f"input of shape {tuple(input.shape)}")
    hx, cx = (*(states or ()), None, None)[:2]
    if len(sets) == 1:
        return _recurrent_layer(input, hx, cx, *sets[0], mode, form, batch_sizes, False, True)
    firsts = [[None] * len(sets) if state is None else _each(mode, state, len(sets))
              for state in (hx, cx)]
    lasts: list[list[Any]] = []
    y = input
    for layer in range(num_layers):
        outs = []
        for way in range(ways):
            k = layer * ways + way
            out, *last = _recurrent_layer(y, firsts[0][k], firsts[1][k], *sets[k], mode, form,
                                          batch_sizes, way == 1, False)
            outs.append(out)
            lasts.append(last)
        y = outs[0] if ways == 1 else cat(outs, -1)
        if dropout and train and layer < num_layers - 1:
            y = drop(y, dropout, True, generator=generator)
    return [y, *map(stack, zip(*lasts, strict=True))]


def _each(mode: str, state: Any, count: int) -> Sequence[Any]:
    if state.ndim != 3 or len(state) != count:
        raise RuntimeError(f"{mode}: Expected initial states of {count} layers and directions, "
                           f"(layers * directions, N, features), got {tuple(state.shape)}")
    return unbind(state)


_PADDED = ("input", "hx", "params", "has_biases", "num_layers", "dropout", "train",
           "bidirectional", "batch_first")
_PACKED = ("data", "batch_sizes", *_PADDED[1:-1])


def counts_of(batch_sizes: Any, rows: int) -> Counts:
    """Return the batch sizes of packed data as ints; they must not grow, and add up to its rows."""
    found = tuple(batch_sizes.tolist())
    if not found or min(found) < 1 or sum(found) != rows or list(found) != sorted(found)[::-1]:
        raise RuntimeError(f"batch_sizes: expected positive sizes in decreasing order that add up "
                           f"to the {rows} rows of data, got {list(found)}")
    return found


def _run(name: str, mode: str, args: Sequence[Any], given: dict[str, Any]) -> tuple[Any, ...]:
    """Bind the arguments of one of the two overloads and run the layers."""
    generator = given.pop("generator", None)
    second = given.get("hx") if len(args) < 2 else args[1]
    packed = "data" in given or "batch_sizes" in given or (
        len(args) > 1 and getattr(getattr(second, "_data", None), "dtype", np.float32) == np.int64)
    names = _PACKED if packed else _PADDED
    bound = dict(zip(names, args, strict=False))
    if len(args) > len(names) or bound.keys() & given.keys() or {*bound, *given} != {*names}:
        raise TypeError(f"{name}() received an invalid combination of arguments: expected "
                        f"({', '.join(_PADDED)}) or ({', '.join(_PACKED)}), got "
                        f"{len(args)} positional ones and {sorted(given)}")
    bound |= given
    x, hx, params = bound.pop("data" if packed else "input"), bound.pop("hx"), bound.pop("params")
    for k, (what, value) in enumerate(((names[0], x), *enumerate(params)), start=1):
        _check.tensor(value, name, str(what), k)
    states = two_states(name, hx) if mode == "LSTM" else [_check.tensor(hx, name, "hx", 2)]
    sizes = bound.pop("batch_sizes", None)
    counts = None if sizes is None else counts_of(sizes, len(x))
    bound.setdefault("batch_first", False)
    return tuple(stacked(mode, x, states, params, **bound, batch_sizes=counts,
                         generator=generator))


def two_states(name: str, hx: Any) -> Sequence[Any]:
    """Return an LSTM's two states."""
    if not isinstance(hx, (tuple, list)):
        raise TypeError(f"{name}(): argument 'hx' (position 2) must be tuple of Tensors, the state "
                        f"and the cell, not {type(hx).__name__}")
    if len(hx) != 2:
        raise RuntimeError(f"{name} expects two hidden states, the state and the cell, got "
                           f"{len(hx)}")
    return [_check.tensor(state, name, "hx", 2) for state in hx]


def _layers(name: str, mode: str, formula: str, states: str) -> Callable[..., tuple[Any, ...]]:
    def function(*args: Any, **given: Any) -> tuple[Any, ...]:
        return _run(name, mode, args, given)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""Run the layers of `nn.{mode.partition('_')[0]}`: {formula}.

    Called ({', '.join(_PADDED)}), or for packed sequences ({', '.join(_PACKED)}); all are required.
    `hx` is {states} (layers * directions, N, features), `params` the flat list of weights. Beyond
    PyTorch: `generator=`, for the dropout between layers. Returns y and the last states.
    """
    return function


lstm = _layers("lstm", "LSTM", "c' = f c + i g, h' = o tanh(c')", "the state and the cell,")
gru = _layers("gru", "GRU", "h' = (1 - z) n + z h", "the state")
rnn_tanh = _layers("rnn_tanh", "RNN_TANH", "h' = tanh(W x + b + U h + c)", "the state")
rnn_relu = _layers("rnn_relu", "RNN_RELU", "h' = max(W x + b + U h + c, 0)", "the state")


# --------------------------------------------------------------------------------------- cells
def _cell(name: str, mode: str, input: Any, states: Sequence[Any], *weights: Any) -> Any:
    _check.tensor(input, name)
    size = input.shape[1] if input.ndim == 2 else None
    if size is None:
        raise RuntimeError(f"{name}: expected an input of shape (N, input_size), got "
                           f"{tuple(input.shape)}")
    hidden = len(weights[0]) // kernels.CELLS[mode].gates
    for k, state in enumerate(states):
        if state.shape != (len(input), hidden):
            raise RuntimeError(f"{name}: expected hidden{k} of shape (N, hidden_size) = "
                               f"({len(input)}, {hidden}), got {tuple(state.shape)}")
    hx, cx = (*states, None)[:2]
    return _recurrent_layer(input, hx, cx, *weights, None, mode, "cell", None, False, False)


def lstm_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None,
              b_hh: Any = None) -> tuple[Any, Any]:
    """Return the state and the cell of an LSTM after one step; `hx` is the pair before it.

    With i, f, g, o the four parts of w_ih x + b_ih + w_hh h + b_hh: c' = s(f) c + s(i) tanh(g),
    h' = s(o) tanh(c'), s the sigmoid. Input (N, I), states (N, H), w_ih (4H, I), w_hh (4H, H).

    >>> import minigrad as torch
    >>> h, c = torch.lstm_cell(torch.ones(1, 1), (torch.zeros(1, 1), torch.zeros(1, 1)),
    ...                        torch.ones(4, 1), torch.ones(4, 1))
    >>> h, c
    (tensor([[0.3696]]), tensor([[0.5568]]))
    """
    h, c = _cell("lstm_cell", "LSTM", input, two_states("lstm_cell", hx), w_ih, w_hh, b_ih, b_hh)
    return h, c


def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """Return the state of a GRU after one step: h' = (1 - z) n + z h.

    With r, z, n the three parts of a = w_ih x + b_ih and of b = w_hh h + b_hh: r = s(a_r + b_r),
    z = s(a_z + b_z), n = tanh(a_n + r b_n), s the sigmoid. Input (N, I), hx (N, H).

    >>> import minigrad as torch
    >>> torch.gru_cell(torch.ones(1, 1), torch.zeros(1, 1), torch.ones(3, 1), torch.ones(3, 1))
    tensor([[0.2048]])
    """
    hx = _check.tensor(hx, "gru_cell", "hx", 2)
    return _cell("gru_cell", "GRU", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None,
                  b_hh: Any = None) -> Any:
    """Return tanh(w_ih x + b_ih + w_hh h + b_hh), the state after one step.

    >>> import minigrad as torch
    >>> torch.rnn_tanh_cell(torch.ones(1, 1), torch.zeros(1, 2), torch.ones(2, 1), torch.eye(2))
    tensor([[0.7616, 0.7616]])
    """
    hx = _check.tensor(hx, "rnn_tanh_cell", "hx", 2)
    return _cell("rnn_tanh_cell", "RNN_TANH", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None,
                  b_hh: Any = None) -> Any:
    """Return relu(w_ih x + b_ih + w_hh h + b_hh), the state after one step.

    >>> import minigrad as torch
    >>> torch.rnn_relu_cell(torch.ones(1, 1), torch.ones(1, 2), torch.ones(2, 1), -2 * torch.eye(2))
    tensor([[0., 0.]])
    """
    hx = _check.tensor(hx, "rnn_relu_cell", "hx", 2)
    return _cell("rnn_relu_cell", "RNN_RELU", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]
