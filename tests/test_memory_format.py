"""Memory formats: strides are what PyTorch gave, values do not depend on them."""

from __future__ import annotations

import pytest

import minigrad as torch
from minigrad import nn

LAST, ROWS, SAME = torch.channels_last, torch.contiguous_format, torch.preserve_format
LAST_STRIDES, ROW_STRIDES = (60, 1, 15, 3), (60, 20, 5, 1)


def images(format=None):
    x = torch.arange(120.).view(2, 3, 4, 5)
    return x if format is None else x.contiguous(memory_format=format)


@pytest.mark.parametrize("convert", [
    lambda x, f: x.contiguous(memory_format=f), lambda x, f: x.to(memory_format=f),
    lambda x, f: x.clone(memory_format=f), lambda x, f: x.to(torch.float64, memory_format=f),
    lambda x, f: x.int(memory_format=f), lambda x, f: x.to("cpu", copy=True, memory_format=f),
    lambda x, f: torch.clone(x, memory_format=f)])
def test_conversions(convert):
    for start in (images(), images(LAST)):
        y = convert(start, LAST)
        assert y.stride() == LAST_STRIDES and torch.equal(y.float(), images())
        assert convert(start, ROWS).stride() == ROW_STRIDES
    with pytest.raises(RuntimeError, match="required rank 4 tensor to use channels_last format"):
        convert(torch.ones(2, 2), LAST)
    with pytest.raises(TypeError, match="memory_format"):
        convert(images(), "channels_last")


def test_what_has_the_format_is_returned_itself():
    x = images(LAST)
    assert x.to(memory_format=LAST) is x.contiguous(memory_format=LAST) is x
    turned = images().transpose(1, 2)
    assert turned.to(memory_format=ROWS) is turned.to(memory_format=SAME) is turned
    assert turned.contiguous(memory_format=ROWS).stride() == (60, 15, 5, 1)
    with pytest.raises(RuntimeError, match="preserve"):
        turned.contiguous(memory_format=SAME)


def test_is_contiguous():
    assert images(LAST).is_contiguous(memory_format=LAST) and not images(LAST).is_contiguous()
    assert not images().is_contiguous(memory_format=LAST)
    assert not torch.ones(2).is_contiguous(memory_format=LAST)
    volumes = torch.ones(2, 3, 4, 5, 2).contiguous(memory_format=torch.channels_last_3d)
    assert volumes.stride() == (120, 1, 30, 6, 3)
    assert volumes.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "empty_like", "rand_like",
                                  "randn_like"])
def test_tensors_like_others(name):
    make = getattr(torch, name)
    assert make(images(LAST)).stride() == LAST_STRIDES
    assert make(images(LAST), memory_format=ROWS).stride() == ROW_STRIDES
    assert make(images(), memory_format=LAST).stride() == LAST_STRIDES
    assert make(images().transpose(1, 3)).stride() == (60, 1, 5, 20)
    assert make(images().transpose(1, 3)[:, 1:]).stride() == (48, 1, 4, 16)


def test_more_tensors_like_others():
    assert torch.full_like(images(), 2., memory_format=LAST).stride() == LAST_STRIDES
    assert torch.randint_like(images(LAST), 2).stride() == LAST_STRIDES
    assert torch.empty(2, 3, 4, 5, memory_format=LAST).stride() == LAST_STRIDES
    made = torch.testing.make_tensor(2, 3, 4, 5, dtype=torch.float32, device="cpu",
                                     memory_format=LAST)
    assert made.stride() == LAST_STRIDES
    for wrong in (lambda: torch.empty(2, 3, memory_format=LAST),
                  lambda: torch.empty(2, 3, memory_format=SAME)):
        with pytest.raises(RuntimeError, match="format"):
            wrong()


def test_resize():
    x = images().resize_(2, 3, 2, 2, memory_format=LAST)
    assert x.stride() == (12, 1, 6, 3) and x.flatten()[:3].tolist() == [0, 3, 6]
    assert images().resize_(2, 3, 4, 5, memory_format=LAST).stride() == LAST_STRIDES
    small = torch.zeros(2, 3, 2, 2).to(memory_format=LAST)
    assert images().resize_as_(small).stride() == (12, 4, 2, 1)
    assert images().resize_as_(small, memory_format=SAME).stride() == (12, 1, 6, 3)
    with pytest.raises(RuntimeError, match="Preserve"):
        images().resize_(2, 3, 4, 5, memory_format=SAME)


def test_gradients_pass():
    x = images().requires_grad_()
    (x.to(memory_format=LAST) ** 2).sum().backward()
    assert torch.equal(x.grad, 2 * images())


@pytest.mark.parametrize("step", [torch.optim.SGD, torch.optim.Adam])
def test_training_does_not_depend_on_the_format(step):
    def losses(format):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                            nn.MaxPool2d(2), nn.Conv2d(4, 2, 1), nn.Flatten(), nn.Linear(8, 1))
        net, x = net.double().to(memory_format=format), images().double() / 100
        if format is LAST:
            assert net[0].weight.stride() == (27, 1, 9, 3)
        x, rule = x.to(memory_format=format), step(net.parameters(), lr=0.01)
        found = []
        for _ in range(5):
            rule.zero_grad()
            loss = net(x).pow(2).mean()
            loss.backward()
            rule.step()
            found.append(loss.item())
        return found

    assert losses(LAST) == pytest.approx(losses(ROWS), rel=1e-9)
