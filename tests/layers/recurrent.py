"""Recurrent layers and cells."""

from __future__ import annotations

from tests.samples import A

from . import M

_STEPS = A(4, 3, 2)  # (T, N, I), or (N, T, I)
_ONE = A(3, 2)  # (T, I) without a batch dimension; (N, I) for cells

LINES = [
    M("nn.RNNBase('LSTM', 3, 4)"),
    M("nn.RNNCellBase(3, 4, True, num_chunks=2)"),
    M("nn.RNN(2, 3)", _STEPS, A(1, 3, 3)),
    M("nn.RNN(2, 3, 2, 'relu', False, True)", _STEPS),
    M("nn.RNN(2, 3, nonlinearity='relu', bidirectional=True)", _ONE, A(2, 3)),
    M("nn.RNN(2, 3, num_layers=3, dropout=0.5)", _STEPS, modes="eval"),
    M("nn.LSTM(2, 3)", _STEPS),
    M("nn.LSTM(2, 3, batch_first=True)", _STEPS),
    M("nn.LSTM(2, 3, bias=False)", _ONE),
    M("nn.LSTM(2, 3, 2, bidirectional=True, batch_first=True)", _STEPS, order=1),
    M("nn.LSTM(2, 3, 2, dropout=0.25)", _STEPS, modes="eval"),
    M("nn.LSTM(2, 4, proj_size=2)", _STEPS),
    M("nn.LSTM(2, 3, 2, bidirectional=True, proj_size=2, bias=False)", _STEPS, order=1),
    M("nn.GRU(2, 3)", _STEPS, A(1, 3, 3)),
    M("nn.GRU(2, 3, 2, True, True)", _STEPS, order=1),
    M("nn.GRU(2, 3, bidirectional=True)", _STEPS, A(2, 3, 3)),
    M("nn.GRU(2, 3, bias=False, batch_first=True)", _ONE, A(1, 3)),
    M("nn.RNNCell(2, 3)", _ONE, A(3, 3)),
    M("nn.RNNCell(2, 3, False, 'relu')", _ONE),
    M("nn.LSTMCell(2, 3)", _ONE),
    M("nn.LSTMCell(2, 3, bias=False)", A(2)),
    M("nn.GRUCell(2, 3)", _ONE, A(3, 3)),
    M("nn.GRUCell(2, 3, bias=False)", A(2), A(3)),
]
