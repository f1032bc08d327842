"""Samplers: in which order a DataLoader takes the samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from ... import _random
from ..._random import Generator
from ...tensor import Tensor

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """Base of samplers: `__iter__` yields indices (or lists of them), `__len__` their number."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__}: define __iter__")


class SequentialSampler(Sampler[int]):
    """Take the samples in order."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


def _check_count(num_samples: Any) -> None:
    if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
        raise ValueError(f"num_samples should be a positive integer value, but got "
                         f"num_samples={num_samples}")


class RandomSampler(Sampler[int]):
    """Take the samples in random order.

    Args: data_source; replacement: a sample may come again before all came; num_samples: how
    many, default all (more than all: several rounds); generator: default the default one.

    >>> import minigrad as torch
    >>> sorted(torch.utils.data.RandomSampler(range(4)))
    [0, 1, 2, 3]
    """

    def __init__(self, data_source: Sized, replacement: bool = False,
                 num_samples: int | None = None, generator: Generator | None = None) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got "
                            f"replacement={replacement}")
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        _check_count(self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many indices one pass yields."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size, count = len(self.data_source), self.num_samples
        if self.replacement:
            yield from _random.integers(0, size, count, self.generator).tolist()
            return
        while count > 0:
            order = _random.permutation(size, self.generator)[:count].tolist()
            count -= len(order)
            yield from order

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Take the given indices in random order, each once."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in _random.permutation(len(self.indices), self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Take index i with a probability in proportion to weights[i].

    Args: weights, not necessarily of sum 1; num_samples; replacement True; generator. Without
    replacement at least `num_samples` weights must not be zero (RuntimeError).

    >>> import minigrad as torch
    >>> list(torch.utils.data.WeightedRandomSampler([0., 2., 0.], 3))
    [1, 1, 1]
    """

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True,
                 generator: Generator | None = None) -> None:
        _check_count(num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got "
                             f"replacement={replacement}")
        given = weights._data if isinstance(weights, Tensor) else weights
        self.weights = np.asarray(given, np.float64)
        if self.weights.ndim != 1:
            raise ValueError(f"weights should be a 1d sequence but given weights have shape "
                             f"{self.weights.shape}")
        if not (np.isfinite(self.weights) & (self.weights >= 0)).all() or not self.weights.any():
            raise ValueError("weights: expected finite numbers >= 0, not all zero")
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        if self.replacement:
            ends = self.weights.cumsum()
            at = _random.uniform(self.num_samples, np.float64, self.generator) * ends[-1]
            yield from np.searchsorted(ends, at, side="right").tolist()
            return
        possible = np.flatnonzero(self.weights)
        if len(possible) < self.num_samples:
            raise RuntimeError(f"cannot take {self.num_samples} samples without replacement from "
                               f"{len(possible)} weights that are not zero")
        # the smallest of exponential variables with these rates (Efraimidis & Spirakis 2006)
        waits = -np.log1p(-_random.uniform(len(possible), np.float64, self.generator))
        order = np.argsort(waits / self.weights[possible], kind="stable")
        yield from possible[order[:self.num_samples]].tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Gather another sampler's indices into lists of `batch_size`.

    Args: sampler; batch_size; drop_last: leave out a last list that is not full.

    >>> import minigrad as torch
    >>> list(torch.utils.data.BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer value, but got "
                             f"batch_size={batch_size}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return full + (rest > 0 and not self.drop_last)
