"""Samples of minigrad/ops/interpolate.py."""

from . import A, S, numbered

NAME = "nn.functional.interpolate"
BOTH = "resample spread"

SAMPLES = numbered([
    *[S(NAME, A(1, 2, *shape), size, mode=mode, covers=BOTH)
      for mode in ("nearest", "nearest-exact")
      for shape, size in (((5,), 7), ((3, 4), (5, 2)), ((2, 3, 2), 4))],
    *[S(NAME, A(1, 2, *shape), size, mode=mode, align_corners=align, covers=BOTH)
      for mode, shape, size in (("linear", (5,), 7), ("bilinear", (3, 4), (5, 2)),
                                ("bicubic", (4, 3), (3, 5)), ("trilinear", (2, 3, 2), 3))
      for align in (False, True)],
    *[S(NAME, A(1, 1, 5, 4), scale_factor=(1.7, 0.6), mode=mode, covers=BOTH)
      for mode in ("nearest", "nearest-exact", "bilinear", "bicubic")],
    S(NAME, A(1, 1, 5, 4), scale_factor=(1.7, 0.6), mode="bilinear", recompute_scale_factor=True,
      covers=BOTH),
    S(NAME, A(1, 1, 3), 1, mode="linear", align_corners=True, covers=BOTH),
    S(NAME, A(1, 2, 5, 4), 3, mode="area", covers="average"),
    *[S(NAME, A(1, 2, 5, 7), size, mode=mode, antialias=True, covers=BOTH)
      for mode in ("bilinear", "bicubic", "lanczos") for size in ((2, 3), (3, 9))],
    *[S(NAME, A(1, 1, 6, 7), scale_factor=(0.4, 1.3), mode=mode, antialias=True, align_corners=True,
        covers=BOTH) for mode in ("bilinear", "bicubic")],
    S(NAME, A(1, 1, 7), scale_factor=1.05, mode="nearest", torch_order=0, covers=BOTH),
    S(NAME, A(1, 1, 7), scale_factor=1.05, mode="linear", covers=BOTH),
    S("nn.functional.upsample", A(1, 1, 3), 5, covers=BOTH),
    S("nn.functional.upsample_nearest", A(1, 1, 3, 2), scale_factor=2, covers=BOTH),
    S("nn.functional.upsample_bilinear", A(1, 1, 3, 2), 4, covers=BOTH),
])
