"""`check_gradients` on bugs of other shapes than one wrong element: found, named, and at what cost.

Each case plants a bug by seed and says what the report must name. The allowance of calls is that of
one wrong element, 40 + 6 log2(n), times the number of wrong elements, a quarter more with several
inputs, 6 more for every input beyond four, 40 more for second derivatives.
"""

import itertools
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.report import table


@dataclass
class Outcome:
    """What one check found."""

    found: bool
    named: bool  # everything that is wrong, and nothing else
    calls: int
    allowed: float
    seconds: float


def allowance(n: int, wrong: int = 1, inputs: int = 1, order: int = 1) -> float:
    """Return the calls that a check may make."""
    calls = (40 + 6 * math.log2(n)) * wrong * (1.25 if inputs > 1 else 1)
    return calls + 6 * max(0, inputs - 4) + 40 * (order == 2)


def outcome(report, wanted: list, **size) -> Outcome:
    """Compare the failures of a report with the (input, index) that are wrong."""
    named = [(f.input, f.index) for f in report.failures]
    same = len(named) == len(wanted) and all(pair in wanted for pair in named)
    return Outcome(not report.ok, same, report.evaluations,
                   allowance(sum(report.checked.values()), **size), report.seconds)


def eight(seed: int) -> Outcome:
    """Eight wrong elements among 5,000."""
    from minigrad.testing import check_gradients

    rng = np.random.default_rng([1, seed])
    x = rng.standard_normal((50, 100))
    places = rng.permutation(x.size)[:8]
    factors = 1.01 + rng.random(8)

    def wrong(x, g):
        made = g * (1 - np.tanh(x) ** 2)
        if made.size == 5000:
            made.reshape(-1)[places] *= factors
        return (made,)

    report = check_gradients(np.tanh, x, grad=wrong, seed=seed)
    wanted = [("x", tuple(int(k) for k in np.unravel_index(i, x.shape))) for i in places]
    return outcome(report, wanted, wrong=8)


def whole_row(seed: int) -> Outcome:
    """A row of a matrix of 100 x 500 is wrong as a whole."""
    from minigrad.testing import check_gradients

    rng = np.random.default_rng([2, seed])
    k = int(rng.integers(100))

    def function(x):
        return np.sin(x)

    def wrong(x, g):
        made = g * np.cos(x)
        made[k:k + 1] *= 1.3
        return (made,)

    report = check_gradients(function, rng.standard_normal((100, 500)), grad=wrong, seed=seed)
    return outcome(report, [("x", (k, slice(None)))], wrong=8)


def one_output(seed: int) -> Outcome:
    """The Jacobian of 40 x 30 is wrong at one entry: the output must be named, too."""
    from minigrad.testing import check_gradients

    rng = np.random.default_rng([3, seed])
    matrix = rng.standard_normal((40, 30))
    jacobian = matrix.copy()
    k, i = int(rng.integers(40)), int(rng.integers(30))
    jacobian[k, i] *= 1.1

    def function(x):
        return matrix @ x

    report = check_gradients(function, rng.standard_normal(30), seed=seed,
                             grad=lambda x, g: (jacobian.T @ g,) if x.size == 30 else (x,))
    made = outcome(report, [("x", (i,))])
    made.named = made.named and report.failures[0].output == (k,)
    return made


def parameters(seed: int) -> Outcome:
    """One weight of a net with eight parameters has a gradient that is 1 % off."""
    import minigrad as torch
    from minigrad.testing import check_gradients

    rng = np.random.default_rng([4, seed])
    torch.manual_seed(seed)

    class Nudge(torch.autograd.Function):
        @staticmethod
        def forward(ctx, w, i):
            ctx.i = i
            return w.clone()

        @staticmethod
        def backward(ctx, g):
            made = g.clone()
            made.view(-1)[ctx.i] *= 1.01
            return made, None

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            sizes = (6, 30, 20, 10, 3)
            self.layers = torch.nn.ModuleList(
                torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

        def forward(self, x):
            for k, layer in enumerate(self.layers):
                weight = Nudge.apply(layer.weight, place) if k == at else layer.weight
                x = torch.nn.functional.linear(x, weight, layer.bias).tanh()
            return x

    net = Net().double()
    at = int(rng.integers(4))
    shape = tuple(net.layers[at].weight.shape)
    place = int(rng.integers(math.prod(shape)))
    report = check_gradients(net, torch.randn(5, 6).double(), seed=seed)
    index = tuple(int(k) for k in np.unravel_index(place, shape))
    return outcome(report, [(f"layers.{at}.weight", index)], inputs=9)


def second_order(seed: int) -> Outcome:
    """The first gradient is right, its derivative is wrong at one element of 200."""
    import minigrad as torch
    from minigrad.testing import check_gradients

    rng = np.random.default_rng([5, seed])
    i = int(rng.integers(200))

    class Slope(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, g):
            ctx.save_for_backward(x, g)
            return g * 3 * x * x

        @staticmethod
        def backward(ctx, v):
            x, g = ctx.saved_tensors
            made = v * g * 6 * x
            made = made.clone()
            if made.numel() > i:
                made[i] *= 1.05
            return made, v * 3 * x * x

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, g):
            return Slope.apply(ctx.saved_tensors[0], g)

    def cube(x):
        return Cube.apply(x)

    x = torch.from_numpy(rng.choice([-1, 1], 200) * (0.5 + rng.random(200)))
    report = check_gradients(cube, x, order=2, seed=seed)
    return outcome(report, [("x", (i,))], order=2)


CASES: dict[str, Callable[[int], Outcome]] = {
    "8 wrong elements of 5,000": eight,
    "a row of 100 x 500": whole_row,
    "one entry of a Jacobian of 40 x 30": one_output,
    "one weight of a net with 8 parameters, 1 %": parameters,
    "second derivative, one of 200 elements": second_order,
}


def measure(quick: bool, tell: Callable[[str], None]) -> dict:
    """Return the sums over seeds of every case."""
    seeds, results = 2 if quick else 20, {}
    for name, case in CASES.items():
        tell(f"gradient checks: {name}")
        made = [case(seed) for seed in range(seeds)]
        results[name] = {
            "runs": seeds, "missed": sum(not o.found for o in made),
            "named": sum(o.named for o in made), "calls": statistics.median(o.calls for o in made),
            "most_calls": max(o.calls for o in made), "allowed": made[0].allowed,
            "over": sum(o.calls > o.allowed for o in made),
            "seconds": statistics.median(o.seconds for o in made)}
    return results


def text_of(results: dict, markdown: bool) -> str:
    """Return the table."""
    rows = [["bug", "missed", "all named", "calls", "most calls", "allowed", "time"]]
    rows += [[name, f"{r['missed']} of {r['runs']}", f"{r['named']} of {r['runs']}",
              f"{r['calls']:.0f}", f"{r['most_calls']}", f"{r['allowed']:.0f}",
              f"{r['seconds'] * 1e3:.3g} ms"] for name, r in results.items()]
    return table(rows, markdown)
