"""minigrad: PyTorch's tensors, autograd and nn on NumPy alone. `import minigrad as torch`.

Re-exports only, one section per family. `func`, `nn`, `optim`, `testing`, `utils` and `viz` load
when first used.
"""

# ruff: noqa: F401, I001 - re-exports, in packed lines
from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

# ---- types, devices, generators
from ._device import (
    channels_last, channels_last_3d, contiguous_format, device, layout, memory_format,
    preserve_format, strided,
)
from ._dtype import (
    Size, can_cast, double, dtype, finfo, float16, float32, float64, get_default_dtype, half, iinfo,
    int8, int16, int32, int64, long, promote_types, set_default_dtype, short, uint8,
)
from ._dtype import bool_ as bool
from ._dtype import float32 as float
from ._dtype import int32 as int
from ._format import set_printoptions
from ._random import (
    Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state,
)
from .tensor import Tensor  # isort: skip  (binds the engine; what follows needs it)

# ---- autograd
from . import autograd, random, return_types, storage
from .storage import TypedStorage, UntypedStorage
from .anomaly import is_anomaly_check_nan_enabled, is_anomaly_enabled
from .modes import (
    enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad,
    set_grad_enabled,
)

# ---- compilers (there is none), hints
from . import compiler, jit
from ._hints import get_hints, set_hints
from ._settings import (
    are_deterministic_algorithms_enabled, get_deterministic_debug_mode, get_file_path,
    get_float32_matmul_precision, is_deterministic_algorithms_warn_only_enabled,
    set_default_device, set_default_tensor_type, set_deterministic_debug_mode,
    set_float32_matmul_precision, set_flush_denormal, use_deterministic_algorithms,
)
from .compiler import compile

# ---- creation
from .ops.create import (
    BoolTensor, ByteTensor, CharTensor, DoubleTensor, FloatTensor, HalfTensor, IntTensor,
    LongTensor, ShortTensor, as_tensor, asarray, from_dlpack, from_numpy, frombuffer, scalar_tensor,
    tensor,
)
from .ops.fill import (
    arange, empty, empty_like, empty_strided, eye, full, full_like, linspace, logspace, ones,
    ones_like, tril_indices, triu_indices, zeros, zeros_like,
)
from .ops.random import (
    bernoulli, multinomial, normal, rand, rand_like, randint, randint_like, randn, randn_like,
    randperm,
)
from .ops.fill import range_ as range

# ---- elementwise
from .ops.arithmetic import (
    addcdiv, addcmul, ceil, copysign, fix, float_power, floor, floor_divide, fmax, fmin, fmod, frac,
    heaviside, lerp, nan_to_num, positive, reciprocal, remainder, round, square, true_divide, trunc,
)
from .ops.bits import (
    bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, gcd,
    lcm,
    logical_and, logical_not, logical_or, logical_xor,
)
from .ops.choose import clamp, clamp_max, clamp_min, masked_fill, maximum, minimum, where
from .ops.choose import clamp as clip
from .ops.compare import (
    allclose, eq, equal, ge, greater, greater_equal, gt, is_nonzero, isclose, isfinite, isin, isinf,
    isnan, isneginf, isposinf, le, less, less_equal, lt, ne, not_equal, signbit,
)
from .ops.elementwise import (
    abs, add, clone, div, exp, log, mul, neg, pow, rsub, sgn, sigmoid, sign, sqrt, sub, tanh,
)
from .ops.elementwise import abs as absolute
from .ops.elementwise import div as divide
from .ops.elementwise import mul as multiply
from .ops.elementwise import neg as negative
from .ops.elementwise import sub as subtract
from .ops.errorfunction import erf, erfc, erfinv
from .ops.special import (
    acos, acosh, asin, asinh, atan, atan2, atanh, cos, cosh, deg2rad, exp2, expm1, hypot, log10,
    log1p, log2, logaddexp, logaddexp2, logit, rad2deg, rsqrt, sin, sinc, sinh, tan, xlogy,
)
from .ops.bessel import i0
from .ops.gamma import digamma, igamma, igammac, lgamma, mvlgamma, polygamma
from .ops.special import acos as arccos
from .ops.special import acosh as arccosh
from .ops.special import asin as arcsin
from .ops.special import asinh as arcsinh
from .ops.special import atan as arctan
from .ops.special import atan2 as arctan2
from .ops.special import atanh as arctanh

