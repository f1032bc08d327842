"""Training steps of one MLP in minigrad and in the other small frameworks that are installed.

Every framework trains the same net from the same weights on the same data: Linear and ReLU layers,
mean squared error, plain gradient descent, float32, written the way its own tutorial writes it.
Each is timed in a fresh process, in turns with minigrad. The loss after the same number of steps
must agree with minigrad's: otherwise the row says so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

RATE = 0.01
NETS = {"MLP 2-16-16-1, batch 32": ((2, 16, 16, 1), 32),
        "MLP 784-128-10, batch 64": ((784, 128, 10), 64)}
CHECKED = 20  # steps after which the losses are compared
Arrays = list[np.ndarray]


def problem(sizes: tuple[int, ...], batch: int) -> tuple[Arrays, np.ndarray, np.ndarray]:
    """Return weights and biases in turn, inputs and targets, float32."""
    rng = np.random.default_rng(0)
    params: Arrays = []
    for inputs, outputs in pairwise(sizes):
        params += [rng.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32),
                   np.zeros(outputs, np.float32)]
    x, y = (rng.standard_normal((batch, n), np.float32) for n in (sizes[0], sizes[-1]))
    return params, x, y


def predict(relu: Callable[[Any], Any], params: list[Any], x: Any) -> Any:
    """Apply the layers; works for every framework, whose arrays all know @ and +."""
    for k in range(0, len(params), 2):
        x = x @ params[k] + params[k + 1]
        if k < len(params) - 2:
            x = relu(x)
    return x


def minigrad(params: Arrays, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    import minigrad as torch
    from minigrad import nn

    layers: list[Any] = []
    for weight, bias in zip(params[::2], params[1::2], strict=True):
        linear = nn.Linear(*weight.shape)
        linear.load_state_dict({"weight": torch.from_numpy(weight.T.copy()),
                                "bias": torch.from_numpy(bias.copy())})
        layers += [linear, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def step():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def mygrad(params: Arrays, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    import mygrad as mg
    from mygrad.nnet.activations import relu

    tensors = [mg.tensor(p) for p in params]

    def step():
        loss = mg.mean((predict(relu, tensors, x) - y) ** 2)
        loss.backward()
        for t in tensors:
            t.data -= RATE * t.grad  # what MyGrad's tutorial does; no new graph
        return loss

    return step


def autograd(params: Arrays, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    import autograd.numpy as anp
    from autograd import value_and_grad

    def loss_of(params):
        return anp.mean((predict(lambda z: anp.maximum(z, 0), params, x) - y) ** 2)

    gradient, held = value_and_grad(loss_of), [p.copy() for p in params]

    def step():
        loss, grads = gradient(held)
        for p, g in zip(held, grads, strict=True):
            p -= RATE * g
        return loss

    return step


def jax_step(params: Arrays, x: np.ndarray, y: np.ndarray, jit: bool) -> Callable[[], Any]:
    import jax

    inputs, targets = jax.numpy.asarray(x), jax.numpy.asarray(y)

    def update(params):
        def loss_of(params):
            return ((predict(jax.nn.relu, params, inputs) - targets) ** 2).mean()

        loss, grads = jax.value_and_grad(loss_of)(params)
        return loss, [p - RATE * g for p, g in zip(params, grads, strict=True)]

    run = jax.jit(update) if jit else update
    held = [[jax.numpy.asarray(p) for p in params]]

    def step():
        loss, held[0] = run(held[0])
        return loss.block_until_ready()

    return step


def tinygrad(params: Arrays, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    from tinygrad import Context, Tensor, TinyJit, nn

    tensors = [Tensor(p.copy()) for p in params]
    for t in tensors:
        t.requires_grad = True
    optimizer = nn.optim.SGD(tensors, lr=RATE)
    inputs, targets = Tensor(x), Tensor(y)

    @TinyJit
    def train():
        optimizer.zero_grad()
        loss = ((predict(Tensor.relu, tensors, inputs) - targets) ** 2).mean()
        loss.backward()
        return loss.realize(*optimizer.schedule_step())

    def step():
        with Context(TRAINING=1):
            return train().numpy()

    return step


OTHERS: dict[str, tuple[str, Callable[..., Callable[[], Any]]]] = {  # name: (module, its step)
    "MyGrad": ("mygrad", mygrad),
    "HIPS autograd": ("autograd", autograd),
    "jax": ("jax", lambda *a: jax_step(*a, jit=False)),
    "jax.jit": ("jax", lambda *a: jax_step(*a, jit=True)),
    "tinygrad, TinyJit": ("tinygrad", tinygrad),
}


def installed() -> list[str]:
    """Return the names of the frameworks that can be imported here."""
    return [name for name, (module, _) in OTHERS.items() if importlib.util.find_spec(module)]


def calls(net: str, other: str) -> dict[str, Callable[[], Any]]:
    """Return the steps of minigrad and of another framework, after a check that they agree.

    Raises ArithmeticError if their losses differ by more than 0.1 % after the same steps.
    """
    params, x, y = problem(*NETS[net])
    found = {"minigrad": minigrad(params, x, y), other: OTHERS[other][1](params, x, y)}
    losses = []
    for step in found.values():
        for _ in range(CHECKED):
            loss = step()
        losses.append(float(getattr(loss, "item", lambda value=loss: value)()))
    if not abs(losses[0] - losses[1]) <= 1e-3 * abs(losses[0]):
        raise ArithmeticError(f"the losses differ after {CHECKED} steps: {losses}")
    return found


def rows(results: dict[str, dict[str, Any]], duration: Callable[[float], str]) -> list[list[str]]:
    """Return the table: one row for each net and framework."""
    table = [["net", "framework", "its step", "minigrad's", "ratio"]]
    for net, by_name in results.items():
        for name, result in by_name.items():
            if "error" in result:
                table.append([net, name, "failed", "-", "-"])
            else:
                own, its = result["seconds"]["minigrad"], result["seconds"][name]
                table.append([net, name, duration(its), duration(own), f"{own / its:.2f}"])
    return table
