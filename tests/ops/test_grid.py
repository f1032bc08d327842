"""grid_sample and affine_grid: what the sample table does not show."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F

IMAGE = torch.arange(16.0).reshape(1, 1, 4, 4)


def grid_of(*places):
    return torch.tensor([[list(map(float, place)) for place in places]]).reshape(1, 1, -1, 2)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_the_identity_gives_the_image(n, mode, align):
    if n == 3 and mode == "bicubic":
        return
    x = torch.randn(2, 3, *(4, 5, 3)[:n], dtype=torch.float64)
    theta = torch.eye(n, n + 1, dtype=torch.float64).repeat(2, 1, 1)
    grid = F.affine_grid(theta, x.shape, align_corners=align)
    assert torch.allclose(F.grid_sample(x, grid, mode, "border", align), x)


def naive(image, x, y, padding):
    """Bilinear sampling of one channel at one pixel place, written out."""
    total = 0.0
    for row, column in itertools.product(range(math.floor(y), math.floor(y) + 2),
                                         range(math.floor(x), math.floor(x) + 2)):
        weight = (1 - abs(y - row)) * (1 - abs(x - column))
        inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
        if padding == "border":
            row, column = np.clip(row, 0, image.shape[0] - 1), np.clip(column, 0,
                                                                       image.shape[1] - 1)
        total += weight * image[row, column] if inside or padding == "border" else 0
    return total


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_against_a_plain_loop(padding):
    rng = np.random.default_rng(0)
    image, places = rng.random((5, 3)), rng.random((20, 2)) * 3 - 1.5
    y = F.grid_sample(torch.from_numpy(image[None, None]), torch.from_numpy(places[None, None]),
                      padding_mode=padding, align_corners=True)
    want = [naive(image, (u + 1) / 2 * 2, (v + 1) / 2 * 4, padding) for u, v in places]
    np.testing.assert_allclose(y.flatten().numpy(), want, atol=1e-12)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(("n", "mode"), [
    (2, "bilinear"), *(pytest.param(n, mode, marks=pytest.mark.slow)
                       for n, mode in [(3, "bilinear"), (2, "bicubic")])])
def test_three_orders_of_derivatives(n, mode, padding):
    """Each order is the derivative of the one before, for the image and for the places."""
    rng = np.random.Generator(np.random.PCG64(1))
    sizes = (3, 4, 3)[:n]
    x = torch.from_numpy(rng.random((1, 2, *sizes)) * 2 - 1).requires_grad_()
    pixel = np.floor(rng.random((1, *(2, 1, 1)[:n], n)) * 4 - 1) + 0.3 + 0.1 * rng.random()
    grid = torch.from_numpy((2 * pixel + 1) / np.array(sizes[::-1]) - 1).requires_grad_()

    def sampled(image, places):
        return F.grid_sample(image, places, mode, padding, align_corners=False)

    def second(image, places):
        y = sampled(image, places)
        first = torch.autograd.grad((y ** 2).sum(), (image, places), create_graph=True)
        return torch.autograd.grad(sum((g ** 2).sum() for g in first), (image, places),
                                   create_graph=True)

    assert torch.autograd.gradcheck(sampled, (x, grid))
    assert torch.autograd.gradgradcheck(sampled, (x, grid))
    assert torch.autograd.gradcheck(second, (x, grid), atol=1e-4, rtol=1e-4)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(("mode", "padding", "want"), [
    ("nearest", "zeros", [0, 0, 0]), ("nearest", "border", [8, 11, 2]),
    ("bilinear", "zeros", [NAN, NAN, NAN]), ("bilinear", "border", [6, 9, 1.5]),
    ("bilinear", "reflection", [6, 6, 1.5]), ("bicubic", "border", [NAN, NAN, NAN])])
def test_places_that_are_not_finite(mode, padding, want):
    """As in torch: nan counts as 0 where the padding clips."""
    y = F.grid_sample(IMAGE, grid_of((NAN, 0), (INF, 0), (0, NAN)), mode, padding, False)
    np.testing.assert_allclose(y.flatten().numpy(), want)


def test_what_is_outside_does_not_reach_the_result():
    x = torch.full((1, 1, 2, 2), INF)
    assert F.grid_sample(x, grid_of((5, 5)), align_corners=False).item() == 0
    assert math.isinf(F.grid_sample(x, grid_of((0.1, 0.1)), align_corners=False).item())


def test_empty():
    for shape, places in (((0, 1, 2, 3), (0, 2, 2, 2)), ((1, 0, 2, 3), (1, 2, 2, 2)),
                          ((1, 1, 2, 3), (1, 0, 2, 2))):
        x, grid = torch.zeros(shape, requires_grad=True), torch.zeros(places, requires_grad=True)
        y = F.grid_sample(x, grid, align_corners=False)
        assert y.shape == (shape[0], shape[1], *places[1:3])
        y.sum().backward()
        assert x.grad.shape == shape
        assert grid.grad.shape == places


def test_half_stays_half():
    x, grid = IMAGE.half(), grid_of((0.1, -0.3)).half()
    y = F.grid_sample(x, grid, align_corners=False)
    assert y.dtype == torch.float16
    assert y.item() == pytest.approx(F.grid_sample(IMAGE, grid.float(), align_corners=False).item(),
                                     abs=0.05)


@pytest.mark.parametrize(("error", "match", "act"), [
    (ValueError, "mode", lambda: F.grid_sample(IMAGE, grid_of((0, 0)), "cubic")),
    (ValueError, "padding_mode", lambda: F.grid_sample(IMAGE, grid_of((0, 0)), "nearest", "wrap")),
    (RuntimeError, "same batch size",
     lambda: F.grid_sample(IMAGE.repeat(2, 1, 1, 1), grid_of((0, 0)), align_corners=False)),
    (RuntimeError, "size 2 in its last", lambda: F.grid_sample(
        IMAGE, torch.zeros(1, 2, 2, 3), align_corners=False)),
    (RuntimeError, "4D or 5D", lambda: F.grid_sample(
        IMAGE[0], torch.zeros(1, 2, 1), align_corners=False)),
    (RuntimeError, "without empty", lambda: F.grid_sample(
        torch.zeros(1, 1, 0, 2), grid_of((0, 0)), align_corners=False)),
    (RuntimeError, "scalar type", lambda: F.grid_sample(
        IMAGE.double(), grid_of((0, 0)), align_corners=False)),
    (NotImplementedError, "not implemented", lambda: F.grid_sample(
        IMAGE.long(), grid_of((0, 0)).long(), align_corners=False)),
    (RuntimeError, "only supports 4D", lambda: F.grid_sample(
        torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 1, 1, 1, 3), "bicubic", align_corners=False)),
    (TypeError, "must be Tensor", lambda: F.grid_sample(IMAGE, [0.0], align_corners=False)),
    (ValueError, "interpolation_mode", lambda: torch.grid_sampler(
        IMAGE, grid_of((0, 0)), 7, 0, False)),
    (RuntimeError, "expected 4D", lambda: torch.grid_sampler_2d(
        torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 1, 1, 1, 3), 0, 0, False)),
    (ValueError, "floating point", lambda: F.affine_grid(
        torch.zeros(1, 2, 3, dtype=torch.int64), (1, 1, 2, 2), False)),
    (ValueError, "batch of matrices", lambda: F.affine_grid(
        torch.zeros(1, 2, 3), (1, 1, 2, 2, 2), False)),
    (NotImplementedError, "size is", lambda: F.affine_grid(torch.zeros(1, 2, 3), (1, 1, 2), False)),
    (ValueError, "Expected non-zero", lambda: F.affine_grid(
        torch.zeros(1, 2, 3), (1, 0, 2, 2), False)),
    (RuntimeError, "Expected size", lambda: F.affine_grid(
        torch.zeros(1, 2, 3), (2, 1, 2, 2), False)),
])
def test_refusals(error, match, act):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=match):
            act()


def test_warnings():
    theta = torch.eye(2, 3)[None]
    with pytest.warns(UserWarning, match="Default affine_grid"):
        grid = F.affine_grid(theta, (1, 1, 2, 2))
    with pytest.warns(UserWarning, match="Default grid_sample"):
        F.grid_sample(IMAGE, grid)
    with pytest.warns(UserWarning, match="size 1"):
        y = F.affine_grid(theta, (1, 1, 2, 1), align_corners=True)
    assert y.flatten().tolist() == [0, -1, 0, 1]
