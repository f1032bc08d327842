"""The base of the recurrent layers: parameters, checks, packed and unbatched input (see rnn.py)."""

from __future__ import annotations

import warnings
from typing import Any

from ..._check import tensor
from ..._random import Generator
from ...ops import recurrent
from ...ops.scatter import index_select
from ...ops.shape import squeeze, unsqueeze
from ...tensor import Tensor
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from ._make import initialise, made
from ._rnn_cells import draw_all
from .module import Module

__all__ = ["RNNBase"]

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """Base of `RNN`, `LSTM` and `GRU`: parameters, checks, packed sequences.

    Args: mode: "LSTM", "GRU", "RNN_TANH" or "RNN_RELU"; the others: see the layers.
    Layer k has weight_ih_lk (gates * hidden_size, inputs), weight_hh_lk, and bias_ih_lk,
    bias_hh_lk with `bias`, weight_hr_lk with `proj_size`; "_reverse" marks the second direction.
    First values: U(-k, k) with k = 1 / sqrt(hidden_size).
    """

    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int

    def __init__(self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1,
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
                 bidirectional: bool = False, proj_size: int = 0, device: Any = None,
                 dtype: Any = None, *, generator: Generator | None = None) -> None:
        super().__init__()
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = dropout, bidirectional, proj_size
        self._check_options()
        self.dropout, self.generator = float(dropout), generator
        self._all_weights: list[list[str]] = []
        gates = GATES[mode] * hidden_size
        features = proj_size or hidden_size
        ways = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else features * len(ways)
            for way in ways:
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, inputs),
                                                      "weight_hh": (gates, features)}
                if bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = [f"{name}_l{layer}{way}" for name in shapes]
                for name, shape in zip(names, shapes.values(), strict=True):
                    setattr(self, name, made(*shape, device=device, dtype=dtype))
                self._all_weights.append(names)
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        initialise(self.reset_parameters, generator)

    def _check_options(self) -> None:
        """Refuse options of a wrong type or out of range, in PyTorch's order."""
        p = self.dropout
        if isinstance(p, bool) or not 0 <= float(p) <= 1:
            raise ValueError(f"dropout should be a number in range [0, 1] representing the "
                             f"probability of an element being zeroed, got {p!r}")
        if float(p) > 0 and self.num_layers == 1:
            warnings.warn(f"dropout option adds dropout after all but last recurrent layer, so "
                          f"non-zero dropout expects num_layers greater than 1, but got "
                          f"dropout={p} and num_layers=1", stacklevel=4)
        for name, kind in (("input_size", int), ("hidden_size", int), ("bias", bool),
                           ("batch_first", bool)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: "
                                f"{type(value).__name__}")
        for name in ("hidden_size", "input_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero, got {getattr(self, name)}")
        if not isinstance(self.num_layers, int):
            raise TypeError(f"num_layers should be of type int, got: "
                            f"{type(self.num_layers).__name__}")
        if self.proj_size < 0:
            raise ValueError(f"proj_size should be a positive integer or zero to disable "
                             f"projections, got {self.proj_size}")
        if self.proj_size >= self.hidden_size:
            raise ValueError(f"proj_size has to be smaller than hidden_size, got "
                             f"{self.proj_size} and {self.hidden_size}")
        if self.mode not in GATES:
            raise ValueError(f"Unrecognized RNN mode: {self.mode}, expected one of {list(GATES)}")
        if self.proj_size and self.mode != "LSTM":
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")

    # ---- parameters
    def reset_parameters(self) -> None:
        """Draw new values: U(-k, k) with k = 1 / sqrt(hidden_size)."""
        draw_all(self, self.hidden_size)

    @property
    def _flat_weights(self) -> list[Any]:
        """All weights in the order of `torch.lstm`; what replaces a parameter counts at once."""
        own, names = self._parameters, self._flat_weights_names
        try:
            return [own[name] for name in names]
        except KeyError:  # a parametrized one, or a plain tensor in its place
            return [getattr(self, name) for name in names]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction, in PyTorch's order."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Do nothing: it is for cuDNN, which wants all weights in one block of memory.

        Here each call copies the weights it needs anyway, so they may lie where they are.
        """

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"proj_size": 0, **state})  # older pickles have none
        self._flat_weights_names = [name for names in self._all_weights for name in names]

    # ---- checks
    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Refuse a wrong dtype (ValueError), number of dimensions or input_size (RuntimeError)."""
        self._check_sizes(input, batch_sizes, self._flat_weights[0])

    def _check_sizes(self, input: Tensor, batch_sizes: Any, weight: Any) -> None:
        kind, wanted = input._data.dtype, weight._data.dtype
        if kind is not wanted and kind != wanted:
            raise ValueError(f"RNN input dtype ({input.dtype}) does not match weight dtype "
                             f"({weight.dtype}). Convert input: input.to({weight.dtype}), or "
                             f"convert model: model.to({input.dtype})")
        ndim = 3 if batch_sizes is None else 2
        if input.dim() != ndim:
            raise RuntimeError(f"input must have {ndim} dimensions, got {input.dim()}")
        if input._data.shape[-1] != self.input_size:
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected "
                               f"{self.input_size}, got {input._data.shape[-1]} (input shape "
                               f"{tuple(input.shape)})")

    def get_expected_hidden_size(self, input: Tensor,
                                 batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Return the size of the states: (layers * directions, N, proj_size or hidden_size)."""
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.size(0 if self.batch_first else 1)
        layers = self.num_layers * (2 if self.bidirectional else 1)
        return layers, batch, self.proj_size or self.hidden_size

    def check_hidden_size(self, hx: Tensor, expected_hidden_size: tuple[int, int, int],
                          msg: str = "Expected hidden size {}, got {}") -> None:
        """Refuse a state of another size (RuntimeError)."""
        if tuple(hx.size()) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Refuse input or states of wrong sizes."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Return states with their samples (dim 1) in another order; None: as they are."""
        return hx if permutation is None else index_select(hx, 1, permutation)

    # ---- computing
    def _states(self, hx: Any) -> list[Tensor]:
        """Return the states as a list: the LSTM has two."""
        return [hx]

    def _run(self, input: Any, hx: Any) -> tuple[Any, list[Tensor]]:
        """Return the output, packed or not as the input, and the last states."""
        weights, batch_first = self._flat_weights, self.batch_first
        batch_sizes = counts = generator = None
        batched = True
        if self.dropout and self.training:
            generator = self.generator
        x = input
        if isinstance(input, PackedSequence):
            x, batch_sizes, order, back = input
            counts = recurrent.counts_of(batch_sizes, len(x))
            hx = None if hx is None else self.permute_hidden(hx, order)
        else:
            if input.dim() not in (2, 3):
                raise ValueError(f"{self.mode}: Expected input to be 2D or 3D, (T, input_size) or "
                                 f"with a batch dimension, got {input.dim()}D instead")
            batched = input.dim() == 3
            if hx is not None:
                self._check_dims(self._states(hx), input.dim())
            if not batched:
                x = unsqueeze(input, 0 if batch_first else 1)
                hx = None if hx is None else self._unsqueezed(hx)
        self._check_sizes(x, batch_sizes, weights[0])
        states = None
        if hx is not None:
            self.check_forward_args(x, hx, batch_sizes)
            states = self._states(hx)
        y, *last = recurrent.stacked(self.mode, x, states, weights, self.bias, self.num_layers,
                                     self.dropout, self.training, self.bidirectional, batch_first,
                                     counts, generator)
        if counts is not None:
            y = PackedSequence(y, batch_sizes, order, back)
            last = [RNNBase.permute_hidden(self, state, back) for state in last]
        elif not batched:
            y = squeeze(y, 0 if batch_first else 1)
            last = [squeeze(state, 1) for state in last]
        return y, last

    def _unsqueezed(self, hx: Any) -> Any:
        return unsqueeze(hx, 1)

    def _check_dims(self, states: list[Tensor], ndim: int) -> None:
        for state in states:
            tensor(state, type(self).__name__, "hx", 2)
        found = [state.dim() for state in states]
        if any(each != ndim for each in found):
            kind = "batched 3-D" if ndim == 3 else "unbatched 2-D"
            names = "hx" if len(states) == 1 else "hx and cx"
            raise RuntimeError(f"For {kind} input, {names} should also be {ndim}-D but got "
                               f"{', '.join(f'{each}-D' for each in found)} of shape "
                               f"{', '.join(str(tuple(s.shape)) for s in states)}")

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (("proj_size", 0), ("num_layers", 1), ("bias", True),
                              ("batch_first", False), ("dropout", 0), ("bidirectional", False)):
            value = getattr(self, name)
            text += "" if value == default else f", {name}={value}"
        return text
