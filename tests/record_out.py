"""Record how PyTorch treats `out=` of another shape or dtype, or in other memory, by function.

Run with PyTorch installed: python tests/record_out.py. What is recorded for each function is one
word per situation: "ok", "warned" (resized with a warning) or the class of the exception.
"""

from __future__ import annotations

import json
import operator
import warnings
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "data" / "out.json"
SITUATIONS = ["wide", "narrow", "shape", "empty", "expanded", "itself", "overlapping"]

# name -> arguments besides the first tensor t, a float32 matrix of 4 x 4
UNARY = """
abs acos asin atan ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac lgamma
log log10 log1p log2 logit neg nan_to_num rad2deg reciprocal round rsqrt sgn sigmoid sign sin sinc
sinh sqrt square tan tanh trunc i0 special.entr special.i1 special.erfcx nn.functional.hardshrink
nn.functional.softshrink nn.functional.gelu nn.functional.softplus isposinf signbit logical_not
tril triu amax amin argmax argmin all any cholesky_inverse inverse linalg.svdvals linalg.eigvalsh
linalg.pinv linalg.det linalg.inv linalg.vector_norm linalg.matrix_norm mean msort nonzero diag
bernoulli linalg.cond linalg.matrix_rank conj_physical angle
"""
BINARY = """
add sub mul div pow atan2 fmod remainder floor_divide maximum minimum fmax fmin hypot copysign
nextafter xlogy logaddexp eq lt ge logical_and heaviside mm matmul kron linalg.solve inner
linalg.vecdot
"""
OTHERS: dict[str, Any] = {
    "sum": lambda f, t, o: f(t, 0, out=o), "prod": lambda f, t, o: f(t, 0, out=o),
    "cumsum": lambda f, t, o: f(t, 0, out=o), "logcumsumexp": lambda f, t, o: f(t, 0, out=o),
    "logsumexp": lambda f, t, o: f(t, 0, out=o), "softmax": lambda f, t, o: f(t, 0, out=o),
    "clamp": lambda f, t, o: f(t, 0, 1, out=o), "cat": lambda f, t, o: f([t, t], out=o),
    "stack": lambda f, t, o: f([t, t], out=o), "vstack": lambda f, t, o: f([t, t], out=o),
    "index_select": lambda f, t, o: f(t, 0, index(f), out=o),
    "gather": lambda f, t, o: f(t, 0, index(f).repeat(4, 1)[:, :4], out=o),
    "take": lambda f, t, o: f(t, index(f), out=o), "norm": lambda f, t, o: f(t, 2, 0, out=o),
    "masked_select": lambda f, t, o: f(t, t > -9, out=o), "var": lambda f, t, o: f(t, 0, out=o),
    "addmm": lambda f, t, o: f(t, t, t, out=o), "lerp": lambda f, t, o: f(t, t, 0.5, out=o),
    "outer": lambda f, t, o: f(t[0], t[1], out=o), "cross": lambda f, t, o: f(
        t[:3], t[1:], dim=0, out=o), "multinomial": lambda f, t, o: f(t, 2, out=o),
    "where": lambda f, t, o: f(t > 1, t, t, out=o), "renorm": lambda f, t, o: f(t, 2, 0, 1, out=o),
    "scatter": lambda f, t, o: f(t, 0, index(f).repeat(4, 1)[:, :4], t, out=o),
    "quantile": lambda f, t, o: f(t, 0.5, 0, out=o), "dot": lambda f, t, o: f(t[0], t[1], out=o),
    "tensordot": lambda f, t, o: f(t, t, 1, out=o),
    "bmm": lambda f, t, o: f(t[None], t[None], out=o),
    "linalg.cholesky": lambda f, t, o: f(t @ t.mT + 9 * t.new_ones(4).diag(), out=o),
    "cholesky": lambda f, t, o: f(t @ t.mT + 9 * t.new_ones(4).diag(), out=o),
    "bucketize": lambda f, t, o: f(t, t[0].sort()[0], out=o),
    "histc": lambda f, t, o: f(t, 3, out=o),
    "linalg.solve_triangular": lambda f, t, o: f(t, t, upper=True, out=o),
    "linalg.multi_dot": lambda f, t, o: f([t, t], out=o), "mv": lambda f, t, o: f(t, t[0], out=o),
}
CALLS = {**{name: lambda f, t, o: f(t, out=o) for name in UNARY.split()},
         **{name: lambda f, t, o: f(t, t + 1, out=o) for name in BINARY.split()}, **OTHERS}
torch: Any = None  # the namespace under test


def index(_: Any) -> Any:
    return torch.tensor([0, 2, 1])


def outcome(name: str, situation: str) -> str:
    """Return what a call with this kind of `out` does."""
    function = operator.attrgetter(name)(torch)
    t = (torch.arange(16.).view(4, 4) * 5 % 7 + 1) / 8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = CALLS[name](function, t, None)
    memory = torch.zeros(4 + t.numel() + result.numel())
    if situation in ("itself", "overlapping"):
        if result.dtype != t.dtype or (situation == "itself" and result.shape != t.shape):
            return "skipped"
        begin = int(situation == "overlapping")
        out = memory[begin:begin + result.numel()].view(result.shape)
        t = memory[:16].view(4, 4).copy_(t)
    else:
        floating = result.dtype.is_floating_point
        dtype = {"wide": torch.float64, "narrow": torch.int32 if floating else torch.bool}.get(
            situation, result.dtype)
        shape = {"shape": (*result.shape, 2), "empty": (0,)}.get(situation, result.shape)
        out = torch.zeros(shape, dtype=dtype)
        if situation == "expanded":
            out = torch.zeros((), dtype=dtype).expand(result.shape)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            CALLS[name](function, t, out)
        except (RuntimeError, TypeError, NotImplementedError, ValueError) as error:
            return type(error).__name__
    if not torch.equal(out.to(result.dtype), result) and name not in ("bernoulli", "multinomial"):
        return "wrong"
    return "warned" if any("was resized" in str(w.message) for w in caught) else "ok"


def table() -> dict[str, dict[str, str]]:
    return {name: {each: outcome(name, each) for each in SITUATIONS} for name in CALLS}


def main() -> None:
    global torch
    import torch as namespace

    torch = namespace
    PATH.write_text(json.dumps(table(), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
