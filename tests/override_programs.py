"""Small programs with `__torch_function__` and modes; see subclass_programs.py."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import ClassVar

try:
    from .subclass_programs import kinds, outcome
except ImportError:  # run as a script
    from subclass_programs import kinds, outcome


def scalar_table(torch):
    """Objects that are no tensors, with a table of functions."""
    handled = {}

    def implements(function):
        def decorate(mine):
            functools.update_wrapper(mine, function)
            handled[function] = mine
            return mine

        return decorate

    class Scalar:
        def __init__(self, n, value):
            self.n, self.value = n, value

        def __repr__(self):
            return f"Scalar(n={self.n}, value={self.value})"

        def tensor(self):
            return self.value * torch.eye(self.n)

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func not in handled or not all(issubclass(t, (torch.Tensor, Scalar)) for t in types):
                return NotImplemented
            return handled[func](*args, **(kwargs or {}))

    def to_tensor(x):
        return x.tensor() if isinstance(x, Scalar) else x

    @implements(torch.mean)
    def mean(input):
        return float(input.value) / input.n

    @implements(torch.add)
    def add(input, other):
        if isinstance(input, Scalar) and isinstance(other, Scalar):
            return Scalar(input.n, input.value + other.value)
        return torch.add(to_tensor(input), to_tensor(other))

    @implements(torch.nn.functional.relu)
    def relu(input, inplace=False):
        return Scalar(input.n, max(input.value, 0))

    s = Scalar(2, 3)
    return [torch.mean(s), repr(torch.add(s, s)), kinds(torch.add(s, torch.ones(2, 2))),
            kinds(torch.add(torch.ones(2, 2), s)), repr(torch.nn.functional.relu(Scalar(2, -1))),
            outcome(lambda: torch.mul(s, s)), outcome(lambda: torch.cat([s, s])),
            outcome(lambda: torch.nn.functional.softmax(s, 0)), outcome(lambda: torch.ones(2) * s),
            outcome(lambda: s * torch.ones(2)), outcome(lambda: torch.std(s))]


def metadata(torch):
    """A wrapper that carries a note through every function."""
    class Noted:
        def __init__(self, data, note=None):
            self.data, self.note = torch.as_tensor(data), note

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            notes = tuple(a.note for a in args if isinstance(a, Noted))
            args = [a.data if isinstance(a, Noted) else a for a in args]
            made = func(*args, **(kwargs or {}))
            return cls(made, note=notes[0])

    x = Noted([[1., 2.], [3., 4.]], note="measured")
    found = [torch.add(x, torch.tensor(1.)), torch.mul(torch.ones(2), x), torch.sum(x, 0),
             torch.matmul(x, x), torch.nn.functional.softmax(x, dim=1), torch.flatten(x),
             torch.where(torch.tensor(True), x, torch.zeros(2, 2))]
    return [[one.note, kinds(one.data)] for one in found]


def log_of(torch):
    class Logged(torch.Tensor):
        calls: ClassVar[list] = []

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            cls.calls.append([func.__name__, [t.__name__ for t in types], len(args)])
            return super().__torch_function__(func, types, args, kwargs or {})

    return Logged


def logged(torch):
    """The functions that a handler sees, by name."""
    kind = log_of(torch)
    x, plain = torch.arange(6.).reshape(2, 3).as_subclass(kind), torch.ones(2, 3)
    calls = (lambda: x + 1, lambda: 1 + x, lambda: plain + x, lambda: x - 1, lambda: 1 - x,
             lambda: x * 2, lambda: x / 2, lambda: x ** 2, lambda: 2 ** x, lambda: x @ x.t(),
             lambda: -x, lambda: +x, lambda: abs(x), lambda: x < 1, lambda: x % 2,
             lambda: x // 2, lambda: 2 // x, lambda: ~(x > 1), lambda: x[0], lambda: x[0:1, 1],
             lambda: x.shape, lambda: x.dtype, lambda: x.grad, lambda: x.requires_grad,
             lambda: x.T, lambda: x.ndim, lambda: x.data, lambda: x.size(), lambda: x.size(0),
             lambda: x.numel(), lambda: x.tolist(), lambda: x.numpy(), lambda: len(x),
             lambda: x.sum(), lambda: x.max(1), lambda: torch.max(x, 1), lambda: x.split(1),
             lambda: torch.unbind(x), lambda: torch.add(x, 1, alpha=2), lambda: torch.add(plain, x),
             lambda: torch.add(plain, plain, out=plain.as_subclass(kind)),
             lambda: torch.cat([plain, x]), lambda: torch.stack((x, x)),
             lambda: torch.where(plain > 0, x, plain), lambda: torch.nn.functional.relu(x),
             lambda: torch.nn.ReLU()(x), lambda: torch.nn.Linear(3, 4)(x), lambda: x.softmax(1),
             lambda: torch.zeros_like(x), lambda: torch.is_tensor(x), lambda: torch.numel(x),
             lambda: x.clone(), lambda: x.detach(), lambda: x.to(torch.float64),
             lambda: x.clone().add_(1), lambda: x.new_zeros(2), lambda: repr(x),
             lambda: bool(x[0, 0]), lambda: float(x[0, 0]), lambda: 1 in x,
             lambda: torch.Tensor.add(x, 1), lambda: torch.allclose(x, x), lambda: x.view(6),
             lambda: x.is_complex(), lambda: x.stride(), lambda: x.as_subclass(torch.Tensor),
             lambda: torch.tensor(1.), lambda: setattr(x, "grad", None), lambda: hash(x) and None,
             lambda: x.__setitem__(0, 1.), lambda: x.register_hook, lambda: torch.numel(plain))
    found = []
    for call in calls:
        kind.calls.clear()
        kept = type(call()).__name__
        found.append([kept, [list(entry) for entry in kind.calls]])
    return found


def order_of_handlers(torch):
    """Subclasses before their bases, then from left to right; NotImplemented passes on."""
    asked = []

    def handler(name, answer):
        def handle(cls, func, types, args=(), kwargs=None):
            asked.append([name, [t.__name__ for t in types]])
            return answer

        return classmethod(handle)

    class A:
        __torch_function__ = handler("A", NotImplemented)

    class A2(A):
        __torch_function__ = handler("A2", NotImplemented)

    class B:
        __torch_function__ = handler("B", "B answers")

    found = []
    for args in ((A(), A2(), B()), (B(), A()), (A(), A()), (A(), torch.ones(1), A2())):
        asked.clear()
        found.append([outcome(lambda args=args: torch.cat(list(args))), list(asked)])
    asked.clear()
    found.append([outcome(lambda: torch.add(torch.ones(1), A())), list(asked)])
    asked.clear()
    found.append([outcome(lambda: torch.ones(1) + B()), list(asked)])
    return found


def switched_off(torch):
    kind = log_of(torch)
    x = torch.ones(2).as_subclass(kind)
    kind.calls.clear()
    with torch._C.DisableTorchFunctionSubclass():
        first = type(x + 1).__name__, torch.overrides.has_torch_function((x,))
        with torch._C.DisableTorchFunction():
            second = type(x.sum()).__name__
    silent = list(kind.calls)

    class Quiet(torch.Tensor):
        __torch_function__ = torch._C._disabled_torch_function_impl

    quiet = torch.ones(2).as_subclass(Quiet)
    return [first, second, silent, type(x + 1).__name__, type(quiet + 1).__name__,
            type(quiet.clone()).__name__, torch.overrides.has_torch_function((quiet,))]


def modes(torch):
    overrides = import_module(torch.__name__ + ".overrides")

    class Log(overrides.TorchFunctionMode):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append([self.name, func.__name__])
            return func(*args, **(kwargs or {}))

    class Doubled(overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            made = func(*args, **(kwargs or {}))
            return made * 2 if func is torch.add else made

    kind = log_of(torch)
    seen = kind.calls
    x, sub = torch.ones(2), torch.ones(2).as_subclass(kind)
    seen.clear()
    with Log("outer"):
        torch.zeros(2) + 1
        torch.tensor([1.])
        torch.nn.functional.relu(x)
        torch.is_tensor(x)
        with Log("inner"):
            torch.ones(1)
            sub.exp()
        with torch._C.DisableTorchFunction():
            torch.ones(1)
        with torch._C.DisableTorchFunctionSubclass():
            sub.exp()
    after = len(seen)
    torch.ones(1)
    with Doubled():
        doubled = torch.add(x, 1)
    try:
        with Log("failing"):
            raise KeyError
    except KeyError:
        torch.ones(2)
    return [[list(entry) for entry in seen[:after]], len(seen) - after, kinds(doubled)]


def helpers(torch):
    overrides = import_module(torch.__name__ + ".overrides")

    class Duck:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return [func.__name__, len(args), sorted((kwargs or {}).items())]

    class Sub(torch.Tensor):
        pass

    duck, plain, sub = Duck(), torch.ones(2), torch.ones(2).as_subclass(Sub)
    weight = torch.nn.Parameter(torch.ones(2))

    def mine(x, scale=1):
        if overrides.has_torch_function((x,)):
            return overrides.handle_torch_function(mine, (x,), x, scale=scale)
        return x * scale

    @overrides.wrap_torch_function(lambda x: (x,))
    def wrapped(x):
        return x + 1

    name = overrides.resolve_name
    functional = torch.nn.functional
    listed = overrides.get_overridable_functions()
    return [mine(duck, 3), kinds(mine(plain, 3), mine(sub, 3), wrapped(plain), wrapped(sub)),
            wrapped(duck), [overrides.has_torch_function(v) for v in (
                (plain,), [sub], (3, duck), (weight,), ())],
            [overrides.is_tensor_like(v) for v in (plain, sub, duck, weight, 3, None)],
            [name(f) for f in (torch.add, functional.linear, torch.linalg.norm, len,
                               torch.Tensor.view, torch.Tensor.grad.__get__)],
            [overrides.is_tensor_method_or_property(f) for f in (
                torch.Tensor.view, torch.Tensor.shape.__get__, functional.linear, len)],
            torch.relu in listed[torch], functional.linear in listed[functional],
            torch.Tensor.view in listed[torch.Tensor],
            torch.Tensor.grad.__get__ in overrides.get_default_nowrap_functions()]


PROGRAMS = {function.__name__: function for function in (
    scalar_table, metadata, logged, order_of_handlers, switched_off, modes, helpers)}
