"""What a line of a program can be: name -> text of an expression, or of a write in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .model_math import KINKED, SMOOTH, STEPS

IN_F = {"gelu", "silu", "leaky_relu", "hardtanh", "softplus", "logsigmoid"}
BOUNDED = {"log": "({}.abs() + 0.5)", "log2": "({}.abs() + 0.5)", "sqrt": "({}.square() + 0.3)",
           "rsqrt": "({}.square() + 0.3)", "reciprocal": "({}.square() + 0.5)",
           "asin": "({} * 0.3)", "log1p": "({}.square())"}
Line = Callable[[Any], str]


def unary(name: str) -> Line:
    def line(d: Any) -> str:
        x = d.x() if d.one_in(5) and name not in IN_F else d.f()
        x = BOUNDED.get(name, "{}").format(x)
        if name in IN_F:
            return f"torch.nn.functional.{name}({x})"
        return f"torch.{name}({x})" if d.flag() else f"{x}.{name}()"

    return line


def binary(name: str) -> Line:
    return lambda d: f"torch.{name}({d.x()}, {d.partner()})"


def with_tensor(name: str) -> Line:
    fits = lambda a, b: a.v.size and b.floating and a.shape[-1:] == b.shape[-1:]
    return lambda d: f"torch.{name}({d.f()}, {d.other(fits)})"


def operator(sign: str) -> Line:
    def line(d: Any) -> str:
        x, y = d.x(), d.partner()
        return f"{y} {sign} {x}" if d.flag() else f"{x} {sign} {y}"

    return line


def reduction(name: str, more: str = "") -> Line:
    return lambda d: f"{d.f()}.{name}(dim={d.some_dims()}, keepdim={d.flag()}{more})"


def along(name: str) -> Line:
    return lambda d: f"{d.f()}.{name}({d.dim()})"


def mask(d: Any) -> str:
    """Return a mask of the last tensor's shape."""
    x = d.same()
    return f"({x} {d.pick(['>', '<', '>=', '<='])} {d.pick([0.3, -0.2, 0])})"


def index(d: Any, places: Any) -> str:
    return f"torch.tensor({places})"


def at_dim(d: Any, text: str, *ranks: int) -> str:
    """Fill in x, dim, and a tensor of places along it."""
    x = d.f(*ranks) if ranks else d.f()
    dim = d.dim()
    return text.format(x=x, dim=dim, places=index(d, d.places(dim)), number=d.real())


def grid_index(d: Any, dim: int, shape: Any = None) -> str:
    """Return an index tensor for gather: the tensor's shape, another size along dim."""
    n = d.now.shape[dim] if d.now.shape and 0 not in d.now.shape else d.pick([])
    if shape is None:
        shape = list(d.now.shape)
        shape[dim] = d.size(1, 3)
    total = 1
    for k in shape:
        total *= k
    return f"torch.tensor({[d.size(0, n - 1) for _ in range(total)]}).reshape({shape})"


def gather(d: Any) -> str:
    x, dim = d.f(), d.dim()
    return f"{x}.gather({dim}, {grid_index(d, dim)})"


def scatter_add(d: Any, name: str = "scatter_add") -> str:
    x, dim = d.f(), d.dim()
    source = d.other(lambda a, b: b.floating and b.v.ndim == a.v.ndim and b.v.size)
    at = grid_index(d, dim, list(d.program.names[source].shape))
    return f"{x}.{name}({dim}, {at}, {source})"


def index_add(d: Any, name: str = "index_add") -> str:
    x, dim = d.f(), d.dim()
    source = d.other(lambda a, b: b.floating and b.v.ndim == a.v.ndim)
    n = d.program.names[source].shape
    n = n[dim] if n else 0
    return f"{x}.{name}({dim}, torch.tensor({[*d.places(dim), 0, 0, 0][:n]}), {source})"


