"""What an op's forward costs, by formula from shapes: floating point operations, multiply-adds.

One addition, multiplication, comparison or elementary function (exp, tanh, Bessel's, ...) of one
element counts 1, so a multiply-add counts 2. Moving data (views, copies, indexing, casts, joins)
counts 0. What has no such number is in `UNCOUNTED`, and its count is None: none is better than a
wrong one. A sort of n counts n log2 n comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Arguments = dict[str, Any]  # an op's arguments by name
Formula = Callable[[Arguments, Any], float | None]  # of the arguments and the first result

_FREE = """
alias view unsafe_view row_major squeeze unsqueeze permute transpose t expand select_index
fill_index take_index set_index cat stack split split_with_sizes unbind unfold as_strided diagonal
diag_embed put_diagonal diagonal_copy block_diag flip roll rot90 repeat clone copy cast view_bits
fill fill_with zero constant_pad index_pad unpad gather scatter index_select index_copy index_fill
take put masked_select masked_fill masked_scatter masked_place embedding to_space to_channels
shuffled as_view copy_slices erased identity relaid scatter_view sized pack_padded pad_packed
pad_sequences where take_along put_along repeat_along unpool max_gather untake tril triu upper
unpacked module_boundary labelled squeezed table distance finished
"""
FREE = frozenset(_FREE.split())
_UNCOUNTED = """
svd svdvals eigh eigvalsh pinv matrix_exp cofactor entmax15_root sparsemax_op gegenbauer
chebyshev_polynomial_t hermite laguerre draw bernoulli binomial normal poisson
"""
UNCOUNTED = frozenset(_UNCOUNTED.split())  # iterative, of a degree that is a value, random
_PER_ELEMENT = {  # per element of the result
    1: """add sub rsub mul div pow neg abs sign sgn exp log sqrt tanh sigmoid sin cos tan asin acos
       atan sinh cosh asinh acosh atanh exp2 expm1 log2 log10 log1p rsqrt reciprocal square floor
       ceil trunc round frac eq ne lt le gt ge isnan isinf isfinite isposinf isneginf maximum
       minimum clamp_min clamp_max relu logistic erf erfc erfcx erfinv lgamma digamma polygamma
       igamma igammac zeta airy_ai airy_prime i0 iv iv_scaled jv kv kv_scaled yv spherical ndtr
       ndtri log_ndtr atan2 angle hypot floor_divide remainder fmod fmax fmin heaviside copysign
       nextafter power_of_two frexp gcd lcm bitwise_and bitwise_or bitwise_xor bitwise_not
       bitwise_left_shift bitwise_right_shift logical_and logical_or logical_xor logical_not cumsum
       cumsum_back cumprod cummax cummin signbit sinc deg2rad rad2deg bend divided
       scaled_direction""",
    2: """clamp relu6 hardtanh leaky_relu prelu_kernel threshold hardshrink softshrink dropout
       feature_dropout rrelu_with_noise logsigmoid softplus xlogy xlog1py entr logaddexp logaddexp2
       glu silu share""",
    3: """elu elu_slope lerp addcmul addcdiv hardsigmoid alpha_dropout nan_to_num cross blend
       softmax_slope log_softmax_slope""",
    4: """gelu plain_gelu hardswish mish logit isclose silu_slope logcumsumexp places""",
    5: "snake squareplus gelu_slope",
    6: "merge mish_slope",
    9: "gelu_tanh_slope",
}
ELEMENTWISE = {name: cost for cost, names in _PER_ELEMENT.items() for name in names.split()}
PER_INPUT = {  # per element of the first argument
    "sum": 1, "nansum": 1, "mean": 1, "prod": 1, "max": 1, "min": 1, "max_dim": 1, "min_dim": 1,
    "amax": 1, "amin": 1, "argmax": 1, "argmin": 1, "any": 1, "all": 1, "count_nonzero": 1,
    "aminmax": 2, "var": 4, "std": 4, "var_mean": 4, "std_mean": 4, "softmax": 5,
    "log_softmax": 5, "logsumexp": 4, "mse_loss": 3, "smooth_l1_loss": 4, "huber_loss": 4,
    "binary_cross_entropy": 6, "logits_loss": 6, "class_cross_entropy": 5, "row_cross_entropy": 5,
    "trace": 1, "linalg_vector_norm": 2, "norm_except_dim": 2, "add_along": 1, "add_select": 1,
    "add_strided": 1, "max_spread": 1, "bincount": 1, "histc": 2, "unique_consecutive": 1,
    "unblend": 3, "fold": 1, "add_index": 1,
}
SORTS = {"sort": "dim", "topk": "dim", "kthvalue": "dim", "mode": "dim", "median_dim": "dim",
         "nanmedian_dim": "dim", "median": "", "nanmedian": "", "unique": "", "isin": ""}


def flops_of(op: Any, arrays: Any, outputs: list[Any]) -> int | None:
    """Return the number of an op's call, None if it is not counted."""
    name = op.name
    if name in FREE:
        return 0
    given = dict(zip(op.names, arrays, strict=False)) if hasattr(op, "names") else {}
    cost = PER_INPUT.get(name)
    if cost is not None:
        return cost * int(given[op.names[0]].size)
    if not outputs:
        return None
    if not outputs[0].size:
        return 0
    cost = ELEMENTWISE.get(name)
    if cost is not None:
        return cost * int(outputs[0].size)
    if name in SORTS:
        return _sorted(given[op.names[0]], given.get(SORTS[name]))
    products = PRODUCTS.get(name)
    more = BESIDE.get(name) if products else OTHERS.get(name)
    if more is None and products is None:
        return None
    found = more(given, outputs[0]) if more is not None else 0
    return None if found is None else int(found) + (
        2 * int(products(given, outputs[0]) or 0) if products is not None else 0)


