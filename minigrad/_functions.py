"""The functions that PyTorch has in its top namespace in another form than in `nn.functional`.

In-place functions are the methods themselves. `dropout`, `batch_norm` and the like take their
arguments in the order of PyTorch's inner functions; user code mostly means `nn.functional`'s.
"""

from __future__ import annotations

from typing import Any

from . import views
from ._check import takes
from .ops import dropout as dropouts
from .ops import embedding as embeddings
from .ops import norm as norms
from .ops import piecewise
from .ops.activation import celu, selu
from .ops.piecewise import rrelu
from .tensor import Tensor

# ---- in place
abs_ = Tensor.abs_
acos_ = Tensor.acos_
acosh_ = Tensor.acosh_
addmv_ = Tensor.addmv_
arccos_ = Tensor.arccos_
arccosh_ = Tensor.arccosh_
arcsin_ = Tensor.arcsin_
arcsinh_ = Tensor.arcsinh_
arctan_ = Tensor.arctan_
arctanh_ = Tensor.arctanh_
asin_ = Tensor.asin_
asinh_ = Tensor.asinh_
atan_ = Tensor.atan_
atanh_ = Tensor.atanh_
ceil_ = Tensor.ceil_
clamp_ = Tensor.clamp_
clamp_max_ = Tensor.clamp_max_
clamp_min_ = Tensor.clamp_min_
clip_ = Tensor.clip_
cos_ = Tensor.cos_
cosh_ = Tensor.cosh_
deg2rad_ = Tensor.deg2rad_
detach_ = takes("self")(Tensor.detach_)
erf_ = Tensor.erf_
erfc_ = Tensor.erfc_
exp2_ = Tensor.exp2_
exp_ = Tensor.exp_
expm1_ = Tensor.expm1_
fill_ = Tensor.fill_
fix_ = Tensor.fix_
floor_ = Tensor.floor_
frac_ = Tensor.frac_
gcd_ = Tensor.gcd_
index_put_ = Tensor.index_put_
i0_ = Tensor.i0_
lcm_ = Tensor.lcm_
log10_ = Tensor.log10_
log1p_ = Tensor.log1p_
log2_ = Tensor.log2_
log_ = Tensor.log_
logit_ = Tensor.logit_
nan_to_num_ = Tensor.nan_to_num_
neg_ = Tensor.neg_
negative_ = Tensor.negative_
rad2deg_ = Tensor.rad2deg_
reciprocal_ = Tensor.reciprocal_
relu_ = Tensor.relu_
round_ = Tensor.round_
resize_as_ = Tensor.resize_as_
rsqrt_ = Tensor.rsqrt_
sigmoid_ = Tensor.sigmoid_
sin_ = Tensor.sin_
sinc_ = Tensor.sinc_
sinh_ = Tensor.sinh_
sqrt_ = Tensor.sqrt_
square_ = Tensor.square_
tan_ = Tensor.tan_
tanh_ = Tensor.tanh_
trunc_ = Tensor.trunc_
xlogy_ = Tensor.xlogy_
zero_ = Tensor.zero_


def celu_(input: Any, alpha: float = 1.0) -> Any:
    """In-place form of `celu`."""
    return celu(input, alpha, inplace=True)


def selu_(input: Any) -> Any:
    """In-place form of `selu`."""
    return selu(input, inplace=True)


def threshold_(input: Any, threshold: float, value: float) -> Any:
    """In-place form of `threshold`."""
    return views.inplace(piecewise.threshold, (input, threshold, value))


def rrelu_(input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
           generator: Any = None) -> Any:
    """In-place form of `rrelu`."""
    return rrelu(input, lower, upper, training, inplace=True, generator=generator)


# ---- dropout
def dropout(input: Any, p: float, train: bool) -> Any:
    """Return `nn.functional.dropout`; here p and train have no defaults.

    >>> import minigrad as torch
    >>> torch.dropout(torch.ones(2), 0.5, False)
    tensor([1., 1.])
    """
    return dropouts.dropout(input, p, train)


def dropout_(input: Any, p: float, train: bool) -> Any:
    """In-place form of `dropout`."""
    return dropouts.dropout(input, p, train, inplace=True)


def feature_dropout(input: Any, p: float, train: bool) -> Any:
    """Zero whole channels, dim 1, with probability p: `nn.functional.dropout2d` of any rank."""
    dropouts.check_p(p)
    return dropouts.channels(input, p, train, False, None, False)


def feature_dropout_(input: Any, p: float, train: bool) -> Any:
    """In-place form of `feature_dropout`."""
    dropouts.check_p(p)
    return dropouts.channels(input, p, train, True, None, False)


def alpha_dropout(input: Any, p: float, train: bool) -> Any:
    """Return `nn.functional.alpha_dropout`; here p and train have no defaults."""
    return dropouts.alpha_dropout(input, p, train)


def alpha_dropout_(input: Any, p: float, train: bool) -> Any:
    """In-place form of `alpha_dropout`."""
    return dropouts.alpha_dropout(input, p, train, inplace=True)


def feature_alpha_dropout(input: Any, p: float, train: bool) -> Any:
    """Return `nn.functional.feature_alpha_dropout`; here p and train have no defaults."""
    return dropouts.feature_alpha_dropout(input, p, train)


def feature_alpha_dropout_(input: Any, p: float, train: bool) -> Any:
    """In-place form of `feature_alpha_dropout`."""
    return dropouts.feature_alpha_dropout(input, p, train, inplace=True)


# ---- norms and embedding: other orders of the arguments
def batch_norm(input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any,
               training: bool, momentum: float, eps: float, cudnn_enabled: bool) -> Any:
    """Return `nn.functional.batch_norm`; weight and bias come before the running statistics.

    `cudnn_enabled` chooses between GPU libraries, of which there are none: any bool will do.
    """
    _check_flag(cudnn_enabled)
    return norms.batch_norm(input, running_mean, running_var, weight, bias, training, momentum,
                            eps)


def instance_norm(input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any,
                  use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool) -> Any:
    """Return `nn.functional.instance_norm`; weight and bias come before the running statistics.

    `cudnn_enabled` chooses between GPU libraries, of which there are none: any bool will do.
    """
    _check_flag(cudnn_enabled)
    return norms.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats,
                               momentum, eps)


def _check_flag(cudnn_enabled: Any) -> None:
    if not isinstance(cudnn_enabled, bool):
        raise TypeError(f"cudnn_enabled: expected a bool, got {type(cudnn_enabled).__name__}")


def embedding(weight: Any, indices: Any, padding_idx: int = -1, scale_grad_by_freq: bool = False,
              sparse: bool = False) -> Any:
    """Return the rows weight[indices]: `nn.functional.embedding` with the table first.

    padding_idx=-1 means none.

    >>> import minigrad as torch
    >>> torch.embedding(torch.eye(2), torch.tensor([1]))
    tensor([[0., 1.]])
    """
    return embeddings.embedding(indices, weight, None if padding_idx == -1 else padding_idx,
                                scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


# ---- checks
def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds."""
    assert condition, message
