"""`gradcheck` and `gradgradcheck`: PyTorch's checks, with PyTorch's tolerances.

`testing.check_gradients` needs no tolerances; it also explains what is found to be wrong here.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _random, engine
from .._check import function
from ..engine import wrap
from ..modes import enable_grad

if TYPE_CHECKING:
    from ._jacobians import Problem, Row

ndarray = np.ndarray


class GradcheckError(RuntimeError):
    """Raised when a derivative is wrong; `.report` is the whole report."""

    def __init__(self, report: Any) -> None:
        super().__init__(str(report))
        self.report = report


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
    An analytic value between the one-sided derivatives at a kink is right. `fast_mode` compares
    along one random direction of each input first. Modes of forward differentiation, batched
    gradients and masked (sparse) inputs raise NotImplementedError.

    Raises GradcheckError; its `.report` is that of `testing.check_gradients`, with the likely bug
    (False with `raise_exception=False`).

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
    from ._jacobians import wrong_entries  # a millisecond of the import that only checks need

    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    with preserved(func, inputs):
        problem = _problem(func, inputs, eps, atol, rtol)
        rows = wrong_entries(problem, nondet_tol, check_undefined_grad, check_grad_dtypes,
                             fast_mode)
    if rows and raise_exception:
        raise GradcheckError(_report(func, inputs, problem, rows, sys._getframe(1)))
    return not rows


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
    function(func, "gradgradcheck")
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


def _problem(func: Any, inputs: Sequence[Any], eps: float, atol: float, rtol: float) -> Problem:
    """Collect what to vary; wrap `func` so that each call starts from the same state."""
    from ._jacobians import Problem

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

    return Problem(call, leaves, names, _title(func), eps, atol, rtol)


def _report(func: Any, inputs: Sequence[Any], problem: Problem, rows: list[Row],
            frame: FrameType) -> Any:
    """Return the report of `check_gradients`, or one of the rows if that one finds nothing."""
    from ..testing import Failure, GradcheckReport, check_gradients
    from ..testing.reproduce import gradcheck_line

    title = problem.title
    if rows[0].kind == "mismatch":
        with contextlib.suppress(Exception):
            report = check_gradients(func, *inputs)
            report.title = title
            if not report.ok:
                report.reproduce = gradcheck_line(frame, report.reproduce)
                return report
    report = GradcheckReport(title)
    report.failures = [Failure(r.name, r.index, r.output, r.analytic, r.numeric, r.kind,
                               r.text or "outside of eps, atol, rtol") for r in rows[:10]]
    if len(rows) > 10:
        report.notes.append(f"and {len(rows) - 10} more wrong derivatives")
    if rows[0].kind == "mismatch":
        report.notes.append(f"eps {problem.eps:g}, atol {problem.atol:g}, rtol {problem.rtol:g}")
    report.checked = {name: leaf._data.size
                      for name, leaf in zip(problem.names, problem.leaves, strict=True)}
    return report
