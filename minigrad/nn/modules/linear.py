"""Linear layers."""

from __future__ import annotations

import math
from typing import Any

from ..._check import takes
from ..._random import Generator
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from ._make import initialise, made
from .lazy import LazyModuleMixin
from .module import Module

__all__ = ["Bilinear", "Identity", "LazyLinear", "Linear", "NonDynamicallyQuantizableLinear"]


class Identity(Module):
    """Return the input. All arguments are accepted, so that it can stand for any layer.

    >>> import minigrad as torch
    >>> torch.nn.Identity(54, unused=True)(torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """Return the input itself."""
        return input


class Linear(Module):
    """Compute y = x W^T + b along the last dimension.

    Args: in_features; out_features; bias True; device: 'cpu' or None; dtype: of the parameters;
    generator: for the first values, default the default one.
    Shape: (*, in_features) -> (*, out_features); weight (out_features, in_features), first values
    U(-k, k) with k = 1 / sqrt(in_features), as the bias.
    A softmax or log_softmax does not belong between the last Linear and CrossEntropyLoss.

    >>> import minigrad as torch
    >>> torch.nn.Linear(20, 30)(torch.randn(128, 20)).shape
    torch.Size([128, 30])
    """

    in_features: int
    out_features: int
    weight: Parameter
    bias: Parameter | None

    @takes()
    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None,
                 dtype: Any = None, *, generator: Generator | None = None) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = made(out_features, in_features, device=device, dtype=dtype)
        self.register_parameter(
            "bias", made(out_features, device=device, dtype=dtype) if bias else None)
        initialise(self.reset_parameters, generator)

    def reset_parameters(self) -> None:
        """Draw new values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # U(-k, k), k = 1 / sqrt(in_features)
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Return x W^T + b."""
        own = self._parameters  # a quarter of a small layer's time would go into attributes
        if "weight" in own and "bias" in own:
            return F.linear(input, own["weight"], own["bias"])  # type: ignore[arg-type]
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")


class NonDynamicallyQuantizableLinear(Linear):
    """Be a Linear under the name that PyTorch's attention uses for its output projection."""


class Bilinear(Module):
    """Compute y_k = x1^T A_k x2 + b_k along the last dimension.

    Args: in1_features, in2_features, out_features, bias True; device, dtype, generator: see Linear.
    Shape: (*, in1_features), (*, in2_features) -> (*, out_features). ValueError: in1_features < 1.

    >>> import minigrad as torch
    >>> torch.nn.Bilinear(2, 3, 4)(torch.randn(5, 2), torch.randn(5, 3)).shape
    torch.Size([5, 4])
    """

    in1_features: int
    in2_features: int
    out_features: int
    weight: Parameter
    bias: Parameter | None

    @takes()
    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True,
                 device: Any = None, dtype: Any = None, *,
                 generator: Generator | None = None) -> None:
        super().__init__()
        if in1_features == 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        self.weight = made(out_features, in1_features, in2_features, device=device, dtype=dtype)
        self.register_parameter(
            "bias", made(out_features, device=device, dtype=dtype) if bias else None)
        initialise(self.reset_parameters, generator)

    def reset_parameters(self) -> None:
        """Draw new values: U(-k, k), k = 1 / sqrt(in1_features)."""
        bound = 1 / math.sqrt(self.weight.size(1))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Return x1^T A x2 + b."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
                f"out_features={self.out_features}, bias={self.bias is not None}")


class LazyLinear(LazyModuleMixin, Linear):
    """Be a Linear that takes in_features from its first input; see LazyModuleMixin.

    Args: out_features, bias, device, dtype, generator: see Linear. AssertionError if a loaded
    weight does not fit the first input.

    >>> import minigrad as torch
    >>> layer = torch.nn.LazyLinear(2)
    >>> layer(torch.ones(4, 3)).shape, layer
    (torch.Size([4, 2]), Linear(in_features=3, out_features=2, bias=True))
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None,
                 *, generator: Generator | None = None) -> None:
        super().__init__(0, 0, False, device, dtype)
        self.out_features = out_features
        self._wait(dtype, device, generator, "weight", *(["bias"] if bias else []))

    def reset_parameters(self) -> None:
        """Draw new values, if the shapes are known."""
        if self.in_features and not self.has_uninitialized_params():
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take in_features from the last dimension of the input."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self._materialize(weight=(self.out_features, self.in_features),
                              bias=(self.out_features,))
        elif not self.in_features:  # the weight was loaded
            if input.shape[-1] != self.weight.shape[-1]:
                raise AssertionError(f"The in_features inferred from input: {input.shape[-1]} is "
                                     f"not equal to in_features from self.weight: "
                                     f"{self.weight.shape[-1]}")
            self.in_features = input.shape[-1]
