"""Datasets, samplers, collating and the DataLoader."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, namedtuple

import numpy as np
import pytest

import minigrad as torch
from minigrad.utils import data
from minigrad.utils.data import DataLoader


class Squares(data.Dataset):
    """Sample i is i * i, with a random number."""

    def __len__(self):
        return 10

    def __getitem__(self, i):
        return i * i, torch.rand(1).item()


class Stream(data.IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))


# ---- datasets
def test_tensor_dataset():
    ds = data.TensorDataset(torch.arange(6).reshape(3, 2), torch.arange(3))
    assert len(ds) == 3
    assert [t.tolist() for t in ds[1]] == [[2, 3], 1]
    assert [t.tolist() for t in ds[1:]] == [[[2, 3], [4, 5]], [1, 2]]
    with pytest.raises(AssertionError, match="Size mismatch"):
        data.TensorDataset(torch.ones(2), torch.ones(3))
    with pytest.raises(NotImplementedError, match="__getitem__"):
        data.Dataset()[0]


def test_concat_subset_stack_chain():
    a, b = range(3), range(10, 12)
    both = data.ConcatDataset([a, b])
    assert [both[i] for i in range(len(both))] == [0, 1, 2, 10, 11]
    assert both[-1] == 11
    assert both.cumulative_sizes == [3, 5]
    with pytest.raises(ValueError, match="absolute value"):
        both[-6]
    with pytest.raises(AssertionError, match="empty"):
        data.ConcatDataset([])
    assert len(Squares() + Squares()) == 20
    part = data.Subset(both, [4, 0])
    assert (len(part), part[0], part[1]) == (2, 11, 0)
    assert data.StackDataset(a, range(5, 8))[2] == (2, 7)
    assert data.StackDataset(x=a, y=range(5, 8))[0] == {"x": 0, "y": 5}
    with pytest.raises(ValueError, match="Size mismatch"):
        data.StackDataset(a, b)
    chain = Stream(2) + Stream(3)
    assert list(chain) == [0, 1, 0, 1, 2]


def test_random_split():
    g = torch.Generator().manual_seed(1)
    parts = data.random_split(range(10), [3, 7], generator=g)
    assert [len(p) for p in parts] == [3, 7]
    assert sorted(x for p in parts for x in p) == list(range(10))
    again = data.random_split(range(10), [3, 7], generator=torch.Generator().manual_seed(1))
    assert list(again[0]) == list(parts[0])
    assert [len(p) for p in data.random_split(range(10), [0.33, 0.33, 0.34])] == [4, 3, 3]
    with pytest.raises(ValueError, match="does not equal the length"):
        data.random_split(range(10), [3, 3])
    with pytest.raises(ValueError, match="Fraction at index 0"):
        data.random_split(range(10), [1.5, -0.5])
    with pytest.warns(UserWarning, match="index 1 is 0"):
        data.random_split(range(3), [1.0, 0.0])


# ---- samplers
def test_samplers():
    assert list(data.SequentialSampler(range(3))) == [0, 1, 2]
    once = list(data.RandomSampler(range(50)))
    assert sorted(once) == list(range(50))
    assert once != list(range(50))
    more = list(data.RandomSampler(range(4), num_samples=10))
    assert len(more) == 10
    assert sorted(more[:4]) == sorted(more[4:8]) == [0, 1, 2, 3]
    repeated = list(data.RandomSampler(range(4), replacement=True, num_samples=1000))
    assert set(repeated) == {0, 1, 2, 3}
    assert sorted(data.SubsetRandomSampler([7, 8, 9])) == [7, 8, 9]
    assert list(data.BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(data.BatchSampler(range(5), 2, False)) == 3
    assert len(data.BatchSampler(range(5), 2, True)) == 2


def test_weighted_sampler():
    weights = [0.0, 1.0, 3.0]
    counts = Counter(data.WeightedRandomSampler(weights, 20_000))
    assert counts[0] == 0
    assert counts[2] / counts[1] == pytest.approx(3, rel=0.1)
    first = Counter(next(iter(data.WeightedRandomSampler(weights, 2, replacement=False)))
                    for _ in range(4000))
    assert first[2] / first[1] == pytest.approx(3, rel=0.2)
    with pytest.raises(RuntimeError, match="without replacement"):
        list(data.WeightedRandomSampler(weights, 3, replacement=False))


@pytest.mark.parametrize(("error", "make"), [
    (ValueError, lambda: data.RandomSampler([])),
    (ValueError, lambda: data.RandomSampler([1], num_samples=0)),
    (TypeError, lambda: data.RandomSampler([1], replacement=3)),
    (ValueError, lambda: data.WeightedRandomSampler([1.0], 0)),
    (ValueError, lambda: data.WeightedRandomSampler([[1.0]], 1)),
    (ValueError, lambda: data.WeightedRandomSampler([-1.0, 2.0], 1)),
    (ValueError, lambda: data.BatchSampler([1], 0, False)),
    (ValueError, lambda: data.BatchSampler([1], 2, 3)),
])
def test_sampler_refusals(error, make):
    with pytest.raises(error):
        make()


# ---- collating
def test_collate():
    Pair = namedtuple("Pair", "x y")
    collate = data.default_collate
    assert collate([torch.ones(2), torch.zeros(2)]).shape == (2, 2)
    assert collate([np.ones(2, np.float32)] * 3).dtype is torch.float32
    assert collate([np.float64(1.0), np.float64(2.0)]).tolist() == [1.0, 2.0]
    assert collate([1, 2]).dtype is torch.int64
    assert collate([True, False]).dtype is torch.bool
    assert collate([1.5, 2.0]).dtype is torch.float64
    assert collate(["a", b"b"]) == ["a", b"b"]
    pair = collate([Pair(1, "a"), Pair(2, "b")])
    assert type(pair) is Pair
    assert (pair.x.tolist(), pair.y) == ([1, 2], ["a", "b"])
    assert type(collate([(1, 2.0), (3, 4.0)])) is list
    nested = collate([OrderedDict(a=[1, 2]), OrderedDict(a=[3, 4])])
    assert type(nested) is OrderedDict
    assert [t.tolist() for t in nested["a"]] == [[1, 3], [2, 4]]
    with pytest.raises(RuntimeError, match="equal size"):
        collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="found <class 'object'>"):
        collate([object()])
    with pytest.raises(TypeError, match="dtype"):
        collate([np.array("a")])
    converted = data.default_convert({"a": np.ones(2), "b": (1, np.float32(2)), "c": "x"})
    assert isinstance(converted["a"], torch.Tensor)
    assert converted["b"][0] == 1
    assert isinstance(converted["b"][1], torch.Tensor)


# ---- the loader
def test_batches_and_lengths():
    ds = data.TensorDataset(torch.arange(10), torch.arange(10) * 2)
    loader = DataLoader(ds, batch_size=4)
    assert [x.tolist() for x, _ in loader] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(loader) == 3
    assert len(DataLoader(ds, batch_size=4, drop_last=True)) == 2
    assert [len(x) for x, _ in DataLoader(ds, batch_size=4, drop_last=True)] == [4, 4]
    assert len(DataLoader(ds, batch_size=None)) == 10
    assert next(iter(DataLoader(ds, batch_size=None)))[0].shape == ()
    sampled = DataLoader(ds, batch_size=2, sampler=[3, 1, 2])
    assert [x.tolist() for x, _ in sampled] == [[3, 1], [2]]
    chosen = DataLoader(ds, batch_sampler=[[0, 5], [7]])
    assert [x.tolist() for x, _ in chosen] == [[0, 5], [7]]
    shown = DataLoader(ds, batch_size=5, collate_fn=lambda batch: [int(x) for x, _ in batch])
    assert list(shown) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_fast_path_equals_collating():
    ds = data.TensorDataset(torch.rand(6, 2), torch.arange(6))
    for fast, plain in zip(DataLoader(ds, 4), DataLoader(data.Subset(ds, range(6)), 4),
                           strict=True):
        assert type(fast) is type(plain) is list
        for a, b in zip(fast, plain, strict=True):
            assert torch.equal(a, b)
            assert a.dtype is b.dtype


def test_shuffle():
    ds = data.TensorDataset(torch.arange(40))
    loader = DataLoader(ds, batch_size=7, shuffle=True,
                        generator=torch.Generator().manual_seed(3))
    epochs = [torch.cat([x for (x,) in loader]).tolist() for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(40))
    assert epochs[0] != epochs[1]
    loader = DataLoader(ds, batch_size=7, shuffle=True,
                        generator=torch.Generator().manual_seed(3))
    assert torch.cat([x for (x,) in loader]).tolist() == epochs[0]


def epoch(**options):
    """Return one epoch's samples in the order in which they come."""
    loader = DataLoader(Squares(), generator=torch.Generator().manual_seed(5), **options)
    return [pair for xs, rs in loader for pair in zip(xs.tolist(), rs.tolist(), strict=True)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_threads_give_the_same_samples(workers):
    """Random numbers drawn by the dataset depend on (seed, epoch, index) only."""
    alone = epoch(batch_size=3)
    assert epoch(batch_size=3, num_workers=workers) == alone
    assert epoch(batch_size=4, num_workers=workers, prefetch_factor=1) == alone
    shuffled = epoch(batch_size=3, shuffle=True, num_workers=workers)
    assert shuffled != alone
    assert len({r for _, r in alone}) == 10


def test_epochs_differ():
    loader = DataLoader(Squares(), 10, generator=torch.Generator().manual_seed(5))
    (_, first), (_, second) = next(iter(loader)), next(iter(loader))
    assert not torch.equal(first, second)


def test_default_generator_is_left_where_the_loader_put_it():
    torch.manual_seed(1)
    list(DataLoader(Squares(), 5))
    one = torch.rand(1).item()
    torch.manual_seed(1)
    list(DataLoader(Squares(), 2, num_workers=2))
    assert torch.rand(1).item() == one


def test_workers_know_themselves_and_stop():
    seen, before = [], threading.active_count()

    class Asks(Squares):
        def __getitem__(self, i):
            info = data.get_worker_info()
            return info.id * 100 + info.num_workers

    for persistent in (False, True):
        loader = DataLoader(Asks(), 2, num_workers=2, worker_init_fn=seen.append,
                            persistent_workers=persistent)
        for _ in range(2):
            assert all(x % 100 == 2 for batch in loader for x in batch.tolist())
        if persistent:
            loader._pool[0].shutdown()
    assert data.get_worker_info() is None
    assert set(seen) <= {0, 1}
    assert threading.active_count() == before
    batches = iter(DataLoader(Asks(), 1, num_workers=2))
    next(batches)
    batches.close()  # left early: the threads end
    assert threading.active_count() == before


def test_errors_in_workers_come_through():
    class Breaks(Squares):
        def __getitem__(self, i):
            if i == 4:
                raise KeyError("no sample 4")
            return i

    for workers in (0, 2):
        with pytest.raises(KeyError, match="no sample 4"):
            list(DataLoader(Breaks(), 2, num_workers=workers))


def test_errors_of_worker_init_fn_come_through():
    def fails(number):
        raise LookupError(f"worker {number}")

    with pytest.raises(LookupError, match="worker 0"):
        list(DataLoader(Squares(), 2, num_workers=1, worker_init_fn=fails))


def test_timeout():
    class Slow(Squares):
        def __getitem__(self, i):
            time.sleep(0.2)
            return i

    with pytest.raises(RuntimeError, match=r"timed out after 0\.01"):
        list(DataLoader(Slow(), 1, num_workers=1, timeout=0.01))


def test_streams():
    assert [b.tolist() for b in DataLoader(Stream(5), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in DataLoader(Stream(5), batch_size=2, drop_last=True)] == [
        [0, 1], [2, 3]]
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]


def test_getitems():
    class Whole(Squares):
        def __getitems__(self, indices):
            return [-i for i in indices]

    assert [b.tolist() for b in DataLoader(Whole(), 5)] == [[0, -1, -2, -3, -4],
                                                            [-5, -6, -7, -8, -9]]


@pytest.mark.parametrize(("match", "options"), [
    ("mutually exclusive with shuffle", {"shuffle": True, "sampler": [1]}),
    ("batch_sampler option is mutually", {"batch_sampler": [[1]], "drop_last": True}),
    ("batch_size=None", {"batch_size": None, "drop_last": True}),
    ("non-negative", {"num_workers": -1}),
    ("timeout", {"timeout": -1}),
    ("prefetch_factor", {"prefetch_factor": 2}),
    ("persistent_workers", {"persistent_workers": True}),
    ("multiprocessing_context", {"multiprocessing_context": "fork"}),
    ("pin_memory_device", {"pin_memory_device": "cuda"}),
    ("in_order", {"in_order": False}),
    ("batch_size should be a positive", {"batch_size": 0}),
])
def test_loader_refusals(match, options):
    with pytest.raises(ValueError, match=match):
        DataLoader(Squares(), **options)


def test_other_refusals():
    with pytest.raises(ValueError, match="IterableDataset"):
        DataLoader(Stream(3), shuffle=True)
    with pytest.raises(ValueError, match="one stream"):
        DataLoader(Stream(3), num_workers=2)
    with pytest.warns(UserWarning, match="pin_memory"):
        DataLoader(Squares(), pin_memory=True)
