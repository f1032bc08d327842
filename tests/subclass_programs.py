"""Small programs with subclasses of Tensor; each returns plain values.

tests/record_subclasses.py runs them with PyTorch, tests/test_subclasses.py with minigrad.
"""

from __future__ import annotations

import pickle

import numpy as np


def kinds(*values):
    """Return class names and printed values, with those of the items of tuples."""
    found = []
    for value in values:
        if isinstance(value, (tuple, list)) and not hasattr(value, "numel"):
            found.append([type(value).__name__, *kinds(*value)])
        else:
            found.append(f"{type(value).__name__}: {value!r}")
    return found


def outcome(call):
    try:
        return kinds(call())
    except Exception as error:
        return type(error).__name__


def classes_survive(torch):
    class Sub(torch.Tensor):
        pass

    x = torch.arange(6.).reshape(2, 3).as_subclass(Sub)
    plain, nn = torch.ones(2, 3), torch.nn.functional
    calls = {
        "operators": lambda: (x + 1, 1 + x, plain - x, x - plain, x * x, 1 / (x + 1), x ** 2,
                              2 ** x, x @ x.t(), -x, abs(x), x == plain, x > 1, x // 2, x % 2,
                              ~(x > 1)),
        "views": lambda: (x[0], x[:, 1:], x.view(-1), x.t(), x.T, x.reshape(3, 2), x.unsqueeze(0),
                          x.expand(2, 2, 3), x.detach(), x.data, x[x > 2], x[0, 0]),
        "reductions": lambda: (x.sum(), x.mean(0), x.max(1), torch.max(x), x.std(),
                               torch.var_mean(x), x.topk(1), x.sort(1), x.cummax(1)),
        "lists": lambda: (x.split(1), x.unbind(), x.chunk(3, 1), torch.split(x, 1),
                          torch.broadcast_tensors(x, plain), torch.meshgrid(x[0], indexing="ij")),
        "joins": lambda: (torch.cat([plain, x]), torch.stack((x, x)), torch.where(x > 1, x, plain),
                          torch.einsum("ij->j", x)),
        "dtypes": lambda: (x.double(), x.to(torch.int32), x.half(), x.bool(), x.cpu(), x.clone(),
                           x.contiguous(), x.type(torch.float64)),
        "new": lambda: (torch.zeros_like(x), torch.ones_like(x), x.new_zeros(2),
                        x.new_full((1,), 3.), torch.full_like(x, 2)),
        "out": lambda: (torch.add(plain, plain, out=x.clone()),
                        torch.add(x, x, out=torch.zeros(2, 3))),
        "functional": lambda: (nn.relu(x), nn.softmax(x, 1), nn.mse_loss(x, plain),
                               nn.linear(x, plain), nn.layer_norm(x, (3,)),
                               nn.cross_entropy(x, torch.tensor([0, 1])),
                               nn.one_hot(x.long())),
        "special": lambda: (torch.special.erf(x), torch.linalg.norm(x), torch.linalg.svd(x[:1])),
        "no tensors": lambda: (x.shape, x.dtype, x.tolist(), x[0, 0].item(), x.dim(), x.stride(),
                               torch.equal(x, x), torch.is_tensor(x), torch.numel(x), len(x)),
        "numpy": lambda: (x.numpy(), np.asarray(x), np.sin(x.numpy()).shape),
        "iterate": lambda: list(x),
        "not kept": lambda: (torch.tensor([1., 2.]), torch.as_tensor(x), x.grad,
                             x.as_subclass(torch.Tensor)),
        "pickle": lambda: pickle.loads(pickle.dumps(plain)),
    }
    return {name: outcome(call) for name, call in calls.items()}


