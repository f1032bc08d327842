"""Nets and tables as articles on PyTorch's norm, dropout and activation layers show them.

Ordinary torch code: the first three lines below are the only ones that name minigrad, and the
recorder runs the very same text with PyTorch.
"""

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F


class SimpleNet(nn.Module):
    def __init__(self, p=0.5):
        super(SimpleNet, self).__init__()  # noqa: UP008 - as articles write it
        self.fc1 = nn.Linear(20, 64)
        self.dropout = nn.Dropout(p)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.dropout(x)
        return self.fc2(x)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, kernel_size=3, padding=1)
        self.dropout = nn.Dropout2d(p=0.3)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = self.dropout(x)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return F.log_softmax(self.fc(x), dim=1)


class Conv3DNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 4, kernel_size=3, stride=1, padding=1)
        self.dropout = nn.Dropout3d(p=0.2)
        self.pool = nn.MaxPool3d(2)
        self.fc = nn.Linear(4 * 2 * 4 * 4, 3)

    def forward(self, x):
        x = self.pool(self.dropout(torch.relu(self.conv(x))))
        return self.fc(torch.flatten(x, 1))


class ComplexNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
            nn.Dropout2d(0.1), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.LeakyReLU(0.1),
            nn.AdaptiveAvgPool2d((2, 2)))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 32), nn.LayerNorm(32), nn.GELU(), nn.Dropout(0.2),
            nn.Linear(32, 5))

    def forward(self, x):
        return self.classifier(self.features(x))


class ConvBNReLU(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride,
                              padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class NormalizationExample(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(6)
        self.ln = nn.LayerNorm([6, 8, 8])
        self.inorm = nn.InstanceNorm2d(6, affine=True)
        self.gn = nn.GroupNorm(num_groups=3, num_channels=6)

    def forward(self, x):
        return self.bn(x), self.ln(x), self.inorm(x), self.gn(x)


class SELUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(20, 50)
        self.fc2 = nn.Linear(50, 10)
        self.selu = nn.SELU()

    def forward(self, x):
        return self.fc2(self.selu(self.fc1(x)))


class AlphaDropoutNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(20, 50), nn.SELU(), nn.AlphaDropout(p=0.1),
                                 nn.Linear(50, 10))

    def forward(self, x):
        return self.net(x)


class SelfNormalizingNet(nn.Module):
    def __init__(self, depth=4, width=64):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(20 if i == 0 else width, width)
                                     for i in range(depth)])
        self.drop = nn.AlphaDropout(0.05)
        self.out = nn.Linear(width, 2)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.kaiming_normal_(m.weight, mode="fan_in", nonlinearity="linear")
                nn.init.zeros_(m.bias)

    def forward(self, x):
        for layer in self.layers:
            x = self.drop(F.selu(layer(x)))
        return self.out(x)


class SigmoidExample(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        return self.sigmoid(self.fc(x))


class TanhExample(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 4)
        self.tanh = nn.Tanh()

    def forward(self, x):
        return self.tanh(self.fc(x))


class ReLUExample(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 4)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.fc(x))


class PReLUExample(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 4)
        self.prelu = nn.PReLU(num_parameters=4, init=0.25)

    def forward(self, x):
        return self.prelu(self.fc(x))


class SoftmaxExample(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 4)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x):
        return self.softmax(self.fc(x))


