"""Samples of minigrad/ops/gamma.py, bessel.py, normal.py and polynomials.py."""

from . import A, C, I, S, numbered

POSITIVE = {"low": 0.2, "high": 3.0}
POLYNOMIALS = ("chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v",
               "chebyshev_polynomial_w", "hermite_polynomial_h", "hermite_polynomial_he",
               "laguerre_polynomial_l", "legendre_polynomial_p", "shifted_chebyshev_polynomial_t",
               "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
               "shifted_chebyshev_polynomial_w")

SAMPLES = numbered([
    S("lgamma", A(2, 3, **POSITIVE)),
    S("lgamma", A(4, low=-2.9, high=-2.1)),
    S("lgamma", I(3, low=1), order=0, tol=1e-6),
    S("digamma", A(2, 3, **POSITIVE)),
    S("digamma", A(4, low=-2.9, high=-2.1)),
    S("digamma", A(3, low=20.0, high=1e3)),
    S("polygamma", 1, A(2, 3, **POSITIVE), covers="polygamma", order=2),
    S("polygamma", 3, A(3, low=5.0, high=50.0), covers="polygamma"),
    S("polygamma", 0, A(3, **POSITIVE), covers="polygamma"),
    S("Tensor.polygamma", A(3, **POSITIVE), 2, covers="polygamma"),
    S("mvlgamma", A(3, low=3.0, high=9.0), 4),
    S("special.zeta", C(2, 1, low=1.5, high=9.0), A(3, **POSITIVE), covers="zeta"),
    S("special.zeta", 2.5, A(3, **POSITIVE), covers="zeta"),
    S("igamma", C(2, 3, **POSITIVE), A(3, low=0.1, high=9.0)),
    S("igamma", C(3, low=50.0, high=60.0), A(3, low=40.0, high=70.0)),
    S("igammac", C(2, 3, **POSITIVE), A(3, low=0.1, high=9.0)),
    S("igammac", C(3, low=50.0, high=60.0), A(3, low=40.0, high=70.0)),
    S("i0", A(5, low=-9.0, high=9.0)),
    S("special.i0e", A(3, low=28.0, high=32.0), covers="iv_scaled"),
    S("special.i0e", A(5, low=-9.0, high=9.0, away=0.1), covers="iv_scaled"),
    S("special.i1", A(5, low=-9.0, high=9.0), covers="iv"),
    S("special.i1e", A(5, low=-90.0, high=90.0, away=0.1), covers="iv_scaled"),
    # torch's Bessel functions of the far line are off by up to 1e-6: tests/kernels/test_rare.py
    *[S(f"special.{name}", A(6, low=0.3, high=60.0), covers=op, torch_order=0, tol=1e-6)
      for name, op in (("bessel_j0", "jv"), ("bessel_j1", "jv"), ("bessel_y0", "yv"),
                       ("bessel_y1", "yv"), ("spherical_bessel_j0", "spherical"),
                       ("scaled_modified_bessel_k0", "kv_scaled"),
                       ("scaled_modified_bessel_k1", "kv_scaled"))],
    *[S(f"special.modified_bessel_{kind}", A(6, low=0.3, high=4.0), covers=op, torch_order=0)
      for kind, op in (("i0", "iv"), ("i1", "iv"), ("k0", "kv"), ("k1", "kv"))],
    S("special.bessel_j0", A(6, low=-3.0), covers="jv", torch_order=0),
    S("special.airy_ai", A(8, low=-12.0, high=9.0), covers="airy_ai airy_prime", torch_order=0,
      tol=1e-5),
    *[S(f"special.{name}", A(5, low=-3.0, high=3.0), covers=name)
      for name in ("ndtr", "log_ndtr", "erfcx")],
    S("special.log_ndtr", A(3, low=-90.0, high=-20.0), covers="log_ndtr"),
    S("special.ndtri", A(5, low=0.02, high=0.98), covers="ndtri"),
    S("special.entr", A(2, 3, **POSITIVE), covers="entr"),
    S("special.xlog1py", A(2, 3), A(3, **POSITIVE), covers="xlog1py"),
    S("special.xlog1py", A(2, 3), 1.5, covers="xlog1py"),
    S("special.xlog1py", 1.5, A(3, **POSITIVE), covers="xlog1py"),
    *[S(f"special.{name}", A(5, low=-1.4, high=1.4), I(4, 1, high=5), torch_order=0,
        covers="chebyshev_polynomial_t gegenbauer laguerre hermite")
      for name in POLYNOMIALS],
])
