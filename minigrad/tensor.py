"""class Tensor: an array with a place on the tape.

The class holds the state, the operators, the bridge to NumPy and the autograd methods. The methods
that only forward to an op are bound in `_methods.py`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import _dtype, calls, declare, engine, nodes, quick_calls, views
from ._check import ambiguous
from ._device import cpu, strided
from ._methods import Methods
from ._methods_info import InfoMethods
from ._methods_math import MathMethods
from ._methods_rare import RareMethods
from ._operators import Operators
from ._subclasses import Subclasses
from .backprop import backward
from .engine import Leaf, Node, Pick, wrap
from .modes import state
from .ops import index
from .outputs import into
from .storage import origin
from .versions import InferenceStorage, Storage, storage_of

ndarray = np.ndarray


class Tensor(InfoMethods, Methods, MathMethods, RareMethods, Operators, Subclasses):
    """Hold numbers of one dtype in an n-dimensional array, and what is needed to differentiate.

    Make one with `tensor`, `zeros`, `randn`, ...; `Tensor(2, 3)` makes an unset float tensor of
    that shape and `Tensor([1, 2])` one with these values, as in PyTorch.

    >>> import minigrad as torch
    >>> x = torch.tensor([1., 2.], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    _data: ndarray
    _node: Node | Leaf | None = None  # the place on the tape; None: a constant
    _storage: Storage | None = None  # version counter, made when first needed
    _base: Tensor | None = None  # views: the tensor that owns the memory,
    _chain: views.Chain = ()  # the view ops that lead from it to this one,
    _rebased = 0  # how many rewrites of its history are known here,
    _frozen: str | None = None  # and why it must not be written in place
    _reshapes: tuple[tuple[int, Any], ...] = ()  # of a base: how to undo t_(), squeeze_(), ...
    _grad: Tensor | None = None
    _grad_dtype: Any = ...  # of a leaf: what `.grad` must be; None: anything; ...: as the tensor

    __array_priority__ = 1000  # ndarray * Tensor comes to Tensor.__rmul__

    __module__ = "minigrad"  # where it is public, so that repr(type(x)) is as short as in PyTorch
    _shown_as = "tensor"

    # ---- what the engine asks of the class
    _mark_view = staticmethod(views.mark_view)

    @staticmethod
    def _dtype_of(numpy_dtype: np.dtype[Any]) -> _dtype.dtype:
        return _dtype.from_numpy[numpy_dtype]

    @staticmethod
    def _can_cast(source: np.dtype[Any], to: np.dtype[Any]) -> bool:
        return _dtype.can_cast(_dtype.from_numpy[source], _dtype.from_numpy[to])

    @staticmethod
    def _type_name(numpy_dtype: np.dtype[Any]) -> str:
        names = {"float16": "Half", "float32": "Float", "float64": "Double", "int8": "Char",
                 "int16": "Short", "int32": "Int", "int64": "Long", "uint8": "Byte", "bool": "Bool"}
        return names[numpy_dtype.name]

    @staticmethod
    def _write_out(function: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        """Run an op and write its result into `out=`, which must not need a gradient."""
        out = given.pop("out")
        made = function(*function.op.fill(args, given))
        return made if out is None else into(function.op.name, made, out, args)

    # ---- shape and type
    @property
    def shape(self) -> _dtype.Size:
        """The sizes of the dimensions."""
        return _dtype.as_size(self._data.shape)

    @property
    def dtype(self) -> _dtype.dtype:
        """The element type."""
        return _dtype.from_numpy[self._data.dtype]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._data.ndim

    device = property(lambda self: cpu, doc="Where the tensor lives: always the CPU.")
    layout = property(lambda self: strided, doc="The memory layout: always strided.")
    is_cuda = is_sparse = is_quantized = is_mps = is_xpu = is_meta = is_nested = property(
        lambda self: False, doc="Always False: a dense tensor on the CPU.")
    is_cpu = property(lambda self: True, doc="Always True.")

    def __len__(self) -> int:
        if not self._data.ndim:
            raise TypeError("len() of a 0-d tensor; it has no dimensions, use numel() or item()")
        return self._data.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self._data.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __reversed__(self) -> Tensor:
        return self.flip(0) if self._data.ndim else self

    # ---- autograd
    @property
    def requires_grad(self) -> bool:
        """True if gradients are computed for this tensor; settable on leaves."""
        if self._base is not None:
            engine.refresh(self)
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if not isinstance(value, (bool, np.bool_)):
            raise RuntimeError(f"requires_grad must be a bool, not {type(value).__name__}")
        if not self.is_leaf and value:
            raise RuntimeError("you can only change requires_grad flags of leaf variables; to keep "
                               "the gradient of a result, call retain_grad()")
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Say whether gradients are wanted for this leaf; return the tensor itself."""
        if not isinstance(requires_grad, (bool, np.bool_)):
            raise TypeError(f"requires_grad_(): argument 'requires_grad' must be bool, not "
                            f"{type(requires_grad).__name__}")
        if self.is_inference() and requires_grad and not state.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside "
                               "InferenceMode is not allowed; clone() it first")
        if not self.is_leaf:
            if requires_grad:
                return self
            raise RuntimeError("you can only change requires_grad flags of leaf variables. This "
                               f"tensor is the result of {self.grad_fn}: use detach().")
        if requires_grad and self._node is None:
            if self._data.dtype.kind != "f":
                raise RuntimeError("only Tensors of floating point dtype can require gradients, "
                                   f"not {self.dtype}; convert with .float() first")
            self._node = Leaf(self)
            self._node.dtype = self._kind_of_grad() or self._data.dtype
        elif not requires_grad and self._node is not None:
            self._grad, self._node = self.grad, None
        return self

    @property
    def is_leaf(self) -> bool:
        """True unless the tensor is the recorded result of an op."""
        return not self.requires_grad or type(self._node) is Leaf

    @property
    def grad_fn(self) -> Node | None:
        """The recorded function that made this tensor; None for leaves."""
        node: Any = None if self.is_leaf else self._node
        return node.parents[0] if type(node) is Pick else node

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient of a leaf (or of a tensor after `retain_grad`)."""
        node = self._node
        if type(node) is Leaf:
            return node.grad
        if node is not None and self._grad is None and node.retain is None:
            import warnings

            warnings.warn("The .grad attribute of a Tensor that is not a leaf Tensor is being "
                          "accessed. Its .grad attribute won't be populated during "
                          "autograd.backward(): call .retain_grad() on it first, or look at the "
                          "leaf instead.", UserWarning, stacklevel=2)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of "
                                f"type {type(value).__name__}")
            if value is self:
                raise RuntimeError("can't assign Variable as its own grad")
            if value._data.shape != self._data.shape:
                raise RuntimeError(f"assigned grad has data of a different size: "
                                   f"{list(value.shape)} for a tensor of {list(self.shape)}")
            if value._data.dtype != (self._kind_of_grad() or value._data.dtype):
                raise RuntimeError(f"assigned grad has data of a different type: {value.dtype} "
                                   f"for a tensor of {self.dtype}")
        node = self._node
        if type(node) is Leaf:
            node.grad = value
        else:
            self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    @property
    def data(self) -> Tensor:
        """The same memory without history and with a version counter of its own."""
        made = wrap(self._data, None)
        if self._base is not None or self._origin is not None:
            made._origin = origin(self)
        return made

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._node is not None and value._data.dtype.kind != "f":
            raise RuntimeError(f"data set to a tensor that requires gradients must be floating "
                               f"point, not {value.dtype}")
        self._data = value._data
        if self._base is not None:  # it shows the memory of its base no longer
            self._base, self._chain, self._storage = None, (), Storage()
        if type(self._node) is Leaf:
            self._node.hold(value._data)

    def detach(self) -> Tensor:
        """Return the same memory, and the same version counter, outside of the graph."""
        made = wrap(self._data, None)
        made._storage = storage_of(self)
        if self._base is not None or self._origin is not None:
            made._origin = origin(self)
        return made

    def detach_(self) -> Tensor:
        """Cut this tensor off from the graph, in place."""
        if self._base is not None:
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        self._node = None
        return self

    def backward(self, gradient: Tensor | None = None, retain_graph: bool | None = None,
                 create_graph: bool = False, inputs: Any = None) -> None:
        """Add the gradients of this tensor to the `.grad` of the leaves that it came from.

        See `minigrad.autograd.backward`; `gradient` may be left out for a single number.
        """
        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any:
        """Call `hook(grad)` when this tensor's gradient is ready; a returned tensor replaces it."""
        from .autograd.graph import RemovableHandle

        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        node: Any = self._node
        if type(node) is Leaf:
            Leaf.hooked = True
        if node.hooks is None:
            node.hooks = {}
        return RemovableHandle(node.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Any:
        """Call `hook(tensor)` after backward has added to this leaf's `.grad`."""
        from .autograd.graph import RemovableHandle

        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if type(self._node) is not Leaf:
            raise RuntimeError("post accumulate grad hooks are for leaf tensors only")
        return RemovableHandle(self._node.watchers(), hook)

    def retain_grad(self) -> None:
        """Keep the gradient of this non-leaf tensor in `.grad` during backward."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if type(self._node) is not Leaf:
            self._node.retain = weakref.ref(self)  # type: ignore[union-attr]

    @property
    def retains_grad(self) -> bool:
        """True for a non-leaf whose gradient is kept."""
        return isinstance(self._node, Node) and self._node.retain is not None

    @property
    def _version(self) -> int:
        return storage_of(self).count

    def _is_view(self) -> bool:
        return self._base is not None

    def is_inference(self) -> bool:
        """Return True for a tensor made in inference mode."""
        return isinstance(self._storage, InferenceStorage)

    # ---- the bridge to Python and NumPy
    def numpy(self, *, force: bool = False) -> ndarray:
        """Return the array itself (shared memory); refused while the tensor requires grad."""
        if not isinstance(force, bool):
            raise TypeError(f"numpy(): argument 'force' must be bool, not {type(force).__name__}")
        if self.requires_grad and state.grad and not force:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. "
                               "Use tensor.detach().numpy() instead.")
        return self._data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:
        array = self.numpy()
        return np.array(array, dtype, copy=copy)

    def item(self) -> Any:
        """Return the only element as a Python number."""
        if self._data.size != 1:
            raise RuntimeError(f"a Tensor with {self._data.size} elements cannot be converted to "
                               f"Scalar; index it first, or use tolist()")
        return self._data.item()

    def tolist(self) -> Any:
        """Return the elements as nested Python lists (a number for a 0-d tensor)."""
        return self._data.tolist()

    def __float__(self) -> float:
        return float(self._number())

    def __int__(self) -> int:
        return int(self._number())

    def _number(self) -> Any:
        if self._data.size != 1:
            raise ValueError(f"only one element tensors can be converted to Python scalars, got "
                             f"{self._data.size} elements")
        return self.item()

    def __index__(self) -> int:
        if self._data.dtype.kind not in "iub" or self._data.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise ambiguous(self._data)
        return bool(self.item())

    def __contains__(self, element: Any) -> bool:
        return bool((self == element).any())

    # ---- indexing
    def __getitem__(self, key: Any) -> Tensor:
        return index.read(self, key)  # type: ignore[no-any-return]

    def __setitem__(self, key: Any, value: Any) -> None:
        index.write(self, key, value)


engine.Tensor = nodes.Tensor = Tensor
declare.step_by_step, declare.write = calls.apply_any, quick_calls.write
