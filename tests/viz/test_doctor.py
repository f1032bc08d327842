"""`doctor` finds each mistake, with its place; it is silent on sound nets and touches nothing."""

from __future__ import annotations

import json

import pytest

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F

from .nets import Clips, Residual, Tied, Unrolled


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def classes(n, count):
    return torch.arange(n) % count


def found(diagnosis):
    return [(f.check, f.path) for f in diagnosis.findings]


def lecun(net):
    for m in net.modules():
        if isinstance(m, nn.Linear):
            nn.init.kaiming_normal_(m.weight, nonlinearity="linear")
            nn.init.zeros_(m.bias)
    return net


class TwoSided(nn.Module):
    """Softmax inside, between layers: attention, no mistake."""

    def __init__(self):
        super().__init__()
        self.query, self.value, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        share = (self.query(x) @ x.transpose(1, 2)).softmax(-1)
        return self.head((share @ self.value(x)).mean(1))


class ZeroInit(nn.Module):
    """A residual branch that starts at zero: the layer in it gets no gradient yet."""

    def __init__(self):
        super().__init__()
        self.branch, self.head = nn.Linear(8, 8), nn.Linear(8, 3)
        self.scale = nn.Parameter(torch.zeros(8))

    def forward(self, x):
        return self.head(x + self.scale * self.branch(x))


def frozen_backbone():
    backbone = nn.Sequential(nn.Linear(8, 8, bias=False), nn.BatchNorm1d(8), nn.Dropout())
    backbone.requires_grad_(False).eval()
    return nn.Sequential(backbone, nn.Linear(8, 3))


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 10))


def conv_net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(), nn.Linear(32, 10))


def lstm():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 3)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    return Last()


SOUND = {
    "mlp": lambda: (nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
                                  nn.Linear(64, 3)), torch.randn(64, 8), classes(64, 3), None),
    "lenet": lambda: (lenet(), torch.randn(16, 1, 28, 28), classes(16, 10), nn.CrossEntropyLoss()),
    "conv": lambda: (conv_net(), torch.randn(16, 3, 16, 16), classes(16, 10), F.cross_entropy),
    "selu": lambda: (lecun(nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.AlphaDropout(0.1),
                                         nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 3))),
                     torch.randn(32, 64), classes(32, 3), None),
    "log_softmax": lambda: (nn.Sequential(nn.Linear(8, 3), nn.LogSoftmax(1)), torch.randn(16, 8),
                            classes(16, 3), nn.NLLLoss()),
    "sigmoid": lambda: (nn.Sequential(nn.Linear(8, 1), nn.Sigmoid()), torch.randn(16, 8),
                        torch.ones(16, 1), nn.BCELoss()),
    "logits": lambda: (nn.Linear(8, 1), torch.randn(16, 8), torch.ones(16, 1),
                       nn.BCEWithLogitsLoss()),
    "regression": lambda: (nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 1)),
                           torch.randn(16, 8), torch.randn(16, 1), None),
    "softmax for show": lambda: (nn.Sequential(nn.Linear(8, 3), nn.Softmax(1)), torch.randn(16, 8),
                                 None, None),
    "attention": lambda: (TwoSided(), torch.randn(16, 5, 8), classes(16, 3), None),
    "transformer": lambda: (nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
                            torch.randn(8, 5, 16), None, None),
    "lstm": lambda: (lstm(), torch.randn(16, 7, 8), classes(16, 3), None),
    "unrolled": lambda: (Unrolled(), torch.randn(2, 3, 3), None, None),
    "tied": lambda: (Tied(), classes(12, 10).reshape(4, 3), None, None),
    "residual": lambda: (Residual(), torch.randn(8, 4, 5, 5), None, None),
    "clips": lambda: (Clips(), torch.randn(4, 1, 6, 6, 6), classes(4, 3), None),
    "zero init": lambda: (ZeroInit(), torch.randn(16, 8), classes(16, 3), None),
    "frozen": lambda: (frozen_backbone(), torch.randn(16, 8), classes(16, 3), None),
    "norm first": lambda: (nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 3)),
                           torch.randn(64, 8) * 100 + 500, classes(64, 3), None),
    "images 0 to 1": lambda: (lenet(), torch.rand(16, 1, 28, 28), classes(16, 10), None),
    "in place": lambda: (nn.Sequential(nn.Linear(8, 32), nn.ReLU(inplace=True), nn.Linear(32, 3)),
                         torch.randn(32, 8), classes(32, 3), None),
    "batch of one without norms": lambda: (nn.Linear(8, 3), torch.randn(1, 8), classes(1, 3), None),
}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sound_nets_give_no_finding(name, seed):
    torch.manual_seed(seed)
    diagnosis = torch.doctor(*SOUND[name]())
    assert diagnosis.ok, diagnosis
    assert "no findings" in str(diagnosis)


