"""Recurrent cells: one step of a recurrent layer (part of rnn.py, where PyTorch has them)."""

from __future__ import annotations

import math
from typing import Any

from ..._check import tensor
from ..._random import Generator
from ...ops import recurrent
from ...ops.fill import zeros
from ...ops.shape import squeeze, unsqueeze
from ...tensor import Tensor
from .. import init
from ..parameter import Parameter
from ._make import initialise, made
from .module import Module

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


def draw_all(module: Module, hidden_size: int) -> None:
    """Draw all parameters from U(-k, k) with k = 1 / sqrt(hidden_size)."""
    bound = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


class RNNCellBase(Module):
    """Base of the cells: holds weight_ih, weight_hh, bias_ih and bias_hh.

    Args: input_size, hidden_size; bias: whether there are biases; num_chunks: the number of gates;
    device, dtype, generator: see Linear. First values: U(-k, k) with k = 1 / sqrt(hidden_size).
    """

    input_size: int
    hidden_size: int
    bias: bool
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int,
                 device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows, factory = num_chunks * hidden_size, {"device": device, "dtype": dtype}
        self.weight_ih = made(rows, input_size, **factory)
        self.weight_hh = made(rows, hidden_size, **factory)
        self.register_parameter("bias_ih", made(rows, **factory) if bias else None)
        self.register_parameter("bias_hh", made(rows, **factory) if bias else None)
        initialise(self.reset_parameters, generator)

    def reset_parameters(self) -> None:
        """Draw new values: U(-k, k) with k = 1 / sqrt(hidden_size)."""
        draw_all(self, self.hidden_size)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        text += "" if self.bias else f", bias={self.bias}"
        nonlinearity = vars(self).get("nonlinearity", "tanh")
        return text + ("" if nonlinearity == "tanh" else f", nonlinearity={nonlinearity}")

    def _weights(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _batched(self, input: Tensor, states: Any) -> tuple[Tensor, list[Tensor], bool]:
        """Return input and states with a batch dimension, zeros for no states; was there one?"""
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, (input_size) or "
                             f"(N, input_size), got {input.dim()}D instead")
        batched = input.dim() == 2
        if states is None:
            zero = zeros(len(input) if batched else 1, self.hidden_size, dtype=input.dtype)
            states = [zero] * (2 if name == "LSTMCell" else 1)
        else:
            labels = ("hx[0]", "hx[1]") if name == "LSTMCell" else ("hidden",)
            for label, state in zip(labels, states, strict=False):
                if tensor(state, name, label, 2).dim() not in (1, 2):
                    raise ValueError(f"{name}: Expected {label} to be 1D or 2D, (hidden_size) or "
                                     f"(N, hidden_size), got {state.dim()}D instead")
            if not batched:
                states = [unsqueeze(state, 0) for state in states]
        return (input if batched else unsqueeze(input, 0)), states, batched


class RNNCell(RNNCellBase):
    """Compute one step of `RNN`: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu(...).

    Elman, "Finding structure in time", 1990.
    Args: input_size, hidden_size; bias True; nonlinearity "tanh" or "relu"; device, dtype,
    generator: see Linear.
    Shape: (N, input_size) and h (N, hidden_size), default zeros -> (N, hidden_size); or without N.

    >>> import minigrad as torch
    >>> cell, h = torch.nn.RNNCell(4, 3), None
    >>> for x in torch.randn(5, 2, 4):  # 5 steps
    ...     h = cell(x, h)
    >>> h.shape
    torch.Size([2, 3])
    """

    nonlinearity: str

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True,
                 nonlinearity: str = "tanh", device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype, generator=generator)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state; RuntimeError for another nonlinearity than tanh and relu."""
        x, states, batched = self._batched(input, None if hx is None else [hx])
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}, expected tanh or relu")
        step = recurrent.rnn_tanh_cell if self.nonlinearity == "tanh" else recurrent.rnn_relu_cell
        h = step(x, states[0], *self._weights())
        return h if batched else squeeze(h, 0)


class LSTMCell(RNNCellBase):
    """Compute one step of `LSTM`: c' = f c + i g and h' = o tanh(c').

    i, f, o = sigmoid and g = tanh of W_ih x + b_ih + W_hh h + b_hh, of which each is a quarter, in
    the order i f g o. Hochreiter & Schmidhuber, "Long short-term memory", 1997.
    Args: see `RNNCell`.
    Shape: (N, input_size) and a pair h, c (N, hidden_size), default zeros -> such a pair.

    >>> import minigrad as torch
    >>> cell, state = torch.nn.LSTMCell(4, 3), None
    >>> for x in torch.randn(5, 2, 4):  # 5 steps
    ...     state = cell(x, state)
    >>> h, c = state
    >>> h.shape
    torch.Size([2, 3])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None, *, generator: Generator | None = None) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype, generator=generator)

    def forward(self, input: Tensor,
                hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return the next state and cell."""
        pair = None if hx is None else recurrent.two_states("lstm_cell", hx)
        x, states, batched = self._batched(input, pair)
        h, c = recurrent.lstm_cell(x, states, *self._weights())
        return (h, c) if batched else (squeeze(h, 0), squeeze(c, 0))


class GRUCell(RNNCellBase):
    """Compute one step of `GRU`: h' = (1 - z) n + z h.

    With a = W_ih x + b_ih and b = W_hh h + b_hh, each in thirds r z n: r = sigmoid(a_r + b_r),
    z = sigmoid(a_z + b_z), n = tanh(a_n + r b_n). Cho et al., "Learning phrase representations
    using RNN encoder-decoder", 2014 (there r acts on h, before the product).
    Args: see `RNNCell`.
    Shape: (N, input_size) and h (N, hidden_size), default zeros -> (N, hidden_size); or without N.

    >>> import minigrad as torch
    >>> torch.nn.GRUCell(4, 3)(torch.randn(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None, *, generator: Generator | None = None) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype, generator=generator)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state."""
        x, states, batched = self._batched(input, None if hx is None else [hx])
        h = recurrent.gru_cell(x, states[0], *self._weights())
        return h if batched else squeeze(h, 0)
