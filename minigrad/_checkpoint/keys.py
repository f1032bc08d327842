"""Which objects may be keys of dicts and items of sets in a checkpoint."""

from __future__ import annotations

from .._device import device
from .._dtype import dtype

_SCALARS = (str, int, float, bool, type(None), bytes, complex, dtype, device)


def plain_key(key: object, depth: int = 2) -> bool:
    """Tell whether an object is a scalar, or a tuple of scalars or of tuples of scalars.

    Deeper and longer ones are refused: computing a hash could overflow the stack or take for ever.
    """
    if isinstance(key, tuple):
        return depth > 0 and len(key) <= 64 and all(plain_key(item, depth - 1) for item in key)
    return isinstance(key, _SCALARS)
