"""Timing side by side: what slows the machine for a while slows every contestant."""

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

    group: str  # works of one group are compared
    name: str
    call: Callable[[], object]
    facts: dict = field(default_factory=dict)  # what its figure says besides the time


def measure(
    works: Sequence[Work], seconds: float, rounds: int = ROUNDS, clock: Callable[[], float] = time.perf_counter
) -> list[dict]:
    """Time works in interleaved rounds, each of which starts with another one, after one call of each to warm up.

    Args:
        seconds: for each work, over all rounds; a longer call is made once a round.

    Returns:
        the figure of each work: its group, name and facts, the median `seconds` of a call over the rounds, and their
        `quartiles`.
    """
    for work in works:
        work.call()
    times: list[list[float]] = [[] for _ in works]
    for first in progress(range(rounds), desc="benchmark", unit="round"):
        for i in range(len(works)):
            chosen = (first + i) % len(works)
            times[chosen].append(_time_call(works[chosen].call, seconds / rounds, clock))
    return [
        {"group": w.group, "name": w.name, **w.facts, "seconds": statistics.median(t), "quartiles": _quartiles(t)}
        for w, t in zip(works, times)
    ]


def _time_call(call: Callable[[], object], seconds: float, clock: Callable[[], float]) -> float:
    """The mean time of the calls that `seconds` allow, one at least."""
    calls, start = 0, clock()
    while True:
        call()
        calls, now = calls + 1, clock()
        if now - start >= seconds:
            return (now - start) / calls


def _quartiles(times: list[float]) -> list[float]:
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    return [low, high]
