"""Turn results into tables, as aligned text or as Markdown, and say what machine they are from."""

import importlib.metadata
import math
import os
import platform
from pathlib import Path

from benchmarks.measure import SIDES

TITLES = {
    "small": "Training steps of small nets",
    "medium": "Training steps of medium nets",
    "ops": "Single ops",
    "shapes": "Layers at shapes from real nets",
    "scaling": "Growth with the size: training steps, and attention",
}


def table(rows: list[list[str]], markdown: bool) -> str:
    """Return rows as a table; the first row is its head, columns after the first are numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row):
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
        return f"| {' | '.join(cells)} |" if markdown else "  ".join(cells).rstrip()

    rule = [":" + "-" * (w - 1) if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    between = f"| {' | '.join(rule)} |" if markdown else "-" * len(line(rows[0]))
    return "\n".join([line(rows[0]), between, *map(line, rows[1:])])


def duration(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def suite_table(results: dict, markdown: bool) -> str:
    """Return the table of one suite: {name: what summarise() returned, "about", "memory"}."""
    timed = [result for result in results.values() if "error" not in result]
    sides = [side for side in SIDES if timed and side in timed[0]["seconds"]]
    with_torch = len(sides) > 1
    with_memory = any("memory" in result for result in timed)
    head = ["case", *sides]
    head += ["ratio", "quartiles", "fastest"] if with_torch else []
    head += ["memory"] if with_memory else []
    head += ["by torch's"] if with_memory and with_torch else []
    rows = [head]
    for name, result in results.items():
        if "error" in result:
            rows.append([f"{name}: failed"] + ["-"] * (len(head) - 1))
            continue
        row = [result["about"] if with_memory else f"{name} {result['about']}".strip()]
        row += [duration(result["seconds"][side]) for side in sides]
        if with_torch:
            low, high = result["spread"]
            row += [f"{result['ratio']:.2f}", f"{low:.2f}-{high:.2f}", f"{result['best']:.2f}"]
        if with_memory:
            row += memory_cells(result["memory"], with_torch)
        rows.append(row)
    text = table(rows, markdown)
    if with_torch and len(timed) > 1:
        means = [math.exp(sum(math.log(result[key]) for result in timed) / len(timed))
                 for key in ("ratio", "best")]
        text += (f"\n\nGeometric means of the {len(timed)} ratios: {means[0]:.2f} of the medians, "
                 f"{means[1]:.2f} of the fastest blocks.")
    disturbed = sum(result["disturbed"] for result in timed) / max(1, len(timed))
    if disturbed > 0.01:
        text += f"\n\nOther programs were busy during {disturbed:.0%} of the timed blocks."
    return text


def memory_cells(memory: dict, with_torch: bool) -> list[str]:
    """Return minigrad's megabytes and, where torch ran, the ratio to torch's."""
    own = memory.get("minigrad")
    cells = ["-" if own is None else f"{own / 1e6:.1f} MB"]
    if with_torch:
        other = memory.get("torch 2 threads")
        cells.append(f"{own / other:.2f}" if own is not None and other else "-")
    return cells


def import_table(seconds: dict[str, float], markdown: bool) -> str:
    """Return the table of import times: median seconds by module."""
    rows = [["import", "time"]]
    for module, value in seconds.items():
        name = module if module == "numpy" else f"{module}, after numpy"
        rows.append([name, f"{value * 1e3:.0f} ms"])
    return table(rows, markdown)


def drawing_table(results: dict[str, dict], markdown: bool) -> str:
    """Return the table of drawing times: seconds by step, the bar, other tools where installed."""
    others = [tool for tool in ("torchviz", "torchview", "torchlens")
              if any(tool in result for result in results.values())]
    rows = [["graph", "ops", "nodes drawn", "trace", "fold", "draw", "together", "bar", *others]]
    for name, result in results.items():
        if "error" in result:
            rows.append([name, result["error"], *[""] * (6 + len(others))])
            continue
        steps = [result[step] for step in ("trace", "fold", "draw")]
        bar = f"{result['bar']:.0f} s" if result["bar"] else "-"
        rows.append([name, f"{result['ops']:,}", str(result["nodes"]),
                     *(f"{s:.2f} s" for s in [*steps, sum(steps)]), bar,
                     *(_other(result.get(tool)) for tool in others)])
    return table(rows, markdown)


def _other(result: dict | None) -> str:
    if result is None:
        return "-"
    if "error" in result:
        return result["error"][:30]
    if "draw" not in result:
        return f"{result['graph']:.2f} s, not drawn"
    return f"{result['graph'] + result['draw']:.2f} s, {result['nodes']} nodes"


def machine() -> dict[str, str]:
    """Return what the figures depend on: processor, cores, system and versions."""
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    facts = {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": f"{np.__version__} with {blas['name']} {blas['version']}",
    }
    try:
        facts["torch"] = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        facts["torch"] = "not installed"
    return facts


def processor() -> str:
    """Return the processor's name and, on Linux, the widest vector instructions it has."""
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor() or platform.machine()
    text = information.read_text()
    found = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in found.items()}
    flags = facts.get("flags", "").split()
    vectors = next((name for name in ("avx512f", "avx2", "avx") if name in flags), "")
    return f"{facts.get('model name', platform.machine())} {vectors}".strip()
