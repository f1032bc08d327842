"""Run array work on several threads: BLAS limited to one, persistent workers, scratch memory.

NumPy lets go of the interpreter lock inside matrix products and large copies, so two Python
threads, each with a single-threaded BLAS, overlap the copies of one with the product of the
other. One BLAS call on two threads leaves every copy between the calls serial.

Nothing here decides how work is cut. `run(task, count)` calls `task(0) ... task(count - 1)`, each
once, in any order and on any thread; a caller that cuts by shape alone and combines the parts in
their order gets the same bits whatever the number of threads.
"""

from __future__ import annotations

import _thread
import ctypes
import glob
import itertools
import os
import threading
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels._handover import Flags, processors

# --- BLAS ---------------------------------------------------------------------------------------


class _OpenBlas(NamedTuple):
    """What this module calls in the BLAS library: ctypes functions."""

    get_num_threads: Any  # () -> int
    set_num_threads: Any  # (int) -> None
    get_corename: Any  # () -> bytes


def _bundled() -> list[str]:
    """Return the OpenBLAS libraries that NumPy's wheel brings."""
    package = os.path.dirname(np.__file__)
    folders = (f"{package}.libs", os.path.join(package, ".dylibs"), os.path.join(package, ".libs"))
    patterns = [os.path.join(glob.escape(folder), "*openblas*") for folder in folders]
    return [path for pattern in patterns for path in sorted(glob.glob(pattern))]


