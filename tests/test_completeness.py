"""Every public name of torch's namespaces exists here, with its signature, or is explained.

The names and signatures are recorded from torch (tests/record_names.py). Names that are absent
stand with a reason in a table of docs/differences.md. Another namespace is one line in SPACES.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from pathlib import Path

import pytest

import minigrad

ROOT = Path(__file__).parent
SPACES = [
    "torch",
    "torch.Tensor",
    "torch.autograd",
    "torch.autograd.functional",
    "torch.autograd.graph",
    "torch.func",
    "torch.linalg",
    "torch.special",
    "torch.nn",
    "torch.nn.attention",
    "torch.nn.attention.bias",
    "torch.nn.functional",
    "torch.nn.grad",
    "torch.nn.init",
    "torch.nn.parameter",
    "torch.nn.utils",
    "torch.nn.utils.fusion",
    "torch.nn.utils.parametrizations",
    "torch.nn.utils.parametrize",
    "torch.nn.utils.prune",
    "torch.nn.utils.rnn",
    "torch.nn.utils.stateless",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.overrides",
]
# Namespaces of functions in C++, whose recorded schemas are not what users call.
LOOSE = ("torch", "torch.Tensor", "torch.autograd")
PENDING: dict[str, set[str]] = {}  # names that are being written; empty when all is done
# Parameters that differ on purpose, and why.
SIGNATURES: dict[str, str] = {
    "torch.nn.functional.elu_": "torch's scale and input_scale are SELU's inner numbers: selu_",
    "torch.nn.parameter.UninitializedTensorMixin": "a base class that nothing calls",
}
KINDS = {inspect.Parameter.POSITIONAL_ONLY: "positional",
         inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
         inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.KEYWORD_ONLY: "keyword",
         inspect.Parameter.VAR_KEYWORD: "**"}

RECORDED = json.loads((ROOT / "data" / "torch_names.json").read_text())
every_space = pytest.mark.parametrize("space", SPACES)


def ours(space: str):
    """Return minigrad's module or class of a namespace of torch."""
    if space == "torch.Tensor":
        return minigrad.Tensor
    return importlib.import_module("minigrad" + space.removeprefix("torch"))


def explained() -> dict[str, set[str]]:
    """Return the names in the table "Names that are absent", by namespace."""
    text = (ROOT.parent / "docs" / "differences.md").read_text()
    table = text.split("## Names that are absent")[1].split("\n## ")[0]
    found: dict[str, set[str]] = {}
    for line in table.splitlines():
        if not line.startswith("| `"):
            continue
        space, names, reason = (cell.strip() for cell in line.strip("| ").split("|"))
        assert len(reason) > 10, f"no reason in the line {line!r}"
        found.setdefault(space.strip("`"), set()).update(re.findall(r"`([^`]+)`", names))
    return found


@every_space
def test_names_exist_or_are_explained(space):
    here, reasons = ours(space), explained().get(space, set())
    absent = {name for name in RECORDED["names"][space] if not hasattr(here, name)}
    missing = absent - reasons - PENDING.get(space, set())
    assert not missing, f"{space} lacks {sorted(missing)}: add them, or a line in differences.md"


def test_explanations_are_current():
    """A name that exists here, or that torch lacks, needs no line in the table."""
    for space, names in explained().items():
        assert space in RECORDED["names"], space
        assert names <= set(RECORDED["names"][space]), (space, names)
        present = {name for name in names if hasattr(ours(space), name)}
        assert not present, f"{space}: {sorted(present)} exist, but differences.md says they do not"


def test_nothing_is_pending():
    assert not PENDING


def test_recorded_from_the_version_we_follow():
    assert RECORDED["version"].startswith("2.13.")


# ------------------------------------------------------------------------------------ signatures
def parameters(function) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def value(text: str):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def same_default(recorded: str, parameter: inspect.Parameter) -> bool:
    """Compare defaults; C++ writes [1, 1] for 1 and [] for None."""
    if parameter.default is inspect.Parameter.empty or not recorded:
        return parameter.default is inspect.Parameter.empty and not recorded
    want = value(recorded)
    if isinstance(want, list):
        want = {*want}.pop() if len({*want}) == 1 else want
        return parameter.default == want or (not want and parameter.default in (None, ()))
    return recorded == "..." or parameter.default == want or repr(parameter.default) == recorded


def difference(recorded: list[list[str]], found: list[inspect.Parameter]) -> str:
    """Say what differs; additions of ours are keyword-only and have defaults."""
    count = len(recorded)
    for extra in found[count:]:
        optional = extra.default is not inspect.Parameter.empty
        if KINDS[extra.kind] != "**" and (KINDS[extra.kind] != "keyword" or not optional):
            return f"the addition {extra.name} is not keyword-only with a default"
    for k, (name, kind, default) in enumerate(recorded):
        if k >= len(found):
            return f"no parameter {name}"
        got = found[k]
        if got.name != name or KINDS[got.kind] != kind:
            return f"parameter {k} is {KINDS[got.kind]} {got.name}, torch has {kind} {name}"
        if not same_default(default, got):
            return f"{name}={got.default!r}, torch has {default or 'no default'}"
    return ""


@pytest.mark.parametrize("space", [space for space in SPACES if space not in LOOSE])
def test_signatures_are_torchs(space):
    here, wrong = ours(space), []
    for name, recorded in RECORDED["signatures"][space].items():
        found = parameters(getattr(here, name)) if hasattr(here, name) else None
        if found is None or f"{space}.{name}" in SIGNATURES:
            continue
        found.sort(key=lambda p: KINDS[p.kind] in ("keyword", "**") and p.name not in {
            r[0] for r in recorded})
        text = difference(recorded, found)
        if text:
            wrong.append(f"{name}: {text}")
    assert not wrong, f"{space}:\n" + "\n".join(wrong)


def test_methods_of_layers_are_torchs():
    """The public methods of layers, forward among them, with their parameters."""
    wrong = []
    for path, recorded in RECORDED["methods"].items():
        name, method = path.split(".")
        layer = getattr(minigrad.nn, name, None)
        if layer is None or path == "Module.forward":  # a placeholder that raises
            continue
        found = parameters(getattr(layer, method, None))
        text = "is absent" if found is None else difference(recorded, found)
        if text:
            wrong.append(f"{path}: {text}")
    assert not wrong, "\n".join(wrong)


def test_exceptions_are_needed():
    """Names in SIGNATURES still differ."""
    for path, reason in SIGNATURES.items():
        space, _, name = path.rpartition(".")
        recorded = RECORDED["signatures"][space][name]
        assert difference(recorded, parameters(getattr(ours(space), name)) or []), path
        assert len(reason) > 10
