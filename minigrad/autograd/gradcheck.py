"""`gradcheck` and `gradgradcheck`: compare derivatives with finite differences.

For every element x_i of every input, central differences give one row of the Jacobian,
(f(x + eps e_i) - f(x - eps e_i)) / (2 eps); for every element of every output, backward gives one
column. The two matrices must agree: |numeric - analytic| <= atol + rtol * |numeric|.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _random, engine
from ..engine import wrap
from ..modes import enable_grad

ndarray = np.ndarray


class GradcheckError(RuntimeError):
    """Raised when a derivative is wrong; `.report` is the whole report."""

    def __init__(self, report: Any) -> None:
        super().__init__(str(report))
        self.report = report


@dataclass
class _Problem:
    """One function to check: the call, the tensors to vary with their names, and how they vary."""

    call: Callable[[], list[Any]]
    leaves: list[Any]
    names: list[str]
    title: str
    eps: float
    atol: float
    rtol: float


def gradcheck(func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5,
              rtol: float = 1e-3, raise_exception: bool = True, nondet_tol: float = 0.0,
              check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
              check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
              check_forward_ad: bool = False, check_backward_ad: bool = True,
              fast_mode: bool = False, masked: bool | None = None) -> bool:
    """Check the gradients of `func` against finite differences; return True if they agree.

    `func` is a function of the inputs or a `Module`. A module's parameters are checked as well, and
    its buffers, its training mode and the random generator are put back; every call draws the same
    random numbers, so a dropout mask is held. Inputs to check: float64 tensors that require grad.
    `fast_mode` compares along one random direction of each input only. Modes of forward
    differentiation, batched gradients and masked (sparse) inputs raise NotImplementedError.

    Raises GradcheckError with a report of the wrong elements (False with `raise_exception=False`).

    >>> import minigrad as torch
    >>> x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.tanh, (x,))
    True
    """
    for name, value in (("check_batched_grad", check_batched_grad),
                        ("check_batched_forward_grad", check_batched_forward_grad),
                        ("check_forward_ad", check_forward_ad), ("masked", masked)):
        if value:
            raise NotImplementedError(f"gradcheck: {name}={value} is not supported (no forward "
                                      f"differentiation, vmap or sparse tensors); leave it out")
    if not (check_backward_ad or check_forward_ad):
        raise ValueError("gradcheck: check_backward_ad=False leaves nothing to check")
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    with preserved(func, inputs):
        problem = _problem(func, inputs, eps, atol, rtol)
        try:
            _check(problem, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode)
        except GradcheckError:
            if raise_exception:
                raise
            return False
    return True


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *,
                  eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
                  gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True,
                  nondet_tol: float = 0.0, check_undefined_grad: bool = True,
                  check_grad_dtypes: bool = False, check_batched_grad: bool = False,
                  check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True,
                  fast_mode: bool = False, masked: bool = False) -> bool:
    """Check second derivatives: `gradcheck` of the function (inputs, grad_outputs) -> gradients.

    `grad_outputs` are random if not given (in every second place of a larger array with
    `gen_non_contig_grad_outputs`). For a Module the gradients of its parameters are included.
    """
    if check_fwd_over_rev or not check_rev_over_rev:
        raise NotImplementedError("gradgradcheck: only reverse-over-reverse derivatives exist; "
                                  "leave check_fwd_over_rev and check_rev_over_rev out")
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    params = [p for _, p in _parameters(func)]
    with preserved(func, inputs):
        outputs = [t for t in _tensors(func(*inputs)) if t.requires_grad]
        if grad_outputs is None:
            grad_outputs = [_random_like(t, gen_non_contig_grad_outputs) for t in outputs]
        else:
            given = grad_outputs if isinstance(grad_outputs, (tuple, list)) else [grad_outputs]
            grad_outputs = [t for t in given if t is not None]
        count = len(grad_outputs)

        def gradients(*args: Any) -> tuple[Any, ...]:
            leaves = [t for t in args[:-count] if _varies(t)] + params
            made = [t for t in _tensors(func(*args[:-count])) if t.requires_grad]
            from . import grad

            found = grad(made, leaves, list(args[-count:]), create_graph=True, allow_unused=True)
            return tuple(g for g in found if g is not None)

        gradients.__name__ = f"gradient of {_title(func)}"
        gradients.parameters = _parameters(func)  # type: ignore[attr-defined]
        return gradcheck(gradients, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol,
                         raise_exception=raise_exception, nondet_tol=nondet_tol,
                         check_undefined_grad=check_undefined_grad,
                         check_grad_dtypes=check_grad_dtypes,
                         check_batched_grad=check_batched_grad, fast_mode=fast_mode, masked=masked)


def _varies(value: Any) -> bool:
    return isinstance(value, engine.Tensor) and value.requires_grad


def _random_like(t: Any, spread: bool) -> Any:
    values = _random.normal(t._data.shape, t._data.dtype)
    if spread:
        wide = np.zeros((*values.shape, 2), values.dtype)
        wide[..., 0] = values
        values = wide[..., 0]
    return wrap(values, None).requires_grad_()


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, engine.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, (tuple, list)) or hasattr(value, "__iter__"):
        return [t for v in value for t in _tensors(v)]
    return []


def _parameters(func: Any) -> list[tuple[str, Any]]:
    """Return the named parameters of a module (or those that gradgradcheck hands over)."""
    given = getattr(func, "parameters", None)
    if isinstance(given, list):
        return given
    if hasattr(func, "named_parameters"):
        return [(name, p) for name, p in func.named_parameters() if p.requires_grad]
    return []


def _title(func: Any) -> str:
    return getattr(func, "__name__", type(func).__name__)


@contextlib.contextmanager
def preserved(func: Any, inputs: Sequence[Any]) -> Iterator[None]:
    """Put the generator, a module's buffers and modes, and the tensors' values back."""
    state = _random.default_generator.state_bytes()
    modules = list(func.modules()) if hasattr(func, "modules") else []
    modes = [(m, m.training) for m in modules]
    buffers = [(b, b._data.copy()) for b in func.buffers()] if modules else []
    try:
        yield
    finally:
        _random.default_generator.set_state_bytes(state)
        for module, mode in modes:
            module.training = mode
        for buffer, values in buffers:
            buffer._data[...] = values


def _problem(func: Any, inputs: Sequence[Any], eps: float, atol: float, rtol: float) -> _Problem:
    """Collect what to vary; wrap `func` so that each call starts from the same state."""
    leaves, names = [], []
    for k, t in enumerate(inputs):
        for j, inner in enumerate(_tensors(t)):
            if _varies(inner):
                if inner._data.dtype == np.float16 or inner._data.dtype == np.float32:
                    import warnings

                    warnings.warn(
                        f"Input #{k} requires gradient and is not a double precision floating "
                        f"point: finite differences of {inner.dtype} are too coarse to pass; "
                        f"convert with .double()", UserWarning, stacklevel=4)
                leaves.append(inner)
                names.append(f"input {k}" if isinstance(t, engine.Tensor) else f"input {k}[{j}]")
    for name, p in _parameters(func):
        leaves.append(p)
        names.append(name)
    if not leaves:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but "
                         "none of them have requires_grad=True.")
    for t, name in zip(leaves, names, strict=True):
        if t._data.size and 0 in t._data.strides and any(
                s == 0 and n > 1 for s, n in zip(t._data.strides, t._data.shape, strict=True)):
            raise RuntimeError(f"gradcheck: {name} has elements that share memory (expand): they "
                               f"cannot be varied one by one; call .contiguous() first")
    state = _random.default_generator.state_bytes()
    buffers = [(b, b._data.copy()) for b in func.buffers()] if hasattr(func, "buffers") else []

    def call() -> list[Any]:
        _random.default_generator.set_state_bytes(state)
        for buffer, values in buffers:
            buffer._data[...] = values
        with enable_grad():
            return _tensors(func(*inputs))

    return _Problem(call, leaves, names, _title(func), eps, atol, rtol)


def _values(problem: _Problem, count: int) -> list[ndarray]:
    made = problem.call()[:count]
    return [np.array(t._data, np.float64).reshape(-1) for t in made]


def _numeric(problem: _Problem, leaf: Any, count: int) -> Iterator[tuple[int, list[ndarray]]]:
    """Yield for each element of a leaf the derivatives of all outputs by it."""
    data, eps = leaf._data, problem.eps
    for i in range(data.size):
        at = np.unravel_index(i, data.shape)
        kept = data[at]
        try:
            data[at] = kept + eps
            up = _values(problem, count)
            data[at] = kept - eps
            down = _values(problem, count)
        finally:
            data[at] = kept
        yield i, [(a - b) / (2 * eps) for a, b in zip(up, down, strict=True)]


def _analytic(problem: _Problem, out_index: int, weights: ndarray) -> list[ndarray]:
    """Return the gradients of sum(output * weights) by all leaves, zeros where there is none."""
    from . import grad

    out = problem.call()[out_index]
    found: Sequence[Any] = [None] * len(problem.leaves)
    if out.requires_grad:
        cotangent = wrap(weights.reshape(out._data.shape).astype(out._data.dtype), None)
        found = grad(out, problem.leaves, cotangent, allow_unused=True)
    return [np.zeros(t._data.shape) if g is None else g._data
            for g, t in zip(found, problem.leaves, strict=True)]


def _check(problem: _Problem, nondet_tol: float, undefined: bool, dtypes: bool,
           fast: bool) -> None:
    outputs = [t for t in problem.call() if t._data.dtype.kind == "f"]
    if not outputs:
        raise ValueError(f"gradcheck: {problem.title} returned no floating point tensor")
    count = len(outputs)
    rng = np.random.default_rng(0)
    first = [np.array(t._data) for t in problem.call()[:count]]
    for k, (a, b) in enumerate(zip(first, problem.call(), strict=False)):
        if not np.allclose(a, b._data, rtol=0, atol=nondet_tol, equal_nan=True):
            raise GradcheckError(f"gradcheck FAILED  {problem.title}: output {k} differs between "
                                 f"two equal calls by up to {np.abs(a - b._data).max():.3g}; a "
                                 f"random number that no generator of minigrad makes?")
    compare = _compare_direction if fast else _compare_all
    rows = compare(problem, outputs, rng)
    if rows:
        raise GradcheckError(_report(problem, rows))
    _check_backward(problem, outputs, rng, nondet_tol, undefined, dtypes)


def _check_backward(problem: _Problem, outputs: list[Any], rng: Any, nondet_tol: float,
                    undefined: bool, dtypes: bool) -> None:
    """Check that backward repeats itself, keeps dtypes, and takes absent gradients as zeros."""
    from . import grad

    weights = [rng.standard_normal(t._data.shape) for t in outputs]
    once = _analytic(problem, 0, weights[0])
    again = _analytic(problem, 0, weights[0])
    for name, a, b, leaf in zip(problem.names, once, again, problem.leaves, strict=True):
        if not np.allclose(a, b, rtol=0, atol=nondet_tol, equal_nan=True):
            raise GradcheckError(f"gradcheck FAILED  {problem.title}: Backward is not reentrant: "
                                 f"two equal backward passes give gradients of {name} that differ "
                                 f"by up to {np.abs(a - b).max():.3g}")
        if dtypes and a.dtype != leaf._data.dtype and np.any(a):
            raise GradcheckError(f"gradcheck FAILED  {problem.title}: the gradient of {name} is "
                                 f"{a.dtype}, the input is {leaf._data.dtype}")
    if undefined and len(outputs) > 1:
        made = problem.call()[:len(outputs)]
        recorded = [k for k, t in enumerate(made) if t.requires_grad]
        if 0 not in recorded:
            return
        zeros = [np.zeros_like(t._data) if k else weights[0] for k, t in enumerate(made)]
        full = grad([made[k] for k in recorded], problem.leaves,
                    [wrap(zeros[k].astype(made[k]._data.dtype), None) for k in recorded],
                    allow_unused=True)
        for name, g, a in zip(problem.names, full, once, strict=True):
            if not np.allclose(0 if g is None else g._data, a, equal_nan=True):
                raise GradcheckError(f"gradcheck FAILED  {problem.title}: the gradient of {name} "
                                     f"depends on whether unused outputs get zeros or nothing "
                                     f"(undefined gradients)")


Row = tuple[str, str, tuple[int, ...], float, float]


def _wrong(analytic: ndarray, numeric: ndarray, problem: _Problem) -> ndarray:
    return ~np.isclose(analytic, numeric, rtol=problem.rtol, atol=problem.atol, equal_nan=True)


def _compare_all(problem: _Problem, outputs: list[Any], rng: Any) -> list[Row]:
    """Compare the whole Jacobians; return one row per wrong element."""
    rows: list[Row] = []
    analytic = [[_analytic(problem, k, one) for one in np.eye(max(t._data.size, 0))]
                for k, t in enumerate(outputs)]
    for j, leaf in enumerate(problem.leaves):
        for i, numeric in _numeric(problem, leaf, len(outputs)):
            at = tuple(int(a) for a in np.unravel_index(i, leaf._data.shape))
            for k, out in enumerate(outputs):
                exact = np.array([grads[j][at] for grads in analytic[k]], np.float64)
                for m in np.nonzero(_wrong(exact, numeric[k], problem))[0]:
                    place = tuple(int(a) for a in np.unravel_index(m, out._data.shape))
                    rows.append((f"{problem.names[j]} {list(at)}", f"output {k} {list(place)}", at,
                                 float(exact[m]), float(numeric[k][m])))
    return rows


def _compare_direction(problem: _Problem, outputs: list[Any], rng: Any) -> list[Row]:
    """Compare u . J . v for one random u per output and v per input (fast_mode)."""
    rows: list[Row] = []
    weights = [rng.standard_normal(t._data.size) for t in outputs]
    analytic = [_analytic(problem, k, w) for k, w in enumerate(weights)]
    for j, leaf in enumerate(problem.leaves):
        way = rng.standard_normal(leaf._data.shape)
        way /= max(float(np.linalg.norm(way)), 1e-30)
        kept = leaf._data.copy()
        try:
            leaf._data[...] = kept + problem.eps * way
            up = _values(problem, len(outputs))
            leaf._data[...] = kept - problem.eps * way
            down = _values(problem, len(outputs))
        finally:
            leaf._data[...] = kept
        for k, w in enumerate(weights):
            numeric = float(w @ (up[k] - down[k])) / (2 * problem.eps)
            exact = float((analytic[k][j] * way).sum())
            if _wrong(np.array(exact), np.array(numeric), problem):
                rows.append((f"{problem.names[j]} (random direction)", f"output {k} (weighted)", (),
                             exact, numeric))
    return rows


def _report(problem: _Problem, rows: list[Row]) -> str:
    """Lay the wrong elements out as a table, the largest errors first."""
    rows = sorted(rows, key=lambda r: -abs(np.nan_to_num(r[3] - r[4], nan=np.inf)))
    lines = [f"gradcheck FAILED  {problem.title}   ({len(rows)} wrong derivatives; eps "
             f"{problem.eps:g}, atol {problem.atol:g}, rtol {problem.rtol:g})",
             f" {'derivative of':<22} {'by':<28} {'analytic':>13} {'numeric':>13} {'ratio':>9}"]
    for by, of, _, exact, numeric in rows[:10]:
        ratio = f"{exact / numeric:.4g}" if numeric else "-"
        lines.append(f" {of:<22} {by:<28} {exact:>13.6g} {numeric:>13.6g} {ratio:>9}")
    if len(rows) > 10:
        lines.append(f" ... and {len(rows) - 10} more")
    checked = ", ".join(f"{n} ({t._data.size})" for n, t in zip(problem.names, problem.leaves,
                                                                  strict=True))
    lines.append(f" checked: {checked}")
    return "\n".join(lines)
