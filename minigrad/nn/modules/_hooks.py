"""Hooks around a module's call: forward, forward pre, full backward, backward pre; own and global.

A call without hooks never comes here: `Module.__call__` looks once and goes straight to `forward`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...autograd.graph import RemovableHandle
from ._boundary import Boundary
from ._legacy_hooks import watch

Hook = Callable[..., Any]


class GlobalHooks:
    """The hooks that every module's call runs, and those that see every registration."""

    def __init__(self) -> None:
        self.calls: dict[int, tuple[str, Hook]] = {}  # one dict: a call asks only once
        self.with_kwargs: dict[int, bool] = {}
        self.always: dict[int, bool] = {}
        self.on_parameter: dict[int, Hook] = {}
        self.on_buffer: dict[int, Hook] = {}
        self.on_module: dict[int, Hook] = {}

    def add(self, kind: str, hook: Hook) -> RemovableHandle:
        """Register a hook of one kind around every call."""
        return RemovableHandle(self.calls, (kind, hook))  # type: ignore[arg-type]

    def refuse(self, kind: str) -> None:
        """Raise RuntimeError if hooks of a kind are there that the one to add does not go with."""
        if self.of(kind):
            raise RuntimeError("Cannot use both regular backward hooks and full backward hooks as "
                               "a global Module hook. Please use only one of them.")

    def named(self, kind: str) -> list[tuple[int, Hook]]:
        """Return (id, hook) of the hooks of one kind, in the order of registration."""
        return [(key, hook) for key, (each, hook) in self.calls.items() if each == kind]

    def of(self, kind: str) -> list[Hook]:
        """Return the hooks of one kind."""
        return [hook for _, hook in self.named(kind)]


everywhere = GlobalHooks()


