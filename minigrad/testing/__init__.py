"""Gradient checks and comparisons for tests."""

from __future__ import annotations

from ..autograd.gradcheck import GradcheckError
from .check import check_gradients
from .report import Failure, GradcheckReport

__all__ = ["Failure", "GradcheckError", "GradcheckReport", "check_gradients"]
