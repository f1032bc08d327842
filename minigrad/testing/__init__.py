"""Gradient checks that name the wrong element and the likely bug; comparisons for tests."""

from __future__ import annotations

from ..autograd.gradcheck import GradcheckError
from .check import check_gradients
from .close import assert_allclose, assert_close
from .compare import compare_with_torch
from .creation import make_tensor
from .derivatives import complex_step, numerical_hessian, numerical_jacobian
from .difference import ComparisonReport, Difference
from .modules import check_module
from .report import Failure, GradcheckReport

__all__ = ["ComparisonReport", "Difference", "Failure", "GradcheckError", "GradcheckReport",
           "assert_allclose", "assert_close", "check_gradients", "check_module",
           "compare_with_torch", "complex_step", "make_tensor", "numerical_hessian",
           "numerical_jacobian"]
