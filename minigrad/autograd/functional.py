"""Products with Jacobians and Hessians of functions of tensors, and the matrices themselves.

All take `func`, its inputs (a tensor or a tuple of them) and return tensors in the structure of
func's outputs and inputs. `create_graph` makes the results differentiable; `strict` raises
RuntimeError where an output does not depend on an input, instead of returning zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import engine
from .._check import function
from ..backprop import grad
from ..engine import wrap
from ..modes import enable_grad
from ..ops import join, shape

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Any, ...]


# ----------------------------------------------------------------------------- checks, structure
def _tuple(value: Any, what: str, name: str) -> tuple[Tensors, bool]:
    """Return a tensor or tuple of tensors as a tuple, and whether it was one."""
    several = isinstance(value, tuple)
    items = value if several else (value,)
    for k, item in enumerate(items):
        if not isinstance(item, engine.Tensor):
            where = f"the value at index {k} of the tuple" if several else "the given value"
            raise TypeError(f"The {what} given to {name} must be either a Tensor or a tuple of "
                            f"Tensors, but {where} has type {type(item)}.")
    return items, several


def _outputs(func: Any, inputs: Any, name: str) -> tuple[Tensors, bool]:
    function(func, name)
    return _tuple(func(*inputs), "outputs of the user-provided function", name)


def _begun(inputs: Tensors, create: bool) -> Tensors:
    """Return inputs to differentiate at: apart from the caller's, or (create) tied to them."""
    return tuple(shape.view(t, t._data.shape) if create and t.requires_grad
                 else t.detach().requires_grad_() for t in inputs)


def _finished(results: Any, create: bool) -> Any:
    if create:
        return results
    if isinstance(results, tuple):
        return tuple(_finished(t, False) for t in results)
    return results.detach()


def _vectors(v: Any, others: Tensors, several: bool, name: str) -> Tensors:
    """Check the vectors of a product against what they multiply."""
    items, _ = _tuple(v, "v", name)
    if len(items) != len(others):
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(others)} but got "
                           f"{len(items)}.")
    for k, (a, b) in enumerate(zip(items, others, strict=True)):
        if a._data.shape != b._data.shape:
            where = f"Entry {k} in v" if several else "v"
            raise RuntimeError(f"{where} has invalid size: should be {b.shape} but got {a.shape}.")
    return items


def _require(outputs: Tensors, what: str) -> None:
    """Under strict: every tensor must require grad."""
    for k, out in enumerate(outputs):
        if not out.requires_grad:
            raise RuntimeError(f"{what.format(k)}")


_NO_GRAD = ("Output {} of the user-provided function does not require gradients. The outputs must "
            "be computed in a differentiable manner from the input when running in strict mode.")
_JACOBIAN_CONSTANT = ("The jacobian of the user-provided function is independent of input {}. This "
                      "is not allowed in strict mode when create_graph=True.")


def _grads(outputs: Tensors, inputs: Tensors, weights: Any, create: bool = False, *,
           keep: bool = False) -> Tensors:
    """Return the gradients; None where there is none, also if no output requires grad."""
    found = [(out, w) for out, w in zip(outputs, weights or (None,) * len(outputs), strict=True)
             if out.requires_grad]
    if not found:
        return (None,) * len(inputs)
    return grad([out for out, _ in found], inputs, [w for _, w in found], create_graph=create,
                retain_graph=keep or create, allow_unused=True)


def _filled(grads: Tensors, inputs: Tensors, strict: bool, create: bool, what: str) -> Tensors:
    """Put zeros in the place of missing gradients, or raise under strict."""
    filled = []
    for k, (g, t) in enumerate(zip(grads, inputs, strict=True)):
        if strict and g is None:
            raise RuntimeError(what.format(k))
        if strict and create and not g.requires_grad:
            raise RuntimeError(_JACOBIAN_CONSTANT.format(k))
        filled.append(wrap(np.zeros_like(t._data), None) if g is None else g)
    return tuple(filled)


