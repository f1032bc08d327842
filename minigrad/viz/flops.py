"""Floating point operations of an op's forward, by formula.

One addition, multiplication, comparison or elementary function (exp, tanh, ...) of one element
counts 1, so a multiply-add counts 2. Moving data (views, copies, indexing, casts, joins) counts 0.
Ops that are not in the tables have no number (None): none is better than a wrong one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Formula = Callable[[dict[str, Any], Any], int]

_FREE = """
view unsafe_view row_major squeeze unsqueeze permute transpose t expand select_index fill_index
take_index set_index add_index cat stack split split_with_sizes unbind unfold fold as_strided
diagonal diag_embed put_diagonal diagonal_copy block_diag flip roll rot90 repeat clone copy cast
view_bits fill fill_with zero constant_pad index_pad unpad gather scatter index_select index_copy
index_fill take put masked_select masked_fill masked_scatter embedding to_space to_channels
shuffled as_view copy_slices erased identity relaid scatter_view sized pack_padded pad_packed
pad_sequences where draw take_along put_along repeat_along unpool
"""
FREE = frozenset(_FREE.split())
PER_ELEMENT = {  # per element of the result
    1: """add sub rsub mul div pow neg abs sign exp log sqrt tanh sigmoid sin cos tan asin acos atan
       sinh cosh asinh acosh atanh exp2 expm1 log2 log10 log1p rsqrt reciprocal square floor ceil
       trunc round frac eq ne lt le gt ge isnan isinf isfinite isposinf isneginf maximum minimum
       clamp_min clamp_max relu logistic erf erfc erfinv lgamma digamma atan2 hypot floor_divide
       remainder fmod fmax fmin heaviside copysign bitwise_and bitwise_or bitwise_xor bitwise_not
       logical_and logical_or logical_xor logical_not cumsum cumprod cummax cummin signbit
       index_add scatter_add sinc deg2rad rad2deg""",
    2: """clamp relu6 hardtanh leaky_relu prelu_kernel threshold hardshrink softshrink dropout
       feature_dropout logsigmoid softplus xlogy logaddexp logaddexp2 glu silu""",
    3: "elu lerp addcmul addcdiv hardsigmoid alpha_dropout",
    4: "gelu hardswish mish logit",
}
ELEMENTWISE = {name: cost for cost, names in PER_ELEMENT.items() for name in names.split()}
PER_INPUT = {  # per element of the input
    "sum": 1, "nansum": 1, "mean": 1, "prod": 1, "max": 1, "min": 1, "max_dim": 1, "min_dim": 1,
    "amax": 1, "amin": 1, "argmax": 1, "argmin": 1, "any": 1, "all": 1, "count_nonzero": 1,
    "aminmax": 2, "var": 4, "std": 4, "var_mean": 4, "std_mean": 4, "softmax": 5,
    "log_softmax": 5, "logsumexp": 4, "mse_loss": 3, "smooth_l1_loss": 4, "huber_loss": 4,
    "binary_cross_entropy": 6, "logits_loss": 6, "class_cross_entropy": 5, "trace": 1,
    "linalg_vector_norm": 2,
}


def flops_of(op: Any, arrays: Any, outputs: list[Any]) -> int | None:
    """Return the number of an op's call, None if no formula is known."""
    name = op.name
    if name in FREE:
        return 0
    if not outputs:
        return None
    size = outputs[0].size
    cost = ELEMENTWISE.get(name)
    if cost is not None:
        return cost * size
    given = dict(zip(op.names, arrays, strict=False)) if hasattr(op, "names") else {}
    cost = PER_INPUT.get(name)
    if cost is not None:
        return cost * given[op.names[0]].size
    formula = FORMULAS.get(name)
    return None if formula is None else int(formula(given, outputs[0]))


def _linear(given: dict[str, Any], y: Any) -> int:
    bias = given.get("bias")
    return y.size * (2 * given["weight"].shape[-1] + (bias is not None))


def _convolution(given: dict[str, Any], y: Any) -> int:
    """Each output element: a product with one filter, whose shape holds the group's channels."""
    return y.size * (2 * math.prod(given["weight"].shape[1:]) + (given["bias"] is not None))


def _transposed(given: dict[str, Any], y: Any) -> int:
    """Each input element is spread over one filter."""
    return 2 * given["input"].size * math.prod(given["weight"].shape[1:]) + (
        y.size if given["bias"] is not None else 0)


def _matmul(given: dict[str, Any], y: Any) -> int:
    return 2 * y.size * next(iter(given.values())).shape[-1]


def _added(count: int) -> Formula:
    """addmm and its kin: the product's inner size is the last of the first factor."""
    def formula(given: dict[str, Any], y: Any) -> int:
        first = list(given.values())[1]
        inner = first.shape[-1] * (first.shape[0] if count == 3 else 1)
        return y.size * (2 * inner + 1)
    return formula


def _batch(given: dict[str, Any], y: Any) -> int:
    """Sum; subtract, square, sum; scale; then weight and bias."""
    return y.size * (5 + _affine(given))


def _affine(given: dict[str, Any]) -> int:
    return sum(given.get(name) is not None for name in ("weight", "bias"))


def _pool(comparisons: bool) -> Formula:
    return lambda given, y: y.size * (math.prod(given["kernel_size"]) - comparisons)


def _recurrent(given: dict[str, Any], y: Any) -> int:
    """Both products and biases of every step, and what the gates cost per hidden unit."""
    steps = math.prod(given["input"].shape[:-1])
    w_ih, w_hh = given["w_ih"], given["w_hh"]
    gates = {"LSTM": 9, "GRU": 8}.get(given.get("mode", ""), 1)
    hidden = w_hh.shape[0] // {"LSTM": 4, "GRU": 3}.get(given.get("mode", ""), 1)
    biases = sum(given.get(b) is not None for b in ("b_ih", "b_hh"))
    projection = given.get("w_hr")
    return steps * (2 * w_ih.size + 2 * w_hh.size + w_hh.shape[0] * (1 + biases) + gates * hidden
                    + (2 * projection.size if projection is not None else 0))


def _attention(given: dict[str, Any], y: Any) -> int:
    """Scores, scale (and bias), softmax, and the weighted sum of values."""
    q, k, v = given["query"], given["key"], given["value"]
    scores = math.prod(q.shape[:-1]) * k.shape[-2]
    extra = 6 + (given.get("bias") is not None)
    return scores * (2 * q.shape[-1] + extra + 2 * v.shape[-1])


FORMULAS: dict[str, Formula] = {
    "linear": _linear, "convolution": _convolution, "transposed": _transposed,
    "matmul": _matmul, "mm": _matmul, "bmm": _matmul, "mv": _matmul, "dot": _matmul,
    "vdot": _matmul, "addmm": _added(2), "baddbmm": _added(2), "addmv": _added(2),
    "addbmm": _added(3), "batch_norm": _batch,
    "frozen_norm": lambda given, y: y.size * (2 + _affine(given)),
    "group_norm": _batch, "layer_norm": _batch,
    "rms_norm": lambda given, y: y.size * (3 + _affine(given)),
    "max_pool": _pool(True), "avg_pool": _pool(False), "recurrent_layer": _recurrent,
    "attention": _attention, "nll_loss": lambda given, y: 2 * given["target"].size,
}
