"""`Module`, the base of all layers and nets: what it registers, and what a call does.

Its parts: `_tree.py` lists parameters and submodules, `_convert.py` changes all tensors at once,
`_state.py` saves and loads, `_hooks.py` runs hooks, `_notes.py` says in which layer an error arose.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, ClassVar, TypeVar

from ...compiler import compile
from ...tensor import Tensor
from ..parameter import Buffer, Parameter
from ._convert import Convert
from ._hooks import (
    CallHooks,
    call_hooked,
    everywhere,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
    replaced,
)
from ._notes import annotate, explained
from ._state import State, _IncompatibleKeys

__all__ = ["Module", "_IncompatibleKeys", "register_module_backward_hook",
           "register_module_buffer_registration_hook", "register_module_forward_hook",
           "register_module_forward_pre_hook", "register_module_full_backward_hook",
           "register_module_full_backward_pre_hook", "register_module_module_registration_hook",
           "register_module_parameter_registration_hook"]

T_destination = TypeVar("T_destination", bound=dict[str, Any])


class Module(Convert, State, CallHooks):
    """Base of every layer and net: define `__init__` and `forward`, call it like a function.

    Tensors of type Parameter and Modules that are assigned to attributes are registered: they are
    part of `parameters()`, `state_dict()`, `to()` and the printed structure. Call
    `super().__init__()` before the first assignment. Use `register_buffer` for other tensors.

    An error inside a net ends with notes that name the path of the layer and all shapes.

    >>> import minigrad.nn as nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = nn.Linear(4, 2)
    ...     def forward(self, x):
    ...         return self.fc(x)
    >>> Net()
    Net(
      (fc): Linear(in_features=4, out_features=2, bias=True)
    )
    """

    training: bool
    dump_patches = False  # has no effect, as in PyTorch
    call_super_init = False  # True: `super().__init__()` passes its arguments to the next class
    T_destination: ClassVar[Any] = T_destination

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if (args or kwargs) and not self.call_super_init:
            got = f"'{next(iter(kwargs))}'" if kwargs else f"{len(args)} positional argument(s)"
            raise TypeError(f"{type(self).__name__}.__init__() got {got}: Module's own takes none "
                            f"(call_super_init = True passes them to the next base class)")
        _start(self)
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # ---- calling
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it. Call the module, not this method."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required '
                                  f'"forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            own = self.__dict__  # asking it is faster than attributes: the class has __getattr__
            try:
                hooked = (own["_forward_hooks"] or own["_forward_pre_hooks"]
                          or own["_backward_hooks"] or own["_backward_pre_hooks"])
            except KeyError as missing:
                hooked = getattr(self, missing.args[0])  # for the AttributeError
            if hooked or everywhere.calls:
                return call_hooked(self, args, kwargs)
            return self.forward(*args, **kwargs) if kwargs else self.forward(*args)
        except Exception as error:
            said = explained(error, self, args, kwargs)
            if "_modules" in vars(self):
                annotate(said, self, args, kwargs, sys._getframe(1))
            if said is error:
                raise
            raise said from error

    # ---- attributes
    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if "_parameters" in own and name in own["_parameters"]:  # the hot case first
            return own["_parameters"][name]
        for kind in ("_buffers", "_modules"):
            if kind in own and name in own[kind]:
                return own[kind][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self._forget(name, "_parameters", "parameters")
            self.register_parameter(name, value)
        elif name in own.get("_parameters", ()):
            if value is not None:
                raise TypeError(f"cannot assign '{_kind(value)}' as parameter '{name}' "
                                f"(torch.nn.Parameter or None expected)")
            self.register_parameter(name, None)
        elif isinstance(value, Module):
            self._forget(name, "_modules", "module")
            self._modules[name] = replaced(everywhere.on_module, self, name, value)
        elif name in own.get("_modules", ()):
            if value is not None:
                raise TypeError(f"cannot assign '{_kind(value)}' as child module '{name}' "
                                f"(torch.nn.Module or None expected)")
            self._modules[name] = replaced(everywhere.on_module, self, name, None)
        elif isinstance(value, Buffer) or name in own.get("_buffers", ()):
            self._set_buffer(name, value)
        else:
            super().__setattr__(name, value)

    def _set_buffer(self, name: str, value: Any) -> None:
        """Register a buffer that was assigned; one that is replaced stays persistent or not."""
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"cannot assign '{_kind(value)}' as buffer '{name}' "
                            f"(torch.nn.Buffer, torch.Tensor or None expected)")
        if isinstance(value, Buffer):
            persistent = value.persistent
        else:
            persistent = name not in self._non_persistent_buffers_set
        register = self.register_buffer
        if (getattr(register, "__func__", None) is Module.register_buffer
                or "persistent" in inspect.signature(register).parameters):
            register(name, value, persistent)
        elif persistent:
            register(name, value)
        else:
            raise RuntimeError(f"buffer '{name}' is not persistent, but "
                               f"{type(self).__name__}.register_buffer has no argument "
                               f"`persistent`: add it")

    def _forget(self, name: str, kind: str, called: str) -> None:
        """Make way for an attribute of one kind: remove the name from all other places."""
        own = self.__dict__
        if kind not in own:
            raise AttributeError(f"cannot assign {called} before Module.__init__() call: begin "
                                 f"{type(self).__name__}.__init__ with super().__init__()")
        own.pop(name, None)
        for other in ("_parameters", "_buffers", "_modules"):
            if other != kind:
                own[other].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        for kind in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(kind, ()):
                del self.__dict__[kind][name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules,
                 *self._buffers}
        return sorted(name for name in names if not name[0].isdigit())

    def __setstate__(self, state: dict[str, Any]) -> None:
        _start(self)  # what an older pickle may lack
        self.__dict__.update(state)

    # ---- registering
    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; None reserves the name (a bias that is switched off).

        TypeError for other types, ValueError for a tensor that was computed (not a leaf).
        """
        self._check_name(name, "parameter", "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"cannot assign '{_kind(param)}' object to parameter '{name}' "
                            f"(torch.nn.Parameter or None required)")
        if param is not None and param.grad_fn is not None:
            raise ValueError(f"Cannot assign non-leaf Tensor to parameter '{name}': compute it in "
                             f"forward, from parameters")
        if param is not None:
            param = replaced(everywhere.on_parameter, self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not trained, such as running statistics.

        Args: tensor: None reserves the name; persistent: whether `state_dict` contains it.
        """
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{_kind(tensor)}' object to buffer '{name}' "
                            f"(torch Tensor or None required)")
        self._buffers[name] = replaced(everywhere.on_buffer, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under a name that may be computed; None reserves the name."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_kind(module)} is not a Module subclass")
        self._check_name(name, "module", "_modules")
        self._modules[name] = replaced(everywhere.on_module, self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Do what `add_module` does."""
        self.add_module(name, module)

    def _check_name(self, name: str, what: str, kind: str) -> None:
        if kind not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {_kind(name)}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[kind]:
            raise KeyError(f"attribute '{name}' already exists")

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing, after checking the arguments: see `minigrad.compile`."""
        compile(self, *args, **kwargs)

    # ---- printing
    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Return what stands between the parentheses when the module is printed."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        if not self._modules and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        for name, module in self._modules.items():  # a comprehension would cost nesting depth
            lines.append(f"({name}): {_addindent(repr(module), 2)}")
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


def _start(module: Module) -> None:
    """Make the places for what a module registers."""
    vars(module).update(
        training=True, _parameters={}, _buffers={}, _non_persistent_buffers_set=set(),
        _backward_pre_hooks={}, _backward_hooks={}, _is_full_backward_hook=None, _forward_hooks={},
        _forward_hooks_with_kwargs={}, _forward_hooks_always_called={}, _forward_pre_hooks={},
        _forward_pre_hooks_with_kwargs={}, _state_dict_hooks={}, _state_dict_pre_hooks={},
        _load_state_dict_pre_hooks={}, _load_state_dict_post_hooks={}, _modules={})


def _addindent(text: str, spaces: int) -> str:
    """Return the text with all lines but the first moved to the right."""
    return text.replace("\n", "\n" + " " * spaces)


def _kind(value: Any) -> str:
    return value.type() if isinstance(value, Tensor) else type(value).__name__