def _single(out: Tensors, several: bool, name: str) -> None:
    """Check that a function returned one tensor of one element."""
    if several:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if out[0]._data.size != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a "
                           f"single element")


def _as(several: bool, results: Tensors) -> Any:
    return results if several else results[0]


# ----------------------------------------------------------------------------------------- products
def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:
    """Return func(*inputs) and v times its Jacobian; v may be left out for a single number.

    >>> import minigrad as torch
    >>> torch.autograd.functional.vjp(torch.square, torch.tensor([1., 2.]), torch.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        given, several = _tuple(inputs, "inputs", "vjp")
        given = _begun(given, create_graph)
        outs, many = _outputs(func, given, "vjp")
        if strict:
            _require(outs, _NO_GRAD)
        weights = None
        if v is not None:
            weights = _vectors(v, outs, many, "vjp")
        elif len(outs) != 1 or outs[0]._data.size != 1:
            raise RuntimeError("The vector v can only be None if the user-provided function "
                               "returns a single Tensor with a single element.")
        products = _filled(_grads(outs, given, weights, create_graph), given, strict, create_graph,
                           "The output of the user-provided function is independent of input {}. "
                           "This is not allowed in strict mode.")
    return _finished(_as(many, outs), create_graph), _finished(_as(several, products), create_graph)


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:
    """Return func(*inputs) and its Jacobian times v; v may be left out for one input number.

    The tape is swept twice: backward is linear in the gradient it starts from, and its own
    derivative is the product wanted here. `func.jvp` does the same.

    >>> import minigrad as torch
    >>> torch.autograd.functional.jvp(torch.square, torch.tensor([1., 2.]), torch.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        given, several = _tuple(inputs, "inputs", "jvp")
        given = _begun(given, create_graph)
        if v is not None:
            vectors: Any = _vectors(v, given, several, "jvp")
        elif len(given) != 1 or given[0]._data.size != 1:
            raise RuntimeError("The vector v can only be None if the input to the user-provided "
                               "function is a single Tensor with a single element.")
        else:
            vectors = (wrap(np.ones_like(given[0]._data), None),)
        outs, many = _outputs(func, given, "jvp")
        if strict:
            _require(outs, _NO_GRAD)
        dummies = tuple(wrap(np.zeros_like(t._data), None).requires_grad_() for t in outs)
        inner = _grads(outs, given, dummies, True)
        inner = _filled(inner, given, strict, False,
                        "The output of the user-provided function is independent of input {}. "
                        "This is not allowed in strict mode.")
        products = _filled(_grads(inner, dummies, vectors, create_graph), outs, strict,
                           create_graph,
                           "Output {} of the user-provided function is independent of the input. "
                           "This is not allowed in strict mode.")
    return _finished(_as(many, outs), create_graph), _finished(_as(many, products), create_graph)


def _hessian_vectors(v: Any, given: Tensors, several: bool, name: str) -> Tensors:
    if v is not None:
        return _vectors(v, given, several, name)
    if len(given) != 1 or given[0]._data.size != 1:
        raise RuntimeError("The vector v can only be None if the input to the user-provided "
                           "function is a single Tensor with a single element.")
    return (wrap(np.ones_like(given[0]._data), None),)


def _value_and_slope(func: Any, inputs: Any, v: Any, create: bool, strict: bool, name: str) -> Any:
    """Return what `hvp` and `vhp` begin with: inputs, vectors, the value and its gradient."""
    given, several = _tuple(inputs, "inputs", name)
    given = _begun(given, create)
    vectors = _hessian_vectors(v, given, several, name)
    outs, many = _outputs(func, given, name)
    if strict:
        _require(outs, _NO_GRAD)
    _single(outs, many, name)
    slope = _filled(_grads(outs, given, None, True), given, strict, False,
                    "The output of the user-provided function is independent of input {}. This is "
                    "not allowed in strict mode.")
    if strict:
        _require(slope, _JACOBIAN_CONSTANT.split(" This")[0])
    return given, several, vectors, outs[0], slope


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:
    """Return func(*inputs), one number, and its Hessian times v, by sweeping backward twice.

    >>> import minigrad as torch
    >>> x = torch.tensor([1., 2.])
    >>> torch.autograd.functional.hvp(lambda x: (x ** 3).sum(), x, torch.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        given, several, vectors, out, slope = _value_and_slope(func, inputs, v, create_graph,
                                                               strict, "hvp")
        dummies = tuple(wrap(np.zeros_like(t._data), None).requires_grad_() for t in given)
        inner = _filled(_grads(slope, given, dummies, True), given, strict, False,
                        "The hessian of the user-provided function is independent of input {}. "
                        "This is not allowed in strict mode.")
        products = _filled(_grads(inner, dummies, vectors, create_graph), given, strict,
                           create_graph, "The hessian of the user-provided function is independent "
                           "of input {}. This is not allowed in strict mode.")
    return _finished(out, create_graph), _finished(_as(several, products), create_graph)


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:
    """Return func(*inputs), one number, and v times its Hessian: cheaper than the equal `hvp`.

    >>> import minigrad as torch
    >>> x = torch.tensor([1., 2.])
    >>> torch.autograd.functional.vhp(lambda x: (x ** 3).sum(), x, torch.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        given, several, vectors, out, slope = _value_and_slope(func, inputs, v, create_graph,
                                                               strict, "vhp")
        products = _filled(_grads(slope, given, vectors, create_graph), given, strict,
                           create_graph, "The hessian of the user-provided function is independent "
                           "of input {}. This is not allowed in strict mode.")
    return _finished(out, create_graph), _finished(_as(several, products), create_graph)


# ----------------------------------------------------------------------------------------- matrices
def _check_strategy(name: str, strategy: str, create: bool, strict: bool, vectorize: bool) -> bool:
    """Check the combination of options; return True for forward mode."""
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(f'Expected strategy to be either "forward-mode" or "reverse-mode", '
                             f'not {strategy!r}')
    if strict and vectorize:
        raise RuntimeError(f"torch.autograd.functional.{name}: `strict=True` and `vectorized=True` "
                           f"are not supported together: either set strict=False or "
                           f"vectorize=False")
    if strategy == "forward-mode" and create:
        raise NotImplementedError(f"torch.autograd.functional.{name}: `create_graph=True` and "
                                  f"`strategy=\"forward-mode\"` are not supported together (yet)")
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError("Computing Jacobian using forward-AD or forward-over-reverse "
                                  "Hessian is only implemented for `vectorize=True`.")
    return strategy == "forward-mode"


def jacobian(func: Callable[..., Any], inputs: Any, create_graph: bool = False,
             strict: bool = False, vectorize: bool = False, strategy: str = "reverse-mode") -> Any:
    """Return the Jacobian of `func`: a tensor of shape output.shape + input.shape.

    For tuples it is a tuple over outputs of tuples over inputs. Args: vectorize: compute all rows
    at once (by vmap); strategy: "reverse-mode" or, with vectorize, "forward-mode", which computes
    columns by sweeping the tape twice.

    >>> import minigrad as torch
    >>> torch.autograd.functional.jacobian(torch.square, torch.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    forward = _check_strategy("jacobian", strategy, create_graph, strict, vectorize)
    with enable_grad():
        items, several = _tuple(inputs, "inputs", "jacobian")
        given = _begun(items, create_graph)
        if forward:
            made, many = _by_columns(func, items)
        else:
            outs, many = _outputs(func, given, "jacobian")
            if strict:
                _require(outs, _NO_GRAD)
            rows = _at_once if vectorize else _row_by_row
            made = tuple(rows(out, given, create_graph, strict, k) for k, out in enumerate(outs))
    return _finished(_as(many, tuple(_as(several, row) for row in made)), create_graph)


def _row_by_row(out: Any, given: Tensors, create: bool, strict: bool, at: int) -> Tensors:
    """Return the Jacobian of one output by each input, one sweep per element."""
    columns: list[list[Any]] = [[] for _ in given]
    flat = shape.reshape(out, (-1,))
    for j in range(flat._data.size):
        grads = _grads((flat[j],), given, None, create, keep=True)
        for k, (g, t) in enumerate(zip(grads, given, strict=True)):
            if strict and g is None:
                raise RuntimeError(f"Output {at} of the user-provided function is independent of "
                                   f"input {k}. This is not allowed in strict mode.")
            if strict and create and not g.requires_grad:
                raise RuntimeError(_JACOBIAN_CONSTANT.format(k))
            columns[k].append(wrap(np.zeros_like(t._data), None) if g is None else g)
    return tuple(shape.reshape(join.stack(rows, 0) if rows else
                               wrap(np.zeros((0, *t._data.shape), t._data.dtype), None),
                               (*out._data.shape, *t._data.shape))
                 for rows, t in zip(columns, given, strict=True))


def _at_once(out: Any, given: Tensors, create: bool, strict: bool, at: int) -> Tensors:
    """The same by one sweep over a batch of rows."""
    sizes = [(*out._data.shape, *t._data.shape) for t in given]
    if not out.requires_grad or not out._data.size:
        return tuple(wrap(np.zeros(size, t._data.dtype), None)
                     for size, t in zip(sizes, given, strict=True))
    eye = np.eye(out._data.size, dtype=out._data.dtype).reshape(-1, *out._data.shape)
    rows = grad(out, given, wrap(eye, None), create_graph=create, retain_graph=True,
                allow_unused=True, is_grads_batched=True)
    return tuple(wrap(np.zeros(size, t._data.dtype), None) if r is None else shape.reshape(r, size)
                 for r, size, t in zip(rows, sizes, given, strict=True))


def _by_columns(func: Any, given: Tensors) -> tuple[Tensors, bool]:
    """Return the Jacobian in forward mode."""
    from ..func import jacfwd

    seen: list[bool] = []

    def checked(*args: Any) -> Any:
        outs, many = _outputs(func, args, "jacobian")
        seen.append(many)
        return outs

    made = jacfwd(checked, argnums=tuple(range(len(given))))(*(t.detach() for t in given))
    return made, seen[0]


def hessian(func: Callable[..., Any], inputs: Any, create_graph: bool = False,
            strict: bool = False, vectorize: bool = False,
            outer_jacobian_strategy: str = "reverse-mode") -> Any:
    """Return the Hessian of `func`, which returns one number: the Jacobian of its gradient.

    For a tuple of inputs it is a tuple of tuples: the block [i][j] belongs to inputs i and j.
    Options as for `jacobian`; outer_jacobian_strategy is how the gradient is differentiated.

    >>> import minigrad as torch
    >>> torch.autograd.functional.hessian(lambda x: (x ** 3).sum(), torch.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    items, several = _tuple(inputs, "inputs", "hessian")
    _check_strategy("hessian", outer_jacobian_strategy, create_graph, strict, vectorize)

    def slope(*given: Any) -> Tensors:
        if outer_jacobian_strategy == "forward-mode":
            from ..func import grad as gradient

            return tuple(gradient(value, argnums=tuple(range(len(given))))(*given))
        return tuple(jacobian(value, given, create_graph=True, strict=strict))

    def value(*given: Any) -> Any:
        outs, many = _outputs(func, given, "hessian")
        if strict and not outs[0].requires_grad:
            _require(outs, _NO_GRAD)
        _single(outs, many, "hessian")
        return shape.reshape(outs[0], ())

    if strict:
        with enable_grad():
            _require(slope(*_begun(items, True)), "While computing the hessian, found that the "
                     "jacobian is independent of input {}. This is not allowed in strict mode.")
    made = jacobian(slope, items, create_graph=create_graph, strict=strict, vectorize=vectorize,
                    strategy=outer_jacobian_strategy)
    return made if several else made[0][0]