def _loaded() -> list[str]:
    """Return the OpenBLAS libraries in this process, on Linux: conda's or the distribution's."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.rstrip("\n") for line in file if "openblas" in line]
    except OSError:
        return []
    return sorted({line.split(maxsplit=5)[5] for line in lines})


def _find_openblas() -> _OpenBlas | None:
    """Look up these functions in the library that NumPy uses; None if that is another BLAS."""
    names = _bundled() or _loaded()
    for path, prefix, suffix in itertools.product(names, ("scipy_", ""), ("64_", "")):
        try:
            library = ctypes.CDLL(path)
            found = [getattr(library, f"{prefix}openblas_{n}{suffix}") for n in _OpenBlas._fields]
        except (OSError, AttributeError):
            continue
        functions = _OpenBlas(*found)
        functions.get_num_threads.argtypes = functions.get_corename.argtypes = ()
        functions.set_num_threads.argtypes = (ctypes.c_int,)
        functions.get_num_threads.restype = ctypes.c_int
        functions.set_num_threads.restype = None
        functions.get_corename.restype = ctypes.c_char_p
        return functions
    return None


_openblas = _find_openblas()


def blas_core() -> str:
    """Return the processor type OpenBLAS chose its kernels for, '' if BLAS is another library."""
    return _openblas.get_corename().decode() if _openblas else ""


class _BlasLimit:
    """Know the calls that need a single-threaded BLAS; the last one to leave restores it.

    KeyboardInterrupt may be raised within each method here: what they do can be done again.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside: set[object] = set()
        self.outside = _openblas.get_num_threads() if _openblas else 1  # when nobody is in

    def __call__(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function while BLAS takes one thread; calls may be nested, on any thread."""
        token = object()
        try:
            self.enter(token)
            return function(*args)
        finally:
            try:
                self.leave(token)
            except BaseException:
                self.leave(token)
                raise

    def enter(self, token: object) -> None:
        with self.lock:
            if not self.inside and _openblas:
                self.outside = _openblas.get_num_threads()
                if self.outside != 1:
                    _openblas.set_num_threads(1)
            self.inside.add(token)

    def leave(self, token: object) -> None:
        with self.lock:
            self.inside.discard(token)
            self._restore()

    def _restore(self) -> None:
        if not self.inside and _openblas and self.outside != 1:
            _openblas.set_num_threads(self.outside)

    def set_outside(self, count: int) -> None:
        """Set the threads BLAS uses when no call holds the limit."""
        with self.lock:
            self.outside = count
            if not self.inside and _openblas:
                _openblas.set_num_threads(count)

    def after_fork(self) -> None:
        """Forget the calls of threads that the child process does not have."""
        self.lock = threading.Lock()
        if self.inside:
            self.inside.clear()
            self._restore()


one_blas_thread = _BlasLimit()


# --- number of threads --------------------------------------------------------------------------


def _default_threads() -> int:
    """Take the processors this process may use, fewer if BLAS was told to use fewer."""
    return min(_processors, one_blas_thread.outside) if _openblas else _processors


_processors = processors()
_num_threads = _default_threads()


def get_num_threads() -> int:
    """Return the number of threads that one call may use.

    >>> get_num_threads() >= 1
    True
    """
    return _num_threads


def set_num_threads(num: int, /) -> None:
    """Set the number of threads that one call may use, BLAS included.

    Results do not depend on it, but for `linalg`'s decompositions and recurrent steps of over a
    million multiplications, whose last bits may.
    Raises TypeError for anything but an int and RuntimeError for an int below one.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    global _num_threads
    if not isinstance(num, int) or isinstance(num, bool):
        raise TypeError(f"set_num_threads: expected an int, got {type(num).__name__}")
    if num < 1:
        raise RuntimeError(f"set_num_threads: expected at least 1 thread, got {num}")
    _num_threads = num
    one_blas_thread.set_outside(num)


# --- workers ------------------------------------------------------------------------------------
# A signal may raise KeyboardInterrupt in the main thread between any two calls. So that no worker
# is lost and none still writes when `run` has ended, a worker's state is that of its last job, and
# everything about jobs can be done again.


class _Job:
    """A function that a worker calls once."""

    __slots__ = ("done", "error", "finished", "flags", "started", "work")

    def __init__(self, work: Callable[[], None] | None) -> None:
        self.work = work
        self.flags: Flags | None = None  # those of the worker that was handed the job
        self.started = False
        self.finished = work is None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        assert self.work is not None
        try:
            self.work()
        except BaseException as error:
            self.error = error
        self.work = None  # or the arrays of the last call would live until the next one
        self.finished = True
        self.done.release()


class _Worker:
    """A thread that watches its flags, and then sleeps on a lock, until it is handed a job."""

    def __init__(self) -> None:
        self.wake = threading.Lock()
        self.wake.acquire()
        self.job = _Job(None)  # free as soon as its job is finished
        self.flags = Flags()
        # threading.Thread would wait for the start, and an interrupt of that wait breaks its lock
        _thread.start_new_thread(self._loop, ())

    def _loop(self) -> None:
        np.seterr(all="ignore")  # this thread's: ops silence the caller's only
        while True:
            self.wake.acquire()
            self.flags.begin()
            self.job.run()
            if _num_threads <= _processors:  # or others could not work meanwhile
                self.flags.rest()


_workers: list[_Worker] = []
_hiring = threading.Lock()


def _assign(job: _Job) -> bool:
    """Hand a job to a free worker; return False if calls of other threads hold all of them."""
    with _hiring:
        worker = next((w for w in _workers if w.job.finished), None)
        if worker is None:
            if len(_workers) >= _num_threads - 1:
                return False
            worker = _Worker()
            _workers.append(worker)
        worker.job = job
        job.flags = worker.flags
        job.started = True
        worker.wake.release()
    return True


def run(task: Callable[[int], None], count: int) -> None:
    """Call task(0), ..., task(count - 1), each once, on up to `get_num_threads()` threads.

    The first exception is raised when every thread has stopped.
    """
    if count == 1 or _num_threads == 1:
        for index in range(count):
            task(index)
        return
    tickets = itertools.count()

    def work() -> None:
        while (index := next(tickets)) < count:
            task(index)

    jobs: list[_Job] = []
    try:
        for _ in range(min(count, _num_threads) - 1):
            job = _Job(work)
            jobs.append(job)
            if not _assign(job):
                break
        for job in jobs:
            if job.flags is not None:
                job.flags.call()
        work()
    finally:
        try:
            _wait(jobs)
        except BaseException:
            _wait(jobs)
            raise
    for job in jobs:
        if job.error is not None:
            raise job.error


def _wait(jobs: list[_Job]) -> None:
    """Wait for the jobs that were started, whatever interrupts come; then raise the last."""
    late: BaseException | None = None
    for job in jobs:
        while job.started and not job.finished:
            try:
                if job.flags is not None and _num_threads <= _processors:
                    job.flags.await_end()
                job.done.acquire()
            except BaseException as error:
                late = error
    if late is not None:
        raise late


# --- scratch memory -----------------------------------------------------------------------------

KEEP = 1 << 23  # bytes: a slot that needs more is allocated for the call and not kept
_ALIGN = 64
_local = threading.local()
_views = threading.local()  # for each slot the last array: most calls have the last call's shape


def aligned(size: int) -> np.ndarray:
    """Return uninitialised bytes that begin at a cache line."""
    raw = np.empty(size + _ALIGN, np.uint8)
    start = -raw.ctypes.data % _ALIGN
    return raw[start : start + size]


def scratch(slot: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return uninitialised memory of this thread; it is valid until its `slot` is asked again.

    Reused memory stays in the cache and costs no page faults. The bytes kept are at most KEEP for
    each slot name and thread.
    """
    last = _views.__dict__.get(slot)
    if last is not None and last.shape == shape and last.dtype is dtype:
        return last
    size = prod(shape) * dtype.itemsize
    buffers = _local.__dict__
    buffer = buffers.get(slot)
    if buffer is None or buffer.nbytes < size:
        buffer = aligned(size)
        if size <= KEEP:
            buffers[slot] = buffer
    view = buffer[:size].view(dtype).reshape(shape)
    if size <= KEEP:
        _views.__dict__[slot] = view
    return view


# --- fork ---------------------------------------------------------------------------------------


def _after_fork() -> None:
    """A forked child has only the forking thread: no workers, nobody inside a BLAS limit."""
    global _hiring
    _workers.clear()
    _hiring = threading.Lock()
    one_blas_thread.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
