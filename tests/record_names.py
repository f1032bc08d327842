"""Record torch's public names and signatures: tests/data/torch_names.json.

Run with torch 2.13 installed, from the root of the repository: python tests/record_names.py

A name is public if it does not begin with an underscore and stands in the module's `__all__`, or if
its object was made in that module: what it imports from elsewhere, constants and TorchScript's
classes do not count. A signature is a list of [name, kind, default] per parameter; functions
written in C++ have theirs from torch's schemas, where there is a single one.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
SPACES = tuple("""torch torch.Tensor torch.linalg torch.special torch.func torch.autograd
torch.autograd.functional torch.autograd.graph torch.nn torch.nn.functional torch.nn.init
torch.nn.attention torch.nn.attention.bias
torch.nn.utils torch.nn.utils.rnn torch.nn.utils.prune torch.nn.utils.parametrize
torch.nn.utils.parametrizations torch.nn.utils.stateless torch.nn.utils.fusion torch.nn.grad
torch.nn.parameter torch.optim torch.optim.lr_scheduler torch.utils.data torch.overrides""".split())  # noqa: SIM905
KINDS = {inspect.Parameter.POSITIONAL_ONLY: "positional",
         inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
         inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.KEYWORD_ONLY: "keyword",
         inspect.Parameter.VAR_KEYWORD: "**"}


def public(space: Any) -> list[str]:
    """Return the public names of a module or class."""
    listed = set(getattr(space, "__all__", ()))
    names = [name for name in sorted(dir(space)) if not name.startswith("_")]
    values = {name: inspect.getattr_static(space, name) for name in names}
    return [name for name in names if not inner(space, values[name])
            and (name in listed or made_in(space, values[name]))]


def inner(space: Any, value: Any) -> bool:
    """Tell whether an object is none that programs call: constants, classes of TorchScript."""
    home = (value if inspect.isclass(value) else type(value)).__module__
    if type(value).__name__ == "pybind11_type" or home.startswith(("torch._C", "__future__")):
        return True
    constant = isinstance(value, (bool, int, float, str, dict, list, typing.TypeVar,
                                  typing.ParamSpec))
    return constant and space.__name__ != "torch"


def made_in(space: Any, value: Any) -> bool:
    """Tell whether an object was made in a module (or anywhere in torch, for torch and Tensor)."""
    if isinstance(value, types.ModuleType):
        return value.__name__.startswith(f"{space.__name__}.")
    home = getattr(value, "__module__", None) or ""
    if inspect.isclass(space) or space.__name__ == "torch":
        return not (home in ("typing", "typing_extensions") or home in sys.stdlib_module_names)
    if inspect.isclass(value) or inspect.isfunction(value):
        return home.startswith(space.__name__)
    if home in sys.stdlib_module_names:
        return False
    return home.startswith("torch") or inspect.isbuiltin(value) or not home


def signature(space: str, name: str, value: Any) -> list[list[Any]] | None:
    """Return the parameters of a function or of a class's constructor, None if nothing tells."""
    if not callable(value) or isinstance(value, types.ModuleType):
        return None
    try:
        parameters = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return from_schema(name) if space in ("torch", "torch.nn.functional") else None
    if {KINDS[p.kind] for p in parameters} == {"*", "**"}:
        return dispatched(value)
    return [[p.name, KINDS[p.kind], shown(p.default)] for p in parameters]


def methods(torch: Any) -> dict[str, Any]:
    """Return the signatures of the public methods that layers have beside Module's."""
    found = {}
    for name in public(torch.nn):
        layer = getattr(torch.nn, name)
        if not inspect.isclass(layer) or not issubclass(layer, torch.nn.Module):
            continue
        for method in dir(layer):
            value = getattr(layer, method)
            own = layer is torch.nn.Module or value is not getattr(torch.nn.Module, method, None)
            form = signature("", method, value) if own and not method.startswith("_") else None
            if form is not None and inspect.isroutine(value):
                found[f"{name}.{method}"] = form
    return found


def dispatched(value: Any) -> list[list[Any]] | None:
    """Return the parameters of the function behind nn.functional's boolean dispatch."""
    cells = [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
    for inner in cells:
        if inspect.isfunction(inner):
            found = list(inspect.signature(inner).parameters.values())
            return [[p.name, KINDS[p.kind], shown(p.default)] for p in found]
    return None


def from_schema(name: str) -> list[list[Any]] | None:
    """Return the parameters of a function written in C++ that has one form."""
    import torch

    schemas = torch._C._jit_get_schemas_for_operator(f"aten::{name}")
    forms = [s for s in schemas if not any(a.is_out for a in s.arguments)]
    if len(forms) != 1:
        return None
    return [["input" if a.name == "self" else a.name, "keyword" if a.kwarg_only else "either",
             shown(a.default_value) if a.has_default_value() else ""]
            for a in forms[0].arguments]


def shown(default: Any) -> str:
    """Return a default as text: "" for none, "..." for what has no stable text."""
    if default is inspect.Parameter.empty:
        return ""
    text = repr(default)
    return "..." if " at 0x" in text or "<" in text else text


def main() -> None:
    import torch

    recorded: dict[str, Any] = {"version": torch.__version__, "names": {}, "signatures": {}}
    for path in SPACES:
        space = torch.Tensor if path == "torch.Tensor" else importlib.import_module(path)
        names = recorded["names"][path] = public(space)
        found = {name: signature(path, name, getattr(space, name)) for name in names}
        recorded["signatures"][path] = {name: form for name, form in found.items()
                                        if form is not None}
    recorded["methods"] = methods(torch)
    text = json.dumps(recorded, separators=(",", ":")).replace('"names":', '\n"names":')
    text = text.replace('],"torch', '],\n"torch').replace('},"torch', '},\n"torch')
    (ROOT / "data" / "torch_names.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
