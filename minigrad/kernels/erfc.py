"""The complementary error function, also where 1 - erf(x) would cancel.

For |x| < 1 it is 1 - erf(x); further out exp(-x^2) times a rational function, with the coefficients
of Moshier's Cephes library (1984), after Cody, Rational Chebyshev approximations for the error
function, 1969.
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.special import erf

__all__ = ["erfc", "scaled_tail"]

# erfc(x) exp(x^2) = P(x) / Q(x) for 1 <= x < 8, R(x) / S(x) for 8 <= x; highest power first
_P = (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687,
      4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2,
      9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2)
_Q = (1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2,
      9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3,
      1.65666309194161350182e3, 5.57535340817727675546e2)
_R = (5.64189583547755073984e-1, 1.27536670759978104416, 5.01905042251180477414,
      6.16021097993053585195, 7.40974269950448939160, 2.97886665372100240670)
_S = (1.0, 2.26052863220117276590, 9.39603524938001434673, 1.20489539808096656605e1,
      1.70814450747565897222e1, 9.60896809063285878198, 3.36907645100081516050)


def _ratio(x: np.ndarray, p: tuple[float, ...], q: tuple[float, ...]) -> np.ndarray:
    return np.polyval(p, x) / np.polyval(q, x)


def scaled_tail(x: np.ndarray) -> np.ndarray:
    """Return exp(x^2) erfc(x) for x >= 1; beyond 1e8 it is 1 / (x sqrt(pi)) to all digits."""
    near = np.where(x < 8, _ratio(np.minimum(x, 8), _P, _Q), _ratio(np.minimum(x, 1e8), _R, _S))
    return np.where(x > 1e8, 1 / np.sqrt(np.pi) / x, near)


def _tail(x: np.ndarray) -> np.ndarray:
    """Return erfc(x) for x >= 1; x^2 is split, so that exp(-x^2) keeps all its digits."""
    head = np.round(x * 16) / 16
    scale = np.exp(-head * head) * np.exp(-(x - head) * (x + head))
    return scale * scaled_tail(x)


def erfc(x: np.ndarray) -> np.ndarray:
    """Return 1 - erf(x), computed in float64, in the dtype of x."""
    wide = np.asarray(x, np.float64)
    size = np.minimum(np.absolute(wide), 30.0)  # erfc(28) is below the smallest number
    far = _tail(np.maximum(size, 1.0))
    y = np.where(size < 1, 1 - erf(wide), np.where(wide < 0, 2 - far, far))
    return np.asarray(np.where(np.isnan(wide), np.nan, y)).astype(x.dtype)
