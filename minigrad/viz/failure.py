"""Where a run failed: the op, its layer, and the picture painted accordingly."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

from .. import engine
from .backward import Gradients
from .calls import Calls
from .parts import Edge, Node
from .watch import Watcher
from .where import PACKAGE, ours, shown

_PLACES = tuple(os.path.join(PACKAGE, *parts) for parts in (
    ("ops", ""), ("nn", "functional"), ("nn", "_"), ("linalg",), ("_functions",), ("special",)))
LONGEST = 500  # letters of a message that a picture shows


@dataclass
class Failure:
    """What raised, and in which pass."""

    message: str
    phase: str
    label: str = ""
    path: str | None = None  # the innermost module that was running
    place: tuple[str, str] = ("", "")
    node: Any = None  # of the tape, in backward
    inputs: list[tuple[str, Any, str, Any, int]] = field(default_factory=list)

    @classmethod
    def of(cls, error: Exception, watcher: Watcher, gradients: Gradients, calls: Calls) -> Failure:
        """Find out where an exception came from, by what was watched and by its traceback."""
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        if gradients.failed is not None:
            return cls(text, "backward", node=gradients.failed)
        frames = _frames(error)
        paths = [calls.path_of(f.f_locals["module"]) for f, _ in frames
                 if f.f_code.co_name == "call_hooked" and "module" in f.f_locals]
        made = cls(text, "forward", path=paths[-1] if paths else None)
        for path in paths:
            if path is not None:
                calls.errors[path] = text
        event = watcher.failed
        if event is not None and _caused(error, event.error):
            made.label, made.place = event.name, shown(event.where)
            made.inputs = [(link.name, link.shape, link.dtype, link.source, link.output)
                           for link in event.links]
            return made
        users = [k for k, (f, _) in enumerate(frames)
                 if not ours(f.f_code.co_filename)]
        inner = [f for f, _ in frames[(users[-1] + 1 if users else 0):]
                 if f.f_code.co_filename.startswith(_PLACES) and f.f_code.co_name[0].isalpha()]
        if users:
            frame, line = frames[users[-1]]
            made.place = shown((frame.f_code.co_filename, line, frame.f_code.co_name))
        made.label = inner[0].f_code.co_name if inner else f"raise {type(error).__name__}"
        named = inner[0].f_locals if inner else {}
        made.inputs = [(name, t._data.shape, t._data.dtype.name, *watcher.maker(t._data))
                       for name, t in named.items() if isinstance(t, engine.Tensor)]
        return made

    def into(self, assembler: Any) -> None:
        """Add the op that raised to the nodes of a picture, or mark it in backward."""
        if self.phase == "backward":
            self._mark(assembler)
            return
        call = next((c for c in reversed(assembler.calls.calls) if c.path == self.path), None)
        made = f"n{len(assembler.nodes) + len(self.inputs)}"
        for name, shape, dtype, source, output in self.inputs:
            assembler.edges.append(Edge(assembler.source_id(source, None), made, tuple(shape),
                                        dtype, name, output))
        assembler.nodes.append(Node(
            made, "error", self.label, module=self.path, source=self.place[0],
            code=self.place[1], error=self.message, phase="forward",
            call=assembler.repeats[id(call)] if call is not None else ()))

    def _mark(self, assembler: Any) -> None:
        event = next((e for e in assembler.events if e.node is self.node), None)
        at = assembler.ids.get(id(event))
        for k, node in enumerate(assembler.nodes):
            if node.id == at:
                assembler.nodes[k] = replace(node, error=self.message, phase="backward")
                path = node.module
                while path is not None:
                    box = assembler.boxes[path]
                    assembler.boxes[path] = replace(box, error=self.message)
                    path = box.parent


def _frames(error: BaseException) -> list[tuple[Any, int]]:
    """Return (frame, line) from the outermost to the one that raised."""
    found, at = [], error.__traceback__
    while at is not None:
        found.append((at.tb_frame, at.tb_lineno))
        at = at.tb_next
    return found


def _caused(error: BaseException | None, by: BaseException | None) -> bool:
    """Tell whether an exception is another one, or was raised because of it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if error is by:
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
