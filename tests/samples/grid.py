"""Samples of minigrad/ops/grid.py and fractional_pool.py."""

import numpy as np

from . import A, Array, C, S, numbered

BOTH = "places sample scatter"


def between(out, sizes, align):
    """Return places that are not near the middle of a pixel nor its edge: no kinks there."""

    def make(rng):
        places = []
        for size in reversed(sizes):
            u = rng.random((2, *out))
            pixel = np.floor((size + 2) * u) - 1.5 + 0.15 + 0.2 * rng.random(u.shape)
            pixel += 0.5 * (rng.random(u.shape) < 0.5)
            places.append(2 * pixel / (size - 1) - 1 if align else (2 * pixel + 1) / size - 1)
        return np.stack(places, -1)

    return Array((2, *out, len(sizes)), make=make)


def sampled(sizes, mode, padding, align):
    return S("nn.functional.grid_sample", A(2, 2, *sizes), between((3, 2, 2)[:len(sizes)], sizes,
                                                                   align),
             mode=mode, padding_mode=padding, align_corners=align, covers=BOTH)


SAMPLES = numbered([
    *[sampled(sizes, mode, padding, align)
      for sizes in ((3, 4), (2, 3, 4)) for mode in ("bilinear", "nearest", "bicubic")
      for padding in ("zeros", "border", "reflection") for align in (False, True)
      if mode != "bicubic" or len(sizes) == 2],
    S("grid_sampler", A(2, 1, 3, 3), between((2, 2), (3, 3), False), 2, 1, False, covers=BOTH),
    S("grid_sampler_2d", A(2, 1, 3, 3), between((2, 2), (3, 3), True), 0, 2, True, covers=BOTH),
    S("grid_sampler_3d", A(2, 1, 2, 3, 3), between((2, 1, 2), (2, 3, 3), True), 0, 0, True,
      covers=BOTH),
    *[S("nn.functional.affine_grid", A(2, n, n + 1), (2, 3, 4, 3, 2)[:n + 2], align_corners=align,
        covers="affine affine_adjoint") for n in (2, 3) for align in (False, True)],
    S("affine_grid_generator", A(1, 2, 3), (1, 1, 2, 2), False, covers="affine"),
    S("nn.functional.fractional_max_pool2d", A(2, 3, 7, 6, distinct=True), 2, (4, 3),
      _random_samples=C(2, 3, 2, low=0, high=1), covers="maximum"),
    S("nn.functional.fractional_max_pool2d", A(3, 6, 7, distinct=True), (1, 3),
      output_ratio=(0.5, 0.4), return_indices=True, _random_samples=C(1, 3, 2, low=0, high=1),
      covers="maximum", pick=0),
    S("nn.functional.fractional_max_pool3d", A(1, 2, 5, 4, 6, distinct=True), 2, (3, 1, 4),
      _random_samples=C(1, 2, 3, low=0, high=1), covers="maximum"),
])
