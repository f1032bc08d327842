"""Ordinary programs with the tools around layers, for either library: see whole_programs.py."""

from __future__ import annotations

import io

from tests.nn.whole_programs import Source, at, program, train


@program
def pruning_loop(lib, numbers: Source) -> list[float]:
    """Train, prune twice, train on, make it permanent."""
    nn, prune = lib.nn, at(lib, "nn.utils.prune")
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    numbers.start(net)
    x, y = numbers.normal(7, 6), numbers.normal(7, 3)

    def loss():
        return ((net(x) - y) ** 2).mean()

    losses = train(lib.optim.SGD(net.parameters(), 0.1, momentum=0.9), loss)
    weights = [(net[0], "weight"), (net[2], "weight")]
    prune.global_unstructured(weights, prune.L1Unstructured, amount=0.4)
    prune.ln_structured(net[0], "weight", 0.25, n=2, dim=0)
    losses += train(lib.optim.SGD(net.parameters(), 0.1), loss)
    for layer, name in weights:
        prune.remove(layer, name)
    return [*losses, float((net[0].weight == 0).sum()), net(x).square().sum().item()]


@program
def averaged_models(lib, numbers: Source) -> list[float]:
    """An exponential and a plain average of the weights, and new BatchNorm statistics."""
    nn, swa_utils = lib.nn, at(lib, "optim.swa_utils")
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Hardswish(), nn.Linear(6, 1))
    numbers.start(net)
    ema = swa_utils.AveragedModel(net, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9),
                                  use_buffers=True)
    swa = swa_utils.AveragedModel(net)
    x = numbers.normal(8, 4)
    optimizer = lib.optim.SGD(net.parameters(), 0.1)
    schedule = swa_utils.SWALR(optimizer, 0.05, anneal_epochs=2)

    def average():
        ema.update_parameters(net)
        swa.update_parameters(net)
        schedule.step()

    losses = train(optimizer, lambda: net(x).pow(2).mean(), after_step=average)
    swa_utils.update_bn([x, x * 2], swa)
    return [*losses, *(model.eval()(x).square().sum().item() for model in (ema, swa))]


@program
def hooks_for_activations(lib, numbers: Source) -> list[float]:
    """Hooks that look, and hooks that change inputs and outputs."""
    nn = lib.nn
    net = nn.Sequential(nn.Linear(4, 5), nn.ELU(), nn.Linear(5, 2))
    numbers.start(net)
    seen, handles = [], []
    for layer in net:
        handles.append(layer.register_forward_hook(
            lambda layer, inputs, output: seen.append(output.detach().square().sum().item())))
        handles.append(layer.register_full_backward_hook(
            lambda layer, to_input, of_output: seen.append(of_output[0].square().sum().item())))
    handles.append(net[1].register_forward_hook(lambda layer, inputs, output: output * 2))
    handles.append(net[0].register_forward_pre_hook(lambda layer, inputs: (inputs[0] + 1,)))
    x = numbers.normal(3, 4).requires_grad_()
    net(x).pow(2).sum().backward()
    for handle in handles:
        handle.remove()
    return [*seen, x.grad.square().sum().item(), net(x).square().sum().item()]


@program
def own_parametrizations(lib, numbers: Source) -> list[float]:
    """A symmetric matrix, its exponential, and an orthogonal one."""
    nn = lib.nn
    parametrize = at(lib, "nn.utils.parametrize")

    class Symmetric(nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

    class Exponential(nn.Module):
        def forward(self, x):
            return x.matrix_exp()

    layer, turn, x = nn.Linear(4, 4), nn.Linear(3, 3), numbers.normal(3, 4)
    numbers.start(layer)
    numbers.start(turn)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    parametrize.register_parametrization(layer, "weight", Exponential())
    losses = train(lib.optim.Adam(layer.parameters(), 0.02), lambda: layer(x).pow(2).mean())
    parametrize.remove_parametrizations(layer, "weight")
    at(lib, "nn.utils.parametrizations").orthogonal(turn)
    losses += train(lib.optim.SGD(turn.parameters(), 0.1),
                    lambda: (turn(x[:, :3]) - x[:, 1:]).pow(2).sum())
    product = turn.weight @ turn.weight.T
    return [*losses, layer.weight.square().sum().item(), product[0].sum().item()]


@program
def learning_to_learn(lib, numbers: Source) -> list[float]:
    """Steps inside of the loss: parameters that are functions of parameters."""
    nn = lib.nn
    functional_call = lib.func.functional_call
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    numbers.start(net)
    tasks = [(numbers.normal(5, 2), numbers.normal(5, 1)) for _ in range(3)]

    def error(values, x, y):
        return (functional_call(net, values, (x,)) - y).pow(2).mean()

    def loss():
        total = 0
        for x, y in tasks:
            values = dict(net.named_parameters())
            for _ in range(2):
                slopes = lib.autograd.grad(error(values, x, y), list(values.values()),
                                           create_graph=True)
                values = {name: value - 0.1 * slope
                          for (name, value), slope in zip(values.items(), slopes, strict=True)}
            total = total + error(values, x, y)
        return total

    return train(lib.optim.Adam(net.parameters(), 0.01), loss)


@program
def resumed_training(lib, numbers: Source) -> list[float]:
    """Save net and optimizer in the middle, load them into new ones, go on."""
    nn = lib.nn

    def build():
        net = nn.Sequential(nn.LazyConv1d(4, 3), nn.LazyBatchNorm1d(), nn.PReLU(), nn.Flatten(),
                            nn.LazyLinear(2))
        net(x)
        return net, lib.optim.Adam(net.parameters(), 0.02, amsgrad=True)

    x = numbers.normal(4, 3, 6)
    net, optimizer = build()
    numbers.start(net)
    losses = train(optimizer, lambda: net(x).pow(2).mean())
    file = io.BytesIO()
    lib.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = lib.load(file)
    later, resumed = build()
    later.load_state_dict(saved["net"])
    resumed.load_state_dict(saved["optimizer"])
    return [*losses, *train(resumed, lambda: later(x).pow(2).mean())]
