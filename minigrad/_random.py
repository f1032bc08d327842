"""Random numbers: `Generator`, the default generator, and the draws every random function uses.

The bits are NumPy's SFC64 (Chris Doty-Humphrey, PractRand 2014). Only its raw 64-bit words are
used: NumPy guarantees that stream for ever, but not what its `Generator` makes of it. The draws
below use integer arithmetic and the IEEE operations + - * / sqrt alone, so one seed gives the
same numbers, to the last bit, on every platform and with every version of NumPy.
"""

from __future__ import annotations

import contextlib
import math
import operator
import os
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._device import cpu, device, to_device
from ._fork import kept_free
from ._override import here

if TYPE_CHECKING:
    from .tensor import Tensor

Array = np.ndarray[Any, Any]

_FIRST_SEED = 67280421310721  # what PyTorch's generators start from
_STATE_BYTES = 40  # the seed, then SFC64's four words; little endian
_BITS: dict[int, Any] = {16: np.dtype("<u2"), 32: np.dtype("<u4"), 64: np.dtype("<u8")}
_CHUNK = 16384  # pairs of normals made at a time: the scratch arrays stay in the cache


class Generator:
    """Draw random numbers from a stream of its own.

    Pass it as `generator=` to any random function. The same seed gives the same numbers on every
    platform; they are not PyTorch's numbers. Threads may share a generator: draws do not overlap.

    Args: device: the CPU, default; others raise RuntimeError.

    >>> import minigrad as torch
    >>> g = torch.Generator().manual_seed(3)
    >>> a = torch.rand(2, generator=g)
    >>> g.manual_seed(3).initial_seed(), torch.equal(a, torch.rand(2, generator=g))
    (3, True)
    """

    def __init__(self, device: device | str = cpu) -> None:
        self.device = to_device(device)
        self._lock = kept_free(threading.RLock())
        self._bits: Any = None  # made at the first draw: importing numpy.random takes 20 ms
        self._seed: int | None = _FIRST_SEED

    def _source(self) -> Any:
        """Return the bit generator, seeded; the caller holds the lock."""
        if self._bits is None:
            from numpy.random import SFC64

            self._bits = SFC64(self.initial_seed())
        return self._bits

    def manual_seed(self, seed: int) -> Generator:
        """Restart the stream from a seed and return the generator.

        Args: seed: an integer from -2**63 to 2**64 - 1; a negative one counts as seed + 2**64.
        A number that is no integer raises RuntimeError, one out of range ValueError.
        """
        try:
            number = operator.index(seed)
        except TypeError:
            kind = type(seed).__name__
            raise RuntimeError(f"manual_seed: expected an int, got {seed!r} ({kind})") from None
        if not -(2**63) <= number < 2**64:
            raise ValueError(f"manual_seed: expected -2**63 <= seed < 2**64, got {number}")
        with self._lock:
            self._seed = number % 2**64
            self._bits = None
        return self

    def seed(self) -> int:
        """Restart the stream from a seed that the operating system chooses, and return it."""
        return self.manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()

    def initial_seed(self) -> int:
        """Return the seed the stream began with, as a number from 0 to 2**64 - 1."""
        with self._lock:
            if self._seed is None:
                self._seed = int.from_bytes(os.urandom(8), "little")
            return self._seed

    def state_bytes(self) -> bytes:
        """Return the seed and the position in the stream as 40 bytes."""
        with self._lock:
            words = self._source().state["state"]["state"]
            return self.initial_seed().to_bytes(8, "little") + words.astype("<u8").tobytes()

    def set_state_bytes(self, state: bytes) -> None:
        """Go to a position that `state_bytes` returned; another length raises RuntimeError."""
        if len(state) != _STATE_BYTES:
            raise RuntimeError(
                f"set_state: expected the {_STATE_BYTES} bytes that get_state returned, "
                f"got {len(state)}"
            )
        words = np.frombuffer(state, "<u8").astype(np.uint64)
        with self._lock:
            self._seed = int(words[0])
            source = self._source()
            source.state = {**source.state, "state": {"state": words[1:]}}

    def get_state(self) -> Tensor:
        """Return the position in the stream as a uint8 tensor, for `set_state`."""
        from .engine import wrap

        return wrap(np.frombuffer(self.state_bytes(), np.uint8).copy(), None)

    def set_state(self, new_state: Tensor) -> None:
        """Go to a position that `get_state` returned.

        Anything but a uint8 tensor raises TypeError, one of another length RuntimeError.
        """
        from .tensor import Tensor

        if not isinstance(new_state, Tensor) or new_state._data.dtype != np.uint8:
            found = getattr(new_state, "dtype", None) or type(new_state).__name__
            raise TypeError(f"set_state: expected a uint8 tensor from get_state, got {found}")
        self.set_state_bytes(new_state._data.tobytes())

    def clone_state(self) -> Generator:
        """Return a new generator at the same position of the same stream."""
        new = Generator(self.device)
        new.set_state_bytes(self.state_bytes())
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.state_bytes(),)

    def words(self, count: int) -> Array:
        """Return the next `count` 64-bit words of the stream as a uint64 array."""
        with self._lock:
            return self._source().random_raw(count)


