"""Layers at shapes from real nets: convolutions, pooling, norms, activations, softmax.

Training mode, float32. "both" is forward and backward, to the input and to the parameters.
"""

import numpy as np

from benchmarks.measure import Case

# Name: (input shape, the layer as a function of torch.nn).
LAYERS = {
    "conv 3-8 3x3": ((8, 3, 16, 16), lambda nn: nn.Conv2d(3, 8, 3, padding=1)),
    "conv 1-6 5x5": ((32, 1, 28, 28), lambda nn: nn.Conv2d(1, 6, 5, padding=2)),
    "conv 3-16 3x3": ((32, 3, 32, 32), lambda nn: nn.Conv2d(3, 16, 3, padding=1)),
    "conv 16-32 3x3": ((32, 16, 32, 32), lambda nn: nn.Conv2d(16, 32, 3, padding=1)),
    "conv 64-64 3x3": ((32, 64, 32, 32), lambda nn: nn.Conv2d(64, 64, 3, padding=1)),
    "conv 64-128 3x3 stride 2": (
        (32, 64, 16, 16), lambda nn: nn.Conv2d(64, 128, 3, stride=2, padding=1)),
    "conv 128-128 3x3": ((32, 128, 8, 8), lambda nn: nn.Conv2d(128, 128, 3, padding=1)),
    "conv 64-64 3x3 large": ((8, 64, 56, 56), lambda nn: nn.Conv2d(64, 64, 3, padding=1)),
    "conv 64-128 1x1": ((32, 64, 32, 32), lambda nn: nn.Conv2d(64, 128, 1)),
    "conv depthwise 3x3": (
        (32, 64, 32, 32), lambda nn: nn.Conv2d(64, 64, 3, padding=1, groups=64)),
    "MaxPool2d(2)": ((32, 64, 32, 32), lambda nn: nn.MaxPool2d(2)),
    "MaxPool2d(3, 2, 1)": ((32, 64, 32, 32), lambda nn: nn.MaxPool2d(3, 2, 1)),
    "MaxPool3d(2)": ((8, 16, 8, 16, 16), lambda nn: nn.MaxPool3d(2)),
    "AvgPool2d(2)": ((32, 64, 32, 32), lambda nn: nn.AvgPool2d(2)),
    "AdaptiveAvgPool2d(1)": ((32, 64, 32, 32), lambda nn: nn.AdaptiveAvgPool2d(1)),
    "BatchNorm2d": ((32, 64, 32, 32), lambda nn: nn.BatchNorm2d(64)),
    "GroupNorm(8)": ((32, 64, 32, 32), lambda nn: nn.GroupNorm(8, 64)),
    "InstanceNorm2d": ((32, 64, 32, 32), lambda nn: nn.InstanceNorm2d(64, affine=True)),
    "LayerNorm(C, H, W)": ((32, 64, 32, 32), lambda nn: nn.LayerNorm([64, 32, 32])),
    "LayerNorm 128": ((512, 128), lambda nn: nn.LayerNorm(128)),
    "LayerNorm 512": ((4096, 512), lambda nn: nn.LayerNorm(512)),
    "ReLU": ((32, 64, 32, 32), lambda nn: nn.ReLU()),
    "ReLU small": ((64, 512), lambda nn: nn.ReLU()),
    "SELU": ((32, 64, 32, 32), lambda nn: nn.SELU()),
    "SELU small": ((64, 512), lambda nn: nn.SELU()),
    "GELU": ((32, 64, 32, 32), lambda nn: nn.GELU()),
    "GELU small": ((64, 512), lambda nn: nn.GELU()),
    "Dropout": ((32, 64, 32, 32), lambda nn: nn.Dropout(0.5)),
    "AlphaDropout": ((32, 64, 32, 32), lambda nn: nn.AlphaDropout(0.5)),
    "Softmax(1) 10": ((64, 10), lambda nn: nn.Softmax(1)),
    "Softmax(1) 512": ((4096, 512), lambda nn: nn.Softmax(1)),
}


def tensor(torch, shape):
    values = np.random.default_rng(0).standard_normal(shape, np.float32)
    return torch.from_numpy(values)


def forward(torch, shape, make):
    layer, x = make(torch.nn), tensor(torch, shape).requires_grad_()
    return lambda: layer(x)


def forward_backward(torch, shape, make):
    layer, x = make(torch.nn), tensor(torch, shape).requires_grad_()
    gradient = tensor(torch, tuple(layer(x).shape))
    leaves = [x, *layer.parameters()]

    def call():
        layer(x).backward(gradient)
        for leaf in leaves:
            leaf.grad = None

    return call


CASES = [
    Case(f"{name} {what}", lambda t, f=f, shape=shape, make=make: f(t, shape, make),
         about="x".join(map(str, shape)))
    for name, (shape, make) in LAYERS.items()
    for what, f in (("forward", forward), ("both", forward_backward))
]
