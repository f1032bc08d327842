"""Run array work on several threads: BLAS limited to one, persistent workers, scratch memory.

NumPy lets go of the interpreter lock inside matrix products and large copies, so two Python
threads, each with a single-threaded BLAS, overlap the copies of one with the product of the
other. One BLAS call on two threads leaves every copy between the calls serial.

Nothing here decides how work is cut. `run(task, count)` calls `task(0) ... task(count - 1)`, each
once, in any order and on any thread; a caller that cuts by shape alone and combines the parts in
their order gets the same bits whatever the number of threads.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# --- BLAS ---------------------------------------------------------------------------------------


class _OpenBlas(NamedTuple):
    """What this module calls in the BLAS library: ctypes functions."""

    get_num_threads: Any  # () -> int
    set_num_threads: Any  # (int) -> None
    get_corename: Any  # () -> bytes


def _bundled() -> list[str]:
    """Return the OpenBLAS libraries that NumPy's wheel brings."""
    package = Path(np.__file__).parent
    folders = (package.parent / "numpy.libs", package / ".dylibs", package / ".libs")
    return [str(path) for folder in folders for path in sorted(folder.glob("*openblas*"))]


def _loaded() -> list[str]:
    """Return the OpenBLAS libraries in this process, on Linux: conda's or the distribution's."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    return sorted({line.split(maxsplit=5)[5] for line in lines if "openblas" in line})


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
    """Count the calls that need a single-threaded BLAS; the last one to leave restores it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.outside = _openblas.get_num_threads() if _openblas else 1  # when nobody is in

    def __enter__(self) -> None:
        with self.lock:
            if self.depth == 0 and _openblas:
                self.outside = _openblas.get_num_threads()
                if self.outside != 1:
                    _openblas.set_num_threads(1)
            self.depth += 1

    def __exit__(self, *exc: object) -> None:
        with self.lock:
            self.depth -= 1
            self._restore()

    def _restore(self) -> None:
        if self.depth == 0 and _openblas and self.outside != 1:
            _openblas.set_num_threads(self.outside)

    def set_outside(self, count: int) -> None:
        """Set the threads BLAS uses when no call holds the limit."""
        with self.lock:
            self.outside = count
            if self.depth == 0 and _openblas:
                _openblas.set_num_threads(count)

    def after_fork(self) -> None:
        """Forget the calls of threads that the child process does not have."""
        self.lock = threading.Lock()
        if self.depth:
            self.depth = 0
            self._restore()


one_blas_thread = _BlasLimit()  # `with one_blas_thread:` may be nested and entered by any thread


# --- number of threads --------------------------------------------------------------------------


def _default_threads() -> int:
    """Take the processors this process may use, fewer if BLAS was told to use fewer."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        count = os.cpu_count() or 1
    return min(count, one_blas_thread.outside) if _openblas else count


_num_threads = _default_threads()


def get_num_threads() -> int:
    """Return the number of threads that one call may use.

    >>> get_num_threads() >= 1
    True
    """
    return _num_threads


def set_num_threads(num: int, /) -> None:
    """Set the number of threads that one call may use, BLAS included; results do not depend on it.

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


def _nothing() -> None:
    """Stand for the job of a worker that has none."""


class _Worker:
    """A thread that sleeps on a lock until it is handed a function (6 us; an executor takes 30)."""

    def __init__(self) -> None:
        self.wake = threading.Lock()
        self.done = threading.Lock()
        self.wake.acquire()
        self.done.acquire()
        self.job: Callable[[], None] = _nothing
        self.error: BaseException | None = None
        threading.Thread(target=self._loop, name="minigrad-worker", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.wake.acquire()
            try:
                self.job()
            except BaseException as error:
                self.error = error
            self.job = _nothing  # or the arrays of the last call would live until the next one
            self.done.release()

    def start(self, job: Callable[[], None]) -> None:
        self.job = job
        self.wake.release()

    def join(self) -> BaseException | None:
        self.done.acquire()
        error, self.error = self.error, None
        return error


_idle: list[_Worker] = []  # a worker is in here or is owned by the one call that popped it
_started = 0


def _hire(count: int) -> Iterator[_Worker]:
    """Yield up to `count` idle workers; fewer if calls of other threads hold them."""
    global _started
    for _ in range(count):
        try:
            yield _idle.pop()
        except IndexError:
            if _started >= _num_threads - 1:
                return
            _started += 1
            yield _Worker()


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

    workers = []
    try:
        for worker in _hire(min(count, _num_threads) - 1):
            worker.start(work)
            workers.append(worker)
        work()
    finally:
        errors = [_release(worker) for worker in workers]
    for error in errors:
        if error is not None:
            raise error


def _release(worker: _Worker) -> BaseException | None:
    """Wait for a worker and make it idle; one whose wait is interrupted is never used again."""
    global _started
    try:
        error = worker.join()
    except BaseException:
        _started -= 1
        raise
    _idle.append(worker)
    return error


# --- scratch memory -----------------------------------------------------------------------------

KEEP = 1 << 23  # bytes: a slot that needs more is allocated for the call and not kept
_ALIGN = 64
_local = threading.local()
_views = threading.local()  # for each slot the last array: most calls have the last call's shape


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
        raw = np.empty(size + _ALIGN, np.uint8)
        start = -raw.ctypes.data % _ALIGN
        buffer = raw[start : start + size]
        if size <= KEEP:
            buffers[slot] = buffer
    view = buffer[:size].view(dtype).reshape(shape)
    if size <= KEEP:
        _views.__dict__[slot] = view
    return view


# --- fork ---------------------------------------------------------------------------------------


def _after_fork() -> None:
    """A forked child has only the forking thread: no workers, nobody inside a BLAS limit."""
    global _started
    _idle.clear()
    _started = 0
    one_blas_thread.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
