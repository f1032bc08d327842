"""The special functions against mpmath's values (tests/record_rare.py), in float64 and float32."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import minigrad as torch

POINTS = json.loads((Path(__file__).parent.parent / "data" / "rare.json").read_text())
# Where a function crosses zero only the error relative to its size nearby is small.
OSCILLATING = {"bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "spherical_bessel_j0", "airy_ai",
               "lgamma", "digamma"}


def function(name):
    return getattr(torch.special, {"lgamma": "gammaln"}.get(name, name))


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 5e-14), ("float32", 3e-7)])
def test_values(name, dtype, tolerance):
    columns = [np.array(column) for column in zip(*POINTS[name], strict=True)]
    with np.errstate(over="ignore"):
        *arguments, want = (column.astype(dtype) for column in columns)
    # rounding an argument to float32 moves the value: compare where it is exact
    exact = np.all([a == c for a, c in zip(arguments, columns, strict=False)], axis=0)
    arguments, want = [a[exact] for a in arguments], want[exact]
    got = function(name)(*map(torch.from_numpy, arguments)).numpy()
    assert got.dtype == want.dtype
    size = np.abs(want)
    if name in OSCILLATING:
        size = np.maximum(size, np.minimum(1.0, 0.5 / np.sqrt(np.abs(arguments[0]) + 1e-300)))
    if len(arguments) == 2 or name == "log_ndtr":  # the relative error grows with the exponent
        tolerance *= 10
    with np.errstate(invalid="ignore"):
        wrong = ~((got == want) | (np.abs(got - want) <= tolerance * size))
    assert not wrong.any(), (arguments[0][wrong], got[wrong], want[wrong])


@pytest.mark.parametrize("name", [n for n in POINTS if n not in ("zeta", "gammainc", "gammaincc")])
def test_nan_stays_nan(name):
    assert torch.isnan(function(name)(torch.tensor([torch.nan]))).all()


def test_ends_of_the_line():
    inf = torch.tensor([torch.inf, -torch.inf], dtype=torch.float64)
    special = torch.special
    assert special.bessel_j0(inf).tolist() == special.i0e(inf).tolist() == [0.0, 0.0]
    assert special.scaled_modified_bessel_k0(inf)[0] == special.bessel_y1(inf)[0] == 0
    assert special.erfcx(inf).tolist() == [0.0, torch.inf]
    assert special.log_ndtr(inf).tolist() == [0.0, -torch.inf]
    assert special.gammaln(inf).tolist() == [torch.inf, torch.inf]
    assert special.ndtri(torch.tensor([0.0, 1.0])).tolist() == [-torch.inf, torch.inf]
    assert torch.isnan(special.ndtri(torch.tensor([-0.1, 1.1]))).all()
    assert special.zeta(torch.tensor(1.0), 2).item() == torch.inf
    assert special.gammainc(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0])).tolist() == [1, 0]


@pytest.mark.parametrize(("call", "error"), [
    (lambda x: torch.polygamma(-1, x), NotImplementedError),
    (lambda x: torch.mvlgamma(x, 0), RuntimeError),
    (lambda x: torch.special.legendre_polynomial_p(x, 1e9), RuntimeError),
    (lambda x: torch.igamma(x.requires_grad_(), x.detach()).sum().backward(), NotImplementedError),
])
def test_errors(call, error):
    with pytest.raises(error, match=r"[a-z]"):
        call(torch.ones(2))


def test_degrees_below_zero_and_by_element():
    x = torch.tensor([0.5, 0.5, 0.5])
    n = torch.tensor([-1, 0, 2])
    assert torch.special.hermite_polynomial_h(x, n).tolist() == [0.0, 1.0, -1.0]
