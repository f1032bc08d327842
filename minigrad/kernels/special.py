"""Special functions that NumPy lacks: erf and its inverse. See also erfc and normal.

All are rational functions fitted for this module at Chebyshev nodes with 60 digits, evaluated in
blocks that stay in the cache. The forms are those of Cody, Rational Chebyshev
approximations for the error function, 1969, and of Wichura, Algorithm AS 241, 1988: erf(x) is
x R(x^2) near 0 and 1 - exp(-x^2) R(x) further out, the inverse y R(0.7225 - y^2) near 0 and
R(sqrt(-log((1 - |y|) / 2))) towards the ends.

erf is right to 1.5 units in the last place in float64 and to 6 in float32, the inverse to 4.5 in
float64 and 0.5 in float32; float16 is computed in float32 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.kernels._blocks import apply_in_blocks

__all__ = ["erf", "erfinv"]


def _constants(*values: float, dtype: type = np.float64) -> list[np.ndarray]:
    """Return 0-d arrays: with Python floats NumPy takes twice as long to begin."""
    return [np.array(value, dtype) for value in values]


# erf(x) / x in x^2, |x| <= 3.92, to 1.9e-8
_SINGLE_P = _constants(
    1.1283791884092636, 0.1837001028133441, 0.054424528135633963, 0.0038278118495943931,
    0.00039174367080759837, 5.0442383139054088e-6, -1.4949606777307905e-8, dtype=np.float32)
_SINGLE_Q = _constants(
    1.0, 0.49613369408865601, 0.11360870932576614, 0.0154613533444224, 0.0013194019070621598,
    6.6512097257692676e-5, dtype=np.float32)
_SINGLE_END = np.array(3.935, np.float32)  # where float32 arithmetic gives exactly 1
_SINGLE_START = np.array(-3.935, np.float32)

# erf(x) / x in x^2, |x| <= 1, to 8e-18
_NEAR = _constants(
    1.1283791670955126, -0.3761263890318354, 0.11283791670945006, -0.02686617064323777,
    0.0052239776071164227, -0.00085483259753896921, 0.00012055294904839708,
    -1.492473690741966e-5, 1.6447424703317362e-6, -1.6208483801871706e-7, 1.3720064546777686e-8,
    -7.7958988270021422e-10)

# exp(x^2) (1 - erf(x)) in x, 1 <= x <= 6, to 2.1e-16
_FAR_P = _constants(
    0.99999997567537245, 1.8570301625561772, 1.7008973551738693, 0.9655104192185203,
    0.36358677140279413, 0.090938374297463841, 0.014142551981801037, 0.0010911245408056557,
    4.3773703156934537e-13)
_FAR_Q = _constants(
    1.0, 2.9854090859127408, 4.069571953721941, 3.3243706241534367, 1.7909561100577991,
    0.65697357822239817, 0.16215110038796701, 0.025067018708647838, 0.0019339679515062632)

# inverse / y in 0.7225 - y^2, |y| <= 0.85, to 7e-17
_INVERSE_NEAR_P = _constants(
    1.1975323115670913, 13.148344840595834, 56.308346143329762, 119.47608272318107,
    132.15816834242035, 73.73182032040804, 18.493136644257558, 1.598172126525549,
    0.021077511563883843)
_INVERSE_NEAR_Q = _constants(
    1.0, 11.730846723805139, 54.455243379012413, 127.76372407243861, 160.82024089026783,
    106.68428276815251, 34.27168633694469, 4.4154478450223311, 0.14340918757944627)

# inverse in sqrt(-log((1 - |y|) / 2)) - 1.6, |y| > 0.85, to 1.4e-17
_INVERSE_FAR_P = _constants(
    1.0065220336036879, 3.4899556795955399, 4.8065594177236431, 3.5349909853431994,
    1.5496076768746061, 0.42133314713576592, 0.070369966156051073, 0.0067759205077747408,
    0.00032618752674990929, 5.6143630839950564e-6)
_INVERSE_FAR_Q = _constants(
    1.0, 2.2676056008861421, 2.1413432796605799, 1.0998584115594475, 0.33492833689495527,
    0.061034733747819726, 0.0062853419761271196, 0.00031723768781221989, 5.614142484854571e-6,
    1.2529181468940474e-12)


def erf(x: np.ndarray) -> np.ndarray:
    """Return the error function 2 / sqrt(pi) * (integral of exp(-t^2) from 0 to x).

    >>> erf(np.array([0.5, -np.inf]))
    array([ 0.52049988, -1.        ])
    """
    return in_blocks(_bounded_erf, x)


def erfinv(x: np.ndarray) -> np.ndarray:
    """Return the y with erf(y) = x: infinite at -1 and 1, NaN outside.

    >>> erfinv(np.array([0.5, 1.0]))
    array([0.47693628,        inf])
    """
    return in_blocks(_erfinv, x.astype(np.float64, copy=False)).astype(x.dtype, copy=False)


def in_blocks(
    function: Callable[..., None], x: np.ndarray, results: int = 1
) -> Any:
    """Apply function(block, *outs) to contiguous blocks of x, on the threads if there are many.

    Return the result, or a list if there are several.
    """
    wide = np.ascontiguousarray(x, np.float32 if x.itemsize == 2 else None)
    made = [np.empty(x.shape, wide.dtype) for _ in range(results)]
    apply_in_blocks(function, wide.reshape(-1), *[y.reshape(-1) for y in made])
    if wide.dtype is not x.dtype:
        made = [y.astype(x.dtype, copy=False) for y in made]
    return made[0] if results == 1 else made


def _polynomial(x: np.ndarray, coefficients: list[np.ndarray]) -> np.ndarray:
    y = x * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        y += c
        y *= x
    y += coefficients[0]
    return y


def _bounded_erf(x: np.ndarray, out: np.ndarray) -> None:
    """Write erf(x); rounding in float32 would leave a few results a little beyond 1."""
    _erf(x, out)
    np.minimum(out, 1, out=out)
    np.maximum(out, -1, out=out)


def _erf(x: np.ndarray, out: np.ndarray) -> None:
    if x.dtype == np.float32:
        erf_single(x, out)
        return
    near_erf(x, out)
    far = np.flatnonzero(np.abs(x) > 1)
    if far.size:
        signed = x[far]
        a = np.minimum(np.abs(signed), 6)  # 1 - erf(6) = 2e-17
        out[far] = np.copysign(1 - np.exp(-a * a) * scaled_erfc(a), signed)


def near_erf(x: np.ndarray, out: np.ndarray) -> None:
    """Write erf(x) for float64 |x| <= 1, erf(1) or erf(-1) elsewhere."""
    near = np.clip(x, -1, 1)
    np.multiply(near, _polynomial(near * near, _NEAR), out=out)


def scaled_erfc(a: np.ndarray) -> np.ndarray:
    """Return exp(a^2) (1 - erf(a)) for float64 1 <= a <= 6."""
    return _polynomial(a, _FAR_P) / _polynomial(a, _FAR_Q)


def erf_single(x: np.ndarray, out: np.ndarray) -> None:
    """Write erf(x) of float32; a few results are an ulp beyond 1."""
    a = np.minimum(x, _SINGLE_END)
    np.maximum(a, _SINGLE_START, out=a)
    square = a * a
    a *= _polynomial(square, _SINGLE_P)
    np.divide(a, _polynomial(square, _SINGLE_Q), out=out)


def _erfinv(y: np.ndarray, out: np.ndarray) -> None:
    below = np.maximum(0.7225 - y * y, 0)
    ratio = _polynomial(below, _INVERSE_NEAR_P)
    ratio /= _polynomial(below, _INVERSE_NEAR_Q)
    np.multiply(y, ratio, out=out)
    far = np.flatnonzero(~(np.abs(y) <= 0.85))
    if far.size:
        signed = y[far]
        r = np.sqrt(-np.log((1 - np.abs(signed)) * 0.5)) - 1.6
        x = _polynomial(r, _INVERSE_FAR_P) / _polynomial(r, _INVERSE_FAR_Q)
        x[np.abs(signed) == 1] = np.inf
        out[far] = np.copysign(x, signed)
