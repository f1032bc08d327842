"""Run the tape backward: `backward`, `grad`, modes, `Function`, gradient checks."""

from __future__ import annotations

from ..anomaly import detect_anomaly, set_detect_anomaly
from ..backprop import backward, grad
from ..modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from . import functional, graph
from .function import Function
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .variable import Variable

__all__ = ["Function", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad",
           "functional", "grad", "gradcheck", "gradgradcheck", "graph", "inference_mode", "no_grad",
           "set_detect_anomaly", "set_grad_enabled"]
