"""Histograms over training steps: the numbers, the figures, and that nothing is touched."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import minigrad as torch
import minigrad.nn as nn
from minigrad import viz

pytest.importorskip("matplotlib").use("Agg")


def trained(steps=5, **options):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(16, 4)
    outputs = []
    with viz.Recorder(net, **options) as recorder:
        for _ in range(steps):
            optimizer.zero_grad()
            out = net(x)
            outputs.append(out.detach().numpy().copy())
            (out ** 2).mean().backward()
            recorder.step()
            optimizer.step()
    return net, recorder, outputs


def test_numbers_of_every_step():
    net, recorder, outputs = trained()
    layer = recorder.activations["4"]
    assert recorder.steps == [0, 1, 2, 3, 4]
    assert np.allclose(layer.mean, [o.mean() for o in outputs])
    assert np.allclose(layer.std, [o.std() for o in outputs])
    assert np.allclose(layer.low, [o.min() for o in outputs])
    assert np.allclose(layer.norm, [np.linalg.norm(o) for o in outputs])
    assert [sum(c) for c in layer.counts] == [32] * 5
    assert layer.counts[2] == np.histogram(outputs[2].astype(np.float64), 12)[0].tolist()
    assert set(recorder.gradients) == set(recorder.weights) == set(dict(net.named_parameters()))
    assert np.isclose(recorder.gradients["0.bias"].mean[-1], net[0].bias.grad.mean().item())
    assert not net[0]._forward_hooks


def test_dead_units_and_saturation():
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU())
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].bias.copy_(torch.tensor([1., -1., -1., -1.]))
    layers = viz.plot_activations(net, torch.ones(3, 2)).layers
    assert layers["1"].dead == [0.75] and layers["1"].zero == [0.75]
    assert layers["0"].dead == [0.0] and layers["1"].saturated == [None]
    tanh = viz.plot_activations(nn.Tanh(), torch.tensor([[0., 9.], [-9., 9.]])).layers[""]
    assert tanh.saturated == [0.75]
    conv = viz.plot_activations(nn.ReLU(), torch.ones(2, 3, 4, 4) - 2).layers[""]
    assert conv.dead == [1.0]


def test_nan_is_counted_not_drawn():
    x = torch.tensor([[1., float("nan")], [float("inf"), 2.]])
    picture = viz.plot_activations(nn.Identity(), x)
    assert picture.layers[""].not_finite == [2]
    assert "2 not finite" in picture.figure.axes[0].get_title()


@pytest.mark.parametrize("name", ["plot_activations", "plot_gradients", "plot_weights"])
def test_figures_are_written(name, tmp_path):
    _, recorder, _ = trained()
    picture = getattr(viz, name)(recorder)
    assert len([a for a in picture.figure.axes if a.axison]) == len(picture.layers)
    picture.save(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    json.dumps(picture.to_dict())


def test_steps_and_layers_are_chosen():
    _, recorder, _ = trained(7, every=3, layers=("ReLU", "3"))
    assert recorder.steps == [0, 3, 6]
    assert set(recorder.activations) == {"1", "3"}
    assert set(viz.plot_activations(recorder, layers=("Tanh",)).layers) == {"3"}
    assert len(recorder.activations["1"].mean) == 3


def test_a_module_that_is_called_twice_counts_together():
    act = nn.ReLU()
    net = nn.Sequential(act, nn.Flatten(), act)
    picture = viz.plot_activations(net, torch.tensor([[1., -1.]]))
    assert sum(picture.layers["0"].counts[0]) == 4


def test_one_run_leaves_the_model_as_it_was():
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())
    net[0].weight.grad = torch.ones(3, 3)
    grad, before = net[0].weight.grad, {k: v.clone() for k, v in net.state_dict().items()}
    x = torch.rand(4, 3)
    random = torch.get_rng_state()
    picture = viz.plot_gradients(net, x, loss=lambda y: (y ** 2).sum())
    assert picture.layers["0.weight"].norm[0] > 0
    assert net[0].weight.grad is grad and bool((grad == 1).all())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_errors():
    net = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="inputs"):
        viz.plot_activations(net)
    with pytest.raises(ValueError, match="none of"):
        viz.Recorder(net, layers=("ReLU",))
    with pytest.raises(ValueError, match="every"):
        viz.Recorder(net, every=0)
    with pytest.raises(RuntimeError, match="context manager"):
        viz.Recorder(net).step()
    with pytest.raises(ValueError, match="call step"):
        viz.plot_gradients(viz.Recorder(net))
    with pytest.raises(ValueError, match="nothing was recorded"):
        viz.plot_weights(net, layers=("b",))
    with pytest.raises(TypeError, match="loss=lambda"):
        viz.plot_gradients(nn.LSTM(2, 2), torch.ones(1, 1, 2))


def test_matplotlib_is_loaded_when_needed_and_named_when_missing():
    code = ("import sys, minigrad as torch; torch.viz; assert 'matplotlib' not in sys.modules;"
            "sys.modules['matplotlib'] = None\n"
            "try: torch.viz.plot_weights(torch.nn.Linear(1, 1))\n"
            "except ImportError as error: print(error)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'minigrad-numpy[examples]'" in done.stdout
