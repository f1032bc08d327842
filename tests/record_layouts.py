"""Record the strides of results for inputs of several layouts.

Run with PyTorch installed: python tests/record_layouts.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.recording import record

PATH = Path(__file__).parent / "data" / "layouts.json.gz"
torch: Any = None  # the namespace under test


def numbers(*shape: int) -> Any:
    count = 1
    for n in shape:
        count *= n
    return torch.arange(float(count), dtype=torch.float64).view(shape) / 50 + 0.2


LAYOUTS = {  # all of shape (2, 3, 2, 4)
    "rows": lambda: numbers(2, 3, 2, 4),
    "permuted": lambda: numbers(4, 2, 3, 2).permute(1, 2, 3, 0),
    "channels last": lambda: numbers(2, 2, 4, 3).permute(0, 3, 1, 2),
    "reversed": lambda: numbers(4, 2, 3, 2).permute(3, 2, 1, 0),
    "expanded": lambda: numbers(1, 3, 1, 4).expand(2, 3, 2, 4),
    "sliced": lambda: numbers(2, 3, 2, 8)[..., ::2],
}
_METHODS = """
abs neg exp log sqrt sin tanh sigmoid relu square reciprocal floor round erf sign clone contiguous
float double half long bool detach isnan logical_not nan_to_num tril triu
"""
METHODS = _METHODS.split()


def index() -> Any:
    return torch.zeros(2, 1, 2, 4, dtype=torch.int64)


ONE: dict[str, Any] = {
    "mul": lambda x: x * 2, "rsub": lambda x: 1 - x, "pow": lambda x: x ** 2,
    "gt": lambda x: x > 0.5, "clamp": lambda x: x.clamp(0.3, 0.6),
    "zeros_like": lambda x: torch.zeros_like(x), "rand_like": lambda x: torch.rand_like(x),
    "where": lambda x: torch.where(x > 0.5, x, 0.),
    "masked_fill": lambda x: x.masked_fill(x > 1, 0),
    "gelu": lambda x: torch.nn.functional.gelu(x), "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(1), "cumsum": lambda x: x.cumsum(1),
    "cumprod": lambda x: x.cumprod(2), "sort": lambda x: x.sort(1)[0], "flip": lambda x: x.flip(1),
    "argsort": lambda x: x.argsort(1), "roll": lambda x: x.roll(1, 1), "sum": lambda x: x.sum(1),
    "sum keepdim": lambda x: x.sum(1, keepdim=True), "mean": lambda x: x.mean((0, 2)),
    "max": lambda x: x.max(1)[0], "argmax": lambda x: x.argmax(1), "var": lambda x: x.var(1),
    "std": lambda x: x.std(2), "all": lambda x: (x > 0.3).all(1), "any": lambda x: (x > 0.3).any(2),
    "logsumexp": lambda x: x.logsumexp(1), "prod": lambda x: x.prod(2),
    "amax": lambda x: x.amax((1, 2)), "amin": lambda x: x.amin(1), "norm": lambda x: x.norm(dim=1),
    "median": lambda x: x.median(1)[0], "kthvalue": lambda x: x.kthvalue(2, 1)[0],
    "topk": lambda x: x.topk(2, 1)[0], "count_nonzero": lambda x: x.count_nonzero(1),
    "cat": lambda x: torch.cat([x, x], 1), "stack": lambda x: torch.stack([x, x]),
    "repeat": lambda x: x.repeat(1, 2, 1, 1), "repeats": lambda x: x.repeat_interleave(2, 1),
    "index list": lambda x: x[:, [0, 2]], "index mask": lambda x: x[x > 0.5],
    "index_select": lambda x: x.index_select(1, torch.tensor([0, 2])),
    "gather": lambda x: x.gather(1, index()), "pad": lambda x: torch.nn.functional.pad(x, (1, 1)),
    "diff": lambda x: x.diff(dim=1), "flatten": lambda x: x.flatten(1),
    "reshape": lambda x: x.reshape(2, -1), "unfold": lambda x: x.unfold(3, 2, 1),
    "matmul": lambda x: x @ numbers(4, 5), "movedim": lambda x: x.movedim(1, 3),
    "layer_norm": lambda x: torch.nn.functional.layer_norm(x, (4,)),
    "linear": lambda x: torch.nn.functional.linear(x, numbers(5, 4)),
    "batch_norm": lambda x: torch.nn.functional.batch_norm(x, None, None, training=True),
    "conv2d": lambda x: torch.nn.functional.conv2d(x, numbers(2, 3, 1, 1)),
    "max_pool2d": lambda x: torch.nn.functional.max_pool2d(x, 2),
    "bias": lambda x: x + numbers(3, 1, 1), "lerp": lambda x: torch.lerp(x, x, 0.5),
    **{name: lambda x, name=name: getattr(x, name)() for name in METHODS},
}
TWO: dict[str, Any] = {
    "x + y": lambda x, y: x + y, "x > y": lambda x, y: x > y,
    "maximum": lambda x, y: torch.maximum(x, y), "x where y": lambda x, y: torch.where(x > 1, x, y),
    "x + row of y": lambda x, y: x + y[:, :1], "x + vector of y": lambda x, y: x + y[0, 0],
    "cat x y": lambda x, y: torch.cat([x, y], 2), "addcmul": lambda x, y: torch.addcmul(x, y, y),
}


def table() -> dict[str, list[Any]]:
    """Return for each case (strides, whether the memory is row-major)."""
    found = {}
    for layout, make in LAYOUTS.items():
        for name, call in ONE.items():
            y = call(make())
            found[f"{name} | {layout}"] = [list(y.stride()), y.is_contiguous()]
        for name, call in TWO.items():
            for other, make_other in LAYOUTS.items():
                y = call(make(), make_other())
                found[f"{name} | {layout}, {other}"] = [list(y.stride()), y.is_contiguous()]
    return found


if __name__ == "__main__":
    record(sys.modules["__main__"])
