"""Samples of minigrad/ops/recurrent.py and minigrad/ops/packed.py."""

import numpy as np

from . import A, Array, S, numbered

STATE, CELL = A(1, 3, 2), A(1, 3, 2)
SIZES = Array((4,), make=lambda rng: np.array([3, 2, 2, 1]), grad=False)
END = (0.0, True)  # dropout, train


def weights(gates, inputs, hidden=2, bias=True, projection=0, sets=1):
    """Return the descriptions of the parameters of layers whose inputs have the same size."""
    rows, state = gates * hidden, projection or hidden
    one = [A(rows, inputs), A(rows, state), *[A(rows)] * (2 * bias)]
    return (one + [A(projection, hidden)] * (projection > 0)) * sets


SAMPLES = numbered([
    # several outputs have one name here, so the lines pick those that PyTorch calls the same
    S("lstm", A(3, 3, 2), (STATE, CELL), weights(4, 2), True, 1, *END, False, False,
      covers="recurrent_layer", order=3, torch_order=3),
    S("lstm", A(3, 4, 3), (STATE, CELL), weights(4, 3, bias=False), False, 1, *END, False, True,
      covers="recurrent_layer", pick=0),
    S("lstm", A(3, 3, 2), (A(4, 3, 2), A(4, 3, 2)), weights(4, 2) * 2 + weights(4, 4) * 2, True, 2,
      *END, True, False, covers="recurrent_layer"),
    S("lstm", A(4, 3, 2), (A(1, 3, 2), A(1, 3, 3)), weights(4, 2, 3, projection=2), True, 1, *END,
      False, False, covers="recurrent_layer"),
    S("lstm", A(8, 2), SIZES, (A(2, 3, 2), A(2, 3, 2)), weights(4, 2, sets=2), True, 1, *END, True,
      covers="recurrent_layer", pick=(1, 2)),
    S("lstm", A(8, 2), SIZES, (STATE, CELL), weights(4, 2), True, 1, *END, False,
      covers="recurrent_layer", pick=0),
    S("gru", A(3, 3, 2), STATE, weights(3, 2), True, 1, *END, False, False,
      covers="recurrent_layer", order=3, torch_order=3),
    S("gru", A(3, 4, 3), STATE, weights(3, 3, bias=False), False, 1, *END, False, True,
      covers="recurrent_layer", pick=0),
    S("gru", A(8, 2), SIZES, A(2, 3, 2), weights(3, 2, sets=2), True, 1, *END, True,
      covers="recurrent_layer"),
    S("gru", A(8, 2), SIZES, A(2, 3, 2), weights(3, 2, sets=2), True, 2, *END, False,
      covers="recurrent_layer"),
    S("rnn_tanh", A(4, 3, 2), STATE, weights(1, 2), True, 1, *END, False, False,
      covers="recurrent_layer", order=3, torch_order=3),
    S("rnn_tanh", A(8, 3), SIZES, A(2, 3, 2), weights(1, 3, sets=2), True, 1, *END, True,
      covers="recurrent_layer"),
    S("rnn_relu", A(4, 3, 2), STATE, weights(1, 2), True, 1, *END, False, False,
      covers="recurrent_layer"),
    S("rnn_relu", A(1, 3, 2), A(2, 3, 2), weights(1, 2, bias=False, sets=2), False, 2, *END, False,
      False, covers="recurrent_layer"),
    S("lstm_cell", A(3, 2), (A(3, 2), A(3, 2)), *weights(4, 2), covers="recurrent_layer", pick=0,
      order=3, torch_order=3),
    S("lstm_cell", A(3, 2), [A(3, 2), A(3, 2)], *weights(4, 2, bias=False),
      covers="recurrent_layer", pick=0),
    S("gru_cell", A(3, 2), A(3, 2), *weights(3, 2), covers="recurrent_layer", order=3,
      torch_order=3),
    S("gru_cell", A(3, 2), A(3, 2), *weights(3, 2, bias=False), b_hh=A(6),
      covers="recurrent_layer"),
    S("rnn_tanh_cell", A(3, 2), A(3, 2), *weights(1, 2), covers="recurrent_layer"),
    S("rnn_relu_cell", A(3, 2), A(3, 2), *weights(1, 2), covers="recurrent_layer"),
    S("nn.utils.rnn.pack_padded_sequence", A(4, 3, 2), [4, 2, 2], covers="pack_padded pad_packed"),
    S("nn.utils.rnn.pack_padded_sequence", A(3, 4), [1, 4, 2], True, False,
      covers="pack_padded pad_packed"),
    S("nn.utils.rnn.pack_sequence", [A(3, 2), A(3, 2), A(1, 2)],
      covers="pack_padded pad_sequences"),
    S("nn.utils.rnn.pad_sequence", [A(1, 2), A(3, 2), A(2, 2)], covers="pad_sequences"),
    S("nn.utils.rnn.pad_sequence", (A(2), A(0), A(3)), True, -1.5, "left", covers="pad_sequences"),
])