def mult_adds(op: Any, arrays: Any, y: Any) -> int:
    """Return the multiplications of one op as torchinfo counts; 0 for ops without (elementwise).

    Products: one per weight used and result element. Norms: one per element for the squares, for
    scaling, and for the weight.
    """
    formula = PRODUCTS.get(op.name) or NORMS.get(op.name)
    if formula is None:
        return 0
    return int(formula(dict(zip(op.names, arrays, strict=True)), y) or 0)


def _size(value: Any) -> int:
    return math.prod(value.shape)


def _sorted(values: Any, dim: Any) -> int:
    length = values.shape[dim] if isinstance(dim, int) and values.ndim else values.size
    return int(values.size) * math.ceil(math.log2(max(length, 1)))


# ------------------------------------------------------------------ products: their multiply-adds
def _inner(first: str) -> Formula:
    """Products that sum over the last axis of argument `first`."""
    return lambda a, y: _size(y) * a[first].shape[-1]


def _recurrent(a: Arguments, y: Any) -> int:
    steps = math.prod(a["input"].shape[:-1])
    return steps * sum(_size(a[k]) for k in ("w_ih", "w_hh", "w_hr") if a[k] is not None)


def _scores(a: Arguments, y: Any) -> int:
    return _size(y) // max(y.shape[-1], 1) * int(a["key"].shape[-2])


PRODUCTS: dict[str, Formula] = {
    "linear": lambda a, y: _size(y) * a["weight"].shape[-1],
    **{name: _inner("input") for name in ("matmul", "mm", "bmm", "mv")},
    **{name: lambda a, y: _size(a["input"]) for name in ("dot", "vdot")},
    "addmm": _inner("mat1"), "addmv": _inner("mat"), "baddbmm": _inner("batch1"),
    "addr": lambda a, y: _size(y),
    "addbmm": lambda a, y: _size(y) * a["batch1"].shape[0] * a["batch1"].shape[-1],
    "convolution": lambda a, y: _size(y) * math.prod(a["weight"].shape[1:]),
    "transposed": lambda a, y: _size(a["input"]) * math.prod(a["weight"].shape[1:]),
    "weight_gradient": lambda a, y: _size(a["grad"]) * math.prod(y.shape[1:]),
    "recurrent_layer": _recurrent,
    "attention": lambda a, y: _scores(a, y) * (a["query"].shape[-1] + a["value"].shape[-1]),
    "chunked": lambda a, y: _size(a["input"]) * a["linear_weight"].shape[0],
}


# --------------------------------------------------------------- what products have to do beside
def _bias(a: Arguments, y: Any) -> int:
    return _size(y) if a.get("bias") is not None else 0


def _gates(a: Arguments, y: Any) -> int:
    """Return what a recurrent layer's sums, biases and gates cost beside its products."""
    mode = a.get("mode", "")
    rows = a["w_hh"].shape[0]
    hidden = rows // {"LSTM": 4, "GRU": 3}.get(mode, 1)
    each = {"LSTM": 9, "GRU": 8}.get(mode, 1)
    biases = sum(a.get(b) is not None for b in ("b_ih", "b_hh"))
    return math.prod(a["input"].shape[:-1]) * int(rows * (1 + biases) + each * hidden)


BESIDE: dict[str, Formula] = {
    "linear": _bias, "convolution": _bias, "transposed": _bias, "recurrent_layer": _gates,
    **{name: lambda a, y: _size(y) for name in ("addr", "addmm", "addmv", "addbmm", "baddbmm")},
    # of scores: scale, perhaps a bias, softmax
    "attention": lambda a, y: _scores(a, y) * (6 + (a.get("bias") is not None)),
    "chunked": lambda a, y: len(a["input"]) * a["linear_weight"].shape[0] * 5,
}


# ------------------------------------------------------------------------------------ other ops
def _affine(a: Arguments) -> int:
    return sum(a.get(name) is not None for name in ("weight", "bias"))


