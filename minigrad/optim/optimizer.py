"""`Optimizer`, the base: parameter groups, state, saving and loading, hooks, the step's loop.

An optimizer declares its formula once: `_prepare(group)` returns an `Elementwise` rule, or for
other formulas a function that updates one parameter from its gradient, plain arrays, in place.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from .._check import listed
from .._quiet import quietly
from ..anomaly import anomaly, user_line
from ..engine import Leaf, wrap
from ..modes import enable_grad
from ..tensor import Tensor
from ..versions import storage_of
from ._elementwise import Elementwise
from ._hooks import StateHooks, hooked

ndarray = np.ndarray
Update = Callable[[Tensor, ndarray], None]


class Optimizer(StateHooks):
    """Base of the optimizers: change parameters by their `.grad` at every `step()`.

    Args: params: parameters (or (name, parameter) pairs), or dicts that each hold 'params' and
    options of their own; defaults: the options of groups that do not name them.
    A subclass defines `_prepare(group)`, or `step` as in PyTorch.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        super().__init__()
        if isinstance(params, Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of "
                            f"Tensors or dicts, but got {params.type()}: put it into a list")
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._flat: dict[int, Any] = {}
        groups = listed(params, type(self).__name__, "params", "Tensors or dicts")
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = hooked(vars(cls)["step"])  # type: ignore[method-assign]

    # ---- groups
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, such as a layer that is unfrozen later."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        if "params" not in param_group:
            raise KeyError(f"params: a param_group names its parameters, {{'params': [...]}}, but "
                           f"this one has only {sorted(param_group)}")
        given = param_group["params"]
        if isinstance(given, Tensor):
            given = [given]
        elif isinstance(given, (set, frozenset)):
            raise TypeError("optimizer parameters need to be organized in ordered collections; the "
                            "order of a set changes between runs: use a list")
        group = {**param_group, "params": listed(given, type(self).__name__, "params", "Tensors")}
        _split_names(group)
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self._check_params(group)
        self.param_groups.append(group)

    def _check_params(self, group: dict[str, Any]) -> None:
        params = group["params"]
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError("optimizer can only optimize Tensors, but one of the params is "
                                f"{type(param).__name__}")
            if not (param.is_leaf or param.grad_fn is None):
                raise ValueError("can't optimize a non-leaf Tensor: give the tensor it was "
                                 "computed from")
        if len(set(params)) != len(params):
            warnings.warn("optimizer contains a parameter group with duplicate parameters: they "
                          "would be updated twice at each step", stacklevel=3)
        if not {p for other in self.param_groups for p in other["params"]}.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")
        if any(("param_names" in other) != ("param_names" in group) for other in self.param_groups):
            raise ValueError("all optimizer param groups should be with/without names. cannot add "
                             "param group with names to the optimizer without, or vice versa")

    # ---- stepping
    def _prepare(self, group: dict[str, Any]) -> Update | Elementwise:
        """Return the update of parameters under a group's options."""
        raise NotImplementedError(f"{type(self).__name__}: define _prepare(group) or step")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args: closure: computes the loss (and its gradients) first; its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        quietly(self._update_all)
        return loss

    def _update_all(self) -> None:
        name = f"{type(self).__name__}.step"
        where = user_line() if anomaly.on else None
        for k, group in enumerate(self.param_groups):
            update = self._prepare(group)
            if isinstance(update, Elementwise):
                update.run(self, k, group["params"], name, where)
                continue
            for param in group["params"]:
                grad = param.grad
                if grad is not None:
                    update(param, grad._data)
                    (param._storage or storage_of(param)).wrote(name, where)

    step = hooked(step)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or (False) fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    node = param._node
                    if type(node) is Leaf:  # at once: the property takes longer
                        node.grad = None
                    else:
                        param.grad = None
                elif param.grad is not None:
                    param.grad = param.grad.detach()
                    param.grad.zero_()

    # ---- saving
    def state_dict(self) -> dict[str, Any]:
        """Return {'state': per parameter number, 'param_groups': options}, in PyTorch's format."""
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self)
        numbers: dict[Tensor, int] = {}
        groups = []
        for group in self.param_groups:
            for param in group["params"]:
                numbers.setdefault(param, len(numbers))
            packed = {key: value for key, value in group.items() if key != "params"}
            groups.append({**packed, "params": [numbers[param] for param in group["params"]]})
        packed_state = {numbers.get(key, key): value for key, value in self.state.items()}
        result: dict[str, Any] = {"state": packed_state, "param_groups": groups}
        for hook in list(self._state_dict_post_hooks.values()):
            result = _or(hook(self, result), result)
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned, by position of the parameters.

        Floating point state takes the dtype of its parameter ('step' keeps its own). ValueError if
        the number of groups or of parameters in one differs.
        """
        state_dict = dict(state_dict)
        for hook in list(self._load_state_dict_pre_hooks.values()):
            state_dict = _or(hook(self, state_dict), state_dict)
        groups, saved = self.param_groups, deepcopy(state_dict["param_groups"])
        _check_groups(groups, saved)
        by_number = {number: param for group, old in zip(groups, saved, strict=True)
                     for number, param in zip(old["params"], group["params"], strict=True)}
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            param = by_number.get(key)
            state[key if param is None else param] = _converted(value, param)
        merged = []
        for group, old in zip(groups, saved, strict=True):
            new = {**old, "params": group["params"]}
            if "param_names" in group:
                new["param_names"] = group["param_names"]
            merged.append(new)
        self.__setstate__({"state": state, "param_groups": merged})
        for hook in list(self._load_state_dict_post_hooks.values()):
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not hasattr(self, "_step_pre_hooks"):
            StateHooks.__init__(self)
        self._flat = {}
        vars(self).update(state)
        for group in self.param_groups:  # options that an older checkpoint does not know
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(group)
                            if key != "params")
        return text + ")"


def _or(changed: Any, before: Any) -> Any:
    return before if changed is None else changed


def _split_names(group: dict[str, Any]) -> None:
    """Turn (name, parameter) pairs into 'params' and 'param_names'."""
    named = [isinstance(entry, tuple) for entry in group["params"]]
    if not any(named):
        return
    if not all(named):
        raise ValueError("all optimizer params should be with/without names. Some param names are "
                         "missing")
    pairs = group["params"]
    group["params"] = [param for _, param in pairs]
    group["param_names"] = [name for name, _ in pairs]


def _check_groups(groups: Sequence[Any], saved: Sequence[Any]) -> None:
    if len(groups) != len(saved):
        raise ValueError(f"loaded state dict has a different number of parameter groups: "
                         f"{len(saved)}, the optimizer has {len(groups)}")
    for i, (group, old) in enumerate(zip(groups, saved, strict=True)):
        if len(group["params"]) != len(old["params"]):
            raise ValueError(
                f"loaded state dict contains a parameter group that doesn't match the size of "
                f"optimizer's group: group {i} has {len(old['params'])} parameters, the "
                f"optimizer's {len(group['params'])}")


def _converted(value: Any, param: Tensor | None, key: str = "") -> Any:
    """Return a copy of a state value in the dtype that its parameter needs."""
    if isinstance(value, Tensor):
        # numbers such as NAdam's product keep their dtype: to go on exactly
        per_element = param is not None and (value.ndim or not param.ndim) and key != "step"
        if param is not None and per_element and param.is_floating_point():
            return wrap(value._data.astype(param._data.dtype), None)
        return wrap(value._data.copy(), None)
    if isinstance(value, dict):
        return {name: _converted(each, param, name) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_converted(each, param) for each in value)
    return deepcopy(value)


# ---- what the optimizers' options share
def number(value: Any) -> float:
    """Return an option that may be a tensor of one element as a Python number."""
    return value.item() if isinstance(value, Tensor) else value


def check_lr(lr: Any) -> None:
    """Refuse negative learning rates and tensors of several."""
    if isinstance(lr, Tensor) and lr._data.size != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not number(lr) >= 0:
        raise ValueError(f"Invalid learning rate: {number(lr)}")


def check_at_least_0(**options: float) -> None:
    """Refuse negative values of options, given as their torch label=value."""
    for name, value in options.items():
        if not value >= 0:
            raise ValueError(f"Invalid {name} value: {value}")


def check_betas(betas: Iterable[Any]) -> None:
    """Refuse shares of running means outside of [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0 <= number(beta) < 1:
            raise ValueError(f"Invalid beta parameter at index {i}: {number(beta)}")


def decay_of(group: dict[str, Any], lr: float) -> tuple[float, float]:
    """Return what to multiply a parameter by, and its share to add to the gradient."""
    decay = group["weight_decay"]
    return (1 - lr * decay, 0) if decay and group["decoupled_weight_decay"] else (1, decay)


def refuse(name: str, **flags: bool | None) -> None:
    """Refuse PyTorch's switches that minigrad has no meaning for."""
    for flag, value in flags.items():
        if value:
            raise RuntimeError(f"{name}: {flag}=True is not supported: steps run on the CPU, are "
                               f"not recorded and have one implementation; leave it out")