# ---- indices
from .ops.masked import argwhere, masked_scatter, masked_select, nonzero
from .ops.scatter import (
    gather, index_add, index_copy, index_fill, index_select, put, scatter, scatter_add, take,
    take_along_dim,
)
from .ops.scatter_reduce import scatter_reduce
from .ops.index import put_index as index_put

# ---- linear algebra
from .ops.decompose import det, inverse, logdet, matrix_power
from .ops.einsum import einsum
from .ops.linalg import bmm, dot, matmul, mm, mv, vdot
from .ops.matrix_functions import _weight_norm, geqrf, matrix_exp, norm_except_dim, orgqr
from .ops.products import (
    addbmm, addmm, addmv, addr, baddbmm, chain_matmul, ger, inner, kron, outer, tensordot, trace,
)
from . import linalg
from .ops.copies import (
    alias_copy, as_strided_copy, detach_copy, diagonal_copy, expand_copy, narrow_copy,
    permute_copy, select_copy, slice_copy, split_copy, split_with_sizes_copy, squeeze_copy,
    t_copy, transpose_copy,
    unbind_copy, unfold_copy, unsqueeze_copy, view_copy,
)
from .ops.cross import cross, vander
from .ops.distance import cdist, renorm
from .ops.draws import binomial, poisson
from .ops.floats import angle, frexp, imag, isreal, ldexp, nextafter, real
from .ops.histogram import gradient, histogram, histogramdd
from .ops.into import (
    as_strided_scatter, diagonal_scatter, index_reduce, select_scatter, slice_scatter,
)
from .ops.masked import nonzero_static
from .ops.windows import (
    bartlett_window, blackman_window, hamming_window, hann_window, kaiser_window,
)
from .ops.decompose import qr_by_some as qr
from .ops.lu import lu_legacy as lu
from .ops.lu import lu_solve_legacy as lu_solve
from .ops.lu import lu_unpack
from .ops.matrix_functions import ormqr
from .ops.rank import pinverse
from .ops.triangular import cholesky_inverse, cholesky_solve, triangular_solve
from .ops.triangular import lower_or_upper as cholesky
from .ops.decompose import slogdet_pair as slogdet
from .ops.spectral import svd_by_columns as svd

# ---- reductions
from .ops.cumulative import cummax, cummin, cumprod, cumsum, diff, logcumsumexp, prod
from .ops.extremes import amax, amin, aminmax, argmax, argmin, max, min
from .ops.reduce import (
    all, any, count_nonzero, logsumexp, mean, nanmean, nansum, std, std_mean, sum, var, var_mean,
)

from .ops.statistics import (
    corrcoef, cov, cumulative_trapezoid, dist, mode, nanquantile, quantile, trapezoid, trapz,
)
from .ops.vector_norm import norm

# ---- sorting, searching
from .ops.search import bincount, bucketize, histc, searchsorted, unique, unique_consecutive
from .ops.sort import argsort, kthvalue, median, msort, nanmedian, sort, topk

# ---- shapes
from .ops.arrange import (
    block_diag, diag, diag_embed, diagflat, diagonal, flip, fliplr, flipud, roll, rot90, tril, triu,
)
from .ops.join import (
    atleast_1d, atleast_2d, atleast_3d, cat, chunk, column_stack, concat, concatenate, dsplit,
    dstack, hsplit, hstack, row_stack, split, split_with_sizes, stack, tensor_split, unbind, vsplit,
    vstack,
)
from .ops.strided import as_strided, as_strided_
from .ops.repeat import cartesian_prod, combinations, meshgrid, repeat_interleave, tile
from .ops.shape import (
    adjoint, broadcast_shapes, broadcast_tensors, broadcast_to, flatten, moveaxis, movedim, permute,
    ravel, reshape, squeeze, swapaxes, swapdims, t, transpose, unflatten, unsqueeze,
)
from .ops.slicing import narrow, select
from .ops.info import (
    is_complex, is_floating_point, is_inference, is_same_size, is_storage, is_tensor, numel,
    result_type,
    typename,
)
from .ops.info import get_default_device

