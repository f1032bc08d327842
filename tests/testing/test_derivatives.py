"""Numeric Jacobians and Hessians against known ones, and the complex step."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
from minigrad.testing import complex_step, numerical_hessian, numerical_jacobian


def test_jacobian_of_arrays_and_tensors():
    x = np.random.default_rng(0).standard_normal((2, 3))
    made = numerical_jacobian(np.sin, x)
    assert made.shape == (2, 3, 2, 3)
    np.testing.assert_allclose(made.reshape(6, 6), np.diag(np.cos(x).ravel()), atol=1e-10)
    a, b = torch.randn(2, 3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    by_a, by_b = numerical_jacobian(torch.mv, a, b)
    np.testing.assert_allclose(by_b, a.numpy(), atol=1e-9)
    np.testing.assert_allclose(by_a[1, 1], b.numpy(), atol=1e-9)
    np.testing.assert_allclose(by_a[1, 0], 0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 1e5])
def test_jacobian_chooses_its_steps(scale):
    x = np.array([0.7, 1.3, 2.0]) * scale
    made = numerical_jacobian(lambda x: np.log(x), x)
    np.testing.assert_allclose(np.diag(made), 1 / x, rtol=1e-8)
    made = numerical_jacobian(lambda x: 1 + np.sin(x), x)
    np.testing.assert_allclose(np.diag(made), np.cos(x), rtol=2e-6)


def test_hessian():
    m = np.array([[2.0, 1.0], [1.0, 5.0]])
    made = numerical_hessian(lambda x: (x @ m @ x) / 2 + (x**3).sum(), np.array([0.5, -1.0]))
    np.testing.assert_allclose(made, m + np.diag([3.0, -6.0]), atol=1e-6)
    x = torch.randn(2, 2, dtype=torch.float64)
    assert numerical_hessian(lambda t: t.exp().sum(), x).shape == (2, 2, 2, 2)
    with pytest.raises(ValueError, match="one number"):
        numerical_hessian(np.sin, np.ones(3))


def test_complex_step_is_exact():
    x = np.linspace(0.1, 3, 7)
    np.testing.assert_allclose(complex_step(lambda z: np.exp(z) / np.sin(z), x),
                               np.exp(x) * (np.sin(x) - np.cos(x)) / np.sin(x) ** 2, rtol=1e-14)
    made = complex_step(lambda z: (z * z).sum(), x, direction=np.eye(7)[2])
    assert made == pytest.approx(2 * x[2], rel=1e-15)
    with pytest.raises(ValueError, match="imaginary"):
        complex_step(np.abs, x)
