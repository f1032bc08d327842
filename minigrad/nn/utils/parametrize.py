"""Parametrizations: a parameter that is computed from another one whenever it is read.

After `register_parametrization(layer, "weight", f)` the attribute `layer.weight` is
`f(layer.parametrizations.weight.original)`, and training changes the original.
"""

from __future__ import annotations

import contextlib
import copyreg
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from ...modes import no_grad
from ...tensor import Tensor
from ..modules.container import ModuleDict, ModuleList
from ..modules.module import Module
from ..parameter import Parameter

__all__ = ["ParametrizationList", "cached", "is_parametrized", "register_parametrization",
           "remove_parametrizations", "transfer_parametrizations_and_params",
           "type_before_parametrizations"]

_depth = 0
_cache: dict[tuple[int, str], Tensor] = {}


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Compute every parametrized tensor once inside the `with` block, not at every access.

    For weights that are read often, such as a recurrent layer's. Blocks may be nested; what was
    computed is forgotten at the end of the outermost one.

    >>> import minigrad as torch
    >>> from minigrad.nn.utils import parametrizations, parametrize
    >>> layer = parametrizations.orthogonal(torch.nn.Linear(3, 3))
    >>> with parametrize.cached():
    ...     layer.weight is layer.weight
    True
    """
    global _depth, _cache
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            _cache = {}


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _same(found: Tensor, what: str, wanted: Tensor, name: str, shape: bool = True) -> None:
    """Refuse a tensor of another dtype or shape than the parametrized one."""
    for key in ("dtype", "shape") if shape else ("dtype",):
        a, b = getattr(found, key), getattr(wanted, key)
        if a != b:
            raise ValueError(f"Registering a parametrization may not change the {key} of the "
                             f"tensor, unless the `unsafe` flag is enabled: {name} has {b}, "
                             f"{what} {a}")


def _is_tensor(value: Any, what: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} must return a tensor. Got {type(value).__name__}.")
    return value


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, in order, with the tensor(s) they start from.

    The tensor is `original`; if the first parametrization's `right_inverse` returns several, they
    are `original0`, `original1`, ... Made by `register_parametrization`, not by programs.
    ValueError if a result is no tensor or, without `unsafe`, has another dtype or shape.
    """

    unsafe: bool
    is_tensor: bool
    ntensors: int

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        like = original.detach()
        with no_grad():
            new: Any = original
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with contextlib.suppress(NotImplementedError):  # then it is the identity
                        new = module.right_inverse(new)
        if not isinstance(new, (Tensor, Sequence)):
            raise ValueError(f"'right_inverse' must return a Tensor or a Sequence of tensors "
                             f"(list, tuple...). Got {type(new).__name__}")
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if isinstance(new, Tensor):
            if new.dtype != original.dtype:
                raise ValueError(f"When `right_inverse` outputs one tensor, it may not change the "
                                 f"dtype: got {new.dtype} for {original.dtype}")
            original.data = new.detach()  # the same parameter: optimizers know it
            _register(self, "original", original)
        else:
            self._register_several(new, original)
        if not unsafe:
            made = _is_tensor(self(), "A parametrization")
            _same(made, "the parametrized tensor", like, "the tensor")

    def _register_several(self, new: Sequence[Any], original: Tensor) -> None:
        for i, each in enumerate(new):
            if not isinstance(each, Tensor):
                raise ValueError(f"'right_inverse' must return a Tensor or a Sequence of tensors "
                                 f"(list, tuple...). Got element {i} of the sequence with type "
                                 f"{type(each).__name__}.")
            if isinstance(original, Parameter):
                each = Parameter(each, original.requires_grad)
            each.requires_grad_(original.requires_grad)
            _register(self, f"original{i}", each)

    def _originals(self) -> list[Tensor]:
        """Return the tensors that the first parametrization is called with."""
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the parametrized tensor becomes `value`.

        Every parametrization needs a `right_inverse` (RuntimeError); they run from the last to the
        first. ValueError if the result does not fit the originals.
        """
        result: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not "
                                       f"implement right_inverse.")
                result = module.right_inverse(result)
            if self.is_tensor:
                results = [_is_tensor(result, "`right_inverse`")]
            elif not isinstance(result, Sequence):
                raise ValueError(f"'right_inverse' must return a sequence of tensors. Got "
                                 f"{type(result).__name__}.")
            else:
                results = list(result)
            if len(results) != self.ntensors:
                raise ValueError(f"'right_inverse' must return a sequence of tensors of length "
                                 f"{self.ntensors}. Got a sequence of length {len(results)}.")
            for i, (old, new) in enumerate(zip(self._originals(), results, strict=True)):
                if _is_tensor(new, f"element {i} of `right_inverse`").dtype != old.dtype:
                    raise ValueError(f"Tensor {i} returned by `right_inverse` has dtype "
                                     f"{new.dtype}, while the original has dtype {old.dtype}")
                old.data = new.detach()

    def forward(self) -> Tensor:
        """Return the parametrized tensor."""
        first, *others = self
        value: Tensor = first(*self._originals())
        for module in others:
            value = module(value)
        return value


def _refuse_pickle(self: Module) -> Any:
    raise RuntimeError("Serialization of parametrized modules is only supported through "
                       "state_dict(): save that, and register the parametrizations again before "
                       "load_state_dict")


def _deepcopy(self: Module, memo: dict[int, Any]) -> Module:
    """Copy as modules without parametrizations are copied (pickling, and so the default, fails)."""
    if id(self) in memo:
        found: Module = memo[id(self)]
        return found
    kind = type(self)
    made = self.__new__(kind)
    memo[id(self)] = made
    vars(made).update(deepcopy(vars(self), memo))
    for slot in copyreg._slotnames(kind):  # type: ignore[attr-defined]
        if hasattr(self, slot):
            setattr(made, slot, deepcopy(getattr(self, slot), memo))
    # a class of its own: removing the parametrizations of one must not change the other
    body = {key: value for key, value in vars(kind).items()
            if key not in ("__dict__", "__weakref__")}
    made.__class__ = type(kind.__name__, kind.__bases__, body)
    return made


def _inject_class(module: Module) -> None:
    """Give the module a class of its own: properties belong to classes."""
    kind = type(module)
    body: dict[str, Any] = {"__getstate__": _refuse_pickle}
    if not hasattr(kind, "__deepcopy__"):
        body["__deepcopy__"] = _deepcopy
    module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), body)


def _inject_property(module: Module, name: str) -> None:
    def get(self: Module) -> Tensor:
        found: ParametrizationList = self.parametrizations[name]
        if not _depth:
            value: Tensor = found()
            return value
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = found()
        return _cache[key]

    def put(self: Module, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *,
                             unsafe: bool = False) -> Module:
    """Let `parametrization(original)` take the place of a parameter or buffer; return the module.

    The original is trained and saved, as `parametrizations.<name>.original`. Several may be
    registered: each acts on the previous one's result. A method `right_inverse(value)` gives the
    original for a wanted value, at registration and when the attribute is assigned to; if it
    returns several tensors they are new parameters (tell the optimizer).
    Args: unsafe: allow other shapes and dtypes. ValueError for unknown names and bad results.

    >>> import minigrad as torch
    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> torch.nn.utils.parametrize.register_parametrization(
    ...     torch.nn.Linear(2, 2), "weight", Symmetric())
    ParametrizedLinear(
      in_features=2, out_features=2, bias=True
      (parametrizations): ModuleDict(
        (weight): ParametrizationList(
          (0): Symmetric()
        )
      )
    )
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_next(module, tensor_name, parametrization)
        found = module.parametrizations[tensor_name]
        found.append(parametrization)
        found.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = made
    else:
        raise ValueError(f"Module '{module}' does not have a parameter, a buffer, or a "
                         f"parametrized element with name '{tensor_name}'")
    return module


