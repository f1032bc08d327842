"""The promises about the code itself: layers, sizes, what an import loads."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "minigrad"
FILES = sorted(p for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts[0] in (
    "minigrad", "tests", "examples", "benchmarks"))

# A file may import at module level from files of its own layer or lower ones.
LAYERS = [
    {"_dtype", "_check", "_device", "_random", "cuda", "_override", "_quiet", "return_types",
     "_hints", "compiler", "jit", "_settings", "_absent", "version", "backends", "amp", "storage",
     "random", "_fork"},
    {"kernels"},
    {"engine", "declare", "nodes", "walk", "fused", "modes", "versions", "views", "anomaly",
     "backprop", "reshaping", "saved", "node_hooks", "outputs", "node_names", "calls",
     "quick_calls"},
    {"ops"},
    {"tensor", "_methods", "_operators", "_format", "_functions", "_functions_nn",
     "_functions_rare", "_subclasses", "_dispatch"},
    {"autograd", "linalg", "special", "func"},
    {"nn"},
    {"optim", "utils", "serialization", "_checkpoint", "distributions", "overrides", "_C"},
    {"viz", "_summary", "_explain", "_doctor"},
    {"testing", "gradcheck"},
    {"__init__"},
]


def layer_of(name: str) -> int:
    name = "_methods" if name.startswith("_methods_") else name
    found = [k for k, names in enumerate(LAYERS) if name in names]
    assert found, f"minigrad/{name} stands in no layer: add it to LAYERS in this test"
    return found[0]


def imported(path: Path) -> list[str]:
    """Return the minigrad files or folders that a file imports at module level."""
    package = path.relative_to(PACKAGE).parts[:-1]
    found = []
    for node in ast.walk(_without_functions(ast.parse(path.read_text()))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            full = (*base, *(node.module.split(".") if node.module else ()))
            found += [full[0]] if full else [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("minigrad"):
            found.append((node.module.split(".") + ["__init__"])[1])
    return found


def _without_functions(tree: ast.Module) -> ast.Module:
    """Drop function bodies and TYPE_CHECKING blocks: they do not run at import."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            return None

        def visit_If(self, node):
            return None if "TYPE_CHECKING" in ast.dump(node.test) else self.generic_visit(node)

    return Strip().visit(tree)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")),
                         ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_from_its_layer_or_lower(path):
    own = layer_of(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    for name in imported(path):
        if layer_of(name) > own:
            raise AssertionError(f"{path.name} (layer {own}) imports {name} of layer "
                                 f"{layer_of(name)}")


def test_files_have_at_most_400_lines():
    long = {str(p.relative_to(ROOT)): n for p in FILES
            if (n := len(p.read_text().splitlines())) > 400}
    assert not long, f"split by sub-family: {long}"


def code_lines(path: Path) -> int:
    """Count lines with code: no blank lines, comments or docstrings."""
    source = path.read_text()
    docs: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docs |= set(range(first.lineno, first.end_lineno + 1))
    skip = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
            tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skip:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docs)


def test_the_engine_is_read_in_one_sitting():
    assert code_lines(PACKAGE / "engine.py") <= 350
    for name in ("declare", "nodes", "walk", "fused", "modes", "versions", "views", "anomaly",
                 "reshaping", "saved", "node_hooks", "node_names", "calls", "quick_calls"):
        assert code_lines(PACKAGE / f"{name}.py") <= 200, name


def test_import_needs_numpy_alone():
    code = ("import sys, json, numpy; before = set(sys.modules); import minigrad; "
            "print(json.dumps(sorted({m.split('.')[0] for m in set(sys.modules) - before})))")
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT,
                                       capture_output=True, text=True).stdout)
    outside = [m for m in loaded if m not in sys.stdlib_module_names and m != "minigrad"]
    assert outside in ([], ["numpy"]), f"import minigrad loads {outside}"
    heavy = {"asyncio", "multiprocessing", "unittest", "doctest", "sqlite3", "ssl", "zipfile",
             "concurrent", "graphviz", "matplotlib"} & set(loaded)
    assert not heavy, f"import minigrad loads {sorted(heavy)}: import them where they are used"
