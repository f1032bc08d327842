"""Flags by which two threads hand work over without going to sleep.

To sleep and be woken takes a thread 20-60 us. So a worker watches a flag for some time before it
sleeps, and a caller watches another before it waits for the worker. Both do so inside of one call
of NumPy, `logical_or.reduce` over a flag that is repeated many times by a stride of 0: it ends at
the first True, and the interpreter lock is free meanwhile.

Who raises a flag must stay out of Python until the other has gone on, or they meet at the
interpreter lock and one of them goes to sleep after all. So flags are raised by such a call, too:
its first row is True, and so True is written to the flag at once; the other rows are what to watch
then. A caller watches whether the worker has begun, in several short rows, and then, in one more,
nothing, until the worker is in its first long NumPy call.

To watch costs more than to sleep where other programs need the processors. So both threads look
whether the watched or the watching one was kept from running, and then watch no more for some jobs:
for twice as many each time, as long as that is found again soon.

Nothing but time depends on the flags: locks decide who may do what.
"""

from __future__ import annotations

import os
import time
from _thread import get_ident
from time import perf_counter, thread_time
from typing import Any

import numpy as np

__all__ = ["Flags", "processors"]

PATIENCE = 1 << 22  # looks: a worker watches for some 1.4 ms; OpenMP's and BLAS's do for 1-100
END = 1 << 19  # looks (170 us) of a caller for the end of a worker's part
ENDS = 2  # such times in which the worker does not run, before the caller sleeps
CROWDED = 0.0005  # seconds that a watching thread did not run: others need its processor
PAUSES = 8, 128  # jobs without any watching where that is so: at first, at most
START = 3 << 14  # looks (16 us) in which a worker comes from its first line to a long NumPy call
STARTS = 3  # such times in which it is expected to begin
any_of: Any = np.logical_or.reduce
yield_processor: Any = getattr(os, "sched_yield", lambda: None)  # not on every platform
LINE = 64  # bytes: flags are on cache lines of their own


def processors() -> int:
    """Return the number of processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1


class Flags:
    """The flags of a worker: `called`, raised by a caller, `_begun` and `ended`, by the worker.

    Several copies of `_begun` lie side by side, one for each row that watches it.
    """

    def __init__(self) -> None:
        starts = STARTS + 2
        watched, ended = np.zeros(LINE * (1 + starts), bool), np.zeros(2 * LINE, bool)
        raised = np.zeros(starts, bool)
        watched[0] = raised[0] = True
        self.called, self._begun, self.ended = watched[LINE:LINE + 1], raised[1:-1], ended[:1]
        self.watching = False
        self.pause, self.next_pause = 0, PAUSES[0]
        self._clock: int | None = None  # tells for how long the worker has run
        self._start = _rows(raised, 1, START), 1, None, watched[LINE::LINE]
        self._rest = _rows(watched[:2 * LINE], LINE, PATIENCE), 1, None, ended[::LINE]
        self._end = np.ndarray(END, bool, ended, 0, (0,))

    def call(self) -> None:
        """Let the worker go on, if it watches, and give it time to begin."""
        if self.watching:
            self._begun.fill(False)
            any_of(*self._start)

    def begin(self) -> None:
        """Lower both flags for the next job and tell that it begins; the worker calls it."""
        if self._clock is None:
            self._clock = _clock_of_this_thread()
        self.called[0] = self.ended[0] = False
        self._begun.fill(True)

    def rest(self) -> None:
        """Tell that the job is done and watch for the next call, for some time."""
        if self.pause:
            self.pause -= 1
            return
        wall, own = perf_counter(), thread_time()
        self.watching = True
        any_of(*self._rest)
        self.watching = False
        if perf_counter() - wall > thread_time() - own + CROWDED:
            self._sleep()
        elif self.next_pause > PAUSES[0]:
            self.next_pause -= 1

    def await_end(self) -> None:
        """Watch for the end of the worker's job, as long as it runs."""
        if self.pause or any_of(self._end):
            return
        idle, wall, own = 0, perf_counter(), self._run_time()
        while idle < ENDS:
            if any_of(self._end):
                return
            yield_processor()  # the worker may wait for this very one
            before, wall, ran, own = wall, perf_counter(), own, self._run_time()
            idle += own - ran < (wall - before) / 2
        self._sleep()

    def _sleep(self) -> None:
        """Let the next jobs go without watching, and more of them if there is a next time."""
        self.pause = self.next_pause
        self.next_pause = min(2 * self.pause, PAUSES[1])

    def _run_time(self) -> float:
        """Return the seconds for which the worker has run so far; 0 where nothing tells them."""
        return 0.0 if self._clock is None else time.clock_gettime(self._clock)


def _clock_of_this_thread() -> int | None:
    clock_of: Any = getattr(time, "pthread_getcpuclockid", None)  # not on every platform
    return clock_of and clock_of(get_ident())


def _rows(flags: np.ndarray, step: int, looks: int) -> np.ndarray:
    """Return a row for every so manieth flag, which shows it again and again."""
    return np.ndarray((len(flags) // step, looks), bool, flags, 0, (step, 0))
