"""`python -m minigrad.gradcheck FILE.py:FUNCTION --shape 3,4`: a gradient check from the shell."""

from __future__ import annotations

import argparse
import ast
import builtins
import functools
import importlib
import importlib.util
import json
import shlex
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DESCRIPTION = """Check a gradient against finite differences; print the report.

TARGET is FILE.py:NAME or PACKAGE.MODULE:NAME. NAME is a function of tensors, an nn.Module, or a
class that makes one without arguments; any expression in the file's names will do, such as
net.py:Net(3, hidden=8). With --grad the function and its gradient take NumPy arrays:
gradient(*arrays, g) returns one array per input."""

EPILOG = """examples:
  python -m minigrad.gradcheck ops.py:swish --shape 3,4 --range -2,2
  python -m minigrad.gradcheck "minigrad.nn:Linear(4, 2)" --shape 3,4 --order 2
  python -m minigrad.gradcheck net.py:Net --shape 2,5 --int 0,10 --eval --json
  python -m minigrad.gradcheck plain.py:f --grad plain.py:f_grad --shape 3,4 --shape 4

exit status: 0 the gradient is right, 1 it is wrong, 2 the check could not be made"""


@dataclass
class Input:
    """One `--shape` with what `--range` or `--int` said after it."""

    shape: tuple[int, ...]
    bounds: tuple[str, float, float] | None = None  # ("range" or "int", low, high)


class Usage(Exception):
    """The command line asks for something that cannot be."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status (argparse exits with 2 for wrong options)."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    given = parser.parse_args(_joined(words))
    path = list(sys.path)
    try:
        return _run(given, words)
    except Usage as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
    except Exception as error:  # of the user's code: shown from its first line on
        print(_users_traceback(error), file=sys.stderr, end="")
    finally:
        sys.path[:] = path
    return 2


def _run(given: argparse.Namespace, words: list[str]) -> int:
    from .nn import Module

    target = load(given.target)
    if given.module or (isinstance(target, type) and issubclass(target, Module)):
        target = target()
        if not isinstance(target, Module):
            raise Usage(f"--module: {given.target} returned a {type(target).__name__}, expected "
                        f"an nn.Module")
    if not callable(target):
        raise Usage(f"{given.target} is a {type(target).__name__}, expected a function or Module")
    if given.training is not None:
        if not isinstance(target, Module):
            raise Usage("--train and --eval are for Modules")
        target.train(given.training)
    gradient = None if given.grad is None else load(given.grad)
    if not given.inputs:
        raise Usage(f"give a --shape for each input of {given.target}{_parameters(target)}")
    inputs = make_inputs(given.inputs, given.bounds, given.dtype, given.seed)
    report = _checked(target, gradient, inputs, given)
    report.reproduce = _command(words, report)
    if given.html:
        title = f"gradcheck {given.target}"
        Path(given.html).write_text(_page(title, report), encoding="utf-8")
    print(json.dumps(_strict(report.to_dict()), indent=1) if given.json else report)
    if given.blame and not report.ok and gradient is None:
        print(report.blame(), file=sys.stderr if given.json else sys.stdout)
    return 0 if report.ok else 1


def _checked(target: Any, gradient: Any, inputs: list[Any], given: argparse.Namespace) -> Any:
    """Run the check; what it says about its own arguments is an error of usage."""
    from .engine import wrap
    from .testing import check_gradients

    options = {"order": given.order, "seed": given.seed, "directions": given.directions,
               "only": given.only or None, "wrt": given.wrt or None, "grad": gradient}
    if gradient is None:
        inputs = [wrap(a, None) for a in inputs]
    try:
        return check_gradients(target, *inputs, **options)
    except ValueError as error:
        if str(error).startswith("check_gradients"):
            raise Usage(str(error)) from None
        raise


def load(target: str) -> Any:
    """Return what FILE.py:NAME or PACKAGE.MODULE:NAME stands for.

    The file's folder comes first on sys.path, as if the file were run. Exceptions of the code that
    is loaded pass through; Usage if there is no such file, module or name.
    """
    place, colon, name = target.partition(":")
    if colon and len(place) == 1 and name[:1] in ("\\", "/"):  # a Windows drive
        rest, colon, name = name.partition(":")
        place = f"{place}:{rest}"
    if not colon or not name:
        raise Usage(f"expected FILE.py:NAME or PACKAGE.MODULE:NAME, got {target!r}")
    names = vars(_module(place))
    try:
        code = compile(name, f"<{target}>", "eval")
    except SyntaxError:
        raise Usage(f"{name!r} is neither a name nor an expression") from None
    first = next((n.id for n in ast.walk(ast.parse(name)) if isinstance(n, ast.Name)
                  and n.id not in names and not hasattr(builtins, n.id)), None)
    if first is not None:
        known = [k for k, v in names.items() if callable(v) and not k.startswith("_")]
        raise Usage(f"{place} has no {first!r}; it has {', '.join(known[:20]) or 'no functions'}")
    return eval(code, names)


def _module(place: str) -> Any:
    if not place.endswith(".py"):
        sys.path.insert(0, "")
        try:
            found = importlib.util.find_spec(place)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise Usage(f"there is no module {place!r}; a file's name must end in .py")
        return importlib.import_module(place)
    path = Path(place)
    if not path.is_file():
        raise Usage(f"there is no file {place!r}")
    return _loaded(path.resolve())


@functools.cache
def _loaded(path: Path) -> Any:
    """Run a file as a module, once: TARGET and --grad may name the same file."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    hidden = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # dataclasses and pickle look there
    try:
        spec.loader.exec_module(module)
    finally:
        if hidden is not None:  # a file that is called like a module that is in use
            sys.modules[path.stem] = hidden
    return module


