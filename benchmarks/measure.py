"""Time the same call on several sides, interleaved, and sum up what was found.

Four things on a machine with few cores spoil naive timing, so they are handled here:

* After a threaded matrix product the BLAS threads of NumPy keep spinning for some 25 ms and
  slow down whatever runs next. Each block therefore begins with a pause and one untimed call.
* torch's thread pool now and then gets stuck for a whole process, in which each parallel
  region takes 10 ms and more. Cases are therefore timed in several fresh processes, and
  `steady_processes` leaves out those in which torch was far from its best.
* What one library does to the process helps or hinders the other: see `apart.py`.
* Other programs. A block during which they used much of the processor is timed again, a few
  times; the least disturbed one counts (on Linux, whose /proc/stat tells what they used).
"""

import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

SIDES = ("minigrad", "torch 1 thread", "torch 2 threads")
STUCK = 1.5  # a process in which torch takes this many times its best is left out
DISTURBED = 0.1  # the share of the processor's time that other programs may use in a block


@dataclass(frozen=True)
class Settings:
    """How long to measure: numbers of processes and rounds, seconds of a block, tries of one."""

    processes: int = 3
    rounds: int = 7
    block: float = 0.05
    pause: float = 0.03
    tries: int = 8


QUICK = Settings(processes=1, rounds=1, block=0.002, pause=0.0, tries=1)


@dataclass(frozen=True)
class Case:
    """One thing to measure: `make(namespace)` builds it there and returns the call to time."""

    name: str
    make: Callable
    about: str = ""


def time_block(call: Callable[[], object], seconds: float) -> float:
    """Return the seconds of one call: the median of five equal parts of a block.

    Between them the parts take about `seconds`, but each has at least one call.
    """
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    count = max(1, int(seconds / 5 / max(once, 1e-7)))
    parts = 5 if once < seconds / 2 else 3
    return statistics.median(time_loop(call, count) for _ in range(parts))


def time_loop(call: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def used_by_others() -> float:
    """Return the processor seconds that all other processes have used so far; 0 if unknown."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _, _, *interrupts = map(int, fields[:7])
    own = os.times()
    busy = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    return busy - own.user - own.system


def time_quiet_block(call: Callable[[], object], settings: Settings) -> tuple[float, bool]:
    """Return the seconds of one call in the least disturbed of a few blocks; was it disturbed?"""
    found = []
    for _ in range(settings.tries):
        before, start = used_by_others(), time.perf_counter()
        seconds = time_block(call, settings.block)
        available = (time.perf_counter() - start) * (os.cpu_count() or 1)
        found.append(((used_by_others() - before) / available, seconds))
        if found[-1][0] < DISTURBED:
            break
        time.sleep(settings.pause)
    share, seconds = min(found)
    return seconds, share >= DISTURBED


def time_side(side: str, call: Callable[[], object], switch: Callable[[str], None],
              settings: Settings) -> tuple[float, bool]:
    """Prepare a side by `switch(side)` and return what `time_quiet_block` does."""
    switch(side)
    time.sleep(settings.pause)
    call()
    return time_quiet_block(call, settings)


def interleave(sides: Iterable[str], timed: Callable[[str], tuple[float, bool]],
               settings: Settings) -> dict:
    """Return {"seconds": {side: [those of one call in each round]}, "disturbed": blocks}.

    `timed(side)` returns what `time_side` does. The order of the sides is turned round in every
    other round, so that a machine that gets slower or faster meanwhile does not favour one.
    """
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    disturbed = 0
    for turn in range(settings.rounds):
        for side in list(seconds)[:: 1 if turn % 2 == 0 else -1]:
            found, others = timed(side)
            seconds[side].append(found)
            disturbed += others
    return {"seconds": seconds, "disturbed": disturbed}


def steady_processes(runs: list[dict]) -> list[dict]:
    """Return the runs without those in which a torch side was far slower than at its best."""
    kept = runs
    for side in SIDES[1:]:
        if side in runs[0]["seconds"]:
            medians = [statistics.median(run["seconds"][side]) for run in runs]
            steady = [run for run, median in zip(runs, medians, strict=True)
                      if median < STUCK * min(medians)]
            kept = [run for run in kept if run in steady]
    return kept or runs


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def summarise(runs: list[dict]) -> dict:
    """Return the median seconds by side and, where torch ran, the ratio to the faster torch.

    Each round gives one ratio, of blocks timed next to each other; `spread` is their
    quartiles, `best` is the ratio of the fastest blocks. `left_out` counts the processes
    that `steady_processes` dropped, `disturbed` is the share of blocks in which other
    programs were busy whatever was tried.
    """
    kept = steady_processes(runs)
    sides = list(runs[0]["seconds"])
    rounds = {side: [s for run in kept for s in run["seconds"][side]] for side in sides}
    blocks = sum(map(len, rounds.values()))
    result: dict = {
        "seconds": {side: statistics.median(values) for side, values in rounds.items()},
        "left_out": len(runs) - len(kept),
        "disturbed": sum(run["disturbed"] for run in kept) / blocks,
    }
    opponents = [side for side in SIDES[1:] if side in rounds]
    if opponents:
        opponent = min(opponents, key=result["seconds"].__getitem__)
        ratios = [a / b for a, b in zip(rounds["minigrad"], rounds[opponent], strict=True)]
        low, middle, high = quartiles(ratios)
        best = min(rounds["minigrad"]) / min(min(rounds[side]) for side in opponents)
        result.update(opponent=opponent, ratio=middle, spread=[low, high], best=best)
    return result
