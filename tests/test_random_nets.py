"""Random nets of layers that fit each other: gradients against extrapolated differences."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import minigrad as torch
from minigrad import nn

ACTIVATIONS = ["ReLU", "Tanh", "Sigmoid", "GELU", "ELU", "SELU", "SiLU", "Mish", "Softplus",
               "LeakyReLU", "Hardswish", "Hardtanh", "LogSigmoid", "PReLU", "Softsign", "CELU",
               "Tanhshrink", "Softmin", "LogSoftmax", "GLU"]


def activation(draw: Any, channels: int) -> tuple[str, int]:
    name = draw(st.sampled_from(ACTIVATIONS))
    if name == "GLU":
        return ("GLU(1)", channels // 2) if channels % 2 == 0 else ("Tanh()", channels)
    return f"{name}({'1' if name in ('Softmin', 'LogSoftmax') else ''})", channels


def spatial(draw: Any, dims: int, shape: list[int]) -> tuple[str, list[int]]:
    """Return a layer with channels and positions, and the shape it gives."""
    channels, size = shape[1], shape[2]
    kind = draw(st.sampled_from(["conv", "transposed", "max", "average", "adaptive", "norm",
                                 "group", "instance", "channel dropout", "response", "pad"]))
    if kind in ("conv", "transposed"):
        width, stride, pad, spread = (draw(st.integers(*r)) for r in ((1, 3), (1, 2), (0, 1),
                                                                       (1, 2)))
        out = draw(st.sampled_from([2, 4]))
        groups = draw(st.sampled_from([g for g in (1, 2) if channels % g == 0]))
        bias = draw(st.booleans())
        reach = spread * (width - 1) + 1
        if kind == "conv":
            new = (size + 2 * pad - reach) // stride + 1
        else:
            new = (size - 1) * stride - 2 * pad + reach
        assume(1 <= new <= 8)
        name = f"Conv{'Transpose' if kind == 'transposed' else ''}{dims}d"
        text = (f"{name}({channels}, {out}, {width}, stride={stride}, padding={pad}, "
                f"dilation={spread}, groups={groups}, bias={bias})")
        return text, [shape[0], out, *[new] * dims]
    same = [*shape]
    if kind in ("max", "average"):
        assume(size >= 2)
        name = "MaxPool" if kind == "max" else "AvgPool"
        more = ", ceil_mode=True" if draw(st.booleans()) else ""
        new = -(-size // 2) if more else size // 2
        return f"{name}{dims}d(2{more})", [*shape[:2], *[new] * dims]
    if kind == "adaptive":
        new = draw(st.integers(1, 3))
        name = draw(st.sampled_from(["AdaptiveAvgPool", "AdaptiveMaxPool"]))
        return f"{name}{dims}d({new})", [*shape[:2], *[new] * dims]
    if kind == "pad":
        assume(size >= 2)
        name = draw(st.sampled_from(["ReflectionPad", "ReplicationPad", "ZeroPad"]))
        return f"{name}{dims}d(1)", [*shape[:2], *[size + 2] * dims]
    if kind == "instance":
        assume(size > 1)
        return f"InstanceNorm{dims}d({channels}, affine=True)", same
    return {"norm": f"BatchNorm{dims}d({channels})", "group": f"GroupNorm(1, {channels})",
            "channel dropout": f"Dropout{dims}d()",
            "response": f"LocalResponseNorm({draw(st.integers(1, 3))})"}[kind], same


def flat(draw: Any, shape: list[int]) -> tuple[str, list[int]]:
    """Return a layer for rows of features."""
    width = shape[1]
    kind = draw(st.sampled_from(["linear", "norm", "layer norm", "rms", "dropout"]))
    if kind == "linear":
        out = draw(st.sampled_from([2, 3, 4]))
        return f"Linear({width}, {out}, bias={draw(st.booleans())})", [shape[0], out]
    return {"norm": f"BatchNorm1d({width})", "layer norm": f"LayerNorm({width})",
            "rms": f"RMSNorm({width})", "dropout": "Dropout(0.5)"}[kind], shape


@st.composite
def nets(draw: Any) -> tuple[list[int], str, bool]:
    """Draw the shape of an input, the text of a net for it, and whether it trains."""
    dims = draw(st.integers(0, 3))
    shape = [3, draw(st.sampled_from([2, 4])), *[draw(st.integers(3, 5))] * dims]
    given, layers, train = list(shape), [], draw(st.booleans())
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.integers(0, 2)) == 0:
            text, shape[1] = activation(draw, shape[1])
        elif dims:
            text, shape = spatial(draw, dims, shape)
        else:
            text, shape = flat(draw, shape)
        assume(not ("Norm" in text and shape[1:] in ([1], [2])))  # two values: always -1 and 1
        layers.append(f"nn.{text}")
    if dims and draw(st.booleans()):
        layers += ["nn.Flatten()", f"nn.Linear({int(np.prod(shape[1:]))}, 2)"]
    return given, f"nn.Sequential({', '.join(layers)})", train


@settings(deadline=None, database=None, derandomize=True, max_examples=60,
          suppress_health_check=list(HealthCheck))
@given(nets(), st.integers(0, 9))
def test_gradients_of_random_nets(drawn, seed):
    shape, text, train = drawn
    torch.manual_seed(seed)
    net = eval(text, {"nn": nn}).double().train(train)
    for layer in net:
        if "Dropout" in type(layer).__name__:
            layer.eval()
    x = torch.randn(shape, dtype=torch.float64).requires_grad_()
    values = [x, *net.parameters()]
    steps = [torch.randn(v.shape, dtype=torch.float64) for v in values]
    weight = torch.randn(net(x).shape, dtype=torch.float64)
    start = [v.detach().clone() for v in values]

    def loss() -> Any:
        return (net(x) * weight).sum()

    def slope(h: float) -> float:
        found = []
        with torch.no_grad():
            for sign in (1, -1):
                for v, at, step in zip(values, start, steps, strict=True):
                    v.copy_(at + sign * h * step)
                found.append(loss().item())
            for v, at in zip(values, start, strict=True):
                v.copy_(at)
        return (found[0] - found[1]) / (2 * h)

    grads = torch.autograd.grad(loss(), values)
    mine = sum((g * s).sum().item() for g, s in zip(grads, steps, strict=True))
    size = 1 + sum((g * s).abs().sum().item() for g, s in zip(grads, steps, strict=True))
    coarse, fine = slope(2e-5), slope(1e-5)
    wanted = (4 * fine - coarse) / 3  # Richardson: the error of order h^2 cancels
    assume(abs(coarse - fine) < 1e-5 * size)  # no kink in between
    assert abs(mine - wanted) < 1e-7 * size, (text, shape, train, mine, wanted)
