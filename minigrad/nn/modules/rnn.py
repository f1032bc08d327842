"""Recurrent layers: RNN, LSTM and GRU; the cells are in `_rnn_cells.py`."""

from __future__ import annotations

from typing import Any, overload

from ..._random import Generator
from ...tensor import Tensor
from ..utils.rnn import PackedSequence
from ._rnn_base import RNNBase
from ._rnn_cells import GRUCell, LSTMCell, RNNCell, RNNCellBase

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

Pair = tuple[Tensor, Tensor]


class _OneState(RNNBase):
    """A recurrent layer whose state is one tensor."""

    @overload
    def forward(self, input: Tensor, hx: Tensor | None = None) -> Pair: ...

    @overload
    def forward(self, input: PackedSequence,
                hx: Tensor | None = None) -> tuple[PackedSequence, Tensor]: ...

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return the states of all steps of the last layer, and the last states of all layers."""
        y, last = self._run(input, hx)
        return y, last[0]


class RNN(_OneState):
    """Compute h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or relu(...), for all steps t.

    Elman, "Finding structure in time", 1990.
    Args: input_size; hidden_size H; num_layers 1: the next layer reads the output of the one below;
    nonlinearity "tanh" or "relu"; bias True; batch_first False; dropout 0: between layers, not
    after the last; bidirectional False: a second run from the end, D = 2; device, dtype: see
    Linear; generator: first values and dropout.
    Shape: x (T, N, input_size), with batch_first (N, T, input_size), unbatched (T, input_size), or
    a PackedSequence; hx (num_layers * D, N, H), default zeros -> y like x, with D * H features, and
    the last states, like hx. batch_first does not change the states.

    >>> import minigrad as torch
    >>> y, h = torch.nn.RNN(4, 3, num_layers=2)(torch.randn(5, 2, 4))
    >>> y.shape, h.shape
    (torch.Size([5, 2, 3]), torch.Size([2, 2, 3]))
    """

    nonlinearity: str

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1,
                 nonlinearity: str = "tanh", bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
                 device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        modes = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}
        if nonlinearity not in modes:
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or "
                             f"'relu'.")
        super().__init__(modes[nonlinearity], input_size, hidden_size, num_layers, bias,
                         batch_first, dropout, bidirectional, proj_size, device, dtype,
                         generator=generator)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Compute long short-term memory for all steps: c_t = f c_(t-1) + i g, h_t = o tanh(c_t).

    i, f, o = sigmoid and g = tanh of W_ih x_t + b_ih + W_hh h_(t-1) + b_hh, of which each is a
    quarter, in the order i f g o. Hochreiter & Schmidhuber, "Long short-term memory", 1997; f by
    Gers et al., "Learning to forget", 2000; proj_size: h_t = W_hr (o tanh(c_t)), Sak et al., 2014.
    Args: as `RNN`, but without nonlinearity, and with proj_size 0 after bidirectional.
    Shape: as `RNN`, but hx is the pair h, c, and so are the last states; with a projection, y and h
    have proj_size features where c has hidden_size.
    The biases of f start near 0, not at 1: for long memory set them, see docs/recurrent.md.

    >>> import minigrad as torch
    >>> lstm = torch.nn.LSTM(4, 3, batch_first=True, bidirectional=True)
    >>> y, (h, c) = lstm(torch.randn(2, 5, 4))
    >>> y.shape, h.shape, c.shape
    (torch.Size([2, 5, 6]), torch.Size([2, 2, 3]), torch.Size([2, 2, 3]))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 proj_size: int = 0, device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, proj_size, device, dtype, generator=generator)

    def get_expected_cell_size(self, input: Tensor,
                               batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Return the size of the cells: (layers * directions, N, hidden_size)."""
        layers, batch, _ = self.get_expected_hidden_size(input, batch_sizes)
        return layers, batch, self.hidden_size

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Refuse input, states or cells of wrong sizes."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden[0], self.get_expected_hidden_size(input, batch_sizes),
                               "Expected hidden[0] size {}, got {}")
        self.check_hidden_size(hidden[1], self.get_expected_cell_size(input, batch_sizes),
                               "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Return both states with their samples (dim 1) in another order; None: as they are."""
        return hx if permutation is None else tuple(
            super(LSTM, self).permute_hidden(state, permutation) for state in self._states(hx))

    def _states(self, hx: Any) -> list[Tensor]:
        if not hasattr(hx, "__len__"):
            raise TypeError(f"LSTM: hx is the pair (h, c) of states, got {type(hx).__name__}")
        if len(hx) < 2:
            raise IndexError(f"LSTM: hx is the pair (h, c) of states, got {type(hx).__name__} of "
                             f"length {len(hx)}")
        if not isinstance(hx, Tensor) and len(hx) > 2:
            raise RuntimeError(f"lstm expects two hidden states, (h, c), got {len(hx)}")
        return [hx[0], hx[1]]

    def _unsqueezed(self, hx: Any) -> Any:
        return [super(LSTM, self)._unsqueezed(state) for state in self._states(hx)]

    @overload
    def forward(self, input: Tensor, hx: Pair | None = None) -> tuple[Tensor, Pair]: ...

    @overload
    def forward(self, input: PackedSequence,
                hx: Pair | None = None) -> tuple[PackedSequence, Pair]: ...

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return the states of all steps of the last layer, and the last states and cells."""
        y, last = self._run(input, hx)
        return y, tuple(last)


class GRU(_OneState):
    """Compute gated recurrent units for all steps: h_t = (1 - z) n + z h_(t-1).

    With a = W_ih x_t + b_ih and b = W_hh h_(t-1) + b_hh, each in thirds r z n: r = sigmoid(a_r +
    b_r), z = sigmoid(a_z + b_z), n = tanh(a_n + r b_n). Cho et al., "Learning phrase
    representations using RNN encoder-decoder", 2014; there r acts on h before the product, and z
    and 1 - z are exchanged: weights of such nets do not fit here.
    Args: as `RNN`, but without nonlinearity.
    Shape: as `RNN`.

    >>> import minigrad as torch
    >>> y, h = torch.nn.GRU(4, 3)(torch.randn(5, 2, 4))
    >>> y.shape, torch.equal(y[-1], h[0])
    (torch.Size([5, 2, 3]), True)
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 proj_size: int = 0, device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, proj_size, device, dtype, generator=generator)