def make_inputs(inputs: Sequence[Input], usual: tuple[str, float, float] | None, dtype: str,
                seed: int) -> list[Any]:
    """Return random arrays: normal, uniform in a range, or integers (high is not included)."""
    rng = np.random.default_rng(seed)
    made = []
    for asked in inputs:
        kind, low, high = asked.bounds or usual or ("normal", 0.0, 0.0)
        if kind == "int":
            made.append(np.asarray(rng.integers(int(low), int(high), asked.shape)))
            continue
        values = (rng.standard_normal(asked.shape) if kind == "normal"
                  else rng.uniform(low, high, asked.shape))
        made.append(np.asarray(values).astype(dtype))
    return made


def _parameters(target: Any) -> str:
    from .testing.structure import argument_names

    try:
        names = argument_names(target, 8)
    except (TypeError, ValueError):
        return ""
    known = [n for n in names if "[" not in n]
    return f" ({', '.join(known)})" if known else ""


def _command(words: list[str], report: Any) -> str:
    """Return the command line to paste: what was given, narrowed to the first failure."""
    narrow = [f for f in report.failures if f.input and f.index and f.kind in ("mismatch", "kink")]
    line = ["python", "-m", "minigrad.gradcheck", *words]
    if narrow and not any(w.startswith("--only") for w in words):
        index = ",".join(":" if isinstance(i, slice) else str(i) for i in narrow[0].index)
        line.append(f"--only={narrow[0].input}:{index}")
    return shlex.join(line)