def _norm(each: int) -> Formula:
    """Norms: sum; subtract, square, sum; scale; then weight and bias."""
    return lambda a, y: _size(y) * (each + _affine(a))


def _pool(comparisons: bool) -> Formula:
    return lambda a, y: _size(y) * (math.prod(a["kernel_size"]) - comparisons)


def _resampled(a: Arguments, y: Any) -> int | None:
    """Return what one dimension after the other costs; more taps with antialias: not counted."""
    taps = {"nearest": 0, "nearest-exact": 0, "bicubic": 4}.get(a["mode"], 2)
    if a["antialias"]:
        return None
    shape, lead, total = list(a["input"].shape), len(y.shape) - len(a["size"]), 0
    for k, size in enumerate(a["size"]):
        if shape[lead + k] != size:
            shape[lead + k] = size
            total += 2 * taps * math.prod(shape)
    return total


def _sampled(a: Arguments, y: Any) -> int:
    taps = {"nearest": 0, "bicubic": 4}.get(a["mode"], 2)
    return 2 * taps ** len(a["sizes"]) * _size(y) if taps else 0


def _square(cost: float) -> Formula:
    """Decompositions of square matrices: `cost` times the cube of the size, for each."""
    return lambda a, y: cost * _size(a["A"]) * a["A"].shape[-1]


def _lu(a: Arguments, y: Any) -> float:
    rows, columns = sorted(a["A"].shape[-2:], reverse=True)
    return _size(a["A"]) / (rows * columns) * (rows - columns / 3) * columns ** 2


def _reflections(a: Arguments, y: Any = None) -> float:
    """Householder's QR: the reflections alone."""
    matrix = next(iter(a.values()))
    rows, columns = sorted(matrix.shape[-2:], reverse=True)
    return _size(matrix) / (rows * columns) * 2 * columns ** 2 * (rows - columns / 3)


def _multiplied_out(a: Arguments, y: Any) -> float:
    """Return what it costs to form Q, the first result."""
    matrix = next(iter(a.values()))
    count, columns, rows = min(matrix.shape[-2:]), y.shape[-1], y.shape[-2]
    each = 4 * rows * columns * count - 2 * (rows + columns) * count ** 2 + 4 / 3 * count ** 3
    return _size(y) / (rows * columns) * each


def _solved(a: Arguments, y: Any) -> float:
    return 2 / 3 * _size(a["A"]) * a["A"].shape[-1] + 2 * _size(y) * a["A"].shape[-1]


def _looked_up(sorted_values: str) -> Formula:
    return lambda a, y: _size(y) * math.ceil(math.log2(max(a[sorted_values].shape[-1], 1) + 1))


OTHERS: dict[str, Formula] = {
    **{name: _norm(5) for name in ("batch_norm", "group_norm", "layer_norm")},
    "frozen_norm": _norm(2), "rms_norm": _norm(3),
    "max_pool": _pool(True), "avg_pool": _pool(False),
    "average": lambda a, y: _size(a["input"]) + _size(y),
    "average_spread": lambda a, y: _size(a["value"]) + _size(y),
    "nll_loss": lambda a, y: 2 * a["target"].size,
    "ctc_loss": lambda a, y: 8 * a["log_probs"].shape[0] * a["at"].classes.size,
    "resample": _resampled,
    "spread": lambda a, y: None if "size" in a else _size(a["value"]),
    "sample": _sampled,
    "affine": lambda a, y: 2 * _size(y) * a["theta"].shape[-1],
    "affine_adjoint": lambda a, y: 2 * _size(a["value"]) * y.shape[-1],
    "add_at": lambda a, y: _size(a["values"]),
    "index_add": lambda a, y: _size(a["source"]), "scatter_add": lambda a, y: _size(a["src"]),
    "scatter_reduce": lambda a, y: _size(a["src"]),
    "mvlgamma": lambda a, y: 2 * a["p"] * _size(y),
    "bucketize": _looked_up("boundaries"), "searchsorted": _looked_up("sorted_sequence"),
    "cholesky": _square(1 / 3), "det": _square(2 / 3), "logabsdet": _square(2 / 3),
    "inv": _square(2), "lu": _lu, "solve": _solved,
    "triangular": lambda a, y: _size(y) * a["A"].shape[-1],
    "geqrf": _reflections, "householder_product": _multiplied_out,
    **{name: lambda a, y: _reflections(a) + _multiplied_out(a, y)
       for name in ("qr", "qr_complete")},
}
NORMS: dict[str, Formula] = {  # as torchinfo's column has them
    name: lambda a, y, statistics=statistics: _size(a["input"]) * (  # type: ignore[misc]
        statistics + 1 + (a.get("weight") is not None))
    for name, statistics in (("batch_norm", 1), ("group_norm", 1), ("layer_norm", 1),
                             ("rms_norm", 1), ("frozen_norm", 0))}
