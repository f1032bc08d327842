"""Third derivatives of factorisations, whose samples in the table are not symmetric."""

from __future__ import annotations

import pytest

import minigrad as torch


def symmetric(x):
    return x @ x.mT + 3 * torch.eye(x.shape[-1], dtype=x.dtype)


@pytest.mark.parametrize("function", [
    lambda x: torch.linalg.cholesky(symmetric(x)),
    lambda x: torch.linalg.cholesky(symmetric(x), upper=True),
    lambda x: torch.linalg.eigvalsh(symmetric(x)),
    lambda x: torch.linalg.eigh(symmetric(x))[1] ** 2,  # without the signs
    lambda x: torch.linalg.inv(symmetric(x)),
    lambda x: torch.logdet(symmetric(x)),
], ids=["cholesky", "cholesky upper", "eigvalsh", "eigh", "inv", "logdet"])
def test_third_derivatives(function):
    torch.manual_seed(3)
    x = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.rand_like(function(x).detach())

    def slope(x):
        y = (function(x) * weight).sum()
        return torch.autograd.grad(y, x, create_graph=True)[0]

    assert torch.autograd.gradcheck(slope, x)
    assert torch.autograd.gradgradcheck(slope, x, atol=1e-4)
