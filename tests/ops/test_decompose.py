"""Derivatives of factorisations, along changes that keep what they need (symmetry, rank)."""

from __future__ import annotations

import pytest

import minigrad as torch
from minigrad.autograd import gradcheck, gradgradcheck


def leaf(*shape):
    return torch.rand(*shape, dtype=torch.float64).requires_grad_()


def positive(x):
    return x @ x.mT + torch.eye(x.shape[-1], dtype=torch.float64)


def separated(x):
    """A symmetric matrix whose eigenvalues are well apart."""
    steps = torch.diag(torch.arange(x.shape[-1], dtype=torch.float64) * 4)
    return x + x.mT + steps


def eigen_projections(x):
    """Eigenvectors have no sign, their outer products do."""
    w, v = torch.linalg.eigh(separated(x))
    return w, v.unsqueeze(-2) * v.unsqueeze(-3)


def singular_projections(x):
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    return s, u.unsqueeze(-1) * vh.unsqueeze(-3)


FUNCTIONS = {
    "cholesky": (lambda x: torch.linalg.cholesky(positive(x)), (3, 3)),
    "cholesky upper": (lambda x: torch.linalg.cholesky(positive(x), upper=True), (2, 2, 2)),
    "eigh": (eigen_projections, (3, 3)),
    "eigh upper": (lambda x: torch.linalg.eigvalsh(separated(x), "U"), (3, 3)),
    "svd tall": (singular_projections, (4, 2)),
    "svd wide": (singular_projections, (2, 3)),
    "qr": (lambda x: torch.linalg.qr(x + 2 * torch.eye(4, 3, dtype=torch.float64)), (4, 3)),
    "pinv": (torch.linalg.pinv, (2, 4)),
    "logdet": (lambda x: torch.logdet(positive(x)), (3, 3)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_and_second_derivatives(name):
    function, shape = FUNCTIONS[name]
    x = leaf(*shape)
    assert gradcheck(function, (x,))
    assert gradgradcheck(function, (x,))


@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 2), (2, 4)])
def test_factors_multiply_to_the_matrix(shape):
    a = leaf(*shape).detach()
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    assert torch.allclose(u @ torch.diag_embed(s) @ vh, a)
    q, r = torch.linalg.qr(a)
    assert torch.allclose(q @ r, a)
    assert torch.allclose(torch.triu(r), r)
    assert torch.allclose(a @ torch.linalg.pinv(a) @ a, a)


def test_det_of_a_singular_matrix_has_its_cofactors_as_gradient():
    x = torch.tensor([[1., 2.], [2., 4.]], requires_grad=True)
    torch.det(x).backward()
    assert torch.allclose(x.grad, torch.tensor([[4., -2.], [-2., 1.]]))
    y = torch.zeros(2, 2, requires_grad=True)
    torch.det(y).backward()
    assert torch.equal(y.grad, torch.zeros(2, 2))


def test_refusals():
    with pytest.raises(torch.linalg.LinAlgError, match="singular"):
        torch.linalg.inv(torch.ones(2, 2))
    with pytest.raises(torch.linalg.LinAlgError, match="positive-definite"):
        torch.linalg.cholesky(-torch.eye(2))
    with pytest.raises(RuntimeError, match=r"\.float\(\)"):
        torch.linalg.det(torch.ones(2, 2, dtype=torch.int64))
