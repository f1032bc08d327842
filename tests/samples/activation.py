"""Samples of minigrad/ops/activation.py, piecewise.py and softmax.py."""

from . import A, I, S, numbered

F = "nn.functional."
KINKS = {"away": 0.1}

SAMPLES = numbered([
    *[S(F + name, A(2, 3)) for name in
      ("gelu", "silu", "mish", "softplus", "logsigmoid", "sigmoid", "tanh", "tanhshrink")],
    S(F + "softsign", A(2, 3, **KINKS)),
    S(F + "gelu", A(2, 3), approximate="tanh", covers="gelu gelu_tanh_slope"),
    S(F + "gelu", A(6, low=-8.0, high=8.0), covers="gelu gelu_slope plain_gelu"),
    S(F + "gelu", A(6, low=-8.0, high=8.0), approximate="tanh", covers="gelu gelu_tanh_slope"),
    S(F + "gelu", A(), covers="gelu"),
    S(F + "mish", A(6, low=-8.0, high=8.0), covers="mish mish_slope"),
    S(F + "logsigmoid", A(6, low=-8.0, high=8.0), covers="logsigmoid logistic"),
    S(F + "silu", A(6, low=-8.0, high=8.0), covers="silu silu_slope"),
    S(F + "softplus", A(2, 3, low=-1.5, high=1.5), 3.0, 9.0, covers="softplus bend"),
    S(F + "softplus", A(3, low=0.5, high=1.0), 2.0, 0.5),
    S(F + "glu", A(2, 6)),
    S(F + "glu", A(4, 3, 2), 0),
    S(F + "elu", A(2, 3, **KINKS), covers="elu elu_slope"),
    S(F + "elu", A(2, 3, **KINKS), 0.3),
    S(F + "celu", A(2, 3, **KINKS), covers="elu"),
    S(F + "celu", A(2, 3, **KINKS), 0.3, covers="elu", tol=1e-6),
    S(F + "selu", A(2, 3, **KINKS), covers="elu"),
    *[S(F + name, A(2, 3, **KINKS)) for name in ("relu", "leaky_relu", "relu6")],
    S(F + "relu", A(), covers="relu"),
    S(F + "relu", I(3, low=-3, high=3)),
    S("relu", A(3, **KINKS)),
    S(F + "leaky_relu", A(3, **KINKS), -0.2),
    S(F + "relu6", A(3, low=6.1, high=7.0)),
    S(F + "hardtanh", A(4, low=-0.9, high=0.9)),
    S(F + "hardtanh", A(4, low=1.1, high=2.0), -1.5, 1.0),
    S(F + "hardtanh", I(4, low=-3, high=3), -1, 2),
    S(F + "hardsigmoid", A(4, low=-2.9, high=2.9), torch_order=1, tol=1e-6),
    S(F + "hardsigmoid", A(2, low=3.1, high=4.0), torch_order=1),
    S(F + "hardswish", A(4, low=-2.9, high=2.9)),
    S(F + "hardswish", A(2, low=3.1, high=4.0)),
    S(F + "hardswish", A(2, low=-4.0, high=-3.1)),
    S(F + "threshold", A(4, **KINKS), 0.0, -7.0),
    S(F + "hardshrink", A(4, low=0.6, high=2.0)),
    S(F + "hardshrink", A(4, low=-0.4, high=0.4)),
    S(F + "softshrink", A(4, low=0.6, high=2.0)),
    S(F + "softshrink", A(4, low=-2.0, high=-1.1), 1.0),
    S(F + "prelu", A(2, 3, 4, **KINKS), A(3), covers="prelu_kernel bend"),
    S(F + "prelu", A(2, 3, **KINKS), A(1), covers="prelu_kernel"),
    S(F + "prelu", A(3, **KINKS), A(1), covers="prelu_kernel"),
    S(F + "rrelu", A(2, 3, **KINKS), covers="rrelu_with_noise"),
    S(F + "rrelu", A(2, 3, **KINKS), 0.2, 0.2, True, covers="rrelu_with_noise"),
    *[S(F + name, A(2, 3, 4), dim) for name in ("softmax", "log_softmax", "softmin")
      for dim in (1, -1)],
    S("softmax", A(2, 3), 0, covers="softmax softmax_slope"),
    S("log_softmax", A(5), 0, covers="log_softmax log_softmax_slope"),
    S("softmax", A(), 0),
])
