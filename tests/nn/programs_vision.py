"""Ordinary programs for images, each written for either library: it returns the losses of training.

`lib` is torch or minigrad, `numbers` a source of the same data for both; see whole_programs.py.
"""

from __future__ import annotations

from tests.nn.whole_programs import Source, at, program, train


@program
def resnet_block(lib, numbers: Source) -> list[float]:
    """Two residual blocks, SGD with Nesterov momentum, label smoothing, then eval mode."""
    nn = lib.nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU(inplace=True)
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                          nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = self.relu(self.norm1(self.conv1(x)))
            y = self.norm2(self.conv2(y))
            y += self.shortcut(x)
            return self.relu(y)

    net = nn.Sequential(Block(3, 6, 1), Block(6, 8, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                        nn.Linear(8, 4))
    numbers.start(net)
    x, y = numbers.normal(5, 3, 8, 8), numbers.integers(4, 5)
    optimizer = lib.optim.SGD(net.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
    losses = train(optimizer, lambda: nn.functional.cross_entropy(net(x), y, label_smoothing=0.1))
    net.eval()
    return [*losses, net(x).square().sum().item()]


@program
def unet(lib, numbers: Source) -> list[float]:
    """Down, up by a transposed convolution, a skip connection, a loss per pixel."""
    nn = lib.nn

    def double(inputs, outputs):
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.InstanceNorm2d(outputs, affine=True),
            nn.LeakyReLU(0.2), nn.GELU(),
            nn.Conv2d(outputs, outputs, 3, padding="same", padding_mode="reflect"))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.low, self.up = double(1, 4), double(4, 6), double(10, 4)
            self.raise_ = nn.ConvTranspose2d(6, 6, 2, 2)
            self.pool = nn.MaxPool2d(2)
            self.out = nn.Conv2d(4, 2, 1)

        def forward(self, x):
            fine = self.down(x)
            coarse = self.raise_(self.low(self.pool(fine)))
            return self.out(self.up(lib.cat([coarse, fine], 1)))

    net = UNet()
    numbers.start(net)
    x, y = numbers.normal(2, 1, 8, 8), numbers.integers(2, 2, 8, 8)
    optimizer = lib.optim.Adam(net.parameters(), 0.01)
    return train(optimizer, lambda: nn.functional.cross_entropy(net(x), y)
                 + (1 - nn.functional.softmax(net(x), 1)[:, 1].mean()))


@program
def variational_autoencoder(lib, numbers: Source) -> list[float]:
    """Reconstruction and divergence, with the noise given."""
    nn = lib.nn

    class Autoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Linear(10, 8)
            self.mean, self.logvar = nn.Linear(8, 3), nn.Linear(8, 3)
            self.decoder = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 10))

        def forward(self, x, noise):
            h = lib.tanh(self.encoder(x))
            mean, logvar = self.mean(h), self.logvar(h)
            return self.decoder(mean + noise * (logvar / 2).exp()), mean, logvar

    net = Autoencoder()
    numbers.start(net)
    x = numbers.uniform(6, 10)

    def loss():
        y, mean, logvar = net(x, numbers.normal(6, 3))
        fit = nn.functional.binary_cross_entropy_with_logits(y, x, reduction="sum")
        return fit - 0.5 * (1 + logvar - mean.pow(2) - logvar.exp()).sum()

    return train(lib.optim.AdamW(net.parameters(), 0.02), loss)


@program
def adversarial_nets(lib, numbers: Source) -> list[float]:
    """A generator and a discriminator under spectral normalisation, trained in turn."""
    nn = lib.nn
    spectral_norm = at(lib, "nn.utils.parametrizations").spectral_norm
    maker = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(True), nn.Linear(8, 5),
                          nn.Tanh())
    judge = nn.Sequential(nn.Linear(5, 8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 1))
    numbers.start(maker)
    numbers.start(judge)
    for layer in (judge[0], judge[2]):
        spectral_norm(layer)
        power = layer.parametrizations.weight[0]
        with lib.no_grad():
            for vector in (power._u, power._v):
                vector.fill_(vector.numel() ** -0.5)
    making = lib.optim.Adam(maker.parameters(), 0.01, (0.5, 0.9))
    judging = lib.optim.Adam(judge.parameters(), 0.01, (0.5, 0.9))
    criterion, ones, zeros = nn.BCEWithLogitsLoss(), lib.ones(6, 1), lib.zeros(6, 1)
    losses = []
    for _ in range(3):
        real, noise = numbers.normal(6, 5), numbers.normal(6, 3)
        losses += train(judging, lambda real=real, noise=noise: criterion(judge(real), ones)
                        + criterion(judge(maker(noise).detach()), zeros), 1)
        losses += train(making, lambda noise=noise: criterion(judge(maker(noise)), ones), 1)
    return losses


@program
def gradient_penalty(lib, numbers: Source) -> list[float]:
    """A critic whose loss contains the norm of its own gradient: second derivatives."""
    nn = lib.nn
    critic = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.SiLU(), nn.Linear(8, 1))
    numbers.start(critic)

    def loss():
        real, fake, share = numbers.normal(6, 4), numbers.normal(6, 4), numbers.uniform(6, 1)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = lib.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
        return critic(real).mean() - critic(fake).mean() + 10 * penalty

    return train(lib.optim.RMSprop(critic.parameters(), 0.01), loss)


@program
def norms_of_all_kinds(lib, numbers: Source) -> list[float]:
    """Every norm in one stack, its running statistics, and eval mode."""
    nn = lib.nn
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.CELU(),
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.LocalResponseNorm(3),
        nn.LayerNorm([4, 5, 5]), nn.BatchNorm2d(4, momentum=None), nn.Hardtanh(),
        nn.RMSNorm([5, 5], eps=1e-5))
    numbers.start(net)
    x = numbers.normal(3, 2, 5, 5)
    losses = train(lib.optim.SGD(net.parameters(), 0.1),
                   lambda: net(x).pow(2).mean() + net(x).sum() * 0.1)
    net.eval()
    buffers = [buffer.double().sum().item() for buffer in net.buffers()]
    return [*losses, net(x).square().sum().item(), *buffers]
