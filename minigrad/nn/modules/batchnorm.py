"""Batch normalisation, and what it shares with instance normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._check import takes
from ..._hints import hint, hints
from ...engine import wrap
from ...modes import state
from ...tensor import Tensor
from ...views import wrote
from .. import functional as F
from ..parameter import Parameter, UninitializedBuffer
from ._make import made, make_affine, reset_affine
from .lazy import LazyModuleMixin
from .module import Module

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LazyBatchNorm1d", "LazyBatchNorm2d",
           "LazyBatchNorm3d", "SyncBatchNorm"]


_ONE = np.array(1)


class _NormBase(Module):
    """Parameters and running statistics, one value per channel."""

    _version = 2
    num_features: int
    eps: float
    momentum: float | None
    affine: bool
    track_running_stats: bool
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    @takes()
    def __init__(self, num_features: int, eps: float, momentum: float | None, affine: bool,
                 track_running_stats: bool, device: Any, dtype: Any, bias: bool) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats

        def new() -> Parameter:
            return made(num_features, device=device, dtype=dtype)

        make_affine(self, (num_features,), affine, affine and bias, device, dtype)
        tracked = track_running_stats
        self.register_buffer("running_mean", new().data if tracked else None)
        self.register_buffer("running_var", new().data if tracked else None)
        self.register_buffer("num_batches_tracked",
                             wrap(np.zeros((), np.int64), None) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the running variance to 1, the number of batches to 0."""
        for buffer, start in ((self.running_mean, 0), (self.running_var, 1),
                              (self.num_batches_tracked, 0)):
            if buffer is not None:
                buffer.fill_(start)

    def reset_parameters(self) -> None:
        """Set weight to 1, bias to 0, and the statistics to their start."""
        self.reset_running_stats()
        reset_affine(self)

    def _tables(self) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
        """Return weight, bias and running statistics; by their tables, as attributes take long."""
        own, kept = self._parameters, self._buffers
        if "weight" in own and "bias" in own and "running_mean" in kept and "running_var" in kept:
            return own["weight"], own["bias"], kept["running_mean"], kept["running_var"]
        return self.weight, self.bias, self.running_mean, self.running_var

    def _check_input_dim(self, input: Tensor) -> None:
        raise NotImplementedError(f"{type(self).__name__}: define _check_input_dim(input)")

    def _channels(self, input: Tensor) -> int:
        """Return the number of channels that the input has."""
        self._check_input_dim(input)
        return input.shape[1]

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, bias={self.bias is not None}, "
                f"track_running_stats={self.track_running_stats}")

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str,
                              local_metadata: dict[str, Any], *rest: Any) -> None:
        """Load; files from before version 2 have no num_batches_tracked."""
        key = prefix + "num_batches_tracked"
        old = (local_metadata.get("version") or 0) < 2
        if old and self.track_running_stats and key not in state_dict:
            count = self.num_batches_tracked
            state_dict[key] = wrap(np.zeros((), np.int64), None) if count is None else count
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    """Batch normalisation of any number of dimensions."""

    _ranks: tuple[int, ...] = ()

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
                 affine: bool = True, track_running_stats: bool = True, device: Any = None,
                 dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self._ranks:
            expected = " or ".join(f"{rank}D" for rank in self._ranks)
            raise ValueError(f"expected {expected} input (got {input.ndim}D input): "
                             f"{type(self).__name__} takes the channels in dim 1, input shape "
                             f"{tuple(input.shape)}")

    def _next_factor(self) -> float:
        """Return the share that the next batch's statistics get of the running ones."""
        count = self.num_batches_tracked
        if self.momentum is None and count is not None:
            return 1.0 / (count._data.item() + 1)
        return self.momentum or 0.0

    def _count(self) -> None:
        """Count a batch, once it has been normalised: a batch that is refused leaves no trace."""
        count = self.num_batches_tracked
        if count is not None:
            np.add(count._data, _ONE, count._data)
            wrote(count, "batch_norm")

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input; in training, update the running statistics."""
        self._check_input_dim(input)
        weight, bias, mean, var = self._tables()
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training:
            if hints.on and not state.grad:
                hint("batch_norm", f"{type(self).__name__} is in training mode under no_grad: it "
                     f"uses the batch's statistics and changes the running ones. Call model.eval() "
                     f"(or use `with model.evaluating():`) unless that is wanted.", stacklevel=4)
            if self.track_running_stats:
                factor = self._next_factor()
            else:
                mean = var = None
        y = F.batch_norm(input, mean, var, weight, bias,
                         self.training or (mean is None and var is None), factor, self.eps)
        if self.training and self.track_running_stats:
            self._count()
        return y


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """A normalisation that takes num_features from its first input."""

    def __init__(self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *,
                 bias: bool = True) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype)
        self.affine, self.track_running_stats = affine, track_running_stats
        names = ["weight", "bias"] if bias else ["weight"]
        self._wait(dtype, device, None, *(names if affine else ()))
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = wrap(np.zeros((), np.int64), None)

    def reset_parameters(self) -> None:
        """Set the first values, if the shapes are known."""
        if self.num_features and not self.has_uninitialized_params():
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take num_features from the channels of the input."""
        if self.has_uninitialized_params():
            shape = (self._channels(input),)
            self.num_features = shape[0]
            self._materialize(weight=shape, bias=shape, running_mean=shape, running_var=shape)
        else:  # they were loaded, or there are none
            self.num_features = self._channels(input)