def replaced(hooks: dict[int, Hook], owner: Any, name: str, value: Any) -> Any:
    """Show a value that is being registered to the global hooks; they may replace it."""
    for hook in list(hooks.values()):
        changed = hook(owner, name, value)
        if changed is not None:
            value = changed
    return value


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, args)` before every module's forward; a returned value replaces args."""
    return everywhere.add("forward_pre", hook)


def register_module_forward_hook(hook: Hook, *, with_kwargs: bool = False,
                                 always_call: bool = False) -> RemovableHandle:
    """Call `hook(module, args, output)` after every module's forward; it may replace the output.

    Args: with_kwargs: hooks get (module, args, kwargs, output); always_call: run it (with output
    None) also when forward raises.
    """
    handle = RemovableHandle(everywhere.calls, ("forward", hook),  # type: ignore[arg-type]
                             extra_dict=[everywhere.with_kwargs, everywhere.always])
    if with_kwargs:
        everywhere.with_kwargs[handle.id] = True
    if always_call:
        everywhere.always[handle.id] = True
    return handle


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` at the last node of every module's output.

    Deprecated, see `Module.register_backward_hook`; use `register_module_full_backward_hook`.
    RuntimeError if there are global full backward hooks.
    """
    everywhere.refuse("backward")
    return everywhere.add("legacy", hook)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_output)` before every module's backward; it may replace it."""
    return everywhere.add("backward_pre", hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` after every module's backward.

    RuntimeError if there are global hooks of `register_module_backward_hook`.
    """
    everywhere.refuse("legacy")
    return everywhere.add("backward", hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, parameter)` whenever a parameter is registered."""
    return RemovableHandle(everywhere.on_parameter, hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, buffer)` whenever a buffer is registered."""
    return RemovableHandle(everywhere.on_buffer, hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, submodule)` whenever a submodule is registered."""
    return RemovableHandle(everywhere.on_module, hook)


class CallHooks:
    """The part of Module that registers hooks around its call."""

    _forward_hooks: dict[int, Hook]
    _forward_hooks_with_kwargs: dict[int, bool]
    _forward_hooks_always_called: dict[int, bool]
    _forward_pre_hooks: dict[int, Hook]
    _forward_pre_hooks_with_kwargs: dict[int, bool]
    _backward_hooks: dict[int, Hook]
    _backward_pre_hooks: dict[int, Hook]
    _is_full_backward_hook: bool | None  # None: no backward hook was registered yet

    def register_forward_pre_hook(self, hook: Hook, *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:
        """Call `hook(module, args)` before forward; a returned value (tuple) replaces args.

        Args: prepend: run it before the hooks that are there; with_kwargs: the hook gets
        (module, args, kwargs) and returns None or (args, kwargs).
        """
        handle = RemovableHandle(self._forward_pre_hooks, hook, first=prepend,
                                 extra_dict=self._forward_pre_hooks_with_kwargs)
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        return handle

    def register_forward_hook(self, hook: Hook, *, prepend: bool = False,
                              with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:
        """Call `hook(module, args, output)` after forward; a returned value replaces the output.

        Args: prepend: run it before the hooks that are there; with_kwargs: the hook gets
        (module, args, kwargs, output); always_call: run it (with output None) if forward raises.
        """
        handle = RemovableHandle(self._forward_hooks, hook, first=prepend,
                                 extra_dict=[self._forward_hooks_with_kwargs,
                                             self._forward_hooks_always_called])
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        return handle

    def register_full_backward_pre_hook(self, hook: Hook,
                                        prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the backward pass enters the module.

        Both are tuples with one entry per output; a returned tuple replaces the gradients.
        """
        return RemovableHandle(self._backward_pre_hooks, hook, first=prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the inputs' gradients are complete.

        Entries belong to the positional inputs and the outputs, None where there is no gradient;
        a returned tuple replaces grad_input. Inputs and outputs must not be changed in place.
        RuntimeError on a module with hooks of `register_backward_hook`.
        """
        self._agree(full=True)
        return RemovableHandle(self._backward_hooks, hook, first=prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` at the last node of the output's history.

        Deprecated, as in PyTorch: grad_input belongs to the inputs of that last op, not of the
        module, and a warning says so. Use `register_full_backward_hook`; RuntimeError on a module
        that has such hooks.
        """
        self._agree(full=False)
        return RemovableHandle(self._backward_hooks, hook)

    def _agree(self, full: bool) -> None:
        """Remember the kind of backward hooks; a module has one kind only."""
        if self._is_full_backward_hook is (not full):
            raise RuntimeError("Cannot use both regular backward hooks and full backward hooks on "
                               "a single Module. Please use only one of them.")
        self._is_full_backward_hook = full


def call_hooked(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run forward with everything that is hooked to it."""
    done: set[int] = set()
    given, result = args, None
    forward = module.forward  # a lazy module changes its class in a hook
    try:
        given, kwargs = _run_pre_hooks(module, args, kwargs)
        boundary: Boundary | None = None
        legacy: Sequence[Hook] = ()
        if module._backward_hooks or module._backward_pre_hooks or everywhere.calls:
            boundary, legacy = _backward_hooks(module)
        if boundary is not None:
            given = boundary.enter(given)
        result = forward(*given, **kwargs)
        for key, hook, with_kwargs in _forward_hooks(module):
            done.add(key)
            changed = (hook(module, given, kwargs, result) if with_kwargs
                       else hook(module, given, result))
            if changed is not None:
                result = changed
        if boundary is not None:
            result = boundary.leave(result)
        if legacy:
            watch(module, legacy, given, result)
        return result
    except Exception:
        _run_always(module, given, kwargs, result, done)
        raise


def _backward_hooks(module: Any) -> tuple[Boundary | None, Sequence[Hook]]:
    """Return what runs the full backward hooks of a call, and the deprecated ones."""
    own, legacy = list(module._backward_hooks.values()), everywhere.of("legacy")
    if module._is_full_backward_hook is False:
        own, legacy = [], [*legacy, *own]
    boundary = Boundary.of(module, [*everywhere.of("backward"), *own],
                           [*everywhere.of("backward_pre"), *module._backward_pre_hooks.values()])
    return boundary, legacy


def _run_pre_hooks(module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Run the hooks before forward; return the (perhaps replaced) arguments."""
    own = module._forward_pre_hooks
    with_kwargs = module._forward_pre_hooks_with_kwargs
    for key, hook in [*everywhere.named("forward_pre"), *own.items()]:
        if key in with_kwargs:
            changed = hook(module, args, kwargs)
            if changed is None:
                continue
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, "
                                   f"new_kwargs), but got {changed}.")
            args, kwargs = changed
        else:
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    return args, kwargs


def _forward_hooks(module: Any) -> Iterator[tuple[int, Hook, bool]]:
    """Yield (id, hook, with_kwargs) of the global and the module's own forward hooks."""
    for key, hook in everywhere.named("forward"):
        yield key, hook, key in everywhere.with_kwargs
    for key, hook in list(module._forward_hooks.items()):
        yield key, hook, key in module._forward_hooks_with_kwargs


def _run_always(module: Any, args: Any, kwargs: dict[str, Any], result: Any,
                done: set[int]) -> None:
    """After an error: run the `always_call` hooks that have not run; their errors only warn."""
    always = {**everywhere.always, **module._forward_hooks_always_called}
    if not always:
        return
    for key, hook, with_kwargs in _forward_hooks(module):
        if key not in always or key in done:
            continue
        try:
            if with_kwargs:
                changed = hook(module, args, kwargs, result)
            else:
                changed = hook(module, args, result)
            result = result if changed is None else changed
        except Exception as error:
            warnings.warn("forward hook with ``always_call=True`` raised an exception that was "
                          f"silenced as another error was raised in forward: {error!s}",
                          stacklevel=2)
