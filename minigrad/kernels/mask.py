"""Random masks for dropout: independent booleans with an exact probability.

Each value costs 16 bits. They decide unless they fall on the boundary, once in 65,536 times; then
53 more bits are drawn for it, so that even p = 1e-6 is right.
"""

from __future__ import annotations

from math import prod

import numpy as np


def keep_mask(rng: np.random.Generator, shape: tuple[int, ...], p_drop: float) -> np.ndarray:
    """Return booleans that are False with probability p_drop, to within 2**-69.

    Only the generator's raw 64-bit words are used, in little-endian order: the bits are the same
    on every platform and for every version of NumPy. p_drop 0 and 1 draw nothing. Raises
    ValueError for a p_drop outside [0, 1].
    """
    if not 0 <= p_drop <= 1:
        raise ValueError(f"p_drop: expected a probability from 0 to 1, got {p_drop}")
    if p_drop in (0, 1):
        return np.full(shape, p_drop == 0)
    count = prod(shape)
    draw = rng.bit_generator.random_raw
    words = draw(-(-count // 4)).astype("<u8", copy=False)
    bits = words.view("<u2")[:count]
    whole, rest = divmod(p_drop * 65536, 1)
    keep = bits > int(whole)
    undecided = np.flatnonzero(bits == int(whole))
    if undecided.size:
        keep[undecided] = (draw(undecided.size) >> np.uint64(11)) * 2.0**-53 >= rest
    return keep.reshape(shape)