class BatchNorm1d(_BatchNorm):
    """Normalise each channel over the batch (and the length); see BatchNorm2d.

    Shape: (N, C) or (N, C, L), the same out. The channels are dim 1, the last one only in 2-D.

    >>> import minigrad as torch
    >>> torch.nn.BatchNorm1d(2)(torch.tensor([[1., 0.], [3., 0.]]))
    tensor([[-1.0000,  0.0000],
            [ 1.0000,  0.0000]], grad_fn=<NativeBatchNormBackward0>)
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalise each channel over the batch and all positions.

    y = (x - mean) / sqrt(var + eps) * weight + bias. In training mean and (biased) variance are the
    batch's, and running <- (1 - momentum) * running + momentum * batch (with the *unbiased*
    variance). In eval they are the running ones: eval() matters.
    Ioffe & Szegedy, "Batch normalization", 2015.

    Args: num_features: C; eps 1e-5; momentum 0.1: the share of the new batch (not of the old
    value), None for the mean of all batches; affine True: learn weight (1 at first) and bias (0);
    track_running_stats True: False has no running statistics and uses the batch's in eval, too;
    bias True. Shape: (N, C, H, W), the same out. ValueError for other ranks and for a batch with
    one value per channel in training.
    Relation: InstanceNorm averages over each sample alone, LayerNorm over all of a sample's
    channels, GroupNorm over groups of them; all three do the same in training and eval.

    >>> import minigrad as torch
    >>> bn = torch.nn.BatchNorm2d(3)
    >>> bn(torch.randn(4, 3, 8, 8)).shape, bn.num_batches_tracked
    (torch.Size([4, 3, 8, 8]), tensor(1))
    """

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalise each channel over the batch and all positions of a volume; see BatchNorm2d.

    Shape: (N, C, D, H, W), the same out.

    >>> import minigrad as torch
    >>> torch.nn.BatchNorm3d(2)(torch.randn(4, 2, 3, 3, 3)).shape
    torch.Size([4, 2, 3, 3, 3])
    """

    _ranks = (5,)


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """Be a BatchNorm1d that takes num_features from its first input; see LazyModuleMixin."""

    cls_to_become = BatchNorm1d
    _ranks = BatchNorm1d._ranks


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    """Be a BatchNorm2d that takes num_features from its first input; see LazyModuleMixin."""

    cls_to_become = BatchNorm2d
    _ranks = BatchNorm2d._ranks


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    """Be a BatchNorm3d that takes num_features from its first input; see LazyModuleMixin."""

    cls_to_become = BatchNorm3d
    _ranks = BatchNorm3d._ranks


class SyncBatchNorm(_BatchNorm):
    """Be a BatchNorm of any rank under the name that nets for several processes use.

    In one process its statistics are the batch's, so that it computes what BatchNorm1d to 3d do;
    PyTorch refuses it on the CPU.
    Args: process_group: None, ValueError for anything else; the others: see BatchNorm2d.
    Shape: (N, C, *). ValueError for fewer dimensions, or none channels.

    >>> import minigrad as torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    >>> torch.nn.SyncBatchNorm.convert_sync_batchnorm(net)(torch.ones(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
                 affine: bool = True, track_running_stats: bool = True, process_group: Any = None,
                 device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        _one_process(process_group)
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input.ndim}D input): SyncBatchNorm "
                             f"takes the channels in dim 1, input shape {tuple(input.shape)}")
        if not input.shape[1]:
            raise ValueError("SyncBatchNorm number of input channels should be non-zero: input "
                             f"shape {tuple(input.shape)}")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Return the module with each BatchNorm inside replaced by a SyncBatchNorm.

        They share parameters, statistics and modes. A BatchNorm itself gives a new module, anything
        else is changed in place and returned.
        """
        _one_process(process_group)
        made = module
        if isinstance(module, _BatchNorm):
            made = cls(module.num_features, module.eps, module.momentum, module.affine,
                       module.track_running_stats, process_group, bias=module.bias is not None)
            made.weight, made.bias = module.weight, module.bias
            made.running_mean, made.running_var = module.running_mean, module.running_var
            made.num_batches_tracked = module.num_batches_tracked
            made.training = module.training
        for name, child in module.named_children():
            made.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return made


def _one_process(process_group: Any) -> None:
    if process_group is not None:
        raise ValueError("SyncBatchNorm: process_group must be None: minigrad computes in one "
                         "process, there is nobody to synchronise with")