def matmul(d: Any, name: str = "matmul", ranks: tuple[int, ...] = (1, 2, 3)) -> str:
    x = d.f(*ranks)
    fits = [k for k, t in d.tensors().items()
            if t.floating and t.v.ndim and t.v.dtype == d.now.v.dtype
            and t.shape[max(-2, -t.v.ndim)] == d.now.shape[-1]]
    y = d.pick([*fits, f"{x}.transpose(-1, -2)"] if d.now.v.ndim > 1 else fits)
    return f"{x} @ {y}" if name == "matmul" and d.flag() else f"torch.{name}({x}, {y})"


def addmm(d: Any) -> str:
    x = d.f(2)
    n = d.now.shape[0]
    c = d.pick(k for k, t in d.tensors().items() if t.floating and t.shape in (
        (n,), (1, n), (n, n), (), (1,), (n, 1)))
    return f"torch.addmm({c}, {x}, {x}.transpose(0, 1), beta={d.real()}, alpha={d.real()})"


def three(name: str, more: str = "") -> Line:
    return lambda d: f"torch.{name}({d.f()}, {d.inner()}, {d.inner()}{more})"


def padded(d: Any) -> str:
    x = d.f(1, 2, 3)
    widths = [d.size(-1, 2) for _ in range(2 * d.size(1, d.now.v.ndim))]
    return f"torch.nn.functional.pad({x}, {widths}, value={d.real()})"


def selected(d: Any) -> str:
    """Index by lists, tensors and masks among slices."""
    x = d.f(1, 2, 3)
    dim = d.size(0, d.now.v.ndim - 1)
    places = d.places(dim)
    lead = ":, " * dim
    kind = d.size(0, 3)
    if kind == 0:
        return f"{x}[{lead}{places}]"
    if kind == 1:
        return f"{x}[{lead}torch.tensor({places})]"
    if kind == 2:
        return f"{x}[{mask(d)}]"
    return f"{x}[{'0, ' * dim}..., {d.places(-1)}]" if d.now.v.ndim > dim else f"{x}[{places}]"


