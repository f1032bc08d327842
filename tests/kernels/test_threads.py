"""The workers, the BLAS limit, the scratch memory and what a fork does to them."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from minigrad.kernels import _handover, _threads
from minigrad.kernels._handover import Flags
from minigrad.kernels.conv import conv


@pytest.fixture(autouse=True)
def threads():
    """Restore the number of threads."""
    before = _threads.get_num_threads()
    yield
    _threads.set_num_threads(before)


def blas_threads():
    return _threads._openblas.get_num_threads()


needs_openblas = pytest.mark.skipif(_threads._openblas is None, reason="BLAS is not OpenBLAS")


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("tasks", [0, 1, 2, 25])
def test_every_task_runs_once(count, tasks):
    _threads.set_num_threads(count)
    seen = []
    _threads.run(seen.append, tasks)
    assert sorted(seen) == list(range(tasks))


def test_tasks_run_on_two_threads():
    _threads.set_num_threads(2)
    barrier = threading.Barrier(2, timeout=20)  # passes only if both tasks run at once
    _threads.run(lambda i: barrier.wait(), 2)


def test_workers_are_used_again():
    _threads.set_num_threads(3)
    _threads.run(lambda i: None, 8)
    workers = list(_threads._workers)
    for _ in range(20):
        _threads.run(lambda i: None, 8)
    assert _threads._workers[: len(workers)] == workers
    assert len(_threads._workers) <= max(2, len(workers))
    assert all(worker.job.finished for worker in _threads._workers)


@pytest.mark.parametrize("bad", [0, 1])
def test_exception_of_a_task_is_raised(bad):
    _threads.set_num_threads(2)
    barrier = threading.Barrier(2, timeout=20)

    def task(i):
        barrier.wait()
        if i == bad:
            raise KeyError(i)

    with pytest.raises(KeyError):
        _threads.run(task, 2)
    seen = []
    _threads.run(seen.append, 9)
    assert sorted(seen) == list(range(9))


def test_nested_runs():
    _threads.set_num_threads(2)
    seen = []
    _threads.run(lambda i: _threads.run(lambda j: seen.append((i, j)), 3), 3)
    assert sorted(seen) == [(i, j) for i in range(3) for j in range(3)]


def test_set_num_threads():
    _threads.set_num_threads(3)
    assert _threads.get_num_threads() == 3
    with pytest.raises(RuntimeError, match="at least 1 thread, got 0"):
        _threads.set_num_threads(0)
    with pytest.raises(TypeError, match="expected an int, got float"):
        _threads.set_num_threads(2.0)
    assert _threads.get_num_threads() == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@needs_openblas
def test_openblas_is_found_where_no_wheel_brings_it(monkeypatch):
    monkeypatch.setattr(_threads, "_bundled", list)
    found = _threads._find_openblas()
    assert found is not None
    assert found.get_corename() == _threads._openblas.get_corename()
    monkeypatch.setattr(_threads, "_loaded", list)
    assert _threads._find_openblas() is None


def test_without_openblas(monkeypatch):
    x, w = np.ones((8, 16, 32, 32)), np.ones((32, 16, 3, 3))
    want = conv(x, w, (1, 1), (1, 1), (1, 1), 1)
    monkeypatch.setattr(_threads, "_openblas", None)
    _threads.set_num_threads(2)
    assert _threads.blas_core() == ""
    assert _threads._default_threads() >= 1
    np.testing.assert_array_equal(conv(x, w, (1, 1), (1, 1), (1, 1), 1), want)


@needs_openblas
def test_blas_limit_is_counted_and_restored():
    _threads.set_num_threads(2)
    assert blas_threads() == 2
    found = _threads.one_blas_thread(
        lambda: [blas_threads(), _threads.one_blas_thread(blas_threads), blas_threads()])
    assert found == [1, 1, 1]
    assert blas_threads() == 2


@needs_openblas
def test_set_num_threads_inside_the_limit_waits():
    _threads.set_num_threads(2)

    def inside():
        _threads.set_num_threads(1)
        _threads.set_num_threads(3)
        return blas_threads()

    assert _threads.one_blas_thread(inside) == 1
    assert blas_threads() == 3


@needs_openblas
def test_blas_limit_ends_with_an_error():
    _threads.set_num_threads(2)
    with pytest.raises(ValueError, match="matmul"):
        conv(np.ones((1, 2, 4, 4)), np.ones((3, 3, 2, 2)), (1, 1), (0, 0), (1, 1), 1)
    assert blas_threads() == 2


def test_scratch_is_reused_aligned_and_bounded():
    a = _threads.scratch("test", (3, 5), np.dtype(np.float32))
    b = _threads.scratch("test", (7,), np.dtype(np.float64))
    assert np.shares_memory(a, b)
    assert a.ctypes.data % 64 == b.ctypes.data % 64 == 0
    assert a.shape == (3, 5) and a.dtype == np.float32
    big = _threads.scratch("test", (_threads.KEEP + 1,), np.dtype(np.uint8))
    again = _threads.scratch("test", (_threads.KEEP + 1,), np.dtype(np.uint8))
    assert not np.shares_memory(big, again)
    assert _threads._local.__dict__["test"].nbytes <= _threads.KEEP


def test_scratch_belongs_to_one_thread():
    mine = _threads.scratch("test", (8,), np.dtype(np.float32))
    others = []
    other = threading.Thread(
        target=lambda: others.append(_threads.scratch("test", (8,), np.dtype(np.float32)))
    )
    other.start()
    other.join()
    assert not np.shares_memory(mine, others[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("inside", [False, True])
def test_a_forked_child_computes(inside):
    _threads.set_num_threads(2)
    x, w = np.ones((8, 16, 32, 32), np.float32), np.ones((32, 16, 3, 3), np.float32)
    want = conv(x, w, (1, 1), (1, 1), (1, 1), 1)  # starts the worker that the child lacks
    if inside:
        _threads.one_blas_thread.enter("test")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of fork in a process with threads
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        same = np.array_equal(conv(x, w, (1, 1), (1, 1), (1, 1), 1), want)
        limit = _threads._openblas is None or blas_threads() == 2
        os._exit(0 if same and limit and len(_threads._workers) == 1 else 1)
    status = os.waitpid(child, 0)[1]
    if inside:
        _threads.one_blas_thread.leave("test")
    assert status == 0


def test_interpreter_exits_while_workers_wait():
    code = (
        "from minigrad.kernels import _threads as t\n"
        "t.set_num_threads(2)\n"
        "t.run(lambda i: None, 2)\n"
        "print(len(t._workers))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.split() == [b"1"]


@pytest.mark.parametrize("gap", [0.0, 0.0003, 0.005])
def test_work_is_handed_over_to_watching_and_to_sleeping_workers(gap):
    """Shorter and longer gaps than the time for which a worker watches its flag."""
    _threads.set_num_threads(2)
    for _ in range(30):
        seen = []
        _threads.run(seen.append, 3)
        assert sorted(seen) == [0, 1, 2]
        time.sleep(gap)


def test_flags_end_the_watching():
    flags = Flags()
    flags.call()  # nobody watches
    assert not flags.called[0] and not flags.ended[0]
    flags.rest()  # until patience ends
    assert flags.ended[0] and not flags.watching
    flags.begin()
    assert not flags.ended[0]
    flags.await_end()

    def worker():
        while not flags.called[0]:  # a call may come between two times of patience
            flags.rest()

    other = threading.Thread(target=worker)
    other.start()
    while not flags.watching:
        time.sleep(0.001)
    while not flags.called[0]:
        flags.call()
    other.join(20)
    assert not other.is_alive() and flags.ended[0] and flags.called[0]


def test_nobody_watches_with_more_threads_than_processors(monkeypatch):
    monkeypatch.setattr(_threads, "_processors", 1)
    _threads.set_num_threads(2)
    watched = []
    for name in ("rest", "await_end"):
        monkeypatch.setattr(Flags, name, lambda flags: watched.append(flags))
    barrier = threading.Barrier(2, timeout=20)
    for _ in range(5):
        _threads.run(lambda i: barrier.wait(), 2)
    assert watched == []


def test_nobody_watches_for_a_while_where_processors_are_busy():
    flags = Flags()
    flags.await_end()  # nobody works, so the end does not come
    pause = flags.pause
    assert pause > 0
    flags.rest()
    assert flags.pause == pause - 1 and not flags.ended[0]
    for _ in range(pause):
        flags.rest()
    assert flags.ended[0]


def test_pauses_grow_while_processors_stay_busy_and_shrink_again(monkeypatch):
    flags = Flags()
    found = []
    for _ in range(6):
        flags.pause = 0
        flags.await_end()
        found.append(flags.pause)
    assert found == [8, 16, 32, 64, 128, 128]
    flags.pause = 0
    monkeypatch.setattr(_handover, "CROWDED", 1e9)
    for _ in range(3):
        flags.rest()
    assert flags.next_pause == 125


def test_a_caller_watches_as_long_as_the_worker_runs(monkeypatch):
    flags = Flags()
    looks = []

    def look(*args):
        looks.append(args)
        return len(looks) == 1000

    monkeypatch.setattr(_handover, "any_of", look)
    monkeypatch.setattr(Flags, "_run_time", lambda flags: 10 * time.perf_counter())
    flags.await_end()
    assert len(looks) == 1000 and not flags.pause
    monkeypatch.setattr(Flags, "_run_time", lambda flags: 0.0)
    flags.await_end()
    assert len(looks) == 1001 + _handover.ENDS and flags.pause


def test_flags_know_for_how_long_the_worker_has_run():
    flags = Flags()
    assert flags._run_time() == 0
    flags.begin()
    before = flags._run_time()
    end = time.thread_time() + 0.01
    while time.thread_time() < end:
        pass
    if hasattr(time, "pthread_getcpuclockid"):
        assert flags._run_time() - before >= 0.01
