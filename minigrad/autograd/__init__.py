"""Run the tape backward: `backward`, `grad`, modes, `Function`, gradient checks."""

from __future__ import annotations

from ..anomaly import detect_anomaly, set_detect_anomaly
from ..backprop import backward, grad
from ..modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from . import anomaly_mode, functional, grad_mode, graph
from .function import Function
from .grad_mode import is_multithreading_enabled, set_multithreading_enabled
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .graph import SavedTensor
from .variable import Variable

__all__ = ["Function", "GradcheckError", "SavedTensor", "Variable", "anomaly_mode", "backward",
           "detect_anomaly", "enable_grad", "functional", "grad", "grad_mode", "gradcheck",
           "gradgradcheck", "graph", "inference_mode", "is_multithreading_enabled", "no_grad",
           "set_detect_anomaly", "set_grad_enabled", "set_multithreading_enabled"]
