"""Call a module with other parameters and buffers than its own."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from ...tensor import Tensor
from ..modules.module import Module

__all__ = ["functional_call"]

_MISSING: Any = object()


def _named(module: Module) -> dict[str, Tensor]:
    """Return all parameters and buffers by name; shared ones under every name."""
    return {**dict(module.named_parameters(remove_duplicate=False)),
            **dict(module.named_buffers(remove_duplicate=False))}


def _with_ties(module: Module, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the given tensors also under the other names that the module's own share."""
    names_of: dict[Tensor, list[str]] = {}
    for name, tensor in _named(module).items():
        names_of.setdefault(tensor, []).append(name)
    full = dict(given)
    for names in names_of.values():
        values = [given[name] for name in names if name in given]
        if not values or len(names) == 1:
            continue
        if any(value is not values[0] for value in values):
            raise ValueError(f"functional_call got multiple values for keys {sorted(names)}, which "
                             f"are tied. Consider using tie_weights=False")
        full.update(dict.fromkeys(names, values[0]))
    return full


def _swap(module: Module, name: str, value: Any) -> Any:
    """Put a tensor (or nothing) in the place of a module's; return what was there."""
    path, _, last = name.rpartition(".")
    owner = module.get_submodule(path)
    for kind in (owner._parameters, owner._buffers):
        if last in kind:
            old: Any = kind[last]
            kind[last] = value
            return old
    old = getattr(owner, last, _MISSING)
    if old is not _MISSING and not isinstance(old, Tensor):
        raise TypeError(f"attribute `{name}`: {old!r} is not an instance of torch.Tensor")
    if value is _MISSING:
        delattr(owner, last)
    else:
        setattr(owner, last, value)
    return old


@contextlib.contextmanager
def _reparametrize_module(module: Module, parameters_and_buffers: dict[str, Tensor],
                          tie_weights: bool = False, strict: bool = False) -> Iterator[None]:
    """Let a module have other tensors inside the `with` block.

    Buffers that the module replaces by assignment are found in the given dict afterwards.
    """
    given = _with_ties(module, parameters_and_buffers) if tie_weights else parameters_and_buffers
    if strict:
        own = _named(module)
        parts = [(what, [key for key in a if key not in b]) for what, a, b in
                 (("Unexpected", given, own), ("Missing", own, given))]
        problems = [f"{what} key(s): {', '.join(map(repr, keys))}." for what, keys in parts if keys]
        if problems:
            raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t"
                               + "\n\t".join(problems))
    before: dict[str, Any] = {}
    try:
        for name, value in given.items():
            before[name] = _swap(module, name, value)
        yield
    finally:
        after = {name: _swap(module, name, old) for name, old in before.items()}
        parameters_and_buffers.update({name: after[name] for name in parameters_and_buffers
                                       if name in after})


def functional_call(module: Module, parameters_and_buffers: dict[str, Tensor], args: Any = None,
                    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True,
                    strict: bool = False) -> Any:
    """Call a module with the given tensors in the place of its own, which stay as they are.

    Deprecated (FutureWarning): the same function is `torch.func.functional_call` in PyTorch.
    Args: parameters_and_buffers: by dotted name, gradients flow to them; args: the module's, a
    tuple or one value; kwargs; tie_weights: what the module shares between names stays shared
    (ValueError for two values); strict: the names must be exactly the module's (RuntimeError).
    """
    warnings.warn("`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and "
                  "will be removed in a future version of PyTorch. Please use "
                  "`torch.func.functional_call` instead which is a drop-in replacement.",
                  FutureWarning, stacklevel=2)
    return _functional_call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights,
                            strict=strict)


def _functional_call(module: Module, parameters_and_buffers: dict[str, Tensor], args: Any = None,
                     kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True,
                     strict: bool = False) -> Any:
    """Do what `functional_call` says, without a warning: for `torch.func`."""
    given = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrize_module(module, parameters_and_buffers, tie_weights, strict):
        return module(*given, **(kwargs or {}))
