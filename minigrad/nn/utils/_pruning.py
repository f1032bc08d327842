"""What all pruning methods share: the hook, and the container of successive ones (see prune.py)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from ...modes import no_grad
from ...ops.fill import ones_like
from ...tensor import Tensor
from ..modules.module import Module


class BasePruningMethod(ABC):
    """Base of the methods: define `compute_mask` and PRUNING_TYPE, call `apply`.

    PRUNING_TYPE says what a second pruning of a tensor sees: 'unstructured' the elements that are
    left, as a vector, 'structured' the channels along `self.dim` that are left, 'global' all.
    """

    PRUNING_TYPE: str
    _tensor_name: str | None = None

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, str(self._tensor_name), self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return a mask for scores `t`; it must not keep what `default_mask` drops."""

    def apply_mask(self, module: Module) -> Tensor:
        """Return the original times the mask."""
        if self._tensor_name is None:
            raise AssertionError(f"Module {module} has to be pruned")
        mask: Tensor = getattr(module, self._tensor_name + "_mask")
        original: Tensor = getattr(module, self._tensor_name + "_orig")
        return mask.to(original.dtype) * original

    @classmethod
    def apply(cls, module: Module, name: str, *args: Any,
              importance_scores: Tensor | None = None, **kwargs: Any) -> BasePruningMethod:
        """Prune a parameter by this method, on top of what pruned it before.

        Args: args, kwargs: for the class; importance_scores: of the parameter's shape, the lowest
        are pruned; default the parameter itself. AssertionError for scores of another shape.
        """
        method, hooks = _compose(module, name, cls(*args, **kwargs))
        original = getattr(module, name)
        values = original.detach()  # ValueError for the parameter of a lazy module
        scores = original if importance_scores is None else importance_scores
        if scores.shape != original.shape:
            raise AssertionError(f"importance_scores should have the same shape as parameter "
                                 f"{name} of {module}, got {scores.shape} vs {original.shape}")
        again = isinstance(method, PruningContainer)
        before = getattr(module, name + "_mask").clone() if again else ones_like(values)
        with no_grad():
            mask = method.compute_mask(scores.detach(), default_mask=before)
        for key in hooks:
            del module._forward_pre_hooks[key]
        if not again:
            del module._parameters[name]
            module.register_parameter(name + "_orig", original)
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None,
              importance_scores: Tensor | None = None) -> Tensor:
        """Return a tensor times its mask; no module is involved."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError(f"importance_scores should have the same shape as tensor t, got "
                                 f"{scores.shape} vs {t.shape}")
        mask = ones_like(t.detach()) if default_mask is None else default_mask
        return t * self.compute_mask(scores.detach(), default_mask=mask)

    def remove(self, module: Module) -> None:
        """Make the pruning permanent: the masked values become the parameter again."""
        if self._tensor_name is None:
            raise AssertionError(f"Module {module} has to be pruned before pruning can be removed")
        name = self._tensor_name
        weight = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original: Any = module._parameters.pop(name + "_orig")
        original.data = weight.detach()
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


def _compose(module: Module, name: str,
             method: BasePruningMethod) -> tuple[BasePruningMethod, list[int]]:
    """Join a method with the one that prunes the parameter already; return also its hooks."""
    hooks = [key for key, hook in module._forward_pre_hooks.items()
             if isinstance(hook, BasePruningMethod) and hook._tensor_name == name]
    if len(hooks) > 1:
        raise AssertionError(f"Avoid adding multiple pruning hooks to the same tensor {name} of "
                             f"module {module}. Use a PruningContainer.")
    method._tensor_name = name
    if not hooks:
        return method, hooks
    old: Any = module._forward_pre_hooks[hooks[0]]
    made = PruningContainer(*(old if isinstance(old, PruningContainer) else (old,)))
    made._tensor_name = name
    made.add_pruning_method(method)
    return made, hooks


class PruningContainer(BasePruningMethod):
    """The methods that pruned a tensor one after the other; the last one finds the new mask."""

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[Any, ...] = ()
        if args:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Append a method; TypeError for other things, ValueError for another tensor's."""
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            raise ValueError(f"Can only add pruning methods acting on the parameter named "
                             f"'{self._tensor_name}' to PruningContainer {self}. Found "
                             f"'{method._tensor_name}'")
        self._pruning_methods = (*self._pruning_methods, method)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the old mask with what the last method drops of the rest."""
        method: Any = self._pruning_methods[-1]
        chosen: Any
        if method.PRUNING_TYPE == "unstructured":
            chosen = default_mask == 1
        elif method.PRUNING_TYPE == "structured":
            if not hasattr(method, "dim"):
                raise AttributeError('Pruning methods of PRUNING_TYPE "structured" need to have '
                                     "the attribute `dim` defined.")
            dim = method.dim + t.ndim if method.dim < 0 else method.dim
            if dim < 0:
                raise IndexError(f"Index is out of bounds for tensor with dimensions {t.ndim}")
            alive = default_mask.sum([d for d in range(t.ndim) if d != dim]) != 0
            chosen = (*[slice(None)] * dim, alive)
        elif method.PRUNING_TYPE == "global":
            chosen = (slice(None),) * t.ndim
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        mask = default_mask.to(t.dtype, copy=True)
        part = method.compute_mask(t[chosen], default_mask=default_mask[chosen])
        mask[chosen] = part.to(mask.dtype)
        return mask
