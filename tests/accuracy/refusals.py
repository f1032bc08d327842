"""Wrong arguments of norms, dropouts and activations: expressions that torch refuses, or accepts.

The recorder writes what torch does with each: the class of its error, or None.
"""

from __future__ import annotations

import warnings
from typing import Any

X = "torch.ones(2, 4, 3)"
NORMS = [
    # dims
    *[f"nn.{name}(4)(torch.ones({shape}))" for name in (
        "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d",
        "InstanceNorm3d")
      for shape in ("4", "2, 4", "2, 4, 3", "2, 4, 3, 3", "2, 4, 3, 3, 3", "2, 4, 3, 3, 3, 3")],
    # sizes, of parameters and running statistics
    "nn.BatchNorm1d(5)(torch.ones(2, 4))", "nn.BatchNorm1d(5).eval()(torch.ones(2, 4))",
    "nn.BatchNorm1d(5, affine=False)(torch.ones(2, 4))",
    "nn.BatchNorm1d(5, affine=False, track_running_stats=False)(torch.ones(2, 4))",
    "nn.InstanceNorm1d(5, affine=True)(torch.ones(2, 4, 3))", "nn.BatchNorm1d(-1)",
    "nn.BatchNorm1d(0)(torch.ones(2, 0))", "nn.BatchNorm1d(2.5)", "nn.BatchNorm1d('4')",
    f"F.batch_norm({X}, torch.zeros(5), torch.ones(5))",
    f"F.batch_norm({X}, torch.zeros(4), None)", f"F.batch_norm({X}, None, None)",
    f"F.batch_norm({X}, None, None, training=True)", "F.batch_norm(torch.ones(4), None, None)",
    f"F.batch_norm({X}, None, None, torch.ones(5), training=True)",
    f"F.batch_norm({X}, None, None, torch.ones(4, 1), training=True)",
    f"F.batch_norm({X}, None, None, torch.ones(4), torch.ones(3), training=True)",
    f"F.instance_norm({X}, torch.zeros(5), torch.ones(5))",
    f"F.instance_norm({X}, use_input_stats=False)", f"F.instance_norm({X}, weight=torch.ones(3))",
    "F.instance_norm(torch.ones(2, 4))", "F.instance_norm(torch.ones(2, 4, 1))",
    "F.instance_norm(torch.ones(4))",
    # one value per channel
    "nn.BatchNorm1d(4)(torch.ones(1, 4))", "nn.BatchNorm1d(4).eval()(torch.ones(1, 4))",
    "nn.BatchNorm2d(4)(torch.ones(1, 4, 1, 1))", "nn.BatchNorm1d(4)(torch.ones(0, 4))",
    "nn.InstanceNorm1d(4)(torch.ones(2, 4, 1))", "nn.InstanceNorm1d(4)(torch.ones(0, 4, 3))",
    "nn.GroupNorm(4, 4)(torch.ones(1, 4))", "nn.GroupNorm(4, 4)(torch.ones(2, 4))",
    "nn.GroupNorm(2, 4)(torch.ones(0, 4, 3))", "nn.LayerNorm(1)(torch.ones(2, 1))",
    # eps
    *[f"nn.{norm}, eps={eps})({X})" for norm in (
        "BatchNorm1d(4", "InstanceNorm1d(4", "LayerNorm(3", "GroupNorm(2, 4", "RMSNorm(3")
      for eps in ("-1e-5", "0", "'a'", "None")],
    "nn.BatchNorm1d(4, eps=-0.5).eval()(torch.ones(2, 4))",
    "nn.BatchNorm1d(4, momentum='a')(torch.ones(2, 4))",
    # groups
    "nn.GroupNorm(3, 4)", "nn.GroupNorm(0, 4)", "nn.GroupNorm(-2, 4)", "nn.GroupNorm(8, 4)",
    "nn.GroupNorm(2.0, 4)", f"nn.GroupNorm(2, 6)({X})", f"F.group_norm({X}, 3)",
    f"F.group_norm({X}, 0)", f"F.group_norm({X}, -2)", f"F.group_norm({X}, 2.0)",
    "F.group_norm(torch.ones(4), 2)", f"F.group_norm({X}, 2, torch.ones(3))",
    f"F.group_norm({X}, 2, torch.ones(2, 2))", f"F.group_norm({X}, 2, None, torch.ones(5))",
    # normalized_shape
    f"nn.LayerNorm(4)({X})", f"nn.LayerNorm([3, 4])({X})", f"nn.LayerNorm([2, 2, 4, 3])({X})",
    f"nn.LayerNorm([])({X})", "nn.LayerNorm(-1)", "nn.LayerNorm(2.5)", "nn.LayerNorm('ab')",
    f"F.layer_norm({X}, 3)", f"F.layer_norm({X}, (3,), torch.ones(4))",
    f"F.layer_norm({X}, (3,), None, torch.ones(1, 3))", f"F.layer_norm({X}, [4, 3])",
    f"F.layer_norm({X}, ())", f"F.rms_norm({X}, (4,))", f"F.rms_norm({X}, 3)",
    f"F.rms_norm({X}, ())", f"F.rms_norm({X}, (3,), torch.ones(4))", f"nn.RMSNorm(4)({X})",
    # local_response_norm
    "F.local_response_norm(torch.ones(2, 4), 2)", f"F.local_response_norm({X}, 0)",
    f"F.local_response_norm({X}, 2.5)", f"nn.LocalResponseNorm(2)({X}.long())",
    # integers and mixed dtypes
    *[f"nn.{norm}({X}.long())" for norm in (
        "BatchNorm1d(4)", "InstanceNorm1d(4)", "LayerNorm(3)", "GroupNorm(2, 4)", "RMSNorm(3)",
        "BatchNorm1d(4).eval()")],
    *[f"nn.{norm}({X}.double())" for norm in (
        "BatchNorm1d(4)", "BatchNorm1d(4, affine=False)", "InstanceNorm1d(4, affine=True)",
        "LayerNorm(3)", "GroupNorm(2, 4)", "RMSNorm(3)")],
    *[f"nn.{norm}({X}.half())" for norm in (
        "BatchNorm1d(4)", "InstanceNorm1d(4, affine=True)", "LayerNorm(3)", "GroupNorm(2, 4)",
        "RMSNorm(3)")],
    *[f"nn.{norm}.half()({X})" for norm in ("LayerNorm(3)", "GroupNorm(2, 4)", "RMSNorm(3)")],
    # no tensor
    "nn.BatchNorm1d(4)([[1.0]])", "nn.LayerNorm(3)(5.0)", "nn.GroupNorm(2, 4)(None)",
    "F.layer_norm([1.0], (1,))", "F.batch_norm(None, None, None, training=True)",
    "F.rms_norm(2.0, (1,))", "F.group_norm('x', 2)", "F.instance_norm(1)",
    "F.local_response_norm([1.0], 2)",
]
DROPOUTS = [
    *[f"nn.{name}({p})" for name in (
        "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
      for p in ("-0.1", "1.1", "float('nan')", "'a'", "None")],
    *[f"F.{name}({X}, {p}, {training})" for name in (
        "dropout", "dropout1d", "alpha_dropout", "feature_alpha_dropout")
      for p in ("-0.1", "1.1", "float('nan')", "'a'") for training in ("True", "False")],
    *[f"F.{name}({x}, 0.5, True)" for name in (
        "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
      for x in (f"{X}.long()", f"{X}.bool()", "[1.0]", "None", "torch.tensor(1.0)",
                "torch.ones(3)")],
    "F.dropout1d(torch.ones(2, 2, 2, 2))", f"F.dropout({X}, torch.tensor(0.5))",
    f"F.dropout({X}.requires_grad_(), 0.5, True, True)",
]
ACTIVATIONS = [
    *[f"F.{name}({x})" for name in (
        "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus",
        "logsigmoid", "hardtanh", "hardsigmoid", "hardswish", "hardshrink", "softshrink",
        "tanhshrink", "softsign", "sigmoid", "tanh", "rrelu", "glu")
      for x in ("torch.ones(4).long()", "torch.ones(4).bool()", "[1.0, 2.0]", "None")],
    *[f"F.{name}({x}, 0)" for name in ("softmax", "log_softmax", "softmin", "gumbel_softmax")
      for x in ("torch.ones(4).long()", "[1.0]", "None")],
    "F.softmax(torch.ones(2, 3), 2)", "F.log_softmax(torch.ones(2, 3), -3)",
    "F.softmax(torch.ones(2, 3), 'a')", "F.softmax(torch.ones(2, 3), 1.5)",
    "F.gumbel_softmax(torch.ones(2, 3), dim=2)", "F.softmax(torch.ones(2), 0, dtype='float32')",
    "nn.Softmax(3)(torch.ones(2))", "nn.Softmax2d()(torch.ones(2, 3))",
    "F.glu(torch.ones(3))", "F.glu(torch.tensor(1.0))", "F.glu(torch.ones(4), 1)",
    "F.gelu(torch.ones(2), approximate='x')", "F.gelu(torch.ones(2), approximate=1)",
    "nn.GELU('x')(torch.ones(2))", "nn.GELU('x')",
    "F.celu(torch.ones(2), 0)", "F.elu(torch.ones(2), 'a')", "F.leaky_relu(torch.ones(2), 'a')",
    "F.elu(torch.ones(2), -1.0)", "nn.Hardtanh(1, 1)", "nn.Hardtanh(2, 1)",
    "F.hardtanh(torch.ones(2), 2, 1)", "F.hardtanh(torch.ones(2), 1, 1)",
    "F.softshrink(torch.ones(2), -1)", "nn.Softshrink(-1)", "nn.Softshrink(-1)(torch.ones(2))",
    "F.hardshrink(torch.ones(2), -1)", "F.rrelu(torch.ones(2), 0.5, 0.1)", "nn.RReLU(0.5, 0.1)",
    "F.rrelu(torch.ones(2), 0.5, 0.1, True)",
    "F.prelu(torch.ones(2, 3), torch.ones(2))", "F.prelu(torch.ones(2, 3), torch.ones(1, 3))",
    "F.prelu(torch.ones(2, 3).double(), torch.ones(3))", "F.prelu(torch.ones(2, 3), 0.25)",
    "F.prelu(torch.ones(2, 3).long(), torch.ones(3))", "F.prelu(torch.ones(3), torch.ones(3))",
    "nn.PReLU(0)", "nn.PReLU(-1)", "nn.PReLU(2.5)", "nn.PReLU(3)(torch.ones(2, 4))",
    "F.threshold(torch.ones(2), 'a', 1)", "nn.Threshold(1)", "nn.Softplus(beta='a')(torch.ones(2))",
    "F.softplus(torch.ones(2), beta=0)", "F.relu(torch.ones(2, requires_grad=True), inplace=True)",
    "F.threshold(torch.ones(2).long(), 1, 2)", "F.logsigmoid(torch.ones(0))",
    "F.hardtanh(torch.ones(2).to(torch.uint8))", "F.relu(torch.ones(2).to(torch.uint8))",
]
CALLS = [*NORMS, *DROPOUTS, *ACTIVATIONS]


def outcome(call: str, torch: Any) -> tuple[str | None, str]:
    """Return the name of the error's class (None without an error) and its text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            eval(call, {"torch": torch, "nn": torch.nn, "F": torch.nn.functional})
        except Exception as error:
            return type(error).__name__, str(error)
    return None, ""
