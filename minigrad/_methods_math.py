"""The methods of Tensor for maths: elementwise ops, comparisons, reductions, sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._methods import _inplace
from .ops import (
    arithmetic,
    bessel,
    bits,
    choose,
    compare,
    cumulative,
    elementwise,
    errorfunction,
    extremes,
    gamma,
    piecewise,
    reduce,
    search,
    softmax,
    special,
    statistics,
    vector_norm,
)
from .ops import sort as order
from .views import inplace


class MathMethods:
    """Base of Tensor: one line per method, grouped by the files of `ops`."""

    # ---- elementwise
    add = elementwise.add
    add_ = _inplace(elementwise.add)
    sub = subtract = elementwise.sub
    sub_ = subtract_ = _inplace(elementwise.sub)
    mul = multiply = elementwise.mul
    mul_ = multiply_ = _inplace(elementwise.mul)
    div = divide = elementwise.div
    div_ = divide_ = _inplace(elementwise.div)
    pow = elementwise.pow
    pow_ = _inplace(elementwise.pow)

    def float_power_(self, exponent: Any) -> Any:
        """In-place form of `float_power`: for float64 tensors only, which hold its result."""
        if self._data.dtype != np.float64:
            raise RuntimeError(f"the base given to float_power_ has dtype {self.dtype} but the "
                               f"operation's result requires dtype float64; use float_power")
        return inplace(elementwise.pow, (self, exponent))

    neg = negative = elementwise.neg
    neg_ = negative_ = _inplace(elementwise.neg)
    abs = absolute = elementwise.abs
    abs_ = absolute_ = _inplace(elementwise.abs)
    exp = elementwise.exp
    exp_ = _inplace(elementwise.exp)
    log = elementwise.log
    log_ = _inplace(elementwise.log)
    sqrt = elementwise.sqrt
    sqrt_ = _inplace(elementwise.sqrt)
    tanh = elementwise.tanh
    tanh_ = _inplace(elementwise.tanh)
    sigmoid = elementwise.sigmoid
    sigmoid_ = _inplace(elementwise.sigmoid)
    sgn = elementwise.sgn
    sgn_ = _inplace(elementwise.sgn)
    sign = elementwise.sign
    sign_ = _inplace(elementwise.sign)
    clone = elementwise.clone

    # ---- choose
    clamp = clip = choose.clamp
    clamp_ = clip_ = _inplace(choose.clamp)
    clamp_min = choose.clamp_min
    clamp_min_ = _inplace(choose.clamp_min)
    clamp_max = choose.clamp_max
    clamp_max_ = _inplace(choose.clamp_max)
    masked_fill = choose.masked_fill
    masked_fill_ = _inplace(choose.masked_fill)
    maximum = choose.maximum
    minimum = choose.minimum

    # ---- arithmetic
    floor_divide = arithmetic.floor_divide
    floor_divide_ = _inplace(arithmetic.floor_divide)
    remainder = arithmetic.remainder
    remainder_ = _inplace(arithmetic.remainder)
    fmod = arithmetic.fmod
    fmod_ = _inplace(arithmetic.fmod)
    square = arithmetic.square
    square_ = _inplace(arithmetic.square)
    reciprocal = arithmetic.reciprocal
    reciprocal_ = _inplace(arithmetic.reciprocal)
    floor = arithmetic.floor
    floor_ = _inplace(arithmetic.floor)
    ceil = arithmetic.ceil
    ceil_ = _inplace(arithmetic.ceil)
    trunc = fix = arithmetic.trunc
    trunc_ = fix_ = _inplace(arithmetic.trunc)
    round = arithmetic.round
    round_ = _inplace(arithmetic.round)
    frac = arithmetic.frac
    frac_ = _inplace(arithmetic.frac)
    nan_to_num = arithmetic.nan_to_num
    nan_to_num_ = _inplace(arithmetic.nan_to_num)
    lerp = arithmetic.lerp
    lerp_ = _inplace(arithmetic.lerp)
    addcmul = arithmetic.addcmul
    addcmul_ = _inplace(arithmetic.addcmul)
    addcdiv = arithmetic.addcdiv
    addcdiv_ = _inplace(arithmetic.addcdiv)
    copysign = arithmetic.copysign
    copysign_ = _inplace(arithmetic.copysign)
    fmax = arithmetic.fmax
    fmin = arithmetic.fmin
    heaviside = arithmetic.heaviside
    heaviside_ = _inplace(arithmetic.heaviside)
    float_power = arithmetic.float_power
    positive = arithmetic.positive
    true_divide = arithmetic.true_divide
    true_divide_ = _inplace(elementwise.div)

    # ---- special
    lgamma = gamma.lgamma
    lgamma_ = _inplace(gamma.lgamma)
    digamma = gamma.digamma
    digamma_ = _inplace(gamma.digamma)
    polygamma_ = _inplace(gamma._polygamma)
    igamma = gamma.igamma
    igamma_ = _inplace(gamma.igamma)
    igammac = gamma.igammac
    igammac_ = _inplace(gamma.igammac)
    i0 = bessel.i0
    i0_ = _inplace(bessel.i0)
    mvlgamma = gamma.mvlgamma
    mvlgamma_ = _inplace(gamma.mvlgamma)

    def polygamma(self, n: int) -> Any:
        """See `minigrad.polygamma`."""
        return gamma.polygamma(n, self)

    exp2 = special.exp2
    exp2_ = _inplace(special.exp2)
    expm1 = special.expm1
    expm1_ = _inplace(special.expm1)
    log2 = special.log2
    log2_ = _inplace(special.log2)
    log10 = special.log10
    log10_ = _inplace(special.log10)
    log1p = special.log1p
    log1p_ = _inplace(special.log1p)
    rsqrt = special.rsqrt
    rsqrt_ = _inplace(special.rsqrt)
    sin = special.sin
    sin_ = _inplace(special.sin)
    cos = special.cos
    cos_ = _inplace(special.cos)
    tan = special.tan
    tan_ = _inplace(special.tan)
    asin = arcsin = special.asin
    asin_ = arcsin_ = _inplace(special.asin)
    acos = arccos = special.acos
    acos_ = arccos_ = _inplace(special.acos)
    atan = arctan = special.atan
    atan_ = arctan_ = _inplace(special.atan)
    atan2 = arctan2 = special.atan2
    atan2_ = arctan2_ = _inplace(special.atan2)
    sinh = special.sinh
    sinh_ = _inplace(special.sinh)
    cosh = special.cosh
    cosh_ = _inplace(special.cosh)
    asinh = arcsinh = special.asinh
    asinh_ = arcsinh_ = _inplace(special.asinh)
    acosh = arccosh = special.acosh
    acosh_ = arccosh_ = _inplace(special.acosh)
    atanh = arctanh = special.atanh
    atanh_ = arctanh_ = _inplace(special.atanh)
    deg2rad = special.deg2rad
    deg2rad_ = _inplace(special.deg2rad)
    rad2deg = special.rad2deg
    rad2deg_ = _inplace(special.rad2deg)
    sinc = special.sinc
    sinc_ = _inplace(special.sinc)
    logit = special.logit
    logit_ = _inplace(special.logit)
    hypot = special.hypot
    hypot_ = _inplace(special.hypot)
    xlogy = special.xlogy
    xlogy_ = _inplace(special.xlogy)
    logaddexp = special.logaddexp
    logaddexp2 = special.logaddexp2

    # ---- error function
    erf = errorfunction.erf
    erf_ = _inplace(errorfunction.erf)
    erfc = errorfunction.erfc
    erfc_ = _inplace(errorfunction.erfc)
    erfinv = errorfunction.erfinv
    erfinv_ = _inplace(errorfunction.erfinv)

    # ---- bits
    bitwise_and = bits.bitwise_and
    bitwise_and_ = _inplace(bits.bitwise_and)
    bitwise_or = bits.bitwise_or
    bitwise_or_ = _inplace(bits.bitwise_or)
    bitwise_xor = bits.bitwise_xor
    bitwise_xor_ = _inplace(bits.bitwise_xor)
    bitwise_not = bits.bitwise_not
    bitwise_not_ = _inplace(bits.bitwise_not)
    bitwise_left_shift = bits.bitwise_left_shift
    bitwise_left_shift_ = _inplace(bits.bitwise_left_shift)
    bitwise_right_shift = bits.bitwise_right_shift
    bitwise_right_shift_ = _inplace(bits.bitwise_right_shift)
    logical_and = bits.logical_and
    logical_and_ = _inplace(bits.logical_and)
    logical_or = bits.logical_or
    logical_or_ = _inplace(bits.logical_or)
    logical_xor = bits.logical_xor
    logical_xor_ = _inplace(bits.logical_xor)
    logical_not = bits.logical_not
    logical_not_ = _inplace(bits.logical_not)

    gcd = bits.gcd
    gcd_ = _inplace(bits.gcd)
    lcm = bits.lcm
    lcm_ = _inplace(bits.lcm)

    # ---- compare
    eq = compare.eq
    eq_ = _inplace(compare.eq)
    ne = not_equal = compare.ne
    ne_ = not_equal_ = _inplace(compare.ne)
    lt = less = compare.lt
    lt_ = less_ = _inplace(compare.lt)
    le = less_equal = compare.le
    le_ = less_equal_ = _inplace(compare.le)
    gt = greater = compare.gt
    gt_ = greater_ = _inplace(compare.gt)
    ge = greater_equal = compare.ge
    ge_ = greater_equal_ = _inplace(compare.ge)
    isnan = compare.isnan
    isinf = compare.isinf
    isposinf = compare.isposinf
    isneginf = compare.isneginf
    isfinite = compare.isfinite
    signbit = compare.signbit
    isclose = compare.isclose
    allclose = compare.allclose
    equal = compare.equal
    is_nonzero = compare.is_nonzero

    # ---- reduce
    sum = reduce.sum
    nansum = reduce.nansum
    mean = reduce.mean
    logsumexp = reduce.logsumexp
    any = reduce.any
    all = reduce.all
    count_nonzero = reduce.count_nonzero
    nanmean = reduce.nanmean
    var = reduce.var
    std = reduce.std

    # ---- extremes
    amax = extremes.amax
    amin = extremes.amin
    argmax = extremes.argmax
    argmin = extremes.argmin
    max = extremes.max
    min = extremes.min
    aminmax = extremes.aminmax

    # ---- cumulative
    cumsum = cumulative.cumsum
    cumsum_ = _inplace(cumulative.cumsum)
    cumprod = cumulative.cumprod
    cumprod_ = _inplace(cumulative.cumprod)
    cummax = cumulative.cummax
    cummin = cumulative.cummin
    logcumsumexp = cumulative.logcumsumexp
    prod = cumulative.prod
    diff = cumulative.diff
    norm = vector_norm.norm

    # ---- sort
    sort = order.sort
    argsort = order.argsort
    msort = order.msort
    topk = order.topk
    kthvalue = order.kthvalue
    median = order.median
    mode = statistics.mode
    quantile = statistics.quantile
    nanquantile = statistics.nanquantile
    dist = statistics.dist
    cov = statistics.cov
    corrcoef = statistics.corrcoef
    nanmedian = order.nanmedian
    unique = search.unique
    unique_consecutive = search.unique_consecutive
    bincount = search.bincount
    histc = search.histc

    def where(self, condition: Any, other: Any) -> Any:
        """Return this tensor where `condition` holds, `other` elsewhere."""
        return choose.where(condition, self, other)

    # ---- activations that are methods
    relu = piecewise.relu
    relu_ = _inplace(piecewise.relu)
    prelu = piecewise.prelu
    hardshrink = piecewise.hardshrink
    log_softmax = softmax.log_softmax
    softmax = softmax.softmax
