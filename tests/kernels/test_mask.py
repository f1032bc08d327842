"""Dropout masks: exact ends, the right frequencies, the same bits everywhere."""

import numpy as np
import pytest

from minigrad.kernels.mask import keep_mask


def generator(seed):
    return np.random.Generator(np.random.SFC64(seed))


@pytest.mark.parametrize("p", [0, 1, 0.0, 1.0])
def test_the_ends_are_exact_and_draw_nothing(p):
    rng = generator(0)
    before = str(rng.bit_generator.state)
    mask = keep_mask(rng, (50, 40), p)
    assert mask.shape == (50, 40) and mask.dtype == bool
    assert (mask == (p == 0)).all()
    assert str(rng.bit_generator.state) == before


@pytest.mark.parametrize("p", [1e-6, 1e-4, 0.1, 0.25, 0.5, 0.9, 1 - 1e-5, 1.5 / 65536])
def test_the_share_of_dropped_values_is_p_to_four_deviations(p):
    count = 8_000_000
    dropped = count - np.count_nonzero(keep_mask(generator(7), (count,), p))
    assert abs(dropped - count * p) <= 4 * np.sqrt(count * p * (1 - p)) + 1


def test_neighbours_are_independent():
    mask = keep_mask(generator(3), (1_000_001,), 0.3).astype(np.float64) - 0.7
    for lag in (1, 2, 3, 4, 8):
        correlation = np.dot(mask[:-lag], mask[lag:]) / len(mask) / 0.21
        assert abs(correlation) < 4 / 1000


def test_masks_are_the_generator_s_words_in_little_endian_order():
    words = np.random.SFC64(11).random_raw(3)
    parts = [(int(w) >> shift) & 0xFFFF for w in words for shift in (0, 16, 32, 48)]
    expected = [part >= 0x4000 for part in parts][:10]
    assert keep_mask(generator(11), (2, 5), 0.25).reshape(-1).tolist() == expected


def test_values_on_the_boundary_take_more_bits():
    class Source:
        """Stand in for a generator whose first word is all boundary values."""

        def __init__(self):
            self.bit_generator = self
            self.words = [np.array([0], np.uint64), np.array([0, 2**62, 2**63, 2**64 - 1],
                                                              np.uint64)]

        def random_raw(self, count):
            word = self.words.pop(0)
            assert len(word) == count
            return word

    assert keep_mask(Source(), (4,), 0.5 / 65536).tolist() == [False, False, True, True]


def test_empty_shapes_and_scalars():
    assert keep_mask(generator(0), (0, 3), 0.5).shape == (0, 3)
    assert keep_mask(generator(0), (), 0.5).shape == ()


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_probability_outside_0_to_1_is_refused(p):
    with pytest.raises(ValueError, match="p_drop"):
        keep_mask(generator(0), (3,), p)
