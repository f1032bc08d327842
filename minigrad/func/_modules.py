"""Modules as functions of their parameters: `functional_call`, `stack_module_state`, ..."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from .._check import listed, member
from ..modes import no_grad
from ..ops.join import stack
from ..tensor import Tensor
from ._batched import BatchedTensor


def functional_call(module: Any, parameter_and_buffer_dicts: Any, args: Any = None,
                    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True,
                    strict: bool = False) -> Any:
    """Call a module with the given tensors in the place of its own, which stay as they are.

    Args: parameter_and_buffer_dicts: one dict by dotted name, or several without common names;
    args: the module's, a tuple or one value; kwargs; tie_weights: what the module shares between
    names stays shared; strict: the names must be exactly the module's (RuntimeError).

    >>> import minigrad as torch
    >>> net = torch.nn.Linear(2, 1, bias=False)
    >>> torch.func.functional_call(net, {"weight": torch.tensor([[1., 2.]])}, torch.ones(2))
    tensor([3.])
    """
    from ..nn.utils.stateless import _functional_call

    member(module, "named_parameters", "functional_call", "module", "a module")
    if isinstance(parameter_and_buffer_dicts, dict):
        given = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, Sequence):
        given = {}
        for k, part in enumerate(parameter_and_buffer_dicts):
            if not isinstance(part, dict):
                raise ValueError("Expected all elements of parameter_and_buffer_dicts to be "
                                 "dictionaries")
            double = sorted(given.keys() & part.keys())
            if double:
                raise ValueError(f"{double} appear in multiple dictionaries: element {k} repeats "
                                 f"names of an earlier one, behavior of functional call is "
                                 f"ambiguous")
            given.update(part)
    else:
        raise ValueError(f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of "
                         f"dicts, but got {type(parameter_and_buffer_dicts)}")
    return _functional_call(module, given, args, kwargs, tie_weights=tie_weights, strict=strict)


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Stack the parameters and the buffers of equal models, for `vmap` over an ensemble.

    Returns two dicts by name; every tensor has the models as its first dimension. RuntimeError
    unless there is at least one model, all of one class and all in the same mode.

    >>> import minigrad as torch
    >>> nets = [torch.nn.Linear(2, 1) for _ in range(3)]
    >>> params, buffers = torch.func.stack_module_state(nets)
    >>> params["weight"].shape
    torch.Size([3, 1, 2])
    """
    models = listed(models, "stack_module_state", "models", "modules")
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    for model in models:
        member(model, "named_parameters", "stack_module_state", "models", "a list of modules")
    if len({model.training for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same "
                           "training/eval mode.")
    if len({type(model) for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(names: Any) -> dict[str, Any]:
        columns = [dict(names(model)) for model in models]
        return {name: _stacked([column[name] for column in columns]) for name in columns[0]}

    return (stacked(lambda model: model.named_parameters()),
            stacked(lambda model: model.named_buffers()))


def _stacked(tensors: list[Tensor]) -> Tensor:
    leaves = {t.requires_grad for t in tensors if t.is_leaf}
    if len(leaves) > 1:
        raise RuntimeError("Expected all tensors of one name to agree in requires_grad")
    if all(t.is_leaf for t in tensors):
        with no_grad():
            made: Tensor = stack(tensors, 0)
        return made.requires_grad_(tensors[0].requires_grad)
    return stack(tensors, 0)  # type: ignore[no-any-return]


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Make the batch norms of a module forget their running statistics, in place; return it.

    Under `vmap` their update would write batched values into an unbatched tensor.

    >>> import minigrad as torch
    >>> net = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    >>> torch.func.replace_all_batch_norm_modules_(net)[0].running_mean is None
    True
    """
    from ..nn.modules.batchnorm import _BatchNorm

    member(root, "modules", "replace_all_batch_norm_modules_", "root", "a module")
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """Return a function that computes what `func` computes.

    PyTorch's version rewrites the ops that a tracer sees: in-place ops (and views, with
    remove="mutations_and_views") become others with the same results. minigrad does not trace, so
    the function itself is the answer. RuntimeError for other values of `remove`.
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError("functionalize(f, remove='mutations'): Valid options for inputs are: "
                           "remove='mutations' and remove='mutations_and_views'. Got "
                           f"remove={remove}.")
    return copy.copy(func)


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """Return the tensor of all examples inside of one that `vmap` made; for debugging only.

    Args: recurse: go through all nested vmaps (default), or only one.
    """
    while isinstance(tensor, BatchedTensor):
        tensor = tensor._full
        if not recurse:
            break
    return tensor
