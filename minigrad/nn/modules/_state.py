"""`state_dict` and `load_state_dict`: a module's tensors under dotted names."""

from __future__ import annotations

import itertools
import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...autograd.graph import RemovableHandle
from ...modes import without_grad
from ...tensor import Tensor
from ..parameter import Parameter, is_lazy

_EXTRA = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` returns: the keys that were missing, and those nothing asked for."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class State:
    """The part of Module that saves and restores its parameters and buffers."""

    _version = 1
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, Any]
    _state_dict_hooks: dict[int, Callable[..., Any]]
    _state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_post_hooks: dict[int, Callable[..., Any]]

    # ---- saving
    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "",
                   keep_vars: bool = False) -> dict[str, Any]:
        """Return all parameters and persistent buffers by name: an ordered dict.

        The tensors share memory with the module's: clone them to keep a snapshot.
        Args: destination: the dict to fill; prefix: what to put before each name; keep_vars:
        give the parameters themselves, not detached tensors.

        >>> import minigrad.nn as nn
        >>> list(nn.Sequential(nn.Linear(2, 3)).state_dict())
        ['0.weight', '0.bias']
        """
        if args:
            warnings.warn("state_dict: positional arguments are deprecated; name them: "
                          "destination=, prefix=, keep_vars=", FutureWarning, stacklevel=2)
            names = ("destination", "prefix", "keep_vars")
            return self.state_dict(**{**dict(zip(names, (destination, prefix, keep_vars),
                                                 strict=True)),
                                      **dict(zip(names, args, strict=False))})
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.",
                                  keep_vars=keep_vars)
        for hook in list(self._state_dict_hooks.values()):
            changed = hook(self, destination, prefix, local)
            if isinstance(hook, _InPlace):
                if changed is not None:
                    raise RuntimeError("state_dict post-hook must return None")
            elif changed is not None:
                destination = changed
        return destination

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str,
                            keep_vars: bool) -> None:
        """Put this module's own entries into `destination` (override to save differently)."""
        for name, value in self._saved_tensors():
            kept = keep_vars or is_lazy(value)
            destination[prefix + name] = value if kept else value.detach()
        if _overridden(self, "get_extra_state"):
            destination[prefix + _EXTRA] = self.get_extra_state()

    def _saved_tensors(self) -> list[tuple[str, Any]]:
        """Return the parameters and persistent buffers that are not None, by name."""
        kept = [(name, b) for name, b in self._buffers.items()
                if name not in self._non_persistent_buffers_set]
        pairs = itertools.chain(self._parameters.items(), kept)
        return [(name, value) for name, value in pairs if value is not None]

    def get_extra_state(self) -> Any:
        """Return what else belongs into `state_dict`; override together with `set_extra_state`."""
        raise RuntimeError(f"{type(self).__name__} does not define get_extra_state: override it to "
                           f"put more than tensors into state_dict")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned; override both."""
        raise RuntimeError(f"{type(self).__name__} does not define set_extra_state: override it to "
                           f"take back what get_extra_state returned")

    # ---- loading
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True,
                        assign: bool = False) -> Any:
        """Copy the values of a state dict into this module's parameters and buffers.

        Args: strict: missing and unexpected keys are an error (RuntimeError), not only returned;
        assign: take the given tensors themselves instead of copying (their dtype wins).
        Returns the named tuple (missing_keys, unexpected_keys). Shapes that differ always raise
        RuntimeError, after all that fits was copied.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        report = _IncompatibleKeys([], [])
        problems: list[str] = []
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata  # type: ignore[attr-defined]
        _load(self, state_dict, "", metadata or {}, assign, report, problems)
        if strict:
            for what, keys in (("Missing", report.missing_keys),
                               ("Unexpected", report.unexpected_keys)):
                if keys:
                    listed = ", ".join(f'"{key}"' for key in keys)
                    problems.insert(what == "Unexpected" and bool(report.missing_keys),
                                    f"{what} key(s) in state_dict: {listed}. ")
        if problems:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t"
                               + "\n\t".join(problems))
        return report

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str,
                              local_metadata: dict[str, Any], strict: bool,
                              missing_keys: list[str], unexpected_keys: list[str],
                              error_msgs: list[str]) -> None:
        """Take this module's own entries from `state_dict` (override to convert old formats)."""
        given = (state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                 error_msgs)
        for hook in list(self._load_state_dict_pre_hooks.values()):
            _ = hook.function(self, *given) if isinstance(hook, _WithModule) else hook(*given)
        own = dict(self._saved_tensors())
        for name, target in own.items():
            key = prefix + name
            if key in state_dict:
                problem = _take(self, name, target, key, state_dict[key],
                                local_metadata.get("assign_to_params_buffers", False))
                if problem:
                    error_msgs.append(problem)
            elif strict:
                missing_keys.append(key)
        extra = prefix + _EXTRA
        if _overridden(self, "set_extra_state"):
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            unexpected_keys += [key for key in state_dict if key.startswith(prefix)
                                and key != extra and not self._knows(key[len(prefix):], own)]

    def _knows(self, name: str, own: dict[str, Any]) -> bool:
        head, dot, _ = name.partition(".")
        return head in (self._modules if dot else own)

    # ---- hooks
    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the module's state is collected."""
        return RemovableHandle(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after; it changes it in place."""
        return RemovableHandle(self._state_dict_hooks, _InPlace(hook))

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Do the same with a hook that may return another state dict."""
        if any(isinstance(each, _InPlace) and each.function is hook
               for each in self._state_dict_hooks.values()):
            raise RuntimeError("Cannot register the same function as the state dict post hook that "
                               "was previously registered via register_state_dict_post_hook")
        return RemovableHandle(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs) before the module's own entries are loaded.
        """
        return RemovableHandle(self._load_state_dict_pre_hooks,
                               _WithModule(hook))  # type: ignore[arg-type]

    def _register_load_state_dict_pre_hook(self, hook: Callable[..., None],
                                           with_module: bool = False) -> RemovableHandle:
        call: Any = _WithModule(hook) if with_module else hook
        return RemovableHandle(self._load_state_dict_pre_hooks, call)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after loading; it may change the lists."""
        return RemovableHandle(self._load_state_dict_post_hooks, hook)


@dataclass
class _WithModule:
    """A load hook that gets the module first (holding the module here would be a cycle)."""

    function: Callable[..., None]


@dataclass
class _InPlace:
    """A state_dict hook that changes the dict and must return None."""

    function: Callable[..., None]

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)  # type: ignore[func-returns-value]


def _overridden(module: Any, name: str) -> bool:
    return getattr(type(module), name) is not getattr(State, name)


def _load(module: Any, entries: dict[str, Any], prefix: str, metadata: Mapping[str, Any],
          assign: bool, report: Any, problems: list[str]) -> None:
    """Load a module and its children."""
    local = metadata.get(prefix[:-1], {})
    if assign:
        local["assign_to_params_buffers"] = assign
    module._load_from_state_dict(entries, prefix, local, True, *report, problems)
    for name, child in module._modules.items():
        if child is not None:
            below = f"{prefix}{name}."
            inner = {key: value for key, value in entries.items() if key.startswith(below)}
            _load(child, inner, below, metadata, assign, report, problems)
    for hook in list(module._load_state_dict_post_hooks.values()):
        if hook(module, report) is not None:
            raise AssertionError("Hooks registered with ``register_load_state_dict_post_hook`` "
                                 "must return None: change incompatible_keys in place")


def _take(module: Any, name: str, target: Tensor, key: str, value: Any,
          assign: bool) -> str | None:
    """Copy (or assign) one value; return what is wrong with it, if anything."""
    if not isinstance(value, Tensor):
        return (f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
                f"object from checkpoint but received {type(value)}")
    if is_lazy(target) or is_lazy(value):
        return _take_lazy(target, key, value)
    if not target.ndim and value.shape == (1,):
        value = value[0]  # what files of PyTorch 0.3 hold for a 0-d tensor
    if value.shape != target.shape:
        return (f"size mismatch for {key}: copying a param with shape {value.shape} from "
                f"checkpoint, the shape in current model is {target.shape}.")
    try:
        without_grad(_write, module, name, target, value, assign)
    except Exception as error:
        return (f'While copying the parameter named "{key}", whose dimensions in the model are '
                f"{target.shape} and whose dimensions in the checkpoint are {value.shape}, an "
                f"exception occurred : {error.args}.")
    return None


def _write(module: Any, name: str, target: Tensor, value: Tensor, assign: bool) -> None:
    """Copy (or assign) a value that fits."""
    if not assign:
        target.copy_(value)
    elif isinstance(target, Parameter) and not isinstance(value, Parameter):
        setattr(module, name, Parameter(value, target.requires_grad))
    else:
        setattr(module, name, value.requires_grad_(target.requires_grad))


def _take_lazy(target: Tensor, key: str, value: Tensor) -> str | None:
    """Do nothing if both sides wait for their shape; else one side's shape is missing."""
    if not is_lazy(target):
        _ = value.shape  # raises, and says why
    if is_lazy(value):
        return None
    return (f'While copying the parameter named "{key}": the model\'s is uninitialized; '
            f"materialize({tuple(value.shape)}) it first, or derive the module from "
            f"LazyModuleMixin")
