"""What makes backward hooks work: places on the tape where a module begins and ends.

The positional inputs and the outputs of a hooked call go through `module_boundary`, an identity
with as many outputs as inputs. In backward it sees all gradients of one side of the module at once
and shows them to the hooks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...engine import op, wrap
from ...modes import state
from ...tensor import Tensor
from ...versions import storage_of

Hook = Callable[..., Any]


@op(tensors=lambda g, side: side(g), outputs="many", shown="BackwardHookFunctionBackward")
def module_boundary(tensors: Any, side: Any) -> list[Any]:
    """Return the tensors' own arrays; `side(gradients)` runs in backward."""
    return list(tensors)


class Boundary:
    """One hooked call: runs the hooks with (grad_input, grad_output) when both are known."""

    def __init__(self, module: Any, hooks: list[Hook], pre_hooks: list[Hook]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.at_inputs: list[int] | None = None  # positions of inputs that require grad
        self.at_outputs: list[int] = []
        self.inputs = self.outputs = 0
        self.idle: dict[int, Any] = {}  # the gradients of inputs that do not require one
        self.arrived: set[int] = set()
        self.grad_output: tuple[Any, ...] | None = None

    @classmethod
    def of(cls, module: Any, hooks: list[Hook], pre_hooks: list[Hook]) -> Boundary | None:
        """Return the boundary of a call, None if no hook or no tape would see it."""
        return cls(module, hooks, pre_hooks) if (hooks or pre_hooks) and state.grad else None

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Put the positional inputs on the tape of the module's beginning."""
        self.inputs = len(args)
        found, passed = _pass_through(args, self.begin)
        self.at_inputs = found or None
        if found:  # as in PyTorch, hooks see zeros for the other tensors
            self.idle = {i: wrap(np.zeros(a._data.shape, a._data.dtype), None)
                         for i, a in enumerate(args) if isinstance(a, Tensor) and i not in found}
        return passed

    def leave(self, result: Any) -> Any:
        """Put the outputs on the tape of the module's end."""
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn("For backward hooks to be called, module output should be a Tensor or a "
                          f"tuple of Tensors but received {type(result)}", stacklevel=4)
            return result
        outputs = result if isinstance(result, tuple) else (result,)
        self.outputs = len(outputs)
        self.at_outputs, passed = _pass_through(outputs, self.end)
        for k, position in enumerate(self.at_outputs):
            passed[position]._node.hooks = {-1: lambda g, k=k: self.arrived.add(k)}
        if isinstance(result, Tensor):
            return passed[0]
        return type(result)(*passed) if hasattr(result, "_fields") else passed

    def end(self, gradients: list[Any]) -> list[Any]:
        """Run in backward when the outputs' gradients are complete."""
        given: list[Any] = [None] * self.outputs
        for k, position in enumerate(self.at_outputs):
            if k in self.arrived:
                given[position] = _tensor(gradients[k])
        self.arrived.clear()
        shown = tuple(given)
        for hook in self.pre_hooks:
            shown = _checked(hook(self.module, shown), shown, "grad_output")
        self.grad_output = shown
        if self.at_inputs is None:
            self.end_without_inputs()
        return _unwrapped(shown, given, self.at_outputs, gradients)

    def end_without_inputs(self) -> None:
        """Run the hooks at once: no input will ever receive a gradient."""
        grad_output, self.grad_output = self.grad_output, None
        if self.hooks:
            warnings.warn("Full backward hook is firing when gradients are computed with respect "
                          "to module outputs since no inputs require gradients.", stacklevel=2)
        for hook in self.hooks:
            changed = hook(self.module, (None,) * self.inputs, grad_output)
            if changed is not None and not all(entry is None for entry in changed):
                raise RuntimeError("Backward hook for Modules where no input requires gradient "
                                   "should always return None or None for all gradients.")

    def begin(self, gradients: list[Any]) -> list[Any]:
        """Run in backward when the inputs' gradients are complete."""
        positions = self.at_inputs or []
        if self.grad_output is None:  # not through the outputs: a second derivative
            return gradients
        grad_output, self.grad_output = self.grad_output, None
        given: list[Any] = [self.idle.get(i) for i in range(self.inputs)]
        for k, position in enumerate(positions):
            given[position] = _tensor(gradients[k])
        shown = tuple(given)
        for hook in self.hooks:
            shown = _checked(hook(self.module, shown, grad_output), shown, "grad_input")
        return _unwrapped(shown, given, positions, gradients)


def _pass_through(values: tuple[Any, ...], side: Hook) -> tuple[list[int], tuple[Any, ...]]:
    """Send the tensors that require grad through a boundary; return their positions and all."""
    found = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not found:
        return found, values
    passed = list(values)
    for i, out in zip(found, module_boundary([values[i] for i in found], side), strict=True):
        out._storage = storage_of(values[i])  # the same memory: writes must count for both
        out._frozen = ("it is an input or output of a module with backward hooks, which must not "
                       "be changed in place")
        passed[i] = out
    return found, tuple(passed)


def _tensor(g: Any) -> Any:
    return g if isinstance(g, Tensor) else wrap(g, None)


def _checked(changed: Any, before: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    """Return what a hook left: the gradients as they were, or its own, of the same number."""
    if changed is None:
        return before
    if isinstance(changed, Tensor):
        raise RuntimeError(f"Backward hook returned a tensor: return a tuple with one entry per "
                           f"{what}, or None")
    if len(changed) != len(before):
        raise RuntimeError(f"Backward hook returned an invalid number of {what}, got "
                           f"{len(changed)}, but expected {len(before)}")
    for new, old in zip(changed, before, strict=True):
        if new is not None and old is not None:
            if not isinstance(new, Tensor):
                raise TypeError(f"Backward hook returned {type(new).__name__} in {what}: expected "
                                f"a tensor or None")
            if new.shape != old.shape:
                raise RuntimeError(f"Backward hook has changed the size of a value in {what}: "
                                   f"{list(old.shape)} became {list(new.shape)}")
    return tuple(changed)


def _unwrapped(shown: tuple[Any, ...], given: list[Any], positions: list[int],
               like: Sequence[Any]) -> list[Any]:
    """Return the gradients at `positions` in the form in which the engine gave them.

    A hook that puts None in place of a gradient stops it; where it saw None, the engine's goes on.
    """
    as_tensors = any(isinstance(g, Tensor) for g in like)
    found = []
    for p, own in zip(positions, like, strict=True):
        g = shown[p]
        if g is None:
            found.append(own if given[p] is None else None)
        else:
            found.append(g if as_tensors else g._data)
    return found
