"""One observed training step: the tape with the module of every op, gradients, inputs of norms."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import engine
from .._summary.run import OUTSIDE, Run, copied, state_kept
from ..engine import Leaf, Pick
from ..modes import enable_grad
from ..viz.state import tensors_in, untouched

SAME = frozenset({"unsafe_view", "clone", "identity", "cast", "row_major"})  # values pass through


class Step:
    """What happened in a forward and backward run of model and loss."""

    def __init__(self, model: Any, args: tuple[Any, ...], y: Any, loss: Any, mode: str) -> None:
        self.model, self.mode = model, mode
        self.error: Exception | None = None
        self.phase = ""
        self.outputs: list[Any] = []
        self.loss: float | None = None
        self.nodes: list[Any] = []
        self.grads: dict[str, Any] = {}
        self.values: dict[str, Any] = {}  # the first input of each norm layer
        self.run = Run(model, detailed=True)
        kept = untouched(loss if hasattr(loss, "parameters") else None)
        with warnings.catch_warnings(), state_kept(model, args, {}, mode), kept, enable_grad():
            warnings.simplefilter("ignore")
            self._go(args, y, loss)

    def _go(self, args: tuple[Any, ...], y: Any, loss: Any) -> None:
        for p in self.model.parameters():
            p.grad = None
        handles = [m.register_forward_pre_hook(self._look(path))
                   for path, m in self.model.named_modules() if "BatchNorm" in type(m).__name__]
        try:
            self.phase = "forward"
            out = self.run.forward(copied(args), {})
            self.outputs = [t for _, t in tensors_in(out)]
            self.phase = "loss"
            end = self._end(out, copied(y), loss)
            self.phase = "backward"
            if end is not None:
                self.nodes = list(reached(end._node))
                end.backward(retain_graph=True)
            self.grads = {name: None if p.grad is None else p.grad._data.copy()
                          for name, p in self.model.named_parameters()}
        except Exception as error:
            self.error = error
        finally:
            for handle in handles:
                handle.remove()

    def _look(self, path: str) -> Any:
        def look(module: Any, inputs: Any) -> None:
            self.values.setdefault(path, inputs[0]._data.copy())

        return look

    def _end(self, out: Any, y: Any, loss: Any) -> Any:
        """Return the number to differentiate: the loss, or a random mixture of the outputs."""
        if loss is not None:
            end = loss(out, y) if y is not None else loss(out)
            if not isinstance(end, engine.Tensor) or end.numel() != 1:
                raise TypeError(f"loss: expected a function that returns one number, got "
                                f"{getattr(end, 'shape', type(end).__name__)}")
            self.loss = end.item()
            return end if end.requires_grad else None
        random = np.random.default_rng(0)
        parts = [(t * engine.wrap(random.standard_normal(t.shape).astype(t._data.dtype), None)
                  ).sum() for t in self.outputs if t.requires_grad]
        end = None
        for part in parts:
            end = part if end is None else end + part
        return end

    def path_of(self, node: Any) -> str:
        """Return the path of the module that called an op; "" outside of all."""
        event = self.run.watcher.by_key.get(node.key)
        if event is None or event.place == OUTSIDE:
            return ""
        return self.run.rows[event.place].path

    def named(self, node: Any) -> str:
        """Return the path of an op's module and, where that has children, the op."""
        path = self.path_of(node)
        modules = dict(self.model.named_modules())
        if not modules[path]._modules:
            return path
        return f"{path}, {node.op.name}" if path else node.op.name

    def ops(self, *names: str) -> list[Any]:
        """Return the nodes of ops by name, oldest first."""
        return [n for n in self.nodes if getattr(n.op, "name", "") in names]


def reached(root: Any) -> list[Any]:
    """Return the ops behind a node, oldest first."""
    seen, stack = {root}, [root]
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted((n for n in seen if type(n) not in (Leaf, Pick)), key=lambda n: -n.key)


def before(node: Any, argument: str = "input") -> Any:
    """Return the op that made an argument, past views and copies; None if no op did."""
    if node.plan is None or not node.plan.positions:
        return None
    names = [node.op.names[i] for i in node.plan.positions]
    if argument not in names:
        return None
    found = node.parents[names.index(argument)]
    while found is not None and type(found) is not Leaf:
        if type(found) is Pick or getattr(found.op, "view", False) or found.op.name in SAME:
            found = found.parents[0]
        else:
            return found
    return None


def option(node: Any, name: str) -> Any:
    """Return a value that an op has saved; None if it has not."""
    if node.plan is None or name not in node.plan.names:
        return None
    return node.saved[node.plan.names.index(name)]
