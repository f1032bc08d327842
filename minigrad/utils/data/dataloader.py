"""`DataLoader`: batches of a dataset, in order or shuffled, prepared by threads if wanted.

Each sample is fetched with a default generator of its own, seeded from the epoch's seed and the
sample's index. So what a dataset draws at random does not depend on the number of workers, on the
batch size or on which samples came before.
"""

from __future__ import annotations

import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Generic, NamedTuple, TypeVar

from ... import _random
from ..._override import using
from ..._random import Generator
from ._collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset, TensorDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

T_co = TypeVar("T_co", covariant=True)


class WorkerInfo(NamedTuple):
    """What `get_worker_info` returns inside a worker."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_here = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """Return the present worker's id, number of workers, seed and dataset; None outside of one."""
    return getattr(_here, "info", None)


class DataLoader(Generic[T_co]):
    """Iterate over a dataset in batches.

    Args: dataset: with `__getitem__` and `__len__`, or an IterableDataset; batch_size 1 (None:
    single samples, not collated); shuffle False; sampler: yields indices, instead of shuffle;
    batch_sampler: yields lists of indices, instead of batch_size, shuffle, sampler and drop_last;
    num_workers 0: how many *threads* fetch samples ahead (order and results stay the same);
    collate_fn: makes a batch of a list of samples, default `default_collate`; drop_last: leave out
    a last batch that is not full; timeout: seconds to wait for a batch, RuntimeError after; 0 for
    ever; worker_init_fn: called with the worker's number in each thread; generator: shuffles and
    seeds, default the default one; prefetch_factor 2: batches per worker that are fetched ahead;
    persistent_workers: keep the threads between epochs. pin_memory only warns, as PyTorch does on
    a CPU; multiprocessing_context, pin_memory_device and in_order=False raise ValueError.

    >>> import minigrad as torch
    >>> data = torch.utils.data.TensorDataset(torch.tensor([1., 2., 3.]))
    >>> [batch.tolist() for (batch,) in torch.utils.data.DataLoader(data, batch_size=2)]
    [[1.0, 2.0], [3.0]]
    """

    def __init__(self, dataset: Dataset[T_co] | Any, batch_size: int | None = 1,
                 shuffle: bool | None = None, sampler: Iterable[Any] | None = None,
                 batch_sampler: Iterable[Sequence[Any]] | None = None, num_workers: int = 0,
                 collate_fn: Callable[[list[Any]], Any] | None = None, pin_memory: bool = False,
                 drop_last: bool = False, timeout: float = 0,
                 worker_init_fn: Callable[[int], None] | None = None,
                 multiprocessing_context: Any = None, generator: Generator | None = None, *,
                 prefetch_factor: int | None = None, persistent_workers: bool = False,
                 pin_memory_device: str = "", in_order: bool = True) -> None:
        _refuse(multiprocessing_context, pin_memory_device, in_order)
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        if pin_memory:
            warnings.warn("'pin_memory' argument is set as true but there is no accelerator: "
                          "memory is not pinned.", stacklevel=2)
        if num_workers and isinstance(dataset, IterableDataset):
            raise ValueError("num_workers: an IterableDataset is one stream, which threads cannot "
                             "share; use num_workers=0")
        self.dataset, self.num_workers, self.timeout = dataset, num_workers, timeout
        self.pin_memory, self.generator = pin_memory, generator
        self.worker_init_fn, self.persistent_workers = worker_init_fn, persistent_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self._choose_samplers(batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.collate_fn = collate_fn or (default_collate if self._batches else default_convert)
        self._pool: tuple[ThreadPoolExecutor, Iterator[int]] | None = None

    def _choose_samplers(self, batch_size: int | None, shuffle: bool | None, sampler: Any,
                         batch_sampler: Any, drop_last: bool) -> None:
        """Settle which sampler and batch sampler the options mean."""
        source: Any = self.dataset
        stream = isinstance(source, IterableDataset)
        if stream and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader with IterableDataset: expected unspecified shuffle, "
                             "sampler and batch_sampler options")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError("batch_sampler option is mutually exclusive with batch_size, "
                                 "shuffle, sampler, and drop_last")
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually "
                             "exclusive with drop_last")
        if sampler is None:
            if stream:
                sampler = _Endless()
            elif shuffle:
                sampler = RandomSampler(source, generator=self.generator)
            else:
                sampler = SequentialSampler(source)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size, self.drop_last = batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self._batches = batch_sampler is not None

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset):
            return _stream_batches(len(self.dataset), self.batch_size, self.drop_last)  # type: ignore[arg-type]
        return len(self.batch_sampler if self._batches else self.sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        seed = int(_random.integers(-(2**63), 2**63, 1, self.generator)[0])
        if isinstance(self.dataset, IterableDataset):
            return self._stream()
        indices = iter(self.batch_sampler if self._batches else self.sampler)  # type: ignore[arg-type]
        if self.num_workers:
            return self._threaded(indices, seed)
        return (self._fetch(index, seed) for index in indices)

    def _stream(self) -> Iterator[Any]:
        """Yield the (batched) samples of an iterable dataset."""
        samples = iter(self.dataset)
        if not self._batches:
            yield from map(self.collate_fn, samples)
            return
        batch: list[Any] = []
        for sample in samples:
            batch.append(sample)
            if len(batch) == self.batch_size:
                yield self.collate_fn(batch)
                batch = []
        if batch and not self.drop_last:
            yield self.collate_fn(batch)

    def _fetch(self, index: Any, seed: int) -> Any:
        """Return one batch (or one sample, when there are no batches)."""
        if not self._batches:
            return self.collate_fn(self._sample(index, seed))
        if type(self.dataset) is TensorDataset and self.collate_fn is default_collate:
            return self.dataset.collated(index)
        if hasattr(self.dataset, "__getitems__"):
            with using(_seeded(seed, index[0])):
                return self.collate_fn(self.dataset.__getitems__(index))
        return self.collate_fn([self._sample(i, seed) for i in index])

    def _sample(self, index: Any, seed: int) -> Any:
        with using(_seeded(seed, index)):
            return self.dataset[index]

    def _threaded(self, indices: Iterator[Any], seed: int) -> Iterator[Any]:
        """Yield the batches in order while threads fetch the next ones."""
        pool, numbers = self._pool or self._start()
        ahead = self.num_workers * (self.prefetch_factor or 2)
        waiting: deque[Future[Any]] = deque()
        try:
            for index in indices:
                waiting.append(pool.submit(self._work, numbers, index, seed))
                if len(waiting) >= ahead:
                    yield self._wait(waiting.popleft())
            while waiting:
                yield self._wait(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()
            if not self.persistent_workers:
                pool.shutdown(wait=True)

    def _start(self) -> tuple[ThreadPoolExecutor, Iterator[int]]:
        """Return threads, and the numbers they will take; both stay if they are persistent."""
        count = self.num_workers
        made = ThreadPoolExecutor(count, "minigrad-loader"), iter(range(count))
        if self.persistent_workers:
            self._pool = made
        return made

    def _work(self, numbers: Iterator[int], index: Any, seed: int) -> Any:
        """Fetch in a worker; its first task gives it its number and calls worker_init_fn."""
        if get_worker_info() is None:
            number = next(numbers)
            _here.info = WorkerInfo(number, self.num_workers, seed + number, self.dataset)
            if self.worker_init_fn is not None:
                self.worker_init_fn(number)
        return self._fetch(index, seed)

    def _wait(self, future: Future[Any]) -> Any:
        try:
            return future.result(self.timeout or None)
        except FutureTimeout:
            if future.done():  # the dataset's own TimeoutError
                raise
            raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds") from None


class _Endless(Sampler[None]):
    """What stands for a sampler when the dataset is a stream."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


def _seeded(seed: int, index: Any) -> Generator:
    """Return the generator of one sample in one epoch."""
    number = hash(index) if not isinstance(index, int) else index
    mixed = (seed ^ (number + 1) * 0x9E3779B97F4A7C15) % 2**64
    return Generator().manual_seed(mixed)


def _stream_batches(length: int, batch_size: int | None, drop_last: bool) -> int:
    if batch_size is None:
        return length
    return length // batch_size if drop_last else -(-length // batch_size)


def _refuse(multiprocessing_context: Any, pin_memory_device: str, in_order: bool) -> None:
    if multiprocessing_context is not None:
        raise ValueError("multiprocessing_context: workers are threads; leave it out")
    if pin_memory_device:
        raise ValueError(f"pin_memory_device: there is no device {pin_memory_device!r}; leave it "
                         f"out")
    if not in_order:
        raise ValueError("in_order=False is not supported: batches always come in order")


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None,
                   persistent_workers: bool) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable "
                         "threads")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError("prefetch_factor option could only be specified with num_workers > 0")
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