def test_double_softmax():
    net = nn.Sequential(nn.Linear(8, 3), nn.Softmax(1))
    one = torch.doctor(net, torch.randn(16, 8), classes(16, 3), nn.CrossEntropyLoss())
    assert found(one) == [("double softmax", "1")]
    assert "0.551" in one.findings[0].evidence  # log(e + 2) - 1

    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 3)

        def forward(self, x):
            return F.softmax(self.fc(x), 1).view(-1, 3)

    two = torch.doctor(Functional(), torch.randn(16, 8), classes(16, 3))
    assert found(two) == [("double softmax", "softmax")]
    nll = torch.doctor(net, torch.randn(16, 8), classes(16, 3), nn.NLLLoss())
    assert found(nll) == [("softmax into NLLLoss", "1")]


def test_sigmoid_before_logits():
    net = nn.Sequential(nn.Linear(8, 1), nn.Sigmoid())
    made = torch.doctor(net, torch.randn(16, 8), torch.ones(16, 1), nn.BCEWithLogitsLoss())
    assert found(made) == [("sigmoid before BCEWithLogitsLoss", "1")]


@pytest.mark.parametrize(("layer", "norm", "size"), [
    (nn.Linear(8, 8), nn.BatchNorm1d(8), (16, 8)),
    (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), (16, 3, 8, 8)),
    (nn.ConvTranspose2d(3, 8, 3), nn.InstanceNorm2d(8), (16, 3, 8, 8))])
def test_bias_before_norm(layer, norm, size):
    made = torch.doctor(nn.Sequential(layer, norm), torch.randn(*size))
    assert found(made) == [("bias before a norm", "0")]
    assert made.findings[0].grade == "hint"


def test_selu():
    net = nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Dropout(0.1), nn.Linear(64, 3))
    made = torch.doctor(net, torch.randn(32, 64), classes(32, 3))
    assert found(made) == [("SELU without LeCun-normal weights", "0"),
                           ("plain dropout after SELU", "2")]
    assert "multiplies the scale by 0.57" in made.findings[0].evidence  # about 1 / sqrt(3)


def test_dead_relu():
    net = nn.Sequential(nn.Linear(8, 10), nn.ReLU(), nn.Linear(10, 3))
    with torch.no_grad():
        net[0].bias[:6] = -100
    made = torch.doctor(net, torch.randn(64, 8), classes(64, 3))
    assert found(made) == [("dead ReLU", "1")]
    assert "6 of 10" in made.findings[0].evidence


def test_parameters_without_gradient():
    class Forgotten(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(8, 3), nn.Linear(8, 3), nn.Linear(8, 3)
            self.c.requires_grad_(False)

        def forward(self, x):
            return self.a(x) + self.b(x).detach() + self.c(x)

    made = torch.doctor(Forgotten(), torch.randn(16, 8), classes(16, 3))
    assert found(made) == [("parameter without gradient", "b.weight"),
                           ("parameter without gradient", "b.bias")]


def test_gradients_that_are_all_zero():
    net = nn.Sequential(nn.Linear(8, 10), nn.ReLU(), nn.Linear(10, 3))
    with torch.no_grad():
        net[0].bias.fill_(-100)
    made = torch.doctor(net, torch.randn(64, 8), classes(64, 3))
    assert ("gradient is zero everywhere", "0.weight") in found(made)


def test_batch_of_one():
    net = nn.Sequential(nn.Linear(8, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, 3))
    made = torch.doctor(net, torch.randn(1, 8), classes(1, 3))
    assert ("batch of one", "1") in found(made)
    assert made.of("batch of one")[0].grade == "error"
    image = torch.doctor(nn.BatchNorm2d(3), torch.randn(1, 3, 8, 8))
    assert found(image) == [("batch of one", "")]
    assert image.findings[0].grade == "warning"


def test_train_and_eval_mixed():
    net = conv_net()
    net[1].eval()
    net[9].eval()
    made = torch.doctor(net, torch.randn(16, 3, 16, 16))
    assert found(made) == [("train and eval mixed", "1"), ("train and eval mixed", "9")]
    net.eval()
    net[9].train()
    assert found(torch.doctor(net, torch.randn(16, 3, 16, 16))) == [("train and eval mixed", "9")]


def test_dropout_before_norm():
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 16, bias=False),
                        nn.BatchNorm1d(16), nn.Linear(16, 3))
    made = torch.doctor(net, torch.randn(256, 8), classes(256, 3))
    assert found(made) == [("dropout before batch norm", "2")]


