"""Random numbers and first values of one library, kept and used again in another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from .patches import writes

Array = np.ndarray[Any, Any]
Key = tuple[str, tuple[int, ...]]

FUNCTIONS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial",
             "poisson", "rand_like", "randn_like", "randint_like"}
METHODS = {"uniform_", "normal_", "random_", "bernoulli_", "exponential_", "geometric_", "cauchy_",
           "log_normal_", "bernoulli", "multinomial"}
DRAWS = (FUNCTIONS | {f"Tensor.{name}" for name in METHODS} | {
    f"nn.init.{name}_" for name in ("uniform", "normal", "trunc_normal", "xavier_uniform",
                                    "xavier_normal", "kaiming_uniform", "kaiming_normal",
                                    "orthogonal", "sparse")})
MASKS = {f"nn.functional.{name}" for name in ("dropout", "dropout1d", "dropout2d", "dropout3d")}


class Draws:
    """The numbers that were drawn, by the name of the function and the shape of the result."""

    def __init__(self) -> None:
        self.kept: dict[Key, deque[Array]] = {}
        self.states: list[tuple[str, dict[str, Array]]] = []  # of outermost modules
        self.grads: deque[list[Array | None]] = deque()  # at each step of an optimiser
        self.notes: dict[str, None] = {}

    def keep(self, name: str, array: Array) -> None:
        """Keep what was drawn."""
        self.kept.setdefault((name, array.shape), deque()).append(array.copy())

    def again(self, name: str, shape: tuple[int, ...], users: bool) -> Array | None:
        """Return what was drawn at the same place; None (and a note for the user) if nothing."""
        line = self.kept.get((name, shape))
        if line:
            return line.popleft()
        if users:
            self.notes[f"{name} of shape {shape} draws more numbers in the second library: they "
                       f"are its own"] = None
        return None


class Player:
    """Draws in one library: the first one records, the second one replays."""

    def __init__(self, library: Any, draws: Draws, replays: bool) -> None:
        self.library, self.draws, self.replays = library, draws, replays
        self.inside = False
        self.users = False  # the draw is made by the user's code, not within the library
        self.count = 0
        self.known: dict[int, Any] = {}  # keeps the modules, so that no id is used twice

    def covers(self, name: str) -> bool:
        """Tell whether a function draws numbers that are kept."""
        return name in DRAWS or name in MASKS

    def call(self, name: str, original: Callable[..., Any], args: Any, kwargs: Any,
             users: bool) -> Any:
        """Call a function that draws; the outermost one's numbers are kept or replaced."""
        self.users = users
        if self.inside:
            return original(*args, **kwargs)
        self.inside = True
        try:
            if name in MASKS:
                return self.mask(name, original, *args, **kwargs)
            out = original(*args, **kwargs)
            self.count += 1
            return self.fixed(name, out) if isinstance(out, self.library.Tensor) else out
        finally:
            self.inside = False

    def fixed(self, name: str, out: Any) -> Any:
        """Keep the numbers of a tensor, or write the kept ones into it."""
        if not self.replays:
            self.draws.keep(name, out.detach().numpy())
            return out
        kept = self.draws.again(name, tuple(out.shape), self.users)
        if kept is not None:
            with self.library.no_grad():
                target = out if writes(name) or out.requires_grad else out.detach()
                target.copy_(self.library.tensor(kept))
        return out

    def mask(self, name: str, original: Callable[..., Any], input: Any, p: float = 0.5,
             training: bool = True, inplace: bool = False, **further: Any) -> Any:
        """Multiply by a dropout's factors, found by dropping out ones."""
        if not training or p == 0:
            return original(input, p, training, inplace, **further)
        factor = original(self.library.ones_like(input).detach(), p, True, **further)
        self.count += 1
        factor = self.fixed(name, factor)
        return input.mul_(factor) if inplace else input * factor

    def order(self, name: str, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Keep or replay the order of a sampler, or the parts of random_split."""
        out = original(*args, **kwargs)
        if name == "utils.data.random_split":
            for part in out:
                part.indices = self.replayed(name, list(part.indices))
            return out
        return iter(self.replayed(name, list(out)))

    def replayed(self, name: str, numbers: list[Any]) -> list[Any]:
        array = np.asarray(numbers)
        if not self.replays:
            self.draws.keep(name, array)
            return numbers
        kept = self.draws.again(name, array.shape, True)
        return numbers if kept is None else kept.tolist()

    def gradients(self, parameters: list[Any]) -> list[Any]:
        """At an optimiser's step: keep the gradients, or replace them by the kept ones.

        So a step's own rule is compared, and rounding does not add up from step to step: Adam makes
        whole steps of gradients that are nothing but rounding. Returns them as they were.
        """
        own = [None if p.grad is None else p.grad.detach().numpy().copy() for p in parameters]
        if not self.replays:
            self.draws.grads.append(own)
        elif self.draws.grads:
            kept = self.draws.grads.popleft()
            for p, mine, other in zip(parameters, own, kept, strict=False):
                if mine is not None and other is not None and mine.shape == other.shape:
                    p.grad = self.library.tensor(other)
        return [a for a in own if a is not None]

    def state(self, module: Any) -> None:
        """At an outermost module's first call: keep its state, or copy the kept one into it."""
        if id(module) in self.known:
            return
        k = len(self.known)
        self.known[id(module)] = module
        own = {key: value for key, value in module.state_dict().items()
               if isinstance(value, self.library.Tensor)}
        if not self.replays:
            self.draws.states.append((type(module).__name__, {
                key: value.detach().numpy().copy() for key, value in own.items()}))
            return
        name, kept = self.draws.states[k] if k < len(self.draws.states) else ("", {})
        if name != type(module).__name__ or {k: tuple(v.shape) for k, v in own.items()} != {
                k: v.shape for k, v in kept.items()}:
            return
        with self.library.no_grad():
            for key, value in own.items():
                if not np.array_equal(value.detach().numpy(), kept[key], equal_nan=True):
                    value.copy_(self.library.tensor(kept[key]))
                    self.draws.notes[f"{name}: first values copied from the first library before "
                                     f"its first call"] = None
