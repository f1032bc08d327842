"""interpolate: bytes, places of nearest, antialiasing, deprecated names, errors."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn.functional as F

BYTES = torch.arange(0, 240, 15, dtype=torch.uint8).reshape(1, 1, 4, 4).repeat(1, 2, 1, 1)


@pytest.mark.parametrize(("mode", "antialias", "want"), [  # torch 2.13's results
    ("bilinear", False, [10, 21, 33, 44, 55, 90, 101, 113, 124, 135, 170, 181, 193, 204, 215]),
    ("bilinear", True, [18, 29, 41, 52, 63, 90, 101, 113, 124, 135, 162, 173, 185, 196, 207]),
    ("bicubic", False, [7, 17, 31, 44, 54, 89, 99, 113, 126, 136, 171, 181, 195, 208, 218]),
    ("bicubic", True, [11, 21, 34, 46, 57, 89, 100, 113, 125, 136, 168, 179, 192, 204, 215]),
    ("lanczos", True, [9, 19, 33, 46, 56, 89, 99, 113, 126, 136, 169, 179, 193, 206, 216])])
def test_images_of_bytes(mode, antialias, want):
    y = F.interpolate(BYTES, (3, 5), mode=mode, antialias=antialias)
    assert y.dtype == torch.uint8
    assert y[0, 1].flatten().tolist() == want


def test_bytes_are_near_the_exact_values():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.integers(60, 200, (2, 3, 9, 7)).astype(np.uint8))
    for mode, antialias in (("bilinear", False), ("bilinear", True), ("bicubic", True)):
        y = F.interpolate(x, (4, 11), mode=mode, antialias=antialias)
        exact = F.interpolate(x.double(), (4, 11), mode=mode, antialias=antialias).clamp(0, 255)
        assert (y.double() - exact).abs().max().item() < 2


@pytest.mark.parametrize(("size", "out", "place", "index"), [
    (6, 74, 37, 2), (14, 46, 23, 6), (26, 22, 11, 12)])
def test_nearest_rounds_as_torch(size, out, place, index):
    """In float32 torch computes the places in float32: here the exact index is one more."""
    def found(dtype):
        x = torch.arange(size, dtype=dtype).reshape(1, 1, size)
        return F.interpolate(x, out)[0, 0, place].item()

    assert found(torch.float32) == index
    assert found(torch.float64) == index + 1


def test_antialiasing_averages_what_it_drops():
    x = torch.zeros(1, 1, 8, 8)
    x[..., ::2] = 1
    plain = F.interpolate(x, (8, 2), mode="bilinear")
    smooth = F.interpolate(x, (8, 2), mode="bilinear", antialias=True)
    assert torch.allclose(smooth, torch.full((1, 1, 8, 2), 0.5), atol=0.04)
    assert plain.shape == smooth.shape
    constant = torch.full((1, 1, 7, 5), 3.0)
    for mode in ("bilinear", "bicubic", "lanczos"):
        y = F.interpolate(constant, (3, 9), mode=mode, antialias=True)
        assert torch.allclose(y, torch.full((1, 1, 3, 9), 3.0))


@pytest.mark.parametrize(("mode", "antialias"), [
    ("bilinear", True), ("bicubic", True), ("lanczos", True), ("bicubic", False)])
def test_the_gradient_is_the_derivative_where_the_size_stays(mode, antialias):
    """torch's backward and forward disagree there about whether the scale counts."""
    x = torch.randn(1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: F.interpolate(
        t, scale_factor=(1.1, 1.2), mode=mode, antialias=antialias), (x,))


def test_recompute_scale_factor():
    x = torch.arange(5.0).reshape(1, 1, 5)
    given = F.interpolate(x, scale_factor=1.5, mode="linear")
    again = F.interpolate(x, scale_factor=1.5, mode="linear", recompute_scale_factor=True)
    assert torch.equal(again, F.interpolate(x, 7, mode="linear"))
    assert not torch.allclose(given, again)


def test_empty_batch():
    x = torch.zeros(0, 2, 4, 4, requires_grad=True)
    y = F.interpolate(x, 3, mode="bilinear")
    assert y.shape == (0, 2, 3, 3)
    y.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize(("name", "same"), [
    ("upsample", {"mode": "nearest"}), ("upsample_nearest", {"mode": "nearest"}),
    ("upsample_bilinear", {"mode": "bilinear", "align_corners": True})])
def test_deprecated_names_warn(name, same):
    x = torch.randn(1, 1, 2, 3)
    with pytest.warns(UserWarning, match=f"`nn.functional.{name}` is deprecated"):
        y = getattr(F, name)(x, scale_factor=2)
    assert torch.equal(y, F.interpolate(x, scale_factor=2, **same))


X = torch.ones(1, 1, 4, 4)


@pytest.mark.parametrize(("error", "match", "act"), [
    (ValueError, "exactly one", lambda: F.interpolate(X)),
    (ValueError, "exactly one", lambda: F.interpolate(X, 2, 2.0)),
    (ValueError, "same number", lambda: F.interpolate(X, (2,))),
    (ValueError, "same number", lambda: F.interpolate(X, scale_factor=(2.0,))),
    (ValueError, "recompute_scale_factor", lambda: F.interpolate(X, 2,
                                                                 recompute_scale_factor=True)),
    (ValueError, "align_corners option", lambda: F.interpolate(X, 2, align_corners=False)),
    (ValueError, "antialias", lambda: F.interpolate(X, 2, antialias=True)),
    (ValueError, "antialias", lambda: F.interpolate(X[0], 2, mode="linear", antialias=True)),
    (ValueError, "lanczos", lambda: F.interpolate(X, 2, mode="lanczos")),
    (ValueError, "lanczos", lambda: F.interpolate(X, 2, mode="lanczos", antialias=True,
                                                  align_corners=True)),
    (TypeError, "expected size", lambda: F.interpolate(X, 2.0)),
    (TypeError, "expected size", lambda: F.interpolate(X, (2.0, 1))),
    (TypeError, "expected size", lambda: F.interpolate(X, True)),
    (TypeError, "scale_factor", lambda: F.interpolate(X, scale_factor=torch.tensor(2.0))),
    (RuntimeError, "greater than 0", lambda: F.interpolate(X, -1)),
    (RuntimeError, "greater than 0", lambda: F.interpolate(X, scale_factor=0.1)),
    (RuntimeError, "Non-empty", lambda: F.interpolate(X[:, :0], 2)),
    (NotImplementedError, "spatial dimensions", lambda: F.interpolate(X, 2, mode="linear")),
    (NotImplementedError, "spatial dimensions", lambda: F.interpolate(X[0], 2, mode="bicubic")),
    (NotImplementedError, "spatial dimensions", lambda: F.interpolate(X, 2, mode="cubic")),
    (NotImplementedError, "not implemented", lambda: F.interpolate(X.long(), 2)),
    (NotImplementedError, "not implemented", lambda: F.interpolate(
        BYTES[0], 2, mode="linear")),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()
