"""Modules that hold other modules: in a row, in lists, in dicts (parameters: `_parameters.py`)."""

from __future__ import annotations

import operator
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar, overload

from ._parameters import ParameterDict, ParameterList, pairs, position
from .module import Module, _addindent

__all__ = ["Container", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]

S = TypeVar("S", bound="_Row")


class Container(Module):
    """Hold modules under the names of keyword arguments: deprecated, subclass Module instead.

    It warns (FutureWarning), and has no forward.

    >>> import minigrad as torch
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     torch.nn.Container(act=torch.nn.ReLU())
    Container(
      (act): ReLU()
    )
    """

    def __init__(self, **kwargs: Any) -> None:
        warnings.warn("`nn.Container` is deprecated. All that it does is in `nn.Module`: subclass "
                      "that instead.", FutureWarning, stacklevel=2)
        super().__init__()
        for name, module in kwargs.items():
            self.add_module(name, module)


class _Row(Module):
    """Base of Sequential and ModuleList: submodules under the names '0', '1', ..."""

    def _name_at(self, index: Any) -> str:
        return list(self._modules)[position(index, len(self))]

    def _renumber(self, modules: Iterable[Any]) -> None:
        self._modules = {str(i): module for i, module in enumerate(modules)}

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)
        for name in names[index] if isinstance(index, slice) else [self._name_at(index)]:
            delattr(self, name)
        self._renumber(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def append(self: S, module: Module) -> S:
        """Add a module at the end and return the container."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self: S, index: int, module: Module) -> S:
        """Put a module before position `index`, as `list.insert`, and return the container.

        AssertionError for other types, IndexError outside, KeyError if the names are not '0', '1',
        ...: moving them would rename the entries of state_dict.
        """
        if not isinstance(module, Module):
            raise AssertionError(f"insert: module must be an nn.Module, got {type(module)}")
        if not -len(self) <= operator.index(index) <= len(self):
            raise IndexError(f"Index out of range: {index} for a container of {len(self)}")
        if index == len(self):
            return self.append(module)
        modules = list(self._modules.values())
        if list(self._modules) != [str(i) for i in range(len(modules))]:
            raise KeyError(f"insert: the modules have names of their own, {list(self._modules)}: "
                           f"build a new Sequential(OrderedDict(...))")
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def __getitem__(self, index: int | slice) -> Any:
        raise NotImplementedError

    def pop(self, key: int | slice) -> Any:
        """Remove the module at a position (a container of modules for a slice) and return it."""
        found = self[key]
        del self[key]
        return found


class Sequential(_Row):
    """Chain modules: each gets the previous one's output.

    Args: the modules in order, or one dict of names and modules.

    >>> import minigrad.nn as nn
    >>> nn.Sequential(nn.Linear(4, 2), nn.Identity())
    Sequential(
      (0): Linear(in_features=4, out_features=2, bias=True)
      (1): Identity()
    )
    """

    @overload
    def __init__(self, *args: Module) -> None: ...

    @overload
    def __init__(self, arg: OrderedDict[str, Module], /) -> None: ...

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            named = args[0].items()
        else:
            named = [(str(i), module) for i, module in enumerate(args)]  # type: ignore[assignment]
        for name, module in named:
            self.add_module(name, module)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._name_at(index)]

    def forward(self, input: Any) -> Any:
        """Return the last module's output."""
        for module in self._modules.values():
            input = module(input)
        return input

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but "
                             f"{type(other)} is given.")
        return Sequential(*self, *other)

    def __iadd__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but "
                             f"{type(other)} is given.")
        return self.extend(list(other))

    def __mul__(self, other: int) -> Sequential:
        return Sequential(*self._repeated(other))

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Sequential:
        return self.extend(self._repeated(other)[len(self):])

    def _repeated(self, times: int) -> list[Any]:
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return list(self) * times

    def extend(self, sequential: Iterable[Module]) -> Sequential:
        """Add the modules of another container at the end and return this one."""
        for module in sequential:
            self.append(module)
        return self


class ModuleList(_Row):
    """Hold modules in a list, so that they are registered; it cannot be called.

    >>> import minigrad.nn as nn
    >>> nn.ModuleList([nn.Identity() for _ in range(3)])
    ModuleList(
      (0-2): 3 x Identity()
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self._modules.values())[index])
        return self._modules[self._name_at(index)]

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add several modules at the end and return the list."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"ModuleList.extend should be called with an iterable, but got "
                            f"{type(modules).__name__}")
        for module in modules:
            self.append(module)
        return self

    def __repr__(self) -> str:
        shown = []
        for module in self:  # a comprehension would cost nesting depth
            shown.append(repr(module))
        if not shown:
            return f"{self._get_name()}()"
        lines, start = [], 0
        for i, text in enumerate(shown):
            if i + 1 < len(shown) and shown[i + 1] == text:
                continue
            label, times = f"({i})", ""
            if i > start:
                label, times = f"({start}-{i})", f"{i - start + 1} x "
            lines.append(f"{label}: {_addindent(times + text, 2)}")
            start = i + 1
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """Hold modules in a dict, so that they are registered; the order of insertion is kept.

    >>> import minigrad.nn as nn
    >>> list(nn.ModuleDict({"a": nn.Identity(), "b": nn.Identity()}))
    ['a', 'b']
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Remove everything."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Remove a module and return it."""
        return self._modules.pop(key)

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the pairs of name and module."""
        return self._modules.items()

    def values(self) -> Iterable[Any]:
        """Return the modules."""
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Add modules from a mapping or an iterable of pairs; names that exist are replaced."""
        for key, module in pairs(modules, "ModuleDict.update"):
            self[key] = module