EXPRESSIONS: dict[str, Line] = {
    **{name: unary(name) for name in (*SMOOTH, *KINKED, *STEPS)},
    **{name: binary(name) for name in ("add", "sub", "mul")},
    **{name: with_tensor(name) for name in ("maximum", "minimum", "logaddexp")},
    **{sign: operator(sign) for sign in ("+", "-", "*", ">", "<=")},
    "div": lambda d: f"{d.x()} / {d.number()}",
    "divide": lambda d: f"{d.x()} / ({d.same()}.square() + 0.5)",
    "over": lambda d: f"{d.real()} / ({d.f()}.abs() + 0.5)",
    "power": lambda d: f"{d.x()} ** {d.pick([2, 3, 1, 2.0])}",
    "tensor power": lambda d: f"({d.f()}.square() + 0.3) ** {d.same()}",
    "number power": lambda d: f"{d.pick([2, 0.5, 1.5])} ** {d.f()}",
    "add alpha": lambda d: f"torch.add({d.f()}, {d.same()}, alpha={d.pick([2, -1])})",
    "where": lambda d: f"torch.where({mask_of(d)}, {d.partner()}, {d.last})",
    "clamp": lambda d: f"{d.f()}.clamp({d.pick([-0.5, -1, None])}, {d.pick([0.7, 1])})",
    "lerp": three("lerp"), "addcmul": three("addcmul", ", value=0.5"),
    "addcdiv": lambda d: f"torch.addcdiv({d.f()}, {d.same()}, {d.same()}.square() + 0.5)",
    **{name: reduction(name) for name in ("sum", "mean", "amax", "amin", "norm")},
    **{f"{name}{c}": reduction(name, f", correction={c}") for name in ("var", "std")
       for c in (0, 1)},
    "sum of all": lambda d: f"{d.x()}.sum()", "mean of all": lambda d: f"{d.f()}.mean()",
    **{name: along(name) for name in ("prod", "cumsum", "cumprod", "logsumexp", "softmax",
                                      "log_softmax", "argmax", "argmin", "median")},
    "sort": lambda d: f"{d.f()}.sort({d.dim()}, descending={d.flag()})",
    "topk": lambda d: f"{d.f()}.topk({d.size(1, 2)}, {d.dim()})",
    "matmul": matmul, "mm": lambda d: matmul(d, "mm", (2,)),
    "mv": lambda d: matmul(d, "mv", (2,)), "bmm": lambda d: matmul(d, "bmm", (3,)),
    "dot": lambda d: f"torch.dot({d.f(1)}, {d.same()})",
    "outer": lambda d: f"torch.outer({d.f(1)}, {d.f(1)})",
    "kron": lambda d: f"torch.kron({d.f(1, 2)}, {d.last})",
    "einsum": lambda d: f"torch.einsum('ij,kj->ik', {d.f(2)}, {d.last})",
    "einsum batch": lambda d: f"torch.einsum('...i,...i->...', {d.f(1, 2, 3)}, {d.same()})",
    "addmm": addmm,
    # views
    "transpose": lambda d: f"{d.x()}.transpose({d.dim()}, {d.dim()})",
    "permute": lambda d: f"{d.x()}.permute({d.permutation()})",
    "view": lambda d: f"{d.x()}.view({d.shape_of_same_size()})",
    "reshape": lambda d: f"{d.x()}.reshape({d.shape_of_same_size()})",
    "flatten": lambda d: f"{d.x()}.flatten({d.dim()}, {d.dim()})",
    "expand": lambda d: f"{d.x()}.expand({[d.size(), *[-1] * d.now.v.ndim]})",
    "expand ones": lambda d: f"{d.x()}.expand({[n if n != 1 else 2 for n in d.now.shape]})",
    "unsqueeze": lambda d: f"{d.x()}.unsqueeze({d.dim()})",
    "squeeze": lambda d: f"{d.x()}.squeeze({d.dim()})",
    "select": lambda d: f"{d.x()}.select({d.dim()}, {d.size(-1, 1)})",
    "narrow": lambda d: f"{d.x()}.narrow({d.dim()}, {d.size(0, 1)}, {d.size(1, 2)})",
    "diagonal": lambda d: f"{d.x()}.diagonal({d.size(-1, 1)}, {d.dim()}, {d.dim()})",
    "unfold": lambda d: f"{d.x()}.unfold({d.dim()}, {d.size(1, 2)}, {d.size(1, 2)})",
    "slice": lambda d: f"{d.x()}[{d.slices()}]", "slices": lambda d: f"{d.f()}[{d.slices()}]",
    "split": lambda d: f"{d.x()}.split({d.size(1, 2)}, {d.dim()})",
    "chunk": lambda d: f"{d.x()}.chunk({d.size(1, 3)}, {d.dim()})",
    "unbind": lambda d: f"{d.x()}.unbind({d.dim()})",
    "detach": lambda d: f"{d.f()}.detach()",
    # copies
    "clone": lambda d: f"{d.x()}.clone()", "clone again": lambda d: f"{d.f()}.clone()",
    "dense": lambda d: f"{d.f()}.clone(memory_format=torch.contiguous_format)",
    "twice": lambda d: f"{d.f()} * 2",
    "flip": lambda d: f"{d.x()}.flip({d.dims()})",
    "roll": lambda d: f"{d.x()}.roll({d.size(-2, 2)}, {d.dim()})",
    "repeat": lambda d: f"{d.x()}.repeat({[d.size(1, 2) for _ in range(d.now.v.ndim)] or [2]})",
    "tril": lambda d: f"{d.f(2, 3)}.tril({d.size(-1, 1)})",
    "triu": lambda d: f"{d.f(2, 3)}.triu({d.size(-1, 1)})",
    "repeat_interleave": lambda d: f"{d.x()}.repeat_interleave({d.size(1, 2)}, {d.dim()})",
    "pad": padded,
    "cat": lambda d: f"torch.cat([{d.x()}, {d.same()}], {d.dim()})",
    "cat three": lambda d: f"torch.cat([{d.f()}, {d.same()}, {d.last} * 0.5], {d.dim()})",
    "stack": lambda d: f"torch.stack([{d.x()}, {d.same()}], {d.dim()})",
    # indexing
    "indexing": selected, "gather": gather, "scatter_add": scatter_add, "index_add": index_add,
    "index_select": lambda d: at_dim(d, "{x}.index_select({dim}, {places})"),
    "index_fill": lambda d: at_dim(d, "{x}.index_fill({dim}, {places}, {number})"),
    "masked_fill": lambda d: f"{d.f()}.masked_fill({mask(d)}, {d.real()})",
    "masked_select": lambda d: f"{d.f()}.masked_select({mask(d)})",
    "take": lambda d: f"{d.f()}.take(torch.tensor({d.flat_places()}))",
    # dtypes
    "double": lambda d: f"{d.x()}.to(torch.float64)",
    "single": lambda d: f"{d.f()}.to(torch.float32)",
    "whole": lambda d: f"{d.f()}.to(torch.int64)",
    "not": lambda d: f"~{d.x(lambda t: t.v.dtype == bool)}",
}


