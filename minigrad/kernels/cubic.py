"""Keys' cubic convolution kernel (1981): the weights of four neighbours, and their derivatives."""

from __future__ import annotations

import numpy as np

ndarray = np.ndarray
SLOPE = -0.75  # the kernel's free parameter; image libraries take -0.5

# The weights of the inputs at -1, 0, 1 and 2, as polynomials in the place t in [0, 1).
_WEIGHTS = (
    (SLOPE, -2 * SLOPE, SLOPE, 0.0),
    (SLOPE + 2, -(SLOPE + 3), 0.0, 1.0),
    (-(SLOPE + 2), 2 * SLOPE + 3, -SLOPE, 0.0),
    (-SLOPE, SLOPE, 0.0, 0.0),
)


def weights(t: ndarray, order: int = 0) -> list[ndarray]:
    """Return the four weights (their derivative of an order) at places t in [0, 1)."""
    found = []
    for polynomial in _WEIGHTS:
        coefficients = np.polyder(np.array(polynomial), order) if order else polynomial
        y = np.zeros_like(t)
        for c in coefficients:
            y *= t
            y += t.dtype.type(c)
        found.append(y)
    return found