def deep(scale, depth=12):
    net = nn.Sequential(*(nn.Linear(32, 32, bias=False) for _ in range(depth)))
    with torch.no_grad():
        for layer in net:
            layer.weight.mul_(scale)
    return net


def test_vanishing_and_exploding_gradients():
    x = torch.randn(16, 32)
    sigmoids = nn.Sequential(*(m for _ in range(12) for m in (nn.Linear(16, 16), nn.Sigmoid())))
    assert [c for c, _ in found(torch.doctor(sigmoids, x[:, :16]))] == ["vanishing gradients"]
    assert [c for c, _ in found(torch.doctor(deep(8), x))] == ["exploding gradients"]
    net = nn.Linear(32, 3)
    with torch.no_grad():
        net.weight[0, 0] = float("inf")
    assert "gradient not finite" in [c for c, _ in found(torch.doctor(net, x, classes(16, 3)))]


def test_inputs():
    net = nn.Linear(4, 3)
    assert found(torch.doctor(net, torch.rand(16, 4) * 255)) == [
        ("input not normalised", "the input")]
    x = torch.randn(16, 4) * torch.tensor([1., 1., 1e-4, 1.])
    assert found(torch.doctor(net, x)) == [("input not normalised", "the input")]
    x[0, 0] = float("nan")
    assert ("input not finite", "the input") in found(torch.doctor(net, x))


def test_labels():
    net = nn.Linear(4, 3)
    made = torch.doctor(net, torch.randn(3, 4), torch.tensor([1, 2, 3]))
    assert made.findings[0].check == "label out of range"
    assert "0 ... 2, for example 3" in made.findings[0].evidence
    ignored = torch.doctor(net, torch.randn(3, 4), torch.tensor([1, 2, -100]))
    assert ignored.ok
    binary = torch.doctor(nn.Linear(4, 1), torch.randn(3, 4), torch.tensor([[1.], [2.], [0.]]),
                          nn.BCEWithLogitsLoss())
    assert found(binary) == [("label out of range", "the labels")]
    shapes = torch.doctor(nn.Linear(4, 1), torch.randn(3, 4), torch.randn(3))
    assert found(shapes) == [("shapes of output and target differ", "the labels")]


def test_a_run_that_raises():
    made = torch.doctor(nn.Linear(4, 3), torch.randn(2, 5))
    assert found(made) == [("the run raises", "forward")]
    assert "double softmax, because the run raises" in str(made)
    with pytest.raises(TypeError, match="Module"):
        torch.doctor(lambda x: x, torch.ones(1))
    with pytest.raises(TypeError, match="Tensor or None"):
        torch.doctor(nn.Linear(1, 1), torch.ones(1, 1), [1])


def test_several_inputs_and_renderings():
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(4, 5, 8)
    assert torch.doctor(layer, (x, x, x)).ok
    made = torch.doctor(nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)), torch.randn(16, 8))
    page = made.html()
    assert "bias before a norm" in page and page == made._repr_html_()
    assert json.loads(json.dumps(made.to_dict()))["findings"][0]["path"] == "0"
    assert "give y and loss" in str(made)
    assert [f.grade for f in torch.doctor(nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8),
                                                        nn.Softmax(1)), torch.randn(16, 8) * 99,
                                          classes(16, 8)).findings] == ["error", "warning", "hint"]


def test_nothing_is_touched():
    net = conv_net()
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    net[9].eval()
    grads = [p.grad for p in net.parameters()]
    before = {k: v.clone() for k, v in net.state_dict().items()}
    flags = [m.training for m in net.modules()]
    x, y = torch.randn(4, 3, 16, 16), classes(4, 10)
    random = torch.get_rng_state()
    torch.doctor(net, x, y)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert [m.training for m in net.modules()] == flags
    assert all(p.grad is g and bool((g == 1).all())
               for p, g in zip(net.parameters(), grads, strict=True))


def test_a_loss_with_parameters_is_left_alone():
    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, out, y):
            return self.scale * F.cross_entropy(out, y)

    loss = Weighted()
    assert torch.doctor(nn.Linear(8, 3), torch.randn(16, 8), classes(16, 3), loss).ok
    assert loss.scale.grad is None