def _check_next(module: Module, name: str, parametrization: Any) -> None:
    """Check that another parametrization keeps dtype and shape, there and back."""
    now = getattr(module, name)
    made = _is_tensor(parametrization(now), "A parametrization")
    _same(made, f"parametrization(module.{name})", now, f"module.{name}")
    if not hasattr(parametrization, "right_inverse"):
        return
    with contextlib.suppress(NotImplementedError):
        back = _is_tensor(parametrization.right_inverse(made), "parametrization.right_inverse")
        _same(back, "the tensor returned by parametrization.right_inverse", now, f"module.{name}")


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Tell whether a tensor of the module (None: any) has a parametrization."""
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str,
                            leave_parametrized: bool = True) -> Module:
    """Turn a parametrized tensor into a plain parameter or buffer again; return the module.

    Args: leave_parametrized: keep the present value; False puts the original back, which needs
    that there is one only. ValueError if the tensor is not parametrized or has several originals.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    found = module.parametrizations[tensor_name]
    if found.is_tensor:
        plain = found.original
        if leave_parametrized:
            with no_grad():
                plain.data = getattr(module, tensor_name).detach()
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        plain = Parameter(value) if value.requires_grad else value
    else:
        raise ValueError("Cannot leave unparametrized (`leave_parametrized=False`) a tensor that "
                         "is parametrized in terms of a sequence of tensors.")
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, plain)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """Return the class that the module had before its first parametrization."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module: Module, to_module: Module,
                                         tensor_name: str | None = None) -> Module:
    """Copy parametrizations (of one tensor or of all) and their originals to another module.

    Parameters that the other module lacks are made. Nothing happens if there is nothing to copy.
    The modules share the originals and the parametrizations afterwards, they are not cloned.
    """
    if not is_parametrized(from_module):
        return to_module
    for name in from_module.parametrizations if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for each in from_module.parametrizations[name]:
            register_parametrization(to_module, name, each)
        source, target = (m.parametrizations[name] for m in (from_module, to_module))
        if source.is_tensor:
            target.original = source.original
        else:
            for i in range(source.ntensors):
                setattr(target, f"original{i}", getattr(source, f"original{i}"))
    return to_module
