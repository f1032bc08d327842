"""One op at a time on 16x16 and on 512x512: what a recorded call costs, forward and backward."""

import numpy as np

from benchmarks.measure import Case

SIZES = (16, 512)

# Name: the op as a function of (torch, a, b), where a and b are square matrices.
OPS = {
    "add": lambda torch, a, b: a + b,
    "mul": lambda torch, a, b: a * b,
    "div": lambda torch, a, b: a / b,
    "add a number": lambda torch, a, b: a + 2.0,
    "matmul": lambda torch, a, b: a @ b,
    "linear": lambda torch, a, b: torch.nn.functional.linear(a, b),
    "exp": lambda torch, a, b: a.exp(),
    "tanh": lambda torch, a, b: a.tanh(),
    "sigmoid": lambda torch, a, b: a.sigmoid(),
    "relu": lambda torch, a, b: a.relu(),
    "gelu": lambda torch, a, b: torch.nn.functional.gelu(a),
    "selu": lambda torch, a, b: torch.nn.functional.selu(a),
    "dropout": lambda torch, a, b: torch.nn.functional.dropout(a, 0.5),
    "softmax": lambda torch, a, b: a.softmax(1),
    "log_softmax": lambda torch, a, b: a.log_softmax(1),
    "sum": lambda torch, a, b: a.sum(),
    "mean(1)": lambda torch, a, b: a.mean(1),
    "max(1)": lambda torch, a, b: a.max(1).values,
    "transpose": lambda torch, a, b: a.transpose(0, 1),
    "reshape": lambda torch, a, b: a.reshape(-1),
    "slice": lambda torch, a, b: a[1:, ::2],
    "cat": lambda torch, a, b: torch.cat([a, b]),
    "where": lambda torch, a, b: torch.where(a > 0, a, b),
}


def matrices(torch, size):
    """Return two matrices that require grad, with values between 0.5 and 1.5 and their signs."""
    rng = np.random.default_rng(0)
    values = rng.uniform(0.5, 1.5, (2, size, size)) * rng.choice([-1.0, 1.0], (2, size, size))
    return [torch.from_numpy(v.astype(np.float32)).requires_grad_() for v in values]


def forward(torch, op, size):
    a, b = matrices(torch, size)
    return lambda: op(torch, a, b)


def forward_backward(torch, op, size):
    a, b = matrices(torch, size)
    gradient = torch.ones_like(op(torch, a, b).detach())

    def call():
        op(torch, a, b).backward(gradient)
        a.grad = b.grad = None

    return call


CASES = [
    Case(f"{name} {size}x{size} {what}", lambda t, f=f, op=op, size=size: f(t, op, size))
    for size in SIZES
    for name, op in OPS.items()
    for what, f in (("forward", forward), ("both", forward_backward))
]