# ---- neural networks (the rest is in nn.functional)
from .ops.activation import celu, selu
from .ops.conv import (
    conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d,
)
from .ops.ctc import ctc_loss_by_number as ctc_loss
from .ops.distance import cosine_similarity, pairwise_distance
from .ops.norm import group_norm
from .ops.row_norm import layer_norm, rms_norm
from .ops.piecewise import hardshrink, prelu, relu, rrelu, threshold
from .ops.pool import avg_pool1d, max_pool1d, max_pool2d, max_pool3d
from .ops.adaptive_pool import adaptive_avg_pool1d
from .ops.softmax import log_softmax, softmax
from .ops.bilinear import bilinear
from .ops.embedding import embedding_renorm_
from .ops.embedding_bag import embedding_bag_parts as embedding_bag
from .ops.grid import affine_grid_generator, grid_sampler, grid_sampler_2d, grid_sampler_3d
from .ops.distance import pdist
from .ops.rearrange import channel_shuffle, pixel_shuffle, pixel_unshuffle
from .ops.recurrent import (
    gru, gru_cell, lstm, lstm_cell, rnn_relu, rnn_relu_cell, rnn_tanh, rnn_tanh_cell,
)
from ._functions import (
    _assert, abs_, acos_, acosh_, addmv_, alpha_dropout, alpha_dropout_, arccos_, arccosh_,
    arcsin_, arcsinh_, arctan_, arctanh_, asin_, asinh_, atan_, atanh_, batch_norm, ceil_, celu_,
    clamp_, clamp_max_, clamp_min_, clip_, cos_, cosh_, deg2rad_, detach_, dropout, dropout_,
    embedding, erf_, erfc_, exp2_, exp_, expm1_, feature_alpha_dropout, feature_alpha_dropout_,
    feature_dropout, feature_dropout_, fill_, fix_, floor_, frac_, gcd_, index_put_,
    i0_, instance_norm, lcm_, log10_, log1p_, log2_, log_, logit_, nan_to_num_, neg_, negative_,
    rad2deg_, reciprocal_, relu_, resize_as_, round_, rrelu_, rsqrt_, selu_, sigmoid_, sin_, sinc_,
    sinh_,
    sqrt_, square_, tan_, tanh_, threshold_, trunc_, xlogy_, zero_,
)
from ._functions_nn import (
    adaptive_max_pool1d, binary_cross_entropy_with_logits, constant_pad_nd, conv_tbc,
    cosine_embedding_loss, hinge_embedding_loss, kl_div, margin_ranking_loss,
    max_pool1d_with_indices, native_channel_shuffle, poisson_nll_loss, triplet_margin_loss,
)

from ._functions_rare import (
    conj, conj_physical, conj_physical_, detach, get_device, is_conj, is_neg,
    is_signed, ldexp_, pca_lowrank, resolve_conj, resolve_neg, set_anomaly_enabled, svd_lowrank,
    to_dlpack,
)
from .ops.inner import (
    convolution, empty_permuted, fill, frobenius_norm, from_file, nuclear_norm, unravel_index,
    unsafe_chunk, unsafe_split, unsafe_split_with_sizes,
)

# ---- processors
from . import amp, backends, cuda, version
from .amp import GradScaler, autocast, is_autocast_enabled
from .kernels._threads import get_num_threads, set_num_threads

# ---- files
from . import serialization
from .serialization import load, save

__version__ = "0.1.0"
e = 2.718281828459045
inf = 1e400  # `float` is a dtype in this module
nan = inf - inf
pi = 3.141592653589793
newaxis = None

_LAZY = ("_C", "distributions", "func", "special", "nn", "optim", "overrides", "testing", "utils",
         "viz")
_REPORTS = ("doctor", "explain", "summary")

if _TYPE_CHECKING:
    from . import _C, distributions, func, nn, optim, overrides, special, testing, utils, viz
    from ._doctor import doctor
    from ._explain import explain
    from ._summary import summary
    from .func import vmap


def __getattr__(name: str) -> _Any:
    """Import a subpackage when it is first used (PEP 562)."""
    if name in _LAZY:
        return _importlib.import_module(f".{name}", __name__)
    if name in _REPORTS:
        return getattr(_importlib.import_module(f"._{name}", __name__), name)
    if name == "vmap":
        from .func import vmap

        return vmap
    from ._absent import sentence

    raise AttributeError(sentence("module 'minigrad'", name))


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_REPORTS})
