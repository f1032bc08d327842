"""An explanation as text and HTML."""

from __future__ import annotations

import html
from typing import Any

from .parts import Input, LeafPart, Numbers, Step, Why, listed, shown


def to_text(e: Any) -> str:
    """Write the explanation for a terminal."""
    lines = [*e.head, ""]
    for step in e.steps:
        lines += [f"[{step.number}] {step.op}: {step.formula}", *(f"    {s}" for s in about(step))]
        for given in step.inputs:
            lines += [f"    {s}" for s in of_input(given)]
        lines.append("")
    if e.left_out:
        lines += [f"({e.left_out} more operations below; steps=None shows all)", ""]
    lines.append("The leaves")
    for leaf in e.leaves:
        lines += [f"    {s}" for s in of_leaf(leaf)]
    if e.why is not None:
        lines += ["", *of_why(e.why)]
    return "\n".join(lines)


def about(step: Step) -> list[str]:
    """Return the lines about an op's result and what arrives there."""
    lines = [f"at {step.where}"] if step.where else []
    if step.options:
        lines.append("with " + ", ".join(f"{k} = {v}" for k, v in step.options.items()))
    lines += [f"{k} = {number(v)}" for k, v in step.constants.items()]
    return [*lines, f"y = {number(step.result)}", f"g = {number(step.g)}"]


def of_input(given: Input) -> list[str]:
    """Return the lines about one argument."""
    lines = [f"{given.name} = {number(given.value)}, from {given.source}",
             f"    {given.derivative}"]
    if given.local is not None and given.local.values is not None:
        title = "as a matrix (row: element of y)" if given.matrix else "in numbers"
        lines.append(f"    {title}: {listed(given.local.values)}")
    elif given.local is not None:
        lines.append(f"    in numbers: {given.local}")
    if given.gradient is not None:
        lines.append(f"    gets {number(given.gradient, False)}")
    return lines


def of_leaf(leaf: LeafPart) -> list[str]:
    """Return the lines about a leaf."""
    uses = " + ".join(leaf.uses) if leaf.uses else "nothing"
    return [f"{leaf.name} = {number(leaf.value)}",
            f"    gradient {number(leaf.gradient, False)}, from {uses}"]


def of_why(why: Why) -> list[str]:
    """Return the lines on why one element's gradient is what it is."""
    lines = [f"Why is the gradient of {why.element} = {why.value:.6g} equal to "
             f"{why.gradient:.6g}?"]
    count = len(why.uses)
    lines.append(f"    {why.element} is used {'once' if count == 1 else f'{count} times'}:")
    lines += [f"        by {use}, which gives {amount:.6g}" for use, amount in why.uses]
    if count > 1:
        lines.append(f"    Where paths join, gradients add up: "
                     f"{joined(' + ', (a for _, a in why.uses))} = {why.gradient:.6g}")
    for k, path in enumerate(why.paths, 1):
        lines.append(f"    Path {k}: {why.element} -> " + " -> ".join(
            name for name, _, _ in path.factors))
        before = why.element
        for name, d, text in path.factors:
            lines.append(f"        d {name} / d {before} = {d:.6g}    ({text})")
            before = name
        if len(path.factors) > 1:
            lines.append(f"        multiplied: {joined(' * ', (d for _, d, _ in path.factors))}"
                         f" = {path.product:.6g}")
    if why.left_out:
        lines.append(f"    {why.left_out} more paths, which give {why.rest:.6g} together")
    if len(why.paths) > 1:
        total = sum(p.product for p in why.paths) + why.rest
        lines.append(f"    All paths together: {total:.6g}")
    lines += [f"    A path ends where the derivative is 0: at {end}" for end in why.ends]
    if not why.paths and not why.ends:
        lines.append("    The paths are not listed: there are too many, or the values are large.")
    return lines


def joined(sign: str, values: Any) -> str:
    """Write numbers with a sign between them, negative ones in brackets."""
    return sign.join(f"({v:.6g})" if v < 0 else f"{v:.6g}" for v in values)


def number(n: Numbers, shape: bool = True) -> str:
    """Write an array's values, after its shape if that is wanted and not plain to see."""
    if n.values is not None:
        return listed(n.values) if n.shape != (0,) else "[] (empty)"
    return f"[{shown(n.shape)}] {n}" if shape or n.mean is not None else str(n)


def to_html(e: Any) -> str:
    """Write the explanation as HTML, with its own style and nothing from the network."""
    def lines(items: list[str]) -> str:
        return "<pre>" + html.escape("\n".join(items)) + "</pre>"

    parts = [f'<div class="mg-explain"><style>{STYLE}</style>',
             "".join(f"<p>{html.escape(line)}</p>" for line in e.head)]
    for step in e.steps:
        below = [s for given in step.inputs for s in of_input(given)]
        parts.append(f'<details open><summary><b>{step.number}</b> <code>{html.escape(step.op)}'
                     f"</code> {html.escape(step.formula)}</summary>{lines(about(step))}"
                     f"{lines(below)}</details>")
    if e.left_out:
        parts.append(f"<p>{e.left_out} more operations below; steps=None shows all.</p>")
    parts.append("<h4>The leaves</h4>" + lines([s for leaf in e.leaves for s in of_leaf(leaf)]))
    if e.why is not None:
        first, *rest = of_why(e.why)
        parts.append(f"<h4>{html.escape(first)}</h4>{lines(rest)}")
    return "".join(parts) + "</div>"


STYLE = (".mg-explain{font:14px/1.5 system-ui,sans-serif;max-width:60em}.mg-explain details{"
         "border-left:3px solid #3b7dd8;margin:.6em 0;padding:.1em .8em}.mg-explain summary{"
         "cursor:pointer}.mg-explain code{font-weight:bold;margin-right:.8em}"
         ".mg-explain b{display:inline-block;min-width:1.6em;color:#3b7dd8}"
         ".mg-explain pre{font:13px/1.5 ui-monospace,monospace;margin:.3em 0 .3em 1.6em;"
         "white-space:pre-wrap;overflow-wrap:anywhere}.mg-explain h4{margin:.8em 0 .2em}")
