"""Record what torch does with views and writes through them: tests/data/views.json.gz.

Run with torch 2.13 installed, from the root of the repository: python tests/record_views.py

A case is a view (or a chain of two), who writes (the view or its base), and when: before anything
used the view, or after an op saved it. `outcome` runs it in either library and returns plain data.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "data" / "views.json.gz"

VIEWS: dict[str, Any] = {
    "expand": lambda t, x: x[:, :1].expand(4, 4),
    "expand_as": lambda t, x: x[:1].expand_as(x),
    "broadcast_to": lambda t, x: x[:, :1].broadcast_to(4, 3),
    "unfold": lambda t, x: x.unfold(0, 2, 1),
    "unfold apart": lambda t, x: x.unfold(1, 2, 2),
    "diagonal": lambda t, x: x.diagonal(1),
    "movedim": lambda t, x: x.movedim(0, 1),
    "moveaxis": lambda t, x: t.moveaxis(x, 1, 0),
    "as_strided": lambda t, x: x.as_strided((2, 3), (4, 1), 1),
    "as_strided overlapping": lambda t, x: x.as_strided((3, 2), (1, 1)),
    "unbind": lambda t, x: x.unbind(0)[1],
    "split": lambda t, x: x.split(2, 1)[1],
    "split sizes": lambda t, x: x.split([1, 3])[1],
    "chunk": lambda t, x: x.chunk(2)[0],
    "tensor_split": lambda t, x: x.tensor_split(3, 1)[0],
    "hsplit": lambda t, x: x.hsplit(2)[1],
    "iterated": lambda t, x: next(iter(x)),
    "squeeze": lambda t, x: x[:1].squeeze(0),
    "squeeze nothing": lambda t, x: x.squeeze(),
    "unsqueeze": lambda t, x: x.unsqueeze(1),
    "T": lambda t, x: x.T if x.dim() == 2 else x.mT,
    "mT": lambda t, x: x.mT,
    "H": lambda t, x: x.H,  # of a real matrix: mT
    "t": lambda t, x: x.t(),
    "transpose": lambda t, x: x.transpose(0, 1),
    "swapaxes": lambda t, x: x.swapaxes(0, 1),
    "swapdims": lambda t, x: x.swapdims(1, 0),
    "adjoint": lambda t, x: x.adjoint(),
    "permute": lambda t, x: x.permute(1, 0),
    "view": lambda t, x: x.view(2, 8),
    "view_as": lambda t, x: x.view_as(t.zeros(8, 2)),
    "view dtype": lambda t, x: x.view(t.float64),
    "view bits": lambda t, x: x.view(t.int64),
    "reshape": lambda t, x: x.reshape(16),
    "reshape_as": lambda t, x: x.reshape_as(t.zeros(2, 2, 4)),
    "reshape copy": lambda t, x: x.t().reshape(16),
    "flatten": lambda t, x: x.flatten(),
    "ravel": lambda t, x: x.ravel(),
    "unflatten": lambda t, x: x.unflatten(1, (2, 2)),
    "contiguous": lambda t, x: x.contiguous(),
    "real": lambda t, x: t.real(x),
    "narrow": lambda t, x: x.narrow(1, 1, 2),
    "select": lambda t, x: x.select(1, -1),
    "row": lambda t, x: x[2],
    "slice": lambda t, x: x[1:, ::2],
    "element": lambda t, x: x[1, 2],
    "none": lambda t, x: x[None, ..., 1],
    "ellipsis": lambda t, x: x[...],
    "detach": lambda t, x: x.detach(),
    "data": lambda t, x: x.data,
    "alias": lambda t, x: x.view(4, 4),
    "gathered": lambda t, x: x[[0, 2]],
    "masked": lambda t, x: x[x > 3],
    "to": lambda t, x: x.to(t.float64),
    "expand nothing": lambda t, x: x.expand(4, 4),
    "atleast_3d": lambda t, x: t.atleast_3d(x),
    "diag": lambda t, x: t.diag(x),
}
CHAINS = [("T", "narrow"), ("transpose", "diagonal"), ("slice", "T"), ("view", "row"),
          ("narrow", "unsqueeze"), ("row", "unsqueeze"), ("diagonal", "unsqueeze"), ("T", "row"),
          ("unsqueeze", "squeeze nothing"), ("permute", "slice"), ("reshape", "ellipsis"),
          ("split", "T"), ("unbind", "unsqueeze"), ("expand", "row"), ("detach", "row"),
          ("row", "detach"), ("select", "ellipsis"), ("unfold apart", "T"), ("chunk", "T")]
for first, second in CHAINS:
    VIEWS[f"{first}, {second}"] = (
        lambda t, x, f=VIEWS[first], s=VIEWS[second]: s(t, f(t, x)))
WRITERS = ("nobody", "view", "base", "view after use", "base after use", "view under no_grad",
           "base under no_grad", "view with a gradient")
BASES = ("constant", "result", "leaf")


def outcome(t: Any, view: str, writer: str, kind: str) -> list[Any]:
    """Run one case in the library `t`; return what can be seen, step by step."""
    seen: list[Any] = []
    leaf = t.arange(1.0, 17.0, dtype=t.float64).reshape(4, 4).clone()
    leaf.requires_grad_(kind != "constant")
    base = leaf * 2 if kind == "result" else leaf
    weight = t.linspace(0.5, 2, 16, dtype=t.float64)
    try:
        v = VIEWS[view](t, base)
        root = v._base
        steps = [s for s, n in zip(v.stride(), v.shape, strict=True) if n > 1]
        seen.append([v._is_view(), root is base, root is None, list(v.shape), steps])
        offset = (v.data_ptr() - base.data_ptr()) // v.element_size()
        place = offset if 0 <= offset < 16 else "elsewhere"
        seen.append([place, v.requires_grad, v.is_leaf, name(v)])
        used = v * v if writer.endswith("after use") else None
        saved = base * base if writer.endswith("after use") else None
        target = v if writer.startswith("view") else base
        if writer != "nobody":
            with t.set_grad_enabled("no_grad" not in writer):
                if "gradient" in writer:
                    target.mul_(leaf.sum() if kind != "leaf" else 3)
                else:
                    target.mul_(3)
        seen.append([v._version, base._version, name(v), name(base), v.requires_grad])
        seen.append([v.tolist(), base.tolist()])
        if v.dtype != t.float64 or not (v.requires_grad or base.requires_grad):
            return seen
        total = (v * weight[:v.numel()].reshape(v.shape)).sum() + (base * base).sum()
        if used is not None:
            total = total + saved.sum() if "base" not in writer else total + used.sum()
        total.backward()
        seen.append(None if leaf.grad is None else leaf.grad.tolist())
    except Exception as error:
        seen.append(type(error).__name__)
    return seen


def name(x: Any) -> str | None:
    return None if x.grad_fn is None else x.grad_fn.name().rpartition("::")[2]


def cases() -> list[tuple[str, str, str]]:
    return [(view, writer, kind) for view in VIEWS for writer in WRITERS for kind in BASES]


def main() -> None:
    import torch

    recorded = {" | ".join(case): outcome(torch, *case) for case in cases()}
    text = json.dumps(recorded, separators=(",", ":"))
    PATH.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