def _restore(state: bytes) -> Generator:
    new = Generator()
    new.set_state_bytes(state)
    return new


default_generator = Generator()
default_generator._seed = None  # chosen by the operating system when first needed


def manual_seed(seed: int) -> Generator:
    """Restart the default generator from a seed and return it.

    >>> import minigrad as torch
    >>> torch.manual_seed(0).initial_seed()
    0
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Restart the default generator from a seed that the system chooses, and return the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed that the default generator began with."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Return the default generator's position in its stream as a uint8 tensor."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Send the default generator to a position that `get_rng_state` returned."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices: Sequence[object] | None = None, enabled: bool = True) -> Iterator[None]:
    """Put the default generator's state back when the block is left; also a decorator.

    Args: devices: None or empty, for the CPU is always included; enabled: False does nothing.

    >>> import minigrad as torch
    >>> with torch.random.fork_rng():
    ...     _ = torch.manual_seed(1)
    """
    if devices:
        raise RuntimeError(f"fork_rng: minigrad has the CPU only, got devices={devices!r}")
    if not enabled:
        yield
        return
    state = default_generator.state_bytes()
    try:
        yield
    finally:
        default_generator.set_state_bytes(state)


def resolve(generator: Generator | None) -> Generator:
    """Return the generator an argument means: None means the default one."""
    if here.refuse is not None:
        here.refuse()
    if generator is None:
        return here.generator or default_generator
    if not isinstance(generator, Generator):
        kind = type(generator).__name__
        raise TypeError(f"generator: expected a torch.Generator or None, got {kind}")
    return generator


Shape = int | Sequence[int]


def _count(shape: Shape) -> int:
    return shape if isinstance(shape, int) else math.prod(shape)


def _halves(count: int, generator: Generator | None, bits: int) -> Array:
    """Return `count` uint16 or uint32 numbers, cut from as few words as hold them."""
    per_word = 64 // bits
    words = resolve(generator).words(-(-count // per_word))
    return (words if _BITS[64].isnative else words.astype(_BITS[64])).view(_BITS[bits])[:count]


def uniform(shape: Shape, dtype: Any = np.float32, generator: Generator | None = None) -> Array:
    """Return numbers uniform in [0, 1): multiples of 2**-53 (float64), 2**-24 or 2**-11."""
    kind = np.dtype(dtype)
    digits = np.finfo(kind).nmant + 1
    if kind == np.float64:
        bits = resolve(generator).words(_count(shape))
        bits >>= np.uint64(64 - digits)
    else:
        bits = _halves(_count(shape), generator, 32)
        bits >>= np.uint32(32 - digits)
    result = bits.astype(kind)
    result *= kind.type(2.0**-digits)
    return result.reshape(shape)


def bernoulli(shape: Shape, p: float, generator: Generator | None = None) -> Array:
    """Return booleans, True with probability p to within 2**-69.

    Each value costs 16 bits; only where they fall on the boundary (one in 65,536) more are drawn.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p: expected a probability from 0 to 1, got {p}")
    bits = _halves(_count(shape), generator, 16)
    share = p * 65536
    whole = np.array(min(int(share), 65535), _BITS[16])  # an array: numbers take longer
    result = np.less(bits, whole)
    if (rest := share - whole.item()) and (
            count := int(np.count_nonzero(equal := np.equal(bits, whole)))):
        result[equal] = uniform(count, np.float64, generator) < rest
    return result.reshape(shape)


def integers(low: int, high: int, shape: Shape, generator: Generator | None = None) -> Array:
    """Return int64 numbers uniform in [low, high), without bias.

    Up to 2**32 different values: the upper half of a 32 x 32 bit product (Lemire 2019); above:
    as many bits as needed. Numbers that would make some values likelier are drawn again.
    """
    span = high - low
    if not 0 < span <= 2**64:
        raise ValueError(f"integers: expected low < high <= low + 2**64, got {low}, {high}")
    draw = _narrow if span <= 2**32 else _wide
    source = resolve(generator)
    with source._lock:  # redrawing must not let other threads in between
        values = draw(span, _count(shape), source)
    values += np.uint64(low % 2**64)  # modulo 2**64, as int64 addition
    return values.view(np.int64).reshape(shape)


def _narrow(span: int, count: int, source: Generator) -> Array:
    reject = (2**32 - span) % span
    product = _halves(count, source, 32).astype(np.uint64) * np.uint64(span)
    bad = np.flatnonzero(product.astype(np.uint32) < reject) if reject else ()
    while len(bad):
        again = _halves(len(bad), source, 32).astype(np.uint64) * np.uint64(span)
        product[bad] = again
        bad = bad[again.astype(np.uint32) < reject]
    product >>= np.uint64(32)
    return product