def in_place(torch):
    class Sub(torch.Tensor):
        pass

    found = []
    for change in (lambda x: x.add_(1), lambda x: x.mul_(x), lambda x: x.zero_(),
                   lambda x: x.copy_(torch.ones(2)), lambda x: x.requires_grad_(),
                   lambda x: torch.nn.functional.relu(x, inplace=True), lambda x: x.squeeze_(),
                   lambda x: x.fill_(3), lambda x: torch.nn.init.ones_(x)):
        x = torch.tensor([1., 2.]).as_subclass(Sub)
        found.append([change(x) is x, *kinds(x)])
    x = torch.tensor([1., 2.]).as_subclass(Sub)
    before = x
    x += 1
    x -= torch.ones(2)
    x[0] = 7
    plain = torch.zeros(2)
    plain += x
    plain[0] = x[1]
    return [*found, x is before, *kinds(x, plain)]


def gradients(torch):
    class Sub(torch.Tensor):
        pass

    leaf = torch.tensor([1., 2.], requires_grad=True)
    x = leaf.as_subclass(Sub)
    y = (x * x).sum()
    y.backward()
    own = torch.tensor([3.]).as_subclass(Sub).requires_grad_()
    (g,) = torch.autograd.grad((own ** 3).sum(), own, create_graph=True)
    (gg,) = torch.autograd.grad(g.sum(), own)
    (own * 2).sum().backward()
    seen = []
    z = own * 2
    z.register_hook(lambda grad: seen.append(type(grad).__name__))
    z.sum().backward()
    with torch.no_grad():
        quiet = own * 2
    return [kinds(x, y, leaf.grad, own, g, gg, own.grad, quiet, y.detach()), seen, x.is_leaf,
            own.is_leaf, type((own + 1).grad_fn).__name__ != "NoneType"]


def mixed_classes(torch):
    class A(torch.Tensor):
        pass

    class A2(A):
        pass

    class B(torch.Tensor):
        pass

    def make(kind):
        return torch.ones(2).as_subclass(kind)

    a, a2, b, plain = make(A), make(A2), make(B), torch.ones(2)
    w = torch.nn.Parameter(torch.ones(2))
    calls = (lambda: a + a2, lambda: a2 + a, lambda: plain + a2, lambda: torch.cat([a, a2, plain]),
             lambda: a + b, lambda: torch.add(a, b), lambda: a.add(b), lambda: torch.cat([a, b]),
             lambda: a + w, lambda: w + a, lambda: torch.add(plain, plain, out=a),
             lambda: torch.where(a > 0, a2, plain), lambda: a.type_as(a2))
    return [outcome(call) for call in calls]


def constructors(torch):
    class Plain(torch.Tensor):
        pass

    class Tagged(torch.Tensor):
        def __new__(cls, data, tag=None):
            made = torch.as_tensor(data, dtype=torch.float32).as_subclass(cls)
            made.tag = tag
            return made

        def __init__(self, data, tag=None):
            super().__init__()

    class Extra(torch.Tensor):
        @staticmethod
        def __new__(cls, x, extra, *args, **kwargs):
            return super().__new__(cls, x, *args, **kwargs)

        def __init__(self, x, extra):
            self.extra = extra

    source = torch.tensor([1., 2.])
    shared = Plain(source)
    source[0] = 5
    tagged = Tagged([1., 2.], tag="a")
    calls = (lambda: Plain([1, 2]), lambda: Plain(2, 3).shape, lambda: Plain(), lambda: shared,
             lambda: Plain(tagged), lambda: tagged, lambda: Extra([1., 2.], 5),
             lambda: Extra([1., 2.], 5).extra, lambda: tagged.tag, lambda: (tagged + 1).tag,
             lambda: torch.Tensor._make_subclass(Plain, source),
             lambda: torch.Tensor._make_subclass(Plain, source, True),
             lambda: torch.Tensor._make_subclass(Plain, source, require_grad=True) * 2,
             lambda: source.as_subclass(int), lambda: source.as_subclass(3),
             lambda: torch.Tensor._make_wrapper_subclass(Plain, (2, 3)),
             lambda: Tagged([1., 2.]).new_ones(2), lambda: Extra([1.], 2, 3))
    return [outcome(call) for call in calls]


