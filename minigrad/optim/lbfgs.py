"""L-BFGS, a quasi-Newton method with a short memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from ..engine import wrap
from ..modes import enable_grad
from ..tensor import Tensor
from ..views import wrote
from ._line_search import strong_wolfe
from .optimizer import Optimizer, check_lr, number

ndarray = np.ndarray


class LBFGS(Optimizer):
    """Step along -H g, with H an inverse Hessian built from the last changes of p and g.

    For functions without noise and few parameters: every step calls the closure up to `max_eval`
    times. Nocedal, "Updating quasi-Newton matrices with limited storage", 1980; line search:
    Nocedal & Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6.
    Args: params: one group only (ValueError); lr 1; max_iter 20: iterations of one `step`;
    max_eval: calls of the closure, default max_iter * 5 // 4; tolerance_grad 1e-7, of the largest
    element; tolerance_change 1e-9, of the step and of the loss; history_size 100;
    line_search_fn: None: steps of length lr, or 'strong_wolfe' (RuntimeError for others).

    >>> import minigrad as torch
    >>> p = torch.nn.Parameter(torch.tensor([3., -2.]))
    >>> opt = torch.optim.LBFGS([p], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     opt.zero_grad()
    ...     loss = ((p - 1) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> opt.step(closure)
    tensor(13., grad_fn=<SumBackward0>)
    >>> torch.allclose(p, torch.ones(2))
    True
    """

    def __init__(self, params: Iterable[Any], lr: float | Tensor = 1, max_iter: int = 20,
                 max_eval: int | None = None, tolerance_grad: float = 1e-7,
                 tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None) -> None:
        check_lr(lr)
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn})
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params: list[Tensor] = self.param_groups[0]["params"]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._params = self.param_groups[0]["params"]

    # ---- the parameters as one vector
    def _flat_grad(self) -> ndarray:
        parts = [np.zeros(p._data.size, p._data.dtype) if p.grad is None else p.grad._data.ravel()
                 for p in self._params]
        return np.concatenate(parts)

    def _move(self, t: float, d: ndarray) -> None:
        """Add t * d to the parameters."""
        start = 0
        for param in self._params:
            count = param._data.size
            param._data[...] += t * d[start:start + count].reshape(param._data.shape)
            wrote(param, "LBFGS.step")
            start += count

    def _evaluate(self, closure: Callable[[], Any], d: ndarray,
                  t: float) -> tuple[float, ndarray]:
        """Return the loss and the gradient at t * d from here; stay here."""
        before = [param._data.copy() for param in self._params]
        self._move(t, d)
        loss = float(closure())
        grad = self._flat_grad()
        for param, old in zip(self._params, before, strict=True):
            param._data[...] = old
            wrote(param, "LBFGS.step")
        return loss, grad

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Run up to `max_iter` iterations; return the loss before the first one.

        Args: closure: clears the gradients, computes the loss and its gradients, returns the loss.
        """
        evaluate = enable_grad()(closure)
        group = self.param_groups[0]
        lr, most, small = number(group["lr"]), group["max_eval"], group["tolerance_change"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first = evaluate()
        loss, evals = float(first), 1
        state["func_evals"] += 1
        grad = self._flat_grad()
        if _largest(grad) <= group["tolerance_grad"]:
            return first
        memory = _Memory(state, group["history_size"])
        for count in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            start = state["n_iter"] == 1
            d = memory.direction(grad)
            before = loss
            memory.t = min(1.0, 1.0 / float(np.abs(grad).sum())) * lr if start else lr
            slope = float(grad @ d)
            if slope > -small:
                break
            used = 0
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                loss, grad, memory.t, used = strong_wolfe(
                    partial(self._evaluate, evaluate, d), memory.t, d, loss, grad, slope,
                    most - evals)
                self._move(memory.t, d)
            else:
                self._move(memory.t, d)
                if count != group["max_iter"]:  # the next step evaluates at this point anyway
                    loss, grad, used = float(evaluate()), self._flat_grad(), 1
            evals += used
            state["func_evals"] += used
            if (evals >= most or _largest(grad) <= group["tolerance_grad"]
                    or _largest(d * memory.t) <= small or abs(loss - before) < small):
                break
        memory.save(state, before)
        return first


def _largest(x: ndarray) -> float:
    return float(np.abs(x).max(initial=0.0))


class _Memory:
    """The last changes of gradient (y) and parameters (s), from which H is built.

    The names in the optimizer's state are PyTorch's: old_dirs holds y, old_stps s, ro 1 / (y s).
    """

    def __init__(self, state: dict[str, Any], size: int) -> None:
        self.size = size
        self.ys = [t._data for t in state.get("old_dirs") or ()]
        self.ss = [t._data for t in state.get("old_stps") or ()]
        self.ro = [float(r) for r in state.get("ro") or ()]
        self.scale = float(state.get("H_diag", 1))
        self.t = float(state.get("t", 0))
        empty = np.empty(0)
        self.d: ndarray = state["d"]._data if "d" in state else empty
        self.grad: ndarray = state["prev_flat_grad"]._data if "d" in state else empty
        self.al = state.get("al")

    def direction(self, grad: ndarray) -> ndarray:
        """Return -H g by the two-loop recursion, after noting the change since the last call."""
        if not self.grad.size:
            d = -grad
        else:
            y, s = grad - self.grad, self.d * self.t
            ys = float(y @ s)
            if ys > 1e-10:  # else H would not stay positive definite
                if len(self.ys) == self.size:
                    for row in (self.ys, self.ss, self.ro):
                        row.pop(0)
                self.ys.append(y)
                self.ss.append(s)
                self.ro.append(1.0 / ys)
                self.scale = ys / float(y @ y)
            if self.al is None:
                self.al = [None] * self.size
            d = -grad
            for i in reversed(range(len(self.ys))):
                self.al[i] = float(self.ss[i] @ d) * self.ro[i]
                d -= self.al[i] * self.ys[i]
            d *= self.scale
            for i in range(len(self.ys)):
                d += (self.al[i] - float(self.ys[i] @ d) * self.ro[i]) * self.ss[i]
        self.grad, self.d = grad.copy(), d
        return d

    def save(self, state: dict[str, Any], loss: float) -> None:
        """Put everything into the optimizer's state."""
        if self.al is not None:
            state["al"] = self.al
        state.update(d=wrap(self.d, None), t=self.t, old_dirs=[wrap(y, None) for y in self.ys],
                     old_stps=[wrap(s, None) for s in self.ss], ro=self.ro, H_diag=self.scale,
                     prev_flat_grad=wrap(self.grad, None), prev_loss=loss)
