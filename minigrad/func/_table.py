"""Which op has which batching rule, by the file in `ops` and its name there.

An op without a line runs one example at a time. tests/func/test_vmap_table.py compares every op of
the sample table with a loop.
"""

from __future__ import annotations

from ..engine import Op
from . import _rules as rules
from . import _rules_nn as nn


def _families(rule: rules.Rule, names: str) -> dict[str, rules.Rule]:
    """Read lines of `file: op op op`."""
    found = {}
    for line in names.strip().splitlines():
        file, _, ops = line.partition(":")
        found.update({f"{file.strip()}.{name}": rule for name in ops.split()})
    return found


RULES: dict[str, rules.Rule] = {
    **_families(rules.elementwise, """
        activation: elu elu_slope logistic gelu_slope gelu_tanh_slope gelu silu_slope silu
        activation: mish_slope mish softplus logsigmoid plain_gelu
        arithmetic: floor_divide remainder fmod square reciprocal floor ceil trunc round frac fmax
        arithmetic: fmin nan_to_num heaviside copysign lerp addcmul addcdiv
        bessel: jv yv iv_scaled iv kv_scaled kv spherical airy_ai airy_prime i0
        bits: bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift logical_and
        bits: bitwise_right_shift logical_or logical_xor logical_not gcd lcm
        choose: where masked_fill clamp clamp_min clamp_max maximum minimum
        compare: eq ne lt le gt ge isnan isinf isposinf isneginf isfinite signbit isclose
        elementwise: add sub rsub mul div pow neg abs sign sgn exp log sqrt tanh sigmoid clone cast
        errorfunction: erf erfc erfinv
        floats: power_of_two nextafter angle frexp
        fused: identity
        gamma: lgamma digamma polygamma zeta igamma igammac
        normal: ndtr log_ndtr ndtri erfcx entr xlog1py
        piecewise: relu hardtanh relu6 leaky_relu hardsigmoid hardswish threshold hardshrink
        piecewise: softshrink
        special: exp2 expm1 log2 log10 log1p rsqrt sin cos tan asin acos atan atan2 sinh cosh
        special: asinh acosh atanh deg2rad rad2deg sinc logit hypot xlogy logaddexp logaddexp2
        """),
    **_families(rules.reduction, """
        reduce: sum nansum mean var std var_mean std_mean logsumexp
        extremes: amax amin
        """),
    **_families(rules.reduction_of_one, """
        reduce: any all
        extremes: max_dim min_dim argmax argmin
        cumulative: prod
        sort: median_dim nanmedian_dim kthvalue
        """),
    **_families(rules.along("dim"), """
        _along: take_along repeat_along add_along
        cumulative: cumsum cumsum_back cumprod cummax cummin logcumsumexp
        join: split split_with_sizes unbind
        scatter: gather scatter scatter_add
        softmax: softmax_slope log_softmax_slope softmax log_softmax
        sort: sort topk
        activation: glu
        """),
    **_families(rules.along("dims"), "arrange: flip"),
    **_families(rules.along("dim0", "dim1"), "shape: transpose"),
    **_families(rules.along("dim1", "dim2"), "arrange: diagonal"),
    **_families(rules.along("dimension"), "arrange: unfold"),
    **_families(rules.leading, """
        arrange: tril triu
        decompose: inv det logabsdet cholesky qr
        spectral: svdvals eigvalsh
        matrix_functions: matrix_exp
        """),
    **_families(rules.first_leading, "row_norm: layer_norm rms_norm"),
    **_families(rules.folded, "pool: max_pool avg_pool\n adaptive_pool: average maximum"),
    **_families(nn.loss, "loss: mse_loss smooth_l1_loss huber_loss"),
    **_families(nn.cross_entropy, "cross_entropy: nll_loss class_cross_entropy"),
    **_families(nn.matmul, "linalg: matmul mm bmm mv dot vdot"),
    **_families(nn.add_product, "products: addmm baddbmm addmv"),
    **_families(nn.convolution, "conv: convolution transposed"),
    **_families(rules.view, "shape: view unsafe_view"),
    **_families(rules.cat, "join: cat stack"),
    "conv.weight_gradient": nn.weight_gradient,
    "linalg.linear": nn.linear,
    "arrange.diag_embed": rules.diag_embed,
    "shape.permute": rules.permute,
    "shape.t": rules.t,
    "shape.expand": rules.expand,
    "shape.squeeze": rules.squeeze,
    "shape.unsqueeze": rules.unsqueeze,
    "shape.row_major": rules.elementwise,
    "strided.as_strided": rules.as_strided,
    "slicing.select_index": rules.select,
    "slicing.fill_index": rules.fill_region,
    "index.take_index": rules.take_index,
    "index.add_index": rules.add_index,
    "index.set_index": rules.set_index,
}
_found: dict[Op, rules.Rule | None] = {}


def rule_of(op: Op) -> rules.Rule | None:
    """Return the batching rule of an op, None if it runs one example at a time."""
    try:
        return _found[op]
    except KeyError:
        file = op.forward.__module__.rpartition(".")[2]
        rule = _found[op] = RULES.get(f"{file}.{op.name}")
        return rule

