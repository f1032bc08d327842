"""Activations and attention."""

from __future__ import annotations

from tests.samples import A, C

from . import M

_ACTIVATION = A(3, 4, away=0.1)
_STEPS = A(3, 4, low=-1.9, distinct=True)  # no value on a kink

LINES = [
    *[M(f"nn.{name}()", _ACTIVATION) for name in (
        "ReLU", "ReLU6", "Sigmoid", "Tanh", "SELU", "SiLU", "Mish", "Hardswish", "LogSigmoid",
        "Softsign", "Tanhshrink", "LeakyReLU", "ELU", "CELU", "GELU", "Softplus", "PReLU")],
    M("nn.Hardsigmoid()", _ACTIVATION, order=1, tol=1e-7),  # torch: 1/6 in float32
    M("nn.ReLU(inplace=True)", C(3, 4, away=0.1)),
    M("nn.SELU(True)", C(3, 4)),
    M("nn.LeakyReLU(0.3)", _ACTIVATION),
    M("nn.ELU(alpha=0.7)", _ACTIVATION),
    M("nn.CELU(2.0)", _ACTIVATION),
    M("nn.GELU(approximate='tanh')", _ACTIVATION),
    M("nn.Softplus(beta=2.0, threshold=1.0)", _ACTIVATION),
    M("nn.Hardtanh()", _STEPS),
    M("nn.Hardtanh(-0.5, 1.5, inplace=False)", _STEPS),
    M("nn.Softshrink(0.3)", _STEPS),
    M("nn.Hardshrink()", _STEPS),
    M("nn.Threshold(0.1, 20.0)", _STEPS),
    M("nn.PReLU(4)", A(2, 4, 3, away=0.1)),
    M("nn.RReLU(0.1, 0.3)", _ACTIVATION, modes="eval"),
    M("nn.RReLU(0.25, 0.25)", _ACTIVATION),
    M("nn.GLU()", A(3, 4)),
    M("nn.GLU(dim=0)", A(4, 3)),
    M("nn.Softmax(dim=1)", A(3, 4)),
    M("nn.Softmin(dim=0)", A(3, 4)),
    M("nn.LogSoftmax(dim=-1)", A(2, 3, 4)),
    M("nn.Softmax2d()", A(2, 3, 2, 2)),
    M("nn.MultiheadAttention(8, 2)", A(3, 2, 8), A(4, 2, 8), A(4, 2, 8)),
    M("nn.MultiheadAttention(4, 2, bias=False, add_zero_attn=True, batch_first=True)", A(2, 3, 4),
      A(2, 5, 4), A(2, 5, 4)),
    M("nn.MultiheadAttention(6, 3, add_bias_kv=True, kdim=4, vdim=5)", A(2, 6), A(3, 4), A(3, 5)),
]
