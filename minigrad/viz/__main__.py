"""`python -m minigrad.viz script.py --out graph.svg`: draw the model of a script.

The script runs as a module (its `if __name__ == "__main__":` part does not). Its model is the
nn.Module among its variables, or the class of one that can be made without arguments.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from typing import Any

import minigrad

from .. import nn, viz
from .options import CHOICES

SIDES = (32, 28, 64, 224, 16, 8)  # sizes of pictures that are tried if none is given


def main(argv: list[str] | None = None) -> int:
    """Run the command; what the model raises is raised again when the picture is written."""
    args = _arguments(argv)
    sys.path.insert(0, os.path.dirname(os.path.abspath(args.script)))
    names = runpy.run_path(args.script, run_name="__drawn__")
    name, model = _model(names, args.model)
    options = {key: getattr(args, key) for key in ("direction", "theme", "paint")}
    if args.input_size:
        inputs = [_tensor(size) for size in args.input_size]
    else:
        inputs = [_guessed(model, name)]
    if args.eval:
        model.eval()
    graph = viz.draw(model, *inputs, path=args.out, depth=args.depth, backward=args.backward,
                     **options)
    print(f"{args.out}: {name}, {graph}")
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m minigrad.viz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script")
    parser.add_argument("--out", default="graph.svg",
                        help="the suffix chooses: svg png pdf html dot mmd graphml txt json")
    parser.add_argument("--model", help="the variable or class to draw, if there are several")
    parser.add_argument("--input-size", action="append", metavar="1,3,32,32",
                        help="once per input; 2,7:int64 for whole numbers")
    parser.add_argument("--backward", action="store_true", help="draw the gradients, too")
    parser.add_argument("--eval", action="store_true", help="in evaluation mode")
    parser.add_argument("--depth", type=int, help="modules nested deeper are one node")
    for key in ("direction", "theme", "paint"):
        parser.add_argument(f"--{key}", default=CHOICES[key][0],
                            choices=[c for c in CHOICES[key] if c != "gradcheck"])
    return parser.parse_args(argv)


def _model(names: dict[str, Any], wanted: str | None) -> tuple[str, nn.Module]:
    """Return the script's model, or raise SystemExit that says what was found."""
    if wanted is not None:
        if wanted not in names:
            raise SystemExit(f"the script has no variable {wanted!r}")
        found = {wanted: names[wanted]}
    else:
        found = {n: v for n, v in names.items() if isinstance(v, nn.Module)
                 and not isinstance(v, nn.modules.loss._Loss)}
        inner = {id(m) for v in found.values() for m in list(v.modules())[1:]}
        found = {n: v for n, v in found.items() if id(v) not in inner}
        if not found:
            found = {n: v for n, v in names.items() if isinstance(v, type)
                     and issubclass(v, nn.Module) and v.__module__ == "__drawn__"}
            found = dict(list(found.items())[-1:])  # usually the net, after its parts
    if not found:
        raise SystemExit("the script has no nn.Module among its variables")
    if len(found) > 1:
        raise SystemExit(f"the script has several models, {', '.join(found)}: choose one with "
                         f"--model NAME")
    name, value = next(iter(found.items()))
    if isinstance(value, type):
        try:
            value = value()
        except TypeError as error:
            raise SystemExit(f"{name} cannot be made without arguments ({error}): make one in the "
                             f"script") from None
    if not isinstance(value, nn.Module):
        raise SystemExit(f"{name} is a {type(value).__name__}, not an nn.Module")
    return name, value


def _tensor(text: str) -> Any:
    """Return random numbers of a size such as "1,3,32,32" or "2,7:int64"."""
    size, _, kind = text.partition(":")
    try:
        shape = [int(n) for n in size.replace("x", ",").split(",")]
        dtype = getattr(minigrad, kind or "float32")
    except (ValueError, AttributeError):
        raise SystemExit(f"--input-size: expected something like 1,3,32,32 or 2,7:int64, got "
                         f"{text!r}") from None
    generator = minigrad.Generator().manual_seed(0)
    if dtype.is_floating_point:
        return minigrad.randn(*shape, dtype=dtype, generator=generator)
    return minigrad.zeros(*shape, dtype=dtype)


def _guessed(model: nn.Module, name: str) -> Any:
    """Return an input that fits the first layer, or raise SystemExit that asks for its size."""
    tried: list[str] = []
    for size in _sizes(model):
        x = _tensor(size)
        try:
            viz.trace(model, x, backward=False, numbers=False)
        except Exception as error:
            tried.append(f"{size}: {error}")
        else:
            return x
    raise SystemExit(f"no input for {name} could be guessed: give --input-size"
                     + "".join(f"\n  tried {line}" for line in tried[:3]))


def _sizes(model: nn.Module) -> list[str]:
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            return [f"2,{layer.in_features}"]
        if isinstance(layer, nn.Embedding):
            return ["2,8:int64"]
        if isinstance(layer, (nn.RNN, nn.LSTM, nn.GRU)):
            return [f"5,2,{layer.input_size}"]
        for n, kind in ((1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d)):
            if isinstance(layer, kind):
                return [",".join(map(str, (2, layer.in_channels, *[s] * n))) for s in SIDES]
    return []


if __name__ == "__main__":
    raise SystemExit(main())
