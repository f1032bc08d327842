"""Activations without options but `inplace` (part of activation.py)."""

from __future__ import annotations

from ...tensor import Tensor
from .. import functional as F
from .module import Module

__all__ = [
    "SELU",
    "Hardsigmoid",
    "Hardswish",
    "LogSigmoid",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softsign",
    "Tanh",
    "Tanhshrink",
]


class _Inplace(Module):
    """Base of activations whose only option is `inplace`: overwrite the input instead of copying.

    It raises RuntimeError when the operation before needs its result (sigmoid, then relu_).
    """

    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU(_Inplace):
    """Return max(0, x). Its derivative at 0 is 0; a unit that is negative for all data stays dead.

    Args: inplace False.

    >>> import minigrad as torch
    >>> torch.nn.ReLU()(torch.tensor([-1., 0., 2.]))
    tensor([0., 0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return max(0, input)."""
        return F.relu(input, inplace=True) if self.inplace else F.relu(input)


class Sigmoid(Module):
    """Return 1 / (1 + exp(-x)). As the last layer before a loss prefer BCEWithLogitsLoss.

    >>> import minigrad as torch
    >>> torch.nn.Sigmoid()(torch.tensor([-1., 0., 2.]))
    tensor([0.2689, 0.5000, 0.8808])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the logistic function of the input."""
        return F.sigmoid(input)


class Tanh(Module):
    """Return the hyperbolic tangent.

    >>> import minigrad as torch
    >>> torch.nn.Tanh()(torch.tensor([-1., 0., 2.]))
    tensor([-0.7616,  0.0000,  0.9640])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return tanh(input)."""
        return F.tanh(input)


class SELU(_Inplace):
    """Return scale * x above 0, scale * alpha * (exp(x) - 1) below (scale 1.0507, alpha 1.6733).

    Klambauer et al., "Self-normalizing neural networks", 2017. Activations keep mean 0 and variance
    1 only with LeCun-normal weights (`init.kaiming_normal_(w, nonlinearity='linear')`) and
    AlphaDropout. Args: inplace False.

    >>> import minigrad as torch
    >>> torch.nn.SELU()(torch.tensor([-1., 0., 2.]))
    tensor([-1.1113,  0.0000,  2.1014])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return selu(input)."""
        return F.selu(input, self.inplace)


class SiLU(_Inplace):
    """Return x * sigmoid(x), also called swish (Elfwing et al. 2017). Args: inplace False.

    >>> import minigrad as torch
    >>> torch.nn.SiLU()(torch.tensor([-1., 0., 2.]))
    tensor([-0.2689,  0.0000,  1.7616])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return silu(input)."""
        return F.silu(input, inplace=self.inplace)


class Mish(_Inplace):
    """Return x * tanh(softplus(x)) (Misra 2019). Args: inplace False.

    >>> import minigrad as torch
    >>> torch.nn.Mish()(torch.tensor([-1., 0., 2.]))
    tensor([-0.3034,  0.0000,  1.9440])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return mish(input)."""
        return F.mish(input, inplace=self.inplace)


class Hardsigmoid(_Inplace):
    """Return min(max(0, x + 3), 6) / 6. Args: inplace False.

    >>> import minigrad as torch
    >>> torch.nn.Hardsigmoid()(torch.tensor([-1., 0., 2.]))
    tensor([0.3333, 0.5000, 0.8333])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return hardsigmoid(input)."""
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return ""  # as PyTorch prints it


class Hardswish(_Inplace):
    """Return x * hardsigmoid(x) (Howard et al., MobileNetV3, 2019). Args: inplace False.

    >>> import minigrad as torch
    >>> torch.nn.Hardswish()(torch.tensor([-1., 0., 2.]))
    tensor([-0.3333,  0.0000,  1.6667])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return hardswish(input)."""
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        return ""  # as PyTorch prints it


class LogSigmoid(Module):
    """Return log(sigmoid(x)), without overflow.

    >>> import minigrad as torch
    >>> torch.nn.LogSigmoid()(torch.tensor([-1., 0., 2.]))
    tensor([-1.3133, -0.6931, -0.1269])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the logarithm of sigmoid(input)."""
        return F.logsigmoid(input)


class Softsign(Module):
    """Return x / (1 + |x|).

    >>> import minigrad as torch
    >>> torch.nn.Softsign()(torch.tensor([-1., 0., 2.]))
    tensor([-0.5000,  0.0000,  0.6667])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return softsign(input)."""
        return F.softsign(input)


class Tanhshrink(Module):
    """Return x - tanh(x).

    >>> import minigrad as torch
    >>> torch.nn.Tanhshrink()(torch.tensor([-1., 0., 2.]))
    tensor([-0.2384,  0.0000,  1.0360])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return tanhshrink(input)."""
        return F.tanhshrink(input)
