"""What to run of nn.utils on minigrad and, by the recorder, on torch.

LINES are layers as in tests/layers. CASES are functions of a namespace that return numbers and
texts by name; random choices are avoided or counted only.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from tests.layers import M
from tests.samples import A

P, _X, _IMAGE = "nn.utils.parametrizations.", A(5, 4), A(2, 3, 5)
LINES = [
    M(P + "orthogonal(nn.Linear(4, 4))", _X),
    M(P + "orthogonal(nn.Linear(4, 4), orthogonal_map='cayley')", _X),
    M(P + "orthogonal(nn.Linear(4, 2), orthogonal_map='matrix_exp')", _X),
    M(P + "orthogonal(nn.Linear(4, 6), orthogonal_map='cayley', use_trivialization=False)", _X),
    M(P + "weight_norm(nn.Linear(4, 3))", _X, order=1),  # torch's second derivative is wrong
    M(P + "weight_norm(nn.Linear(4, 3), dim=None)", _X),
    M(P + "weight_norm(nn.Linear(4, 3), 'bias')", _X, order=1),
    M(P + "weight_norm(nn.Conv1d(3, 2, 2, bias=False), dim=1)", _IMAGE),
    M(P + "spectral_norm(nn.Linear(4, 3))", _X),
    M(P + "spectral_norm(nn.Linear(4, 3), 'bias')", _X),
    M(P + "spectral_norm(nn.Conv1d(3, 2, 2, bias=False), n_power_iterations=3, eps=1e-3)", _IMAGE),
    M(P + "spectral_norm(nn.ConvTranspose1d(3, 2, 2, bias=False))", _IMAGE),
    M(P + "spectral_norm(" + P + "weight_norm(nn.Linear(4, 3, bias=False), dim=1))", _X,
      order=1),
    M("nn.utils.weight_norm(nn.Linear(4, 3))", _X, order=1),
    M("nn.utils.weight_norm(nn.Conv1d(3, 2, 2, bias=False), dim=None)", _IMAGE),
    M("nn.utils.spectral_norm(nn.Linear(4, 3))", _X),
    M("nn.utils.spectral_norm(nn.Conv1d(3, 2, 2, bias=False), n_power_iterations=2, dim=1)",
      _IMAGE),
    M("nn.utils.spectral_norm(nn.ConvTranspose1d(3, 2, 2, bias=False))", _IMAGE),
    M("nn.utils.spectral_norm(nn.Linear(4, 3), 'bias')", _X),
    M("nn.utils.prune.identity(nn.Linear(4, 3), 'weight')", _X),
]


def fixed(module: Any, torch: Any) -> Any:
    """Fill the parameters and buffers with fixed values; return the module in float64."""
    module = module.double()
    with torch.no_grad():
        for k, tensor in enumerate(module.state_dict().values()):
            if tensor.is_floating_point():
                wave = np.sin(np.arange(1.0, tensor.numel() + 1) * 1.7 + k)
                tensor.copy_(torch.from_numpy((wave + (k > 1)).reshape(tuple(tensor.shape))))
    return module


def weights(module: Any) -> dict[str, Any]:
    """Return the state of a module as arrays, and `weight` as it is computed."""
    found = {key: value.numpy().copy() for key, value in module.state_dict().items()}
    if hasattr(module, "weight"):
        found["(weight)"] = module.weight.detach().numpy().copy()
    return found


def ones(torch: Any, *shape: int) -> Any:
    """Return numbers that are no multiples of each other."""
    return torch.from_numpy(np.cos(np.arange(1.0, np.prod(shape) + 1)).reshape(shape))


# ---- pruning
def prune_l1(torch: Any) -> Any:
    m = fixed(torch.nn.Linear(4, 3), torch)
    torch.nn.utils.prune.l1_unstructured(m, "weight", amount=0.25)
    torch.nn.utils.prune.l1_unstructured(m, "weight", amount=2)
    torch.nn.utils.prune.l1_unstructured(m, "bias", 1, importance_scores=ones(torch, 3))
    m(ones(torch, 2, 4)).sum().backward()
    return {**weights(m), "grad": m.weight_orig.grad.numpy(), "repr": repr(m)}


def prune_structured(torch: Any) -> Any:
    m = fixed(torch.nn.Conv1d(5, 4, 3), torch)
    prune = torch.nn.utils.prune
    prune.ln_structured(m, "weight", amount=2, n=2, dim=1)
    prune.l1_unstructured(m, "weight", amount=0.2)
    prune.ln_structured(m, "weight", amount=0.3, n=3, dim=0)
    prune.ln_structured(m, "weight", 1, 1, -1, importance_scores=ones(torch, 4, 5, 3))
    return weights(m)


def prune_mask(torch: Any) -> Any:
    m = fixed(torch.nn.Linear(4, 3), torch)
    prune = torch.nn.utils.prune
    prune.custom_from_mask(m, "weight", (ones(torch, 3, 4) > 0).int())
    masked = weights(m)
    before = prune.is_pruned(torch.nn.Sequential(m))
    prune.remove(m, "weight")
    names = " ".join(n for n, _ in m.named_parameters())
    return {**masked, "removed": m.weight.detach().numpy(), "names": names,
            "pruned": f"{before} {prune.is_pruned(m)}"}


def prune_global(torch: Any) -> Any:
    net = fixed(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2)), torch)
    prune = torch.nn.utils.prune
    pairs = [(net[0], "weight"), (net[1], "weight")]
    prune.ln_structured(net[0], "weight", 1, 2, 0)
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=5)
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.2,
                              importance_scores={pairs[1]: ones(torch, 2, 3)})
    return weights(net)


def prune_random(torch: Any) -> Any:
    m = fixed(torch.nn.Conv1d(6, 4, 3), torch)
    prune = torch.nn.utils.prune
    prune.random_unstructured(m, "bias", amount=0.5)
    prune.random_structured(m, "weight", amount=2, dim=1)
    prune.random_structured(m, "weight", amount=0.25, dim=1)
    counts = [m.bias_mask.sum().item(), m.weight_mask.sum().item()]
    return {"counts": np.array(counts), "keys": " ".join(m.state_dict())}


def prune_tensor(torch: Any) -> Any:
    t = ones(torch, 3, 4)
    method = torch.nn.utils.prune.L1Unstructured(amount=0.5)
    return {"plain": method.prune(t).numpy(),
            "masked": method.prune(t, (t < 0.5).double()).numpy(),
            "scores": method.prune(t, importance_scores=t.flip(0)).numpy()}


# ---- fusing
def fuse(torch: Any) -> Any:
    nn = torch.nn
    found = {}
    for layer, bn, transpose in ((nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), False),
                                 (nn.Conv2d(3, 4, 2, bias=False),
                                  nn.BatchNorm2d(4, affine=False), False),
                                 (nn.ConvTranspose2d(3, 4, 2), nn.BatchNorm2d(4), True)):
        layer, bn = fixed(layer, torch).eval(), fixed(bn, torch).eval()
        fused = nn.utils.fuse_conv_bn_eval(layer, bn, transpose)
        found.update({f"{layer} {bn} {k}": v for k, v in weights(fused).items()})
    for features in (3, 1):
        layer, bn = fixed(nn.Linear(4, 3), torch).eval(), fixed(nn.BatchNorm1d(features), torch)
        fused = nn.utils.fuse_linear_bn_eval(layer, bn.eval())
        found.update({f"linear {features} {k}": v for k, v in weights(fused).items()})
    return found


# ---- parametrizations
def symmetric(torch: Any) -> Any:
    class Symmetric(torch.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).mT

        def right_inverse(self, a):
            return a.triu()

    return Symmetric()


def rank_one(torch: Any) -> Any:
    class RankOne(torch.nn.Module):
        def forward(self, x, y):
            return x.unsqueeze(-1) @ y.unsqueeze(-2)

        def right_inverse(self, z):
            return z.abs().sum(1).sqrt(), z.abs().sum(0).sqrt()

    return RankOne()


def register(torch: Any) -> Any:
    P = torch.nn.utils.parametrize
    m = fixed(torch.nn.Linear(3, 3), torch)
    parameter = m.weight
    P.register_parametrization(m, "weight", symmetric(torch))
    same = m.parametrizations.weight.original is parameter
    found = weights(m)
    P.register_parametrization(m, "weight", symmetric(torch))
    m.weight = ones(torch, 3, 3)
    found.update({f"assigned {k}": v for k, v in weights(m).items()})
    twin = copy.deepcopy(m)
    facts = [same, P.is_parametrized(m), P.is_parametrized(m, "bias"), type(m).__name__,
             P.type_before_parametrizations(m).__name__, type(twin).__name__, len(
                 m.parametrizations.weight), m.parametrizations.weight.is_tensor,
             m.parametrizations.weight.ntensors, m.parametrizations.weight.unsafe]
    found["twin"] = twin.weight.detach().numpy()
    with P.cached():
        facts.append(m.weight is m.weight)
    facts.append(m.weight is m.weight)
    shown = repr(m)
    P.remove_parametrizations(m, "weight")
    facts += [m.weight is parameter, type(m).__name__, hasattr(m, "parametrizations")]
    other = fixed(P.register_parametrization(torch.nn.Linear(3, 3), "weight", symmetric(torch)),
                  torch)
    P.remove_parametrizations(other, "weight", leave_parametrized=False)
    found["original"] = other.weight.detach().numpy()
    return {**found, "facts": str(facts), "repr": shown}


def register_several(torch: Any) -> Any:
    P = torch.nn.utils.parametrize
    m = fixed(torch.nn.Linear(3, 2), torch)
    P.register_parametrization(m, "weight", rank_one(torch))
    found = weights(m)
    m.weight = ones(torch, 2, 3)
    found.update({f"assigned {k}": v for k, v in weights(m).items()})
    other = fixed(torch.nn.Linear(3, 2), torch)
    P.transfer_parametrizations_and_params(m, other)
    shared = (other.parametrizations.weight.original0 is m.parametrizations.weight.original0)
    names = " ".join(n for n, _ in other.named_parameters())
    P.remove_parametrizations(m, "weight")
    return {**found, "removed": m.weight.detach().numpy(), "names": f"{names} {shared}",
            "shown": repr(other), "left": " ".join(m.state_dict()),
            "kind": f"{type(m.weight).__name__} {m.weight.requires_grad}"}


def register_buffer(torch: Any) -> Any:
    P = torch.nn.utils.parametrize
    m = fixed(torch.nn.BatchNorm1d(3), torch)
    P.register_parametrization(m, "running_mean", torch.nn.Tanh())
    P.register_parametrization(m, "weight", torch.nn.Softplus(), unsafe=True)
    m.eval()
    found = {"out": m(ones(torch, 4, 3)).detach().numpy(), "repr": repr(m),
             "keys": " ".join(m.state_dict())}
    P.remove_parametrizations(m, "weight")
    found["left"] = repr(m)
    P.remove_parametrizations(m, "running_mean")
    return {**found, **weights(m), "buffers": " ".join(n for n, _ in m.named_buffers())}


def transfer(torch: Any) -> Any:
    P = torch.nn.utils.parametrize
    m, other = fixed(torch.nn.Linear(3, 3), torch), torch.nn.Module()
    P.register_parametrization(m, "weight", symmetric(torch))
    P.transfer_parametrizations_and_params(m, other)
    P.transfer_parametrizations_and_params(torch.nn.Linear(1, 1), other)
    return {**weights(other), "repr": repr(other)}


def orthogonal_start(torch: Any) -> Any:
    """Start from an orthogonal matrix, and from one that is made orthogonal."""
    orthogonal = torch.nn.utils.parametrizations.orthogonal
    found = {}
    for name, mapping, shape in (("square", None, (3, 3)), ("cayley", "cayley", (3, 3)),
                                 ("tall", "householder", (3, 5)), ("wide", None, (5, 3))):
        trivial = name in ("square", "cayley")
        m = fixed(torch.nn.Linear(*shape), torch)
        values = np.cos(np.arange(float(np.prod(shape))) ** 2).reshape(shape[::-1])
        with torch.no_grad():
            m.weight.copy_(torch.from_numpy(values))
        orthogonal(m, orthogonal_map=mapping, use_trivialization=trivial)
        found[name] = m.weight.detach().numpy()
        tall = np.cos(np.arange(float(np.prod(shape)))).reshape(max(shape), min(shape))
        q = np.linalg.qr(np.cos(20 * tall))[0]
        m.weight = torch.from_numpy(np.ascontiguousarray(q if shape[1] >= shape[0] else q.T))
        found[name + " assigned"] = m.weight.detach().numpy()
    return found


def householder(torch: Any) -> Any:
    """Two derivatives of the reflections; the diagonal of the original holds signs."""
    found = {}
    for shape, trivial in (((4, 4), True), ((6, 4), False), ((2, 3, 5), True), ((5, 2), True)):
        m = torch.nn.Module()
        m.weight = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))
        torch.nn.utils.parametrizations.orthogonal(m, "weight", "householder",
                                                   use_trivialization=trivial)
        fixed(m, torch)
        original = m.parametrizations.weight.original
        with torch.no_grad():
            original.diagonal(dim1=-2, dim2=-1).sign_()
        q = m.weight
        (g,) = torch.autograd.grad((q * ones(torch, *shape)).sum(), original, create_graph=True)
        (h,) = torch.autograd.grad((g * ones(torch, *shape)).sum(), original)
        found.update({f"{shape} {k}": v.detach().numpy() for k, v in
                      (("q", q), ("g", g), ("h", h))})
    return found


def old_state_dicts(torch: Any) -> Any:
    """State dicts of the hooks load into the parametrization; those without v are completed."""
    U = torch.nn.utils
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = fixed(U.weight_norm(torch.nn.Linear(4, 3)), torch)
    new = U.parametrizations.weight_norm(torch.nn.Linear(4, 3)).double()
    new.load_state_dict(old.state_dict())
    found = weights(new)
    spectral = fixed(U.spectral_norm(torch.nn.Linear(4, 3)), torch)
    state = spectral.state_dict()
    found["version"] = str(dict(state._metadata))
    del state["weight_v"]
    state["weight"] = state["weight_orig"] / 2.5
    state._metadata[""].pop("spectral_norm")
    spectral.load_state_dict(state)
    found.update({f"spectral {k}": v for k, v in weights(spectral).items() if k != "(weight)"})
    return found


def remove_hooks(torch: Any) -> Any:
    U = torch.nn.utils
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {"weight": U.weight_norm(torch.nn.Linear(4, 3)),
                "spectral": U.spectral_norm(torch.nn.Linear(4, 3))}
    for name, m in made.items():
        fixed(m, torch)(ones(torch, 2, 4))
        getattr(U, f"remove_{name}_norm")(m)
        found.update({f"{name} {k}": v for k, v in weights(m).items()})
        hooks = [len(m._forward_pre_hooks), len(m._state_dict_hooks)]
        found[name] = f"{hooks} {' '.join(n for n, _ in m.named_parameters())}"
    return found


# ---- calls with other tensors
def stateless(torch: Any) -> Any:
    call = torch.nn.utils.stateless.functional_call
    net = fixed(torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3)), torch)
    tied = torch.nn.ModuleDict({"a": net[0], "b": torch.nn.Linear(3, 3).double()})
    tied["b"].weight = net[0].weight
    x = ones(torch, 4, 3)
    given = {"0.weight": ones(torch, 3, 3).requires_grad_(), "1.running_mean": ones(torch, 3)}
    before = weights(net)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = call(net, given, (x,))
        out.square().sum().backward()

        class Both(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.parts = tied

            def forward(self, x, scale=1):
                return self.parts["b"](self.parts["a"](x)) * scale

        both = Both()
        shared = call(both, {"parts.a.weight": ones(torch, 3, 3)}, x, {"scale": 2})
        apart = call(both, {"parts.a.weight": ones(torch, 3, 3)}, x, tie_weights=False)
    for name, value in weights(net).items():
        changes = ("1.running_var", "1.num_batches_tracked")
        assert np.array_equal(before[name], value) or name in changes, name
    base = tied["b"].bias.detach().numpy()
    return {"out": out.detach().numpy(), "grad": given["0.weight"].grad.numpy(),
            "mean": given["1.running_mean"].numpy(),
            "shared": shared.detach().numpy() - 2 * base,
            "apart": apart.detach().numpy() - base}


CASES = [prune_l1, prune_structured, prune_mask, prune_global, prune_random, prune_tensor, fuse,
         register, register_several, register_buffer, transfer, orthogonal_start,
         householder, old_state_dicts, remove_hooks, stateless]
