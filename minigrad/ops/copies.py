"""The functional forms of views: `narrow_copy` is `narrow(...)` and a copy, and so on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._check import integer, tensor
from ..outputs import into
from .arrange import diagonal, unfold
from .elementwise import clone
from .join import split, split_with_sizes, unbind
from .shape import squeeze, transpose, unsqueeze
from .slicing import narrow, select
from .strided import as_strided


def _copy_of(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, out: Any = None, **given: Any) -> Any:
        if args:
            tensor(args[0], name)
        made = function(*args, **given)
        if isinstance(made, (tuple, list)):
            if out is None:
                return tuple(clone(part) for part in made)
            return into(name, tuple(made), out, args)
        return clone(made) if out is None else into(name, made, out, args)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return what the view `{name.removesuffix('_copy')}` shows, in new memory."
    return call


def _slice(input: Any, dim: int = 0, start: int | None = None, end: int | None = None,
           step: int = 1) -> Any:
    tensor(input, "slice_copy")
    place = integer(dim, "dim") + (input.ndim if dim < 0 else 0)
    return input[(*(slice(None),) * place, slice(start, end, step))]


def _narrow(input: Any, dim: int, start: int, length: int) -> Any:
    if dim >= max(input.ndim, 1):
        raise RuntimeError(f"narrow_copy: expected dim < {input.ndim}, got {dim}")
    return narrow(input, dim, start, length)


alias_copy = _copy_of("alias_copy", lambda input: input)
as_strided_copy = _copy_of("as_strided_copy", as_strided)
detach_copy = _copy_of("detach_copy", lambda input: input.detach())
diagonal_copy = _copy_of("diagonal_copy", diagonal)
expand_copy = _copy_of("expand_copy", lambda input, size: input.expand(size))
narrow_copy = _copy_of("narrow_copy", _narrow)
permute_copy = _copy_of("permute_copy", lambda input, dims: input.permute(dims))
select_copy = _copy_of("select_copy", select)
slice_copy = _copy_of("slice_copy", _slice)
split_copy = _copy_of("split_copy", split)
split_with_sizes_copy = _copy_of("split_with_sizes_copy", split_with_sizes)
squeeze_copy = _copy_of("squeeze_copy", squeeze)
t_copy = _copy_of("t_copy", lambda input: input.t())
transpose_copy = _copy_of("transpose_copy", transpose)
unbind_copy = _copy_of("unbind_copy", unbind)
unfold_copy = _copy_of("unfold_copy", unfold)
unsqueeze_copy = _copy_of("unsqueeze_copy", unsqueeze)
view_copy = _copy_of("view_copy", lambda input, size: input.view(size))
