"""Confidence intervals by the bootstrap (Efron 1979): the images are drawn again with replacement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95

Key = TypeVar("Key")


@dataclass(frozen=True)
class Interval:
    """The central 95 % of a figure's values over the resamples."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def bootstrap(
    statistics: Callable[[np.ndarray], Mapping[Key, float]], n: int, resamples: int = RESAMPLES, seed: int = 0
) -> dict[Key, Interval]:
    """The interval of each figure that `statistics` gives for the images at indices [n].

    Percentile intervals. A figure that is NaN for a resample is left out there.

    Args:
        n: number of images.
        resamples: how often n images are drawn.
    """
    rng = np.random.default_rng(seed)
    draws = [statistics(rng.integers(n, size=n)) for _ in range(resamples)] if n else []
    names = list(draws[0]) if draws else []
    tail = (1 - LEVEL) / 2
    return {
        name: Interval(*(float(q) for q in np.nanquantile([draw[name] for draw in draws], (tail, 1 - tail))))
        for name in names
    }
