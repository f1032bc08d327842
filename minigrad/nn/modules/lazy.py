"""`LazyModuleMixin`: layers that learn the sizes of their parameters from the first input."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from ..._random import Generator
from ..parameter import UninitializedParameter, is_lazy
from ._make import initialise

if TYPE_CHECKING:
    from .module import Module

    Base = Module
else:
    Base = object

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin(Base):
    """Make a layer lazy: its parameters get their shapes when it is called for the first time.

    A lazy layer starts with `UninitializedParameter`s (and `UninitializedBuffer`s). Before its
    first call `initialize_parameters(*args, **kwargs)`, which subclasses define, gives them shapes
    and values; then the layer becomes an ordinary one, of class `cls_to_become` if there is one.
    Loading a state_dict gives shapes, too. Call a net with a dummy batch before you count its
    parameters or set their values.

    List the mixin before the layer: `class LazyLinear(LazyModuleMixin, Linear)`. ValueError if
    parameters are used before the first call, RuntimeError if they have no shape after it.

    >>> import minigrad as torch
    >>> net = torch.nn.Sequential(torch.nn.LazyLinear(3), torch.nn.LazyLinear(2))
    >>> net
    Sequential(
      (0): LazyLinear(in_features=0, out_features=3, bias=True)
      (1): LazyLinear(in_features=0, out_features=2, bias=True)
    )
    >>> net(torch.ones(4, 5)).shape
    torch.Size([4, 2])
    >>> net
    Sequential(
      (0): Linear(in_features=5, out_features=3, bias=True)
      (1): Linear(in_features=3, out_features=2, bias=True)
    )
    """

    cls_to_become: type[Any] | None = None
    _generator: Generator | None = None  # of the first values, kept until they are drawn

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Plain functions, not methods: a hook that held its module would be a reference cycle.
        self._load_hook = self._register_load_state_dict_pre_hook(_take_shapes, with_module=True)
        self._initialize_hook = self.register_forward_pre_hook(_infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give all parameters shapes and values; gets the arguments of the first call."""
        raise NotImplementedError(f"initialize_parameters is not implemented for "
                                  f"{type(self).__name__}: define it, materialize the parameters "
                                  f"in it")

    def has_uninitialized_params(self) -> bool:
        """Tell whether a parameter or buffer of this layer still waits for its shape."""
        return any(is_lazy(t) for t in chain(self._parameters.values(), self._buffers.values()))

    def _wait(self, dtype: Any, device: Any, generator: Generator | None, *names: str) -> None:
        """Register parameters without shapes; keep the generator until they are drawn."""
        for name in names:
            setattr(self, name, UninitializedParameter(device=device, dtype=dtype))
        if generator is not None:
            self._generator = generator

    def _materialize(self, **shapes: tuple[int, ...]) -> None:
        """Give shapes to the parameters and buffers that wait for one; set first values."""
        for name, shape in shapes.items():
            waiting: Any = getattr(self, name)
            if is_lazy(waiting):
                waiting.materialize(shape)
        initialise(self.reset_parameters, self._generator)  # type: ignore[operator]
        vars(self).pop("_generator", None)


def _take_shapes(module: Any, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Before loading: parameters without a shape get that of the value."""
    for name, waiting in chain(module._parameters.items(), module._buffers.items()):
        value = state_dict.get(prefix + name)
        if value is not None and is_lazy(waiting) and not is_lazy(value):
            waiting.materialize(value.shape)


def _infer_parameters(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Before the first call: initialise, and turn the module into an ordinary one."""
    module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise RuntimeError(f"module {module._get_name()} has not been fully initialized: its "
                           f"initialize_parameters must materialize all parameters")
    module._initialize_hook.remove()
    module._load_hook.remove()
    del module._initialize_hook, module._load_hook
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become
