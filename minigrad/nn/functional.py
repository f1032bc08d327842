"""Functions of neural networks: the ops of `minigrad.ops` under the names of torch.nn.functional.

Nothing is computed here. The activations get their `inplace` argument, softmax its default for
`dim`; everything else is re-exported.
"""

# ruff: noqa: F401, I001 - re-exports, in packed lines
from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from .. import _check, views
from ..engine import apply
from .._functions import celu_, rrelu_, selu_, threshold_
from .._functions_nn import conv_tbc, native_channel_shuffle
from ..ops import activation, piecewise
from ..ops import softmax as _shares
from ..ops.activation import celu, elu, gelu, glu, logsigmoid, selu, softplus, softsign, tanhshrink
from ..ops.adaptive_pool import (
    adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices, adaptive_max_pool2d, adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d, adaptive_max_pool3d_with_indices, max_unpool1d, max_unpool2d, max_unpool3d,
)
from ..ops.attention import scaled_dot_product_attention
from ..ops.bilinear import bilinear
from ..ops.conv import (
    conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d,
)
from ..ops.cross_entropy import cross_entropy, nll_loss
from ..ops.ctc import ctc_loss
from ..ops.distance import cosine_similarity, pairwise_distance, pdist
from ..ops.dropout import (
    alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout,
)
from ..ops.elementwise import sigmoid, tanh
from ..ops.embedding import embedding, one_hot
from ..ops.embedding_bag import embedding_bag
from ..ops.fractional_pool import (
    fractional_max_pool2d, fractional_max_pool2d_with_indices, fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
)
from ..ops.grid import affine_grid, grid_sample
from ..ops.interpolate import interpolate, upsample, upsample_bilinear, upsample_nearest
from ..ops.linalg import linear
from ..ops.linear_cross_entropy import linear_cross_entropy
from ..ops.loss import (
    binary_cross_entropy, binary_cross_entropy_with_logits, huber_loss, kl_div, l1_loss, mse_loss,
    smooth_l1_loss,
)
from ..ops.margin_loss import (
    cosine_embedding_loss, gaussian_nll_loss, hinge_embedding_loss, margin_ranking_loss,
    multi_margin_loss, multilabel_margin_loss, multilabel_soft_margin_loss, poisson_nll_loss,
    soft_margin_loss, triplet_margin_loss, triplet_margin_with_distance_loss,
)
from ..ops.multihead import multi_head_attention_forward
from ..ops.norm import batch_norm, group_norm, instance_norm
from ..ops.pad import pad
from ..ops.piecewise import hardshrink, prelu, rrelu, softshrink
from ..ops.pool import (
    avg_pool1d, avg_pool2d, avg_pool3d, lp_pool1d, lp_pool2d, lp_pool3d, max_pool1d,
    max_pool1d_with_indices, max_pool2d, max_pool2d_with_indices, max_pool3d,
    max_pool3d_with_indices,
)
from ..ops.rearrange import channel_shuffle, fold, pixel_shuffle, pixel_unshuffle, unfold
from ..ops.response_norm import local_response_norm, normalize
from ..ops.row_norm import layer_norm, rms_norm
from ..ops.softmax import gumbel_softmax


# ------------------------------------------------------------------- activations and `inplace`
def _with_inplace(function: Any) -> Callable[..., Any]:
    """Return the function with a last argument `inplace`: write the result into the input."""
    made, count = function.op, len(function.op.names)

    def call(*args: Any, **given: Any) -> Any:
        if not given and len(args) <= count:
            return apply(made, args) if len(args) == count else function(*args)
        inplace = args[count] if len(args) > count else given.pop("inplace", False)
        if inplace:
            _check.tensor(args[0], function.__name__)
            return views.inplace(function, args[:count], given)
        return function(*args[:count], **given)

    update_wrapper(call, function)
    call.__module__ = __name__  # pickle looks it up there
    signature = inspect.signature(function)
    flag = inspect.Parameter("inplace", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False,
                             annotation="bool")
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), flag])
    return call


hardsigmoid = _with_inplace(piecewise.hardsigmoid)
hardswish = _with_inplace(piecewise.hardswish)
hardtanh = _with_inplace(piecewise.hardtanh)
leaky_relu = _with_inplace(piecewise.leaky_relu)
mish = _with_inplace(activation.mish)
relu = _with_inplace(piecewise.relu)
relu6 = _with_inplace(piecewise.relu6)
silu = _with_inplace(activation.silu)
threshold = _with_inplace(piecewise.threshold)


def relu_(input: Any) -> Any:
    """In-place form of `relu`."""
    return relu(input, inplace=True)


def elu_(input: Any, alpha: float = 1.0) -> Any:
    """In-place form of `elu`."""
    return elu(input, alpha, inplace=True)


def leaky_relu_(input: Any, negative_slope: float = 0.01) -> Any:
    """In-place form of `leaky_relu`."""
    return leaky_relu(input, negative_slope, inplace=True)


def hardtanh_(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """In-place form of `hardtanh`."""
    return hardtanh(input, min_val, max_val, inplace=True)


# ------------------------------------------------------------------------------------- softmax
def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """Return exp(input) / sum(exp(input)) along `dim`: see `minigrad.softmax`.

    Without `dim` it warns and takes 0 for 0, 1 and 3 dimensions, else 1, as in PyTorch.

    >>> import minigrad as torch
    >>> torch.nn.functional.softmax(torch.tensor([[0., 0.]]), dim=1)
    tensor([[0.5000, 0.5000]])
    """
    if dim is None:
        dim = _shares.guess_dim("softmax", input, _stacklevel)
    return _shares.softmax(input, dim, dtype)


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """Return softmax(-input): the smallest element gets the largest share.

    >>> import minigrad as torch
    >>> torch.nn.functional.softmin(torch.tensor([0., 1000.]), dim=0)
    tensor([1., 0.])
    """
    if dim is None:
        dim = _shares.guess_dim("softmin", input, _stacklevel)
    return _shares.softmax(-input, dim, dtype)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """Return log(softmax(input)) along `dim`, exact for small shares: see `minigrad.log_softmax`.

    >>> import minigrad as torch
    >>> torch.nn.functional.log_softmax(torch.tensor([[0., 0.]]), dim=1)
    tensor([[-0.6931, -0.6931]])
    """
    if dim is None:
        dim = _shares.guess_dim("log_softmax", input, _stacklevel)
    return _shares.log_softmax(input, dim, dtype)
