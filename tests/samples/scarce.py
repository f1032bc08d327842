"""Samples of minigrad/ops/floats.py, into.py, histogram.py, draws.py, distance.py, windows.py."""

from . import A, C, I, S, numbered

POSITIVE = {"low": 0.2, "high": 3.0}

SAMPLES = numbered([
    S("frexp", A(2, 3, low=1.1, high=1.9), covers="frexp power_of_two", pick=0),
    S("ldexp", A(2, 3), I(3, high=4), named=False, covers="mul"),
    S("nextafter", C(2, 3), C(3)),
    S("angle", A(2, 3, away=0.1)),
    S("select_scatter", A(2, 3), A(2), 1, -1, named=False, covers="copy"),
    S("slice_scatter", A(4, 3), A(2, 3), 0, 1, 4, 2, named=False, covers="copy"),
    S("diagonal_scatter", A(3, 4), A(3), 1, named=False, covers="copy"),
    S("as_strided_scatter", A(3, 4), A(2, 2), (2, 2), (5, 1), 1, named=False, covers="copy",
      torch_order=0),  # torch has the gradient where it is not, and none where it is
    *[S("index_reduce", A(4, 2), 0, I(3, high=4), A(3, 2, distinct=True), reduce, named=False,
        covers="scatter_reduce") for reduce in ("amax", "amin", "mean", "prod")],
    S("index_reduce", A(2, 4), 1, I(3, high=2), A(2, 3), "mean", include_self=False, named=False,
      covers="scatter_reduce"),
    S("histogram", C(9), 4, range=(-1.0, 1.0), covers="mul"),
    S("gradient", A(5, 4), named=False, covers="narrow"),
    S("gradient", A(5), spacing=0.5, edge_order=2, named=False, covers="narrow"),
    S("gradient", A(4, 5), dim=1, spacing=2.0, named=False, covers="narrow"),
    S("cdist", A(2, 3), A(4, 3), named=False, covers="norm", torch_order=1),
    S("cdist", A(1, 2, 3), A(2, 4, 3), p=3.0, named=False, covers="norm", torch_order=1),
    S("renorm", A(3, 4), 2, 0, 0.5, named=False, covers="norm"),
    S("hann_window", 5, covers="mul", tol=1e-6),
    S("hamming_window", 6, False, 0.5, covers="mul", tol=1e-6),
    S("kaiser_window", 6, True, 8.0, covers="mul", tol=1e-6),
    S("poisson", C(3, low=0.0, high=0.0), covers="poisson"),
    S("binomial", C(3, low=4.0, high=4.0), C(low=1.0, high=1.0), covers="binomial"),
])