def _strict(value: Any) -> Any:
    """Replace nan and infinities, which JSON does not have, by None and the words."""
    if isinstance(value, dict):
        return {k: _strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value.item() if isinstance(value, np.generic) else value


def _page(title: str, report: Any) -> str:
    from html import escape

    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{escape(title)}</title></head>\n<body>{report._repr_html_()}</body></html>\n")


def _users_traceback(error: BaseException) -> str:
    """Return the traceback without the frames of this file and of the import machinery above."""
    frames = traceback.extract_tb(error.__traceback__)
    own = ("<frozen", str(Path(__file__).parent))
    k = next((k for k, f in enumerate(frames) if not f.filename.startswith(own)), 0)
    shown = ["Traceback (most recent call last):\n"] + traceback.format_list(frames[k:])
    return "".join(shown + traceback.format_exception_only(error))


# ---- options
def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minigrad.gradcheck", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    parser.set_defaults(inputs=[], bounds=None)
    add("target", metavar="TARGET", help="FILE.py:NAME or PACKAGE.MODULE:NAME")
    add("--shape", action=_Shape, metavar="N,N", type=_shape,
        help="shape of an input, once per input; 'scalar' has no dimensions")
    for name, what in (("range", "uniform numbers in [LOW, HIGH)"),
                       ("int", "integers from LOW to HIGH - 1")):
        add(f"--{name}", action=_Bounds, metavar="LOW,HIGH",
            type=functools.partial(_pair, whole=name == "int"),
            help=f"{what} for the --shape before it, or for all if it comes first "
                 f"(default: normal)")
    add("--dtype", choices=["float16", "float32", "float64"], default="float64",
        help="of floating inputs (default: float64; the check runs in float64 anyway)")
    add("--seed", type=int, default=0, help="of the inputs and the check (default: 0)")
    add("--order", type=int, choices=[1, 2], default=1, help="2: second derivatives, too")
    add("--directions", type=int, metavar="N", help="random directions per input")
    add("--only", action="append", type=_only, metavar="NAME:INDEX",
        help="check one element, such as weight:0,2; may be repeated")
    add("--wrt", action="extend", type=lambda text: text.split(","), metavar="NAME,NAME",
        help="check these inputs and parameters only")
    add("--grad", metavar="TARGET",
        help="the gradient that is written by hand; arrays, not tensors")
    add("--module", action="store_true", help="TARGET is a function that returns the Module")
    mode = parser.add_mutually_exclusive_group()
    for name, value in (("train", True), ("eval", False)):
        mode.add_argument(f"--{name}", dest="training", action="store_const", const=value,
                          help=f"put the Module into {name} mode first")
    add("--blame", action="store_true", help="after a failure, name the op whose rule is wrong")
    add("--json", action="store_true", help="print the report as JSON")
    add("--html", metavar="FILE", help="write the report as a web page, too")
    return parser


def _joined(words: list[str]) -> list[str]:
    """Write `--range -2,2` as `--range=-2,2`: argparse takes the -2,2 for an option."""
    made: list[str] = []
    for word in words:
        if made and made[-1] in ("--range", "--int"):
            made[-1] += f"={word}"
        else:
            made.append(word)
    return made


class _Shape(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        namespace.inputs = [*namespace.inputs, Input(values)]


class _Bounds(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        bounds = (self.dest, *values)
        if namespace.inputs:
            namespace.inputs[-1].bounds = bounds
        else:
            namespace.bounds = bounds


def _shape(text: str) -> tuple[int, ...]:
    if text in ("", "scalar", "()"):
        return ()
    try:
        shape = tuple(int(n) for n in text.strip("()").rstrip(",").split(","))
    except ValueError:
        shape = (-1,)
    if min(shape) < 0:
        raise argparse.ArgumentTypeError(f"expected sizes such as 3,4, got {text!r}")
    return shape


def _pair(text: str, whole: bool) -> tuple[float, float]:
    try:
        low, high = (int(n) if whole else float(n) for n in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected LOW,HIGH, got {text!r}") from None
    if not low < high:
        raise argparse.ArgumentTypeError(f"LOW must be less than HIGH, got {text!r}")
    return low, high


def _only(text: str) -> tuple[str, tuple[Any, ...]]:
    head, colon, rest = text.partition(":")
    try:
        places = tuple(slice(None) if part == ":" else int(part)
                       for part in rest.split(",") if part)
    except ValueError:
        colon = ""
    if not colon or not head:
        raise argparse.ArgumentTypeError(f"expected NAME:INDEX such as weight:0,2, got {text!r}")
    return head, places


if __name__ == "__main__":
    sys.exit(main())