def _wide(span: int, count: int, source: Generator) -> Array:
    shift = np.uint64(64 - (span - 1).bit_length())
    values = source.words(count) >> shift
    bad = np.flatnonzero(values > span - 1)
    while len(bad):
        again = source.words(len(bad)) >> shift
        values[bad] = again
        bad = bad[again > span - 1]
    return values


def permutation(n: int, generator: Generator | None = None) -> Array:
    """Return 0 .. n-1 in random order, every order equally likely, as int64.

    The order of n random 64-bit keys; in the rare case of two equal keys all are drawn again.
    """
    source = resolve(generator)
    while True:
        keys = source.words(n)
        order = np.argsort(keys)
        keys = keys[order]
        if not (keys[1:] == keys[:-1]).any():
            return order.astype(np.int64, copy=False)


def normal(shape: Shape, dtype: Any = np.float32, generator: Generator | None = None) -> Array:
    """Return numbers of the standard normal distribution (Box & Muller 1958).

    Each pair takes one word for the radius and one for the angle, of 32 bits (64 for float64).
    """
    kind = np.dtype(dtype)
    count = _count(shape)
    pairs = (count + 1) // 2
    if kind == np.float64:
        bits = resolve(generator).words(2 * pairs)
    else:
        bits = _halves(2 * pairs, generator, 32)
    result = np.empty(2 * pairs, np.float64 if kind == np.float64 else np.float32)
    for start in range(0, pairs, _CHUNK):
        part = slice(start, min(start + _CHUNK, pairs))
        second = slice(pairs + part.start, pairs + part.stop)
        _box_muller(bits[part], bits[second], result[part], result[second])
    return result[:count].astype(kind, copy=False).reshape(shape)


def _box_muller(radius_bits: Array, angle_bits: Array, first: Array, second: Array) -> None:
    """Write pairs of normals.

    With u uniform in (0, 1], phi uniform in [-pi/4, pi/4) and signs s, t, the point
    sqrt(-log u) (s (cos phi - sin phi), t (cos phi + sin phi)) has a radius of sqrt(-2 log u)
    and an angle uniform over the whole circle: cos phi -+ sin phi = sqrt 2 cos(phi +- pi/4).
    """
    width = 8 * first.itemsize
    u = radius_bits.astype(first.dtype)
    u += 1
    u *= 2.0**-width
    radius = _minus_log(u)
    np.sqrt(radius, out=radius)
    phi = (angle_bits.view(f"i{first.itemsize}") >> 2).astype(first.dtype)
    phi *= math.pi / 4 * 2.0 ** (3 - width)
    sine, cosine = _sine_cosine(phi)
    np.subtract(cosine, sine, out=first)
    np.add(cosine, sine, out=second)
    for bit, out in ((width - 1, first), (width - 2, second)):  # the two bits phi left unused
        out *= radius
        signs = angle_bits << angle_bits.dtype.type(bit)
        signs &= angle_bits.dtype.type(1 << (width - 1))
        out.view(angle_bits.dtype)[...] ^= signs


def _polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """Return c0 + c1 x + c2 x^2 + ... by Horner's rule, in x's type."""
    result = x * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        result += c
        result *= x
    result += coefficients[0]
    return result


def _minus_log(u: Array) -> Array:
    """Return -log u for 0 < u <= 1, relative error 1e-7 (float32) or 1e-15 (float64).

    u = 2^e m with m in [sqrt 1/2, sqrt 2); log m = 2 artanh s, s = (m - 1) / (m + 1), by series.
    """
    single = u.dtype == np.float32
    digits, integer = (23, np.int32) if single else (52, np.int64)
    root = np.sqrt(u.dtype.type(0.5)).view(integer)
    bits = u.view(integer)
    exponent = (bits - root) >> integer(digits)
    m = (bits - (exponent << integer(digits))).view(u.dtype)
    s = (m - 1) / (m + 1)
    log_m = _polynomial(s * s, [-2 / (2 * k + 1) for k in range(5 if single else 10)])
    log_m *= s
    log_m -= exponent.astype(u.dtype) * u.dtype.type(math.log(2))
    return log_m


def _sine_cosine(phi: Array) -> tuple[Array, Array]:
    """Return sin and cos of |phi| <= pi/4 by their Taylor series."""
    terms = 5 if phi.dtype == np.float32 else 9
    square = phi * phi
    sine = _polynomial(square, [(-1) ** k / math.factorial(2 * k + 1) for k in range(terms)])
    sine *= phi
    cosine = _polynomial(square, [(-1) ** k / math.factorial(2 * k) for k in range(terms + 1)])
    return sine, cosine
