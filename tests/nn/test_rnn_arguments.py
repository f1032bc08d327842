"""Recurrent layers and cells: constructors, the two overloads of the functions, refusals."""

from __future__ import annotations

import warnings

import pytest

import minigrad as torch
from minigrad import nn
from minigrad.nn.utils.rnn import pack_padded_sequence


def test_where_nonlinearity_stands():
    assert nn.RNN(3, 4, 1, "relu", False).mode == "RNN_RELU"
    assert nn.RNN(3, 4, nonlinearity="relu").nonlinearity == "relu"
    assert nn.RNN(3, 4, 1, "tanh", True, True).batch_first
    assert nn.LSTM(3, 4, 1, True, True).batch_first


def test_dropout_of_one_layer_warns_here():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nn.LSTM(3, 4, dropout=0.5)
        nn.RNN(3, 4, dropout=0.5)
    assert [w.filename for w in caught] == [__file__] * 2
    assert "num_layers greater than 1" in str(caught[0].message)


X, H = torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)
L, G, R = nn.LSTM(3, 4), nn.GRU(3, 4), nn.RNN(3, 4)
P = pack_padded_sequence(X, [5, 3])
FLAGS = (True, 1, 0.0, False, False, False)


@pytest.mark.parametrize(("error", "match", "act"), [
    (TypeError, "hidden_size", lambda: nn.LSTM(3)),
    (ValueError, "Unknown nonlinearity 'foo'", lambda: nn.RNN(3, 4, 1, "foo")),
    (ValueError, "only supported for LSTM", lambda: nn.GRU(3, 4, proj_size=2)),
    (ValueError, "smaller than hidden_size", lambda: nn.LSTM(3, 4, proj_size=4)),
    (ValueError, "positive integer or zero", lambda: nn.LSTM(3, 4, proj_size=-1)),
    (ValueError, r"range \[0, 1\]", lambda: nn.LSTM(3, 4, 2, dropout=1.5)),
    (ValueError, r"range \[0, 1\]", lambda: nn.LSTM(3, 4, 2, dropout=True)),
    (ValueError, "num_layers must be greater", lambda: nn.GRU(3, 4, 0)),
    (ValueError, "hidden_size must be greater", lambda: nn.GRU(3, 0)),
    (TypeError, "hidden_size should be of type int", lambda: nn.GRU(3, 4.0)),
    (TypeError, "num_layers should be of type int", lambda: nn.GRU(3, 4, 1.0)),
    (TypeError, "batch_first should be of type bool", lambda: nn.GRU(3, 4, batch_first=1)),
    (ValueError, "Unrecognized RNN mode", lambda: nn.RNNBase("foo", 3, 4)),
    (NotImplementedError, "forward", lambda: nn.RNNBase("GRU", 3, 4)(X)),
    (ValueError, "to be 2D or 3D", lambda: L(X[None])),
    (RuntimeError, "Expected 3, got 4", lambda: L(torch.zeros(5, 2, 4))),
    (ValueError, r"does not match weight dtype .*input\.to", lambda: L(X.double())),
    (IndexError, "pair", lambda: L(X, (H,))),
    (RuntimeError, "two hidden states", lambda: L(X, (H, H, H))),
    (RuntimeError, r"hidden\[0\] size \(1, 2, 4\)", lambda: L(X, (H[:, :1], H))),
    (RuntimeError, r"hidden\[1\] size \(1, 2, 4\)", lambda: L(X, (H, H[:, :, :3]))),
    (RuntimeError, "hx and cx should also be 3-D", lambda: L(X, (H[0], H[0]))),
    (RuntimeError, "For unbatched 2-D input, hx should", lambda: G(X[:, 0], H)),
    (RuntimeError, "input and hx must have the same dtype", lambda: R(X, H.double())),
    (RuntimeError, "Expected hidden size", lambda: G(P, H[:, :1])),
    (ValueError, "RNNCell: Expected input to be 1D or 2D", lambda: nn.RNNCell(3, 4)(X)),
    (ValueError, r"Expected hx\[0\] to be 1D or 2D", lambda: nn.LSTMCell(3, 4)(X[0], (H, H))),
    (RuntimeError, "got 3 expected 2", lambda: nn.RNNCell(2, 4)(X[0])),
    (RuntimeError, "hidden0", lambda: nn.GRUCell(3, 4)(X[0], torch.zeros(3, 4))),
    (RuntimeError, "two hidden states", lambda: nn.LSTMCell(3, 4)(X[0], (H[0],))),
    (TypeError, "tuple of Tensors", lambda: nn.LSTMCell(3, 4)(X[0], H[0])),
    (RuntimeError, "Unknown nonlinearity", lambda: nn.RNNCell(3, 4, True, "foo")(X[0])),
    (TypeError, "invalid combination", lambda: torch.gru(X, H, G._flat_weights, True)),
    (TypeError, "invalid combination", lambda: torch.gru(X, H, G._flat_weights, *FLAGS, foo=1)),
    (TypeError, "tuple of Tensors", lambda: torch.lstm(X, H, L._flat_weights, *FLAGS)),
    (RuntimeError, "expected 4 parameters", lambda: torch.lstm(
        X, (H, H), L._flat_weights[:3], *FLAGS)),
    (RuntimeError, "Expected hx of size", lambda: torch.gru(X, H[:, :1], G._flat_weights, *FLAGS)),
    (RuntimeError, "Expected w_hh of size", lambda: torch.gru(X, H, L._flat_weights, *FLAGS)),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()


def test_functions_by_keywords():
    """The padded and the packed overload, positional or not."""
    given = {"hx": (H, H), "params": L._flat_weights, "has_biases": True, "num_layers": 1,
             "dropout": 0.0, "train": False, "bidirectional": False}
    y, h, c = torch.lstm(input=X, batch_first=False, **given)
    assert (y.shape, h.shape, c.shape) == ((5, 2, 4), (1, 2, 4), (1, 2, 4))
    packed = torch.lstm(data=P.data, batch_sizes=P.batch_sizes, **given)
    assert torch.equal(packed[0], torch.lstm(P.data, P.batch_sizes, *given.values())[0])
