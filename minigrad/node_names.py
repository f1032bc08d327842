"""`_saved_<name>` and `_raw_saved_<name>`: how nodes show what they keep, under PyTorch's names.

There is a descriptor for each name that an op may keep. A `__getattr__` would do with less, but in
classes that have one Python looks up every attribute the slow way: 40 ns instead of 5, some twenty
times a node.
"""

from __future__ import annotations

from functools import partial
from typing import Any

SHOWN = {"input": "self", "y": "result"}  # the names of saved values in PyTorch
SECOND = {"MmBackward0": "mat2", "BmmBackward0": "mat2", "MvBackward0": "vec"}
FURTHER = [*SHOWN.values(), *SECOND.values()]
_shown: set[str] = set()  # the names that have attributes


def shown_names(node: Any) -> list[str]:
    """Return the names that PyTorch gives to what a node saves."""
    if not node.plan:
        return []
    names = [SHOWN.get(name, name) for name in node.plan.names]
    second = SECOND.get(node.name())
    return [second if second and name == "other" else name for name in names]


def read(node: Any, name: str) -> Any:
    """Return the saved value that an attribute of a node names."""
    from .autograd.graph import read_saved

    return read_saved(node, name)


def show_saved(kind: type, op: Any) -> None:
    """Give the class of nodes an attribute for each value that the op may keep."""
    for name in (*op.names, *op.aux, *FURTHER):
        if name not in _shown:
            _shown.add(name)
            for shown in (f"_saved_{name}", f"_raw_saved_{name}", f"_saved_{name}_shape"):
                setattr(kind, shown, property(partial(read, name=shown)))
