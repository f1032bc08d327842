"""Convolutions large enough for several chunks, threads and tiles: accuracy, and the same bits."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minigrad.kernels import _threads
from tests.kernels.convolutions import all_three, all_three_direct, backward, samples

# Rounding differs from the reference's.
LARGE = {
    "lines": (5, 12, (20, 37), 14, (3, 5), (1, 1), (2, 1), (1, 2), 2),
    "3d-lines": (3, 6, (7, 5, 18), 8, (3, 3, 3), (1, 1, 1), (1, 0, 2), (1, 1, 1), 1),
    "thick": (9, 16, (32, 32), 32, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "thin": (16, 3, (32, 32), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "small-maps": (16, 48, (8, 8), 64, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "strided": (10, 24, (17, 16), 32, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    "depthwise": (8, 32, (24, 24), 32, (3, 3), (1, 1), (1, 1), (1, 1), 32),
    "pointwise": (8, 32, (16, 16), 64, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "many-channels": (5, 64, (23, 26), 72, (3, 3), (1, 1), (2, 1), (1, 1), 1),
    "one-image": (1, 32, (40, 40), 48, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "five-by-five": (33, 6, (14, 14), 16, (5, 5), (1, 1), (0, 0), (1, 1), 1),
    "dilated": (32, 5, (19, 17), 24, (4, 3), (1, 1), (2, 3), (2, 1), 1),
    "1d": (40, 4, (200,), 32, (9,), (1,), (4,), (1,), 1),
    "3d": (5, 8, (8, 9, 10), 16, (3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1),
}


@pytest.fixture
def threads():
    """Restore the number of threads."""
    before = _threads.get_num_threads()
    yield _threads.set_num_threads
    _threads.set_num_threads(before)


def large_samples(case):
    rng = np.random.default_rng(2)
    return [rng.standard_normal(a.shape).astype(np.float32) for a in samples(case)]


def all_five(case, x, w, g):
    return *all_three(case, x, w, g), *backward(case, x, w, g)[:2]


@pytest.mark.parametrize("name", LARGE)
def test_large_float32(name):
    case = LARGE[name]
    arrays = large_samples(case)
    wants = all_three_direct(case, *(a.astype(float) for a in arrays))
    for got, want in zip(all_five(case, *arrays), wants + wants[1:], strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=3e-6 * np.abs(want).max())


@pytest.mark.parametrize("name", LARGE)
def test_bits_do_not_depend_on_the_number_of_threads(name, threads):
    case = LARGE[name]
    arrays = large_samples(case)
    threads(1)
    wants = all_five(case, *arrays)
    for count in (2, 3, 5):
        threads(count)
        for got, want in zip(all_five(case, *arrays), wants, strict=True):
            np.testing.assert_array_equal(got, want)


def test_calls_from_several_threads(threads):
    threads(2)
    cases = [LARGE["thick"], LARGE["thin"], LARGE["strided"], LARGE["small-maps"]]
    inputs = [large_samples(case) for case in cases]
    wants = [all_three(case, *a) for case, a in zip(cases, inputs, strict=True)]

    def user(i):
        return [all_three(cases[i], *inputs[i]) for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        for results, want in zip(pool.map(user, range(4)), wants, strict=True):
            for result in results:
                for a, b in zip(result, want, strict=True):
                    np.testing.assert_array_equal(a, b)


def test_results_do_not_share_scratch_memory():
    case = LARGE["small-maps"]
    first = all_three(case, *large_samples(case))
    copies = [a.copy() for a in first]
    all_three(case, *(a + 1 for a in large_samples(case)))
    for a, copy in zip(first, copies, strict=True):
        np.testing.assert_array_equal(a, copy)
