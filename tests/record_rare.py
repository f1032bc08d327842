"""Record reference values of special functions with mpmath: tests/data/rare.json.

Run with mpmath installed, from the root of the repository: python tests/record_rare.py
"""

from __future__ import annotations

import json
from pathlib import Path

import mpmath as mp

mp.mp.dps = 120
LINE = [1e-9, 1e-3, 0.1, 0.7, 1.4616321449683622, 1.9999, 2.0, 3.3, 5.52, 9.0, 14.2, 24.99, 25.01,
        29.9, 30.1, 47.0, 80.0, 321.5]
BOTH = [-x for x in LINE[:-2]] + LINE
LEFT = [-9.5, -3.3, -1.2, -0.5] + LINE
SHARES = [1e-300, 1e-20, 1e-3, 0.024, 0.3, 0.499999, 0.5, 0.7, 0.975, 0.999]
SHAPES = [1e-9, 1e-3, 0.4, 1.0, 3.0, 12.0, 55.0, 400.0, 2e4]
FUNCTIONS = {
    "lgamma": (lambda x: mp.log(abs(mp.gamma(x))), LEFT),
    "digamma": (mp.digamma, LEFT),
    **{f"bessel_j{n}": (lambda x, n=n: mp.besselj(n, x), BOTH) for n in (0, 1)},
    **{f"bessel_y{n}": (lambda x, n=n: mp.bessely(n, x), LINE) for n in (0, 1)},
    **{f"i{n}e": (lambda x, n=n: mp.exp(-abs(x)) * mp.besseli(n, x), BOTH) for n in (0, 1)},
    **{f"scaled_modified_bessel_k{n}": (lambda x, n=n: mp.exp(x) * mp.besselk(n, x), LINE)
       for n in (0, 1)},
    "spherical_bessel_j0": (mp.sinc, BOTH),
    "airy_ai": (mp.airyai, [-45.0, -30.1, -14.2, -9.1, -8.9, *LEFT[1:-2]]),
    "erfcx": (lambda x: mp.exp(mp.mpf(x) ** 2) * mp.erfc(x), LEFT),
    "log_ndtr": (lambda x: mp.log(mp.ncdf(x)) if x < 0 else mp.log1p(-mp.ncdf(-x)), BOTH[:-4]),
    "ndtri": (lambda p: mp.sqrt(2) * mp.erfinv(2 * mp.mpf(p) - 1) if p > 1e-15 else
              mp.findroot(lambda x: mp.log(mp.ncdf(x)) - mp.log(p), -mp.sqrt(-2 * mp.log(p))),
              SHARES),
}
PAIRS = {
    "zeta": (mp.zeta, [1.001, 1.5, 2.0, 3.0, 20.0], [1e-3, 0.3, 1.0, 7.0, 500.0]),
    "gammainc": (lambda a, x: mp.gammainc(a, 0, x, regularized=True), SHAPES, [0.1, 0.7, 1.0, 1.3]),
    "gammaincc": (lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True), SHAPES,
                  [0.1, 0.7, 1.0, 1.3]),
}


def main() -> None:
    found = {name: [[x, float(f(mp.mpf(x)))] for x in points]
             for name, (f, points) in FUNCTIONS.items()}
    for name, (f, first, second) in PAIRS.items():
        scale = name != "zeta"  # x as a multiple of a
        pairs = [(a, b * a if scale else b) for a in first for b in second]
        found[name] = [[a, b, float(f(mp.mpf(a), mp.mpf(b)))] for a, b in pairs]
    (Path(__file__).parent / "data" / "rare.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