def overridden_methods(torch):
    class Loud(torch.Tensor):
        def mean(self, *args):
            return "mine"

        def double_mean(self):
            return super().mean() * 2

        def __add__(self, other):
            return super().__add__(other) * 10

        @property
        def size_of_rows(self):
            return self.shape[-1]

    x = torch.ones(2).as_subclass(Loud)
    return kinds(x.mean(), x.double_mean(), x + 1, 1 + x, torch.add(x, 1), torch.mean(x),
                 x.size_of_rows, x.add(1))


def special_classes(torch):
    """Slots, mixins, metaclasses, properties, and a Function of the user's."""
    class Slots(torch.Tensor):
        __slots__ = ("unit",)

    class Mixin:
        def hello(self):
            return f"{self.dim()} dimensions"

    class Mixed(Mixin, torch.Tensor):
        pass

    class Flagged(type(torch.Tensor)):
        def __instancecheck__(cls, instance):
            return isinstance(instance, torch.Tensor) and getattr(instance, "flag", False)

    class Meta(torch.Tensor, metaclass=Flagged):
        pass

    class Shifted(torch.Tensor):
        @classmethod
        def build(cls, n):
            return torch.zeros(n).as_subclass(cls)

        @property
        def twice(self):
            return tuple(2 * n for n in self.shape)

        def __getitem__(self, key):
            return super().__getitem__(key) + 100

        def __len__(self):
            return 42

        def __repr__(self, **options):
            return "shifted"

    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    slots = torch.ones(1).as_subclass(Slots)
    slots.unit = "m"
    mixed = torch.ones(2, requires_grad=True).as_subclass(Mixed)
    shifted = Shifted.build(2)
    applied = Double.apply(mixed)
    flag = torch.ones(1)
    flag.flag = True
    return [kinds(slots + 1, pickle.loads(pickle.dumps(torch.ones(1)))), slots.unit,
            (mixed + 1).hello(), type(applied).__name__, isinstance(flag, Meta),
            isinstance(torch.ones(1), Meta), shifted.twice, shifted[0].tolist(), len(shifted),
            repr(shifted), str(shifted), f"{shifted}", [t.tolist() for t in shifted],
            type(Double.apply(torch.nn.Parameter(torch.ones(1)))).__name__]


def printing(torch):
    class LongerName(torch.Tensor):
        pass

    x = torch.arange(40.).as_subclass(LongerName)
    small = x[:4].reshape(2, 2)
    return [repr(x), repr(small), f"{small}", repr(small.double()), repr(small.to(torch.int64)),
            repr(torch.nn.Parameter(small.clone())), repr(torch.nn.Parameter(x.clone())),
            outcome(lambda: format(x[0], ".2f")), str(x.sum()), repr(x[:0])]


def parameters(torch):
    class Sub(torch.Tensor):
        pass

    nn = torch.nn
    x = torch.ones(2, 3).as_subclass(Sub)
    p = nn.Parameter(x)
    frozen = nn.Parameter(x, requires_grad=False)
    net = nn.Linear(3, 2)
    net.weight = p
    net(torch.ones(1, 3)).sum().backward()
    torch.optim.SGD(net.parameters(), lr=0.5).step()

    class Own(nn.Parameter):
        pass

    own = Own(torch.ones(2))
    return [isinstance(p, nn.Parameter), isinstance(x, nn.Parameter), p.requires_grad,
            frozen.requires_grad, isinstance(frozen, nn.Parameter),
            [name for name, _ in net.named_parameters()], type(net.weight).__name__,
            type(net.weight.grad).__name__, type(net(torch.ones(1, 3))).__name__,
            {key: type(value).__name__ for key, value in net.state_dict().items()},
            type(own).__name__, type(own + 1).__name__, isinstance(own, nn.Parameter),
            kinds(net.weight), isinstance(torch.ones(1), nn.Parameter)]


PROGRAMS = {function.__name__: function for function in (
    classes_survive, in_place, gradients, mixed_classes, constructors, overridden_methods, printing,
    special_classes,
    parameters)}