def mask_of(d: Any) -> str:
    d.f()
    return mask(d)


def put(d: Any) -> str:
    x = d.f(1, 2, 3)
    return f"{x}[{d.places(0)}] = {d.pick([d.real(), *row_names(d)])}"


def row_names(d: Any) -> list[str]:
    return [k for k, t in d.tensors().items() if t.floating and t.shape == d.now.shape[1:]]


def masked_put(d: Any) -> str:
    return f"{d.f()}[{mask(d)}] = {d.real()}"


def sliced_put(d: Any) -> str:
    return f"{d.f()}[{d.slices()}] = {d.pick([d.real(), d.partner()])}"


def with_value(name: str) -> Line:
    return lambda d: f"{d.f()}.{name}({d.pick_value()})"


def alone(name: str) -> Line:
    return lambda d: f"{d.f()}.{name}()"


WRITES: dict[str, Line] = {
    **{f"{name}_": with_value(f"{name}_") for name in ("add", "sub", "mul")},
    "add again": with_value("add_"), "mul again": with_value("mul_"),
    **{f"{name}_": alone(f"{name}_")
       for name in ("sin", "tanh", "exp", "sigmoid", "square", "relu", "neg", "floor", "abs",
                    "zero")},
    "add to int": lambda d: f"{d.x(lambda t: not t.floating)}.add_({d.pick([1, 2, True])})",
    "div_": lambda d: f"{d.f()}.div_({d.real()})",
    "div by": lambda d: f"{d.f()}.div_({d.inner()}.square() + 0.5)",
    "pow_": lambda d: f"{d.f()}.pow_({d.pick([2, 3])})",
    "clamp_": lambda d: f"{d.f()}.clamp_(-0.6, 0.8)",
    "copy_": lambda d: f"{d.f()}.copy_({d.inner()})",
    "copy again": lambda d: f"{d.f()}.copy_({d.inner()}.clone())",
    "fill_": lambda d: f"{d.f()}.fill_({d.real()})",
    "masked_fill_": lambda d: f"{d.f()}.masked_fill_({mask(d)}, {d.real()})",
    "index_fill_": lambda d: at_dim(d, "{x}.index_fill_({dim}, {places}, {number})"),
    "index_add_": lambda d: index_add(d, "index_add_"),
    "scatter_add_": lambda d: scatter_add(d, "scatter_add_"),
    "index_put_": lambda d: (f"{d.f(1, 2)}.index_put_([torch.tensor({d.places(0)})], "
                             f"{d.pick(row_names(d))}, accumulate={d.flag()})"),
    "cumsum_": lambda d: f"{d.f()}.cumsum_({d.dim()})",
    "tril_": lambda d: f"{d.f(2, 3)}.tril_()",
    "addcmul_": lambda d: f"{d.f()}.addcmul_({d.inner()}, {d.inner()}, value=0.5)",
    "set": sliced_put, "set part": sliced_put, "set masked": masked_put, "set list": put,
    "set slice": lambda d: f"{d.f()}[...] = {d.inner()}.clone()",
}
