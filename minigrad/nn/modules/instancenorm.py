"""Instance normalisation."""

from __future__ import annotations

import warnings
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .batchnorm import _LazyNormBase, _NormBase

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LazyInstanceNorm1d",
           "LazyInstanceNorm2d", "LazyInstanceNorm3d"]


class _InstanceNorm(_NormBase):
    """Instance normalisation of any number of dimensions."""

    _unbatched = 0  # rank of one sample with its channels

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1,
                 affine: bool = False, track_running_stats: bool = False, device: Any = None,
                 dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias)

    def _channel_dim(self, input: Tensor) -> int:
        """Return the dimension of the channels: 0 without a batch, else 1."""
        rank = self._unbatched
        if input.ndim not in (rank, rank + 1):
            raise ValueError(f"expected {rank}D or {rank + 1}D input (got {input.ndim}D input): "
                             f"{type(self).__name__} takes one sample (C, ...) or a batch "
                             f"(N, C, ...), input shape {tuple(input.shape)}")
        return input.ndim - rank

    def _channels(self, input: Tensor) -> int:
        return input.shape[self._channel_dim(input)]

    def _check_input_dim(self, input: Tensor) -> None:
        dim = self._channel_dim(input)
        if input.shape[dim] != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={dim} to match num_features "
                    f"({self.num_features}), but got: {input.shape[dim]}. A {input.ndim}D input "
                    f"is read as {'(N, C, ...)' if dim else '(C, ...), without a batch'}")
            warnings.warn(f"input's size at dim={dim} does not match num_features. You can silence "
                          f"this warning by not passing in num_features, which is not used because "
                          f"affine=False", stacklevel=4)

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, each channel of each sample normalised by itself."""
        alone = input.ndim == self._unbatched
        if alone or input.ndim != self._unbatched + 1 or input.shape[1] != self.num_features:
            self._check_input_dim(input)
        weight, bias, mean, var = self._tables()
        y = F.instance_norm(input.unsqueeze(0) if alone else input, mean, var, weight, bias,
                            self.training or not self.track_running_stats,
                            self.momentum if self.momentum is not None else 0.0, self.eps)
        return y.squeeze(0) if alone else y

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str,
                              local_metadata: dict[str, Any], strict: bool, missing: list[str],
                              unexpected: list[str], problems: list[str]) -> None:
        """Load; old files have running statistics that a layer without them must not ignore."""
        if local_metadata.get("version") is None and not self.track_running_stats:
            found = [prefix + name for name in ("running_mean", "running_var")
                     if prefix + name in state_dict]
            if found:
                problems.append(
                    f"Unexpected running stats buffer(s) {' and '.join(map(repr, found))} for "
                    f"{type(self).__name__} with track_running_stats=False: pass "
                    f"track_running_stats=True if they are wanted, or remove these keys")
                for key in found:
                    state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing,
                                      unexpected, problems)


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each sample over its length; see InstanceNorm2d.

    Shape: (N, C, L), or (C, L) without a batch. Without affine it equals LayerNorm(L) without
    affine.

    >>> import minigrad as torch
    >>> torch.nn.InstanceNorm1d(3)(torch.tensor([[[1., 3.], [0., 0.], [2., 4.]]]))
    tensor([[[-1.0000,  1.0000],
             [ 0.0000,  0.0000],
             [-1.0000,  1.0000]]])
    """

    _unbatched = 2


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each sample over its own positions.

    y = (x - mean) / sqrt(var + eps) * weight + bias, in training and eval alike.
    Ulyanov et al., "Instance normalization: the missing ingredient for fast stylization", 2016.

    Args: as BatchNorm2d's, but affine False and track_running_stats False by default: nothing is
    learned unless affine=True. With track_running_stats, eval uses running statistics.
    Shape: (N, C, H, W); a 3-D input is read as (C, H, W), one sample without a batch, not as
    B = 1. ValueError for other ranks, a wrong C (with affine), one value per channel in training.

    >>> import minigrad as torch
    >>> torch.nn.InstanceNorm2d(100, affine=True)(torch.randn(2, 100, 5, 5)).shape
    torch.Size([2, 100, 5, 5])
    """

    _unbatched = 3


class InstanceNorm3d(_InstanceNorm):
    """Normalise each channel of each sample over its volume; see InstanceNorm2d.

    Shape: (N, C, D, H, W), or (C, D, H, W) without a batch.

    >>> import minigrad as torch
    >>> torch.nn.InstanceNorm3d(2)(torch.randn(2, 2, 3, 3, 3)).shape
    torch.Size([2, 2, 3, 3, 3])
    """

    _unbatched = 4


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """Be an InstanceNorm1d that takes num_features from its first input; see LazyModuleMixin.

    affine and track_running_stats are True by default, as in PyTorch, unlike InstanceNorm1d's.
    """

    cls_to_become = InstanceNorm1d
    _unbatched = InstanceNorm1d._unbatched


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    """Be an InstanceNorm2d that takes num_features from its first input; see LazyInstanceNorm1d."""

    cls_to_become = InstanceNorm2d
    _unbatched = InstanceNorm2d._unbatched


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    """Be an InstanceNorm3d that takes num_features from its first input; see LazyInstanceNorm1d."""

    cls_to_become = InstanceNorm3d
    _unbatched = InstanceNorm3d._unbatched
