"""Time the same call on several sides, interleaved, and sum up what was found.

Two things on a machine with few cores spoil naive timing, so they are handled here:

* After a threaded matrix product the BLAS threads of NumPy keep spinning for some 25 ms and
  slow down whatever runs next. Each block therefore begins with a pause and one untimed call.
* torch's thread pool now and then gets stuck for a whole process, in which each parallel
  region takes 10 ms and more. Cases are therefore timed in several fresh processes, and
  `steady_processes` leaves out those in which torch was far from its best.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

SIDES = ("minigrad", "torch 1 thread", "torch 2 threads")
STUCK = 1.5  # a process in which torch takes this many times its best is left out


@dataclass(frozen=True)
class Settings:
    """How long to measure: the numbers of processes and rounds, and the seconds of a block."""

    processes: int = 3
    rounds: int = 7
    block: float = 0.05
    pause: float = 0.03


QUICK = Settings(processes=1, rounds=1, block=0.002, pause=0.0)


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


def interleave(calls: dict[str, Callable], switch: Callable, settings: Settings) -> dict:
    """Return {side: [seconds of one call in each round]}; `switch(side)` prepares a side.

    The order of the sides is turned round in every other round, so that a machine that gets
    slower or faster meanwhile does not favour one of them.
    """
    seconds: dict[str, list[float]] = {side: [] for side in calls}
    for turn in range(settings.rounds):
        for side in list(calls)[:: 1 if turn % 2 == 0 else -1]:
            switch(side)
            time.sleep(settings.pause)
            calls[side]()
            seconds[side].append(time_block(calls[side], settings.block))
    return seconds


def steady_processes(runs: list[dict[str, list[float]]]) -> list[dict[str, list[float]]]:
    """Return the runs without those in which a torch side was far slower than at its best."""
    kept = runs
    for side in SIDES[1:]:
        if side in runs[0]:
            best = min(statistics.median(run[side]) for run in runs)
            kept = [run for run in kept if statistics.median(run[side]) < STUCK * best]
    return kept or runs


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def summarise(runs: list[dict[str, list[float]]]) -> dict:
    """Return the median seconds by side and, where torch ran, the ratio to the faster torch.

    Each round gives one ratio, of blocks timed next to each other; `spread` is their
    quartiles. `left_out` counts the processes that `steady_processes` dropped.
    """
    kept = steady_processes(runs)
    rounds = {side: [s for run in kept for s in run[side]] for side in runs[0]}
    result: dict = {
        "seconds": {side: statistics.median(values) for side, values in rounds.items()},
        "left_out": len(runs) - len(kept),
    }
    opponents = [side for side in SIDES[1:] if side in rounds]
    if opponents:
        opponent = min(opponents, key=result["seconds"].__getitem__)
        ratios = [a / b for a, b in zip(rounds["minigrad"], rounds[opponent], strict=True)]
        low, middle, high = quartiles(ratios)
        result.update(opponent=opponent, ratio=middle, spread=[low, high])
    return result
