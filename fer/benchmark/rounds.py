"""Timing in interleaved rounds, so that a temporary slowdown of the machine affects all work items alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..terminal import progress

ROUNDS = 9


@dataclass
class Work:
    """A call to be timed."""

    group: str  # only work items of the same group are compared
    name: str
    call: Callable[[], object]
    facts: dict = field(default_factory=dict)  # further entries of its figure


def measure(
    works: Sequence[Work], seconds: float, rounds: int = ROUNDS, clock: Callable[[], float] = time.perf_counter
) -> list[dict]:
    """Time work items in interleaved rounds, after one warm-up call of each; every round starts with the next item.

    Args:
        seconds: time for each item over all rounds; each round makes at least one call.

    Returns:
        the figure of each item: its group, name and facts, the median `seconds` per call over the rounds,
        and their `quartiles`.
    """
    for work in works:
        work.call()
    times: list[list[float]] = [[] for _ in works]
    for first in progress(range(rounds), desc="benchmark", unit="round"):
        for i in range(len(works)):
            k = (first + i) % len(works)
            times[k].append(_time_call(works[k].call, seconds / rounds, clock))
    return [
        {"group": w.group, "name": w.name, **w.facts, "seconds": statistics.median(t), "quartiles": _quartiles(t)}
        for w, t in zip(works, times)
    ]


def _time_call(call: Callable[[], object], seconds: float, clock: Callable[[], float]) -> float:
    """Call repeatedly for `seconds`, at least once; return the mean time per call."""
    calls, start = 0, clock()
    while True:
        call()
        calls, now = calls + 1, clock()
        if now - start >= seconds:
            return (now - start) / calls


def _quartiles(times: list[float]) -> list[float]:
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    return [low, high]
