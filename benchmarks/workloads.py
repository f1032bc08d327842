"""Training steps of whole nets, each written once as a function of the namespace.

`make(torch)` builds model, data and optimizer in `torch`, which may be torch or minigrad, and
returns the step: zero_grad, forward, loss, backward, optimizer. The data are the same on
each side; the weights are each side's own default initialisation.
"""

import itertools

import numpy as np

from benchmarks.measure import Case


def numbers(torch, *shape):
    """Return standard normal data, the same on each side."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape, np.float32))


def classes(torch, count, *shape):
    """Return class numbers below `count`, the same on each side."""
    return torch.from_numpy(np.random.default_rng(1).integers(0, count, shape))


def training_step(torch, model, optimizer, loss_function, x, y):
    """Return one training step of `model` as a function without arguments."""
    model.train()

    def step():
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def mlp(torch, sizes, batch):
    """Train a multilayer perceptron with ReLU on a regression, with SGD."""
    nn = torch.nn
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = numbers(torch, batch, sizes[0]), numbers(torch, batch, sizes[-1])
    return training_step(torch, model, optimizer, nn.functional.mse_loss, x, y)


def mlp_784(torch):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters())
    x, y = numbers(torch, 64, 784), classes(torch, 10, 64)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, x, y)


def selu(torch, sizes, batch, optim):
    """Train a self-normalising net: Linear, SELU, AlphaDropout."""
    nn = torch.nn
    layers = []
    for inputs, outputs in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.SELU(), nn.AlphaDropout(0.1)]
    model = nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))
    optimizer = getattr(torch.optim, optim)(model.parameters(), lr=0.001)
    x, y = numbers(torch, batch, sizes[0]), classes(torch, sizes[-1], batch)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, x, y)


def lenet(torch):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )
    optimizer = torch.optim.Adam(model.parameters())
    x, y = numbers(torch, 32, 1, 28, 28), classes(torch, 10, 32)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, x, y)


def conv_bn_relu(torch, channels, size, batch):
    """Train blocks of Conv2d, BatchNorm2d, ReLU, MaxPool2d, with Adam."""
    nn = torch.nn
    layers = []
    for inputs, outputs in itertools.pairwise(channels):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs),
                   nn.ReLU(), nn.MaxPool2d(2)]
    features = channels[-1] * (size >> (len(channels) - 1)) ** 2
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 10))
    optimizer = torch.optim.Adam(model.parameters())
    x, y = numbers(torch, batch, channels[0], size, size), classes(torch, 10, batch)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, x, y)


def residual(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU()
            self.shortcut = nn.Identity()
            if stride != 1:
                self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

        def forward(self, x):
            y = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        Block(32, 32, 1), Block(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = numbers(torch, 32, 3, 32, 32), classes(torch, 10, 32)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, x, y)


def norms_small(torch):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.PReLU(),
        nn.Conv2d(8, 8, 3, padding=1), nn.InstanceNorm2d(8, affine=True), nn.PReLU(8),
        nn.Conv2d(8, 8, 3, padding=1), nn.LayerNorm([8, 8, 8]), nn.Dropout2d(0.2),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = numbers(torch, 16, 1, 8, 8), classes(torch, 10, 16)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, x, y)


def norms_medium(torch):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.GELU(),
        nn.Conv2d(16, 16, 3, padding=1), nn.InstanceNorm2d(16, affine=True), nn.GELU(),
        nn.Conv2d(16, 16, 3, padding=1), nn.LayerNorm([16, 32, 32]), nn.GELU(),
        nn.Dropout2d(0.2), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = numbers(torch, 16, 3, 32, 32), classes(torch, 10, 16)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, x, y)


def conv3d(torch):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv3d(1, 8, 3, padding=1), nn.BatchNorm3d(8), nn.ReLU(), nn.MaxPool3d(2),
        nn.Conv3d(8, 16, 3, padding=1), nn.BatchNorm3d(16), nn.ReLU(), nn.Dropout3d(0.2),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(16, 8),
    )
    optimizer = torch.optim.Adam(model.parameters())
    x, y = numbers(torch, 8, 1, 8, 16, 16), classes(torch, 8, 8)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, x, y)


def transformer(torch, channels, heads, blocks, tokens, batch, vocabulary):
    """Train a small GPT: causal attention written out, LayerNorm first, GELU, AdamW."""
    nn = torch.nn
    future = torch.from_numpy(np.triu(np.ones((tokens, tokens), bool), 1))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1 = nn.LayerNorm(channels)
            self.qkv = nn.Linear(channels, 3 * channels)
            self.out = nn.Linear(channels, channels)
            self.norm2 = nn.LayerNorm(channels)
            self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(),
                                     nn.Linear(4 * channels, channels))

        def attend(self, x):
            qkv = self.qkv(x).view(batch, tokens, 3, heads, channels // heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (batch, heads, tokens, width)
            scores = q @ k.transpose(-2, -1) * (channels // heads) ** -0.5
            weights = scores.masked_fill(future, float("-inf")).softmax(-1)
            return self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, channels))

        def forward(self, x):
            x = x + self.attend(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, channels)
            self.place = nn.Parameter(torch.zeros(tokens, channels))
            self.blocks = nn.Sequential(*[Block() for _ in range(blocks)])
            self.norm = nn.LayerNorm(channels)
            self.head = nn.Linear(channels, vocabulary)

        def forward(self, text):
            x = self.embedding(text) + self.place
            return self.head(self.norm(self.blocks(x))).view(-1, vocabulary)

    model = GPT()
    optimizer = torch.optim.AdamW(model.parameters())
    text, target = classes(torch, vocabulary, batch, tokens), classes(torch, vocabulary,
                                                                     batch * tokens)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, text, target)


def lstm(torch, features, hidden, steps, batch):
    """Train an LSTM and a Linear on its last state on a classification, with Adam."""
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(features, hidden)
            self.head = nn.Linear(hidden, 4)

        def forward(self, x):
            y, _ = self.lstm(x)
            return self.head(y[-1])

    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters())
    x, y = numbers(torch, steps, batch, features), classes(torch, 4, batch)
    return training_step(torch, model, optimizer, nn.functional.cross_entropy, x, y)


SMALL = [
    Case("mlp_tiny", lambda t: mlp(t, (2, 8, 1), 4), "MLP 2-8-1, batch 4, SGD"),
    Case("selu_small", lambda t: selu(t, (32, 64, 64, 10), 32, "Adam"),
         "SELU + AlphaDropout 32-64-64-10, batch 32, Adam"),
    Case("conv_small", lambda t: conv_bn_relu(t, (1, 8, 16), 8, 32),
         "ConvBNReLU 1-8-16, 8x8, batch 32, Adam"),
    Case("norms_small", norms_small,
         "GroupNorm, InstanceNorm, LayerNorm, Dropout2d, PReLU, 8x8, batch 16, SGD"),
    Case("lstm_small", lambda t: lstm(t, 8, 16, 10, 16), "LSTM 8-16, 10 steps, batch 16, Adam"),
    Case("gpt_small", lambda t: transformer(t, 16, 2, 1, 16, 4, 32),
         "GPT 16 channels, 2 heads, 16 tokens, batch 4, AdamW"),
]
MEDIUM = [
    Case("mlp_micro", lambda t: mlp(t, (2, 16, 16, 1), 32), "MLP 2-16-16-1, batch 32, SGD"),
    Case("mlp_784", mlp_784, "MLP 784-128-10, batch 64, Adam"),
    Case("selu_784", lambda t: selu(t, (784, 512, 512, 10), 64, "SGD"),
         "SELU + AlphaDropout 784-512-512-10, batch 64, SGD"),
    Case("lenet", lenet, "LeNet, 28x28, batch 32, Adam"),
    Case("conv_bn_relu", lambda t: conv_bn_relu(t, (3, 16, 32, 64), 32, 32),
         "ConvBNReLU 3-16-32-64 with pooling, 32x32, batch 32, Adam"),
    Case("residual", residual, "residual 32-64, 32x32, batch 32, SGD"),
    Case("norms_medium", norms_medium,
         "GroupNorm, InstanceNorm, LayerNorm, GELU, Dropout2d, 16 channels, batch 16, SGD"),
    Case("conv3d", conv3d, "Conv3d + BatchNorm3d + Dropout3d, 8x16x16, batch 8, Adam"),
    Case("transformer", lambda t: transformer(t, 128, 4, 2, 64, 8, 64),
         "transformer 2 x 128, 64 tokens, batch 8, AdamW"),
]