class MultiClassClassifier(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.layer1 = nn.Linear(20, 32)
        self.layer2 = nn.Linear(32, num_classes)

    def forward(self, x):
        return self.layer2(torch.relu(self.layer1(x)))


NETS = {
    "SimpleNet": (SimpleNet, (8, 20)), "ConvNet": (ConvNet, (4, 1, 28, 28)),
    "Conv3DNet": (Conv3DNet, (2, 1, 4, 8, 8)), "ComplexNet": (ComplexNet, (4, 3, 12, 12)),
    "ConvBNReLU": (lambda: ConvBNReLU(3, 16), (4, 3, 8, 8)),
    "NormalizationExample": (NormalizationExample, (4, 6, 8, 8)),
    "SELUNet": (SELUNet, (8, 20)), "AlphaDropoutNet": (AlphaDropoutNet, (8, 20)),
    "SelfNormalizingNet": (SelfNormalizingNet, (8, 20)),
    "SigmoidExample": (SigmoidExample, (8, 20)), "TanhExample": (TanhExample, (8, 20)),
    "ReLUExample": (ReLUExample, (8, 20)), "PReLUExample": (PReLUExample, (8, 20)),
    "SoftmaxExample": (SoftmaxExample, (8, 20)),
    "MultiClassClassifier": (MultiClassClassifier, (8, 20)),
}


def batch_norm_tables():
    x = torch.tensor([[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]])
    bn = nn.BatchNorm1d(3)
    print(bn(x))
    print(bn.running_mean, bn.running_var, bn.num_batches_tracked)
    print(bn.weight, bn.bias)
    y = torch.tensor([[[1., 2., 3.], [4., 5., 6.]], [[7., 8., 9.], [10., 11., 12.]]])
    bn = nn.BatchNorm1d(2)
    print(y.shape, bn(y))
    mean = y.mean(dim=(0, 2), keepdim=True)
    var = y.var(dim=(0, 2), keepdim=True, unbiased=False)
    print((y - mean) / torch.sqrt(var + bn.eps))
    bn.eval()
    print(bn(y))
    print(nn.BatchNorm1d(2, affine=False, track_running_stats=False).eval()(y))


def layer_norm_tables():
    x = torch.arange(12.0).reshape(1, 3, 4)
    print(nn.LayerNorm(4)(x))
    print(nn.LayerNorm([3, 4])(x))
    print(nn.LayerNorm(4, elementwise_affine=False)(x))
    images = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5).sin()
    N, C, H, W = images.size()
    print(N, nn.LayerNorm([C, H, W]))
    layer = nn.LayerNorm([C, H, W])
    print(layer, layer.weight.shape, layer(images).shape, layer(images)[0, 0])
    sentences = torch.arange(2 * 64 * 32.0).reshape(2, 64, 32).cos()
    layer = nn.LayerNorm([64, 32])
    print(layer, layer(sentences).shape, layer(sentences)[1, 0, :4])


def group_norm_tables():
    x = torch.arange(2 * 6 * 2 * 2.0).reshape(2, 6, 2, 2).sin()
    for groups in (3, 6, 1):
        layer = nn.GroupNorm(groups, 6)
        print(layer, layer(x)[0, :2])
    layer = nn.GroupNorm(8, 64)
    print(layer, layer(torch.arange(2 * 64 * 4.0).reshape(2, 64, 2, 2).cos()).shape)
    print(torch.allclose(nn.GroupNorm(6, 6)(x), nn.InstanceNorm2d(6)(x), atol=1e-6))
    print(torch.allclose(nn.GroupNorm(1, 6)(x), nn.LayerNorm([6, 2, 2])(x), atol=1e-6))


def large_norms():
    x = torch.arange(20 * 100 * 35 * 45.0).reshape(20, 100, 35, 45).sin()
    m = nn.BatchNorm2d(100)
    print(m, m(x).shape, m(x)[0, 0, 0, 1:4])
    m = nn.BatchNorm2d(100, affine=False)
    print(m, m(x)[1, 2, 3, 1:4])
    m = nn.InstanceNorm2d(100, affine=True)
    print(m, m(x)[0, 0, 0, 1:4], list(m.state_dict()))
    x = x[:, :, 0]
    print(nn.InstanceNorm1d(100)(x)[0, 0, 1:4])


def activation_tables():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0])
    for name in ("Sigmoid", "Tanh", "ReLU", "LeakyReLU", "ELU", "SELU", "GELU", "SiLU", "Softplus",
                 "Hardtanh", "ReLU6", "PReLU"):
        layer = getattr(nn, name)()
        print(layer, layer(x))
    print(nn.PReLU().weight, nn.Softmax(dim=0)(x), nn.LogSoftmax(dim=0)(x))
    logits = torch.tensor([[10.0, 0.0, 0.0]], requires_grad=True)
    target = torch.tensor([0])
    right = nn.CrossEntropyLoss()(logits, target)
    wrong = nn.CrossEntropyLoss()(torch.softmax(logits, dim=1), target)
    print(right, wrong, F.nll_loss(F.log_softmax(logits, dim=1), target))


def dropout_tables():
    x = torch.ones(2, 3, 2, 2)
    print(nn.Dropout(0.5).eval()(x).sum(), F.dropout(x, 0.5, training=False).shape)
    print(nn.Dropout(p=1.0)(x), nn.AlphaDropout(p=1.0)(torch.ones(3)))
    print(nn.Dropout(0.0)(torch.ones(3)), nn.Dropout2d(0.2), nn.Dropout3d(), nn.AlphaDropout(0.1))


TABLES = (batch_norm_tables, layer_norm_tables, group_norm_tables, large_norms, activation_tables,
          dropout_tables)
