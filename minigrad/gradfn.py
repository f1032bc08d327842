"""What PyTorch's `grad_fn` objects offer to users, and the collection of several gradients."""

from __future__ import annotations

from typing import Any


class GradFn:
    """The public side of a node of the tape."""

    __slots__ = ()
    op: Any
    plan: Any
    parents: Any
    saved: Any
    meta: dict[str, Any] | None

    def name(self) -> str:
        """Return the name that PyTorch prints for this function."""
        op = self.op
        if not op.shown_names:
            return op.shown
        if self.saved is None:
            return (self.meta or {})["name"]
        return op.shown(*[self.saved[self.plan.names.index(name)] for name in op.shown_names])

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes of the inputs, each with the number of the output it is."""
        if hasattr(self, "index"):  # one of several outputs: those of the node itself
            return self.parents[0].next_functions
        if self.op.variadic:
            return tuple(edge(p) for p in self.parents)
        parents = dict(zip(self.plan.positions, self.parents, strict=True))
        return tuple(edge(parents.get(i)) for i, bit in self.op.bits if bit)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_saved_") and self.saved is not None:
            key = {"result": "y", "self": "input"}.get(name[7:], name[7:])
            if key in self.plan.names:
                return self.tensors()[self.plan.names.index(key)]
        raise AttributeError(f"{self.name()} has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


class LeafFn:
    """The public side of the end of the tape, which PyTorch calls AccumulateGrad."""

    __slots__ = ()
    op = None
    parents: tuple[()] = ()
    next_functions: tuple[()] = ()
    tensor: Any

    @property
    def variable(self) -> Any:
        """The tensor whose gradient is accumulated here."""
        return self.tensor()

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"


def edge(node: Any) -> tuple[Any, int]:
    """Return a node and which of its outputs is meant."""
    index = getattr(node, "index", None) if node is not None else None
    return (node, 0) if index is None else (node.parents[0], index)


class Slot:
    """The gradients of a node with several outputs, while they are being collected."""

    __slots__ = ("grads",)
    ndim = 0

    def __init__(self, index: int, g: Any) -> None:
        self.grads = {index: g}

    def __add__(self, other: Slot) -> Slot:
        for index, g in other.grads.items():
            self.grads[index] = self.grads[index] + g if index in self.grads else g
        return self

    def complete(self, node: Any, create: bool) -> list[Any]:
        """Return one gradient per output, zeros for those that nothing used."""
        return [node.unused(k, create) if k not in self.grads else self.grads[k]
                for k in range(len(node.shape))]
