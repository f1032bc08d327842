"""Record moments, densities, divergences and errors of distributions.

Run with PyTorch installed: python tests/record_distributions.py. A case is an expression; of a
tensor the dtype and the values are kept, of an exception the class, of anything else the text.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

from tests.recording import record

PATH = Path(__file__).parent / "data" / "distributions.json.gz"
torch: Any = None  # the namespace under test

PARAMETERS = {
    "Normal": ["0.,1.", "t([0.,1.]),t([1.,2.])", "t([[0.],[1.]]),t([1.,2.])", "0.,t([1.,2.])",
               "1,2"],
    "Uniform": ["0.,1.", "t([0.,1.]),t([1.,2.])", "0,t([1.,2.])"],
    "Bernoulli": ["t([.2,.5,1.])", "probs=0.3", "logits=t([0.,2.,-3.])", "t(.4)"],
    "Categorical": ["t([.2,.3,.5])", "t([[1.,1.],[3.,1.]])", "logits=t([0.,1.,2.])",
                    "logits=t([[0.,1.],[2.,-1.]])"],
}
WRONG = {
    "Normal": ["0.,-1.", "t([0.]),t([0.])", "0.,float('nan')",
               "'a',1.", "t([1.,2.]),t([1.,2.,3.])"],
    "Uniform": ["1.,0.", "0.,0."],
    "Bernoulli": ["t([1.5])", "", "t([.5]),t([.5])", "[0.5]", "t([-.1])",
                  "logits=t([float('nan')])"],
    "Categorical": ["t([-1.,2.])", "t(.5)", "", "t([.5]),t([.5])", "t([0.,0.])", "logits=t(0.)"],
}
VALUES = {
    "Normal": ["t(0.5)", "t([.1,-3.])", "t(float('nan'))", "0.5", "t([[.1],[2.],[3.]])"],
    "Uniform": ["t(0.5)", "t(0.)", "t(1.)", "t(-2.)", "t(3.)"],
    "Bernoulli": ["t(1.)", "t([0.,1.,1.])", "t(.5)", "m.tensor(1)"],
    "Categorical": ["m.tensor(1)", "m.tensor(7)", "m.tensor([1,0])", "t(1.)", "m.tensor(-1)",
                    "t(.5)", "m.tensor([[0],[1]])"],
}
QUESTIONS = """batch_shape event_shape mean variance stddev mode entropy() perplexity() has_rsample
has_enumerate_support sample().shape sample((3,2)).shape sample().dtype rsample().shape
enumerate_support() enumerate_support(expand=False) sample_n(3).shape param_shape probs logits loc
low expand((4,*D.batch_shape)).batch_shape expand((4,*D.batch_shape)).mean __repr__()"""
GRADIENTS = [
    "g(lambda x: d.Normal(x,2*x).log_prob(t([.5,1.])), t([.3,.7]))",
    "g(lambda x: d.Normal(x,2*x).entropy(), t([.3,.7]))",
    "g(lambda x: d.Normal(x,2*x).cdf(t([.5,1.])), t([.3,.7]))",
    "g(lambda x: d.Normal(x,2*x).icdf(t([.5,.9])), t([.3,.7]))",
    "g(lambda x: d.Categorical(x).log_prob(m.tensor([1,0])), t([[.3,.7],[.1,.2]]))",
    "g(lambda x: d.Categorical(logits=x).entropy(), t([[.3,.7],[.1,.2]]))",
    "g(lambda x: d.Bernoulli(x).log_prob(t([1.,0.])), t([.3,.7]))",
    "g(lambda x: d.Bernoulli(logits=x).entropy(), t([.3,.7]))",
    "g(lambda x: d.Uniform(x,2*x).log_prob(t([.5,1.])), t([.3,.7]))",
    "g(lambda x: d.kl_divergence(d.Normal(x,x), d.Normal(1.,2.)), t([.3,.7]))",
]
PAIRS = [
    ("Normal(t([0.,1.]),t([1.,2.]))", "Normal(.5,.7)"), ("Normal(0.,1.)", "Normal(0.,1.)"),
    ("Categorical(t([.2,.8]))", "Categorical(t([.5,.5]))"),
    ("Categorical(t([.2,.8]))", "Categorical(t([0.,1.]))"),
    ("Categorical(t([0.,1.]))", "Categorical(t([.5,.5]))"),
    ("Bernoulli(t([.2,0.,1.]))", "Bernoulli(t([.3,.5,.5]))"),
    ("Bernoulli(t([.2,.5,.5]))", "Bernoulli(t([.3,0.,1.]))"),
    ("Uniform(0.,1.)", "Uniform(-1.,2.)"), ("Uniform(0.,1.)", "Uniform(0.5,2.)"),
    ("Normal(0.,1.)", "Uniform(0.,1.)"), ("Bernoulli(.5)", "Normal(0.,1.)"),
]


def cases() -> list[str]:
    """Return all expressions."""
    found = list(GRADIENTS) + [f"d.kl_divergence(d.{p}, d.{q})" for p, q in PAIRS]
    for name, parameters in PARAMETERS.items():
        for given in parameters:
            made = f"d.{name}({given})"
            found += [f"{made}.{q.replace('D.', made + '.')}" for q in QUESTIONS.split()]
            for value in VALUES[name]:
                found += [f"{made}.{f}({value})" for f in ("log_prob", "cdf", "icdf")]
                found.append(f"d.{name}({given}, validate_args=False).log_prob({value})")
        found += [f"d.{name}({given})" for given in WRONG[name]]
    return found


def outcome(code: str) -> Any:
    """Return what an expression gives."""
    def t(values: Any) -> Any:
        return torch.tensor(values, dtype=torch.float64)

    def g(function: Any, x: Any) -> Any:
        x.requires_grad_()
        return torch.autograd.grad(function(x).sum(), x)[0]

    d = importlib.import_module(f"{torch.__name__}.distributions")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        try:
            y = eval(code, {"m": torch, "d": d, "t": t, "g": g})
        except Exception as error:  # of any class: it is what the table compares
            return type(error).__name__
    if hasattr(y, "numel") and hasattr(y, "tolist"):
        return [str(y.dtype)[6:], y.tolist()]
    return str(y)


def table() -> dict[str, Any]:
    return {code: outcome(code) for code in cases()}


if __name__ == "__main__":
    record(sys.modules["__main__"])
