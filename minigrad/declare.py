"""What the declaration of an op turns into: `Op`, and `Plan` for what one call of it keeps.

See `engine.py` for how ops are declared and run. Nothing here runs during a call except `fill`,
which completes arguments, and the first use of an op with a new set of inputs that need gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from types import CodeType, FunctionType
from typing import Any, TypeVar

from ._check import cannot_take, is_inner, remedy, wrong_type

REQUIRED = object()  # stands for an argument without default
OFTEN = 16  # calls after which an op gets a function of its own (0.5 ms); tests set it to 0
step_by_step: Any = None  # calls an op; tensor.py sets both to what is in calls.py
write: Any = None  # and quick_calls.py, which writes the function
ALIASES = {"axis": "dim", "keepdims": "keepdim", "x1": "input", "x2": "other", "a": "input"}
F = TypeVar("F", bound=Callable[..., Any])


class Plan:
    """What one op keeps, and which rules it runs, when a given set of inputs needs gradients."""

    __slots__ = ("by_rules", "direct", "freed", "inputs_only", "names", "needs", "parts",
                 "positions", "run", "shapes", "sources", "tensors", "wanted", "y")

    def __init__(self, op: Op, mask: int) -> None:
        self.positions = [i for i in op.inputs if mask >> i & 1]
        self.wanted = [k for k, i in enumerate(op.inputs) if mask >> i & 1]
        self.needs = tuple(bool(mask >> i & 1) for i in op.inputs)
        shown = [name for name in op.shown_names if name != "y_shape"]  # the node's own shape
        kept = list(dict.fromkeys(chain(*op.named_by(self.positions), shown)))
        end = len(op.names)
        places = {name: i for i, name in enumerate([*op.names, "y", *op.aux])}
        direct = [name for name in kept if name in places]
        shapes = [name for name in kept if name not in places]
        self.names = direct + shapes
        self.direct = [places[name] for name in direct]
        self.shapes = [op.names.index(name.removesuffix("_shape")) for name in shapes]
        self.y = direct.index("y") if "y" in direct else None
        self.inputs_only = all(i < end for i in self.direct)
        # which saved values are inputs (their versions are checked), and where to tie them again
        self.tensors = [i for i in self.direct if i in op.inputs]
        self.sources = [i if i < end else -1 if i == end else None for i in self.direct]
        # what backward frees; an op that keeps only shapes and options can go back any time
        self.freed = [k for k, i in enumerate(self.direct)
                      if (i in op.inputs or i >= end) and self.names[k] not in op.shown_names]
        self.write([] if op.reference else [op.rules[i] for i in self.positions], op)

    def write(self, rules: list[tuple[Any, list[str]]], op: Op) -> None:
        """Write the functions of g and the list of saved values that return gradients."""
        places = {name: f"saved[{k}]" for k, name in enumerate(self.names)}

        def call(name: str, asked: list[str], *more: str) -> str:  # None: kept for no wanted rule
            return f"{name}({', '.join(['g', *(places.get(a, 'None') for a in asked), *more])})"

        known = {f"rule{k}": rule for k, (rule, _) in enumerate(rules)}
        calls = [call(f"rule{k}", asked) for k, (_, asked) in enumerate(rules)]
        self.parts = [] if op.variadic else [gradient(one, known) for one in calls]
        every = f"[*{calls[0]}]" if op.variadic and calls else f"[{', '.join(calls)}]"
        self.run = self.by_rules = gradient(every, known)
        if op.backward is not None:  # one function returns all gradients, if wanted or not
            fused = call("backward", op.backward_names, "needs")
            some = ", ".join(f"d[{k}]" for k in self.wanted).replace("d", f"(d := {fused})", 1)
            self.run = gradient(f"[*{fused}]" if all(self.needs) else f"[{some}]",
                                {"backward": op.backward, "needs": self.needs})


def gradient(text: str, known: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """Return a function of g and the list of saved values from the text of its result."""
    return function_of(f"lambda g, saved: {text}", known)


def function_of(text: str, known: dict[str, Any], name: str = "written") -> Callable[..., Any]:
    """Return the function in a text, which knows the values in `known` by name."""
    # a copy of the code, in which Python notes what the lines of this function meet
    return FunctionType(_code(text).replace(co_name=name), known)


@lru_cache(maxsize=1024)
def _code(text: str) -> CodeType:
    """Return the code of the function in a text; many have the same."""
    whole = compile(text, f"{__file__}: written", "exec")
    return next(part for part in whole.co_consts if isinstance(part, CodeType))


class Op:
    """One operation: forward, derivative rules, and what they save."""

    def __init__(self, forward: Any, rules: dict[str, Any], *, aux: str = "",
                 smooth: str = "", also: str = "", reference: Callable[..., Any] | None = None,
                 shown: str | Callable[..., str] | None = None, view: bool = False,
                 outputs: str = "one", explain: Callable[..., Exception] | None = None,
                 mutate: Callable[..., None] | None = None) -> None:
        self.forward = positional(forward)
        self.declared = forward
        self.public: Any = None  # the function that callers get
        self.name = forward.__name__.strip("_")
        camel = "".join(part[:1].upper() + part[1:] for part in self.name.split("_"))
        self.shown = shown or f"{camel}Backward0"
        self.reference, self.view, self.explain, self.mutate = reference, view, explain, mutate
        self.many = outputs == "many"
        self.names = names_of(forward)
        self.slots = {name: i for i, name in enumerate(self.names)}
        self.positional = forward.__code__.co_argcount
        values = forward.__defaults__ or ()
        given = dict(zip(self.names[self.positional - len(values):self.positional], values,
                         strict=True), **(forward.__kwdefaults__ or {}))
        self.defaults = [given.get(name, REQUIRED) for name in self.names]
        self.variadic = self.names[0] == "tensors"
        self.smooth = smooth.split()
        self.also = also.split()
        self.aux = [*self.also, *aux.split(), *self.smooth]
        self.several = self.variadic or self.many or bool(self.also)  # inputs or results
        self.inputs = [self.slots[name] for name in rules]
        self.rules = {self.slots[name]: (rule, self.check(rule))
                      for name, rule in rules.items() if rule is not None}
        self.backward: Callable[..., Any] | None = None
        self.backward_names: list[str] = []
        self.reference_names = self.check(reference, first=0) if reference else []
        self.shown_names = self.check(self.shown, first=0) if callable(self.shown) else []
        self.plans: dict[int, Plan] = {}
        self.run: Callable[..., Any] = self.begin  # what calls the op with all its arguments
        self.calls = 0  # since the last plan was made
        # the bit of each input in a plan's mask; 0 for inputs without a derivative
        self.bits = [(i, 1 << i if i in self.rules or self.names[i] in self.reference_names else 0)
                     for i in self.inputs]

    def check(self, rule: Callable[..., Any], first: int = 1) -> list[str]:
        """Return the names a rule asks for; refuse unknown ones where the op is declared."""
        names = names_of(rule)
        if first and names[:1] != ["g"]:
            raise TypeError(f"{self.name}: the first parameter of a rule must be g, got {names}")
        for name in names[first:]:
            known = name in self.slots or name == "y" or name in self.aux
            if name in self.smooth:
                raise TypeError(f"{self.name}: {name} depends smoothly on the inputs: only the "
                                f"fused backward may use it, or higher orders would be wrong")
            known = known or (name == "y_shape" and rule is self.shown)  # a node keeps its shape
            if not known and name.removesuffix("_shape") not in self.slots:
                raise TypeError(f"{self.name}: a rule names '{name}', which is neither an input, "
                                f"y, <input>_shape, an option nor an auxiliary result")
        return names[first:]

    def fused(self, backward: F) -> F:
        """Declare the first-order backward: (g, <names>..., needs) -> one gradient per input."""
        self.backward = backward
        names = names_of(backward)
        if names[0] != "g" or names[-1] != "needs" or not (self.reference or self.rules):
            raise TypeError(f"{self.name}: a fused backward is f(g, ..., needs) and needs a "
                            f"reference, or rules, for the higher orders")
        self.backward_names = names[1:-1]
        return backward

    def named_by(self, positions: list[int]) -> list[list[str]]:
        if self.reference is not None:
            return [self.backward_names, self.reference_names]
        results = [name for name in self.backward_names if name not in self.slots]
        return [*[self.rules[i][1] for i in positions], results]

    def begin(self, *args: Any) -> Any:
        """Call the op; if it is called often, get a function for it that takes half the time."""
        self.calls += 1
        if self.calls > OFTEN:
            self.run = write(self)
            return self.run(*args)
        return step_by_step(self, args)

    def plan(self, mask: int) -> Plan:
        """Make the plan for a set of inputs that need gradients."""
        made = self.plans[mask] = Plan(self, mask)
        self.run, self.calls = self.begin, 0  # the function will be written anew, for this plan too
        return made

    def fill(self, args: tuple[Any, ...], given: dict[str, Any]) -> list[Any]:
        """Complete a call's arguments by keywords (torch's names or NumPy's) and defaults."""
        if len(args) > self.positional:
            raise TypeError(f"{self.name}() takes at most {self.positional} positional arguments, "
                            f"got {len(args)}")
        filled = [*args, *self.defaults[len(args):]]
        for key, value in given.items():
            at = self.slots.get(key if key in self.slots else ALIASES.get(key, key))
            if at is None:
                raise TypeError(f"{self.name}() got an unexpected keyword argument '{key}'; it "
                                f"knows {', '.join(self.names)}")
            if at < len(args):
                raise TypeError(f"{self.name}() got multiple values for argument '{key}'")
            filled[at] = value
        if any(v is REQUIRED for v in filled):
            missing = [n for n, v in zip(self.names, filled, strict=True) if v is REQUIRED]
            raise TypeError(f"{self.name}() missing required argument(s): {', '.join(missing)}")
        return filled

    def failure(self, error: Exception, arrays: Any) -> Exception:
        """Return what a caller should see for an error of forward: NumPy's own words say little."""
        wrong = wrong_type(self.declared, (), arrays, {})  # PyTorch looks at the types first
        if wrong is not None:
            return TypeError(wrong)
        if isinstance(error, ValueError) and self.explain is not None:
            return self.explain(*arrays)
        return cannot_take(self.name, error, arrays) if is_inner(error) else error

    def listed(self, tensors: Any) -> list[Any]:
        """Return a sequence of tensors as a new list."""
        try:
            return list(tensors)
        except TypeError:
            raise TypeError(f"{self.name}(): argument 'tensors' (position 1) must be tuple of "
                            f"Tensors, not {type(tensors).__name__}") from None

    def offer(self, args: Any) -> Any:
        """Offer the call to an argument that is no tensor but has `__torch_function__`."""
        from ._dispatch import first_offer

        return first_offer(self, args)

    def refuse(self, at: int, arg: Any) -> Exception:
        if self.explain and isinstance(arg, (list, tuple)) and not arg:  # cat([])
            return self.explain(arg)
        return no_tensor(arg, f"{self.name}(): argument '{self.names[at]}' (position {at + 1}) "
                              f"must be Tensor, not {type(arg).__name__}; {remedy(arg)}")


class Overridden(TypeError):
    """An argument is no tensor, but it has `__torch_function__`: it may take the call over."""


def no_tensor(arg: Any, text: str) -> TypeError:
    """Build the error for an argument that must be a tensor."""
    return Overridden(text) if hasattr(type(arg), "__torch_function__") else TypeError(text)


def names_of(function: Any) -> list[str]:
    """Return the names of a function's parameters (much faster than `inspect.signature`)."""
    code = function.__code__
    return list(code.co_varnames[:code.co_argcount + code.co_kwonlyargcount])


def positional(function: Any) -> Any:
    """Return the function with its keyword-only parameters made positional (the engine's calls)."""
    code = function.__code__
    if not code.co_kwonlyargcount:
        return function
    count = code.co_argcount + code.co_kwonlyargcount
    code = code.replace(co_argcount=count, co_kwonlyargcount=0)
    return FunctionType(code, function.__globals__, function.__name__,
                        closure=function.__closure__)
